"""Cells of the comparison with their uncertainty, over seeds and test images, and in tests.

A cell is a row on a data set with a share of the labels; each of its seeds is a network that
predicted the same test images. Intervals and tests are about methods, for new seeds and new test
images, see `metrics.mrmc`. Beside them stand the intervals of the networks, for new test images
alone: with one seed there is nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslens.classes import CLASSES
from sslens.comparison.cells import CELL
from sslens.formatting import cell_name, read_csv
from sslens.metrics import mrmc, uncertainty
from sslens.metrics.auc import log_odds
from sslens.metrics.predictions import check_predictions, class_indices, logits_of

MEASURES = (*CLASSES, "macro")
#: Below this adjusted p value a difference is called significant.
SIGNIFICANT = 0.05
#: How two rows were compared: seed by seed, so by the seeds that both have, or as independent.
PAIRED, COMMON, NESTED = "paired", "common", "nested"
#: Whose the training images are: the same ones of all seeds, or of each seed its own.
SHARED, OWN = "shared", "own"
#: Columns with the floating-point operations of trainings; frozen encoders have none.
OPERATIONS = ("operations_pretraining", "operations_finetuning")
#: What follows the name of an AUC, or of a difference, in the columns that say how sure it is.
UNCERTAINTY = (
    "low", "high", "df", "networks_low", "networks_high", "var_seed", "var_interaction",
    "var_image",
)  # fmt: skip


def summarise(
    frame: pd.DataFrame,
    predictions: Mapping[tuple[str, str, float, int], pd.DataFrame],
    references: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """A row a cell: means, intervals and variance components, and tests against its reference.

    Args:
        frame: of `cells.collect`, one row per cell and seed.
        predictions: of each of its rows, by (arm, dataset, labels, seed).
        references: data set -> arm -> the arm that it is tested against.

    Returns:
        Columns labels, dataset, arm, title, protocol, pretraining, seeds, images, labelled_images,
        training_images (`SHARED` by the seeds, or of each its `OWN`), collapsed_seeds (as text,
        missing where there are none), operations_pretraining and operations_finetuning
        (floating-point operations of a seed's trainings), reference, design (`PAIRED`, `COMMON` or
        `NESTED`), compared_seeds (that a difference is of; where nested, of the row that has
        fewer), and for every measure m of `MEASURES`:

        - auc_m and auc_m_std: mean over the seeds and their standard deviation, missing with one;
        - auc_m_low and auc_m_high: 95 % interval of the method, with auc_m_df degrees of freedom;
        - auc_m_networks_low and auc_m_networks_high: that of the networks;
        - auc_m_var_seed, auc_m_var_interaction, auc_m_var_image: unbiased estimates of the variance
          components of a network, the first and last of which can be negative;
        - difference_m, from the reference, with the columns `UNCERTAINTY` of its own;
        - p_m: its p value as a single test; p_m_holm: as one of all tests in a group, macro ones or
          those of single classes. A group, which one table shows, is the cells with a share of the
          labels whose arms have the same protocol.

        And p_best: the p value of having the highest macro AUC on this data set in its group. All
        p values are missing with fewer than `mrmc.MIN_SEEDS` seeds.

    Raises:
        ValueError: where two cells of a data set were scored on other images, or other labels, or
            predictions cannot be scored.
    """
    rows = [
        row
        for (labels, dataset), part in frame.groupby(["labels", "dataset"], sort=False)
        for row in _dataset_rows(part, predictions, references.get(str(dataset), {}))
    ]
    table = pd.DataFrame(rows)
    for _, group in table.groupby(["labels", "protocol"], sort=False):
        for family in (["p_macro_holm"], [f"p_{name}_holm" for name in CLASSES]):
            values = group[family].to_numpy(dtype=float)
            adjusted = uncertainty.holm(values.ravel()).reshape(values.shape)
            table.loc[group.index, family] = adjusted
    return table


def read_summary(path: str | Path) -> pd.DataFrame:
    """Read `auc_summary.csv` back to the same bits; only an empty field is a missing value."""
    names = (
        "dataset arm title protocol pretraining training_images collapsed_seeds reference design"
    )
    return read_csv(path, names.split())


def _dataset_rows(
    part: pd.DataFrame, predictions: Mapping, references: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """The rows of one data set and share of the labels."""
    classes = _classes_of(part, predictions)
    samples = {}
    for arm, cells in part.groupby("arm", sort=False):
        scores = np.stack([log_odds(logits_of(predictions[key])) for key in _keys(cells)])
        samples[arm] = mrmc.samples(classes, scores, cells["seed"].to_list())
    best: dict[Any, float] = {}
    for _, group in part.groupby("protocol", sort=False):
        best |= _best_p_values({arm: samples[arm][-1] for arm in group["arm"].unique()})
    bounds = [uncertainty.agreement_bound(classes == c) for c in range(len(CLASSES))]
    bounds.append(uncertainty.macro_agreement_bound(np.bincount(classes)))
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
            "training_images": OWN if "training_images" in cells else SHARED,
            "collapsed_seeds": ", ".join(
                str(seed) for seed in cells.loc[cells["pretraining_collapsed"].eq(True), "seed"]
            )
            or None,
            **{
                # of an encoder from a file, those of its pretraining are not known
                name: pd.to_numeric(cells[name]).mean() if name in cells else np.nan
                for name in OPERATIONS
            },
        }
        for name, sample, bound in zip(MEASURES, samples[arm], bounds, strict=True):
            row |= _scored(name, cells[f"auc_{name}"], mrmc.estimate(sample), 1 - bound)
        row |= _compared(samples, arm, references.get(str(arm)), bounds)
        yield row | {"p_best": best.get(arm, np.nan)}


def _best_p_values(samples: Mapping[Any, mrmc.Sample]) -> dict[Any, float]:
    """p values that an arm is the best, of those with enough seeds."""
    tested = {arm: s for arm, s in samples.items() if len(s.seeds) >= mrmc.MIN_SEEDS}
    if not tested:
        return {}
    p_values = mrmc.best_p_values(*mrmc.pairwise_tests(list(tested.values())))
    return dict(zip(tested, p_values.tolist(), strict=True))


def _scored(name: str, aucs: pd.Series, found: mrmc.Estimate, slack: float) -> dict[str, float]:
    """A measure of a row over the seeds; for `slack` see `_uncertainty`."""
    row = {f"auc_{name}": aucs.mean(), f"auc_{name}_std": aucs.std(ddof=1)}
    return row | _uncertainty(f"auc_{name}", found, mrmc.row_interval, slack, 0)


def _compared(
    samples: Mapping[Any, Sequence[mrmc.Sample]],
    arm: Any,
    reference: str | None,
    bounds: Sequence[float],
) -> dict[str, Any]:
    """The differences of an arm from its reference, missing where that is not among the samples."""
    row: dict[str, Any] = {"reference": None, "design": None, "compared_seeds": 0}
    if reference not in samples:
        parts = ["difference_{}", *(f"difference_{{}}_{part}" for part in UNCERTAINTY)]
        parts += ["p_{}", "p_{}_holm"]
        return row | dict.fromkeys((p.format(m) for m in MEASURES for p in parts), np.nan)
    pairs = list(zip(samples[arm], samples[reference], strict=True))
    differences = [mrmc.difference(*pair) for pair in pairs]
    seeds, same = differences[0].seeds, len({frozenset(sample.seeds) for sample in pairs[0]}) == 1
    row["reference"] = reference
    row["design"] = PAIRED if same else COMMON if len(seeds) == 1 else NESTED
    row["compared_seeds"] = min(seeds)
    for name, found, bound in zip(MEASURES, differences, bounds, strict=True):
        column, slack = f"difference_{name}", 2 * (1 - bound)
        row[column] = float(found.mean)
        row |= _uncertainty(column, found, mrmc.difference_interval, slack, -1)
        enough = min(seeds) >= mrmc.MIN_SEEDS
        row[f"p_{name}"] = float(mrmc.p_value(found)) if enough else np.nan
        row[f"p_{name}_holm"] = float(mrmc.simultaneous_p_value(found)) if enough else np.nan
    return row


def _uncertainty(
    name: str,
    found: mrmc.Estimate,
    interval: Callable[[mrmc.Estimate], np.ndarray],
    slack: float,
    lowest: float,
) -> dict[str, float]:
    """The columns `UNCERTAINTY` of a value between `lowest` and 1.

    Where nothing varies, the networks' interval is the value ± `slack`, from the number of images.
    """
    networks = interval(mrmc.of_networks(found))
    if np.isnan(networks).any():
        networks = np.clip(found.mean + np.array([-slack, slack]), lowest, 1)
    components = [np.nan] * 3
    if len(found.seeds) == 1:  # a nested difference has those of two rows
        seeds_and_images, interaction = found.mean_squares[0], found.interaction[0]
        components = [float(c) for c in (seeds_and_images - interaction, interaction, found.image)]
    values = (*interval(found), found.degrees_of_freedom, *networks, *components)
    return {f"{name}_{part}": float(v) for part, v in zip(UNCERTAINTY, values, strict=True)}


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
