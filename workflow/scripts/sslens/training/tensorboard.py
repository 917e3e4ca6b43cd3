"""Histories for TensorBoard, written by TensorFlow alone."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import tensorflow as tf

#: Receives the rows of a history, as they come.
Report: TypeAlias = Callable[[Iterable[Mapping[str, float]]], None]


def silent(rows: Iterable[Mapping[str, float]]) -> None:
    """Writes nothing."""


def reporter(folder: str | Path, wanted: bool) -> Report:
    """A report that writes rows to a folder: every column is a scalar over the epochs.

    The folder begins anew with every process, as a job's log does, and a training that goes on
    reports the epochs before; so each is there once, whenever the last process ended.

    Args:
        folder: for one training; what TensorBoard would find in it is deleted.
        wanted: where not, nothing is touched, and the report is `silent`.
    """
    if not wanted:
        return silent
    for old in Path(folder).glob("events.out.tfevents.*"):
        old.unlink()
    writer = tf.summary.create_file_writer(str(folder))
    # `tf.summary.scalar` does no more, but wants the package tensorboard
    scalar = tf.compat.v1.SummaryMetadata(data_class="DATA_CLASS_SCALAR")
    scalar.plugin_data.plugin_name = "scalars"

    def report(rows: Iterable[Mapping[str, float]]) -> None:
        with writer.as_default():
            for row in rows:
                for name, value in row.items():
                    tf.summary.write(name, tf.constant(value, tf.float32), row["epoch"], scalar)
        writer.flush()

    return report
