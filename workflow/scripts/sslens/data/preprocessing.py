"""One preprocessing for every stage: crop, bin, stretch, scale. Measured on training images."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sslens.images import Images

PART = 1024  # images that are worked on at a time
#: Least median over the images of their standard deviation, in units of that of all pixels. With
#: all recipes it is above 0.5, whatever the stretch and the scaling.
MIN_VARIATION = 0.01
#: What `measure` adds to the settings.
MEASURED = ("input_shape", "softening_flux", "mean", "standard_deviation")


def measure(images: Images, settings: dict) -> dict:
    """Measure on the training split what `preprocess` needs.

    Args:
        images: (n, height, width, channels) of the training split, as recorded.
        settings: `crop` (central pixels to keep, or None), `bin` (side of the blocks that are
            averaged), `stretch` ("asinh", "sqrt" or "none"), `softening` (of asinh, in units of the
            training pixels' standard deviation), `scaling` (a key of `SCALINGS`).

    Returns:
        The settings with `input_shape` (height, width, channels) and, measured after crop and
        binning, `softening_flux` (image units), and after the stretch `mean` and
        `standard_deviation`.

    Raises:
        ValueError: if the crop or the binning does not fit the images, or all pixels are equal,
            before the stretch or after it.
    """
    facts = dict(settings)
    facts["input_shape"] = list(_shrink(images[:1], settings).shape[1:])
    _, deviation = _moments(images, lambda part: _shrink(part, settings))
    facts["softening_flux"] = settings["softening"] * deviation
    if not deviation > 0:
        raise ValueError("preprocessing: all pixels of the training split are equal")
    mean, deviation = _moments(images, lambda part: _stretch(_shrink(part, settings), facts))
    if not deviation > 0:
        raise ValueError(
            "preprocessing.stretch: all pixels of the training split are equal after "
            f"{settings['stretch']}; sqrt takes negative pixels for 0, asinh and none do not"
        )
    return facts | {"mean": mean, "standard_deviation": deviation}


def preprocess(images: np.ndarray, facts: dict) -> np.ndarray:
    """Preprocess images of any split by what `measure` found.

    Args:
        images: (n, height, width, channels), as recorded.
        facts: of `measure`.

    Returns:
        (n, *facts["input_shape"]) float32.
    """
    normalised = np.empty((len(images), *facts["input_shape"]), np.float32)
    for rows in _parts(images):
        stretched = _stretch(_shrink(images[rows], facts), facts)
        normalised[rows] = SCALINGS[facts["scaling"]](stretched, facts)
    return normalised


def check_variation(images: Images, facts: dict, image_ids: Sequence[str]) -> None:
    """Stop where preprocessed images are nearly constant, so that there is nothing to learn.

    Args:
        images: (n, height, width, channels) of the training split, as recorded.
        facts: of `measure`.
        image_ids: (n,), to name the likely cause by.

    Raises:
        ValueError: where the median over the images of their standard deviation is less than
            `MIN_VARIATION` times the standard deviation of all pixels.
    """
    means, variances, extremes = [], [], []
    for rows in _parts(images):
        part = preprocess(images[rows], facts).astype(np.float64)
        means.append(part.mean(axis=(1, 2, 3)))
        variances.append(part.var(axis=(1, 2, 3)))
        extremes.append(np.abs(part).max(axis=(1, 2, 3)))
    deviations = np.sqrt(np.concatenate(variances))
    overall = np.sqrt(np.concatenate(variances).mean() + np.concatenate(means).var())
    if np.median(deviations) > MIN_VARIATION * overall:
        return
    most = np.argsort(-np.concatenate(extremes), kind="stable")[:3]
    named = ", ".join(f"{image_ids[row]} ({np.abs(images[row]).max():.3g})" for row in most)
    raise ValueError(
        "preprocessing: after it, half of the training images are nearly constant (their standard "
        f"deviation is below {MIN_VARIATION:g} of that of all pixels), so that nothing can be "
        "learned from them. The likely cause is extreme values in a few images; remove or mend "
        f"those that reach furthest: {named}"
    )


def _standardise(images: np.ndarray, facts: dict) -> np.ndarray:
    centred = images - facts["mean"]
    return np.divide(centred, facts["standard_deviation"], out=centred)


def _min_max(images: np.ndarray, facts: dict) -> np.ndarray:
    """Each image to [0, 1]; a constant image becomes zeros, not NaN."""
    low = images.min(axis=(1, 2, 3), keepdims=True)
    high = images.max(axis=(1, 2, 3), keepdims=True)
    return (images - low) / np.maximum(high - low, np.finfo(np.float32).tiny)


SCALINGS = {
    "standardise": _standardise,
    "min_max": _min_max,
    "none": lambda images, facts: images,
}


def _parts(images: Images | np.ndarray) -> Iterator[slice]:
    """Slices of many images, so that work on them needs little memory."""
    return (slice(start, start + PART) for start in range(0, len(images), PART))


def _moments(images: Images, function: Callable) -> tuple[float, float]:
    """Mean and standard deviation of all pixels of a function of the images."""
    count = total = squares = 0.0
    # counted from the first pixel, or the squares would cancel where all pixels are far from zero
    origin = float(function(images[:1]).flat[0])
    for rows in _parts(images):
        values = function(images[rows]).astype(np.float64) - origin
        count += values.size
        total += values.sum()
        squares += np.square(values).sum()
    mean = total / count
    return float(origin + mean), float(np.sqrt(max(squares / count - mean**2, 0.0)))


def _shrink(images: np.ndarray, settings: dict) -> np.ndarray:
    return _bin(_crop(images, settings["crop"]), settings["bin"])


def _crop(images: np.ndarray, pixels: int | None) -> np.ndarray:
    height, width = images.shape[1:3]
    if pixels is None:
        return images
    if pixels > min(height, width):
        raise ValueError(f"preprocessing.crop: {pixels} pixels of images of {height} x {width}")
    top, left = (height - pixels) // 2, (width - pixels) // 2
    return images[:, top : top + pixels, left : left + pixels]


def _bin(images: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of factor x factor pixels."""
    count, height, width, channels = images.shape
    if factor == 1:
        return images
    if height % factor or width % factor:
        raise ValueError(f"preprocessing.bin: {factor} does not divide {height} x {width} pixels")
    blocks = (count, height // factor, factor, width // factor, factor, channels)
    parts = images.reshape(blocks)
    # as `mean(axis=(2, 4))`, to the same bits up to blocks of 7, in a tenth of its time
    rows = (sum(parts[:, :, row, :, column] for column in range(factor)) for row in range(factor))
    return np.divide(sum(rows), factor**2)


def _stretch(images: np.ndarray, facts: dict) -> np.ndarray:
    """Compress the bright pixels, so that faint arcs carry weight."""
    if facts["stretch"] == "asinh":
        scaled = images / facts["softening_flux"]
        return np.arcsinh(scaled, out=scaled)
    if facts["stretch"] == "sqrt":
        positive = np.maximum(images, 0)
        return np.sqrt(positive, out=positive)
    return images
