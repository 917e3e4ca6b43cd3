"""Cells of the comparison with their uncertainty, over seeds and test images, and in tests.

A cell is a row on a data set with a share of the labels; each of its seeds is a network that
predicted the same test images. Intervals and tests are about methods, for new seeds and new test
images, see `metrics.mrmc`. Beside them stand the intervals of the networks, for new test images
alone: with one seed there is nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslens.comparison.cells import CELL
from sslens.comparison.measures import Aucs, Measures
from sslens.formatting import cell_name, read_csv
from sslens.metrics import mrmc, uncertainty

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
    measures: Measures | None = None,
) -> pd.DataFrame:
    """One row per cell: means, intervals and variance components, and tests against its reference.

    Args:
        frame: of `cells.collect`, one row per cell and seed.
        predictions: of each of its rows, by (arm, dataset, labels, seed).
        references: data set -> arm -> the arm that it is tested against.
        measures: what is compared, by default AUCs.

    Returns:
        Columns labels, dataset, arm, title, protocol, pretraining, seeds, images (and those of
        `Measures.images`), labelled_images,
        training_images (`SHARED` by the seeds, or of each its `OWN`), collapsed_seeds (as text,
        missing where there are none), operations_pretraining and operations_finetuning
        (floating-point operations of a seed's trainings), reference, design (`PAIRED`, `COMMON` or
        `NESTED`), compared_seeds (that a difference is of; where nested, of the row that has
        fewer), and for every measure m of the measures (of errors, without "auc_"):

        - auc_m and auc_m_std: mean over the seeds and their standard deviation, missing with one;
        - auc_m_low and auc_m_high: 95 % interval of the method, with auc_m_df degrees of freedom;
        - auc_m_networks_low and auc_m_networks_high: that of the networks;
        - auc_m_var_seed, auc_m_var_interaction, auc_m_var_image: unbiased estimates of the variance
          components of a network, the first and last of which can be negative;
        - difference_m, from the reference, with the columns `UNCERTAINTY` of its own;
        - p_m: its p value as a single test; p_m_holm: as one of all tests of a family of measures
          (macro AUCs, or those of single classes) in a group. A group, which one table shows, is
          the cells with a share of the labels whose arms have the same protocol.

        And p_best: the p value of having the best main measure on this data set in its group. All
        p values are missing with fewer than `mrmc.MIN_SEEDS` seeds.

    Raises:
        ValueError: where two cells of a data set were scored on other images, or other labels, or
            predictions cannot be scored.
    """
    measures = measures or Aucs()
    rows = [
        row
        for (labels, dataset), part in frame.groupby(["labels", "dataset"], sort=False)
        for row in _dataset_rows(part, predictions, references.get(str(dataset), {}), measures)
    ]
    table = pd.DataFrame(rows)
    for _, group in table.groupby(["labels", "protocol"], sort=False):
        for family in measures.families:
            columns = [f"p_{name}_holm" for name in family]
            values = group[columns].to_numpy(dtype=float)
            adjusted = uncertainty.holm(values.ravel()).reshape(values.shape)
            table.loc[group.index, columns] = adjusted
    return table


def read_summary(path: str | Path) -> pd.DataFrame:
    """Read a summary's file back to the same bits; only an empty field is a missing value."""
    names = (
        "dataset arm title protocol pretraining training_images collapsed_seeds reference design"
    )
    return read_csv(path, names.split())


def _dataset_rows(
    part: pd.DataFrame, predictions: Mapping, references: Mapping[str, str], measures: Measures
) -> Iterator[dict[str, Any]]:
    """The rows of one data set and share of the labels."""
    _check_images(part, predictions, measures)
    samples = {}
    for arm, cells in part.groupby("arm", sort=False):
        frames = [predictions[key] for key in _keys(cells)]
        samples[arm] = measures.samples(frames, cells["seed"].to_list())
    best: dict[Any, float] = {}
    main = measures.names.index(measures.main)
    for _, group in part.groupby("protocol", sort=False):
        compared = {arm: samples[arm][main] for arm in group["arm"].unique()}
        best |= _best_p_values(compared, measures.highest)
    of_one = predictions[next(_keys(part))]
    slacks, images = measures.slacks(of_one), measures.images(of_one)
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
            **images,
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
        for name, sample, slack in zip(measures.names, samples[arm], slacks, strict=True):
            values = cells[measures.cell_column(name)]
            row |= _scored(name, values, mrmc.estimate(sample), slack, measures)
        row |= _compared(samples, arm, references.get(str(arm)), slacks, measures)
        yield row | {"p_best": best.get(arm, np.nan)}


def _best_p_values(samples: Mapping[Any, mrmc.Sample], highest: bool) -> dict[Any, float]:
    """p values that an arm is the best, of those with enough seeds."""
    tested = {arm: s for arm, s in samples.items() if len(s.seeds) >= mrmc.MIN_SEEDS}
    if not tested:
        return {}
    differences, p_values = mrmc.pairwise_tests(list(tested.values()))
    p_values = mrmc.best_p_values(differences if highest else -differences, p_values)
    return dict(zip(tested, p_values.tolist(), strict=True))


def _scored(
    name: str, values: pd.Series, found: mrmc.Estimate, slack: float, measures: Measures
) -> dict[str, float]:
    """A measure of a row over the seeds; for `slack` see `_uncertainty`."""
    column = f"{measures.prefix}{name}"
    row = {column: values.mean(), f"{column}_std": values.std(ddof=1)}
    limits = measures.lowest[0], measures.largest[0]
    interval = partial(measures.interval, name)
    return row | _uncertainty(column, found, interval, slack, limits)


def _compared(
    samples: Mapping[Any, Sequence[mrmc.Sample]],
    arm: Any,
    reference: str | None,
    slacks: Sequence[float],
    measures: Measures,
) -> dict[str, Any]:
    """The differences of an arm from its reference, missing where that is not among the samples."""
    row: dict[str, Any] = {"reference": None, "design": None, "compared_seeds": 0}
    if reference not in samples:
        parts = ["difference_{}", *(f"difference_{{}}_{part}" for part in UNCERTAINTY)]
        parts += ["p_{}", "p_{}_holm"]
        return row | dict.fromkeys((p.format(m) for m in measures.names for p in parts), np.nan)
    pairs = list(zip(samples[arm], samples[reference], strict=True))
    differences = [mrmc.difference(*pair) for pair in pairs]
    seeds, same = differences[0].seeds, len({frozenset(sample.seeds) for sample in pairs[0]}) == 1
    row["reference"] = reference
    row["design"] = PAIRED if same else COMMON if len(seeds) == 1 else NESTED
    row["compared_seeds"] = min(seeds)
    limits = measures.lowest[1], measures.largest[1]
    for name, found, slack in zip(measures.names, differences, slacks, strict=True):
        column = f"difference_{name}"
        row[column] = float(found.mean)
        row |= _uncertainty(column, found, measures.difference_interval, 2 * slack, limits)
        enough = min(seeds) >= mrmc.MIN_SEEDS
        row[f"p_{name}"] = float(mrmc.p_value(found)) if enough else np.nan
        row[f"p_{name}_holm"] = float(mrmc.simultaneous_p_value(found)) if enough else np.nan
    return row


def _uncertainty(
    name: str,
    found: mrmc.Estimate,
    interval: Callable[[mrmc.Estimate], np.ndarray],
    slack: float,
    limits: tuple[float, float],
) -> dict[str, float]:
    """The columns `UNCERTAINTY` of a value between limits.

    Where nothing varies, the networks' interval is the value ± `slack`, from the number of images.
    """
    networks = interval(mrmc.of_networks(found))
    if np.isnan(networks).any():
        networks = np.clip(found.mean + np.array([-slack, slack]), *limits)
    components = [np.nan] * 3
    if len(found.seeds) == 1:  # a nested difference has those of two rows
        seeds_and_images, interaction = found.mean_squares[0], found.interaction[0]
        components = [float(c) for c in (seeds_and_images - interaction, interaction, found.image)]
    values = (*interval(found), found.degrees_of_freedom, *networks, *components)
    return {f"{name}_{part}": float(v) for part, v in zip(UNCERTAINTY, values, strict=True)}


def _check_images(part: pd.DataFrame, predictions: Mapping, measures: Measures) -> None:
    """All rows must have been scored on the same images, in the same order."""
    names = [cell_name(row) for row in part[list(CELL)].to_dict("records")]
    frames = [predictions[key] for key in _keys(part)]
    for name, frame in zip(names, frames, strict=True):
        try:
            measures.check(frame)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        for column in measures.truth:
            true = frame[column]
            if not np.array_equal(true, frames[0][column], equal_nan=true.dtype.kind == "f"):
                raise ValueError(
                    f"{name} and {names[0]} were scored on other test images: their predictions "
                    f"differ in {column}"
                )


def _keys(cells: pd.DataFrame) -> Iterator[tuple]:
    """What each row is called by."""
    return cells[list(CELL)].itertuples(index=False, name=None)
