"""Validate the inference over seeds and test images in simulations whose truth is known.

    python benchmarks/inference.py [--results FILE] [--replicates 2000] [--processes 2]
                                   [--aucs 0.95 ...] [--images 1500 ...] [--models measured ...]

Every replicate is a table of 16 rows, each of 10 networks that score the same test images: a
baseline, 12 rows with the same true AUC, and 3 with a lower one. It is analysed with the first 2,
3 and 5 seeds and with all 10, by the functions that make the tables. Scores follow a three-class
extension of the model of Roe & Metz 1997 (Academic Radiology 4, 298 and 587), see `simulate`.

Prints JSON, and a markdown table with a row for every cell of the grid and number of seeds, in
percent:

- row, class: 95 % intervals of a macro AUC, and of a class's AUC, that contain the truth;
- difference, true: 95 % intervals of a difference of macro AUCs that contain the truth, where it is
  0, and where it is not;
- rejected: true hypotheses of no difference that are rejected at a level of 5 %;
- family: tables of 12 such hypotheses in which Holm's correction leaves one rejected or more;
- best, best of 4: confidence sets of the best that contain the best row, where 12 others are as
  good, and where 3 others are worse;
- networks, family of networks: rejected and family, of tests that take the networks as given;
- power: the largest gap between the share of true differences that is found and what `mrmc.power`
  predicts, in percentage points.

With --results, finished cells are kept in a file, and the next call computes only the others, and
those with another number of replicates or other code. The share of 2,000 replicates has a standard
error of 0.5 % at 95 %, and less where it is a mean over rows. The whole grid took 2.8 hours of one
core; see docs/simulations.md.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "scripts"))

from sslens.jobs import environment

environment.settle(os.environ)
for library in ("OMP", "OPENBLAS", "MKL"):  # one core for each process: before NumPy is imported
    os.environ[f"{library}_NUM_THREADS"] = "1"

import numpy as np
from scipy.stats import norm

from sslens.digests import sha256
from sslens.files import write_json
from sslens.formatting import pipe_table
from sslens.jobs.digest import code_digest
from sslens.metrics import mrmc
from sslens.metrics.uncertainty import holm
from sslens.seeds import derive_seed

SEEDS = (2, 3, 5, 10)
#: True AUCs, and the standard deviations over seeds that each is simulated with.
AUCS = {
    0.7: (0, 0.01, 0.02),
    0.85: (0, 0.005, 0.01),
    0.95: (0, 0.005, 0.01),
    0.995: (0, 0.001, 0.002),
}
#: Shares of the variance of scores over images: common to all networks, to those of a row, to those
#: of a seed, and of each network alone; and the numbers of test images.
MODELS = {
    "measured": (0.64, 0.01, 0.06, 0.29),  # of networks of this project
    "interaction": (0.35, 0.10, 0.10, 0.45),
}
IMAGES = {"measured": (150, 500, 1500, 5000), "interaction": (150, 500)}
NULL_TESTS = 12
DIFFERENCES = (0.002, 0.005, 0.01)
CLASSES = 3
ALPHA = 0.05
COLUMNS = (
    "row", "class", "difference", "true", "rejected", "family", "best", "best of 4", "networks",
    "family of networks",
)  # fmt: skip


class Cell(NamedTuple):
    """What is simulated: the true AUC, its standard deviation over seeds, images, and a model."""

    auc: float
    sd: float
    images: int
    model: str

    @property
    def name(self) -> str:
        """Its name in the results."""
        return f"AUC {self.auc}, SD {self.sd}, {self.images} images, {self.model}"

    @property
    def aucs(self) -> np.ndarray:
        """The true AUCs of the baseline, of the rows that are as good, and of those worse."""
        return self.auc - np.array([*np.zeros(1 + NULL_TESTS), *DIFFERENCES])

    @property
    def labels(self) -> np.ndarray:
        """The classes of the images."""
        return np.arange(self.images) % CLASSES


def main() -> None:
    """Simulate the chosen cells in parallel, and print what they show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    numbers = sorted(set().union(*IMAGES.values()))
    parser.add_argument("--results", type=Path, metavar="FILE")
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--aucs", type=float, nargs="+", choices=AUCS, default=list(AUCS))
    parser.add_argument("--images", type=int, nargs="+", choices=numbers, default=numbers)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    options = parser.parse_args()
    cells = list(grid(options.aucs, options.images, options.models))
    done = {}
    if options.results and options.results.is_file():
        done = json.loads(options.results.read_text(encoding="utf-8"))
    # the slow ones first, so that no process is left alone with one of them
    used = code_digest("metrics.mrmc", "metrics.uncertainty.holm", "seeds.derive_seed")
    code = sha256(used.encode() + Path(__file__).read_bytes())
    own = {"replicates": options.replicates, "code": code}  # others are of another simulation
    finished = {name for name, cell in done.items() if own.items() <= cell.items()}
    missing = sorted((c for c in cells if c.name not in finished), key=lambda cell: -cell.images)
    tasks = [task for cell in missing for task in chunks(cell, options.replicates)]
    waiting = Counter(cell.name for cell, _, _ in tasks)
    sums = {cell.name: Counter() for cell in missing}
    with Pool(options.processes) as pool:
        for name, part in pool.imap_unordered(simulate_chunk, tasks):
            sums[name].update(part)
            waiting[name] -= 1
            if not waiting[name]:
                done[name] = {**shares(sums[name]), "code": code}
                if options.results:
                    write_json(options.results, done)
                print(f"{name}: {done[name]['seconds']:.0f} s", file=sys.stderr)
    results = {cell.name: done[cell.name] for cell in cells}
    print(json.dumps(results, indent=1))
    print(markdown(results))


def grid(aucs: Iterable[float], images: Iterable[int], models: Iterable[str]) -> Iterator[Cell]:
    """The cells of the grid with these properties."""
    for model, number, auc in product(models, images, aucs):
        if number in IMAGES[model]:
            yield from (Cell(auc, sd, number, model) for sd in AUCS[auc])


def chunks(cell: Cell, replicates: int) -> list[tuple[Cell, int, int]]:
    """Parts of a cell's replicates that take some ten seconds each."""
    size = max(1, 200_000 // cell.images)
    starts = range(0, replicates, size)
    return [(cell, part, min(size, replicates - start)) for part, start in enumerate(starts)]


def simulate_chunk(task: tuple[Cell, int, int]) -> tuple[str, Counter]:
    """Sums over some replicates of a cell, with random numbers of their own."""
    cell, part, replicates = task
    began = time.process_time()
    rng = np.random.default_rng(derive_seed(part, cell.name))
    batch = max(1, 5_000 // cell.images)  # what fits into a processor's cache
    sums = Counter(replicates=replicates)
    for start in range(0, replicates, batch):
        sums.update(analyse(cell, min(batch, replicates - start), rng))
    sums["seconds"] += time.process_time() - began
    return cell.name, sums


# --- simulation -----------------------------------------------------------------------------------


def simulate(cell: Cell, replicates: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Scores of each row in turn, (replicates, seeds, images, classes).

    The score for a class is a normal number with variance 1, whose parts are those of `MODELS`,
    and higher by a constant for images of the class. The three scores of an image sum to zero
    without the constant, as log-probabilities do up to one. A seed changes the constant, for all
    classes alike; half of this variance is shared by the networks of the seed in all rows.

    With a variance v between seeds in each of the two truth states, the mean AUC is
    Phi(mu / sqrt(2 + 2 v)), and its standard deviation over seeds phi(Phi^-1(AUC)) sqrt(v).
    """
    v = (cell.sd / norm.pdf(norm.ppf(cell.auc))) ** 2
    is_class = np.arange(CLASSES)[:, None] == cell.labels
    shape = (replicates, max(SEEDS), CLASSES, cell.images)

    def part(variance: float, *same: int) -> np.ndarray:
        """A part of the scores of a row that is the same along these axes."""
        own = [1 if axis in same else size for axis, size in enumerate(shape)]
        return rng.standard_normal(own) * np.sqrt(variance)

    common, of_row, of_seed, of_each = MODELS[cell.model]
    shared = part(common, 1) + part(of_seed)
    shared_shift = part(v, 2, 3)
    for auc in cell.aucs:
        scores = part(of_each)
        scores += shared + part(of_row, 1)
        scores -= scores.mean(axis=2, keepdims=True)
        scores *= np.sqrt(CLASSES / (CLASSES - 1))
        shift = norm.ppf(auc) * np.sqrt(2 + 2 * v) + shared_shift + part(v, 2, 3)
        scores += shift * is_class
        yield np.moveaxis(scores, 2, -1)


# --- analysis -------------------------------------------------------------------------------------


def analyse(cell: Cell, replicates: int, rng: np.random.Generator) -> Counter:
    """Sums over replicates of what each shows, and of how many numbers they are, by their names."""
    rows = [mrmc.samples(cell.labels, scores) for scores in simulate(cell, replicates, rng)]
    of_class, macro = (stacked([samples[place] for samples in rows]) for place in (0, -1))
    sums: Counter = Counter()
    for seeds in SEEDS:
        found = analyse_seeds(cell.aucs, first_seeds(macro, seeds), first_seeds(of_class, seeds))
        for name, values in found.items():
            sums[f"{seeds} {name}"] += float(np.nansum(values))
            sums[f"{seeds} {name} of"] += int(np.sum(~np.isnan(values)))
    return sums


def stacked(rows: list[mrmc.Sample]) -> mrmc.Sample:
    """Samples (replicates, ...) of rows as one of shape (replicates, rows, ...)."""
    _, aucs, influence = zip(*rows, strict=True)
    return mrmc.Sample(rows[0].seeds, np.stack(aucs, axis=1), np.stack(influence, axis=1))


def first_seeds(sample: mrmc.Sample, number: int) -> mrmc.Sample:
    """A sample without its later seeds."""
    seeds, aucs, influence = sample
    return mrmc.Sample(seeds[:number], aucs[..., :number], influence[..., :number, :])


def analyse_seeds(
    aucs: np.ndarray, macro: mrmc.Sample, of_class: mrmc.Sample
) -> dict[str, np.ndarray]:
    """What each replicate shows with its seeds: (replicates, ...), NaN where undefined."""
    baseline, others = (
        mrmc.Sample(macro.seeds, macro.values[:, rows], macro.influence[:, rows])
        for rows in (slice(1), slice(1, None))
    )
    found = mrmc.difference(others, baseline)
    intervals = contains(mrmc.difference_interval(found), aucs[1:] - aucs[0])
    p_values, simultaneous = mrmc.p_value(found), mrmc.simultaneous_p_value(found)
    networks = mrmc.p_value(mrmc.of_networks(found))
    null, worse = np.split(np.arange(len(aucs) - 1), [NULL_TESTS])
    result = {
        "row": contains(mrmc.row_interval(mrmc.estimate(macro)), aucs),
        "class": contains(mrmc.row_interval(mrmc.estimate(of_class)), aucs),
        "difference": intervals[:, null],
        "true": intervals[:, worse],
        "rejected": p_values[:, null] < ALPHA,
        "family": any_rejected(simultaneous[:, null]),
        "best": set_has_baseline(found.mean[:, null], simultaneous[:, null]),
        "best of 4": set_has_baseline(found.mean[:, worse], simultaneous[:, worse]),
        "networks": networks[:, null] < ALPHA,
        "family of networks": any_rejected(networks[:, null]),
    }
    for row, size in zip(worse, DIFFERENCES, strict=True):
        result |= {
            f"found {size}": p_values[:, row] < ALPHA,
            f"MS {size}": found.mean_squares[0][:, row],
            f"w {size}": found.interaction[0][:, row],
            f"c {size}": found.image[:, row],
        }
    return result


def contains(interval: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Whether intervals contain the truth, NaN where there is none."""
    low, high = interval
    return np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high))


def any_rejected(p_values: np.ndarray) -> np.ndarray:
    """Whether a table has a significant test, of p values (replicates, tests)."""
    return np.array([(holm(row) < ALPHA).any() for row in p_values])


def set_has_baseline(differences: np.ndarray, p_values: np.ndarray) -> np.ndarray:
    """Whether the set of the best has the baseline, from its tests (replicates, tests)."""
    # the first row alone of what `pairwise_tests` returns
    own = -differences.T[None], p_values.T[None]
    nothing = np.zeros((1, 1, len(differences)))
    both = np.concatenate([nothing, own[0]], axis=1), np.concatenate([nothing + 1, own[1]], axis=1)
    return mrmc.best_p_values(*both)[0] >= ALPHA


# --- results --------------------------------------------------------------------------------------


def shares(sums: Counter) -> dict:
    """Means by number of seeds and name, and predicted powers, from the sums of a cell."""
    result: dict = {"replicates": sums["replicates"], "seconds": sums["seconds"]}
    for seeds in SEEDS:
        prefix = f"{seeds} "
        names = [n.removeprefix(prefix) for n in sums if n.startswith(prefix) and n[-3:] != " of"]
        means = {name: sums[prefix + name] / sums[f"{prefix}{name} of"] for name in names}
        for size in DIFFERENCES:
            w, c = means[f"w {size}"], means[f"c {size}"]
            components = mrmc.Components(max(means[f"MS {size}"] - w, 0), w, max(c, 0))
            means[f"predicted {size}"] = mrmc.power(components, size, seeds)
        result[str(seeds)] = means
    return result


def markdown(results: dict) -> str:
    """A table of all cells, and one of the range over them, for each number of seeds."""
    rows, ranges = [], []
    for seeds in map(str, SEEDS):
        percent = []
        for name, cell in results.items():
            means = cell[seeds]
            gap = max(abs(means[f"found {d}"] - means[f"predicted {d}"]) for d in DIFFERENCES)
            percent.append([100 * value for value in (*(means[key] for key in COLUMNS), gap)])
            rows.append([name, seeds, *(f"{value:.1f}" for value in percent[-1])])
        columns = zip(*percent, strict=True)
        ranges.append(["all", seeds, *(f"{min(c):.1f}-{max(c):.1f}" for c in columns)])
    header = ["cell", "seeds", *COLUMNS, "power"]
    hours = sum(cell["seconds"] for cell in results.values()) / 3600
    tables = (pipe_table(header, part) for part in (rows, ranges))
    return "\n".join([*tables, f"{hours:.2f} hours of one core"])


if __name__ == "__main__":
    main()
