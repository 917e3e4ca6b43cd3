"""How many seeds and test images show a difference between methods, and what they cost.

From a finished run: the variance components of its differences, which `auc_summary.csv` has, and
the CPU time of its jobs, with which their logs end.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sslens.comparison.compared import MISSING
from sslens.comparison.summary import read_summary
from sslens.files import read_json
from sslens.formatting import pipe_table, read_csv
from sslens.jobs.status import USED
from sslens.metrics import mrmc
from sslens.protocols import FINE_TUNE

#: True differences of a macro AUC.
DIFFERENCES = (0.002, 0.005, 0.01)
#: Probability of finding them.
TARGET = 0.8
#: How sure it is that the variance between seeds is not larger, on the safe side.
CONFIDENCE = 0.8
#: With fewer seeds of the run, its variance between seeds is hardly known.
ENOUGH_SEEDS = 5
#: CPU time of a job that predicts which its start takes, s: nearly all of the 4.9 s that an
#: evaluation takes in the default run (docs/performance.md).
START = 4.5
#: Numbers of test images, relative to the run's.
MORE_IMAGES = (1, 2, 4, 8)


class Pilot(NamedTuple):
    """A difference of two rows in a finished run.

    Args:
        title: of the row that is compared with its reference.
        dataset: its name.
        seeds, images: how many the run has, of test images the latter.
        components: of the difference.
        upper: the same with the upper bound of the variance between seeds.
    """

    title: str
    dataset: str
    seeds: int
    images: int
    components: mrmc.Components
    upper: mrmc.Components


class Cost(NamedTuple):
    """Hours of CPU time of a run's jobs.

    Args:
        seed: of one seed, with the evaluation.
        evaluation: of one seed's predictions without the start of their jobs; they take longer
            with more test images.
        images: of making the test images.
    """

    seed: float
    evaluation: float
    images: float

    def hours(self, seeds: int, images: float) -> float:
        """Of so many seeds, with so many times the test images, the training images being there."""
        more = images - 1
        return seeds * (self.seed + more * self.evaluation) + more * self.images


def pilots(summary: pd.DataFrame) -> list[Pilot]:
    """The differences of a summary's rows from their references, with the most labels.

    Raises ValueError where there is none with two seeds, or where an earlier version wrote them.
    """
    if "difference_macro_var_seed" not in summary:
        raise ValueError("an earlier version made these tables; run it again")
    rows = summary[(summary["protocol"] == FINE_TUNE) & summary["reference"].notna()]
    rows = rows[rows["labels"] == rows["labels"].max()]
    if rows.empty:
        raise ValueError("no row of the run is compared with a baseline")
    rows = rows[rows["difference_macro_var_seed"].notna()]
    if rows.empty:
        raise ValueError(
            "one seed does not tell how much a seed changes; two are the least, and "
            f"{ENOUGH_SEEDS} tell it roughly. Add seeds (run.seeds) and run again"
        )
    return [_pilot(row) for _, row in rows.iterrows()]


def _pilot(row: pd.Series) -> Pilot:
    parts = ("seed", "interaction", "image")
    seed, interaction, image = (np.float64(row[f"difference_macro_var_{p}"]) for p in parts)
    found = mrmc.Estimate(
        mean=row["difference_macro"],
        seeds=(int(row["compared_seeds"]),),
        mean_squares=np.array([seed + interaction]),
        interaction=np.array([interaction]),
        image=np.asarray(image),
        networks=np.array(np.nan),
    )
    return Pilot(
        title=row["title"],
        dataset=row["dataset"],
        seeds=int(row["compared_seeds"]),
        images=int(row["images"]),
        components=mrmc.variance_components(found),
        upper=mrmc.variance_components(found, CONFIDENCE),
    )


def cost(folder: Path) -> Cost | None:
    """The CPU time of a finished run's jobs, by their logs; None where these do not have it."""
    texts = ["arm", "dataset", "pretraining", "pretrained_on"]  # also where they look like numbers
    cells, logs = read_csv(folder / "results/comparison/auc_table.csv", texts), folder / "logs"
    # not of rows, data sets and shares of the labels that an earlier configuration had
    rows = cells.to_dict("records")
    learned = {f"{row['dataset']}/{row['arm']}/labels-{row['labels']}" for row in rows}
    datasets = {*cells["dataset"]}
    trained = cells[cells["pretraining"].notna()]
    pretrained = {*zip(trained["pretrained_on"], trained["pretraining"], strict=True)}

    def is_of_run(log: Path) -> bool:
        stage, dataset, name, *rest = log.relative_to(logs).parts
        if stage in ("finetune", "evaluate", "probe"):
            return f"{dataset}/{name}/{rest[0]}" in learned
        if stage != "features":
            return (dataset, name) in pretrained
        encoder, _, source = name.partition("@")
        if encoder == "random":
            return dataset in datasets
        return dataset in {*datasets, source} and (source, encoder) in pretrained

    of_seeds = [
        {log: _seconds(log) for log in logs.glob(f"*/*/**/seed-{seed}.log") if is_of_run(log)}
        for seed in cells["seed"].unique()
    ]
    # a log of an earlier version tells nothing
    if not (known := [own for own in of_seeds if sum(own.values())]):
        return None
    evaluation = sum(
        max(seconds - START, 0)
        for own in known
        for log, seconds in own.items()
        if log.is_relative_to(logs / "evaluate")
    )
    of_images = (logs.glob(f"{rule}/*/test/*.log") for rule in ("catalogue", "records"))
    images = sum(_seconds(log) for found in of_images for log in found)
    hours = len(known) * 3600
    return Cost(sum(sum(own.values()) for own in known) / hours, evaluation / hours, images / 3600)


def _seconds(log: Path) -> float:
    """CPU time of a job by its log, 0 where that does not have it."""
    used = USED.findall(log.read_text("utf-8", "replace"))
    return float(used[-1][0]) if used else 0.0


def report(folder: Path, marks: bool = False) -> str:
    """Tables of the seeds needed, and of their cost, in markdown.

    Args:
        folder: of a finished run.
        marks: whether the differences are to be marked in the table, with Holm's correction over
            all of its tests; otherwise they are to be significant in a single test.

    Raises:
        ValueError: as `pilots` does, and for a regression.
        FileNotFoundError: where the run has no summary.
    """
    path = folder / "results" / "comparison" / "auc_summary.csv"
    # of the last run, whatever an earlier one has left beside it
    made_with = path.with_name("provenance.json")
    if not made_with.is_file():
        raise FileNotFoundError(f"no {made_with}; has the run finished?")
    if (task := read_json(made_with)["settings"]["task"]["name"]) != "classification":
        raise ValueError(f"{folder} is a {task}; seeds are planned for AUCs alone")
    found = pilots(read_summary(path))
    tests = len(found) if marks else 1
    goal = f"and mark it in the table, with its {tests} tests" if marks else "in a single test"
    sizes = [f"{size:g}" for size in DIFFERENCES]
    needed = [
        [f"{pilot.title}, {pilot.dataset}", *(_needed(pilot, size, tests) for size in DIFFERENCES)]
        for pilot in found
    ]
    spent = cost(folder)
    return "\n".join(
        [
            *_warning(min(pilot.seeds for pilot in found)),
            pipe_table(["Difference from the reference", *sizes], needed),
            f"Seeds that find such a true difference of the macro AUC with the most labels {goal}, "
            f"with a power of {100 * TARGET:.0f} %. In parentheses: if the variance between seeds "
            f"is as large as its upper bound with {100 * CONFIDENCE:.0f} % confidence. A number of "
            "test images is the least with which any number of seeds suffices.\n",
            pipe_table(["Test images of a data set", *sizes], _totals(found, tests, spent)),
            "Seeds for all rows and data sets above, and the hours of CPU time of their jobs, by "
            "the logs of this run (of a training that was stopped, they have what it took since; "
            "with more test images, features of frozen encoders are counted as with the run's)."
            if spent
            else "Seeds for all rows and data sets above. The logs of this run have no CPU times.",
        ]
    )


def _warning(seeds: int) -> list[str]:
    """What to think of a run with few seeds."""
    if seeds >= ENOUGH_SEEDS:
        return []
    return [
        f"**Very uncertain**: {seeds} seeds hardly tell how much a seed changes. The true numbers "
        f"may be far from these; with {ENOUGH_SEEDS} seeds or more they are closer.\n"
    ]


def _seeds_and_safe(pilot: Pilot, size: float, images: float, tests: int) -> list[float]:
    """The seeds needed, and those on the safe side; infinite where no number suffices."""
    needed = (
        mrmc.seeds_needed(components, size, images, tests, TARGET)
        for components in (pilot.components, pilot.upper)
    )
    return [np.inf if seeds is None else seeds for seeds in needed]


def _needed(pilot: Pilot, size: float, tests: int) -> str:
    """The seeds that one difference needs with the run's test images, or images that it needs."""
    images = mrmc.images_needed(pilot.components, size, tests, TARGET)
    if images > 1:
        return f"≥ {100 * math.ceil(images * pilot.images / 100):,} images"
    seeds, safe = map(_count, _seeds_and_safe(pilot, size, 1, tests))
    return f"{seeds} ({safe})"


def _totals(found: Sequence[Pilot], tests: int, spent: Cost | None) -> list[list[str]]:
    """The seeds that all differences need, with more and more test images, and their hours."""

    def text(seeds: float, images: int) -> str:
        hours = f", {spent.hours(int(seeds), images):,.1f} h" if spent and seeds < np.inf else ""
        return f"{_count(seeds)} seeds{hours}"

    numbers, rows = {pilot.images for pilot in found}, []
    for images in MORE_IMAGES:
        name = f"{images * max(numbers):,}" if len(numbers) == 1 else f"{images} times as many"
        row = [name]
        for size in DIFFERENCES:
            both = np.max([_seeds_and_safe(pilot, size, images, tests) for pilot in found], axis=0)
            first, safe = (text(seeds, images) for seeds in both)
            row.append(f"{first} ({safe})" if both[0] < np.inf else MISSING)
        rows.append(row)
    return rows


def _count(seeds: float) -> str:
    return f"{int(seeds):,}" if seeds < np.inf else f"> {mrmc.MAX_SEEDS:,}"
