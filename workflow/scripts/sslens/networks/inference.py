"""Outputs of a network for images, and the orientations that it may see them in."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import keras
import numpy as np
import tensorflow as tf

from sslens.images import Images
from sslens.networks import replicas
from sslens.orientations import ORIENTATIONS, oriented


def predict(model: keras.Model, images: Images | np.ndarray, batch_size: int = 250) -> np.ndarray:
    """The output of a model in inference mode for every image, each once, in order.

    The batches hold at most `batch_size` images and are as even as can be. On a CPU as many run
    side by side as TensorFlow runs operations, each smaller by as much.
    """
    return predict_all(model, images, batch_size)[0]


def predict_all(
    model: keras.Model, images: Images | np.ndarray, batch_size: int = 250
) -> list[np.ndarray]:
    """All outputs of a model, each as `predict` has the only one."""
    on_cpu = not replicas.devices()
    workers = tf.config.threading.get_inter_op_parallelism_threads() or 1 if on_cpu else 1
    most = max(batch_size // workers, 1)
    batches = np.array_split(np.arange(len(images)), -(-len(images) // most))
    outputs_of = _compiled(model)

    def of_batch(rows: np.ndarray) -> list[np.ndarray]:
        return [output.numpy() for output in tf.nest.flatten(outputs_of(images[rows]))]

    with ThreadPoolExecutor(workers) as pool:
        parts = zip(*pool.map(of_batch, batches), strict=True)
    # NumPy's linear algebra knows no bfloat16
    return [np.concatenate(part).astype(np.float32, copy=False) for part in parts]


@lru_cache(maxsize=2)
def _compiled(model: keras.Model) -> Callable:
    """A model in inference mode, traced once for batches of any size.

    Not Keras's `predict`, which wants all images at once and is traced anew for every size.
    """

    @tf.function(
        input_signature=[tf.TensorSpec([None, *model.input_shape[1:]], tf.float32)],
        autograph=False,
    )
    def outputs_of(images):
        return model(images, training=False)

    return outputs_of.get_concrete_function()


def predict_oriented(model: keras.Model, images: Images, average: bool) -> np.ndarray:
    """Outputs of a model for images as they are, or in all orientations where they are averaged.

    Returns:
        (orientations, n, outputs), the first of the images as they are.
    """
    seen = orientations(images) if average else [images]
    return np.stack([predict(model, oriented) for oriented in seen])


def predict_with_features(
    both: keras.Model, images: Images, average: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Logits as of `predict_oriented`, and the features of the images as they are.

    Args:
        both: made by `classifiers.with_features`.
        images, average: as of `predict_oriented`.
    """
    logits, features = predict_all(both, images)
    others = orientations(images)[1:] if average else []
    return np.stack([logits, *(predict_all(both, other)[0] for other in others)]), features


def orientations(images: Images) -> list[Images]:
    """Square images in their eight orientations, see `sslens.orientations`.

    They change no pixel and no lens's class.
    """
    return [
        images.map(partial(oriented, mirrored=mirrored, quarters=quarters), images.shape[1:])
        for mirrored, quarters in ORIENTATIONS
    ]
