"""Recipes of simulated data sets: what is wrong with one.

Recipes are explained in `config/datasets.yaml`, their keys in `recipe.schema.yaml`. This module is
read whenever the workflow is, so it stays free of what is slow to import.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sslens.classes import CLASSES
from sslens.data.simulation.priors import DISTRIBUTIONS, support
from sslens.schemas import Mistakes, Place, load_schema

SCHEMA = Path(__file__).with_name("recipe.schema.yaml")
DISTANCES = ("luminosity", "angular_diameter")
LOG10_AXION_MASSES = (-30, -10)  # of a mass in eV; DeepLense's are -24 to -22
MOST_DEVIATIONS = 30  # beyond some 38 of them, a normal distribution has a probability of 0
# Functions of rendering.py -> what they need to know of the instrument.
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


def class_turns(shares: Mapping[str, int]) -> list[str]:
    """The classes of the first images of a split, after which they repeat.

    Args:
        shares: how many of each class there are among them.

    Returns:
        As many classes as the shares have together, each spread over them as evenly as can be:
        every image is of the class that is furthest behind its share.
    """
    turns: list[str] = []
    period = sum(shares.values())
    for image in range(1, period + 1):
        behind = {name: shares[name] * image - period * turns.count(name) for name in CLASSES}
        turns.append(max(behind, key=behind.__getitem__))
    return turns


def count_classes(shares: Mapping[str, int], images: int) -> dict[str, int]:
    """How many of the first images of a split are of each class."""
    turns = class_turns(shares)
    rest = turns[: images % len(turns)]
    return {name: images // len(turns) * turns.count(name) + rest.count(name) for name in CLASSES}


def check_recipe(mistakes: Mistakes, place: Place) -> None:
    """Check a recipe: each key by the schema, and that its values fit together.

    Args:
        mistakes: the checks of a content that holds the recipe; mistakes are added to it.
        place: of the recipe in that content.
    """
    mistakes.check_schema(place, load_schema(SCHEMA))
    recipe = mistakes.at(*place)

    def is_sound(*key: str) -> bool:
        return mistakes.is_sound((*place, *key))

    def add(key: Place, problem: str) -> None:
        mistakes.add((*place, *key), problem)

    for key, prior in _priors(recipe):
        # the schema has no settings of a kind of substructure that there is not
        is_checked = is_sound(*key) and is_sound(*key[:-2], "kind")
        if is_checked and support(prior)[0] > support(prior)[1]:
            add(key, f"{prior[key[-1]]}; give the lowest value before the highest")
        elif is_checked and key[-1] == "truncated_normal" and _is_out_of_reach(prior[key[-1]]):
            problem = f"{prior[key[-1]]}; the mean is too far from the range to draw from"
            add(key, f"{problem}, take a uniform distribution")
    if is_sound("redshifts") and recipe["redshifts"]["lens"] >= recipe["redshifts"]["source"]:
        lens, source = recipe["redshifts"]["lens"], recipe["redshifts"]["source"]
        add(("redshifts",), f"the lens ({lens}) must be nearer than the source ({source})")
    for section, one, other in (
        ("lens", "einstein_radius", "mass"),
        ("source_light", "amplitude", "magnitude"),
    ):
        if is_sound(section):
            ends = [support(recipe[section][key]) for key in ("e1", "e2")]
            if math.hypot(*(max(map(abs, end)) for end in ends)) >= 1:
                add((section,), "ellipticity (e1, e2) must be less than 1")
            if (one in recipe[section]) == (other in recipe[section]):
                add((section,), f"give one of {one} and {other}")
    if is_sound("lens"):
        shears = [support(recipe["lens"][key]) for key in ("gamma1", "gamma2")]
        if math.hypot(*(max(map(abs, end)) for end in shears)) >= 1:
            add(("lens",), "shear (gamma1, gamma2) must be less than 1")
    scale = recipe["deflection_scale"] if is_sound("deflection_scale") else 1
    if is_sound("lens") and "einstein_radius" in recipe["lens"] and scale != 1:
        problem = f"{scale} would change the given lens.einstein_radius as well; set it to 1"
        add(("deflection_scale",), problem)
    scale = recipe["image_scale"] if is_sound("image_scale") else 1
    if is_sound("noise") and recipe["noise"] == "instrument" and scale != 1:
        problem = f"{scale} would change the flux of a source with instrument noise; set it to 1"
        add(("image_scale",), problem)
    if is_sound("instrument"):
        for key, problem in _out_of_sight(recipe, is_sound):
            add(key, problem)
    groups = ("images_per_lens", "lenses_per_substructure")
    if all(map(is_sound, groups)) and all(recipe[key] > 1 for key in groups):
        add(groups[1:], f"{groups[0]} is above 1 as well; set one of them to 1")
    if is_sound("class_shares") and not any(recipe["class_shares"].values()):
        add(("class_shares",), "no class has images; give one of them more than 0")
    keys = NOISES[recipe["noise"]] if is_sound("noise") else ()
    missing = [
        f"instrument.{key}"
        for key in keys
        if is_sound("instrument", key) and recipe["instrument"].get(key) is None
    ]
    if missing:
        problem = f"{recipe['noise']} needs {', '.join(missing)}; give a number, not null"
        add(("noise",), problem)
    elif (
        is_sound("source_light", "magnitude")
        and is_sound("instrument", "zero_point")
        and "magnitude" in recipe["source_light"]
        and recipe["instrument"]["zero_point"] is None
    ):
        add(("instrument", "zero_point"), "null, but the source has a magnitude; give a number")


def _out_of_sight(recipe: Mapping, is_sound: Callable[..., bool]) -> Iterator[tuple[Place, str]]:
    """Sizes and places that no image of a recipe can show: mostly numbers in another unit."""
    pixel = recipe["instrument"]["pixel_scale"]
    half = recipe["instrument"]["pixels"] * pixel / 2
    image = f"an image reaches {half:.3g} arcsec from its middle"
    if is_sound("lens") and support(recipe["lens"].get("einstein_radius", 0))[0] > half:
        yield ("lens", "einstein_radius"), f"no ring would be seen, since {image}"
    light = ("source_light", "R_sersic")
    if is_sound(*light) and (most := support(recipe["source_light"]["R_sersic"])[1]) < pixel / 2:
        problem = f"at most {most:.3g} arcsec, less than half a pixel of {pixel:.3g}"
        yield light, f"{problem}, which images of one ray for each pixel cannot show"
    for name in CLASSES:
        place: Place = ("substructure", name)
        if not is_sound(*place):
            continue
        clumps = recipe["substructure"][name]
        if clumps["kind"] == "point_masses" and support(clumps["radius"])[0] > half * 2**0.5:
            yield (*place, "radius"), f"no point mass would be seen, since {image}"
        if clumps["kind"] != "vortex":
            continue
        for key in ("x", "y"):
            low, high = support(clumps[key])
            if max(high, -low) > half:
                yield (*place, key), f"not every vortex would be seen, since {image}"
        low, high = support(clumps["log10_axion_mass"])
        if low < LOG10_AXION_MASSES[0] or high > LOG10_AXION_MASSES[1]:
            problem = "is not between {} and {}: it is log10 of the mass in eV, such as -23"
            yield (*place, "log10_axion_mass"), problem.format(*LOG10_AXION_MASSES)


def _is_out_of_reach(settings: Mapping) -> bool:
    """Whether a normal distribution has nothing in its range, as 64 bits hold probabilities."""
    low, high = (settings[end] - settings["mean"] for end in ("min", "max"))
    return max(low, -high) > MOST_DEVIATIONS * settings["sd"]


def _priors(content: Any, place: Place = ()) -> Iterator[tuple[Place, Mapping]]:
    """The distributions in a recipe, each after the place of its settings."""
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, Mapping) and len(value) == 1 and {*value} <= {*DISTRIBUTIONS}:
            yield (*place, key, *value), value
        else:
            yield from _priors(value, (*place, key))
