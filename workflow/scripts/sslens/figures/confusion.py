"""Which classes are taken for which: confusion matrices."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sslens.classes import CLASSES
from sslens.figures.style import (
    CLASS_TITLES,
    SEQUENTIAL,
    new_figure,
    own_style,
    panel_grid,
    set_title,
    text_colours,
)

#: Panels side by side; more go into another row.
PANELS_PER_ROW = 4
_TICKS = [CLASS_TITLES[name].replace(" ", "\n") for name in CLASSES]


def confusion_array(confusion: Mapping[str, Mapping[str, int]]) -> np.ndarray:
    """The `confusion` of `score` as an array, true classes by rows."""
    return np.array([[confusion[true][predicted] for predicted in CLASSES] for true in CLASSES])


@own_style()
def confusion_figure(confusions: Mapping[str, np.ndarray], title: str) -> Figure:
    """Confusion matrices, a panel a row of the comparison table.

    A cell is coloured by the share of its true class, which stands in it in percent, with the
    number of images below: the shares of a row of cells add up to 100 %.

    Args:
        confusions: title -> (3, 3) numbers of images, true classes by rows and predicted ones by
            columns, both in the order of `CLASSES`; of several seeds, their sum.
        title: of the figure.

    Raises:
        ValueError: where there is no matrix, or one has another shape.
    """
    if not confusions:
        raise ValueError("no confusion matrices to draw")
    for name, counts in confusions.items():
        if np.shape(counts) != (len(CLASSES), len(CLASSES)):
            raise ValueError(
                f"the confusion matrix of {name} has the shape {np.shape(counts)}, "
                f"not ({len(CLASSES)}, {len(CLASSES)})"
            )
    columns = min(len(confusions), PANELS_PER_ROW)
    rows = -(-len(confusions) // columns)
    figure = new_figure(1.3 + 2.5 * columns, 0.9 + 2.9 * rows, title, "compressed")
    panels = panel_grid(figure, len(confusions), columns)
    for place, (panel, (name, counts)) in enumerate(zip(panels, confusions.items(), strict=True)):
        _draw(panel, np.asarray(counts))
        set_title(panel, name)
        if place % columns:
            panel.set_yticklabels([])
    figure.supxlabel("predicted class", fontsize="medium")
    figure.supylabel("true class", fontsize="medium")
    return figure


def _draw(panel: Axes, counts: np.ndarray) -> None:
    of_class = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(of_class, 1)  # a class without images has no share anywhere
    image = panel.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
    colours = text_colours(image, shares)
    for (true, predicted), count in np.ndenumerate(counts):
        share = f"{shares[true, predicted]:.1%}" if of_class[true, 0] else "–"
        panel.text(
            predicted,
            true,
            f"{share.replace('%', ' %')}\n{count:,}".replace(",", "\N{THIN SPACE}"),
            color=str(colours[true, predicted]),
            ha="center",
            va="center",
            fontsize="small",
        )
    panel.set_xticks(range(len(CLASSES)), _TICKS, fontsize="small")
    panel.set_yticks(range(len(CLASSES)), _TICKS, fontsize="small")
    panel.tick_params(length=0)
