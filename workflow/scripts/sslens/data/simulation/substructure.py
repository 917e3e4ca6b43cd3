"""Kinds of dark-matter substructure: the point masses that an image's lens is made clumpy with.

The functions of a kind take its settings in the recipe and uniform numbers u in [0, 1), (images,
draws), as many of each image as the kind says.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from sslens.data.simulation.priors import quantile


class Substructure(NamedTuple):
    """Point masses of some images: log10 axion mass in eV (images,); the rest (images, masses).

    Masses are in solar masses, x and y in arcsec. A mass of zero is none: images need not have the
    same number.
    """

    log10_axion_mass: np.ndarray
    mass: np.ndarray
    x: np.ndarray
    y: np.ndarray


def _no_substructure(settings, u):
    nothing = np.empty((len(u), 0))
    return Substructure(np.full(len(u), np.nan), nothing, nothing, nothing)


def _point_masses(settings, u):
    """Subhaloes at polar coordinates around the image centre, each drawn on its own."""
    count = settings["count"]
    if isinstance(count, Mapping):
        cumulative = _poisson_cumulative(count["poisson"])
        there = np.arange(len(cumulative)) < np.searchsorted(cumulative, u[:, -1:])
        u = u[:, :-1]
    else:
        there = np.ones((len(u), count), bool)
    u = u.reshape(*there.shape, 3)
    radius = quantile(settings["radius"], u[..., 1])
    angle = quantile(settings["angle"], u[..., 2])
    return Substructure(
        log10_axion_mass=np.full(len(u), np.nan),
        mass=np.where(there, quantile(settings["mass"], u[..., 0]), 0.0),
        x=radius * np.cos(angle),
        y=radius * np.sin(angle),
    )


def _point_mass_draws(settings):
    count = settings["count"]
    if isinstance(count, Mapping):
        return 3 * len(_poisson_cumulative(count["poisson"])) + 1  # and one for the count
    return 3 * count


def _poisson_cumulative(mean):
    """Probability of at most k = 0, 1, ... of a Poisson count, as far as anybody may draw."""
    k = np.arange(1, math.ceil(mean + 9 * math.sqrt(mean) + 20))
    probability = np.exp(-mean + np.concatenate([[0.0], np.cumsum(np.log(mean / k))]))
    return np.cumsum(probability)


def _vortex(settings, u):
    """A vortex of an axion condensate: equal point masses, evenly on a line around (x, y).

    The model is that of Alexander et al. 2020 (arXiv:1909.07346); the half-length, inverse to the
    axion's mass as a de Broglie wavelength is, that of DeepLenseSim.
    """
    log10_axion_mass = quantile(settings["log10_axion_mass"], u[:, 1])
    half_length = (
        settings["half_length"] * settings["reference_axion_mass"] / 10.0**log10_axion_mass
    )
    angle = quantile(settings["angle"], u[:, 2])
    points = settings["points"]
    along = half_length[:, None] * (np.linspace(-1, 1, points) if points > 1 else np.zeros(1))
    each = quantile(settings["mass"], u[:, 0]) / points
    return Substructure(
        log10_axion_mass=log10_axion_mass,
        mass=np.repeat(each[:, None], points, axis=1),
        x=quantile(settings["x"], u[:, 3])[:, None] + along * np.cos(angle)[:, None],
        y=quantile(settings["y"], u[:, 4])[:, None] + along * np.sin(angle)[:, None],
    )


class Kind(NamedTuple):
    """How a kind of substructure is drawn; `recipe.schema.yaml` has its settings."""

    draws: Callable[[Mapping], int]  # uniform numbers an image needs
    place: Callable[[Mapping, np.ndarray], Substructure]


KINDS = {
    "none": Kind(lambda settings: 0, _no_substructure),
    "point_masses": Kind(_point_mass_draws, _point_masses),
    "vortex": Kind(lambda settings: 5, _vortex),
}
