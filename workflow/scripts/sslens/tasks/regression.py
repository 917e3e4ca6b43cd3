"""Regression: numbers that are measured in an image, each as a distribution."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd

from sslens.labelled import spread_subset
from sslens.metrics import regression
from sslens.targets import PAIRS, TARGETS, turned
from sslens.tasks import base
from sslens.tasks.heads import HEADS

#: A target whose values differ by less than this share of the largest is called constant.
VARIES = 1e-6


class Task(base.Task):
    """Outputs are those of a head, of targets with mean 0 and deviation 1 on the training images.

    `facts` has the mean and deviation of each target, and its least and largest value. Settings:
    regression.schema.yaml.
    """

    layer = "distributions"
    best = base.Best("validation_nll", highest=False)

    def __init__(self, settings: Mapping, facts: Mapping | None = None):
        super().__init__(settings, facts)
        self.columns = tuple(settings["targets"])
        self._head = HEADS[settings["head"]](self.columns, settings, self.facts)
        self.outputs = self._head.per_target * len(self.columns)
        self._pairs = [pair for pair in PAIRS if pair[0] in self.columns]
        self.turns = bool(self._pairs)

    # --- targets ----------------------------------------------------------------------------------

    def targets(self, *columns: np.ndarray) -> np.ndarray:
        """The targets (n, k), float64."""
        return np.stack(columns, axis=1).astype(np.float64)

    def has_target(self, targets: np.ndarray) -> np.ndarray:
        """Which images have at least one of them."""
        return np.isfinite(targets).any(axis=1)

    def labelled(self, targets: np.ndarray, fraction: float, seed: int) -> np.ndarray:
        """Evenly over the values of the first target; and the same share of those without it."""
        return spread_subset(targets[:, 0], fraction, seed, self.columns[0])

    def learning_from(self, targets: np.ndarray) -> Self:
        """The task with the mean and the deviation of each target.

        Those that turn into one another have a mean of 0 and the same deviation, so that turns are
        the same of what is learned.

        Raises:
            ValueError: for a target that no image has, or that is the same in all.
        """
        facts = {}
        for name, values in zip(self.columns, targets.T, strict=True):
            own = values[np.isfinite(values)]
            check_target(name, own, "the labelled training images", "take more, or leave it out")
            facts[name] = {
                "mean": float(own.mean()),
                "deviation": float(own.std()),
                "lowest": float(own.min()),
                "highest": float(own.max()),
            }
        for pair in self._pairs:
            places = [self.columns.index(name) for name in pair]
            deviation = float(np.sqrt(np.nanmean(targets[:, places] ** 2)))
            for name in pair:
                facts[name] |= {"mean": 0.0, "deviation": deviation}
        return type(self)(self.settings, facts)

    def described(self, targets: np.ndarray, where: str) -> dict[str, dict[str, float]]:
        """Of each target how many images have it, its mean, and its least and largest value.

        Args:
            targets: (n, k).
            where: their data set and split, in words.

        Raises:
            ValueError: as `learning_from`, and for a value that is infinite.
        """
        found = {}
        for name, values in zip(self.columns, targets.T, strict=True):
            own = values[~np.isnan(values)]
            if not np.isfinite(own).all():
                raise ValueError(
                    f"task.targets: {name} is not finite in images of {where}; correct them, or "
                    "leave the target out"
                )
            check_target(name, own, where)
            found[name] = {
                "images": len(own),
                "without": len(values) - len(own),
                "mean": float(own.mean()),
                "lowest": float(own.min()),
                "highest": float(own.max()),
            }
        return found

    def relative(self, targets: np.ndarray) -> np.ndarray:
        """Targets standardised on the training images, float32."""
        relative = (targets - self._head.of("mean")) / self._head.of("deviation")
        return relative.astype(np.float32)

    def turned(self, targets: Any, turns: Any) -> Any:
        """Positions, ellipticities and shears turn with the image."""
        import tensorflow as tf

        return turned(targets, turns, self.columns, partial(tf.stack, axis=-1))

    # --- learning ---------------------------------------------------------------------------------

    def loss(self, targets: Any, outputs: Any, learning: Mapping) -> tuple[Any, dict[str, Any]]:
        """That of the head."""
        return self._head.loss(targets, outputs), {}

    def measures(
        self, learned: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray]
    ) -> dict[str, float]:
        """The likelihood, which the loss may weight, and the mean absolute error of each target."""
        of_learned, of_validation = self._errors(*learned), self._errors(*validation)
        return {
            "nll": self._head.likelihood(*learned),
            "validation_nll": self._head.likelihood(*validation),
            **{f"mae_{name}": error for name, error in of_learned.items()},
            **{f"validation_mae_{name}": error for name, error in of_validation.items()},
        }

    def _errors(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """Mean absolute errors, in the units of the targets."""
        errors = np.abs(targets - self._head.means(outputs)) * self._head.of("deviation")
        return dict(zip(self.columns, np.nanmean(errors, axis=0).tolist(), strict=True))

    # --- predicting -------------------------------------------------------------------------------

    def predictions(
        self, image_ids: np.ndarray, targets: np.ndarray, outputs: np.ndarray, turns: np.ndarray
    ) -> pd.DataFrame:
        """Of each target its true value, and its distribution in columns of the head.

        Units are in `attrs`, and edges of bins, where there are any.
        """
        true = {
            regression.columns_of(name)[0]: targets[:, place]
            for place, name in enumerate(self.columns)
        }
        columns = self._head.columns(outputs, turns[: len(outputs)])
        frame = pd.DataFrame({"image_id": np.asarray(image_ids), **true, **columns})
        frame.attrs["units"] = {name: TARGETS[name].unit for name in self.columns}
        frame.attrs["edges"] = self._head.edges()
        regression.check_predictions(frame, self.columns)
        return frame

    def readable(self, outputs: Any) -> Any:
        """The distributions, see the heads."""
        return self._head.readable(outputs)

    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """Even mixtures of them."""
        return self._head.averaged(readable, turns)

    # --- scoring ----------------------------------------------------------------------------------

    def score(self, predictions: pd.DataFrame, validation: pd.DataFrame) -> dict[str, Any]:
        """Errors and calibration of each target, see `metrics.regression.score`."""
        return regression.score(predictions, validation, self.columns)

    def headline(self, metrics: Mapping) -> str:
        """The mean absolute error of each target."""
        return ", ".join(
            f"{name}: mean absolute error {own['mae']:.4g} on {own['images']} images"
            for name, own in metrics["targets"].items()
        )


def measures(settings: Mapping) -> Any:
    """Errors and other scores of the targets."""
    from sslens.comparison.measures import Errors

    return Errors(settings["targets"])


def documents(compared: Any, probed: Any, measures: Any, cells: pd.DataFrame) -> Any:
    """Tables of the errors, of other scores, and of the calibration."""
    from sslens.comparison.documents import by_targets

    return by_targets(compared, probed, measures, cells)


def check_target(name: str, values: np.ndarray, where: str, remedy: str = "leave it out") -> None:
    """Raise ValueError where the finite values (n,) of a target are none, or all the same."""
    if not len(values):
        raise ValueError(f"task.targets: no image of {where} has {name}; {remedy}")
    if np.ptp(values) <= VARIES * np.abs(values).max():
        raise ValueError(
            f"task.targets: {name} is {values[0]:.6g} in all images of {where}; {remedy}"
        )
