"""Cells of the comparison with their uncertainty: over seeds, over test images, and in tests.

A cell is a row on a data set with a share of the labels; each of its seeds is a model that
predicted the same test images. Two things make it uncertain, and they are never mixed up: another
seed (the standard deviation), and other test images (the interval).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslens.classes import CLASSES
from sslens.comparison.cells import CELL
from sslens.formatting import cell_name, read_csv
from sslens.metrics import uncertainty
from sslens.metrics.auc import log_odds
from sslens.metrics.predictions import check_predictions, class_indices, logits_of

MEASURES = (*CLASSES, "macro")
#: Below this adjusted p value a difference is called significant.
SIGNIFICANT = 0.05


def summarise(
    frame: pd.DataFrame,
    predictions: Mapping[tuple[str, str, float, int], pd.DataFrame],
    references: Mapping[str, Mapping[str, str]],
    seed: int = 0,
) -> pd.DataFrame:
    """A row a cell: means and deviations over seeds, intervals, and tests against its reference.

    Args:
        frame: of `cells.collect`, one row per cell and seed.
        predictions: of each of its rows, by (arm, dataset, labels, seed).
        references: data set -> arm -> the arm that it is tested against.
        seed: of the bootstrap.

    Returns:
        Columns labels, dataset, arm, title, protocol, pretraining, seeds, images, labelled_images,
        collapsed_seeds (as text, missing where there are none), and for every measure m of
        `MEASURES`: auc_m (mean over the seeds), auc_m_std (their standard deviation, missing with
        one), auc_m_low and auc_m_high (95 %, of the test images), and against `reference`
        difference_m with _low, _high, p_m and p_m_holm; and against the best of its group by macro
        AUC, p_best_holm, missing for the best itself. A group, which one table shows, is the cells
        with a share of the labels whose arms have the same protocol; Holm's correction is over all
        tests of a kind in a group: macro ones, those of single classes, those against the best.

    Raises:
        ValueError: where two cells of a data set were scored on other images, or other labels, or
            predictions cannot be scored.
    """
    rows = [
        row
        for (labels, dataset), part in frame.groupby(["labels", "dataset"], sort=False)
        for row in _dataset_rows(part, predictions, references.get(str(dataset), {}), seed)
    ]
    table = pd.DataFrame(rows)
    for _, group in table.groupby(["labels", "protocol"], sort=False):
        families = [["p_macro"], [f"p_{name}" for name in CLASSES], ["p_best"]]
        for columns in families:
            values = group[columns].to_numpy(dtype=float)
            adjusted = uncertainty.holm(values.ravel()).reshape(values.shape)
            table.loc[group.index, [f"{column}_holm" for column in columns]] = adjusted
    return table


def read_summary(path: str | Path) -> pd.DataFrame:
    """Read `auc_summary.csv` back to the same bits; only an empty field is a missing value."""
    names = ("dataset", "arm", "title", "protocol", "pretraining", "collapsed_seeds", "reference")
    return read_csv(path, names)


def _dataset_rows(
    part: pd.DataFrame, predictions: Mapping, references: Mapping[str, str], seed: int
) -> Iterator[dict[str, Any]]:
    """The rows of one data set and share of the labels."""
    classes = _classes_of(part, predictions)
    scores = {
        arm: np.stack([log_odds(logits_of(predictions[key])) for key in _keys(cells)])
        for arm, cells in part.groupby("arm", sort=False)
    }
    together = np.concatenate(list(scores.values()))
    draws = uncertainty.macro_draws(classes, together, seed)
    ends = np.cumsum([len(models) for models in scores.values()])[:-1]
    # the macro AUC of an arm, the mean over its seeds, in every sample of the test images
    samples = {
        arm: some.mean(axis=1)
        for arm, some in zip(scores, np.split(draws, ends, axis=1), strict=True)
    }
    means = part.groupby("arm", sort=False)["auc_macro"].mean()
    best = {
        protocol: means[group["arm"].unique()].idxmax()
        for protocol, group in part.groupby("protocol", sort=False)
    }
    counts = np.bincount(classes, minlength=len(CLASSES))

    def test(arm, other) -> tuple[float, ...]:
        """Difference of the macro AUCs of two arms, its interval and p; nothing against itself."""
        if other is None or arm == other:
            return ()
        difference = float(means[arm] - means[other])
        drawn = samples[arm], samples[other]
        return (difference, *uncertainty.macro_difference(difference, *drawn, counts))

    for arm, cells in part.groupby("arm", sort=False):
        first = cells.iloc[0]
        row = {
            "labels": first["labels"],
            "dataset": first["dataset"],
            "arm": arm,
            "title": first["title"],
            "protocol": first["protocol"],
            "pretraining": first["pretraining"],
            "seeds": len(cells),
            "images": first["images"],
            "labelled_images": first["labelled_images"],
            "collapsed_seeds": ", ".join(
                str(seed) for seed in cells.loc[cells["pretraining_collapsed"].eq(True), "seed"]
            )
            or None,
        }
        reference = references.get(str(arm))
        row["reference"] = reference if reference in scores else None
        for c, name in enumerate(CLASSES):
            of_class = classes == c
            own = scores[arm][:, :, c]
            row |= _cell(cells, name, *uncertainty.class_interval(of_class, own)[1:])
            if row["reference"] is not None:
                other = scores[row["reference"]][:, :, c]
                row |= _tested(name, *uncertainty.class_difference(of_class, own, other))
            else:
                row |= _tested(name)
        interval = uncertainty.macro_interval(float(means[arm]), samples[arm], counts)
        row |= _cell(cells, "macro", *interval)
        row |= _tested("macro", *test(arm, row["reference"]))
        strongest = best[first["protocol"]]
        (*_, row["p_best"]) = test(arm, strongest) or (np.nan,)
        row["best"] = arm == strongest
        yield row


def _cell(cells: pd.DataFrame, name: str, low: float, high: float) -> dict[str, float]:
    values = cells[f"auc_{name}"]
    return {
        f"auc_{name}": values.mean(),
        f"auc_{name}_std": values.std(ddof=1),
        f"auc_{name}_low": low,
        f"auc_{name}_high": high,
    }


def _tested(
    name: str,
    difference: float = np.nan,
    low: float = np.nan,
    high: float = np.nan,
    p_value: float = np.nan,
) -> dict[str, float]:
    return {
        f"difference_{name}": difference,
        f"difference_{name}_low": low,
        f"difference_{name}_high": high,
        f"p_{name}": p_value,
    }


def _classes_of(part: pd.DataFrame, predictions: Mapping) -> np.ndarray:
    """The classes of the test images, as indices; the same images of every row, in this order."""
    names = [cell_name(row) for row in part[list(CELL)].to_dict("records")]
    frames = [predictions[key] for key in _keys(part)]
    for name, frame in zip(names, frames, strict=True):
        try:
            check_predictions(frame)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        for column in ("image_id", "label"):
            if not np.array_equal(frame[column], frames[0][column]):
                raise ValueError(
                    f"{name} and {names[0]} were scored on other test images: their predictions "
                    f"differ in {column}"
                )
    return class_indices(frames[0])


def _keys(cells: pd.DataFrame) -> Iterator[tuple]:
    """What each row is called by."""
    return cells[list(CELL)].itertuples(index=False, name=None)
