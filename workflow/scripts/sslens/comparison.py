"""Metrics to tables: the comparison as published, its full-precision CSV, and the probe table.

Pure functions from metrics (see `sslens.evaluation`) to frames and text.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from sslens.classes import CLASSES
from sslens.protocols import LINEAR_PROBE

MISSING = "—"
NO_GAIN = "**no gain**"

#: What names a row of the comparison: no two metrics files may share it.
CELL = ("arm", "dataset", "labels", "seed")
AUC_COLUMNS = tuple(f"auc_{name}" for name in (*CLASSES, "macro"))
#: Columns that come first, in this order; whatever else an arm carries follows by name.
LEADING = (*CELL, "title", "protocol", "pretraining", "method", "pretext", "encoder")
SCORES = (*AUC_COLUMNS, "accuracy", "images", "predictions_sha256")


# --- metrics -> frame ----------------------------------------------------------------------------


def collect(
    metrics: Iterable[Mapping[str, Any]], arms: Mapping[str, str], datasets: Sequence[str]
) -> pd.DataFrame:
    """One row a metrics file, tidy: the cell, the title and the fields of its arm, the scores.

    Nested fields become columns joined by an underscore (`auc.macro` is `auc_macro`). `arms` maps
    names to titles. Rows are in the order of `arms`, then `datasets`, then label fraction and seed,
    whatever order they came in.

    Raises ValueError where there is nothing to compare, a file lacks a field that the tables need,
    an arm or data set is not among those given, two files are of one cell, or two arms were scored
    on different numbers of test images of one data set.
    """
    rows = [_flatten(m) for m in metrics]
    if not rows:
        raise ValueError("no metrics to compare")
    for row in rows:
        _check_row(row, arms, datasets)
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
    others = sorted(set(frame.columns) - set(LEADING) - set(SCORES))
    columns = [c for c in (*LEADING, *others, *SCORES) if c in frame.columns]
    return frame.loc[order.index, columns].reset_index(drop=True)


def _flatten(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by an underscore; lists as JSON, to fit a CSV cell."""
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}_")
        else:
            flat[prefix + key] = json.dumps(value) if isinstance(value, list) else value
    return flat


def _check_row(row: Mapping[str, Any], arms: Iterable[str], datasets: Iterable[str]) -> None:
    needed = (*CELL, *AUC_COLUMNS, "images", "pretraining_collapsed")
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


def csv_text(frame: pd.DataFrame) -> str:
    """The frame as CSV, every float in the fewest digits that read back to the same bits."""
    return frame.to_csv(index=False, float_format=lambda x: repr(float(x)), lineterminator="\n")


# --- the comparison table ------------------------------------------------------------------------


def markdown_table(
    frame: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """The comparison in the published layout, as markdown, with a line below that explains it.

    `arms` and `datasets` map names to titles and give rows and columns; other arms in the frame
    (probes, say) are left out. A cell holds the one-vs-rest AUCs of the classes to two decimals,
    the mean over seeds. The best of a column, by macro AUC in full precision, is bold.

    Raises ValueError where the frame mixes label fractions, which do not belong in one table.
    """
    chosen = _select(frame, arms, datasets)
    means = chosen.groupby(["arm", "dataset"])[list(AUC_COLUMNS)].mean()
    best = means["auc_macro"].groupby("dataset").max()
    seeds = chosen.groupby(["arm", "dataset"])["seed"].nunique()

    def cell(arm: str, dataset: str) -> str:
        if (arm, dataset) not in means.index:
            return MISSING
        row = means.loc[(arm, dataset)]
        text = ", ".join(f"{row[f'auc_{name}']:.2f}" for name in CLASSES)
        return f"**{text}**" if row["auc_macro"] == best[dataset] else text

    rows = [[title, *(cell(arm, d) for d in datasets)] for arm, title in arms.items()]
    caption = (
        f"A cell is the one-vs-rest AUC of {', '.join(CLASSES)} on {_images(chosen, datasets)}, "
        f"{_seeds(seeds)}{_fraction(chosen)}. Bold is the best of a column by macro AUC in full "
        "precision. Two decimals as published, so 0.997 prints 1.00: full precision is in "
        "auc_table.csv."
    )
    note = _collapse_note(_collapsed_seeds(chosen), arms, datasets)
    return f"{pipe_table(['Method', *datasets.values()], rows)}\n{caption}\n{note}"


def markdown_tables(
    frame: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """`markdown_table` of every label fraction in the frame, the largest first."""
    return _by_fraction(frame, lambda part: markdown_table(part, arms, datasets))


def _by_fraction(frame: pd.DataFrame, table: Callable[[pd.DataFrame], str]) -> str:
    fractions = sorted(frame["labels"].unique(), reverse=True)
    return "\n".join(table(frame[frame["labels"] == fraction]) for fraction in fractions)


def _select(
    frame: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> pd.DataFrame:
    """Rows of the named arms and data sets, which must share one label fraction."""
    chosen = frame[frame["arm"].isin(list(arms)) & frame["dataset"].isin(list(datasets))]
    if chosen["labels"].nunique() > 1:
        fractions = ", ".join(str(x) for x in sorted(chosen["labels"].unique()))
        raise ValueError(f"one table is of one label fraction, not of {fractions}")
    return chosen


def _collapsed_seeds(frame: pd.DataFrame) -> pd.Series:
    """Seeds whose pretraining has collapsed, as text, by (arm, dataset) of those that have any."""
    collapsed = frame[frame["pretraining_collapsed"].eq(True)]
    seeds = collapsed.groupby(["arm", "dataset"])["seed"].unique()
    return seeds.map(lambda found: ", ".join(map(str, sorted(found)))).rename("collapsed_seeds")


def _collapse_note(seeds: pd.Series, arms: Mapping[str, str], datasets: Mapping[str, str]) -> str:
    """A paragraph that names rows whose pretraining has collapsed; nothing where none has."""
    words = {cell: "seeds" if "," in text else "seed" for cell, text in seeds.items()}
    names = [
        f"{arms[arm]} on {datasets[dataset]} ({words[arm, dataset]} {seeds[arm, dataset]})"
        for arm in arms
        for dataset in datasets
        if (arm, dataset) in words
    ]
    if not names:
        return ""
    return (
        f"\n**Collapsed**: {'; '.join(names)}. In the last epoch of the pretraining nearly all "
        "images had the same features or embeddings, so this tells nothing of its method.\n"
    )


def _images(frame: pd.DataFrame, datasets: Mapping[str, str]) -> str:
    """How many test images, said once where all data sets have as many."""
    images = frame.groupby("dataset")["images"].first()
    if images.nunique() <= 1:
        return f"{images.iloc[0]:,} test images per data set" if len(images) else "no test images"
    counts = [f"{images[d]:,} ({title})" for d, title in datasets.items() if d in images.index]
    return f"{', '.join(counts)} test images"


def _seeds(counts: pd.Series) -> str:
    """How many seeds a cell is the mean of (a count a cell), a range where cells differ."""
    fewest, most = (counts.min(), counts.max()) if len(counts) else (0, 0)
    if fewest != most:
        return f"the mean over {fewest} to {most} seeds"
    return "one seed" if most == 1 else f"the mean over {most} seeds"


def _fraction(frame: pd.DataFrame) -> str:
    """A word about the labels where not all of them were used."""
    fractions = frame["labels"].unique()
    return f", {fractions[0]:.3g} of the labels" if len(fractions) and fractions[0] != 1 else ""


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table padded so that it also reads as plain text; the first column is the row's."""
    table = [[text.replace("|", r"\|") for text in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[i]) for row in table)) for i in range(len(header))]
    lines = [
        "| " + " | ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)) + " |"
        for row in table
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines) + "\n"


# --- is pretraining real? ------------------------------------------------------------------------

PROBE_COLUMNS = (
    "arm",
    "dataset",
    "labels",
    "pretraining",
    "auc_macro_pretrained",
    "auc_macro_random",
    "difference",
    "beats_random",
    "seeds",
    "images",
    "collapsed_seeds",
)


def probe_table(
    frame: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> pd.DataFrame:
    """The linear probe on every frozen pretrained encoder beside the same on a random encoder.

    Of the given arms those with protocol `linear_probe` count; the one without a pretraining is the
    random-encoder control. Columns are `PROBE_COLUMNS`: macro AUCs are means over seeds, the
    difference is pretrained minus random, `beats_random` says whether it is above zero. Where no
    control with the same encoder was run on a data set, all three of its columns are missing: a
    larger random encoder is no control for a smaller pretrained one. `collapsed_seeds` are those
    whose pretraining has collapsed, as text, missing where none has.

    Raises ValueError where label fractions are mixed, or two arms are controls for one encoder.
    """
    probes = _select(frame, arms, datasets)
    probes = probes[probes["protocol"] == LINEAR_PROBE]
    encoder = [c for c in probes.columns if c == "encoder" or c.startswith("encoder_")]
    match = ["dataset", "labels", *encoder]
    is_control = probes["pretraining"].isna()

    controls = probes[is_control].groupby(match, dropna=False, sort=False)
    controls = controls.agg(auc_macro_random=("auc_macro", "mean"), controls=("arm", "nunique"))
    if (controls["controls"] > 1).any():
        names = ", ".join(probes.loc[is_control, "arm"].unique())
        raise ValueError(f"one random-encoder probe is the control of an encoder, not {names}")

    pretrained = probes[~is_control].groupby(["arm", "pretraining", *match], dropna=False)
    table = pretrained.agg(
        auc_macro_pretrained=("auc_macro", "mean"),
        seeds=("seed", "nunique"),
        images=("images", "first"),
    ).reset_index()
    table = table.merge(controls.reset_index(), on=match, how="left")
    table = table.merge(_collapsed_seeds(probes).reset_index(), on=["arm", "dataset"], how="left")
    table["difference"] = table["auc_macro_pretrained"] - table["auc_macro_random"]
    # A nullable boolean: without a control the answer is neither yes nor no.
    beats = (table["difference"] > 0).astype("boolean")
    table["beats_random"] = beats.mask(table["difference"].isna())

    order = {"arm": list(arms), "dataset": list(datasets)}
    table = table.sort_values(
        list(order), key=lambda column: column.map(order[column.name].index), kind="stable"
    )
    return table[list(PROBE_COLUMNS)].reset_index(drop=True)


def probe_markdown(
    table: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """A `probe_table` as markdown: pretrained vs random macro AUC and the signed difference.

    A cell in which the pretrained encoder does not beat the random one is marked `NO_GAIN`.
    """
    if table.empty:
        return "No linear probe of a pretrained encoder was run.\n"
    cells = {(row.arm, row.dataset): _probe_cell(row) for row in table.itertuples()}
    probed = [arm for arm in arms if arm in set(table["arm"])]
    rows = [[arms[arm], *(cells.get((arm, d), MISSING) for d in datasets)] for arm in probed]
    caption = (
        "A cell is the macro AUC of a linear probe on the frozen pretrained encoder vs on a frozen "
        f"random encoder (difference), on {_images(table, datasets)}, {_seeds(table['seeds'])}"
        f'{_fraction(table)}. "no gain": the pretrained encoder does not beat the random one. '
        "Without an interval, so a small difference may be chance."
    )
    collapsed = table.set_index(["arm", "dataset"])["collapsed_seeds"].dropna()
    note = _collapse_note(collapsed, arms, datasets)
    return f"{pipe_table(['Linear probe', *datasets.values()], rows)}\n{caption}\n{note}"


def probe_markdowns(
    frame: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """`probe_markdown` of every label fraction in the frame, the largest first."""
    return _by_fraction(
        frame, lambda part: probe_markdown(probe_table(part, arms, datasets), arms, datasets)
    )


def _probe_cell(row: Any) -> str:
    if pd.isna(row.difference):
        return f"{row.auc_macro_pretrained:.3f} vs {MISSING}"
    text = f"{row.auc_macro_pretrained:.3f} vs {row.auc_macro_random:.3f} ({row.difference:+.3f})"
    return text if row.beats_random else f"{text} {NO_GAIN}"
