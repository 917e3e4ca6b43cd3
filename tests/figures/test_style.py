"""What the figures share: looks, legends, and files that are the same twice."""

import pkgutil
from importlib import import_module

import numpy as np
import pytest
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from sslens import figures
from sslens.figures import gallery
from sslens.figures.style import (
    legend_columns,
    legend_height,
    line_looks,
    markers,
    new_figure,
    panel_grid,
    save_figure,
    set_title,
    text_colours,
)


def drawing():
    figure = new_figure(3, 2, "Model I")
    figure.subplots().plot([0, 1], [1, 0], marker="o", label="a line")
    return figure


def test_lines_differ_in_colour_and_style():
    looks = line_looks(5)
    assert len({look["color"] for look in looks}) == 5
    assert len({look["linestyle"] for look in looks}) == 5
    assert len({(look["color"], look["linestyle"]) for look in line_looks(35)}) == 35
    assert len(set(markers(5))) == 5 and len(markers(12)) == 12


def test_text_is_white_on_dark_and_black_on_light():
    grey = ScalarMappable(Normalize(0, 1), "gray")
    assert text_colours(grey, np.array([[0.0, 0.4], [0.6, 1.0]])).tolist() == [
        ["white", "white"],
        ["black", "black"],
    ]


def test_a_grid_has_no_empty_panels():
    figure = new_figure(3, 2, "T")
    panels = panel_grid(figure, 5, 3)
    assert panels == figure.axes and len(panels) == 5


def test_long_names_are_given_room():
    assert legend_columns(["BYOL"], 12, 3) == 3
    assert legend_columns(["x" * 60, "BYOL"], 12, 3) == 2
    assert legend_columns(["x" * 500], 12, 3) == 1
    assert legend_height(4, 3) == 2 * legend_height(3, 3)
    panel = new_figure(3, 2, "").subplots()
    set_title(panel, "Contrastive, rotation pretext, from Model III")
    assert panel.get_title() == "Contrastive, rotation pretext,\nfrom Model III"


def test_files_are_the_same_twice(tmp_path):
    for run in ("first", "second"):
        paths = [tmp_path / run / f"roc.{suffix}" for suffix in ("png", "svg", "pdf")]
        save_figure(drawing(), paths, {})
        names = sorted(path.name for path in (tmp_path / run).iterdir())
        assert names == ["roc.pdf", "roc.png", "roc.svg"]
    for name, magic in {"roc.png": b"\x89PNG", "roc.svg": b"<?xml", "roc.pdf": b"%PDF"}.items():
        first = (tmp_path / "first" / name).read_bytes()
        assert first.startswith(magic)
        assert first == (tmp_path / "second" / name).read_bytes()
    assert b"<dc:date>" not in (tmp_path / "first" / "roc.svg").read_bytes()


def test_every_figure_is_drawn_in_the_style_of_the_project():
    names = [module.name for module in pkgutil.iter_modules(figures.__path__)]
    modules = [gallery, *(import_module(f"sslens.figures.{name}") for name in names)]
    drawing = {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("_figure") and name != "new_figure"
    }
    assert len(drawing) > 10
    assert [name for name, value in drawing.items() if not hasattr(value, "__wrapped__")] == []


def test_an_unknown_format_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="xyz"):
        save_figure(drawing(), [tmp_path / "roc.xyz"], {})
    assert list(tmp_path.iterdir()) == []
