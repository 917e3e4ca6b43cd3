"""Views of images: a pretext's augmentations, one after the other."""

import importlib
import inspect
from collections.abc import Callable

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
    augmentations = importlib.import_module("sslens.augmentations")
    known = {
        own: function
        for own, function in vars(augmentations).items()
        if inspect.isfunction(function) and not own.startswith("_")
    }
    if name not in known:
        raise ValueError(f"unknown augmentation {name!r}: known are {', '.join(known)}")
    return known[name]
