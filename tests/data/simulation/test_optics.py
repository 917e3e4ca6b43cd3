"""Every profile, and the PSF, is lenstronomy's."""

import numpy as np
import pytest
from lenstronomy.Data.pixel_grid import PixelGrid
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.Numerics.numerics import Numerics
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel

from sslens.data.simulation import optics

X, Y = np.linspace(-2, 2, 41), np.linspace(-1.5, 1.5, 31)  # steps of 0.1
# (e1, e2) by modulus: round, so nearly round that 1 - q is lost in rounding, and up to q = 1/19
ELLIPTICITIES = [0.0, 1e-17, 1e-12, 1e-9, 1e-8, 1e-6, 1e-3, 0.1, 0.3, 0.6, 0.9]


def ellipticity(modulus, generator):
    angle = generator.uniform(0, 2 * np.pi)
    return modulus * np.cos(angle), modulus * np.sin(angle)


# --- lenses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("modulus", ELLIPTICITIES)
def test_sie_deflects_as_in_lenstronomy(modulus):
    generator = np.random.default_rng(1)
    centres = [(0.0, 0.0), (X[7], Y[11]), (X[20], Y[3] + 1e-9), *generator.uniform(-2, 2, (20, 2))]
    for centre_x, centre_y in centres:
        theta, (e1, e2) = generator.uniform(0.1, 2), ellipticity(modulus, generator)
        assert_sie(theta, e1, e2, centre_x, centre_y)


@pytest.mark.parametrize(("e1", "e2"), [(0.3, 0.0), (-0.3, 0.0), (0.0, 0.3), (0.0, -0.3)])
def test_sie_along_the_axes_of_the_grid(e1, e2):
    assert_sie(1.0, e1, e2, 0.0, 0.0)


def assert_sie(theta, e1, e2, centre_x, centre_y):
    lens = {"theta_E": theta, "e1": e1, "e2": e2, "center_x": centre_x, "center_y": centre_y}
    expected = LensModel(["SIE"]).alpha(*np.meshgrid(X, Y), [lens])
    work = np.full((4, len(Y), len(X)), np.nan)
    alpha = optics.sie_deflection(X, Y, theta, e1, e2, centre_x, centre_y, work)
    # where f is as small as 1e-8, lenstronomy's own artanh(f y) / f has no more digits
    np.testing.assert_allclose(alpha, expected, rtol=0, atol=1e-9 * theta)


def test_a_round_sie_deflects_by_its_einstein_radius():
    work = np.empty((4, len(Y), len(X)))
    alpha = optics.sie_deflection(X, Y, 1.3, 0.0, 0.0, 0.01, 0.02, work)
    np.testing.assert_allclose(np.hypot(*alpha), 1.3, rtol=1e-7)


def test_point_masses_deflect_as_in_lenstronomy():
    generator = np.random.default_rng(1)
    theta, centres_x, centres_y = generator.uniform(-1, 1, (3, 6))
    theta = np.abs(theta)
    centres_x[0], centres_y[0] = X[3], Y[7]  # right on a pixel
    centres_x[1] = X[5]
    masses = [
        {"theta_E": t, "center_x": cx, "center_y": cy}
        for t, cx, cy in zip(theta, centres_x, centres_y, strict=True)
    ]
    expected = LensModel(["POINT_MASS"] * 6).alpha(*map(np.ravel, np.meshgrid(X, Y)), masses)
    alpha = np.zeros((2, len(Y), len(X)))
    optics.add_point_mass_deflection(*alpha, X, Y, theta, centres_x, centres_y)
    for ours, theirs in zip(alpha, expected, strict=True):
        np.testing.assert_allclose(ours.ravel(), theirs, rtol=1e-10, atol=1e-14)


def test_compiled_sums_are_those_of_python_to_the_last_bit():
    """So they are the same on every machine, whatever instructions the compiler finds there."""
    masses = np.random.default_rng(2).uniform(0, 1, (3, 9))
    compiled, interpreted = np.ones((2, 2, len(Y), len(X)))
    optics._add_point_masses(*compiled, X, Y, *masses)
    optics._add_point_masses.py_func(*interpreted, X, Y, *masses)
    np.testing.assert_array_equal(compiled, interpreted)


def test_point_masses_take_lists_and_none_at_all():
    alpha, expected = np.ones((2, 2, len(Y), len(X)))
    optics.add_point_mass_deflection(*alpha, X, Y, [], [], [])
    np.testing.assert_array_equal(alpha, expected)
    optics.add_point_mass_deflection(*alpha, X, Y, [1], [0.5], [0])
    optics.add_point_mass_deflection(*expected, X, Y, *np.array([[1.0], [0.5], [0.0]]))
    np.testing.assert_array_equal(alpha, expected)


# --- sources --------------------------------------------------------------------------------------


@pytest.mark.parametrize("modulus", ELLIPTICITIES)
@pytest.mark.parametrize("n", [0.5, 0.8, 1.0, 2.0, 3.3, 4.0, 6.0])
def test_sersic_is_as_bright_as_in_lenstronomy(n, modulus):
    generator = np.random.default_rng(3)
    for centre_x, centre_y in [(0.0, 0.0), (X[7], Y[11]), *generator.uniform(-1, 1, (5, 2))]:
        source = {
            "amp": generator.uniform(0.1, 30),
            "R_sersic": generator.uniform(0.05, 1),
            "n_sersic": n,
            **dict(zip(("e1", "e2"), ellipticity(modulus, generator), strict=True)),
            "center_x": centre_x,
            "center_y": centre_y,
        }
        # a pixel within the smoothing radius of the centre, too
        x, y = np.meshgrid(np.append(X, centre_x + 3e-5), np.append(Y, centre_y - 2e-5))
        expected = LightModel(["SERSIC_ELLIPSE"]).surface_brightness(x.ravel(), y.ravel(), [source])
        brightness = optics.sersic_brightness(x, y, *source.values(), np.full(x.shape, np.nan))
        np.testing.assert_allclose(
            brightness.ravel(), expected, rtol=1e-9, atol=1e-12 * source["amp"]
        )


def test_a_sersic_profile_without_a_radius():
    """lenstronomy's least radius, and what it takes for zero beyond 1000 of them."""
    source = [1.0, 0.0, 1.0, 0.1, 0.2, 0.05, 0.0]
    names = ("amp", "R_sersic", "n_sersic", "e1", "e2", "center_x", "center_y")
    x, y = np.meshgrid(X * 1e-3, Y * 1e-3)
    expected = LightModel(["SERSIC_ELLIPSE"]).surface_brightness(
        x.ravel(), y.ravel(), [dict(zip(names, source, strict=True))]
    )
    brightness = optics.sersic_brightness(x, y, *source, np.empty_like(x))
    np.testing.assert_allclose(brightness.ravel(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [0.5, 1.0, 2.7, 6.0])
def test_sersic_has_the_flux_of_lenstronomys(n):
    source = {"amp": 3.0, "R_sersic": 0.4, "n_sersic": n, "e1": 0.2, "e2": -0.3}
    expected = LightModel(["SERSIC_ELLIPSE"]).total_flux([source | {"center_x": 0, "center_y": 0}])
    assert optics.sersic_flux(3.0, 0.4, n) == pytest.approx(expected[0], rel=1e-12)


# --- PSF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(30, 30), (12, 12), (3, 3)])
@pytest.mark.parametrize(
    ("fwhm", "truncation"), [(1.74, 3.0), (1.58, 5.0), (1.0, 5.0), (4.0, 2.0), (0.3, 3.0)]
)
def test_images_blur_as_in_lenstronomy(fwhm, truncation, shape):
    image = np.random.default_rng(4).exponential(size=shape) ** 3  # bright up to the edges
    scale = 0.05
    grid = PixelGrid(*shape, np.diag([scale, scale]), 0.0, 0.0)
    psf = PSF("GAUSSIAN", fwhm=fwhm * scale, truncation=truncation, pixel_size=scale)
    expected = Numerics(grid, psf).re_size_convolve(image.ravel()) / scale**2
    taps = optics.gaussian_taps(fwhm, truncation)
    wide = [length + 2 * (len(taps) - 1) for length in shape]
    blurred = optics.blur(image, taps, np.full((3, *wide), np.nan))
    np.testing.assert_allclose(blurred, expected, rtol=1e-12)


def test_a_psf_of_less_than_a_pixel_changes_nothing():
    image, taps = np.eye(5), optics.gaussian_taps(0.1, 3.0)
    assert taps.tolist() == [1.0]
    np.testing.assert_array_equal(optics.blur(image, taps, np.empty((3, 5, 5))), image)


def test_a_field_need_not_be_square():
    image, taps = np.random.default_rng(5).uniform(size=(6, 9)), optics.gaussian_taps(2.0, 3.0)
    wide = [length + 2 * (len(taps) - 1) for length in image.shape]
    blurred = optics.blur(image, taps, np.empty((3, *wide)))
    turned = optics.blur(image.T, taps, np.empty((3, *wide[::-1])))
    np.testing.assert_allclose(blurred, turned.T, rtol=1e-14)
