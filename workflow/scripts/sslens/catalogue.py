"""The catalogue of a simulated data set: every image's parameters, drawn from the recipe's priors.

A catalogue is a table with a row an image. Reading it is reading the data set: rendering a row
(`sslens.simulation`) draws nothing that the row does not fix. Every random draw of a row comes
from a generator of its own, seeded by (seed of the recipe, split, index of the row), so a larger
split leaves the rows it had as they were. Recipes are explained in `config/datasets.yaml`.

Angles on the sky are in arcsec, masses in solar masses, times in seconds.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import constants, units
from astropy.cosmology import FlatLambdaCDM

from sslens.classes import CLASSES
from sslens.files import atomic_path

# Part of every row's seed: a number here never changes, or the split it names would.
SPLIT_KEYS = {"train": 0, "validation": 1, "test": 2}

DISTANCES = ("luminosity", "angular_diameter")

# Catalogue column -> where the recipe keeps its prior. A row draws one uniform number for each in
# this order, whether the prior is a constant or not, so that changing one prior leaves the draws
# of the other parameters alone.
_SCALARS = {
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

_LIST = pa.list_(pa.float64())
COLUMNS = {
    "image_id": pa.string(),
    "label": pa.string(),
    "einstein_radius": pa.float64(),
    **{name: pa.float64() for name in _SCALARS if name != "lens_mass"},
    "log10_axion_mass": pa.float64(),
    "subhalo_mass": _LIST,
    "subhalo_einstein_radius": _LIST,
    "subhalo_x": _LIST,
    "subhalo_y": _LIST,
    "noise_seed": pa.int64(),
}


def einstein_radius(mass_solar, cosmology, z_lens, z_source, distances):
    """Einstein radius of a point mass, theta_E = sqrt(4 G M / c^2 * D_LS / (D_L D_S)).

    The point-mass lens of the textbooks (e.g. Narayan & Bartelmann 1996, astro-ph/9606001), where
    the distances are angular-diameter distances. The published DeepLense images were made with
    luminosity distances instead and D_LS = D_S - D_L (`distances="luminosity"`).

    Args:
        mass_solar: mass or array of masses, solar masses.
        cosmology: mapping with H0 (km/s/Mpc), Om0, Ob0 of a flat Lambda-CDM universe.
        z_lens, z_source: redshifts, 0 < z_lens < z_source.
        distances: "luminosity" or "angular_diameter".

    Returns:
        theta_E in arcsec, of the shape of `mass_solar`.

    Raises:
        ValueError: unknown distances, or a lens that is not in front of the source.
    """
    parameters = (cosmology["H0"], cosmology["Om0"], cosmology["Ob0"])
    return np.sqrt(mass_solar) * _einstein_radius_of_the_sun(
        *parameters, z_lens, z_source, distances
    )


@lru_cache
def _einstein_radius_of_the_sun(hubble, omega_m, omega_b, z_lens, z_source, distances):
    """Einstein radius (arcsec) of one solar mass; cached, since astropy integrates distances."""
    if not 0 < z_lens < z_source:
        raise ValueError(f"redshifts: need 0 < lens < source, not {z_lens} and {z_source}")
    cosmology = FlatLambdaCDM(H0=hubble, Om0=omega_m, Ob0=omega_b)
    if distances == "luminosity":
        to_lens = cosmology.luminosity_distance(z_lens)
        to_source = cosmology.luminosity_distance(z_source)
        between = to_source - to_lens
    elif distances == "angular_diameter":
        to_lens = cosmology.angular_diameter_distance(z_lens)
        to_source = cosmology.angular_diameter_distance(z_source)
        apart = cosmology.comoving_distance(z_source) - cosmology.comoving_distance(z_lens)
        between = apart / (1 + z_source)  # true in a flat universe
    else:
        raise ValueError(f"distances: {distances!r} is not one of {', '.join(DISTANCES)}")
    squared = 4 * constants.G * constants.M_sun / constants.c**2 * between / (to_lens * to_source)
    return (np.sqrt(squared.to_value(units.dimensionless_unscaled)) * units.rad).to_value("arcsec")


# --- priors ---------------------------------------------------------------------------------------


def _uniform_quantile(bounds, u):
    low, high = bounds
    return low + (high - low) * u


def _log_uniform_quantile(bounds, u):
    low, high = bounds
    return low * (high / low) ** u


def _power_law_quantile(settings, u):
    """Inverse of the cumulative distribution of p(x) ~ x^index on [min, max]."""
    low, high, exponent = settings["min"], settings["max"], settings["index"] + 1
    if exponent == 0:
        return _log_uniform_quantile((low, high), u)
    return (low**exponent + (high**exponent - low**exponent) * u) ** (1 / exponent)


_QUANTILES: dict[str, Callable] = {
    "uniform": _uniform_quantile,
    "log_uniform": _log_uniform_quantile,
    "power_law": _power_law_quantile,
}


def quantile(prior, u):
    """Values of a prior at the cumulative probabilities `u`: uniform `u` make draws of the prior.

    Args:
        prior: a number (constant) or a one-key mapping {name: settings}, as `check_recipe` let
            pass.
        u: array of numbers in [0, 1].

    Returns:
        float64 array of the shape of `u`, growing with `u`.
    """
    if _is_number(prior):
        return np.full(np.shape(u), float(prior))
    ((name, settings),) = prior.items()
    return _QUANTILES[name](settings, np.asarray(u, dtype=np.float64))


# --- substructure ---------------------------------------------------------------------------------


class Substructure(NamedTuple):
    """Point masses of some images: log10 axion mass (images,); the rest (images, masses)."""

    log10_axion_mass: np.ndarray
    mass: np.ndarray
    x: np.ndarray
    y: np.ndarray


def _no_substructure(settings, u):
    nothing = np.empty((len(u), 0))
    return Substructure(np.full(len(u), np.nan), nothing, nothing, nothing)


def _point_masses(settings, u):
    """Subhaloes at polar coordinates around the image centre, each drawn on its own."""
    u = u.reshape(len(u), settings["count"], 3)
    radius = quantile(settings["radius"], u[..., 1])
    angle = quantile(settings["angle"], u[..., 2])
    return Substructure(
        log10_axion_mass=np.full(len(u), np.nan),
        mass=quantile(settings["mass"], u[..., 0]),
        x=radius * np.cos(angle),
        y=radius * np.sin(angle),
    )


def _vortex(settings, u):
    """A vortex of an axion condensate: equal point masses, evenly on a line through the centre.

    The model is that of Alexander et al. 2020 (arXiv:1909.07346); the half-length, inverse to the
    axion's mass as a de Broglie wavelength is, that of DeepLenseSim.
    """
    log10_axion_mass = quantile(settings["log10_axion_mass"], u[:, 1])
    half_length = (
        settings["half_length"] * settings["reference_axion_mass"] / 10.0**log10_axion_mass
    )
    angle = quantile(settings["angle"], u[:, 2])
    points = settings["points"]
    along = half_length[:, None] * np.linspace(-1, 1, points)
    each = quantile(settings["mass"], u[:, 0]) / points
    return Substructure(
        log10_axion_mass=log10_axion_mass,
        mass=np.repeat(each[:, None], points, axis=1),
        x=along * np.cos(angle)[:, None],
        y=along * np.sin(angle)[:, None],
    )


class _Kind(NamedTuple):
    """A kind of substructure: its settings in the recipe, and how it is drawn."""

    priors: tuple[str, ...]  # names of settings that are numbers or priors
    counts: tuple[str, ...]  # names of settings that are whole numbers from 1
    constants: tuple[str, ...]  # names of settings that are positive numbers
    draws: Callable[[Mapping], int]  # uniform numbers an image needs
    place: Callable[[Mapping, np.ndarray], Substructure]


_KINDS = {
    "none": _Kind((), (), (), lambda settings: 0, _no_substructure),
    "point_masses": _Kind(
        priors=("mass", "radius", "angle"),
        counts=("count",),
        constants=(),
        draws=lambda settings: 3 * settings["count"],
        place=_point_masses,
    ),
    "vortex": _Kind(
        priors=("mass", "log10_axion_mass", "angle"),
        counts=("points",),
        constants=("half_length", "reference_axion_mass"),
        draws=lambda settings: 3,
        place=_vortex,
    ),
}


# --- the recipe's errors --------------------------------------------------------------------------


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
    _check_keys(dataset, recipe, "", _RECIPE_KEYS, optional=["title"])
    if recipe["source"] != "simulation":
        raise ValueError(f"{dataset}: source: {recipe['source']!r} is not 'simulation'")
    if not _is_whole(recipe["seed"], least=0):
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
    _check_instrument(dataset, recipe)
    _check_scalars(dataset, recipe)
    _check_substructure(dataset, recipe["substructure"])


def _check_instrument(dataset, recipe):
    positive = ["pixel_scale", "psf_fwhm", "psf_truncation"]
    _check_keys(
        dataset,
        recipe["instrument"],
        "instrument",
        ["pixels", *positive, "zero_point", "exposure_time", "background_rms"],
    )
    instrument = recipe["instrument"]
    if not _is_whole(instrument["pixels"], least=1):
        raise ValueError(
            f"{dataset}: instrument.pixels: {instrument['pixels']!r} is not a whole number from 1"
        )
    for key in positive:
        _check_positive(dataset, f"instrument.{key}", instrument[key])
    for key in ("zero_point", "background_rms"):
        if instrument[key] is not None and not _is_number(instrument[key]):
            raise ValueError(
                f"{dataset}: instrument.{key}: {instrument[key]!r} is neither a number nor null"
            )


def _check_scalars(dataset, recipe):
    """Check the priors of lens, source and exposure time."""
    lens = [key for section, key in _SCALARS.values() if section == "lens"]
    source = [key for section, key in _SCALARS.values() if section == "source_light"]
    brightness = ["amplitude", "magnitude"]
    _check_keys(dataset, recipe["lens"], "lens", lens)
    _check_keys(dataset, recipe["source_light"], "source_light", source, optional=brightness)
    given = [key for key in brightness if key in recipe["source_light"]]
    if len(given) != 1:
        raise ValueError(f"{dataset}: source_light: give one of amplitude and magnitude")
    if given == ["magnitude"] and recipe["instrument"]["zero_point"] is None:
        raise ValueError(f"{dataset}: instrument.zero_point: null, but the source has a magnitude")
    for column, (section, key) in _SCALARS.items():
        if key in recipe[section]:
            _check_prior(
                dataset, f"{section}.{key}", recipe[section][key], positive=column in _POSITIVE
            )
    for section in ("lens", "source_light"):
        ends = [quantile(recipe[section][key], np.array([0, 1])) for key in ("e1", "e2")]
        if np.hypot(*np.abs(ends).max(axis=1)) >= 1:
            raise ValueError(f"{dataset}: {section}: ellipticity (e1, e2) must be less than 1")


def _check_substructure(dataset, substructure):
    _check_keys(dataset, substructure, "substructure", CLASSES)
    for label in CLASSES:
        where = f"substructure.{label}"
        settings = substructure[label]
        if not isinstance(settings, Mapping) or "kind" not in settings:
            raise ValueError(f"{dataset}: {where}.kind: missing")
        if settings["kind"] not in tuple(_KINDS):
            raise ValueError(
                f"{dataset}: {where}.kind: {settings['kind']!r} is not one of {', '.join(_KINDS)}"
            )
        kind = _KINDS[settings["kind"]]
        _check_keys(dataset, settings, where, ["kind", *kind.priors, *kind.counts, *kind.constants])
        for key in kind.priors:
            _check_prior(dataset, f"{where}.{key}", settings[key], positive=key == "mass")
        for key in kind.constants:
            _check_positive(dataset, f"{where}.{key}", settings[key])
        for key in kind.counts:
            if not _is_whole(settings[key], least=1):
                raise ValueError(
                    f"{dataset}: {where}.{key}: {settings[key]!r} is not a whole number from 1"
                )


def _check_prior(dataset, where, prior, positive):
    if isinstance(prior, Mapping):
        _check_distribution(dataset, where, prior)
    elif not _is_number(prior):
        raise ValueError(
            f"{dataset}: {where}: {prior!r} is neither a number (write 1.0e+12, not 1e12) nor a"
            f" prior ({', '.join(_QUANTILES)})"
        )
    if positive and quantile(prior, np.zeros(1))[0] <= 0:
        raise ValueError(f"{dataset}: {where}: {prior!r} must be greater than 0")


def _check_distribution(dataset, where, prior):
    name = next(iter(prior), None)
    if len(prior) != 1 or name not in _QUANTILES:
        raise ValueError(
            f"{dataset}: {where}: unknown prior {' and '.join(map(repr, prior)) or '{}'}, use one"
            f" of {', '.join(_QUANTILES)}"
        )
    settings = prior[name]
    where = f"{where}.{name}"
    if name == "power_law":
        _check_keys(dataset, settings, where, ["index", "min", "max"])
        numbers = [settings["min"], settings["max"], settings["index"]]
    elif isinstance(settings, (list, tuple)) and len(settings) == 2:
        numbers = list(settings)
    else:
        raise ValueError(f"{dataset}: {where}: {settings!r} is not [lowest, highest]")
    if not all(map(_is_number, numbers)):
        raise ValueError(
            f"{dataset}: {where}: {settings!r} holds what is no number (write 1.0e+6, not 1e6)"
        )
    low, high = numbers[:2]
    if low > high or (name != "uniform" and low <= 0):
        least = "" if name == "uniform" else "0 < "
        raise ValueError(f"{dataset}: {where}: {settings!r}, need {least}lowest <= highest")


def _check_positive_section(dataset, recipe, section, keys):
    """A section holds exactly these keys, each a positive number."""
    _check_keys(dataset, recipe[section], section, keys)
    for key in keys:
        _check_positive(dataset, f"{section}.{key}", recipe[section][key])


def _check_positive(dataset, where, value):
    if not _is_number(value) or value <= 0:
        raise ValueError(f"{dataset}: {where}: {value!r} is not a number greater than 0")


def _check_keys(dataset, settings, where, known, optional=()):
    """The keys of `known` stand in `settings`, no others; those of `optional` may lack."""
    prefix = f"{where}." if where else ""
    if not isinstance(settings, Mapping):
        raise ValueError(f"{dataset}: {where or 'recipe'}: {settings!r} is not a mapping")
    for key in known:
        if key not in settings and key not in optional:
            raise ValueError(f"{dataset}: {prefix}{key}: missing")
    for key in settings:
        if key not in known:
            raise ValueError(f"{dataset}: {prefix}{key}: unknown key")


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


# --- the table ------------------------------------------------------------------------------------


def draw_catalogue(dataset: str, recipe: Mapping, split: str, size: int) -> pd.DataFrame:
    """Draw the parameters of `size` images of one split.

    Args:
        dataset: name, used in the image ids and in errors.
        recipe: the data set's entry of `config/datasets.yaml`.
        split: "train", "validation" or "test".
        size: number of images; image i is of class CLASSES[i % 3].

    Returns:
        A table with a row an image and the columns of `COLUMNS`. Einstein radii follow from the
        masses by the recipe's distances, before its deflection scale. The subhalo columns hold
        float64 arrays, empty without substructure; `log10_axion_mass` (eV) is NaN without an
        axion; of source_amplitude and source_magnitude, the one the recipe does not give is NaN.

    Raises:
        ValueError: a recipe, split or size that cannot be drawn.
    """
    check_recipe(dataset, recipe)
    if split not in SPLIT_KEYS:
        raise ValueError(f"{dataset}: split {split!r} is not one of {', '.join(SPLIT_KEYS)}")
    if not _is_whole(size, least=0):
        raise ValueError(f"{dataset}: size of {split}: {size!r} is not a whole number from 0")

    # Classes take turns, so that the first n images of a split are balanced for every n.
    frame = pd.concat([_draw_class(recipe, split, label, size) for label in CLASSES]).sort_index()
    frame.insert(0, "image_id", [f"{dataset}-{split}-{i:07d}" for i in frame.index])
    return frame.reset_index(drop=True)[list(COLUMNS)]


def _draw_class(recipe, split, label, size):
    """The rows of one class, indexed by their place in the split."""
    rows = range(CLASSES.index(label), size, len(CLASSES))
    settings = recipe["substructure"][label]
    kind = _KINDS[settings["kind"]]
    noise_seed, u = _row_draws(recipe["seed"], split, rows, len(_SCALARS) + kind.draws(settings))

    columns = {
        column: quantile(recipe[section][key], u[:, k]) if key in recipe[section] else np.nan
        for k, (column, (section, key)) in enumerate(_SCALARS.items())
    }
    substructure = kind.place(settings, u[:, len(_SCALARS) :])
    redshifts = recipe["redshifts"]

    def radius(mass):
        return einstein_radius(
            mass, recipe["cosmology"], redshifts["lens"], redshifts["source"], recipe["distances"]
        )

    columns |= {
        "label": [label] * len(rows),
        "einstein_radius": radius(columns.pop("lens_mass")),
        "log10_axion_mass": substructure.log10_axion_mass,
        "subhalo_mass": list(substructure.mass),
        "subhalo_einstein_radius": list(radius(substructure.mass)),
        "subhalo_x": list(substructure.x),
        "subhalo_y": list(substructure.y),
        "noise_seed": noise_seed,
    }
    return pd.DataFrame(columns, index=rows)


def _row_draws(seed, split, rows, draws):
    """Noise seed, int64 (rows,), and uniform numbers in [0, 1), (rows, draws), of each row."""
    noise_seed = np.empty(len(rows), dtype=np.int64)
    u = np.empty((len(rows), draws))
    for k, row in enumerate(rows):
        sequence = np.random.SeedSequence(entropy=seed, spawn_key=(SPLIT_KEYS[split], row))
        generator = np.random.default_rng(sequence)
        noise_seed[k] = generator.integers(2**63)
        u[k] = generator.random(draws)
    return noise_seed, u


def write_catalogue(frame: pd.DataFrame, path) -> None:
    """Write a catalogue as Parquet, whole or not at all.

    Columns of `COLUMNS` get the types written there, others the type of their values.
    """
    table = pa.table({name: pa.array(frame[name], type=COLUMNS.get(name)) for name in frame})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def read_catalogue(path) -> pd.DataFrame:
    """Read a catalogue; list columns come back as float64 arrays."""
    return pd.read_parquet(path)
