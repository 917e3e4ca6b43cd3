"""The table of the shortcuts that `shortcuts` has measured. Free of scikit-learn."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sslens.classes import CLASSES
from sslens.formatting import Cell, Table, exact_numbers, read_csv

#: Measure -> what the table calls it.
MEASURES = {
    "central_flux": "flux of the centre",
    "total_flux": "total flux",
    "ring_radius": "radius of the ring",
    "nearest_no_sub": "distance to the nearest no_sub image",
}


def read_audits(path: str | Path, datasets: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """The audits of `shortcuts.csv` by the titles of their data sets, to the same bits.

    Raises:
        ValueError: where the file is of other data sets.
    """
    frame = read_csv(path, ["dataset"])
    found = list(frame["dataset"].unique())
    if found != list(datasets):
        raise ValueError(
            f"{path}: has the data sets {', '.join(found)}, and not those of the run, "
            f"{', '.join(datasets)}; delete it and run again"
        )
    return {title: frame[frame["dataset"] == name] for name, title in datasets.items()}


def shortcut_table(audits: Mapping[str, pd.DataFrame]) -> Table:
    """The audits of several data sets, by their titles, as one table."""
    columns = [f"auc_{label}" for label in CLASSES]

    def shown(aucs: pd.Series) -> Cell:
        text = ", ".join(f"{aucs[column]:.2f}" for column in columns)
        return Cell(text, float(aucs[columns].mean()), exact_numbers(aucs, columns))

    rows = [
        (title, [shown(frame.set_index("measure").loc[name]) for frame in audits.values()])
        for name, title in MEASURES.items()
    ]
    caption = (
        f"Each cell gives the one-vs-rest AUCs of {', '.join(CLASSES)} on the test images by a "
        "single number measured in each image; 0.5 is chance. A value far above 0.5 is a shortcut "
        "that a network may use."
    )
    return Table("AUC without learning", ["Without learning", *audits], rows, [caption])
