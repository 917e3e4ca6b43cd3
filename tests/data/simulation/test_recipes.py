"""A recipe that cannot be drawn is told in one line."""

import copy

import pytest
from paths import ROOT

from sslens.configuration.loading import load
from sslens.data.simulation.recipes import check_recipe

RECIPES = load(ROOT / "config", {})["datasets"]


def changed(recipe, path, value):
    """A copy of the recipe with the setting at a dotted path replaced, or deleted (`...`)."""
    recipe = copy.deepcopy(recipe)
    *parents, last = path.split(".")
    section = recipe
    for key in parents:
        section = section[key]
    if value is ...:
        del section[last]
    else:
        section[last] = value
    return recipe


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("source", "folder", "source: 'folder'"),
        ("title", 3, "title: 3 is not a text; quote it"),
        ("seed", -1, "seed: -1"),
        ("seed", ..., "seed: missing"),
        ("distances", "comoving", "distances: 'comoving'"),
        ("deflection_scale", 0, "deflection_scale: 0"),
        ("lenses", 1, "unknown key 'lenses'; did you mean 'lens'? known are title, source"),
        ("image_per_lens", 4, "unknown key 'image_per_lens'; did you mean 'images_per_lens'?"),
        ("lens", None, "lens: None is not a mapping"),
        ("lens.mass", ..., "lens: give one of einstein_radius and mass"),
        ("lens.einstein_radius", 1.2, "lens: give one of einstein_radius and mass"),
        ("images_per_lens", 0, "images_per_lens: 0 is not a whole number from 1"),
        ("substructure_mass", "taken", "substructure_mass: 'taken' is not one of added, from_lens"),
        ("substructure.cdm.count", {"poisson": 0}, "substructure.cdm.count.poisson: 0 is not"),
        ("substructure.cdm.count", {"poison": 3}, "substructure.cdm.count: unknown key 'poison'"),
        ("substructure.cdm.count", {}, "substructure.cdm.count.poisson: missing"),
        ("substructure.axion.points", {"poisson": 3.0}, "substructure.axion.points: {'poisson'"),
        (
            "lens.e2",
            {"truncated_normal": {"mean": 0.0, "sd": 0.0, "min": -0.1, "max": 0.1}},
            "lens.e2.truncated_normal.sd: 0.0 must be greater",
        ),
        (
            "lens.e2",
            {"truncated_normal": {"mean": 0.0, "sd": 0.1, "min": 0.2, "max": 0.1}},
            "lens.e2.truncated_normal: ",
        ),
        ("noise", "instrument", "instrument.zero_point: missing or null; noise instrument"),
        ("noise", ["none"], "noise: ['none'] is not one of"),
        ("lens.mass", "1e12", "lens.mass: '1e12' is neither a number"),
        ("lens.mass", 0.0, "lens.mass: 0.0 must be greater than 0"),
        ("lens.e1", True, "lens.e1: True"),
        ("lens.e1", {"uniform": [-1.0, 0.0]}, "lens: ellipticity"),
        ("lens.gama1", 0.1, "lens: unknown key 'gama1'; did you mean 'gamma1'? known are mass"),
        ("cosmology.Om0", ..., "cosmology.Om0: missing"),
        ("redshifts.lens", 2.0, "redshifts: the lens (2.0) must be nearer"),
        ("source_light.x", {"gaussian": [0, 1]}, "source_light.x: unknown prior 'gaussian'"),
        ("source_light.x", {}, "source_light.x: unknown prior"),
        ("source_light.x", {"uniform": [1, 2, 3]}, "source_light.x.uniform: [1, 2, 3]"),
        ("source_light.x", {"uniform": [1.0, -1.0]}, "source_light.x.uniform: [1.0, -1.0]"),
        ("source_light.x", {"uniform": [0.0, "1e3"]}, "source_light.x.uniform: [0.0, '1e3']"),
        ("source_light.x", {"log_uniform": [0.0, 1.0]}, "source_light.x.log_uniform"),
        ("source_light.magnitude", 20.0, "source_light: give one of amplitude and magnitude"),
        ("source_light.amplitude", ..., "source_light: give one of amplitude and magnitude"),
        ("substructure.axion", ..., "substructure.axion: missing"),
        ("substructure.cdm.kind", ..., "substructure.cdm.kind: missing"),
        ("substructure.cdm.kind", "nfw", "substructure.cdm.kind: 'nfw' is not one of"),
        ("substructure.cdm.count", 2.5, "substructure.cdm.count: 2.5"),
        (
            "substructure.cdm.mass.power_law.min",
            ...,
            "substructure.cdm.mass.power_law.min: missing",
        ),
        ("substructure.axion.half_length", ..., "substructure.axion.half_length: missing"),
        (
            "substructure.no_sub.count",
            3,
            "substructure.no_sub: unknown key 'count'; known are kind",
        ),
        ("instrument.pixels", 64.0, "instrument.pixels: 64.0"),
        ("instrument.psf_fwhm", ..., "instrument.psf_fwhm: missing"),
        ("noise", "poisson", "noise: 'poisson' is not one of none, published_double_poisson"),
        (
            "instrument.background_rms",
            None,
            "instrument.background_rms: missing or null",
        ),
        ("instrument.background_rms", -0.1, "instrument.background_rms: -0.1 is less than 0"),
        ("instrument.background_rms", "1", "instrument.background_rms: '1' is neither"),
        ("instrument.zero_point", "AB", "instrument.zero_point: 'AB'"),
    ],
)
def test_a_wrong_recipe_is_named_in_one_line(path, value, message):
    recipe = changed(RECIPES["model_1"], path, value)
    with pytest.raises(ValueError) as error:
        check_recipe("my_set", recipe)
    assert str(error.value).startswith(f"my_set: {message}")
    assert "\n" not in str(error.value)


def test_a_magnitude_needs_a_zero_point():
    recipe = changed(RECIPES["model_2"], "instrument.zero_point", None)
    with pytest.raises(ValueError, match="model_2: instrument.zero_point: null"):
        check_recipe("model_2", recipe)


@pytest.mark.parametrize("name", RECIPES)
def test_what_ships_is_a_recipe(name):
    check_recipe(name, RECIPES[name])
