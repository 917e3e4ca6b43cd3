"""Lenses, sources and the PSF: how light is deflected, how bright it is, and how it blurs.

Conventions are those of lenstronomy, and the tests compare every function with it. Positions, radii
and deflections are in arcsec. An ellipticity is (e1, e2) = (1 - q) / (1 + q) (cos, sin)(2 phi),
where q is the ratio of minor to major axis and phi the angle of the major one.

What is done to every pixel is a pass over a field that fits into a core's cache, where asking for
the memory of a new field would cost as much as several passes. So functions take the fields they
work in (`work`, whose content on entry does not matter) and return views of them. Only the sum over
point masses, most of the work where there are any, is compiled.
"""

import math

import numba
import numpy as np

# lenstronomy's SIE has a core of this radius (arcsec), so that its centre is not 0 / 0.
_SIE_CORE = 1e-10
# lenstronomy's PointMass holds the distance from a point mass at or above this (arcsec).
_POINT_MASS_MINIMUM_RADIUS = 1e-25
# lenstronomy's Sersic profile is flat within this radius, its least R_sersic too (arcsec).
_SERSIC_SMOOTHING = 1e-4


# --- lenses ---------------------------------------------------------------------------------------


def sie_deflection(x, y, einstein_radius, e1, e2, centre_x, centre_y, work):
    """Deflection by a singular isothermal ellipsoid.

    Kormann, Schneider & Bartelmann 1994 (A&A 284, 285), in the form of Keeton & Kochanek 1998
    (astro-ph/9705194), after eq. 8, with a core s. In coordinates along major and minor axis, with
    f^2 = 1 - q^2 and psi^2 = q^2 (s^2 + x^2) + y^2,

        alpha = b / f (arctan(f x / (psi + s)), artanh(f y / (psi + q^2 s))), b = theta_E sqrt(q):

    the convergence is theta_E / 2 / sqrt(q x^2 + y^2 / q).

    Args:
        x, y: the axes of a regular grid, (columns,) and (rows,).
        einstein_radius, e1, e2, centre_x, centre_y: of the ellipsoid.
        work: (4, rows, columns).

    Returns:
        alpha_x, alpha_y: (rows, columns), the first two of `work`.
    """
    along, across, psi, spare = work
    angle = math.atan2(e2, e1) / 2
    ellipticity = np.minimum(math.hypot(e1, e2), 0.9999)
    q = (1 - ellipticity) / (1 + ellipticity)
    b = einstein_radius * math.sqrt(q)
    core = _SIE_CORE / math.sqrt(q)
    if q >= 1:  # a circle is the limit of ellipses, and f must not be zero
        q = 0.99999999
    f = math.sqrt(1 - q**2)
    cos, sin = math.cos(angle), math.sin(angle)
    dx, dy = x - centre_x, y - centre_y

    np.add.outer(q * sin * dy, q * cos * dx, out=along)
    np.add.outer(cos * dy, -sin * dx, out=across)
    np.multiply(along, along, out=psi)
    psi += np.multiply(across, across, out=spare)
    psi += (q * core) ** 2
    np.sqrt(psi, out=psi)
    psi += core
    along /= psi
    along *= f / q
    psi -= (1 - q**2) * core
    across /= psi
    across *= f
    np.arctan(along, out=along)
    np.arctanh(across, out=across)

    # back into the coordinates of the grid
    np.multiply(along, b / f * sin, out=psi)
    np.multiply(across, b / f * sin, out=spare)
    along *= b / f * cos
    along -= spare
    across *= b / f * cos
    across += psi
    return along, across


def add_point_mass_deflection(alpha_x, alpha_y, x, y, einstein_radii, centres_x, centres_y) -> None:
    """Add the deflection by point masses, sum_i theta_E,i^2 (x - x_i) / |x - x_i|^2.

    Args:
        alpha_x, alpha_y: (rows, columns), added to.
        x, y: the axes of a regular grid, (columns,) and (rows,).
        einstein_radii, centres_x, centres_y: of the point masses, (masses,).
    """
    # copies, since what is compiled is compiled anew for every type of argument
    columns = (np.array(values, float) for values in (einstein_radii, centres_x, centres_y))
    _add_point_masses(alpha_x, alpha_y, x, y, *columns)


# Not cached on disk: that would save half of the half second it takes, and needs a folder that is
# there and can be written to. Without `fastmath`: sums are done in the order that they are written.
@numba.njit(error_model="numpy")
def _add_point_masses(alpha_x, alpha_y, x, y, einstein_radii, centres_x, centres_y):
    for row in range(len(y)):
        for mass in range(len(einstein_radii)):
            squared_radius = einstein_radii[mass] ** 2
            dy = y[row] - centres_y[mass]
            for column in range(len(x)):
                dx = x[column] - centres_x[mass]
                # No pixel is at distance zero, so one right on a point mass is not deflected.
                distance = max(dx * dx, _POINT_MASS_MINIMUM_RADIUS**2) + dy * dy
                weight = squared_radius / distance
                alpha_x[row, column] += weight * dx
                alpha_y[row, column] += weight * dy


# --- sources --------------------------------------------------------------------------------------


def _sersic_b(n):
    """lenstronomy's approximation to the b_n by which half of the light is inside R_sersic."""
    return np.maximum(1.9992 * n - 0.3271, 1e-5)


def sersic_flux(amplitude, radius, n):
    """Flux of a Sersic profile out to infinity.

    Graham & Driver 2005 (astro-ph/0503176), eq. 2 with R to infinity.

    Args:
        amplitude: surface brightness at the half-light radius, flux / arcsec^2.
        radius: half-light radius, the geometric mean of those along the axes of an ellipse.
        n: Sersic index.
    """
    b = _sersic_b(n)
    return amplitude * radius**2 * 2 * math.pi * n * math.exp(b) * b ** (-2 * n) * math.gamma(2 * n)


def sersic_brightness(x, y, amplitude, radius, n, e1, e2, centre_x, centre_y, work):
    """Surface brightness of an elliptical Sersic profile.

    Graham & Driver 2005 (astro-ph/0503176), eq. 1, I = I_e exp(-b ((R / R_e)^(1/n) - 1)), on
    ellipses: R is the length of lenstronomy's

        (1 - e1, -e2; -e2, 1 + e1) (x, y) / sqrt(1 - e1^2 - e2^2).

    lenstronomy makes it zero beyond 1000 R_e; the profile is below 1e-10 I_e there for n < 6.

    Args:
        x, y: positions in the source plane, (rows, columns); written over.
        amplitude: I_e, in units of the result.
        radius, n, e1, e2, centre_x, centre_y: of the profile; as `sersic_flux` takes them.
        work: (rows, columns).

    Returns:
        Surface brightness, (rows, columns): `work`.
    """
    b = _sersic_b(n)
    radius = np.maximum(radius, _SERSIC_SMOOTHING)
    # R^2 = xx x^2 + 2 xy x y + yy y^2, whose determinant is 1: xx ((x + xy / xx y)^2 + y^2 / xx^2)
    norm = np.maximum(abs(1 - e1**2 - e2**2), 1e-6)
    xx, xy = ((1 - e1) ** 2 + e2**2) / norm, -2 * e2 / norm
    squared = np.multiply(y, xy / xx, out=work)
    squared += x
    squared -= centre_x + xy / xx * centre_y
    squared *= squared
    y -= centre_y
    y *= y
    y *= 1 / xx**2
    squared += y
    np.maximum(squared, _SERSIC_SMOOTHING**2 / xx, out=squared)
    # (R / R_e)^(1/n) by the logarithm, which is faster than NumPy's power
    exponent = np.log(squared, out=squared)
    exponent *= 0.5 / n
    np.exp(exponent, out=exponent)
    exponent *= -b * (xx / radius**2) ** (0.5 / n)
    brightness = np.exp(exponent, out=exponent)
    brightness *= amplitude * math.exp(b)
    return brightness


# --- PSF ------------------------------------------------------------------------------------------


def gaussian_taps(fwhm, truncation):
    """Weights of a Gaussian PSF along one axis, as in scipy.ndimage.gaussian_filter.

    Args:
        fwhm: full width at half maximum, pixels.
        truncation: where the Gaussian is cut off, in its standard deviations.

    Returns:
        (taps,): weights of the pixel itself and of its neighbours to either side, outwards. Both
        sides together sum to one.
    """
    sigma = fwhm / math.sqrt(8 * math.log(2))
    taps = np.exp(-0.5 * (np.arange(int(truncation * sigma + 0.5) + 1) / sigma) ** 2)
    return taps / (2 * taps.sum() - taps[0])


def blur(image, taps, work):
    """Convolve an image with a PSF that is the same along both axes, and is their product.

    Beyond the edges the image goes on with its outermost pixels, as in lenstronomy.

    Args:
        image: (rows, columns).
        taps: weights along an axis, (taps,), as `gaussian_taps` makes them.
        work: (3, rows + 2 (taps - 1), columns + 2 (taps - 1)).

    Returns:
        The convolved image, (rows, columns): a view of `work`.
    """
    r = len(taps) - 1
    height, width = work.shape[1:]
    rows, columns = slice(r, height - r), slice(r, width - r)
    wide = work[0]
    wide[rows, columns] = image
    wide[:r, columns], wide[height - r :, columns] = image[0], image[-1]
    wide[:, :r], wide[:, width - r :] = wide[:, r, None], wide[:, width - r - 1, None]
    # As lines of memory: a neighbour below is `width` further on, one to the right is the next.
    line, vertical_line, spare_line = (field.reshape(-1) for field in work)
    _blur_line(line, taps, width, vertical_line, spare_line)
    of_image = slice(r * width, (height - r) * width)
    _blur_line(vertical_line[of_image], taps, 1, line[of_image], spare_line[of_image])
    return wide[rows, columns]


def _blur_line(line, taps, step, out, spare) -> None:
    """Weighted sum of each element and those `step`, 2 `step`, ... to either side of it.

    line, out and spare are of one length. The ends of `out`, where neighbours are missing, are left
    as they are.
    """
    reach = (len(taps) - 1) * step
    middle = slice(reach, len(line) - reach)
    total, both = out[middle], spare[middle]
    np.multiply(line[middle], taps[0], out=total)
    for neighbour, weight in enumerate(taps[1:], start=1):
        shift = neighbour * step
        np.add(
            line[reach - shift : len(line) - reach - shift],
            line[reach + shift : len(line) - reach + shift],
            out=both,
        )
        both *= weight
        total += both
