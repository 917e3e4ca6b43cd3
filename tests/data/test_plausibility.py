"""Images with bad pixels are found; faint, bright, noisy and saturated ones are left alone."""

import warnings

import numpy as np
import pandas as pd
import pytest
import yaml
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.loading import load
from sslens.data.plausibility import FACTS, image_facts, implausible
from sslens.data.simulation.rendering import render_all
from sslens.data.simulation.sampling import draw_catalogue

CONFIG = load(ROOT / "config", {})
RECIPES = yaml.safe_load((ROOT / "config/datasets.yaml").read_text())["datasets"]
SENTINELS = (-9.223372e18, 1e30, 3.4e38, -3.4e38, -32768.0, 65535.0, 99999.0, 9.96921e36)


def rings(count, peak, pixels=32, seed=0):
    """Rings of light with noise, as sharp as a camera sees them."""
    generator = np.random.default_rng(seed)
    y, x = np.indices((pixels, pixels)) - (pixels - 1) / 2
    radii = generator.uniform(6, 10, count)
    light = np.exp(-0.5 * ((np.hypot(x, y) - radii[:, None, None]) / 1.5) ** 2)
    noise = generator.normal(0, 0.02, light.shape)
    return (peak * (light + noise)).astype(np.float32)


def point_spread(pixels, x0, y0, fwhm):
    """A star (Moffat's profile), 1 at its peak."""
    y, x = np.indices((pixels, pixels))
    scale = fwhm / 2 / np.sqrt(2 ** (1 / 2.5) - 1)
    return (1 + ((x - x0) ** 2 + (y - y0) ** 2) / scale**2) ** -2.5


def rejected(images):
    """Which of these images are implausible: row -> reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts = pd.DataFrame([image_facts(np.asarray(image, np.float32)) for image in images])
        return implausible(facts).to_dict()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_plausible_and_a_sentinel_in_it_is_not(name):
    recipe = settings.dataset_settings(CONFIG, name)
    rendered = render_all(draw_catalogue(name, recipe, "train", 20), recipe)
    images = np.array([each["image"] for each in rendered])
    assert rejected(images) == {}
    images[7, 3, 5] = 65535
    assert list(rejected(images)) == [7]


@pytest.mark.parametrize("value", SENTINELS)
@pytest.mark.parametrize("peak", [4.0, 20.0, 700.0])
def test_a_sentinel_is_found_whatever_it_covers(value, peak):
    images = rings(20, peak)
    for where in (np.s_[4, 5], np.s_[9], np.s_[:6, :6], np.s_[:, -2:]):
        spoilt = images.copy()
        spoilt[1][where] = value
        reasons = rejected(spoilt)
        assert list(reasons) == [1], where
        extreme = "minimum" if value < 0 else "maximum"
        assert reasons[1].startswith(f"its {extreme} {spoilt[1][where].flat[0]:.7g} is")
        assert "\n" not in reasons[1]


@pytest.mark.parametrize("count", [3, 4, 200])
def test_few_images_or_many_change_nothing(count):
    images = rings(count, 700.0)
    assert rejected(images) == {}
    images[0, 0, 0] = 1e30
    assert list(rejected(images)) == [0]


def test_a_sentinel_in_most_or_all_images_is_found():
    images = rings(20, 700.0)
    images[:15, 0, 0] = -9.223372e18
    assert list(rejected(images)) == list(range(15))
    images[:, 0, 0] = 1e30
    assert len(rejected(images)) == 20


def test_an_image_in_other_units_is_found():
    images = rings(20, 1.0)
    images[3] *= 1e4
    assert rejected(images)[3].startswith("its mean is")


@pytest.mark.parametrize("peak", [300.0, 5000.0])
@pytest.mark.parametrize("excess", [1.5, 30.0, 300.0])
def test_saturated_stars_are_plausible(peak, excess):
    images = rings(20, peak)
    for row in range(5):
        star = 65535 * excess * point_spread(32, 4 + row, 20.3, 2.5)
        images[row] = np.minimum(images[row] + star, 65535)
    assert images.max() == 65535
    assert rejected(images) == {}


def test_bright_rings_among_faint_ones_are_plausible():
    generator = np.random.default_rng(1)
    images = rings(100, 10.0)
    images[::10] *= 30
    assert rejected(images) == {}
    assert rejected(images * 10 ** generator.uniform(0, 3, (100, 1, 1))) == {}
    assert rejected(images + 10 ** generator.uniform(3, 4, (100, 1, 1))) == {}  # on a bright sky


def test_images_of_few_values_are_plausible():
    generator = np.random.default_rng(2)
    counts = generator.poisson(0.02, (50, 16, 16))
    counts[:, 0, 0] = 1  # none is constant
    assert rejected(counts) == {}
    assert rejected(counts > 0) == {}


def test_what_is_usual_is_of_the_table_and_in_no_order():
    facts = pd.DataFrame([image_facts(image) for image in rings(20, 5.0)])
    facts.loc[4, "maximum"] = 1e30
    expected = implausible(facts)
    shards = [facts.iloc[12:], facts.iloc[:12]]
    pd.testing.assert_series_equal(implausible(pd.concat(shards)), expected)
    assert implausible(facts[:0]).empty
    assert list(facts) == list(FACTS)
