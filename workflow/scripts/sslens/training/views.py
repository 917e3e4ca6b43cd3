"""Views of images: a pretext's augmentations, one after the other."""

import importlib
import inspect
from collections.abc import Callable

import numpy as np
import tensorflow as tf


def make_view(images: tf.Tensor, seed: tf.Tensor, pretext: list[dict]) -> tf.Tensor:
    """Make one view of every image: apply a pretext's augmentations in order.

    Args:
        images: (batch, height, width, channels).
        seed: (2,) integers; two views of a batch take two seeds.
        pretext: mappings of one augmentation's name to its strengths.

    Returns:
        Views of the same shape.

    Raises:
        ValueError: for an unknown augmentation.
    """
    for index, entry in enumerate(pretext):
        ((name, strengths),) = entry.items()
        own_seed = tf.random.experimental.stateless_fold_in(seed, index)
        images = load_augmentation(name)(images, own_seed, **(strengths or {}))
    return images


def load_augmentation(name: str) -> Callable:
    """Find an augmentation by its name; so its code concerns only those who name it.

    Raises:
        ValueError: for a name without a function.
    """
    augmentations = importlib.import_module("sslens.training.augmentations")
    known = {
        own: function
        for own, function in vars(augmentations).items()
        if inspect.isfunction(function) and not own.startswith("_")
    }
    if name not in known:
        raise ValueError(f"unknown augmentation {name!r}: known are {', '.join(known)}")
    return known[name]


def group_rows(lens_ids: np.ndarray) -> np.ndarray:
    """Rows of the images of every lens that has as many as any: (lenses, images a lens).

    Raises:
        ValueError: where no two images are of one lens.
    """
    rows: dict[str, list[int]] = {}
    for row, lens_id in enumerate(lens_ids):
        rows.setdefault(str(lens_id), []).append(row)
    most = max(map(len, rows.values()))
    if most == 1:
        raise ValueError("pairs: same_lens, but every image is of a lens of its own")
    return np.array([group for group in rows.values() if len(group) == most])


def draw_images(groups: tf.Tensor, seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Images of every group, different ones as long as it has others.

    Args:
        groups: (batch, k, height, width, channels).
        seed: (2,) integers.
        count: how many of each.

    Returns:
        As many batches (batch, height, width, channels).
    """
    size, k = tf.shape(groups)[0], groups.shape[1]
    if k == 1:
        return [groups[:, 0]] * count
    seeds = [tf.random.experimental.stateless_fold_in(seed, draw) for draw in (1, 2)]
    first = tf.random.stateless_uniform([size], seeds[0], 0, k, dtype=tf.int32)
    further = tf.random.stateless_uniform([size], seeds[1], 0, k - 1, dtype=tf.int32)
    steps = [1 + (further + view) % (k - 1) for view in range(count - 1)]
    chosen = [first, *((first + step) % k for step in steps)]
    return [tf.gather(groups, rows, batch_dims=1) for rows in chosen]


def draw_views(
    groups: tf.Tensor, seed: tf.Tensor, pretext: list[dict], count: int = 2
) -> tuple[tf.Tensor, ...]:
    """So many views of every group, by a pretext, each by a seed of its own; as `draw_images`."""
    # the third one chooses images, so views beyond the second have seeds from the fourth on
    keys = [1, 2, *range(4, count + 2)][:count]
    seeds = [tf.random.experimental.stateless_fold_in(seed, key) for key in (*keys, 3)]
    images = draw_images(groups, seeds.pop(), count)
    return tuple(map(make_view, images, seeds, [pretext] * count))
