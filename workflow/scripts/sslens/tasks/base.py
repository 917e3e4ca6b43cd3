"""The contract of a task: what is learned of images, how it is predicted, and how well.

A task is a module `NAME.py`, and beside it `NAME.schema.yaml`, the JSON schema of its settings,
with the traits by which the workflow decides (`registry.Traits`). The module has

- a class `Task` that extends the one below;
- a function `measures` of its settings: by what rows are compared, `comparison.measures.Measures`;
- a function `documents` of fine-tuned rows and of frozen encoders (each a
  `comparison.compared.Comparison`), of these measures, and of the cells (of
  `comparison.cells.collect`): what is written, `comparison.documents.Documents`.

Rows with frozen encoders need a module of the same name in `training.probes` besides. Jobs without
a network use tasks too, and trainings compare nothing, so TensorFlow, Keras and `comparison` are
imported by the methods and functions that need them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from sslens.data.records import Split


class Best(NamedTuple):
    """By which column of the history the weights of an epoch are the best, and which way."""

    measure: str
    highest: bool


class Task(ABC):
    """A task with its settings.

    Attributes:
        columns: of the records, that `targets` takes.
        outputs: how many numbers a network gives of an image.
        layer: the name of the layer that gives them.
        best: what `select: best_validation` chooses by.
        turns: whether targets turn with the image.
    """

    columns: tuple[str, ...]
    outputs: int
    layer: str
    best: Best
    turns = False

    def __init__(self, settings: Mapping, facts: Mapping | None = None):
        """Take its settings by the schema of the task, with its `name`, and what it has learned of.

        Args:
            settings: as said.
            facts: what the outputs of a network relate to, of the training images' targets, see
                `learning_from`. It can be written as JSON.
        """
        self.settings, self.facts = settings, facts or {}

    # --- targets ----------------------------------------------------------------------------------

    @abstractmethod
    def targets(self, *columns: np.ndarray) -> np.ndarray:
        """Targets of images, (n,) or (n, k), of the columns (n,) each; NaN where there is none."""

    def has_target(self, targets: np.ndarray) -> np.ndarray:
        """Which images have any target, (n,) bool; the others are left out."""
        return np.ones(len(targets), bool)

    @abstractmethod
    def labelled(self, targets: np.ndarray, fraction: float, seed: int) -> np.ndarray:
        """Rows of a share of the training images, whose targets are used, see `sslens.labelled`.

        Raises:
            ValueError: where they are too few to learn from.
        """

    def described(self, targets: np.ndarray, where: str) -> dict[str, Any]:
        """What `targets.json` says of the targets of a split, where no classes are needed.

        Args:
            targets: of `targets`.
            where: their data set and split, in words.

        Raises:
            ValueError: where nothing can be learned from them, or predicted.
        """
        own = self.has_target(targets)
        if not own.any():
            raise ValueError(f"task: no image of {where} has {' or '.join(self.columns)}")
        return {"images": int(own.sum()), "without": int((~own).sum())}

    def check_labelled(self, targets: np.ndarray, fraction: float, seed: int) -> None:
        """Raise ValueError where nothing can be learned from a share of training images' targets.

        Args:
            targets: of all training images.
            fraction, seed: as of `labelled`.
        """
        own = targets[self.has_target(targets)]
        self.learning_from(own[self.labelled(own, fraction, seed)])

    def learning_from(self, targets: np.ndarray) -> Self:
        """The task with the facts of these targets, of the training images."""
        return self

    def relative(self, targets: np.ndarray) -> np.ndarray:
        """Targets as `loss` takes them, by the facts."""
        return targets

    def turned(self, targets: Any, turns: Any) -> Any:
        """Targets of `relative` of images that were turned, as a tensor.

        Args:
            targets: (batch, ...).
            turns: (batch, 2, 2), see `sslens.targets`.
        """
        return targets

    # --- learning ---------------------------------------------------------------------------------

    @abstractmethod
    def loss(self, targets: Any, outputs: Any, learning: Mapping) -> tuple[Any, dict[str, Any]]:
        """The loss of every image, (batch,), and means of other measures by name; as tensors.

        Args:
            targets: of the batch, as `relative` makes them.
            outputs: (batch, outputs).
            learning: settings of the fine-tuning.
        """

    @abstractmethod
    def measures(
        self, learned: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray]
    ) -> dict[str, float]:
        """Columns of the history, of training and of validation images.

        Args:
            learned, validation: targets as `relative` makes them, and outputs.
        """

    # --- predicting -------------------------------------------------------------------------------

    @abstractmethod
    def predictions(
        self, image_ids: np.ndarray, targets: np.ndarray, outputs: np.ndarray, turns: np.ndarray
    ) -> pd.DataFrame:
        """One row per image, as `predictions.parquet` has them.

        Args:
            image_ids: (n,).
            targets: of `targets`.
            outputs: (orientations, n, outputs), whose distributions are averaged.
            turns: by which the orientations are turned, (orientations, 2, 2) or more.
        """

    @abstractmethod
    def readable(self, outputs: Any) -> Any:
        """What an exported network gives, of outputs (batch, outputs); of Keras's layers alone."""

    @abstractmethod
    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """The same of several orientations (n, batch, ...), which are turned by (n, 2, 2)."""

    # --- scoring ----------------------------------------------------------------------------------

    @abstractmethod
    def score(self, predictions: pd.DataFrame, validation: pd.DataFrame) -> dict[str, Any]:
        """What `metrics.json` says of the predictions of the test set, finite numbers for JSON.

        Args:
            predictions: of the test set.
            validation: of the validation set, by which predictions are calibrated.
        """

    @abstractmethod
    def headline(self, metrics: Mapping) -> str:
        """A line for the log, of what `score` returns."""


def rows_with_target(task: Task, targets: np.ndarray) -> np.ndarray | slice:
    """The images that have any target of a task; a slice where all have one, which copies none."""
    known = task.has_target(targets)
    return slice(None) if known.all() else np.flatnonzero(known)


def targeted(task: Task, split: Split) -> Split:
    """A split of the images that have any target of a task, with these in the place of labels."""
    split = split._replace(labels=task.targets(*(split.columns[name] for name in task.columns)))
    rows = rows_with_target(task, split.labels)
    return split if isinstance(rows, slice) else split.take(rows)
