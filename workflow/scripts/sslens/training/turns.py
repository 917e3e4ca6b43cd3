"""How augmentations turn what an image shows, so that positions and directions turn with it.

Each function has the name of an augmentation that turns images, and draws by the same seed what
that draws. It returns the matrices by which places turn about the centre, x along columns and y
along rows, (batch, 2, 2).
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from sslens.pretexts import TURN, augmentations_by_places


def rotation(count: tf.Tensor, seed: tf.Tensor, max_degrees: float) -> tf.Tensor:
    """Of `augmentations.rotation`."""
    limit = math.radians(max_degrees)
    angle = tf.random.stateless_uniform([count], seed, -limit, limit)
    cos, sin = tf.cos(angle), tf.sin(angle)
    # what is sampled from a place comes to where the inverse turn takes it
    return tf.stack([tf.stack([cos, sin], axis=1), tf.stack([-sin, cos], axis=1)], axis=1)


def dihedral(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Of `augmentations.dihedral`."""
    coins = tf.random.stateless_uniform([3, count, 1, 1, 1], seed)[:, :, 0, 0, 0] < 0.5
    rows, columns = (tf.where(coin, -1.0, 1.0) for coin in (coins[0], coins[1]))
    zero = tf.zeros_like(rows)
    straight = [[columns, zero], [zero, rows]]
    swapped = straight[::-1]
    first, second = (
        tf.stack([tf.stack(row, axis=1) for row in matrix], axis=1)
        for matrix in (straight, swapped)
    )
    return tf.where(coins[2][:, None, None], second, first)


def turns_of_view(count: tf.Tensor, seed: tf.Tensor, pretext: Sequence[dict]) -> tf.Tensor:
    """How the view that `views.make_view` makes by this seed is turned, (count, 2, 2).

    Raises ValueError where an augmentation turns images, by its schema, and it is not known how.
    """
    if unknown := {*augmentations_by_places()[TURN]} - TURNS.keys():
        raise ValueError(f"training/turns.py has no function for {', '.join(sorted(unknown))}")
    turns = tf.eye(2, batch_shape=[count])
    for index, entry in enumerate(pretext):
        ((name, strengths),) = entry.items()
        if name in TURNS:
            own_seed = tf.random.experimental.stateless_fold_in(seed, index)
            turns = TURNS[name](count, own_seed, **(strengths or {})) @ turns
    return turns


#: Augmentation with `places: turn` in its schema -> how it turns images; the others turn none.
TURNS: dict[str, Callable] = {"rotation": rotation, "dihedral": dihedral}
