"""What the figures share: colours, line styles, names of classes, layout, and writing of files."""

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from sslens.digests import json_digest
from sslens.files import FIGURE_MARK, atomic_path

#: Okabe & Ito's colour-blind-safe palette, its yellow left out (too pale for a line on white).
PALETTE = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
#: Line styles, so that lines are told apart in black and white too. As many do not divide the
#: number of colours: a pair (colour, style) comes again only after 7 x 5 lines.
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (9, 3)))
MARKERS = ("o", "s", "^", "D", "v")
CLASS_TITLES = {"axion": "axion", "cdm": "CDM", "no_sub": "no substructure"}
#: Of values from low to high: light to dark blue, which a grey print keeps.
SEQUENTIAL = "Blues"
#: Matplotlib's own values of all settings that a figure depends on, whatever its user has set in a
#: `matplotlibrc`; and a fixed salt for the ids inside an SVG, which are random otherwise. Not the
#: backend: to set it would start the user's.
STYLE: dict[Any, Any] = {
    key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"
} | {"svg.hashsalt": "sslens"}


# --- looks ---------------------------------------------------------------------------------------


def line_looks(count: int) -> list[dict]:
    """Keyword arguments (colour, line style) for `count` lines, the first 35 all different."""
    looks = zip(cycle(PALETTE), cycle(LINE_STYLES), strict=False)
    return [{"color": colour, "linestyle": style} for colour, style in islice(looks, count)]


def markers(count: int) -> list[str]:
    """Markers for `count` lines, the first five all different."""
    return list(islice(cycle(MARKERS), count))


def text_colours(mappable: ScalarMappable, values: np.ndarray) -> np.ndarray:
    """Black or white, whichever is read better on the colour that each value is drawn in.

    Args:
        mappable: gives values their colours, an image say.
        values: of any shape.

    Returns:
        Colour names, in the shape of `values`.
    """
    # relative luminance (Rec. 709), near enough without undoing the gamma
    luminance = mappable.to_rgba(values)[..., :3] @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance < 0.5, "white", "black")


@contextmanager
def own_style() -> Iterator[None]:
    """`STYLE` in place of the user's settings, which return after it: of every function that draws.

    A `with` statement or, as `@own_style()`, a decorator.
    """
    with matplotlib.rc_context(STYLE):
        yield


# --- layout --------------------------------------------------------------------------------------


def new_figure(
    width: float,
    height: float,
    title: str,
    layout: Literal["constrained", "compressed"] = "constrained",
) -> Figure:
    """An empty figure of that size in inches, with its canvas and its title.

    `layout` "compressed" is for a grid of panels whose height is tied to their width.
    """
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    return figure


def panel_grid(figure: Figure, count: int, columns: int, **kwargs: Any) -> list[Axes]:
    """`count` panels in rows of `columns`; `kwargs` are those of `Figure.subplots`."""
    grid = figure.subplots(-(-count // columns), columns, squeeze=False, **kwargs).ravel()
    for unused in grid[count:]:
        unused.remove()
    return list(grid[:count])


def set_title(panel: Axes, title: str) -> None:
    """Title of a panel a row of the table; a long one would run into its neighbours."""
    panel.set_title(textwrap.fill(title, 32), fontsize="medium")


def legend_below(
    figure: Figure, handles: list, labels: list[str], columns: int, **kwargs: Any
) -> None:
    """One legend for all panels, below them; `kwargs` are those of `Figure.legend`."""
    look = {"frameon": False, "handlelength": 4, **kwargs}
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, **look)


def legend_columns(labels: Iterable[str], width: float, most: int) -> int:
    """How many columns of `legend_below`, up to `most`, fit into a width in inches."""
    entry = 0.8 + 0.08 * max(map(len, labels))  # line and gaps, and a generous mean letter
    return int(np.clip(width // entry, 1, most))


def legend_height(count: int, columns: int) -> float:
    """Inches that `legend_below` takes for so many entries."""
    return 0.22 * -(-count // columns)


# --- files ---------------------------------------------------------------------------------------


@own_style()
def save_figure(figure: Figure, paths: Iterable[str | os.PathLike], settings: Mapping) -> None:
    """Write a figure to each path, in the format of its suffix (.png, .svg, .pdf), atomically.

    The digest of the settings that it was made with goes into the file's metadata. The same figure
    gives the same bytes: no date is written, and the style is `STYLE`. Raises ValueError for a
    format matplotlib does not know.
    """
    mark = f"{FIGURE_MARK} {json_digest(settings)}"
    # a PNG has no date, and Matplotlib refuses metadata that a format does not have
    metadata: dict[str, dict] = {
        "png": {"Description": mark},
        "svg": {"Description": mark, "Date": None},
        "pdf": {"Subject": mark, "CreationDate": None},
    }
    for path in map(Path, paths):
        suffix = path.suffix.removeprefix(".")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=suffix, dpi=150, metadata=metadata.get(suffix))
