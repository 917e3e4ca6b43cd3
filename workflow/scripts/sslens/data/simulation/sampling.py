"""The catalogue of a simulated data set: every image's parameters, drawn from the recipe's priors.

A catalogue is a table with a row an image. Reading it is reading the data set: rendering a row
(see `rendering`) draws nothing that the row does not fix. Every random draw of a row comes
from a generator of its own, seeded by (seed of the recipe, split, index of the row), so a larger
split leaves the rows it had as they were. Recipes are explained in `config/datasets.yaml`.

Angles on the sky are in arcsec, masses in solar masses, times in seconds.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
from astropy import constants, units
from astropy.cosmology import FlatLambdaCDM

from sslens.classes import CLASSES
from sslens.data.catalogue import COLUMNS
from sslens.data.simulation.priors import quantile
from sslens.data.simulation.recipes import DISTANCES, SCALARS, check_recipe, class_turns
from sslens.data.simulation.substructure import KINDS
from sslens.groups import first_of_group
from sslens.schemas import Mistakes, is_whole

# Part of every row's seed: a number here never changes, or the split it names would.
SPLIT_KEYS = {"train": 0, "validation": 1, "test": 2}
#: Splits whose images all show a lens and a substructure of their own, since the intervals and
#: tests of the tables take images for independent.
INDEPENDENT = ("test",)


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


# --- the table ------------------------------------------------------------------------------------


def draw_catalogue(
    dataset: str, recipe: Mapping, split: str, size: int, first: int = 0
) -> pd.DataFrame:
    """Draw the parameters of `size` images of one split, from its image `first` on.

    Args:
        dataset: name, used in the image ids and in errors.
        recipe: the data set's entry of `config/datasets.yaml`.
        split: "train", "validation" or "test".
        size: number of images; they take turns in class (see `recipes.class_turns`).
        first: index of the first of them.

    Returns:
        A table with one row per image and the columns of `COLUMNS`. Images of one lens have its
        `lens_id`, which is the id of the first of them; in a split of `INDEPENDENT` each image
        shows a lens and a substructure of its own. Einstein radii are before the recipe's
        deflection scale; `sie_einstein_radius` is that of the smooth lens alone, which has less
        than the `einstein_radius` of the whole if the recipe takes the substructure's mass from
        the lens. `shown_einstein_radius` is `einstein_radius` times the deflection scale;
        `substructure_mass` the mass of the point masses within it, `substructure_fraction`
        its share of all mass there, and `point_masses` the number of all point masses. The subhalo
        columns hold float64 arrays, empty without substructure; `log10_axion_mass` (eV) is NaN
        without an axion; of source_amplitude and source_magnitude, the one the recipe does not give
        is NaN.

    Raises:
        ValueError: a recipe, split or size that cannot be drawn.
    """
    mistakes = Mistakes({dataset: recipe})
    check_recipe(mistakes, (dataset,))
    if lines := mistakes.lines():
        raise ValueError("\n".join(lines))
    if split not in SPLIT_KEYS:
        raise ValueError(f"{dataset}: split {split!r} is not one of {', '.join(SPLIT_KEYS)}")
    if not is_whole(size, least=0) or not is_whole(first, least=0):
        raise ValueError(
            f"{dataset}: {split}: {size!r} images from {first!r} on: not whole numbers from 0"
        )

    # Classes take turns, so that the first n images of a split are balanced for every n.
    turns = class_turns(recipe["class_shares"])
    rows = range(first, first + size)
    rows_of = {name: [row for row in rows if turns[row % len(turns)] == name] for name in CLASSES}
    frame = pd.concat(
        [_draw_class(recipe, split, label, rows_of[label], len(turns)) for label in CLASSES]
    ).sort_index()
    frame["image_id"] = [f"{dataset}-{split}-{i:07d}" for i in frame.index]
    frame["lens_id"] = [f"{dataset}-{split}-{i:07d}" for i in frame.pop("lens_row").astype(int)]
    return frame.reset_index(drop=True)[list(COLUMNS)]


def _draw_class(recipe, split, label, rows, period):
    """The rows of one class, indexed by their place in the split; turns repeat after a period."""
    settings = recipe["substructure"][label]
    kind = KINDS[settings["kind"]]
    draws = len(SCALARS) + kind.draws(settings)
    noise_seed, u = _row_draws(recipe["seed"], split, rows, draws)

    # a class's images take turns with the others', and so do those of one lens or substructure
    per_lens = per_substructure = 1
    if split not in INDEPENDENT:
        per_lens = recipe["images_per_lens"]
        per_substructure = per_lens * recipe["lenses_per_substructure"]
    lens_rows, substructure_rows = (
        [first_of_group(row, period, size) for row in rows] for size in (per_lens, per_substructure)
    )
    sections = [section for section, _ in SCALARS.values()]
    sections += ["substructure"] * kind.draws(settings)
    for section, first in (("lens", lens_rows), ("substructure", substructure_rows)):
        if first != list(rows):
            _, shared = _row_draws(recipe["seed"], split, first, draws)
            u = np.where([own == section for own in sections], shared, u)

    columns = {
        column: quantile(recipe[section][key], u[:, k]) if key in recipe[section] else np.nan
        for k, (column, (section, key)) in enumerate(SCALARS.items())
    }
    if "mass" in recipe["lens"]:
        masses = quantile(recipe["lens"]["mass"], u[:, list(SCALARS).index("einstein_radius")])
        columns["einstein_radius"] = _radius(recipe, masses)
    substructure = kind.place(settings, u[:, len(SCALARS) :])
    columns |= {
        "label": [label] * len(rows),
        "lens_row": lens_rows,
        "log10_axion_mass": substructure.log10_axion_mass,
        "noise_seed": noise_seed,
    }
    subhaloes = _subhalo_columns(recipe, substructure)
    frame = pd.DataFrame(columns | subhaloes, index=rows)
    frame["sie_einstein_radius"] = frame["einstein_radius"]
    if recipe["substructure_mass"] == "from_lens" and len(frame):
        shown = _shown_radius(recipe, frame)
        frame["sie_einstein_radius"] = [
            _sie_einstein_radius(row, radius)
            for row, radius in zip(frame.to_dict("records"), shown, strict=True)
        ]
    return frame.assign(**_substructure_columns(recipe, frame))


def _radius(recipe, mass):
    """Einstein radius of a mass by a recipe's distances."""
    redshifts = recipe["redshifts"]
    return einstein_radius(
        mass, recipe["cosmology"], redshifts["lens"], redshifts["source"], recipe["distances"]
    )


def _subhalo_columns(recipe, substructure):
    """Lists of the point masses of every image."""
    there = substructure.mass > 0
    columns = {
        "subhalo_mass": substructure.mass,
        "subhalo_einstein_radius": _radius(recipe, substructure.mass),
        "subhalo_x": substructure.x,
        "subhalo_y": substructure.y,
    }
    return {
        name: [row[mask] for row, mask in zip(values, there, strict=True)]
        for name, values in columns.items()
    }


def _substructure_columns(recipe, frame):
    """Numbers of each image that follow from others: its ring as shown, and what is in that.

    The mass of the smooth lens within a radius goes as that radius, as of any isothermal lens, and
    within its Einstein radius it is that of the point mass with the same one.
    """
    shown = _shown_radius(recipe, frame).to_numpy()
    inside = [
        row["subhalo_mass"][_inside(row, radius)].sum()
        for row, radius in zip(frame.to_dict("records"), shown, strict=True)
    ]
    clumpy = np.array(inside, float)
    smooth = frame["sie_einstein_radius"].to_numpy() * shown / _radius(recipe, 1.0) ** 2
    return {
        "shown_einstein_radius": shown,
        "substructure_mass": clumpy,
        "substructure_fraction": clumpy / (clumpy + smooth),
        "point_masses": [float(len(masses)) for masses in frame["subhalo_mass"]],
    }


def _inside(row, radius):
    """Which point masses of a row are within a radius around its lens."""
    away = np.hypot(row["subhalo_x"] - row["lens_x"], row["subhalo_y"] - row["lens_y"])
    return away < radius


def _shown_radius(recipe, frame):
    """Einstein radii as the images show them, but for the substructure's."""
    return recipe["deflection_scale"] * frame["einstein_radius"]


def _sie_einstein_radius(row, shown):
    """Of the smooth lens, so that with the point masses inside the ring the ring is what it was.

    Before the recipe's deflection scale s, as all radii but the ring's R, `shown`. The mass inside
    R makes the ring: s sie R of the smooth lens, since the mass of an isothermal one grows with the
    radius, and s times the squares of the point masses' radii. Without substructure that is R^2,
    with R = s einstein_radius. What lies outside does not count, as for any mass around the centre.
    """
    inside = _inside(row, shown)
    radius = row["einstein_radius"] - np.sum(row["subhalo_einstein_radius"][inside] ** 2) / shown
    if radius <= 0:
        raise ValueError(
            f"substructure_mass: from_lens, but an image of class {row['label']} has more mass in "
            "its substructure than in its lens: lower the masses under substructure"
        )
    return radius


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
