"""What the maps of features say, and that they are the same twice."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from sklearn.neighbors import KNeighborsClassifier

from sslens.classes import CLASSES
from sslens.figures.embedding import CLASS_LOOKS, embedding_figure, project, read_features

LABELS = np.repeat(CLASSES, 5)
MASSES = np.where(LABELS == "axion", -23 + 0.1 * np.arange(15), np.nan)
POINTS = np.random.default_rng(0).normal(size=(15, 2))
MAPS = {"Contrastive": POINTS, "BYOL": POINTS + 1}


def test_of_features_in_several_orientations_those_of_the_image_itself_are_read(tmp_path):
    features = np.random.default_rng(0).normal(size=(8, 6, 3)).astype(np.float32)
    for name, content in (("several", features), ("one", features[:1]), ("plain", features[0])):
        np.save(tmp_path / f"{name}.npy", content)
        found = read_features(tmp_path / f"{name}.npy")
        assert np.array_equal(found[np.array([4, 1])], features[0][[4, 1]])


# --- the projection ------------------------------------------------------------------------------


def clusters(images=60, dimensions=70):
    truth = np.arange(images) % 3
    rng = np.random.default_rng(1)
    centres = 2 * rng.normal(size=(3, dimensions))
    return truth, (centres[truth] + rng.normal(size=(images, dimensions))).astype(np.float32)


def test_neighbours_stay_neighbours():
    truth, features = clusters()
    points = project(features, 0)
    assert points.shape == (60, 2)
    assert KNeighborsClassifier(3).fit(points, truth).score(points, truth) > 0.95


def test_it_is_the_same_twice_and_the_scale_of_a_feature_does_not_matter():
    _, features = clusters()
    first = project(features, 0)
    assert np.array_equal(project(features, 0), first)
    scaled = project(features.astype(np.float64) * 2.0 ** np.arange(-35, 35), 0)
    np.testing.assert_allclose(scaled, project(features.astype(np.float64), 0), rtol=1e-3)


@pytest.mark.parametrize(("images", "dimensions"), [(6, 2), (6, 128), (7, 3)])
def test_few_images_have_a_map(images, dimensions):
    points = project(np.random.default_rng(2).normal(size=(images, dimensions)), 0)
    assert points.shape == (images, 2) and np.isfinite(points).all()


def test_collapsed_features_have_a_map():
    assert np.array_equal(project(np.full((9, 4), 0.3, np.float32), 0), np.zeros((9, 2)))
    constant = np.random.default_rng(3).normal(size=(9, 4)) * [1, 0, 0, 0]
    assert np.isfinite(project(constant, 0)).all()


# --- the figure ----------------------------------------------------------------------------------


def test_a_column_an_encoder_and_points_of_each_class(texts_of):
    figure = embedding_figure(MAPS, LABELS, MASSES, "Model I")
    assert [panel.get_title() for panel in figure.axes[:2]] == list(MAPS)
    assert texts_of(figure.legends[0]) == ["axion", "CDM", "no substructure"]
    for panel, points in zip(figure.axes[:2], MAPS.values(), strict=True):
        for drawn, name in zip(panel.collections, CLASSES, strict=True):
            assert np.array_equal(drawn.get_offsets(), points[name == LABELS])
            assert tuple(drawn.get_edgecolor()[0][:3]) == to_rgba(CLASS_LOOKS[name]["color"])[:3]
    assert len({look["marker"] for look in CLASS_LOOKS.values()}) == 3
    assert all(not len(panel.get_xticks()) for panel in figure.axes[:4])


def test_images_with_a_mass_are_coloured_by_it_and_the_others_grey():
    figure = embedding_figure(MAPS, LABELS, MASSES, "")
    for panel, points in zip(figure.axes[2:4], MAPS.values(), strict=True):
        grey, coloured = panel.collections
        assert np.array_equal(grey.get_offsets(), points[5:])
        assert grey.get_array() is None and grey.get_facecolor()[0][:3] == pytest.approx([0.75] * 3)
        assert np.array_equal(coloured.get_offsets(), points[:5])
        assert np.array_equal(coloured.get_array(), MASSES[:5])
        assert coloured.get_clim() == (MASSES[0], MASSES[4])
        assert grey.get_sizes()[0] < coloured.get_sizes()[0]
    assert figure.axes[4].get_ylabel() == "log10 axion mass (eV)"


def test_without_masses_there_is_no_second_row():
    figure = embedding_figure(MAPS, LABELS, np.full(15, np.nan), "")
    assert len(figure.axes) == 2


@pytest.mark.parametrize("masses", [MASSES, np.full(15, np.nan)])
def test_many_encoders_stand_in_several_bands(masses):
    maps = {f"encoder {k}": POINTS + k for k in range(7)}
    figure = embedding_figure(maps, LABELS, masses, "")
    assert figure.get_size_inches()[0] < 15
    titled = [panel for panel in figure.axes if panel.get_title()]
    assert [panel.get_title() for panel in titled] == list(maps)
    below = len(figure.axes) - len(maps)
    assert below == (len(maps) + 1 if np.isfinite(masses).any() else 0)  # and the bar of colours
    for panel, points in zip(titled, maps.values(), strict=True):
        assert np.array_equal(panel.collections[0].get_offsets(), points[CLASSES[0] == LABELS])


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="no maps"):
        embedding_figure({}, LABELS, MASSES, "")
    with pytest.raises(ValueError, match=r"the map of BYOL has the shape \(14, 2\), not \(15, 2\)"):
        embedding_figure({"BYOL": POINTS[:-1]}, LABELS, MASSES, "")


def test_the_file_is_the_same_twice(same_twice):
    same_twice(lambda: embedding_figure(MAPS, LABELS, MASSES, "T"))
