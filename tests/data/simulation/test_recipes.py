"""Each mistake of a recipe is one line."""

import copy

import pytest
from paths import ROOT

from sslens.classes import CLASSES
from sslens.configuration.loading import load
from sslens.data.simulation.priors import DISTRIBUTIONS
from sslens.data.simulation.recipes import DISTANCES, NOISES, SCALARS, SCHEMA, check_recipe
from sslens.data.simulation.substructure import KINDS
from sslens.schemas import Mistakes, load_schema

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


def lines_of(recipe):
    """What the check of a recipe says."""
    mistakes = Mistakes({"my_set": recipe})
    check_recipe(mistakes, ("my_set",))
    return mistakes.lines()


def test_factors_of_the_published_images_are_of_these_alone():
    ring = {"einstein_radius": 1.2} | {
        key: value for key, value in RECIPES["model_2"]["lens"].items() if key != "mass"
    }
    recipe = RECIPES["model_2"] | {"lens": ring}
    (line,) = lines_of(recipe)
    assert line.startswith("my_set.deflection_scale: 0.634 would change the given lens.einstein_r")
    assert lines_of(recipe | {"deflection_scale": 1.0}) == []
    small = recipe["instrument"] | {"pixel_scale": 0.0101}
    (line,) = lines_of(recipe | {"deflection_scale": 1.0, "instrument": small})
    assert line.startswith("my_set.lens.einstein_radius: no ring would be seen, since an image re")
    camera = RECIPES["realistic_2"]["instrument"]
    recipe = RECIPES["model_2"] | {"noise": "instrument", "instrument": camera}
    (line,) = lines_of(recipe)
    assert line.startswith("my_set.image_scale: 2.0 would change the flux of a source")
    assert lines_of(recipe | {"image_scale": 1.0}) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("source", "folder", ".source: 'folder' is not one of ['simulation']"),
        ("title", 3, ".title: 3 is not of type 'string' (write it in quotes)"),
        ("seed", -1, ".seed: -1 is less than the minimum of 0"),
        ("seed", ..., ": 'seed' is a required property"),
        (
            "distances",
            "comoving",
            ".distances: 'comoving' is not one of ['luminosity', 'angular_diameter']",
        ),
        ("deflection_scale", 0, ".deflection_scale: 0 is less than or equal to the minimum of 0"),
        ("lenses", 1, ": unknown key 'lenses'; did you mean 'lens'? known are source, title"),
        ("image_per_lens", 4, ": unknown key 'image_per_lens'; did you mean 'images_per_lens'?"),
        ("lens", None, ".lens: None is not of type 'object' (a singular"),
        ("lens.mass", ..., ".lens: give one of einstein_radius and mass"),
        ("lens.einstein_radius", 1.2, ".lens: give one of einstein_radius and mass"),
        ("class_shares.cdm", -1, ".class_shares.cdm: -1 is less than the minimum of 0"),
        (
            "class_shares",
            {"axion": 0, "cdm": 0, "no_sub": 0},
            ".class_shares: no class has images; give one of them more than 0",
        ),
        ("store_noise_free", 1, ".store_noise_free: 1 is not of type 'boolean'"),
        ("lenses_per_substructure", 0, ".lenses_per_substructure: 0 is less than the minimum of 1"),
        ("images_per_lens", 0, ".images_per_lens: 0 is less than the minimum of 1"),
        (
            "substructure_mass",
            "taken",
            ".substructure_mass: 'taken' is not one of ['added', 'from_lens']",
        ),
        (
            "substructure.cdm.count",
            {"poisson": 0},
            ".substructure.cdm.count.poisson: 0 is less than or equal",
        ),
        (
            "substructure.cdm.count",
            {"poison": 3},
            ".substructure.cdm.count: unknown key 'poison'; did you mean 'poisson'?",
        ),
        ("substructure.cdm.count", {}, ".substructure.cdm.count: 'poisson' is a required property"),
        ("substructure.axion.points", {"poisson": 3.0}, ".substructure.axion.points: {'poisson'"),
        (
            "lens.e2",
            {"truncated_normal": {"mean": 0.0, "sd": 0.0, "min": -0.1, "max": 0.1}},
            ".lens.e2.truncated_normal.sd: 0.0 is less than or equal",
        ),
        (
            "lens.e2",
            {"truncated_normal": {"mean": 0.0, "sd": 0.1, "min": 0.2, "max": 0.1}},
            ".lens.e2.truncated_normal: ",
        ),
        (
            "lens.e2",
            {"truncated_normal": {"mean": 0.0, "sd": 0.001, "min": 0.1, "max": 0.2}},
            ".lens.e2.truncated_normal: {'mean': 0.0, 'sd': 0.001, 'min': 0.1, 'max': 0.2}; the m",
        ),
        (
            "noise",
            "instrument",
            ".noise: instrument needs instrument.zero_point, instrument.sky_brightness, ",
        ),
        ("noise", ["none"], ".noise: ['none'] is not one of"),
        (
            "lens.mass",
            "1e12",
            ".lens.mass: '1e12' is not of type 'number', 'object' (write 1.0e-3: YAML",
        ),
        ("lens.mass", 0.0, ".lens.mass: 0.0 is less than or equal to the minimum of 0"),
        ("lens.e1", True, ".lens.e1: True is not of type 'number', 'object'"),
        ("lens.e1", {"uniform": [-1.0, 0.0]}, ".lens: ellipticity"),
        ("lens.gamma1", {"uniform": [-1.0, 0.0]}, ".lens: shear (gamma1, gamma2) must be less"),
        ("instrument.psf_truncation", 0.5, ".instrument.psf_truncation: 0.5 is less than the"),
        (
            "substructure.axion.log10_axion_mass",
            {"log_uniform": [1e-24, 1e-22]},
            ".substructure.axion.log10_axion_mass: is not between -30 and -10: it is log10 of the",
        ),
        ("substructure.axion.x", {"uniform": [-9, 9]}, ".substructure.axion.x: not every vortex"),
        ("substructure.cdm.radius", {"uniform": [10, 20]}, ".substructure.cdm.radius: no point"),
        ("source_light.R_sersic", 0.02, ".source_light.R_sersic: at most 0.02 arcsec, less than"),
        ("lens.gama1", 0.1, ".lens: unknown key 'gama1'; did you mean 'gamma1'? known are mass"),
        ("cosmology.Om0", ..., ".cosmology: 'Om0' is a required property"),
        ("redshifts.lens", 2.0, ".redshifts: the lens (2.0) must be nearer"),
        (
            "source_light.x",
            {"gaussian": [0, 1]},
            ".source_light.x: unknown key 'gaussian'; known are uniform, log_uniform",
        ),
        ("source_light.x", {}, ".source_light.x: {} should be non-empty (a number, such as"),
        (
            "source_light.x",
            {"uniform": [1, 2, 3]},
            ".source_light.x.uniform: [1, 2, 3] is too long",
        ),
        (
            "source_light.x",
            {"uniform": [1.0, -1.0]},
            ".source_light.x.uniform: [1.0, -1.0]; give the lowest value before",
        ),
        (
            "source_light.x",
            {"uniform": [0.0, "1e3"]},
            ".source_light.x.uniform.1: '1e3' is not of type 'number' (write 1.0e-3",
        ),
        (
            "source_light.x",
            {"log_uniform": [0.0, 1.0]},
            ".source_light.x.log_uniform.0: 0.0 is less than or equal",
        ),
        ("source_light.magnitude", 20.0, ".source_light: give one of amplitude and magnitude"),
        ("source_light.amplitude", ..., ".source_light: give one of amplitude and magnitude"),
        ("substructure.axion", ..., ".substructure: 'axion' is a required property"),
        ("substructure.cdm.kind", ..., ".substructure.cdm: 'kind' is a required property"),
        (
            "substructure.cdm.kind",
            "nfw",
            ".substructure.cdm.kind: 'nfw' is not one of ['none', 'point_masses', 'vo",
        ),
        (
            "substructure.cdm.count",
            2.5,
            ".substructure.cdm.count: 2.5 is not of type 'integer', 'object'",
        ),
        (
            "substructure.cdm.mass.power_law.min",
            ...,
            ".substructure.cdm.mass.power_law: 'min' is a required property",
        ),
        (
            "substructure.axion.half_length",
            ...,
            ".substructure.axion: 'half_length' is a required property",
        ),
        (
            "substructure.no_sub.count",
            3,
            ".substructure.no_sub: unknown key 'count'; known are kind",
        ),
        ("instrument.pixels", 64.0, ".instrument.pixels: 64.0 is not of type 'integer'"),
        ("instrument.psf_fwhm", ..., ".instrument: 'psf_fwhm' is a required property"),
        ("noise", "poisson", ".noise: 'poisson' is not one of ['none', 'published_double_poisson'"),
        (
            "instrument.background_rms",
            None,
            ".noise: published_double_poisson needs instrument.background_rms; give a number",
        ),
        (
            "instrument.background_rms",
            -0.1,
            ".instrument.background_rms: -0.1 is less than the minimum of 0",
        ),
        (
            "instrument.background_rms",
            "1",
            ".instrument.background_rms: '1' is not of type 'number', 'null' (it is a text",
        ),
        (
            "instrument.zero_point",
            "AB",
            ".instrument.zero_point: 'AB' is not of type 'number', 'null'",
        ),
    ],
)
def test_a_wrong_recipe_is_named_in_one_line(path, value, message):
    (line,) = lines_of(changed(RECIPES["model_1"], path, value))
    assert line.startswith(f"my_set{message}")


def test_a_magnitude_needs_a_zero_point():
    (line,) = lines_of(changed(RECIPES["model_2"], "instrument.zero_point", None))
    assert line.startswith("my_set.instrument.zero_point: null, but the source has a magnitude")


def test_priors_of_positive_parameters_are_positive():
    for prior in ({"uniform": [0.0, 1.0]}, {"log_uniform": [0, 1]}, {"uniform": [-1, 1]}):
        (line,) = lines_of(changed(RECIPES["model_1"], "source_light.R_sersic", prior))
        (name,) = prior
        assert line.startswith(f"my_set.source_light.R_sersic.{name}.0: ")
    normal = {"truncated_normal": {"mean": 1.0, "sd": 1.0, "min": 0.0, "max": 2.0}}
    (line,) = lines_of(changed(RECIPES["model_1"], "instrument.exposure_time", normal))
    assert line.startswith("my_set.instrument.exposure_time.truncated_normal.min: 0.0 is less than")


def test_all_mistakes_of_a_recipe_are_found_in_its_order():
    recipe = changed(RECIPES["model_1"], "image_scale", 0)
    for path, value in {
        "seed": -1,
        "redshifts.lens": 2.0,
        "lens.gama1": 0.1,
        "substructure.cdm.count": {"poison": 3},
        "instrument.background_rms": None,
    }.items():
        recipe = changed(recipe, path, value)
    del recipe["lens"]["gamma1"]  # under its misspelt name: no second mistake
    assert [line.partition(": ")[0] for line in lines_of(recipe)] == [
        "my_set.seed",
        "my_set.redshifts",
        "my_set.lens",
        "my_set.substructure.cdm.count",
        "my_set.noise",
        "my_set.image_scale",
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_what_ships_is_a_recipe(name):
    assert lines_of(RECIPES[name]) == []


def test_the_schema_and_the_code_have_the_same_keys():
    schema = load_schema(SCHEMA)
    parts, defs = schema["properties"], schema["$defs"]
    assert set(SCALARS.values()) == {
        (section, key)
        for section in ("lens", "source_light", "instrument")
        for key, part in parts[section]["properties"].items()
        if "prior" in part.get("$ref", "")
    } - {("lens", "mass")}
    assert parts["noise"]["enum"] == list(NOISES)
    assert {key for keys in NOISES.values() for key in keys} <= {*parts["instrument"]["properties"]}
    assert parts["distances"]["enum"] == list(DISTANCES)
    assert list(parts["substructure"]["properties"]) == list(CLASSES)
    assert defs["class"]["properties"]["kind"]["enum"] == list(KINDS)
    assert set(KINDS) <= set(defs)
    assert list(defs["prior"]["properties"]) == list(DISTRIBUTIONS)
