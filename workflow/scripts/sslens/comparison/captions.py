"""Sentences below the tables: what a cell is, what varies in an interval, what marks mean."""

import pandas as pd

from sslens.comparison.compared import Comparison
from sslens.comparison.measures import MACRO_AUC, Shown
from sslens.comparison.summary import COMMON, NESTED, OWN
from sslens.marks import EXPERIMENTAL, OF_FILE, OF_LABELS, OF_SIMULATOR, OTHER_SETTINGS
from sslens.metrics.mrmc import MIN_SEEDS

#: Symbols of cells that are significantly better and worse than their reference.
BETTER, WORSE = "▲", "▼"
#: Marks an interval of the networks among intervals of methods.
OF_NETWORKS = "†"
#: Why an interval and its test may seem to disagree.
UNCORRECTED = "An interval is of its cell alone, so 0 may be outside without significance. "
#: What the marks in titles of rows mean, see `configuration.rows.row_notes`.
NOTES = {
    OF_SIMULATOR: "marks pretrainings that use what only a simulation knows",
    EXPERIMENTAL: "marks experimental methods",
    OF_LABELS: "marks pretrainings that read the labels of all training images",
    OF_FILE: "marks encoders from a file, the same one for all seeds, so that the variance over "
    "seeds excludes that of their pretraining",
    OTHER_SETTINGS: "marks rows whose encoder or fine-tuning is another one than that of the row "
    "they are tested against, since the run has no row of theirs without a pretraining; so the "
    "difference is not of the pretraining alone",
}


def what_varies(name: str, cells: pd.DataFrame, measure: Shown) -> str:
    """What is random in the intervals of an AUC or a difference; ends a sentence."""
    of_method = cells[f"{name}_low"].notna()
    if not of_method.any():
        return "for these networks with other test images; it excludes the variance over seeds. "
    others = cells.loc[~of_method, f"{name}_networks_low"].notna().any()
    new, same = "test images", ", and these training images"
    if _own_images(cells):
        new, same = "training and test images", ""
    alike = ", as with an AUC of 1 in all seeds" if is_auc(measure) else ""
    return f"for the method with other seeds and other {new}{same}. " + (
        f"{OF_NETWORKS} marks an interval of the networks with other test images alone: the row "
        f"has one seed, or nothing varies{alike}. "
        if others
        else ""
    )


def marks_of(comparison: Comparison) -> str:
    """What the marks mean, or why there are none."""
    cells, measure = comparison.cells, comparison.measure
    ends = ("higher", "lower") if measure.higher_is_better else ("smaller", "larger")
    alone = ", for each share of the labels alone" if cells["labels"].nunique() > 1 else ""
    meaning = (
        f"{BETTER} and {WORSE} mark methods whose {measure.name} is significantly "
        f"{' and '.join(ends)} than that of {references_of(comparison)} with other seeds and other "
        "test images (compared seed by seed on the same test images, Holm-corrected over all rows "
        f"and data sets{alone}). "
        if (cells["compared_seeds"] >= MIN_SEEDS).any()
        else ""
    )
    seeds = few_seeds(cells, measure) + unequal_seeds(cells, measure)
    return f"{meaning}{_untested(comparison)}{seeds}"


def _untested(comparison: Comparison) -> str:
    """The pretrained rows that are tested against none, where there are any."""
    cells = comparison.cells
    tested = set(cells["arm"][cells["reference"].notna()])
    pretrained = set(cells["arm"][cells["pretraining"].notna()])
    titles = [f'"{comparison.arms[arm]}"' for arm in comparison.arms if arm in pretrained - tested]
    if not titles:
        return ""
    return f"Not tested, since the run has no row to test them against: {', '.join(titles)}. "


def bold_of(cells: pd.DataFrame, measure: Shown = MACRO_AUC) -> str:
    """What bold means, where there are tests."""
    if cells["p_best"].isna().all():
        return ""
    return (
        f"Bold marks the methods that may have the {measure.extreme} {measure.name} of a column: "
        "the best is among them with 95 % confidence. "
    )


def scope(cells: pd.DataFrame) -> str:
    """For which images and seeds the tests hold, where there are any."""
    if cells["p_best"].isna().all():
        return ""
    if _own_images(cells):
        images = "Each seed has training images of its own, so the tests hold for new ones. "
    elif (cells["labels"] == 1).all():
        images = "All seeds share the training images, so the tests hold for these. "
    else:
        images = (
            "Each seed draws its labelled images from the same training images, so the tests hold "
            "for these. "
        )
    return f"Seeds are crossed with test images: all networks predict the same ones. {images}"


def _own_images(cells: pd.DataFrame) -> bool:
    """Whether every seed has training images of its own."""
    return bool((cells["training_images"] == OWN).all())


def few_seeds(cells: pd.DataFrame, measure: Shown) -> str:
    """A warning where methods are not tested, for want of seeds."""
    if (most := cells["seeds"].max()) == 1:
        return (
            "**One seed tells nothing about the methods**: another seed may change an "
            f"{measure.noun} by more than these rows differ, so no row is marked. "
        )
    if most < MIN_SEEDS:
        return "Two seeds are too few to test the methods, so no row is marked. "
    compared = cells.loc[cells["reference"].notna(), "compared_seeds"]
    if (cells["seeds"] < MIN_SEEDS).any() or (compared < MIN_SEEDS).any():
        return "Rows are not tested, nor marked, with fewer than three seeds. "
    return ""


def unequal_seeds(cells: pd.DataFrame, measure: Shown) -> str:
    """How rows with different seeds are compared, where there are any."""
    texts = {
        COMMON: "Rows with different seeds are compared by those that both have, so that a "
        f"difference may not be that of the printed {measure.noun}s. ",
        NESTED: "Rows without two seeds in common are compared as if their seeds were "
        "independent. ",
    }
    return "".join(text for design, text in texts.items() if (cells["design"] == design).any())


def references_of(comparison: Comparison) -> str:
    """The titles of the arms that others are tested against."""
    found = dict.fromkeys(comparison.cells["reference"].dropna())
    titles = [f'"{comparison.arms.get(arm, arm)}"' for arm in found]
    if len(titles) < 2:
        return "".join(titles) or "no row"
    return f"its reference ({' or '.join(titles)}; of a pretrained row the one with its encoder)"


def row_notes(comparison: Comparison) -> list[str]:
    """A paragraph for every mark in the titles of rows, which says what it means of which row."""
    paragraphs = []
    for mark, meaning in NOTES.items():
        named = [
            f"{title.rstrip(' '.join(NOTES))} ({comparison.notes[arm][mark]})"
            for arm, title in comparison.arms.items()
            if mark in comparison.notes.get(arm, {})
        ]
        if named:
            paragraphs.append(f"{mark} {meaning}: {'; '.join(named)}.")
    return paragraphs


def collapse_note(comparison: Comparison) -> list[str]:
    """A paragraph that names cells whose pretraining has collapsed; nothing where none has."""
    collapsed = comparison.cells.dropna(subset="collapsed_seeds")
    seeds = collapsed.set_index(["arm", "dataset"])["collapsed_seeds"]
    words = {cell: "seeds" if "," in text else "seed" for cell, text in seeds.items()}
    names = [
        f"{title} on {column} ({words[arm, dataset]} {seeds[arm, dataset]})"
        for arm, title in comparison.arms.items()
        for dataset, column in comparison.datasets.items()
        if (arm, dataset) in words
    ]
    if not names:
        return []
    return [
        f"**Collapsed**: {'; '.join(names)}. In the last epoch of the pretraining nearly all "
        "images had the same features or embeddings, so these "
        f"{comparison.measure.noun}s say nothing about the method."
    ]


def images_of(comparison: Comparison) -> str:
    """How many test images, said once where all data sets have as many."""
    images = comparison.cells.groupby("dataset")[comparison.measure.images].first()
    if images.nunique() <= 1:
        return f"{images.iloc[0]:,} test images per data set" if len(images) else "no test images"
    counts = [
        f"{images[dataset]:,} ({title})"
        for dataset, title in comparison.datasets.items()
        if dataset in images.index
    ]
    return f"{', '.join(counts)} test images"


def seeds_of(summary: pd.DataFrame) -> str:
    """How many seeds a cell is the mean of, a range where cells differ."""
    counts = summary["seeds"]
    fewest, most = (counts.min(), counts.max()) if len(counts) else (0, 0)
    if fewest != most:
        return f"the mean over {fewest} to {most} seeds"
    return "one seed" if most == 1 else f"the mean over {most} seeds"


def fraction_of(summary: pd.DataFrame) -> str:
    """The fraction of the labels, where not all of them were used."""
    fractions = summary["labels"].unique()
    return f", {fractions[0]:.3g} of the labels" if len(fractions) and fractions[0] != 1 else ""


def is_auc(measure: Shown) -> bool:
    """Whether a measure is an AUC, which 1 bounds."""
    return measure.noun == "AUC"
