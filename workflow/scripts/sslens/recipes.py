"""Recipes of simulated data sets: what they hold, and what is wrong with one.

Recipes are explained in `config/datasets.yaml`. This module is read whenever the workflow is, so
it stays free of what is slow to import.
"""

from collections.abc import Mapping

import numpy as np

from sslens.classes import CLASSES
from sslens.priors import check_keys, check_prior, is_number, is_whole, quantile
from sslens.substructure import KINDS

DISTANCES = ("luminosity", "angular_diameter")
NOISES = ("none", "published_double_poisson")  # functions of simulation.py

# Catalogue column -> where the recipe keeps its prior. A row draws one uniform number for each in
# this order, whether the prior is a constant or not, so that changing one prior leaves the draws
# of the other parameters alone.
SCALARS = {
    "lens_mass": ("lens", "mass"),
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
_POSITIVE = {"lens_mass", "source_R_sersic", "source_n_sersic", "source_amplitude", "exposure_time"}

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
    "instrument",
    "noise",
    "image_scale",
)


def check_recipe(dataset: str, recipe: Mapping) -> None:
    """Raise a ValueError of one line that names data set and key, if a recipe cannot be drawn."""
    check_keys(dataset, recipe, "", _RECIPE_KEYS, optional=["title"])
    if recipe["source"] != "simulation":
        raise ValueError(f"{dataset}: source: {recipe['source']!r} is not 'simulation'")
    if not is_whole(recipe["seed"], least=0):
        raise ValueError(f"{dataset}: seed: {recipe['seed']!r} is not a whole number from 0")
    if recipe["distances"] not in DISTANCES:
        raise ValueError(
            f"{dataset}: distances: {recipe['distances']!r} is not one of {', '.join(DISTANCES)}"
        )
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
    if recipe["noise"] not in NOISES:
        raise ValueError(f"{dataset}: noise: {recipe['noise']!r} is not one of {', '.join(NOISES)}")
    _check_instrument(dataset, recipe)
    background = recipe["instrument"]["background_rms"]
    if recipe["noise"] != "none" and background is None:
        raise ValueError(
            f"{dataset}: instrument.background_rms: null, but noise {recipe['noise']} needs it"
        )
    if background is not None and background < 0:
        raise ValueError(f"{dataset}: instrument.background_rms: {background!r} is less than 0")
    _check_scalars(dataset, recipe)
    _check_substructure(dataset, recipe["substructure"])


def _check_instrument(dataset, recipe):
    positive = ["pixel_scale", "psf_fwhm", "psf_truncation"]
    check_keys(
        dataset,
        recipe["instrument"],
        "instrument",
        ["pixels", *positive, "zero_point", "exposure_time", "background_rms"],
    )
    instrument = recipe["instrument"]
    if not is_whole(instrument["pixels"], least=1):
        raise ValueError(
            f"{dataset}: instrument.pixels: {instrument['pixels']!r} is not a whole number from 1"
        )
    for key in positive:
        _check_positive(dataset, f"instrument.{key}", instrument[key])
    for key in ("zero_point", "background_rms"):
        if instrument[key] is not None and not is_number(instrument[key]):
            raise ValueError(
                f"{dataset}: instrument.{key}: {instrument[key]!r} is neither a number nor null"
            )


def _check_scalars(dataset, recipe):
    """Check the priors of lens, source and exposure time."""
    lens = [key for section, key in SCALARS.values() if section == "lens"]
    source = [key for section, key in SCALARS.values() if section == "source_light"]
    brightness = ["amplitude", "magnitude"]
    check_keys(dataset, recipe["lens"], "lens", lens)
    check_keys(dataset, recipe["source_light"], "source_light", source, optional=brightness)
    given = [key for key in brightness if key in recipe["source_light"]]
    if len(given) != 1:
        raise ValueError(f"{dataset}: source_light: give one of amplitude and magnitude")
    if given == ["magnitude"] and recipe["instrument"]["zero_point"] is None:
        raise ValueError(f"{dataset}: instrument.zero_point: null, but the source has a magnitude")
    for column, (section, key) in SCALARS.items():
        if key in recipe[section]:
            check_prior(
                dataset, f"{section}.{key}", recipe[section][key], positive=column in _POSITIVE
            )
    for section in ("lens", "source_light"):
        ends = [quantile(recipe[section][key], np.array([0, 1])) for key in ("e1", "e2")]
        if np.hypot(*np.abs(ends).max(axis=1)) >= 1:
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
            if not is_whole(settings[key], least=1):
                raise ValueError(
                    f"{dataset}: {where}.{key}: {settings[key]!r} is not a whole number from 1"
                )


def _check_positive_section(dataset, recipe, section, keys):
    """A section holds exactly these keys, each a positive number."""
    check_keys(dataset, recipe[section], section, keys)
    for key in keys:
        _check_positive(dataset, f"{section}.{key}", recipe[section][key])


def _check_positive(dataset, where, value):
    if not is_number(value) or value <= 0:
        raise ValueError(f"{dataset}: {where}: {value!r} is not a number greater than 0")
