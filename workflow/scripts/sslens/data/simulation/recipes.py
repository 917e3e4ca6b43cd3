"""Recipes of simulated data sets: what they hold, and what is wrong with one.

Recipes are explained in `config/datasets.yaml`. This module is read whenever the workflow is, so
it stays free of what is slow to import.
"""

import math
from collections.abc import Mapping

from sslens.classes import CLASSES
from sslens.data.simulation.priors import check_keys, check_prior, is_number, is_whole, support
from sslens.data.simulation.substructure import KINDS

DISTANCES = ("luminosity", "angular_diameter")
SUBSTRUCTURE_MASSES = ("added", "from_lens")
MAX_SUBHALOES = 10_000  # of an image, which would take seconds
# Functions of simulation.py -> what they need to know of the instrument.
NOISES: dict[str, tuple[str, ...]] = {
    "none": (),
    "published_double_poisson": ("background_rms",),
    "instrument": ("zero_point", "sky_brightness", "read_noise", "exposures"),
}

# Catalogue column -> where the recipe keeps its prior. A row draws one uniform number for each in
# this order, whether the prior is a constant or not, so that changing one prior leaves the draws
# of the other parameters alone. The Einstein radius may be given by the mass.
SCALARS = {
    "einstein_radius": ("lens", "einstein_radius"),
    "lens_x": ("lens", "x"),
    "lens_y": ("lens", "y"),
    "lens_e1": ("lens", "e1"),
    "lens_e2": ("lens", "e2"),
    "gamma1": ("lens", "gamma1"),
    "gamma2": ("lens", "gamma2"),
    "source_x": ("source_light", "x"),
    "source_y": ("source_light", "y"),
    "source_R_sersic": ("source_light", "R_sersic"),
    "source_n_sersic": ("source_light", "n_sersic"),
    "source_e1": ("source_light", "e1"),
    "source_e2": ("source_light", "e2"),
    "source_amplitude": ("source_light", "amplitude"),
    "source_magnitude": ("source_light", "magnitude"),
    "exposure_time": ("instrument", "exposure_time"),
}
_POSITIVE = {
    "einstein_radius",
    "source_R_sersic",
    "source_n_sersic",
    "source_amplitude",
    "exposure_time",
}

_RECIPE_KEYS = (
    "title",
    "source",
    "seed",
    "cosmology",
    "redshifts",
    "distances",
    "deflection_scale",
    "lens",
    "source_light",
    "substructure",
    "substructure_mass",
    "images_per_lens",
    "instrument",
    "noise",
    "image_scale",
)


def check_recipe(dataset: str, recipe: Mapping) -> None:
    """Raise a ValueError of one line that names data set and key, if a recipe cannot be drawn."""
    check_keys(dataset, recipe, "", _RECIPE_KEYS, optional=["title"])
    if not isinstance(recipe.get("title", dataset), str):
        raise ValueError(f"{dataset}: title: {recipe['title']!r} is not a text; quote it")
    if recipe["source"] != "simulation":
        raise ValueError(f"{dataset}: source: {recipe['source']!r} is not 'simulation'")
    if not is_whole(recipe["seed"], least=0):
        raise ValueError(f"{dataset}: seed: {recipe['seed']!r} is not a whole number from 0")
    _check_one_of(dataset, recipe, "distances", DISTANCES)
    _check_one_of(dataset, recipe, "substructure_mass", SUBSTRUCTURE_MASSES)
    _check_one_of(dataset, recipe, "noise", NOISES)
    _check_count(dataset, "images_per_lens", recipe["images_per_lens"])
    _check_positive(dataset, "deflection_scale", recipe["deflection_scale"])
    _check_positive(dataset, "image_scale", recipe["image_scale"])
    _check_positive_section(dataset, recipe, "cosmology", ["H0", "Om0", "Ob0"])
    _check_positive_section(dataset, recipe, "redshifts", ["lens", "source"])
    redshifts = recipe["redshifts"]
    if redshifts["lens"] >= redshifts["source"]:
        raise ValueError(
            f"{dataset}: redshifts: the lens ({redshifts['lens']}) must be nearer than the source"
            f" ({redshifts['source']})"
        )
    _check_instrument(dataset, recipe)
    _check_scalars(dataset, recipe)
    _check_substructure(dataset, recipe["substructure"])


def _check_instrument(dataset, recipe):
    positive = ["pixel_scale", "psf_fwhm", "psf_truncation"]
    optional = ["background_rms", "sky_brightness", "read_noise", "exposures"]
    known = ["pixels", *positive, "zero_point", "exposure_time", *optional]
    instrument = recipe["instrument"]
    check_keys(dataset, instrument, "instrument", known, optional)
    _check_count(dataset, "instrument.pixels", instrument["pixels"])
    for key in positive:
        _check_positive(dataset, f"instrument.{key}", instrument[key])
    for key in ("zero_point", "background_rms", "sky_brightness", "read_noise"):
        if instrument.get(key) is not None and not is_number(instrument[key]):
            raise ValueError(
                f"{dataset}: instrument.{key}: {instrument[key]!r} is neither a number nor null"
            )
    for key in ("background_rms", "read_noise"):
        if instrument.get(key) is not None and instrument[key] < 0:
            raise ValueError(f"{dataset}: instrument.{key}: {instrument[key]!r} is less than 0")
    if instrument.get("exposures") is not None:
        _check_count(dataset, "instrument.exposures", instrument["exposures"])
    for key in NOISES[recipe["noise"]]:
        if instrument.get(key) is None:
            raise ValueError(
                f"{dataset}: instrument.{key}: missing or null; noise {recipe['noise']} needs it"
            )


def _check_scalars(dataset, recipe):
    """Check the priors of lens, source and exposure time."""
    lens = ["mass", *(key for section, key in SCALARS.values() if section == "lens")]
    source = [key for section, key in SCALARS.values() if section == "source_light"]
    check_keys(dataset, recipe["lens"], "lens", lens, optional=["einstein_radius", "mass"])
    check_keys(
        dataset, recipe["source_light"], "source_light", source, optional=["amplitude", "magnitude"]
    )
    _check_one_given(dataset, recipe, "lens", ("einstein_radius", "mass"))
    _check_one_given(dataset, recipe, "source_light", ("amplitude", "magnitude"))
    if "mass" in recipe["lens"]:
        check_prior(dataset, "lens.mass", recipe["lens"]["mass"], positive=True)
    if "magnitude" in recipe["source_light"] and recipe["instrument"]["zero_point"] is None:
        raise ValueError(f"{dataset}: instrument.zero_point: null, but the source has a magnitude")
    for column, (section, key) in SCALARS.items():
        if key in recipe[section]:
            check_prior(
                dataset, f"{section}.{key}", recipe[section][key], positive=column in _POSITIVE
            )
    for section in ("lens", "source_light"):
        ends = [support(recipe[section][key]) for key in ("e1", "e2")]
        if math.hypot(*(max(map(abs, end)) for end in ends)) >= 1:
            raise ValueError(f"{dataset}: {section}: ellipticity (e1, e2) must be less than 1")


def _check_substructure(dataset, substructure):
    check_keys(dataset, substructure, "substructure", CLASSES)
    for label in CLASSES:
        where = f"substructure.{label}"
        settings = substructure[label]
        if not isinstance(settings, Mapping) or "kind" not in settings:
            raise ValueError(f"{dataset}: {where}.kind: missing")
        if settings["kind"] not in tuple(KINDS):
            raise ValueError(
                f"{dataset}: {where}.kind: {settings['kind']!r} is not one of {', '.join(KINDS)}"
            )
        kind = KINDS[settings["kind"]]
        check_keys(dataset, settings, where, ["kind", *kind.priors, *kind.counts, *kind.constants])
        for key in kind.priors:
            check_prior(dataset, f"{where}.{key}", settings[key], positive=key == "mass")
        for key in kind.constants:
            _check_positive(dataset, f"{where}.{key}", settings[key])
        for key in kind.counts:
            if key in kind.poisson and isinstance(settings[key], Mapping):
                _check_poisson(dataset, f"{where}.{key}", settings[key])
            else:
                _check_count(dataset, f"{where}.{key}", settings[key], most=MAX_SUBHALOES)


def _check_poisson(dataset, where, count):
    check_keys(dataset, count, where, ["poisson"])
    mean = count["poisson"]
    if not is_number(mean) or not 0 < mean <= MAX_SUBHALOES:
        raise ValueError(
            f"{dataset}: {where}.poisson: {mean!r} is not a number from 0 to {MAX_SUBHALOES}"
        )


def _check_count(dataset, where, value, most=None):
    if not is_whole(value, least=1) or (most and value > most):
        end = f" to {most}" if most else ""
        raise ValueError(f"{dataset}: {where}: {value!r} is not a whole number from 1{end}")


def _check_one_of(dataset, recipe, key, known):
    # a list is no key of a mapping
    if not isinstance(recipe[key], str) or recipe[key] not in known:
        raise ValueError(f"{dataset}: {key}: {recipe[key]!r} is not one of {', '.join(known)}")


def _check_one_given(dataset, recipe, section, keys):
    """A section holds one of two keys that say the same thing."""
    if sum(key in recipe[section] for key in keys) != 1:
        raise ValueError(f"{dataset}: {section}: give one of {' and '.join(keys)}")


def _check_positive_section(dataset, recipe, section, keys):
    """A section holds exactly these keys, each a positive number."""
    check_keys(dataset, recipe[section], section, keys)
    for key in keys:
        _check_positive(dataset, f"{section}.{key}", recipe[section][key])


def _check_positive(dataset, where, value):
    if not is_number(value) or value <= 0:
        raise ValueError(f"{dataset}: {where}: {value!r} is not a number greater than 0")
