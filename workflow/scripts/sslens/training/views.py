"""Views of images: a pretext's augmentations, one after the other."""

import importlib
import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sslens.data.records import Split
from sslens.groups import first_of_group
from sslens.images import Images
from sslens.networks.preprocessing import preprocess
from sslens.pretexts import NOISE, augmentation_names

RAW = 1000  # keys the draws of augmentations of raw images apart from those of the others


class Views(NamedTuple):
    """How views are made of the images of a split.

    Args:
        pretext: augmentations of preprocessed images.
        raw: augmentations of raw images, before that.
        preprocessing: facts of `data.preprocessing.measure`, by which raw images are preprocessed;
            None where the split's images have been preprocessed, and `raw` is empty.
    """

    pretext: list[dict]
    raw: Sequence[dict] = ()
    preprocessing: Mapping | None = None

    def data(self, split: Split, rows: np.ndarray) -> list[Images | np.ndarray]:
        """What `draw` needs of the images in these rows (groups, k), or can read when it does."""
        draws_noise = NOISE in augmentation_names(self.raw)
        times = [split.columns["exposure_time"][rows]] if draws_noise else []
        return [split.images.take(rows), *times]

    def draw(
        self, groups: Sequence[tf.Tensor], seed: tf.Tensor, count: int = 2
    ) -> tuple[tf.Tensor, ...]:
        """Make so many views of every group, each by a seed of its own, of several of its images.

        Args:
            groups: rows of `data`: images (batch, k, height, width, channels), and exposure times.
            seed: (2,) integers.
            count: how many views.

        Returns:
            As many batches of views (batch, height, width, channels).
        """
        # the third one chooses images, so views beyond the second have seeds from the fourth on
        keys = [1, 2, *range(4, count + 2)][:count]
        seeds = [tf.random.experimental.stateless_fold_in(seed, key) for key in (*keys, 3)]
        chosen = draw_members(groups, seeds.pop(), count)
        return tuple(
            self._make_view(*one, seed=own) for one, own in zip(chosen, seeds, strict=True)
        )

    def _make_view(self, images: tf.Tensor, *times: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if self.preprocessing is not None:
            raw_seed = tf.random.experimental.stateless_fold_in(seed, RAW)
            images = make_view(images, raw_seed, self.raw, *times)
            images = preprocess(images, self.preprocessing)
        return make_view(images, seed, self.pretext)


def make_view(
    images: tf.Tensor,
    seed: tf.Tensor,
    pretext: Sequence[dict],
    exposure_times: tf.Tensor | None = None,
) -> tf.Tensor:
    """Make one view of every image: apply a pretext's augmentations in order.

    Args:
        images: (batch, height, width, channels).
        seed: (2,) integers; two views of a batch take two seeds.
        pretext: mappings of one augmentation's name to its strengths.
        exposure_times: (batch,), s, for an augmentation that draws noise.

    Returns:
        Views of the same shape.

    Raises:
        ValueError: for an unknown augmentation.
    """
    for index, entry in enumerate(pretext):
        ((name, strengths),) = entry.items()
        own_seed = tf.random.experimental.stateless_fold_in(seed, index)
        given = {"exposure_times": exposure_times} if name == NOISE else {}
        images = load_augmentation(name)(images, own_seed, **given, **(strengths or {}))
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


def paired_rows(split: Split, settings: Mapping) -> np.ndarray:
    """Rows of the images that views of one another are made of: (groups, images in a group).

    Args:
        split: whose images are paired.
        settings: of the pretraining: `pairs` (`same_image`, `same_lens` or `same_substructure`),
            and for the last one `substructures`: `period`, after how many images the classes
            repeat, and `size`, how many images of a class in a row have one substructure.

    Raises:
        ValueError: where no two images make a pair of this kind.
    """
    rows, pairs = np.arange(len(split.labels)), settings["pairs"]
    if pairs == "same_image":
        return rows[:, None]
    if pairs == "same_lens":
        return group_rows(split.columns["lens_id"], pairs)
    return group_rows(first_of_group(rows, **settings["substructures"]), pairs)


def group_rows(keys: Iterable[Hashable], pairs: str) -> np.ndarray:
    """Rows with the same key, of every key that has as many as any: (groups, rows in a group).

    Raises:
        ValueError: where no two rows have the same key; `pairs` is named.
    """
    rows: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    most = max(map(len, rows.values()))
    if most == 1:
        raise ValueError(f"pairs: {pairs}, but no two images have that in common")
    return np.array([group for group in rows.values() if len(group) == most])


def draw_members(groups: Sequence[tf.Tensor], seed: tf.Tensor, count: int) -> list[list[tf.Tensor]]:
    """Members of every group, different ones as long as it has others.

    Args:
        groups: facts of each member, such as its image, (batch, k, ...) each.
        seed: (2,) integers.
        count: how many of each.

    Returns:
        As many times the facts of a member of every group, (batch, ...) each.
    """
    size, k = tf.shape(groups[0])[0], groups[0].shape[1]
    if k == 1:
        return [[part[:, 0] for part in groups]] * count
    seeds = [tf.random.experimental.stateless_fold_in(seed, draw) for draw in (1, 2)]
    first = tf.random.stateless_uniform([size], seeds[0], 0, k, dtype=tf.int32)
    further = tf.random.stateless_uniform([size], seeds[1], 0, k - 1, dtype=tf.int32)
    steps = [1 + (further + view) % (k - 1) for view in range(count - 1)]
    chosen = [first, *((first + step) % k for step in steps)]
    return [[tf.gather(part, rows, batch_dims=1) for part in groups] for rows in chosen]
