"""Images of strong lenses: a catalogue's row becomes an image, rendered with lenstronomy.

The lens is a singular isothermal ellipsoid with external shear and point masses in one plane, the
source an elliptical Sersic profile. Every pixel is one ray through its centre (as in DeepLenseSim:
no supersampling), and the image is convolved with a Gaussian PSF. Nothing is random but the noise,
and that follows from the row's `noise_seed`. Recipes are explained in `config/datasets.yaml`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from lenstronomy.Data.pixel_grid import PixelGrid
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.Numerics.numerics import Numerics
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util import data_util, util

SMOOTH_LENS = LensModel(["SIE", "SHEAR"])
SOURCE = LightModel(["SERSIC_ELLIPSE"])

# lenstronomy's PointMass holds the distance from a point mass at or above this (arcsec).
_POINT_MASS_MINIMUM_RADIUS = 1e-25


class Camera(NamedTuple):
    """What is the same in all images of a recipe: pixels and PSF.

    x, y: positions of the columns and rows of pixels, arcsec, (pixels,) each.
    """

    numerics: Numerics
    x: np.ndarray
    y: np.ndarray


def camera(instrument: Mapping) -> Camera:
    """Build pixel grid, centred on the lens plane's origin, and PSF of an instrument."""
    pixels, scale = instrument["pixels"], instrument["pixel_scale"]
    _, _, ra_corner, dec_corner, _, _, to_angle, _ = util.make_grid_with_coordtransform(
        num_pix=pixels, delta_pix=scale, inverse=False
    )
    grid = PixelGrid(pixels, pixels, to_angle, ra_corner, dec_corner)
    psf = PSF(
        "GAUSSIAN",
        fwhm=instrument["psf_fwhm"],
        truncation=instrument["psf_truncation"],
        pixel_size=scale,
    )
    numerics = Numerics(pixel_grid=grid, psf=psf, supersampling_factor=1)
    x, y = (position.reshape(pixels, pixels) for position in numerics.coordinates_evaluate)
    return Camera(numerics, x[0], y[:, 0])


# --- physics --------------------------------------------------------------------------------------


def point_mass_deflection(x, y, einstein_radii, centres_x, centres_y):
    """Deflection by point masses: sum_i theta_E,i^2 (theta - theta_i) / |theta - theta_i|^2.

    The same as lenstronomy's POINT_MASS for one after the other, in a fraction of the time: on the
    axes of a grid most of the work is done a row and a column instead of a pixel.

    Args:
        x, y: the axes of a regular grid, arcsec, (columns,) and (rows,).
        einstein_radii, centres_x, centres_y: of the point masses, arcsec, (masses,).

    Returns:
        alpha_x, alpha_y: arcsec, (rows, columns).
    """
    shape = len(y), len(x)
    alpha_x, alpha_y = np.zeros(shape), np.zeros(shape)
    weight, step = np.empty(shape), np.empty(shape)
    for theta_e, centre_x, centre_y in zip(einstein_radii, centres_x, centres_y, strict=True):
        dx = x - centre_x
        dy = (y - centre_y)[:, None]
        # No pixel is at distance zero, so one right on a point mass is not deflected.
        dx_squared = np.maximum(dx**2, _POINT_MASS_MINIMUM_RADIUS**2)
        np.add(dx_squared, dy**2, out=weight)
        np.divide(theta_e**2, weight, out=weight)
        alpha_x += np.multiply(weight, dx, out=step)
        alpha_y += np.multiply(weight, dy, out=step)
    return alpha_x, alpha_y


def deflection(x, y, row: Mapping):
    """Deflection angle by the lens of a catalogue row, on a regular grid.

    Args:
        x, y: the axes of the grid, arcsec, (columns,) and (rows,).
        row: a row of a catalogue.

    Returns:
        alpha_x, alpha_y: arcsec, (rows, columns).
    """
    smooth = [
        {
            "theta_E": row["sie_einstein_radius"],
            "e1": row["lens_e1"],
            "e2": row["lens_e2"],
            "center_x": row["lens_x"],
            "center_y": row["lens_y"],
        },
        {"gamma1": row["gamma1"], "gamma2": row["gamma2"]},
    ]
    smooth_x, smooth_y = SMOOTH_LENS.alpha(*np.meshgrid(x, y), smooth)
    clumps_x, clumps_y = point_mass_deflection(
        x, y, row["subhalo_einstein_radius"], row["subhalo_x"], row["subhalo_y"]
    )
    return smooth_x + clumps_x, smooth_y + clumps_y


def source_profile(row: Mapping, zero_point: float | None) -> dict:
    """lenstronomy's parameters of a row's source; a magnitude needs the zero point (mag)."""
    profile = {
        "R_sersic": row["source_R_sersic"],
        "n_sersic": row["source_n_sersic"],
        "e1": row["source_e1"],
        "e2": row["source_e2"],
        "center_x": row["source_x"],
        "center_y": row["source_y"],
    }
    if not np.isnan(row["source_amplitude"]):
        return profile | {"amp": row["source_amplitude"]}
    if np.isnan(row["source_magnitude"]) or zero_point is None:
        raise ValueError(
            f"{row['image_id']}: needs a source_amplitude, or a source_magnitude and a zero point"
        )
    with_magnitude = [profile | {"magnitude": row["source_magnitude"]}]
    return data_util.magnitude2amplitude(SOURCE, with_magnitude, zero_point)[0]


# --- noise ----------------------------------------------------------------------------------------


def _no_noise(image, exposure_time, instrument, generator):
    return image


def _published_double_poisson(image, exposure_time, instrument, generator):
    """Integer counts with the noise of the published Model I images.

    Shot noise is put on twice: as a Gaussian of variance |I| / t beside the background, and again
    by drawing the counts.
    """
    shot = generator.normal(size=image.shape) * np.sqrt(np.abs(image) / exposure_time)
    background = generator.normal(scale=instrument["background_rms"], size=image.shape)
    expected = exposure_time * (image + shot + background)
    return generator.poisson(expected.clip(min=0))


def _instrument_noise(image, exposure_time, instrument, generator):
    """The noise of a camera that counts electrons, in electrons / s, its mean sky taken off.

    Shot noise of source and sky, and the readings' (as lenstronomy's `bkg_noise`, where the
    counts are Gaussian). The exposure time is that of all exposures together.
    """
    sky = 10 ** (0.4 * (instrument["zero_point"] - instrument["sky_brightness"]))  # per arcsec^2
    sky *= exposure_time * instrument["pixel_scale"] ** 2
    electrons = generator.poisson(exposure_time * image.clip(min=0) + sky)
    readings = np.sqrt(instrument["exposures"]) * instrument["read_noise"]
    return (electrons + generator.normal(scale=readings, size=image.shape) - sky) / exposure_time


# Functions of (image in counts / s / pixel, exposure time in s, instrument, numpy Generator).
NOISE: dict[str, Callable] = {
    "none": _no_noise,
    "published_double_poisson": _published_double_poisson,
    "instrument": _instrument_noise,
}


# --- images ---------------------------------------------------------------------------------------


def render(row: Mapping, recipe: Mapping) -> np.ndarray:
    """Render one row of a catalogue; see `render_all`."""
    return _render(row, recipe, camera(recipe["instrument"]))


def render_all(frame: pd.DataFrame, recipe: Mapping) -> Iterator[np.ndarray]:
    """Render the rows of a catalogue one by one.

    Args:
        frame: rows of a catalogue (`sslens.catalogue.draw_catalogue`).
        recipe: the recipe that they were drawn from.

    Yields:
        For each row the image, float32 (pixels, pixels): counts / s, or integer counts if its
        noise makes such.

    Raises:
        ValueError: unknown noise, a source without brightness, a row with parameters that are
            not finite.
    """
    view = camera(recipe["instrument"])
    for row in frame.to_dict("records"):
        yield _render(row, recipe, view)


def _render(row, recipe, view: Camera) -> np.ndarray:
    instrument = recipe["instrument"]
    if recipe["noise"] not in NOISE:
        raise ValueError(
            f"{row['image_id']}: noise: {recipe['noise']!r} is not one of {', '.join(NOISE)}"
        )
    alpha_x, alpha_y = deflection(view.x, view.y, row)
    scale = recipe["deflection_scale"]
    light = SOURCE.surface_brightness(
        (view.x - scale * alpha_x).ravel(),
        (view.y[:, None] - scale * alpha_y).ravel(),
        [source_profile(row, instrument["zero_point"])],
    )
    image = recipe["image_scale"] * view.numerics.re_size_convolve(light)
    # lenstronomy's Sersic profile turns NaN into darkness.
    if not np.isfinite(image).all() or image.max() <= 0:
        raise ValueError(
            f"{row['image_id']}: the image is dark or not finite; is every parameter a number?"
        )
    generator = np.random.default_rng(row["noise_seed"])
    noisy = NOISE[recipe["noise"]](image, row["exposure_time"], instrument, generator)
    return noisy.astype(np.float32)
