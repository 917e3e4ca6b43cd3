"""Keyed randomness: every random number of a run comes from a seed derived here."""

import hashlib
import json

import numpy as np


def derive_seed(seed: int, purpose: str, *keys: int | str) -> tuple[int, int]:
    """Derive the pair of int32 seeds that belongs to (seed, purpose, keys).

    The pair is the start of a SHA-256 over the arguments, so that neighbouring seeds and keys
    give unrelated streams. It is what TensorFlow's stateless operations and
    `numpy.random.default_rng` take.

    Args:
        seed: the seed of the run.
        purpose: what the numbers are for ("order", "views", ...).
        keys: what else they depend on, such as the epoch and the step.

    Returns:
        Two integers in [0, 2**31).
    """
    message = json.dumps([seed, purpose, *keys]).encode()
    digest = hashlib.sha256(message).digest()
    first, second = (int.from_bytes(digest[start : start + 4], "little") for start in (0, 4))
    return first >> 1, second >> 1


def measured_rows(size: int, most: int, seed: int) -> np.ndarray:
    """Which of `size` images are measured: sorted rows, all of them if there are no more.

    Drawn by a key of their own, so that they take no part in what a training draws.
    """
    order = np.random.default_rng(derive_seed(seed, "measured rows")).permutation(size)
    return np.sort(order[:most])
