"""Images of strong lenses: a catalogue's row becomes an image.

The lens is a singular isothermal ellipsoid with external shear and point masses in one plane, the
source an elliptical Sersic profile (see `optics`). Every pixel is one ray through its centre (as
in DeepLenseSim: no supersampling), and the image is convolved with a Gaussian PSF. Nothing is
random but the noise, and that follows from the row's `noise_seed`. An image depends on its row and
recipe alone, to the last bit: not on the rows before it, nor on the number of threads. Recipes are
explained in `config/datasets.yaml`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from sslens.data.simulation.optics import (
    add_point_mass_deflection,
    blur,
    gaussian_taps,
    sersic_brightness,
    sersic_flux,
    sie_deflection,
)


class Camera(NamedTuple):
    """What is the same in all images of a recipe: pixels and PSF, and the memory to work in.

    x, y: positions of the columns and rows of pixels, arcsec, (pixels,) each.
    pixel_area: arcsec^2.
    psf_taps: weights of the PSF along an axis (`sslens.data.simulation.optics.gaussian_taps`).
    fields: (4, pixels, pixels), written over by every image.
    wide_fields: (3, ...), also written over, with room for the PSF around the image.
    """

    x: np.ndarray
    y: np.ndarray
    pixel_area: float
    psf_taps: np.ndarray
    fields: np.ndarray
    wide_fields: np.ndarray


def camera(instrument: Mapping) -> Camera:
    """Build pixel grid, centred on the lens plane's origin, and PSF of an instrument."""
    pixels, scale = instrument["pixels"], instrument["pixel_scale"]
    axis = (np.arange(pixels) - (pixels - 1) / 2) * scale
    taps = gaussian_taps(instrument["psf_fwhm"] / scale, instrument["psf_truncation"])
    wide = pixels + 2 * (len(taps) - 1)
    fields, wide_fields = np.empty((4, pixels, pixels)), np.empty((3, wide, wide))
    return Camera(axis, axis, scale**2, taps, fields, wide_fields)


# --- what a row says ------------------------------------------------------------------------------


def source_positions(x, y, row: Mapping, scale: float, work):
    """Where the rays of a regular grid come from, beta = theta - scale alpha(theta).

    alpha is the deflection by the SIE, the shear and the point masses of a catalogue's row.

    Args:
        x, y: the axes of the grid, arcsec, (columns,) and (rows,).
        row: a row of a catalogue.
        scale: factor on every deflection.
        work: (4, rows, columns).

    Returns:
        beta_x, beta_y: arcsec, (rows, columns), the first two of `work`.
    """
    # every deflection is linear in what is scaled here: it costs nothing a pixel
    alpha_x, alpha_y = sie_deflection(
        x,
        y,
        scale * row["sie_einstein_radius"],
        row["lens_e1"],
        row["lens_e2"],
        row["lens_x"],
        row["lens_y"],
        work,
    )
    if len(row["subhalo_x"]):
        radii = np.sqrt(scale) * np.asarray(row["subhalo_einstein_radius"])
        add_point_mass_deflection(alpha_x, alpha_y, x, y, radii, row["subhalo_x"], row["subhalo_y"])
    gamma1, gamma2 = scale * row["gamma1"], scale * row["gamma2"]
    beta_x = np.subtract((1 - gamma1) * x, alpha_x, out=alpha_x)
    beta_x -= gamma2 * y[:, None]
    beta_y = np.subtract((1 + gamma1) * y[:, None], alpha_y, out=alpha_y)
    beta_y -= gamma2 * x
    return beta_x, beta_y


def source_amplitude(row: Mapping, zero_point: float | None) -> float:
    """Surface brightness of a row's source at its half-light radius, counts / s / arcsec^2.

    A magnitude needs the zero point (mag).
    """
    if not np.isnan(row["source_amplitude"]):
        return row["source_amplitude"]
    if np.isnan(row["source_magnitude"]) or zero_point is None:
        raise ValueError(
            f"{row['image_id']}: needs a source_amplitude, or a source_magnitude and a zero point"
        )
    flux = 10 ** (0.4 * (zero_point - row["source_magnitude"]))
    return flux / sersic_flux(1.0, row["source_R_sersic"], row["source_n_sersic"])


# --- noise ----------------------------------------------------------------------------------------


def _no_noise(image, exposure_time, instrument, seed):
    return image


def _published_double_poisson(image, exposure_time, instrument, seed):
    """Integer counts with the noise of the published Model I images.

    Shot noise is put on twice: as a Gaussian of variance |I| / t beside the background, and again
    by drawing the counts.
    """
    generator = np.random.default_rng(seed)
    shot = generator.normal(size=image.shape) * np.sqrt(np.abs(image) / exposure_time)
    background = generator.normal(scale=instrument["background_rms"], size=image.shape)
    expected = exposure_time * (image + shot + background)
    return generator.poisson(expected.clip(min=0))


def _instrument_noise(image, exposure_time, instrument, seed):
    """The noise of a camera that counts electrons, in electrons / s, its mean sky taken off.

    Shot noise of source and sky, and the readings' (as lenstronomy's `bkg_noise`, where the
    counts are Gaussian). The exposure time is that of all exposures together.
    """
    generator = np.random.default_rng(seed)
    sky = 10 ** (0.4 * (instrument["zero_point"] - instrument["sky_brightness"]))  # per arcsec^2
    sky *= exposure_time * instrument["pixel_scale"] ** 2
    electrons = generator.poisson(exposure_time * image.clip(min=0) + sky)
    readings = np.sqrt(instrument["exposures"]) * instrument["read_noise"]
    return (electrons + generator.normal(scale=readings, size=image.shape) - sky) / exposure_time


# Functions of (image in counts / s / pixel, exposure time in s, instrument, seed or Generator).
NOISE: dict[str, Callable] = {
    "none": _no_noise,
    "published_double_poisson": _published_double_poisson,
    "instrument": _instrument_noise,
}


# --- images ---------------------------------------------------------------------------------------


def render(row: Mapping, recipe: Mapping) -> np.ndarray:
    """Render one row of a catalogue: the image as `render_all` has it."""
    return _render(row, recipe, camera(recipe["instrument"]))["image"]


def render_all(frame: pd.DataFrame, recipe: Mapping) -> Iterator[dict[str, np.ndarray]]:
    """Render the rows of a catalogue one by one.

    Args:
        frame: rows of a catalogue (`sslens.data.simulation.sampling.draw_catalogue`).
        recipe: the recipe that they were drawn from.

    Yields:
        For each row its `image`, float32 (pixels, pixels): counts / s, or integer counts if its
        noise makes such; and, where the recipe asks for it, the same `noise_free`: counts / s.

    Raises:
        ValueError: unknown noise, a source without brightness, a row with parameters that are
            not finite.
    """
    view = camera(recipe["instrument"])
    # as frame.to_dict("records"), without its search for columns that need a conversion
    names = list(frame)
    columns = [frame[name].tolist() for name in names]
    for values in zip(*columns, strict=True):
        yield _render(dict(zip(names, values, strict=True)), recipe, view)


def _render(row, recipe, view: Camera) -> dict[str, np.ndarray]:
    instrument = recipe["instrument"]
    if recipe["noise"] not in NOISE:
        raise ValueError(
            f"{row['image_id']}: noise: {recipe['noise']!r} is not one of {', '.join(NOISE)}"
        )
    x, y = source_positions(view.x, view.y, row, recipe["deflection_scale"], view.fields)
    light = sersic_brightness(
        x,
        y,
        source_amplitude(row, instrument["zero_point"]) * view.pixel_area * recipe["image_scale"],
        row["source_R_sersic"],
        row["source_n_sersic"],
        row["source_e1"],
        row["source_e2"],
        row["source_x"],
        row["source_y"],
        view.fields[2],
    )
    image = blur(light, view.psf_taps, view.wide_fields)
    if not 0 < image.max() < np.inf:  # nor NaN, which is the greatest of any numbers
        raise ValueError(
            f"{row['image_id']}: the image is dark or not finite; is every parameter a number?"
        )
    noisy = NOISE[recipe["noise"]](image, row["exposure_time"], instrument, row["noise_seed"])
    images = {"image": noisy.astype(np.float32)}
    if recipe["store_noise_free"]:
        images["noise_free"] = image.astype(np.float32)
    return images
