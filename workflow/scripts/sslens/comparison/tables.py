"""The tables of the comparison, each by a function, from its summary; `documents` chooses them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from sslens.classes import CLASSES
from sslens.comparison.captions import (
    BETTER,
    OF_NETWORKS,
    UNCORRECTED,
    WORSE,
    bold_of,
    collapse_note,
    few_seeds,
    fraction_of,
    images_of,
    is_auc,
    marks_of,
    references_of,
    row_notes,
    scope,
    seeds_of,
    unequal_seeds,
    what_varies,
)
from sslens.comparison.compared import MISSING, Comparison, cell_of
from sslens.comparison.measures import MACRO_AUC, Measures, Shown
from sslens.comparison.summary import OPERATIONS, SIGNIFICANT
from sslens.formatting import Cell, Table
from sslens.metrics.mrmc import MIN_SEEDS
from sslens.protocols import FROZEN, FROZEN_TITLES

NOT_SIGNIFICANT = "**n.s.**"
#: Begins the warning below the tables of a run whose results do not belong together.
INCONSISTENT = "**Inconsistent provenance**"
#: Columns of a cell in the published layout, the one that it is sorted by first.
PUBLISHED = ("auc_macro", *(f"auc_{name}" for name in CLASSES))


# --- tables ---------------------------------------------------------------------------------------


def nothing_tuned() -> Table:
    """What stands in the place of the tables where no row is fine-tuned."""
    nothing = "No arm of this run is fine-tuned; probe_table.md has those with frozen encoders."
    return Table("Comparison", [], [], [nothing])


def counts_operations(comparison: Comparison) -> bool:
    """Whether the operations of any training were counted."""
    return bool(comparison.cells[list(OPERATIONS)].notna().any(axis=None))


def measure_tables(comparison: Comparison) -> list[Table]:
    """The measure with its uncertainty, its differences and its components, as far as there are."""
    tables = [uncertainty_table(comparison)]
    if comparison.cells["reference"].notna().any():
        tables.append(difference_table(comparison))
    if (comparison.cells["seeds"] > 1).any():
        tables.append(component_table(comparison))
    return tables


def published_table(comparison: Comparison) -> Table:
    """The comparison in the published layout, with paragraphs below that explain it.

    A cell holds the AUCs of the classes to two decimals, means over seeds. Bold are the rows of a
    column that may have the highest macro AUC.
    """
    chosen = comparison.cells

    def text(cell) -> str:
        numbers = ", ".join(f"{cell[f'auc_{name}']:.2f}" for name in CLASSES)
        return f"**{numbers}**{mark(cell)}" if leads(cell) else f"{numbers}{mark(cell)}"

    caption = (
        f"Each cell gives the one-vs-rest AUCs of {', '.join(CLASSES)} on "
        f"{images_of(comparison)}, {seeds_of(chosen)}{fraction_of(chosen)}. "
        f"{marks_of(comparison)}{bold_of(chosen)}{scope(chosen)}"
        "AUCs are rounded to two decimals, as published, so 0.997 is printed as 1.00; "
        "auc_table.csv and auc_summary.csv have full precision."
    )
    return Table(
        f"AUC of {', '.join(CLASSES)}{fraction_of(chosen)}",
        comparison.header("Method"),
        comparison.rows(text, PUBLISHED),
        [caption, *row_notes(comparison), *collapse_note(comparison)],
    )


def uncertainty_table(comparison: Comparison) -> Table:
    """The measure with its deviation over seeds and its interval."""
    chosen, measure = comparison.cells, comparison.measure
    column, number = measure.column, measure.number

    def text(cell) -> str:
        spread = cell[f"{column}_std"]
        deviation = "" if pd.isna(spread) else f" ± {spread:{number}}"
        interval = _interval(cell, column, chosen, number)
        numbers = f"{cell[column]:{number}}{deviation} {interval}"
        if not measure.is_marked:
            return numbers
        return (
            f"**{numbers}**{mark(cell, measure)}" if leads(cell) else numbers + mark(cell, measure)
        )

    deviation = "± is the standard deviation over seeds. " if (chosen["seeds"] > 1).any() else ""
    # the published table says it of the macro AUC
    images = "" if measure == MACRO_AUC else f" on {images_of(comparison)}"
    caption = (
        f"Each cell gives the {measure.name}{measure.unit}{images}{fraction_of(chosen)}. "
        f"{deviation}"
        f"Brackets give its 95 % interval {what_varies(column, chosen, measure)}"
    )
    if measure.is_marked:
        caption += f"{marks_of(comparison)}{bold_of(chosen, measure)}{scope(chosen)}"
    return Table(
        f"{measure.title} with its uncertainty{fraction_of(chosen)}",
        comparison.header(measure.title),
        comparison.rows(text, (column, f"{column}_std", *_ends(column))),
        [caption.strip()],
    )


def difference_table(comparison: Comparison) -> Table:
    """Differences of the measure from the reference, with intervals and tests."""
    chosen, measure = comparison.cells, comparison.measure
    column, number = measure.difference, f"+z{measure.number}"
    tested = comparison.of_arms(set(chosen["arm"][chosen["reference"].notna()]))

    def text(cell) -> str:
        if pd.isna(cell[column]):
            return MISSING
        p = cell[measure.p_value]
        p_value = "" if pd.isna(p) else f", p {_p(p)}"
        return f"{cell[column]:{number}} {_interval(cell, column, chosen, number)}{p_value}"

    p_values = (
        "p is the p value of no difference between the methods, corrected for all cells of this "
        f"table (Holm). {UNCORRECTED}"
        if chosen[measure.p_value].notna().any()
        else ""
    )
    caption = (
        f"Each cell gives the {measure.name}{measure.unit} minus that of "
        f"{references_of(comparison)} on the same test images{fraction_of(chosen)}, and its "
        f"95 % interval {what_varies(column, chosen, measure)}"
        f"{p_values}{few_seeds(chosen, measure)}{unequal_seeds(chosen, measure)}"
    )
    return Table(
        f"Difference of the {measure.name}{fraction_of(chosen)}",
        comparison.header("Difference"),
        tested.rows(text, (column, *_ends(column), measure.p_value)),
        [caption.strip()],
    )


def component_table(comparison: Comparison) -> Table:
    """Variance components of the measure and of its difference, as standard deviations."""
    chosen, measure = comparison.cells, comparison.measure
    columns = [
        [f"{value}_var_{part}" for part in ("seed", "interaction", "image")]
        for value in (measure.column, measure.difference)
    ]

    def text(cell) -> str:
        row, difference = (
            ", ".join(
                f"{max(variance, 0) ** 0.5:{measure.finer}}" for variance in cell[names].dropna()
            )
            for names in columns
        )
        return f"{row} ({difference})" if difference else row or MISSING

    difference = (
        f"; in parentheses, those of its difference from {references_of(comparison)} with the same "
        "seed"
        if chosen["reference"].notna().any()
        else ""
    )
    caption = (
        f"Each cell gives the standard deviations of one network's {measure.name}{measure.unit} "
        "that are due to the seed, to the test images differently for each seed, and to the test "
        f"images alike for all seeds{difference}{fraction_of(chosen)}. More seeds reduce the "
        "effect of the first two, more test images that of the last two. A variance that is "
        "estimated as negative counts as 0."
    )
    return Table(
        f"Variance components of the {measure.name}{fraction_of(chosen)}",
        comparison.header("Components"),
        comparison.rows(text, [*columns[0], *columns[1]]),
        [caption],
    )


def computing_table(comparison: Comparison) -> Table:
    """How much the trainings of a network compute, so that rows are compared fairly."""
    chosen = comparison.cells
    # without those of the pretraining of an encoder from a file, which nobody has counted
    total = comparison.summary[list(OPERATIONS)].sum(axis=1, skipna=True)
    of_all = replace(comparison, summary=comparison.summary.assign(operations=total))

    def text(cell) -> str:
        pretraining, finetuning = (cell[name] / 1e12 for name in OPERATIONS)
        if pd.isna(finetuning):
            return MISSING
        if pd.isna(pretraining):
            return f"{_digits(finetuning)} and those of its file"
        before = f" ({_digits(pretraining)})" if pretraining else ""
        return f"{_digits(pretraining + finetuning)}{before}"

    caption = (
        f"Each cell gives the floating-point operations, in units of 10¹², of all trainings of one "
        f"network{fraction_of(chosen)}, and in parentheses those of its pretraining. Counted are "
        "two operations for each multiplication of convolutions, dense layers and attention, and a "
        "backward pass as two forward passes. Augmentations are not counted, nor the heads of a "
        "pretraining, but for the decoder of a masked autoencoder."
    )
    return Table(
        f"Computation of the trainings{fraction_of(chosen)}",
        comparison.header("10¹² operations"),
        of_all.rows(text, ("operations", *OPERATIONS)),
        [caption],
    )


def frozen_tables(comparison: Comparison) -> list[Table]:
    """Whether pretraining helps: frozen pretrained encoders against random ones.

    A table for every frozen protocol of the given arms and every share of the labels.
    """
    tables = [
        _frozen_table(part.of_protocol(protocol), FROZEN_TITLES[protocol])
        for part in comparison.by_labels()
        for protocol in FROZEN
        if len(part.of_protocol(protocol).cells)
    ]
    return tables or [Table("Frozen encoders", [], [], ["No frozen encoder was probed."])]


def _frozen_table(comparison: Comparison, title: str) -> Table:
    chosen, measure = comparison.cells, comparison.measure
    column, number = measure.difference, measure.number
    pretrained = comparison.of_arms(set(chosen["arm"][chosen["pretraining"].notna()]))
    means = chosen.set_index(["arm", "dataset"])[measure.column]

    def text(cell) -> str:
        if pd.isna(cell[column]):
            return f"{cell[measure.column]:{number}} vs {MISSING}"
        values = (
            f"{cell[measure.column]:{number}} vs {means[cell.reference, cell.dataset]:{number}}"
        )
        interval = _interval(cell, column, chosen, f"+z{number}")
        numbers = f"{values}, {cell[column]:+z{number}} {interval}"
        gains = _is_better(cell[column], measure) and cell[measure.p_value] < SIGNIFICANT
        verdict = cell.compared_seeds >= MIN_SEEDS and not gains
        return f"{numbers} {NOT_SIGNIFICANT}" if verdict else numbers

    if not pretrained.arms:
        return Table(title, [], [], [f"{title}: no pretrained encoder was probed."])
    no_gain = (
        '"n.s.": the pretraining is not significantly better than random encoders, with other '
        f"seeds and other test images (Holm-corrected over the table). {UNCORRECTED}"
        if (chosen["compared_seeds"] >= MIN_SEEDS).any()
        else ""
    )
    caption = (
        f"Each cell gives the {measure.name}{measure.unit} with a frozen pretrained encoder vs "
        f"that with a frozen random encoder, on {images_of(comparison)}, {seeds_of(chosen)}"
        f"{fraction_of(chosen)}, their difference, and its 95 % interval "
        f"{what_varies(column, chosen, measure)}{no_gain}"
        f"{few_seeds(chosen, measure)}{unequal_seeds(chosen, measure)}"
    )
    columns = (measure.column, column, *_ends(column), measure.p_value)
    return Table(
        f"{title}{fraction_of(chosen)}",
        comparison.header(title),
        pretrained.rows(text, columns),
        [caption.strip(), *row_notes(pretrained), *collapse_note(pretrained)],
    )


def efficiency_table(comparison: Comparison) -> Table:
    """The measure over the share of the labels on one data set, one row per arm."""
    (title,) = comparison.datasets.values()
    part, measure = comparison.cells, comparison.measure
    counts = part.groupby("labels")["labelled_images"].first()
    cells = part.set_index(["arm", "labels"])
    columns = measure.column, f"{measure.column}_std"

    def shown(arm: str, labels: float) -> Cell:
        if (arm, labels) not in cells.index:
            return Cell(MISSING)
        cell = cells.loc[(arm, labels)]
        mean, spread = cell[list(columns)]
        deviation = "" if pd.isna(spread) else f" ± {spread:{measure.number}}"
        return cell_of(cell, f"{mean:{measure.number}}{deviation}{mark(cell, measure)}", columns)

    what = "labels" if is_auc(measure) else "images with any target"
    header = [title, *(f"{count:,} {what} ({labels:.3g})" for labels, count in counts.items())]
    rows = [
        (name, [shown(arm, labels) for labels in counts.index])
        for arm, name in comparison.arms.items()
    ]
    several = (part["seeds"] > 1).any()
    deviation = "; ± is the standard deviation over seeds" if several else ""
    caption = (
        f"Each cell gives the {measure.name}{measure.unit}, {seeds_of(part)}{deviation}. "
        f"{marks_of(comparison)}"
        "With few labels, every row is trained for as many steps as with all; a row that matches "
        "the computing of a pretraining takes more where there are fewer labels than a batch holds."
    )
    # a pretraining is the same for all shares of the labels
    collapsed = collapse_note(next(comparison.by_labels()))
    return Table(
        f"{measure.title} over the number of labels: {title}",
        header,
        rows,
        [caption, *row_notes(comparison), *collapsed],
    )


def summary_table(summary: pd.DataFrame, measures: Measures) -> Table:
    """The summary itself, every column of it and one row per cell."""
    name = f"{measures.prefix}m"
    columns = [column for column in summary.columns if column != "title"]

    def shown(value: Any) -> Cell:
        if pd.isna(value):
            return Cell("")
        if isinstance(value, float):
            return Cell(f"{value:.4g}", value, repr(float(value)))
        return Cell(str(value), value if isinstance(value, int) else str(value))

    rows = [
        (row["title"], [shown(row[column]) for column in columns])
        for row in summary.to_dict("records")
    ]
    caption = (
        f"Of every measure m ({measures.every}): {name} is the mean over the seeds, _std "
        "the standard deviation over them, and difference_m the difference from the arm in the "
        "column reference. Of both: _low and _high are the 95 % interval of the method, with other "
        "seeds and other test images, and _df its degrees of freedom; _networks_low and "
        "_networks_high that of the networks, with other test images alone; _var_seed, "
        "_var_interaction and _var_image the variances of one network's value due to the seed, to "
        "the test images differently for each seed, and to the test images alike for all seeds. "
        "p_m is the p value of the difference between the methods as a single test, p_m_holm that "
        f"with Holm's correction, and p_best that of having {measures.best} of the column; "
        "they need three seeds. design: rows are compared seed by seed (paired), so by the seeds "
        "that both have (common), or as independent, without two seeds in common (nested). Numbers "
        "are rounded to four digits."
    )
    return Table("Summary of all cells", ["title", *columns], rows, [caption])


# --- parts of them --------------------------------------------------------------------------------


def leads(cell) -> bool:
    """Whether a row may have the highest macro AUC of its column."""
    return bool(cell["p_best"] >= SIGNIFICANT)


def mark(cell, measure: Shown = MACRO_AUC) -> str:
    """How a cell's measure differs from its reference, where significantly."""
    if not cell[measure.p_value] < SIGNIFICANT:
        return ""
    return f" {BETTER}" if _is_better(cell[measure.difference], measure) else f" {WORSE}"


def _is_better(difference: float, measure: Shown) -> bool:
    """Whether a difference is for the better."""
    return difference > 0 if measure.higher_is_better else difference < 0


def _interval(cell, name: str, cells: pd.DataFrame, number: str) -> str:
    """The 95 % interval of a method, or else of its networks, marked among those of methods."""
    of_networks = pd.isna(cell[f"{name}_low"])
    start = f"{name}_networks" if of_networks else name
    mark = OF_NETWORKS if of_networks and cells[f"{name}_low"].notna().any() else ""
    return f"[{cell[f'{start}_low']:{number}}, {cell[f'{start}_high']:{number}}]{mark}"


def _ends(name: str) -> tuple[str, ...]:
    """The columns of the intervals of an AUC or a difference, of the method and its networks."""
    return tuple(f"{name}_{end}" for end in ("low", "high", "networks_low", "networks_high"))


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _digits(value: float) -> str:
    """A number with three digits, never with an exponent where it is large."""
    return f"{float(f'{value:.3g}'):,.10g}"


def markdown(tables: Iterable[Table], problems: Sequence[str] = ()) -> str:
    """Tables as markdown, and below them what does not belong together."""
    return "\n".join(table.markdown() for table in tables) + footer(problems)


def footer(problems: Sequence[str]) -> str:
    """A paragraph that lists inconsistent results; empty where there are none."""
    if not problems:
        return ""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return f"\n{INCONSISTENT}, so these numbers cannot be compared:\n\n{listed}\n"
