"""The cells of the comparison: their files, their names, and all of them as one frame."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from sslens.classes import CLASSES

#: What names a row of the comparison: no two metrics files may share it.
CELL = ("arm", "dataset", "labels", "seed")


def by_row(titles: Sequence[str], paths: Sequence[str]) -> dict[str, list[str]]:
    """The files of each row of the table, one per seed, of a list that has them row by row.

    Raises ValueError where the rows would not have equally many.
    """
    seeds = _share(paths, len(titles), "rows")
    return {title: list(paths[row * seeds : (row + 1) * seeds]) for row, title in enumerate(titles)}


def by_dataset(
    settings: Mapping[str, dict], *lists: Sequence[str]
) -> Iterator[tuple[dict, list[list[str]]]]:
    """The settings of each data set's figure, and its equal part of every list of files.

    Raises ValueError where a list cannot be divided.
    """
    sizes = [_share(files, len(settings), "data sets") for files in lists]
    for number, own in enumerate(settings.values()):
        parts = zip(lists, sizes, strict=True)
        yield own, [list(files[number * size : (number + 1) * size]) for files, size in parts]


def _share(files: Sequence[str], number: int, of_what: str) -> int:
    """How many of the files each of so many has."""
    share, left = divmod(len(files), number)
    if left:
        raise ValueError(
            f"{len(files)} files of {number} {of_what}, which should have as many each"
        )
    return share


AUC_COLUMNS = tuple(f"auc_{name}" for name in (*CLASSES, "macro"))
#: Columns that come first, in this order; whatever else an arm carries follows by name.
LEADING = (*CELL, "title", "protocol", "pretraining", "method", "pretext", "encoder")
SCORES = ("auc_one_vs_one", "accuracy", "images", "predictions_sha256")


def collect(
    metrics: Iterable[Mapping[str, Any]],
    arms: Mapping[str, str],
    datasets: Sequence[str],
    scores: Sequence[str] = AUC_COLUMNS,
) -> pd.DataFrame:
    """One row per metrics file, tidy: the cell, the title and the fields of its arm, the scores.

    Nested fields become columns joined by an underscore (`auc.macro` is `auc_macro`). `arms` maps
    names to titles. Rows are in the order of `arms`, then `datasets`, then label fraction and seed,
    whatever order they came in. `scores` are columns that every file must give.

    Raises ValueError where there is nothing to compare, a file lacks a field that the tables need,
    an arm or data set is not among those given, two files are of one cell, or two arms were scored
    on different numbers of test images of one data set.
    """
    # where a cell comes from has a file of its own
    rows = [_flatten({key: m[key] for key in m if key != "provenance"}) for m in metrics]
    if not rows:
        raise ValueError("no metrics to compare")
    for row in rows:
        _check_row(row, arms, datasets, scores)
    frame = pd.DataFrame(rows)
    frame["title"] = frame["arm"].map(arms)
    repeated = frame.duplicated(list(CELL))
    if repeated.any():
        raise ValueError(f"two metrics files of one cell: {_name(frame[repeated].iloc[0])}")
    for dataset, images in frame.groupby("dataset", sort=False)["images"]:
        if images.nunique() > 1:
            raise ValueError(
                f"arms on {dataset} were scored on different numbers of test images: "
                f"{', '.join(str(n) for n in sorted(images.unique()))}"
            )
    order = pd.DataFrame(
        {
            "arm": frame["arm"].map({name: i for i, name in enumerate(arms)}),
            "dataset": frame["dataset"].map({name: i for i, name in enumerate(datasets)}),
            "labels": frame["labels"],
            "seed": frame["seed"],
        }
    ).sort_values(list(CELL))
    last = (*scores, *SCORES)
    others = sorted(set(frame.columns) - set(LEADING) - set(last))
    columns = [c for c in (*LEADING, *others, *last) if c in frame.columns]
    return frame.loc[order.index, columns].reset_index(drop=True)


def check_complete(
    frame: pd.DataFrame,
    arms: Iterable[str],
    datasets: Iterable[str],
    fractions: Iterable[float],
    seeds: Iterable[int],
) -> None:
    """Raise ValueError where a cell of the run is missing from what `collect` made."""
    found = set(frame[list(CELL)].itertuples(index=False, name=None))
    wanted = [(arm, d, float(f), s) for arm, d, f, s in product(arms, datasets, fractions, seeds)]
    missing = [dict(zip(CELL, cell, strict=True)) for cell in wanted if cell not in found]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(wanted)} cells are missing, the first of them "
            f"{_name(missing[0])}"
        )


def _flatten(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by an underscore; lists as JSON, to fit a CSV cell."""
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}_")
        else:
            flat[prefix + key] = json.dumps(value) if isinstance(value, list) else value
    return flat


def _check_row(
    row: Mapping[str, Any], arms: Iterable[str], datasets: Iterable[str], scores: Sequence[str]
) -> None:
    needed = (*CELL, *scores, "images", "labelled_images", "pretraining_collapsed")
    missing = [field for field in needed if field not in row]
    if missing:
        raise ValueError(f"metrics of {_name(row)} lack {', '.join(missing)}")
    if row["arm"] not in arms:
        raise ValueError(f"arm {row['arm']!r} is not among those compared: {', '.join(arms)}")
    if row["dataset"] not in datasets:
        raise ValueError(
            f"data set {row['dataset']!r} is not among those compared: {', '.join(datasets)}"
        )


def _name(row: Mapping[str, Any] | pd.Series) -> str:
    return ", ".join(f"{field} {row[field]}" for field in CELL if field in row)
