"""What a task is compared by: AUCs, or errors; each with its samples, and how tables name it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sslens.classes import CLASSES
from sslens.metrics import mrmc, regression, uncertainty
from sslens.metrics.auc import class_aucs, log_odds
from sslens.metrics.predictions import check_predictions, class_indices, logits_of
from sslens.targets import TARGETS


class Shown(NamedTuple):
    """A measure as tables name it, and the columns of the summary that have it.

    Args:
        name: in a sentence, "macro AUC".
        column, difference: of the summary, "auc_macro" and "difference_macro".
        higher_is_better: whether it is.
        unit: in a caption, " in dex", or nothing.
        noun: a short word for it, "AUC".
        number: its format.
        finer: that of its standard deviations.
        images: the column with the number of test images.
        is_marked: whether the table with its uncertainty marks rows; that of AUCs does not, since
            the one in the published layout does.
    """

    name: str
    column: str
    difference: str
    higher_is_better: bool
    unit: str = ""
    noun: str = "AUC"
    number: str = ".3f"
    finer: str = ".4f"
    images: str = "images"
    is_marked: bool = False

    @property
    def title(self) -> str:
        """At the beginning of a line."""
        return f"{self.name[0].upper()}{self.name[1:]}"

    @property
    def extreme(self) -> str:
        """The best value of a column, in a word."""
        return "highest" if self.higher_is_better else "smallest"

    @property
    def p_value(self) -> str:
        """The column with the p values that are corrected."""
        return f"{self.difference.replace('difference_', 'p_', 1)}_holm"


class Measures(ABC):
    """The measures of a summary.

    Attributes:
        names: of them, in the order of `samples`.
        main: the name of that which has a best row.
        highest: whether its largest value is the best.
        prefix: of the columns of the summary that have a measure.
        lowest: of a measure and of a difference, where they have bounds.
        largest: the same.
        truth: columns of the predictions that must be the same for all rows.
        what: they are called in a sentence.
        every: in words, what the measures are.
        best: in words, what the best row of a column has.
    """

    names: tuple[str, ...]
    main: str
    highest: bool
    prefix = ""
    lowest: tuple[float, float] = (-np.inf, -np.inf)
    largest: tuple[float, float] = (np.inf, np.inf)
    truth: tuple[str, ...]
    what: str
    every: str
    best: str

    @property
    def families(self) -> Sequence[tuple[str, ...]]:
        """Names whose tests are corrected together, over all rows and data sets."""
        return [(name,) for name in self.names]

    def check(self, predictions: pd.DataFrame) -> None:
        """Raise ValueError where predictions cannot be scored."""
        if (missing := predictions.isna().any()).any():
            raise ValueError(f"no number in {', '.join(predictions.columns[missing])}")

    def cell_column(self, name: str) -> str:
        """The column of `cells.collect` that has a measure of a network: as of the summary."""
        return f"{self.prefix}{name}"

    def images(self, predictions: pd.DataFrame) -> dict[str, int]:
        """Columns with the numbers of test images of measures that are not of all images."""
        return {}

    @abstractmethod
    def samples(self, frames: Sequence[pd.DataFrame], seeds: Sequence) -> list[mrmc.Sample]:
        """A sample of each measure, of the predictions of a row's seeds."""

    @abstractmethod
    def slacks(self, predictions: pd.DataFrame) -> list[float]:
        """Half the width of an interval of networks where nothing varies, of each measure."""

    @abstractmethod
    def interval(self, name: str, estimate: mrmc.Estimate) -> np.ndarray:
        """The 95 % interval of a measure."""

    def difference_interval(self, estimate: mrmc.Estimate) -> np.ndarray:
        """The 95 % interval of a difference, symmetric."""
        return mrmc.mean_interval(estimate)

    @abstractmethod
    def shown(self) -> Iterable[Shown]:
        """The measures that have tables of their own."""

    @property
    def first_shown(self) -> Shown:
        """The measure of figures and tables that have one alone."""
        return next(iter(self.shown()))

    @abstractmethod
    def stated(self, metrics: Mapping) -> list[float]:
        """The measures as `metrics.json` has them."""

    def of_predictions(self, predictions: pd.DataFrame) -> list[float]:
        """The same, computed anew."""
        return [float(sample.values[0]) for sample in self.samples([predictions], ["one"])]


class Aucs(Measures):
    """One-vs-rest AUCs of the classes, and their mean."""

    names = (*CLASSES, "macro")
    main = "macro"
    highest = True
    prefix = "auc_"
    lowest = (0.0, -1.0)
    largest = (1.0, 1.0)
    truth = ("image_id", "label")
    what = "AUCs"
    every = "a class, or the macro AUC"
    best = "the highest macro AUC"

    @property
    def families(self) -> Sequence[tuple[str, ...]]:
        """The macro AUC by itself, and the classes together."""
        return [("macro",), CLASSES]

    def check(self, predictions: pd.DataFrame) -> None:
        """See `metrics.predictions.check_predictions`."""
        check_predictions(predictions)

    def samples(self, frames: Sequence[pd.DataFrame], seeds: Sequence) -> list[mrmc.Sample]:
        """See `mrmc.samples`."""
        scores = np.stack([log_odds(logits_of(frame)) for frame in frames])
        return mrmc.samples(class_indices(frames[0]), scores, seeds)

    def slacks(self, predictions: pd.DataFrame) -> list[float]:
        """See `uncertainty.agreement_bound`."""
        classes = class_indices(predictions)
        bounds = [uncertainty.agreement_bound(classes == c) for c in range(len(CLASSES))]
        bounds.append(uncertainty.macro_agreement_bound(np.bincount(classes)))
        return [1 - bound for bound in bounds]

    def interval(self, name: str, estimate: mrmc.Estimate) -> np.ndarray:
        """On the scale of the logit."""
        return mrmc.row_interval(estimate)

    def difference_interval(self, estimate: mrmc.Estimate) -> np.ndarray:
        """Between -1 and 1."""
        return mrmc.difference_interval(estimate)

    def shown(self) -> Iterable[Shown]:
        """The macro AUC."""
        return [MACRO_AUC]

    def stated(self, metrics: Mapping) -> list[float]:
        """AUCs of the classes, and the macro AUC."""
        return [metrics["auc"][name] for name in self.names]

    def of_predictions(self, predictions: pd.DataFrame) -> list[float]:
        """See `auc.class_aucs`."""
        aucs = class_aucs(class_indices(predictions), logits_of(predictions))
        return [*aucs, aucs.mean()]


MACRO_AUC = Shown("macro AUC", "auc_macro", "difference_macro", higher_is_better=True)


class Errors(Measures):
    """Mean absolute errors of targets, and their other scores (see `regression`) as predicted.

    Args:
        targets: names of them.
    """

    highest = False
    what = "scores"
    every = f"K_T, the score K of a target T: {', '.join(regression.SCORES)}"
    best = "the smallest mean absolute error of the first target"

    def __init__(self, targets: Sequence[str]):
        self._targets = list(targets)
        self.names = tuple(f"{kind}_{name}" for name in targets for kind in regression.SCORES)
        self.main = self.names[0]
        self.truth = ("image_id", *(regression.columns_of(name)[0] for name in targets))

    def check(self, predictions: pd.DataFrame) -> None:
        """See `metrics.regression.check_predictions`."""
        regression.check_predictions(predictions, self._targets)

    def cell_column(self, name: str) -> str:
        """Of the metrics of a target."""
        kind, target = name.split("_", 1)
        return f"targets_{target}_{kind}"

    def samples(self, frames: Sequence[pd.DataFrame], seeds: Sequence) -> list[mrmc.Sample]:
        """Over the images that have a target, see `regression.contributions`."""
        found = []
        for target in self._targets:
            networks = [
                regression.contributions(*regression.true_and_predicted(frame, target))
                for frame in frames
            ]
            for kind in regression.SCORES:
                values, parts = zip(*(scores[kind] for scores in networks), strict=True)
                found.append(mrmc.smooth_sample(np.array(values), np.stack(parts), seeds))
        return found

    def slacks(self, predictions: pd.DataFrame) -> list[float]:
        """None: what does not vary is the same on other images."""
        return [0.0] * len(self.names)

    def interval(self, name: str, estimate: mrmc.Estimate) -> np.ndarray:
        """On the scale of the logarithm, where a score is positive; of R², of 1 - R²."""
        of_kinds = {
            "bias": mrmc.mean_interval,
            "nll": mrmc.mean_interval,
            "r2": mrmc.share_interval,
        }
        return of_kinds.get(name.split("_")[0], mrmc.positive_interval)(estimate)

    def images(self, predictions: pd.DataFrame) -> dict[str, int]:
        """Those that have a target."""
        return {
            f"images_{name}": int(predictions[regression.columns_of(name)[0]].notna().sum())
            for name in self._targets
        }

    def shown(self) -> Iterable[Shown]:
        """The mean absolute errors."""
        for name in self._targets:
            target = TARGETS[name]
            digits = int(target.number[1:-1]) + 1
            yield Shown(
                f"mean absolute error of the {target.name}",
                f"mae_{name}",
                f"difference_mae_{name}",
                higher_is_better=False,
                unit=f" in {target.unit}" if target.unit else "",
                noun="error",
                number=target.number,
                finer=f".{digits}{target.number[-1]}",
                images=f"images_{name}",
                # the best rows are those of the main measure
                is_marked=f"mae_{name}" == self.main,
            )

    def stated(self, metrics: Mapping) -> list[float]:
        """All scores of each target."""
        targets = metrics["targets"]
        return [targets[name][kind] for name in self._targets for kind in regression.SCORES]
