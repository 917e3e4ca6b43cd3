"""Figures of a data set: every class and every parameter is in them."""

import numpy as np
import pytest
from paths import ROOT

from sslens.classes import CLASSES
from sslens.configuration.loading import load
from sslens.data.catalogue import COLUMNS
from sslens.data.simulation.sampling import draw_catalogue
from sslens.figures.gallery import AXES, gallery_figure, parameters_figure
from sslens.figures.style import CLASS_TITLES

RECIPES = load(ROOT / "config", {})["datasets"]


def catalogue(name="model_1", size=30):
    return draw_catalogue(name, RECIPES[name], "validation", size)


def images(size=30, pixels=12):
    """Each of a value of its own, so that one can be told from another."""
    levels = np.arange(1, size + 1)[:, None, None, None]
    ramp = np.linspace(0, 1, pixels**2).reshape(1, pixels, pixels, 1)
    return (levels * ramp).astype(np.float32)


def draw_gallery(size=30):
    return gallery_figure(images(size), catalogue(size=size), RECIPES["model_1"], "T")


def test_a_row_a_class_and_every_image_with_its_own_caption():
    figure, table = draw_gallery(), catalogue()
    shown = [panel for panel in figure.axes if panel.images]
    assert len(shown) == 18
    for place, panel in enumerate(shown):
        label, turn = CLASSES[place // 6], place % 6
        index = table.index[table["label"] == label][turn]
        expected = images()[index, ..., 0]
        pixels = np.asarray(panel.images[0].get_array())
        order = np.argsort(expected.ravel())
        assert (np.diff(pixels.ravel()[order]) >= 0).all(), "grey levels rise with the brightness"
        assert f"{table.loc[index, 'source_x']:+.2f}" in panel.get_title()
        assert panel.images[0].get_extent() == [-3.75, 3.75, -3.75, 3.75]
    assert [a.get_ylabel() for a in figure.axes[::6]] == [
        f"{CLASS_TITLES[c]}\narcsec" for c in CLASSES
    ]


def test_captions_tell_of_the_substructure():
    titles = [panel.get_title() for panel in draw_gallery().axes]
    assert all("axion 10^-2" in title and "3e+10 suns" in title for title in titles[:6])
    assert all("25 masses" in title and "axion" not in title for title in titles[6:12])
    assert all("masses" not in title for title in titles[12:])


def test_the_einstein_radius_is_that_of_the_image():
    figure = gallery_figure(images(), catalogue("model_2"), RECIPES["model_2"], "T")
    assert "Einstein radius 0.812″" in figure.axes[0].get_title()


def test_few_images_leave_panels_empty_and_a_dark_one_is_drawn():
    figure = gallery_figure(
        np.zeros((4, 8, 8, 1), np.float32), catalogue(size=4), RECIPES["model_1"], "T"
    )
    figure.canvas.draw()
    assert sum(bool(panel.images) for panel in figure.axes) == 4


def test_every_column_of_the_catalogue_has_an_axis():
    lists = {"subhalo_mass", "subhalo_einstein_radius", "subhalo_x", "subhalo_y"}
    named = {"image_id", "lens_id", "label", "noise_seed"}
    drawn_otherwise = {"einstein_radius", "point_masses"}  # as shown, and by the lists
    assert set(AXES) == set(COLUMNS) - lists - named - drawn_otherwise


@pytest.mark.parametrize("name", ["model_1", "model_2", "model_3"])
def test_what_varies_is_drawn_and_what_does_not_is_told(name):
    figure = parameters_figure(catalogue(name), RECIPES[name], "T")
    drawn = {panel.get_xlabel() for panel in figure.axes if panel.get_xlabel()}
    varying = {"source x (arcsec)", "source y (arcsec)", "log10 axion mass (eV)"}
    varying |= {"masses in an image", "log10 total mass in clumps (suns)"}
    varying |= {"substructure in the ring (1e9 suns)", "its share of the mass in the ring"}
    varying |= {"exposure time (s)"} if name == "model_1" else set()
    assert drawn == varying
    words = " ".join(figure.get_supxlabel().split())
    radius = "1.28" if name == "model_1" else "0.8125"  # as in the image: deflections are scaled
    assert f"Einstein radius (arcsec) {radius}" in words and "lens ellipticity e1 0.1" in words


def test_of_a_realistic_recipe_nearly_everything_varies():
    figure = parameters_figure(catalogue("realistic_2"), RECIPES["realistic_2"], "T")
    drawn = {panel.get_xlabel() for panel in figure.axes if panel.get_xlabel()}
    constant = {"lens x (arcsec)", "lens y (arcsec)", "exposure time (s)", "source amplitude"}
    of_masses = {"masses in an image", "log10 total mass in clumps (suns)"}
    assert drawn == set(AXES.values()) - constant | of_masses


def test_a_histogram_counts_every_image_of_its_class():
    figure = parameters_figure(catalogue(size=300), RECIPES["model_1"], "T")
    panel = next(p for p in figure.axes if p.get_xlabel() == "log10 axion mass (eV)")
    counts = [np.sum(patch.get_xy()[:, 1]) / 2 for patch in panel.patches]  # both sides of a step
    assert sorted(counts) == [0, 0, 100]


def test_images_of_an_archive_are_told_by_their_files():
    table = catalogue()[["label", "log10_axion_mass"]]
    table["file"] = [
        f"{label}/{'long ' * (k % 2)}name {k}.npy" for k, label in enumerate(table["label"])
    ]
    dataset = {"instrument": {"pixels": 12, "pixel_scale": None}}
    figure = gallery_figure(images(), table, dataset, "T")
    assert figure.axes[0].get_title().startswith("name 0.npy\naxion 10^-2")
    assert figure.axes[6].get_title() == "long name 1.npy"
    assert figure.axes[0].get_ylabel().endswith("pixels")
    assert figure.axes[0].images[0].get_extent() == [-6, 6, -6, 6]
    drawn = parameters_figure(table, dataset, "T")
    assert [panel.get_xlabel() for panel in drawn.axes if panel.has_data()] == [
        "log10 axion mass (eV)"
    ]
    nothing = parameters_figure(table.assign(log10_axion_mass=np.nan), dataset, "T")
    assert "No parameter" in nothing.texts[-1].get_text()
