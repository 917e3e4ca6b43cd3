"""The metrics of one cell of the comparison: its scores and its cost."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sslens.files import write_json
from sslens.metrics.collapse import ended_collapsed
from sslens.metrics.scores import metrics_of_file
from sslens.tasks.base import Task

log = logging.getLogger("sslens")


def collapsed(pretraining: str | None) -> bool | None:
    """Whether a pretraining ended collapsed, by the path of its history; None without one."""
    return ended_collapsed(pd.read_csv(pretraining)) if pretraining else None


def operations(
    finetuning: str, pretraining: str | None, is_pretrained: bool
) -> dict[str, int | None]:
    """Floating-point operations of the two trainings of a fine-tuned cell.

    Args:
        finetuning, pretraining: paths of their histories. An encoder from a file has none, nor has
            one with random weights.
        is_pretrained: whether it started from a pretrained encoder.

    Returns:
        `pretraining` (0 without one, None where it is not known: of an encoder from a file) and
        `finetuning`.
    """
    unrecorded = None if is_pretrained else 0
    return {
        "pretraining": _last_operations(pretraining) if pretraining else unrecorded,
        "finetuning": _last_operations(finetuning),
    }


def _last_operations(history: str) -> int:
    return int(pd.read_csv(history)["operations"].iloc[-1])


def write_metrics(outputs: Any, task: Task, fields: Mapping[str, Any]) -> None:
    """Score predictions and write `metrics.json`.

    Args:
        outputs: of the job: `predictions` and `validation`, which are there, and `metrics`.
        task: that they are predictions of.
        fields: see `metrics_of_file`, which raises ValueError for them.
    """
    metrics = metrics_of_file(outputs.predictions, fields, outputs.validation, task.score)
    write_json(outputs.metrics, metrics)
    log.info("%s", task.headline(metrics))
