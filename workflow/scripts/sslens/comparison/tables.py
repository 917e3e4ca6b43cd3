"""The tables of the comparison as markdown and LaTeX, from its summary."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from sslens.classes import CLASSES
from sslens.comparison.summary import SIGNIFICANT
from sslens.formatting import latex_text, pipe_table
from sslens.protocols import FROZEN, LINEAR_PROBE, NEAREST_NEIGHBOURS

MISSING = "—"
NO_GAIN = "**no gain**"
#: Begins the warning below the tables of a run whose results do not belong together.
INCONSISTENT = "**Inconsistent provenance**"
#: Marks of a cell that is significantly better or worse than what it is tested against.
BETTER, WORSE = "▲", "▼"
#: What each frozen protocol is called in its table.
PROTOCOL_TITLES = {LINEAR_PROBE: "Linear probe", NEAREST_NEIGHBOURS: "Nearest neighbours"}


# --- tables of a summary --------------------------------------------------------------------------


def comparison_tables(
    summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """The comparison as markdown, for every share of the labels, the largest first.

    Of each: the table in the published layout, the macro AUCs with their uncertainty, and the
    differences from the reference with their tests. `arms` and `datasets` map names to titles and
    give rows and columns; other arms of the summary (probes, say) are left out.
    """
    tables = (published_table, uncertainty_table, difference_table)
    return "\n".join(
        table(part, arms, datasets)
        for part in _by_labels(summary)
        for table in tables
        if table is not difference_table or _chosen(part, arms, datasets)["reference"].notna().any()
    )


def published_table(
    summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """The comparison in the published layout, as markdown, with lines below that explain it.

    A cell holds the AUCs of the classes to two decimals, means over seeds. Bold are the best of a
    column by macro AUC and those that do not differ significantly from it.
    """
    chosen = _chosen(summary, arms, datasets)

    def text(cell) -> str:
        numbers = ", ".join(f"{cell[f'auc_{name}']:.2f}" for name in CLASSES)
        return f"**{numbers}**{_mark(cell)}" if _leads(cell) else f"{numbers}{_mark(cell)}"

    caption = (
        f"Each cell gives the one-vs-rest AUCs of {', '.join(CLASSES)} on "
        f"{_images(chosen, datasets)}, {_seeds(chosen)}{_fraction(chosen)}. Bold marks the highest "
        "macro AUC of a column and all that do not differ significantly from it. "
        f"{_marks(chosen, arms)}AUCs are rounded to two decimals, as published, so 0.997 is "
        "printed as 1.00; auc_table.csv and auc_summary.csv have full precision."
    )
    note = _collapse_note(chosen, arms, datasets)
    return f"{_table('Method', chosen, arms, datasets, text)}\n{caption}\n{note}"


def uncertainty_table(
    summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """Macro AUCs with their deviation over seeds and their interval, as markdown."""
    chosen = _chosen(summary, arms, datasets)

    def text(cell) -> str:
        deviation = "" if pd.isna(cell.auc_macro_std) else f" ± {cell.auc_macro_std:.3f}"
        return (
            f"{cell.auc_macro:.3f}{deviation} [{cell.auc_macro_low:.3f}, {cell.auc_macro_high:.3f}]"
        )

    deviation = "± is the standard deviation over seeds. " if (chosen["seeds"] > 1).any() else ""
    caption = (
        f"Each cell gives the macro AUC{_fraction(chosen)}. {deviation}Brackets give its 95 % "
        "interval over the test images (stratified bootstrap) for the networks as trained; it "
        "excludes the variance over seeds."
    )
    return f"{_table('Macro AUC', chosen, arms, datasets, text)}\n{caption}\n"


def difference_table(
    summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """Differences of the macro AUC from the reference, with intervals and tests, as markdown."""
    chosen = _chosen(summary, arms, datasets)
    rows = {
        arm: title for arm, title in arms.items() if _of(chosen, arm)["reference"].notna().any()
    }

    def text(cell) -> str:
        if pd.isna(cell.difference_macro):
            return MISSING
        return (
            f"{cell.difference_macro:+.3f} [{cell.difference_macro_low:+.3f}, "
            f"{cell.difference_macro_high:+.3f}], p {_p(cell.p_macro_holm)}"
        )

    caption = (
        f"Each cell gives the macro AUC minus that of {_references(chosen, arms)} on the same test "
        f"images{_fraction(chosen)}, its 95 % interval (paired stratified bootstrap of the test "
        "images), and the p value, corrected for all cells of this table (Holm)."
    )
    return f"{_table('Difference', chosen, rows, datasets, text)}\n{caption}\n"


def frozen_tables(
    summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """Whether pretraining helps: frozen pretrained encoders against random ones, as markdown.

    A table for every frozen protocol of the given arms and every share of the labels.
    """
    tables = [
        _frozen_table(part[part["protocol"] == protocol], arms, datasets, protocol)
        for part in _by_labels(summary)
        for protocol in FROZEN
        if (_chosen(part, arms, datasets)["protocol"] == protocol).any()
    ]
    return "\n".join(tables) or "No frozen encoder was probed.\n"


def _frozen_table(
    summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str], protocol: str
) -> str:
    chosen = _chosen(summary, arms, datasets)
    pretrained = chosen[chosen["pretraining"].notna()]
    rows = {arm: title for arm, title in arms.items() if arm in set(pretrained["arm"])}

    def text(cell) -> str:
        if pd.isna(cell.difference_macro):
            return f"{cell.auc_macro:.3f} vs {MISSING}"
        random = cell.auc_macro - cell.difference_macro
        numbers = f"{cell.auc_macro:.3f} vs {random:.3f} ({cell.difference_macro:+.3f})"
        gains = cell.difference_macro > 0 and cell.p_macro_holm < SIGNIFICANT
        return numbers if gains else f"{numbers} {NO_GAIN}"

    title = PROTOCOL_TITLES[protocol]
    if not rows:
        return f"{title}: no pretrained encoder was probed.\n"
    caption = (
        "Each cell gives the macro AUC with a frozen pretrained encoder vs that with a frozen "
        f"random encoder (difference), on {_images(chosen, datasets)}, "
        f'{_seeds(chosen)}{_fraction(chosen)}. "no gain": the pretrained encoder is not '
        "significantly better than the random one (paired stratified bootstrap of the test images, "
        "Holm-corrected over the table)."
    )
    note = _collapse_note(pretrained, arms, datasets)
    return f"{_table(title, pretrained, rows, datasets, text)}\n{caption}\n{note}"


def efficiency_table(
    summary: pd.DataFrame, arms: Mapping[str, str], dataset: str, title: str
) -> str:
    """Macro AUC over the share of the labels on one data set, as markdown; one row per arm."""
    part = summary[(summary["dataset"] == dataset) & summary["arm"].isin(list(arms))]
    counts = part.groupby("labels")["labelled_images"].first()
    cells = part.set_index(["arm", "labels"])

    def text(arm: str, labels: float) -> str:
        if (arm, labels) not in cells.index:
            return MISSING
        cell = cells.loc[(arm, labels)]
        deviation = "" if pd.isna(cell.auc_macro_std) else f" ± {cell.auc_macro_std:.3f}"
        return f"{cell.auc_macro:.3f}{deviation}{_mark(cell)}"

    header = [title, *(f"{count:,} labels ({labels:.3g})" for labels, count in counts.items())]
    rows = [[name, *(text(arm, labels) for labels in counts.index)] for arm, name in arms.items()]
    caption = (
        f"Each cell gives the macro AUC, {_seeds(part)}; ± is the standard deviation over seeds. "
        f"{_marks(part, arms)}With few labels, every row is trained for as many steps as with all."
    )
    return f"{pipe_table(header, rows)}\n{caption}\n"


def transfer_matrix(
    summary: pd.DataFrame,
    sources: Mapping[str, Mapping[str, str]],
    baseline: str,
    datasets: Mapping[str, str],
) -> tuple[pd.DataFrame, pd.Series | None]:
    """Macro AUCs of one pretraining with the most labels, by where its encoder is from.

    Args:
        summary: see `sslens.comparison.summary`.
        sources: data set -> data set the encoder is from -> arm, of `settings.transfers`.
        baseline: arm without a pretraining.
        datasets: names to titles.

    Returns:
        Rows the titles of where encoders are from, columns those of where they were fine-tuned,
        missing where not run; and the baseline's by column, or None where it was not run.
    """
    part = next(_by_labels(summary)).set_index(["arm", "dataset"])["auc_macro"]
    names = {name: datasets.get(name, name) for table in sources.values() for name in table}
    matrix = pd.DataFrame(
        {
            datasets[dataset]: {
                names[source]: part.get((arm, dataset)) for source, arm in table.items()
            }
            for dataset, table in sources.items()
        }
    )
    # data sets of the run in its order, then others
    order = [datasets[name] for name in datasets if name in names]
    matrix = matrix.reindex(index=[*order, *(t for t in names.values() if t not in order)])
    own = {datasets[d]: part[baseline, d] for d in sources if (baseline, d) in part.index}
    return matrix.astype(float), pd.Series(own).reindex(matrix.columns) if own else None


def latex_table(summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]) -> str:
    """The published layout with the most labels as LaTeX (needs the package booktabs)."""
    chosen = _chosen(next(_by_labels(summary)), arms, datasets)
    marks = {BETTER: "$^{+}$", WORSE: "$^{-}$", "": ""}

    def text(cell) -> str:
        numbers = ", ".join(f"{cell[f'auc_{name}']:.2f}" for name in CLASSES)
        bold = rf"\textbf{{{numbers}}}" if _leads(cell) else numbers
        return bold + marks[_mark(cell).strip()]

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    rows = _rows(chosen, arms, datasets, text)
    return "\n".join(
        [
            f"% one-vs-rest AUC of {', '.join(CLASSES)}; {_seeds(chosen)}; bold: the highest",
            "% macro AUC and all that do not differ significantly from it; + and -: significantly",
            f"% better and worse than {_references(chosen, arms)}",
            rf"\begin{{tabular}}{{l{'c' * len(datasets)}}}",
            r"\toprule",
            line(["Method", *map(latex_text, datasets.values())]),
            r"\midrule",
            *(line([latex_text(title), *cells]) for title, *cells in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


# --- parts of them --------------------------------------------------------------------------------


def _by_labels(summary: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The parts of a summary with one share of the labels, the largest first."""
    for labels in sorted(summary["labels"].unique(), reverse=True):
        yield summary[summary["labels"] == labels]


def _chosen(summary: pd.DataFrame, arms: Iterable[str], datasets: Iterable[str]) -> pd.DataFrame:
    return summary[summary["arm"].isin(list(arms)) & summary["dataset"].isin(list(datasets))]


def _of(summary: pd.DataFrame, arm: str) -> pd.DataFrame:
    return summary[summary["arm"] == arm]


def _table(
    corner: str,
    summary: pd.DataFrame,
    arms: Mapping[str, str],
    datasets: Mapping[str, str],
    text: Callable[[Any], str],
) -> str:
    return pipe_table([corner, *datasets.values()], _rows(summary, arms, datasets, text))


def _rows(
    summary: pd.DataFrame,
    arms: Mapping[str, str],
    datasets: Mapping[str, str],
    text: Callable[[Any], str],
) -> list[list[str]]:
    """One row per arm: its title, then the texts of its cells."""
    cells = {(cell["arm"], cell["dataset"]): text(cell) for _, cell in summary.iterrows()}
    return [
        [title, *(cells.get((arm, d), MISSING) for d in datasets)] for arm, title in arms.items()
    ]


def _leads(cell) -> bool:
    """Whether a cell is the best of its column, or not significantly different from it."""
    return bool(cell["best"] or cell["p_best_holm"] >= SIGNIFICANT)


def _mark(cell) -> str:
    """How a cell's macro AUC differs from its reference, where significantly."""
    if not cell["p_macro_holm"] < SIGNIFICANT:
        return ""
    return f" {BETTER}" if cell["difference_macro"] > 0 else f" {WORSE}"


def _marks(summary: pd.DataFrame, arms: Mapping[str, str]) -> str:
    """What the marks mean, where cells were tested."""
    if summary["reference"].isna().all():
        return ""
    return (
        f"{BETTER} and {WORSE} mark a macro AUC significantly higher and lower than that of "
        f"{_references(summary, arms)} (paired test on the same test images, Holm-corrected over "
        "the table). "
        f"{_of_one_seed(summary)}"
    )


def _of_one_seed(summary: pd.DataFrame) -> str:
    """A warning where the variance over seeds is unknown."""
    if (summary["seeds"] > 1).any():
        return ""
    return (
        "**With one seed the tests compare these networks, not their methods**: another seed may "
        "change an AUC by more than these differences, and reverse their sign. "
    )


def _references(summary: pd.DataFrame, arms: Mapping[str, str]) -> str:
    """The titles of the arms that others are tested against."""
    found = dict.fromkeys(summary["reference"].dropna())
    return " and ".join(f'"{arms.get(arm, arm)}"' for arm in found) or "no row"


def _p(value: float) -> str:
    if pd.isna(value):
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _collapse_note(
    summary: pd.DataFrame, arms: Mapping[str, str], datasets: Mapping[str, str]
) -> str:
    """A paragraph that names cells whose pretraining has collapsed; nothing where none has."""
    seeds = summary.dropna(subset="collapsed_seeds").set_index(["arm", "dataset"])[
        "collapsed_seeds"
    ]
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
        "images had the same features or embeddings, so these AUCs say nothing about the method.\n"
    )


def _images(summary: pd.DataFrame, datasets: Mapping[str, str]) -> str:
    """How many test images, said once where all data sets have as many."""
    images = summary.groupby("dataset")["images"].first()
    if images.nunique() <= 1:
        return f"{images.iloc[0]:,} test images per data set" if len(images) else "no test images"
    counts = [f"{images[d]:,} ({title})" for d, title in datasets.items() if d in images.index]
    return f"{', '.join(counts)} test images"


def _seeds(summary: pd.DataFrame) -> str:
    """How many seeds a cell is the mean of, a range where cells differ."""
    counts = summary["seeds"]
    fewest, most = (counts.min(), counts.max()) if len(counts) else (0, 0)
    if fewest != most:
        return f"the mean over {fewest} to {most} seeds"
    return "one seed" if most == 1 else f"the mean over {most} seeds"


def _fraction(summary: pd.DataFrame) -> str:
    """The fraction of the labels, where not all of them were used."""
    fractions = summary["labels"].unique()
    return f", {fractions[0]:.3g} of the labels" if len(fractions) and fractions[0] != 1 else ""


def footer(problems: Sequence[str]) -> str:
    """A paragraph that lists inconsistent results; empty where there are none."""
    if not problems:
        return ""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return f"\n{INCONSISTENT}, so these numbers cannot be compared:\n\n{listed}\n"
