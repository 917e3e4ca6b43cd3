"""Several GPUs that take every step of a training together, each with its share of the batch.

Each has a copy of the network, a replica, and together they take the step that one device would
take on the whole batch: batch normalisation is by the statistics of all shares, negatives are those
of all shares, and gradients are summed. On one device everything here is the identity.
"""

import logging
import platform
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import tensorflow as tf

log = logging.getLogger(__name__)


def shared_by_gpus(batch_size: int) -> AbstractContextManager:
    """The scope in which a network has to be built and trained to be shared by the job's GPUs.

    As many of them take part as share a batch evenly.
    """
    gpus = devices()
    sharing = max((n for n in range(1, len(gpus) + 1) if batch_size % n == 0), default=1)
    if sharing < len(gpus):
        log.warning(
            "%d of %d GPUs are used: they have to share a batch of %d evenly",
            sharing,
            len(gpus),
            batch_size,
        )
    if sharing == 1:
        return nullcontext()
    log.info("%d GPUs share every batch", sharing)
    return _strategy(tuple(gpus[:sharing])).scope()


@cache
def _strategy(gpus: tuple[str, ...]) -> tf.distribute.Strategy:
    """One in a process: TensorFlow would take a second one's messages for the first one's."""
    return tf.distribute.MirroredStrategy(gpus)


def devices() -> list[str]:
    """Names of the GPUs that this process may use."""
    return [device.name for device in tf.config.list_logical_devices("GPU")]


def described() -> str:
    """The devices that this process computes on: names of its GPUs, or the processor's."""
    gpus = tf.config.list_physical_devices("GPU") if devices() else []
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus
    ]
    return ", ".join(names) or f"CPU ({platform.processor() or platform.machine()})"


def count() -> int:
    """How many replicas take the step under way."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def own_share(batch: tf.Tensor) -> tf.Tensor:
    """This replica's rows of a whole batch."""
    if count() == 1:
        return batch
    rows = tf.shape(batch)[0] // count()
    start = tf.distribute.get_replica_context().replica_id_in_sync_group * rows
    return batch[start : start + rows]


def whole_batch(share: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, in order. Gradients flow back to where a row is from."""
    return share if count() == 1 else _context().all_gather(share, axis=0)


def total(values: list[tf.Tensor]) -> list[tf.Tensor]:
    """The sum over the replicas of each of some tensors."""
    return values if count() == 1 else _context().all_reduce(tf.distribute.ReduceOp.SUM, values)


def moments(values: tf.Tensor, axes: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and (biased) variance over some axes of the rows of all replicas."""
    own = [tf.reduce_mean(values, axes), tf.reduce_mean(tf.square(values), axes)]
    mean, mean_square = _context().all_reduce(tf.distribute.ReduceOp.MEAN, own)
    return mean, mean_square - tf.square(mean)


def _context() -> tf.distribute.ReplicaContext:
    return tf.distribute.get_replica_context()
