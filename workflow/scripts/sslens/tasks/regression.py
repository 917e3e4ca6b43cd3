"""Regression: numbers that an image tells, each as a normal distribution."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sslens.metrics import regression
from sslens.metrics.gaussian import mixed, variances_of
from sslens.targets import ARRAYS, PAIRS, POSITION, SMALLEST_VARIANCE, TARGETS, turned
from sslens.tasks import base

STRATA = 10  # of the first target, by which subsets of the labels are chosen
#: A target whose values differ by less than this share of the largest is called constant.
VARIES = 1e-6


class Task(base.Task):
    """Outputs are the means of all targets and then what their variances are made of.

    Both are of targets with mean 0 and deviation 1 on the training images: `facts` has the true
    mean and deviation of each. Settings: regression.schema.yaml.
    """

    layer = "distributions"
    best = base.Best("validation_loss", highest=False)

    def __init__(self, settings: Mapping, facts: Mapping | None = None):
        super().__init__(settings, facts)
        self.columns = tuple(settings["targets"])
        self.outputs = 2 * len(self.columns)
        self._pairs = [pair for pair in PAIRS if pair[0] in self.columns]
        self.turns = bool(self._pairs)

    # --- targets ----------------------------------------------------------------------------------

    def targets(self, *columns: np.ndarray) -> np.ndarray:
        """The targets (n, k), float64."""
        return np.stack(columns, axis=1).astype(np.float64)

    def has_target(self, targets: np.ndarray) -> np.ndarray:
        """Which images have at least one of them."""
        return np.isfinite(targets).any(axis=1)

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """Tenths of the images, by their first target; those without it, by themselves."""
        first = targets[:, 0]
        ranks = np.argsort(np.argsort(first, kind="stable"), kind="stable")
        known = np.isfinite(first)  # NaN is sorted last
        return np.where(known, ranks * STRATA // max(int(known.sum()), 1), STRATA)

    def name_of_stratum(self, stratum: int) -> str:
        """The tenth."""
        if stratum == STRATA:
            return f"those without {self.columns[0]}"
        return f"tenth {stratum + 1} of {self.columns[0]}"

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
            check_target(name, own, "the labelled training images")
            facts[name] = {"mean": float(own.mean()), "deviation": float(own.std())}
        for pair in self._pairs:
            places = [self.columns.index(name) for name in pair]
            deviation = float(np.sqrt(np.nanmean(targets[:, places] ** 2)))
            facts |= {name: {"mean": 0.0, "deviation": deviation} for name in pair}
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
                raise ValueError(f"task.targets: {name} is not finite in images of {where}")
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
        """Targets with mean 0 and deviation 1 on the training images, float32."""
        means, deviations = self._moments()
        return ((targets - means) / deviations).astype(np.float32)

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations (k,) of the training images' targets."""
        facts = [self.facts[name] for name in self.columns]
        means, deviations = ([fact[key] for fact in facts] for key in ("mean", "deviation"))
        return np.array(means), np.array(deviations)

    def turned(self, targets: Any, turns: Any) -> Any:
        """Positions, ellipticities and shears turn with the image."""
        import tensorflow as tf

        return turned(targets, turns, self.columns, {"stack": lambda parts: tf.stack(parts, -1)})

    # --- learning ---------------------------------------------------------------------------------

    def loss(self, targets: Any, outputs: Any, learning: Mapping) -> tuple[Any, dict[str, Any]]:
        """The likelihood with a weight, see `losses.beta_nll`."""
        from sslens.networks.losses import beta_nll

        return beta_nll(targets, outputs, self.settings["beta"]), {}

    def measures(
        self, learned: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray]
    ) -> dict[str, float]:
        """The mean absolute error of each target, and the likelihood of validation images."""
        from sslens.networks.losses import mean_nll

        of_learned, of_validation = self._errors(*learned), self._errors(*validation)
        return {
            **{f"mae_{name}": error for name, error in of_learned.items()},
            "validation_loss": mean_nll(*validation),
            **{f"validation_mae_{name}": error for name, error in of_validation.items()},
        }

    def _errors(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """Mean absolute errors, in the units of the targets."""
        errors = np.abs(targets - outputs[:, : len(self.columns)]) * self._moments()[1]
        return dict(zip(self.columns, np.nanmean(errors, axis=0).tolist(), strict=True))

    # --- predicting -------------------------------------------------------------------------------

    def predictions(
        self, image_ids: np.ndarray, targets: np.ndarray, outputs: np.ndarray, turns: np.ndarray
    ) -> pd.DataFrame:
        """Of each target its true value, mean and standard deviation; units are in `attrs`."""
        means, deviations = self._distributions(np.asarray(outputs, np.float64))
        back = np.swapaxes(turns[: len(outputs)], 1, 2)[:, None]  # the inverse of the turns
        means = turned(means, back, self.columns, ARRAYS)
        deviations = self._deviations_turned(deviations, back, ARRAYS)
        frame = pd.DataFrame({"image_id": np.asarray(image_ids)})
        for place, name in enumerate(self.columns):
            mean, deviation = mixed(means[..., place], deviations[..., place])
            columns = regression.columns_of(name)
            frame[list(columns)] = np.stack([targets[:, place], mean, deviation], axis=1)
        regression.check_predictions(frame, self.columns)
        frame.attrs["units"] = {name: TARGETS[name].unit for name in self.columns}
        return frame

    def _deviations_turned(self, deviations: Any, turns: Any, ops: Mapping) -> Any:
        """Deviations after quarter turns or flips, which swap the components of a position."""
        return turned(deviations, turns**2, _as_positions(self.columns), ops)

    def _distributions(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations (..., k) in the units of the targets, of outputs (..., 2 k)."""
        means, deviations = self._moments()
        relative, raw = np.split(outputs, 2, axis=-1)
        return means + deviations * relative, deviations * np.sqrt(variances_of(raw))

    def readable(self, outputs: Any) -> Any:
        """Means and standard deviations (batch, k, 2), in the units of the targets."""
        import keras
        from keras import ops

        count, (means, deviations) = len(self.columns), self._moments()
        relative, raw = outputs[:, :count], outputs[:, count:]
        spread = ops.sqrt(ops.softplus(raw) + SMALLEST_VARIANCE)
        scaled = keras.layers.Rescaling(deviations.tolist(), means.tolist(), name="means")(relative)
        spread = keras.layers.Rescaling(deviations.tolist(), name="deviations")(spread)
        return ops.stack([scaled, spread], axis=2)

    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """Means and standard deviations of the mixture, see `gaussian.mixed`."""
        from keras import ops

        own = {"stack": lambda parts: ops.stack(parts, axis=-1)}
        back = np.swapaxes(turns, 1, 2)[:, None].astype(np.float32)
        means = turned(readable[..., 0], back, self.columns, own)
        deviations = self._deviations_turned(readable[..., 1], back, own)
        variance = ops.mean(deviations**2, axis=0) + ops.var(means, axis=0)
        return ops.stack([ops.mean(means, axis=0), ops.sqrt(variance)], axis=2)

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


def _as_positions(targets: Sequence[str]) -> list[str]:
    """Targets of which only positions turn: flips change no deviation of an ellipticity."""
    pairs = [pair for pair, spin in PAIRS.items() if spin != POSITION]
    kept = {name for pair in pairs for name in pair}
    return ["" if name in kept else name for name in targets]


def check_target(name: str, values: np.ndarray, where: str) -> None:
    """Raise ValueError where the finite values (n,) of a target are none, or all the same."""
    if not len(values):
        raise ValueError(f"task.targets: no image of {where} has {name}; leave it out")
    if np.ptp(values) <= VARIES * np.abs(values).max():
        raise ValueError(
            f"task.targets: {name} is {values[0]:.6g} in all images of {where}; leave it out"
        )
