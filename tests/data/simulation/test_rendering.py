"""Images agree with lenstronomy's own simulation API and with the published samples."""

import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from lenstronomy.Util import data_util
from paths import ROOT
from sim_api import sim_api_image

from sslens.configuration.loading import load
from sslens.data.catalogue import read_catalogue, write_catalogue
from sslens.data.simulation import rendering
from sslens.data.simulation.recipes import NOISES
from sslens.data.simulation.sampling import CLASSES, draw_catalogue

RECIPES = load(ROOT / "config", {})["datasets"]
COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3, Ob0=0.05)


def noiseless(name):
    return RECIPES[name] | {"noise": "none"}


def test_the_recipe_knows_every_noise():
    assert set(rendering.NOISE) == set(NOISES)


def rows(name, size=3):
    return draw_catalogue(name, RECIPES[name], "test", size)


def row(name, label):
    return rows(name).iloc[CLASSES.index(label)]


def rendered(frame, recipe):
    """The images of rows, as they are recorded."""
    return [each["image"] for each in rendering.render_all(frame, recipe)]


def difference(image, expected):
    """Greatest difference, in units of the expected image's peak."""
    return np.abs(image - expected).max() / expected.max()


# --- against lenstronomy's SimAPI -----------------------------------------------------------------


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize("name", RECIPES)
def test_images_agree_with_sim_api(name, label):
    recipe, one = noiseless(name), row(name, label)
    expected = recipe["image_scale"] * sim_api_image(
        one, recipe["instrument"], recipe["deflection_scale"]
    )
    assert difference(rendering.render(one, recipe), expected) < 1e-6


def test_a_general_lens_agrees_with_sim_api():
    """What the published recipe leaves at zero is used, too."""
    one = row("model_3", "cdm").copy()
    one["lens_x"], one["lens_y"], one["lens_e2"], one["gamma2"] = 0.1, -0.2, -0.15, 0.03
    one["source_n_sersic"], one["source_R_sersic"] = 2.5, 0.4
    recipe = noiseless("model_3")
    expected = 2 * sim_api_image(one, recipe["instrument"], 0.634)
    assert difference(rendering.render(one, recipe), expected) < 1e-6


@pytest.mark.filterwarnings("ignore:Cosmology is provided")
@pytest.mark.parametrize(("name", "label"), [("model_2", "cdm"), ("model_3", "axion")])
def test_deflection_scale_is_that_of_a_source_convention(name, label):
    """The published images: Einstein radii as if for a source at z = 2.5, the source at z = 1."""
    one, recipe = row(name, label), noiseless(name)
    published = 2 * sim_api_image(
        one,
        recipe["instrument"],
        cosmo=COSMOLOGY,
        z_source=1.0,
        source_redshift_list=[1.0],
        z_source_convention=2.5,
    )
    scale = float(
        (1 - COSMOLOGY.comoving_distance(0.5) / COSMOLOGY.comoving_distance(1.0))
        / (1 - COSMOLOGY.comoving_distance(0.5) / COSMOLOGY.comoving_distance(2.5))
    )
    assert scale == pytest.approx(recipe["deflection_scale"], abs=5e-4)
    exact = rendering.render(one, recipe | {"deflection_scale": scale})
    assert difference(exact, published) < 1e-4
    # Three digits of the scale: a change of the last by one would show.
    rounded = difference(rendering.render(one, recipe), published)
    assert rounded < 5e-3
    for neighbour in (0.633, 0.635):
        other = rendering.render(one, recipe | {"deflection_scale": neighbour})
        assert difference(other, published) > rounded


def test_a_row_is_the_same_image_wherever_it_is_rendered():
    """To the last bit: alone, after others, and beside another data set."""
    recipe, frame = RECIPES["realistic_2"] | {"noise": "none"}, rows("realistic_2", 12)
    images = rendered(frame, recipe)
    backwards = rendered(frame[::-1], recipe)[::-1]
    others = rendering.render_all(rows("model_1", 12), RECIPES["model_1"])
    pairs = zip(rendering.render_all(frame, recipe), others, strict=True)
    beside = [first["image"] for first, _ in pairs]
    alone = [rendering.render(frame.iloc[index], recipe) for index in range(12)]
    for same in (backwards, beside, alone):
        np.testing.assert_array_equal(images, same)


def test_images_do_not_depend_on_the_number_of_threads():
    digests = {_digest_of_images(threads) for threads in (1, 2, 5)}
    assert len(digests) == 1


def _digest_of_images(threads):
    """Of one image a class of a data set, from a process of its own."""
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    environment = os.environ | {f"{library}_NUM_THREADS": str(threads) for library in libraries}
    return subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST, ROOT / "config"],
        env=environment | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


PRINT_DIGEST = """
import hashlib, pathlib, sys
from sslens.configuration.loading import load
from sslens.data.simulation.rendering import render_all
from sslens.data.simulation.sampling import draw_catalogue

recipe = load(pathlib.Path(sys.argv[1]), {})["datasets"]["realistic_1"]
images = render_all(draw_catalogue("realistic_1", recipe, "test", 3), recipe)
print(hashlib.sha256(b"".join(each["image"].tobytes() for each in images)).hexdigest())
"""


# --- physics by hand ------------------------------------------------------------------------------


def test_pixels_lie_around_the_origin():
    view = rendering.camera(RECIPES["model_2"]["instrument"])
    expected = (np.arange(64) - 31.5) * 0.101
    np.testing.assert_allclose(view.x, expected, atol=1e-12)
    np.testing.assert_allclose(view.y, expected, atol=1e-12)


@pytest.mark.parametrize("name", ["model_2", "model_3"])
def test_an_unlensed_source_has_its_magnitude(name):
    recipe = noiseless(name) | {"deflection_scale": 0.0}
    image = rendering.render(row(name, "no_sub"), recipe)
    flux = 10 ** (0.4 * (recipe["instrument"]["zero_point"] - 20.0))
    assert image.sum() == pytest.approx(recipe["image_scale"] * flux, rel=0.01)


def test_an_unlensed_source_lies_where_the_row_says():
    recipe = noiseless("model_1") | {"deflection_scale": 0.0}
    one = row("model_1", "no_sub").copy()
    one["source_x"], one["source_y"] = 0.5, -1.0
    image = rendering.render(one, recipe)
    rows_, columns = np.indices(image.shape)
    centre = np.array([(columns * image).sum(), (rows_ * image).sum()]) / image.sum()
    np.testing.assert_allclose((centre - 74.5) * 0.05, [0.5, -1.0], atol=1e-3)


def test_a_round_lens_makes_a_ring_of_the_einstein_radius():
    one = row("model_1", "no_sub").copy()
    one[["source_x", "source_y", "lens_e1", "gamma1", "source_e1", "source_e2"]] = 0.0
    one["source_R_sersic"] = 0.02
    image = rendering.render(one, noiseless("model_1"))
    y, x = (np.indices(image.shape) - 74.5) * 0.05
    ring = np.average(np.hypot(x, y), weights=image)
    assert ring == pytest.approx(1.2815, abs=0.01)


# --- against the published samples ----------------------------------------------------------------


@pytest.fixture(scope="module")
def images():
    return {name: np.stack(rendered(rows(name, 36), RECIPES[name])) for name in RECIPES}


@pytest.mark.parametrize(("name", "pixels"), [("model_1", 150), ("model_2", 64), ("model_3", 64)])
def test_shape_and_type(images, name, pixels):
    assert images[name].shape == (36, pixels, pixels)
    assert images[name].dtype == np.float32


def test_values_of_model_1_are_counts(images):
    counts = images["model_1"]
    assert (counts == np.round(counts)).all()
    assert counts.min() == 0
    peaks = counts.max(axis=(1, 2))
    assert peaks.min() > 220
    assert peaks.max() < 820
    assert peaks.max() > 2 * peaks.min()  # the exposure time spans a factor of three


@pytest.mark.parametrize(
    ("name", "peak", "least"),
    [("model_2", (3.5, 4.5), (1e-13, 2e-11)), ("model_3", (16.2, 21.0), (8e-10, 4e-8))],
)
def test_values_of_models_2_and_3(images, name, peak, least):
    peaks, minima = images[name].max(axis=(1, 2)), images[name].min(axis=(1, 2))
    assert peak[0] < peaks.min() < peaks.max() < peak[1]
    assert least[0] < minima.min() < minima.max() < least[1]


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize(
    ("name", "einstein_radius", "unlensed"),
    [
        ("model_1", 1.2815, None),
        # 0.634 of the deflection: of a point mass that is this Einstein radius
        ("model_2", 0.8125, 2 * 10 ** (0.4 * (24.0 - 20.0))),
        ("model_3", 0.8125, 2 * 10 ** (0.4 * (25.96 - 20.0))),
    ],
)
def test_rings_and_fluxes_of_every_class(images, name, label, einstein_radius, unlensed):
    """The published sets by class: where the light is, how bright it is, and how dark the rest."""
    chosen = images[name][CLASSES.index(label) :: len(CLASSES)]
    scale = RECIPES[name]["instrument"]["pixel_scale"]
    y, x = (np.indices(chosen.shape[1:]) - (chosen.shape[1] - 1) / 2) * scale
    rings = np.arange(0.05, 2.5, 0.1)
    profile = [chosen[:, np.abs(np.hypot(x, y) - ring) < 0.05].mean() for ring in rings]
    assert rings[np.argmax(profile)] == pytest.approx(einstein_radius, abs=0.15)
    # most of the field is dark
    assert np.median(chosen) < 0.02 * np.median(chosen.max(axis=(1, 2)))
    if unlensed is not None:
        magnification = chosen.sum(axis=(1, 2)) / unlensed
        assert 3 < magnification.min() < magnification.max() < 12


@pytest.mark.parametrize("changed", [{"image_scale": 1.0}, {"deflection_scale": 1.0}])
def test_doubling_and_deflection_scale_are_needed_for_the_published_values(changed):
    one = row("model_3", "no_sub")
    image = rendering.render(one, RECIPES["model_3"] | changed)
    assert not (16.2 < image.max() < 21.0 and 8e-10 < image.min() < 4e-8)


# --- noise ----------------------------------------------------------------------------------------


def test_noise_follows_from_the_row_alone(images):
    frame = rows("model_1", 36)
    (later,) = rendered(frame.tail(1), RECIPES["model_1"])
    np.testing.assert_array_equal(later, images["model_1"][35])
    np.testing.assert_array_equal(
        rendering.render(frame.iloc[35], RECIPES["model_1"]), images["model_1"][35]
    )


def test_another_noise_seed_is_another_image():
    one = row("model_1", "no_sub").copy()
    first = rendering.render(one, RECIPES["model_1"])
    one["noise_seed"] += 1
    assert (rendering.render(one, RECIPES["model_1"]) != first).mean() > 0.2


def test_published_noise_has_shot_noise_twice():
    brightness, time = 0.2, 2000.0
    counts = rendering.NOISE["published_double_poisson"](
        np.full((300, 300), brightness), time, {"background_rms": 0.01}, np.random.default_rng(5)
    )
    # t I, and the variance of t (I + shot + background) and of the Poisson draw.
    assert counts.mean() == pytest.approx(time * brightness, rel=1e-3)
    assert counts.var() == pytest.approx(2 * time * brightness + (0.01 * time) ** 2, rel=0.03)


def test_instrument_noise_is_that_of_a_camera():
    instrument, time, brightness = RECIPES["realistic_3"]["instrument"], 5400.0, 0.4
    noisy = rendering.NOISE["instrument"](
        np.full((400, 400), brightness), time, instrument, np.random.default_rng(5)
    )
    sky = data_util.magnitude2cps(instrument["sky_brightness"], instrument["zero_point"])
    background = data_util.bkg_noise(
        instrument["read_noise"], time, sky, instrument["pixel_scale"], instrument["exposures"]
    )
    variance = background**2 + brightness / time
    assert noisy.mean() == pytest.approx(brightness, abs=4 * np.sqrt(variance / noisy.size))
    assert noisy.var() == pytest.approx(variance, rel=0.02)


def test_readings_add_up_over_the_exposures():
    instrument = RECIPES["realistic_2"]["instrument"] | {"sky_brightness": 99.0, "read_noise": 50.0}
    blank = np.zeros((400, 400))
    noisy = rendering.NOISE["instrument"](blank, 100.0, instrument, np.random.default_rng(5))
    assert noisy.std() == pytest.approx(2 * 50.0 / 100.0, rel=0.01)  # of four exposures


def test_an_image_is_the_same_from_a_file(tmp_path):
    frame = rows("model_1")
    write_catalogue(frame, tmp_path / "catalogue.parquet", {})
    again = read_catalogue(tmp_path / "catalogue.parquet")
    recipe = RECIPES["model_1"]
    for one, other in zip(rendered(frame, recipe), rendered(again, recipe), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["model_1", "realistic_2"])
def test_the_image_before_its_noise_is_kept_where_the_recipe_asks_for_it(name):
    frame, recipe = rows(name, 3), RECIPES[name] | {"store_noise_free": True}
    without_noise = rendered(frame, RECIPES[name] | {"noise": "none"})
    both = list(rendering.render_all(frame, recipe))
    for each, noisy, clean in zip(both, rendered(frame, RECIPES[name]), without_noise, strict=True):
        assert list(each) == ["image", "noise_free"]
        assert np.array_equal(each["image"], noisy)
        assert np.array_equal(each["noise_free"], clean)
        assert not np.array_equal(noisy, clean)


# --- errors ---------------------------------------------------------------------------------------


def test_unknown_noise():
    with pytest.raises(ValueError, match="noise: 'gaussian' is not one of none, published_double"):
        rendering.render(row("model_2", "no_sub"), RECIPES["model_2"] | {"noise": "gaussian"})


def test_a_source_without_brightness():
    one = row("model_2", "no_sub").copy()
    one["source_magnitude"] = np.nan
    with pytest.raises(ValueError, match="model_2-test-0000002: needs a source_amplitude"):
        rendering.render(one, RECIPES["model_2"])


def test_a_magnitude_without_zero_point():
    recipe = RECIPES["model_2"]
    recipe = recipe | {"instrument": recipe["instrument"] | {"zero_point": None}}
    with pytest.raises(ValueError, match="model_2-test-0000002: needs"):
        rendering.render(row("model_2", "no_sub"), recipe)


@pytest.mark.parametrize("column", ["sie_einstein_radius", "gamma2", "source_x", "source_R_sersic"])
def test_a_parameter_that_is_not_a_number(column):
    one = row("model_2", "no_sub").copy()
    one[column] = np.nan
    with pytest.raises(ValueError, match="model_2-test-0000002: the image is dark or not finite"):
        rendering.render(one, RECIPES["model_2"])
