"""The catalogue draws what the recipe of the published data sets says, the same row every time."""

import math
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from paths import ROOT
from scipy import stats

from sslens.configuration.loading import load
from sslens.data.catalogue import COLUMNS, read_catalogue, write_catalogue
from sslens.data.simulation.recipes import class_turns, count_classes
from sslens.data.simulation.rendering import source_positions
from sslens.data.simulation.sampling import CLASSES, draw_catalogue, einstein_radius
from sslens.groups import first_of_group

RECIPES = load(ROOT / "config", {})["datasets"]
COSMOLOGY = {"H0": 70.0, "Om0": 0.3, "Ob0": 0.05}


@pytest.fixture(scope="module")
def frame():
    return draw_catalogue("model_1", RECIPES["model_1"], "train", 3000)


def points(frame, label, column):
    """(images, masses) of one class."""
    return np.stack(frame.loc[frame["label"] == label, column])


def follows(values, distribution):
    """Kolmogorov-Smirnov: the values may well be draws of the distribution (fixed seed)."""
    return stats.kstest(np.ravel(values), distribution).pvalue > 1e-3


# --- Einstein radii -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mass", "distances", "arcsec"),
    [
        (1e12, "luminosity", 1.2815),
        (3e10, "luminosity", 0.2220),
        (1e10, "luminosity", 0.1281),
        (3e8, "luminosity", 0.0222),
        (1e12, "angular_diameter", 1.6645),
    ],
)
def test_einstein_radius_of_a_mass(mass, distances, arcsec):
    assert einstein_radius(mass, COSMOLOGY, 0.5, 1.0, distances) == pytest.approx(arcsec, abs=6e-5)


def test_einstein_radius_takes_arrays():
    masses = np.array([[1e12, 3e10], [1e10, 3e8]])
    radii = einstein_radius(masses, COSMOLOGY, 0.5, 1.0, "luminosity")
    assert radii.shape == (2, 2)
    np.testing.assert_allclose(radii, [[1.2815, 0.2220], [0.1281, 0.0222]], atol=6e-5)


@pytest.mark.parametrize(("z_lens", "z_source"), [(1.0, 0.5), (0.5, 0.5), (0.0, 1.0)])
def test_a_lens_is_in_front_of_its_source(z_lens, z_source):
    with pytest.raises(ValueError, match="0 < lens < source"):
        einstein_radius(1e12, COSMOLOGY, z_lens, z_source, "luminosity")


def test_unknown_distances():
    with pytest.raises(ValueError, match="'comoving' is not one of luminosity, angular_diameter"):
        einstein_radius(1e12, COSMOLOGY, 0.5, 1.0, "comoving")


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_a_larger_split_changes_no_row(name):
    small = draw_catalogue(name, RECIPES[name], "train", 20)
    large = draw_catalogue(name, RECIPES[name], "train", 50)
    pd.testing.assert_frame_equal(small, large.head(20))


@pytest.mark.parametrize("first", [1, 2, 3, 20])
def test_a_split_is_drawn_in_parts(first):
    recipe = RECIPES["model_1"]
    whole = draw_catalogue("model_1", recipe, "train", 25)
    part = draw_catalogue("model_1", recipe, "train", 5, first=first)
    expected = whole.iloc[first : first + 5].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, expected)


@pytest.mark.parametrize(
    "other",
    [
        draw_catalogue("model_1", RECIPES["model_1"], "test", 30),
        draw_catalogue("model_1", RECIPES["model_1"], "validation", 30),
        draw_catalogue("model_1", RECIPES["model_1"] | {"seed": 99}, "train", 30),
    ],
    ids=["test", "validation", "seed"],
)
def test_splits_and_seeds_share_no_draw(frame, other):
    for column in ("source_x", "source_y", "noise_seed", "exposure_time"):
        assert not set(frame[column]) & set(other[column])


def test_data_sets_have_seeds_of_their_own():
    assert len({recipe["seed"] for recipe in RECIPES.values()}) == len(RECIPES)


def test_rows_stay_what_they_were(frame):
    """Fixed figures: a change of how draws are made would change every published catalogue."""
    first, second = frame.iloc[0], frame.iloc[1]
    assert first["noise_seed"] == 8130855662430224540
    assert first["source_x"] == pytest.approx(-0.10157705156570529, rel=1e-12)
    assert first["log10_axion_mass"] == pytest.approx(-23.51469729129594, rel=1e-12)
    assert second["subhalo_mass"][24] == pytest.approx(2635759.206855917, rel=1e-12)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10])
def test_classes_take_turns(size):
    frame = draw_catalogue("model_2", RECIPES["model_2"], "test", size)
    assert list(frame["label"]) == [CLASSES[i % 3] for i in range(size)]
    assert list(frame["image_id"]) == [f"model_2-test-{i:07d}" for i in range(size)]
    assert list(frame.columns) == list(COLUMNS)


@pytest.mark.parametrize("shares", [(1, 1, 1), (2, 2, 2), (5, 3, 1), (0, 0, 7), (99, 1, 50)])
def test_turns_are_as_even_as_can_be(shares):
    named = dict(zip(CLASSES, shares, strict=True))
    turns = class_turns(named)
    assert {name: turns.count(name) for name in CLASSES} == named
    for images in range(1, 2 * len(turns) + 2):
        first = [turns[image % len(turns)] for image in range(images)]
        counts = count_classes(named, images)
        assert counts == {name: first.count(name) for name in CLASSES}
        assert all(
            abs(counts[name] - images * share / sum(shares)) < 1.5 for name, share in named.items()
        )


@pytest.mark.parametrize("first", [0, 7])
def test_classes_have_their_shares(first):
    recipe = RECIPES["model_2"] | {"class_shares": {"axion": 3, "cdm": 1, "no_sub": 0}}
    frame = draw_catalogue("model_2", recipe, "test", 12, first)
    turns = class_turns(recipe["class_shares"])
    assert list(frame["label"]) == [turns[i % 4] for i in range(first, first + 12)]
    assert frame["label"].value_counts().to_dict() == {"axion": 9, "cdm": 3}
    whole = draw_catalogue("model_2", recipe, "test", 40)
    pd.testing.assert_frame_equal(frame, whole.iloc[first : first + 12].reset_index(drop=True))


def test_a_data_set_may_have_axions_alone():
    alone = {"axion": 1, "cdm": 0, "no_sub": 0}
    frame = draw_catalogue("model_2", RECIPES["model_2"] | {"class_shares": alone}, "train", 5)
    assert set(frame["label"]) == {"axion"}
    assert frame["log10_axion_mass"].notna().all()


def test_lenses_are_shared_whatever_the_shares():
    shares = {"axion": 2, "cdm": 1, "no_sub": 1}
    recipe = REALISTIC | {"images_per_lens": 3, "class_shares": shares}
    frame = draw_catalogue("realistic_2", recipe, "train", 24)
    groups = frame.groupby("lens_id")
    assert (groups.size() == 3).all()
    assert (groups["label"].nunique() == 1).all()
    assert (groups["lens_e1"].nunique() == 1).all()
    assert frame["lens_e1"].nunique() == 8


def test_noise_seeds_are_distinct_and_not_negative(frame):
    assert frame["noise_seed"].dtype == np.int64
    assert frame["noise_seed"].min() >= 0
    assert frame["noise_seed"].is_unique


def test_another_prior_of_one_parameter_leaves_the_others(frame):
    own = {"mass": {"log_uniform": [5e11, 2e12]}, "e2": {"uniform": [-0.1, 0.1]}}
    recipe = RECIPES["model_1"] | {"lens": RECIPES["model_1"]["lens"] | own}
    other = draw_catalogue("model_1", recipe, "train", 30)
    of_mass = {name for name in COLUMNS if "einstein_radius" in name or "substructure" in name}
    changed = of_mass - {"subhalo_einstein_radius"} | {"lens_e2"}
    kept = [name for name in COLUMNS if name not in changed]
    pd.testing.assert_frame_equal(other[kept], frame.head(30)[kept])
    assert follows(np.log(other["einstein_radius"] ** 2), stats.uniform(*log_span(recipe)).cdf)
    assert other["lens_e2"].nunique() == 30


def log_span(recipe):
    """Lowest logarithm and span of theta_E^2 under the recipe's log-uniform mass."""
    low, high = recipe["lens"]["mass"]["log_uniform"]
    radius = einstein_radius(low, COSMOLOGY, 0.5, 1.0, "luminosity")
    return 2 * np.log(radius), np.log(high / low)


# --- distributions --------------------------------------------------------------------------------


def test_constants_of_the_recipe(frame):
    constants = {
        "lens_x": 0.0,
        "lens_y": 0.0,
        "lens_e1": 0.1,
        "lens_e2": 0.0,
        "gamma1": 0.05,
        "gamma2": 0.0,
        "source_R_sersic": 0.25,
        "source_n_sersic": 1.0,
        "source_e1": -0.1,
        "source_e2": 0.1,
        "source_amplitude": 20.0,
    }
    for column, value in constants.items():
        assert (frame[column] == value).all(), column
    np.testing.assert_allclose(frame["einstein_radius"], 1.2815, atol=6e-5)


def test_source_position_and_exposure_time(frame):
    for column in ("source_x", "source_y"):
        assert follows(frame[column], stats.uniform(-0.35, 0.7).cdf)
    assert abs(np.corrcoef(frame["source_x"], frame["source_y"])[0, 1]) < 0.06
    assert follows(np.log10(frame["exposure_time"]), stats.uniform(3, 0.5).cdf)


def test_brightness_is_an_amplitude_or_a_magnitude(frame):
    assert frame["source_magnitude"].isna().all()
    for name in ("model_2", "model_3"):
        other = draw_catalogue(name, RECIPES[name], "test", 9)
        assert other["source_amplitude"].isna().all()
        assert (other["source_magnitude"] == 20.0).all()
        assert other["exposure_time"].nunique() == 1


def test_no_sub_has_no_substructure(frame):
    assert points(frame, "no_sub", "subhalo_mass").shape == (1000, 0)
    assert frame.loc[frame["label"] != "axion", "log10_axion_mass"].isna().all()


def test_cdm_masses(frame):
    masses = points(frame, "cdm", "subhalo_mass")
    assert masses.shape == (1000, 25)
    assert masses.min() >= 1e6
    assert masses.max() <= 1e10
    assert masses.sum(axis=1).mean() == pytest.approx(3.8e10, rel=0.04)
    # The slope of dN/dm, from counts in logarithmic bins.
    edges = np.logspace(6, 10, 9)
    counts, _ = np.histogram(masses, edges)
    middles = np.sqrt(edges[1:] * edges[:-1])
    slope = np.polyfit(np.log(middles), np.log(counts / np.diff(edges)), 1)[0]
    assert slope == pytest.approx(-0.9, abs=0.02)
    assert follows(masses, lambda m: (m**0.1 - 1e6**0.1) / (1e10**0.1 - 1e6**0.1))


def test_cdm_places(frame):
    x, y = points(frame, "cdm", "subhalo_x"), points(frame, "cdm", "subhalo_y")
    assert follows(np.hypot(x, y), stats.uniform(0.25, 1.75).cdf)
    assert follows(np.arctan2(y, x), stats.uniform(-np.pi, 2 * np.pi).cdf)


def test_cdm_masses_have_their_einstein_radii(frame):
    masses = points(frame, "cdm", "subhalo_mass")
    radii = points(frame, "cdm", "subhalo_einstein_radius")
    np.testing.assert_allclose(radii, 0.1281489 * np.sqrt(masses / 1e10), rtol=1e-6)


def test_vortex_masses(frame):
    masses = points(frame, "axion", "subhalo_mass")
    assert masses.shape == (1000, 100)
    np.testing.assert_allclose(masses, 3e8)
    np.testing.assert_allclose(
        points(frame, "axion", "subhalo_einstein_radius"), 0.022196, rtol=1e-5
    )


def test_vortex_is_a_straight_line_through_the_centre(frame):
    x, y = points(frame, "axion", "subhalo_x"), points(frame, "axion", "subhalo_y")
    log10_mass = frame.loc[frame["label"] == "axion", "log10_axion_mass"].to_numpy()
    half_length = np.hypot(x[:, -1], y[:, -1])
    np.testing.assert_allclose(half_length, 0.03 * 1e-22 / 10**log10_mass)
    assert half_length.min() >= 0.03
    assert half_length.max() <= 3.0
    # Evenly spaced between end and opposite end, which is straight and through the centre.
    t = np.linspace(-1, 1, 100)
    np.testing.assert_allclose(x, x[:, -1:] * t, atol=1e-12)
    np.testing.assert_allclose(y, y[:, -1:] * t, atol=1e-12)
    assert follows(np.arctan2(y[:, -1], x[:, -1]), stats.uniform(-np.pi, 2 * np.pi).cdf)


def test_draws_of_an_image_are_independent(frame):
    axions = frame[frame["label"] == "axion"]
    x, y = (points(frame, "axion", name)[:, -1] for name in ("subhalo_x", "subhalo_y"))
    drawn = [np.arctan2(y, x), axions["log10_axion_mass"], axions["source_x"], axions["source_y"]]
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 0.1
    x, y = points(frame, "cdm", "subhalo_x"), points(frame, "cdm", "subhalo_y")
    drawn = [np.hypot(x, y), np.arctan2(y, x), np.log(points(frame, "cdm", "subhalo_mass"))]
    assert np.abs(np.corrcoef(np.reshape(drawn, (3, -1))) - np.eye(3)).max() < 0.02


def test_axion_masses(frame):
    log10_mass = frame.loc[frame["label"] == "axion", "log10_axion_mass"]
    assert follows(log10_mass, stats.uniform(-24, 2).cdf)


# --- what the realistic recipes have besides ------------------------------------------------------

REALISTIC = RECIPES["realistic_2"]


@pytest.fixture(scope="module")
def realistic():
    return draw_catalogue("realistic_2", REALISTIC, "train", 1500)


def of_class(frame, label):
    return frame[frame["label"] == label]


def test_the_einstein_radius_may_be_drawn_itself(realistic):
    told = REALISTIC["lens"]["einstein_radius"]["truncated_normal"]
    low, high = ((told[end] - told["mean"]) / told["sd"] for end in ("min", "max"))
    expected = stats.truncnorm(low, high, told["mean"], told["sd"]).cdf
    assert follows(realistic["einstein_radius"], expected)


def test_the_number_of_subhaloes_is_poisson_and_their_mass_that_of_the_published(realistic):
    masses = of_class(realistic, "cdm")["subhalo_mass"]
    counts = masses.map(len)
    assert counts.mean() == pytest.approx(71, abs=4 * np.sqrt(71 / 500))
    assert counts.var() == pytest.approx(71, rel=0.25)
    assert masses.map(np.sum).mean() == pytest.approx(3.8e10, rel=0.06)
    for column in ("subhalo_x", "subhalo_y", "subhalo_einstein_radius"):
        assert (of_class(realistic, "cdm")[column].map(len) == counts).all()
    drawn = np.concatenate(list(masses))
    assert follows(drawn, lambda m: (m**-0.9 - 1e8**-0.9) / (1e10**-0.9 - 1e8**-0.9))


def mean_pull(row, scale, radius, points=90):
    """Mean radial deflection on a circle around the lens, which is its radius on the ring."""
    work, pulls = np.empty((4, 1, 1)), []
    for angle in np.arange(points) * 2 * np.pi / points:
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        place = np.array([row["lens_x"] + x]), np.array([row["lens_y"] + y])
        beta_x, beta_y = source_positions(*place, row, scale, work)
        away = place[0][0] - beta_x.item(), place[1][0] - beta_y.item()
        pulls.append(away[0] * np.cos(angle) + away[1] * np.sin(angle))
    return np.mean(pulls)


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_the_ring_is_that_of_a_lens_without_substructure(scale):
    lens = REALISTIC["lens"] | {"mass": 1.0e12}
    del lens["einstein_radius"]  # one that is given is not scaled
    recipe = REALISTIC | {"deflection_scale": scale, "lens": lens}
    frame = draw_catalogue("mine", recipe, "train", 90)
    round_lens = dict.fromkeys(("lens_e1", "lens_e2", "gamma1", "gamma2"), 0.0)
    for label in CLASSES:
        found = [
            mean_pull(row | round_lens, scale, shown := row["shown_einstein_radius"]) / shown
            for row in of_class(frame, label).to_dict("records")
        ]
        # subhaloes close to the circle are nearer to some points of it than to others
        assert np.median(found) == pytest.approx(1, abs=0.002)
        assert np.mean(found) == pytest.approx(1, abs=0.01)
    with_mass = frame["sie_einstein_radius"] < frame["einstein_radius"]
    assert (with_mass == (frame["substructure_mass"] > 0)).all()


@pytest.mark.parametrize("name", ["model_1", "model_2", "realistic_2"])
def test_what_is_in_the_ring_is_counted_in_the_image(name):
    recipe = RECIPES[name]
    frame = draw_catalogue(name, recipe, "test", 30)
    redshifts = recipe["redshifts"].values()
    of_the_sun = einstein_radius(1.0, recipe["cosmology"], *redshifts, recipe["distances"])
    for row in frame.to_dict("records"):
        ring = recipe["deflection_scale"] * row["einstein_radius"]
        assert row["shown_einstein_radius"] == ring
        within = sum(
            mass
            for mass, x, y in zip(
                row["subhalo_mass"], row["subhalo_x"], row["subhalo_y"], strict=True
            )
            if math.hypot(x - row["lens_x"], y - row["lens_y"]) < ring
        )
        assert row["substructure_mass"] == pytest.approx(within, rel=1e-12)
        # an isothermal lens: its mass grows with the radius
        smooth = (row["sie_einstein_radius"] / of_the_sun) ** 2 * ring / row["sie_einstein_radius"]
        share = within / (within + smooth)
        assert row["substructure_fraction"] == pytest.approx(share, rel=1e-9)
        assert row["point_masses"] == len(row["subhalo_mass"])
    of_no_sub = frame[frame["label"] == "no_sub"]
    assert (of_no_sub[["substructure_mass", "substructure_fraction", "point_masses"]] == 0).all(
        None
    )
    assert (frame.loc[frame["label"] == "cdm", "substructure_fraction"] > 0).any()


def test_substructure_that_outweighs_its_lens_is_told():
    axion = REALISTIC["substructure"]["axion"] | {"mass": 5.0e13}
    recipe = REALISTIC | {"substructure": REALISTIC["substructure"] | {"axion": axion}}
    with pytest.raises(ValueError, match="from_lens, but an image of class axion has more mass"):
        draw_catalogue("mine", recipe, "train", 30)


def test_a_vortex_of_one_point_is_its_middle():
    recipe = deepcopy(REALISTIC)
    recipe["substructure"]["axion"] |= {"points": 1, "x": 0.25, "y": -0.5}
    axions = of_class(draw_catalogue("realistic_2", recipe, "train", 9, 0), "axion")
    assert [list(row) for row in axions["subhalo_x"]] == [[0.25]] * 3
    assert [list(row) for row in axions["subhalo_y"]] == [[-0.5]] * 3


def test_a_vortex_may_lie_off_the_centre(realistic):
    middles = [row.mean() for row in of_class(realistic, "axion")["subhalo_x"]]
    assert follows(middles, stats.uniform(-1, 2).cdf)


# --- one lens, several sources --------------------------------------------------------------------

SHARED = ["einstein_radius", "sie_einstein_radius", "lens_e1", "gamma2", "log10_axion_mass"]
OWN = ["image_id", "source_x", "source_R_sersic", "source_magnitude", "noise_seed"]


def grouped(images_per_lens, size, first=0):
    recipe = REALISTIC | {"images_per_lens": images_per_lens}
    return draw_catalogue("realistic_2", recipe, "train", size, first)


def test_images_of_one_lens_have_its_parameters_and_sources_of_their_own():
    frame = grouped(4, 48)
    groups = frame.groupby("lens_id")
    assert len(groups) == 12
    assert (groups.size() == 4).all()
    for lens_id, group in groups:
        assert lens_id == group["image_id"].iloc[0]
        assert group["label"].nunique() == 1
        assert (group[SHARED].nunique(dropna=False) == 1).all()
        assert (group[OWN].nunique() == 4).all()
        for values in group["subhalo_x"]:
            np.testing.assert_array_equal(values, group["subhalo_x"].iloc[0])
    assert frame["einstein_radius"].nunique() == 12


@pytest.mark.parametrize("key", ["images_per_lens", "lenses_per_substructure"])
def test_test_images_are_independent(key):
    """Or the intervals of the tables, which take them for that, would be too short."""
    alone, grouped = (
        draw_catalogue("realistic_2", REALISTIC | {key: number}, "test", 24) for number in (1, 4)
    )
    pd.testing.assert_frame_equal(grouped, alone)
    assert grouped["lens_id"].nunique() == 24


def test_a_lens_is_the_same_in_whatever_shard_its_images_are():
    whole = grouped(4, 48)
    part = grouped(4, 10, first=7)
    pd.testing.assert_frame_equal(part, whole.iloc[7:17].reset_index(drop=True))


def test_a_single_image_a_lens_is_its_own_group(realistic):
    assert (realistic["lens_id"] == realistic["image_id"]).all()
    first = grouped(4, 48).groupby("lens_id").first()
    alone = realistic.set_index("image_id").loc[first.index]
    np.testing.assert_array_equal(first["source_x"], alone["source_x"])


def test_lenses_with_one_substructure_have_lenses_and_sources_of_their_own():
    recipe = REALISTIC | {"lenses_per_substructure": 4}
    frame = draw_catalogue("realistic_2", recipe, "train", 48)
    assert (frame["lens_id"] == frame["image_id"]).all()
    keys = [first_of_group(row, 3, 4) for row in range(48)]
    own = [*OWN, "einstein_radius", "lens_e1", "gamma2"]
    for first, group in frame.groupby(keys):
        assert group["label"].nunique() == 1
        assert (group[own].nunique() == 4).all()
        for column in ("subhalo_x", "subhalo_mass", "subhalo_einstein_radius"):
            for values in group[column]:
                np.testing.assert_array_equal(values, frame[column][first])
    axions = frame[frame["label"] == "axion"]
    assert axions["log10_axion_mass"].nunique() == 4
    part = draw_catalogue("realistic_2", recipe, "train", 10, first=7)
    pd.testing.assert_frame_equal(part, frame.iloc[7:17].reset_index(drop=True))


# --- files ----------------------------------------------------------------------------------------


def test_a_catalogue_is_read_as_it_was_written(frame, tmp_path):
    write_catalogue(frame, tmp_path / "catalogue.parquet", {})
    again = read_catalogue(tmp_path / "catalogue.parquet")
    pd.testing.assert_frame_equal(again, frame)
    for column in ("subhalo_mass", "subhalo_x"):
        assert {values.dtype for values in again[column]} == {np.dtype("float64")}


def test_types_do_not_depend_on_the_rows(frame, tmp_path):
    write_catalogue(frame[frame["label"] == "no_sub"], tmp_path / "part.parquet", {})
    schema = pq.read_schema(tmp_path / "part.parquet")
    assert {name: schema.field(name).type for name in schema.names} == COLUMNS


def test_same_catalogue_same_bytes(frame, tmp_path):
    write_catalogue(frame.head(30), tmp_path / "one.parquet", {})
    again = draw_catalogue("model_1", RECIPES["model_1"], "train", 30)
    write_catalogue(again, tmp_path / "two.parquet", {})
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_a_failed_write_leaves_what_was_there(frame, tmp_path, monkeypatch):
    path = tmp_path / "catalogue.parquet"
    write_catalogue(frame.head(3), path, {})

    def full_disk(table, where):
        Path(where).write_bytes(b"torn")
        raise OSError("No space left on device")

    monkeypatch.setattr(pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_catalogue(frame, path, {})
    assert [file.name for file in tmp_path.iterdir()] == ["catalogue.parquet"]
    assert len(read_catalogue(path)) == 3


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("split", "size"), [("val", 3), ("train", -1), ("train", 2.0)])
def test_wrong_split_or_size(split, size):
    with pytest.raises(ValueError, match="model_1: "):
        draw_catalogue("model_1", RECIPES["model_1"], split, size)


def test_a_wrong_recipe_is_not_drawn():
    with pytest.raises(ValueError, match=r"^my_set\.seed: -1 is less than"):
        draw_catalogue("my_set", RECIPES["model_1"] | {"seed": -1}, "train", 3)
