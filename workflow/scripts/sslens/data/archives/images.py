"""Files of an archive become images: read with distrust, checked, and all of one kind afterwards.

DeepLense's archives are met in many forms: `.npy` files of one image each, some of them object
arrays (`[image, axion mass]`, or many rows of such), or flat rows of pixels and a label, in any
type of number. Also read are what astronomers have otherwise: `.npz` and HDF5 files of many images
with their labels, and FITS files of an image or a cube, also compressed. Nothing in a file is
executed, no memory is taken that its size, checked first, does not account for, and what the axes
of an array stand for is never guessed.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sslens.data.archives.axes import BAND, Reading, no_reading, readings
from sslens.data.archives.errors import Ambiguous, Unusable
from sslens.data.archives.limits import MAX_COMPRESSION_RATIO

MAX_LABEL_BYTES = 1024
#: What labels are called where the configuration does not say; files need not have any.
DEFAULT_IMAGES, DEFAULT_LABELS, DEFAULT_MASSES = "images", "labels", "axion_mass"
MAX_PLANES_COMPARED = 16  # bands of an image, that may be one image saved several times


class Found(NamedTuple):
    """An image of a file, or why there is none.

    image_index: of the image in its file, from 0.
    image: float32 (pixels, pixels), finite and not constant; None where `reason` is not empty.
    label: what the file itself says of its class, or None.
    mass: of the axion, eV, as the file has it; NaN where it has none.
    """

    image_index: int
    image: np.ndarray | None
    label: str | None
    mass: float
    reason: str


class RawImage(NamedTuple):
    """An image as a file holds it, before it is checked."""

    image_index: int
    array: np.ndarray  # (pixels, pixels) or (bands, pixels, pixels)
    label: str | None = None
    mass: float = math.nan
    missing: str = ""  # what marks the pixels that have no value, and how many they are


class Column(NamedTuple):
    """What a header says of an array with one value per image; shape () for a single one."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def length(self) -> int:
        return math.prod(self.shape)

    def error(self) -> Unusable:
        return Unusable(
            f"{self.name!r} has shape {self.shape} and type {self.dtype}, not a value for each "
            "image"
        )


def as_image(array: np.ndarray) -> np.ndarray:
    """Numbers as an image.

    Args:
        array: (pixels, pixels), or (bands, pixels, pixels) where all bands are the same.

    Returns:
        float32 (pixels, pixels).

    Raises:
        Unusable: for bands that differ, values that are no finite numbers, or all the same.
    """
    check_kind(array.dtype)
    if array.ndim == 3:
        if not _all_same(array):
            raise Unusable(f"its {len(array)} bands differ: choose one by `channel`")
        array = array[0]
    with np.errstate(over="ignore"):
        image = np.ascontiguousarray(array, np.float32)
    if bad := np.count_nonzero(~np.isfinite(image)):
        raise Unusable(f"{bad} of its pixels are not finite")
    if image.min() == image.max():
        raise Unusable(f"all its pixels are {image.flat[0]:g}")
    return image


def missing_pixels(there: np.ndarray, mark: str) -> str:
    """The reason where pixels have no value, by a mask of them and what says so; else none."""
    count = np.count_nonzero(there)
    return f"{count} of its pixels are missing ({mark})" if count else ""


def _all_same(bands: np.ndarray) -> bool:
    """Whether the bands of an image, along the first axis, are one image saved several times."""
    return all(np.array_equal(band, bands[0], equal_nan=True) for band in bands[1:])


def check_kind(dtype: np.dtype) -> None:
    """Raise Unusable for values that are no numbers."""
    if dtype.kind not in "biuf":
        raise Unusable(f"values of type {dtype}, not numbers")


# --- the axes of an array -------------------------------------------------------------------------


def choose_reading(
    source: Any, shape: tuple[int, ...], settings: Mapping, columns: Sequence[Column] = ()
) -> Reading:
    """The only meaning that the axes of an array can have.

    Args:
        source: gives the array's values by their index.
        shape: of the array.
        settings: of `read_images`.
        columns: headers of arrays with one value per image.
    """
    pixels, channel, axes = (settings[key] for key in ("pixels", "channel", "axes"))
    labels = columns[0].length if columns else None
    found = readings(shape, pixels, labels, channel, axes)
    if not found:
        by_shape = readings(shape, pixels, axes=axes)
        if by_shape and not readings(shape, pixels, labels, axes=axes):
            raise columns[0].error()
        raise Unusable(no_reading(shape, pixels, channel, axes))
    if len(found) > 1 and channel is None:
        found = [one for one in found if _is_one_image(source, one)][:1] or found
    if len(found) > 1:
        raise Ambiguous(_ask_for_axes(found, settings["where"], channel))
    (reading,) = found
    for column in columns:
        if column.length != reading.images:
            raise column.error()
    if channel is not None and channel >= reading.bands:
        raise Unusable(f"`channel` {channel} of an image in {reading.bands} bands, counted from 0")
    if channel is None and reading.bands > MAX_PLANES_COMPARED:
        raise Unusable(f"an image in {reading.bands} bands: choose one by `channel`")
    return reading


def _is_one_image(source: Any, reading: Reading) -> bool:
    """Whether an array is, by one reading of it, a single image in bands that are all the same."""
    if reading.images > 1 or reading.bands > MAX_PLANES_COMPARED:
        return False
    return _all_same(values_of(source, reading, 0, None))


def _ask_for_axes(found: Sequence[Reading], where: str, channel: int | None) -> str:
    choices = []
    for one in found:
        choice = f"{one.meaning()}: set {where}.axes to {one}"
        if channel is None and BAND in one.names:
            choice += f", and {where}.channel to the band to take"
        elif channel is not None and BAND not in one.names:
            choice += f", and leave {where}.channel out"
        choices.append(choice)
    return f"an array of shape {found[0].shape} may be {'; or '.join(choices)}"


def values_of(source: Any, reading: Reading, image: int, channel: int | None) -> np.ndarray:
    """Values of an image: (pixels, pixels), or (bands, pixels, pixels)."""
    array = np.asarray(source[reading.select(image, channel)])
    return np.moveaxis(array, -1, 0) if array.ndim == 3 and reading.is_channels_last else array


def read_all(
    source: Any,
    reading: Reading,
    settings: Mapping,
    wanted: Collection[int] | None,
    missing: Callable[[np.ndarray], str] = lambda array: "",
    labels: Sequence | None = None,
    masses: Sequence | None = None,
    names: Mapping[str, str] | None = None,
) -> Iterator[RawImage]:
    """The images of an array.

    `missing` says why an image is rejected whose pixels have no value; `names` are those of labels
    that are numbers.
    """
    for index in range(reading.images):
        if wanted is None or index in wanted:
            label = None if labels is None else as_text(labels[index])
            mass = math.nan if masses is None else float(masses[index])
            array = values_of(source, reading, index, settings["channel"])
            if label:
                label = (names or {}).get(label, label)
            yield RawImage(index, array, label, mass, missing(array))


# --- many images in a file ------------------------------------------------------------------------


def check_packing(path: Path, unpacked: int) -> None:
    """A file is not much smaller than what is to be unpacked from it."""
    if unpacked > MAX_COMPRESSION_RATIO * (size := path.stat().st_size):
        raise Unusable(
            f"{unpacked} bytes of images or labels in a file of {size}: nearly all empty"
        )


def check_column(column: Column) -> None:
    """A column has one axis at most, and values of some size."""
    kind, size = column.dtype.kind, column.dtype.itemsize
    if len(column.shape) > 1 or kind not in "iufUS" or size > MAX_LABEL_BYTES:
        raise column.error()


def array_names(there: Collection[str], keys: Mapping[str, str]) -> dict[str, str]:
    """Which array of a file is what; a file of one array holds images, where no key names them."""
    names = {what: key for what, key in keys.items() if key in there}
    for what, default in (("images", DEFAULT_IMAGES), ("labels", DEFAULT_LABELS)):
        if what not in names and keys[what] != default:
            raise Unusable(
                f"no array {keys[what]!r} in it, which `keys.{what}` names; there is "
                f"{', '.join(sorted(there)) or 'nothing'}"
            )
    if "images" not in names:
        if len(there) != 1:
            raise Unusable(
                f"no array {keys['images']!r} in it: set `keys.images`; there is "
                f"{', '.join(sorted(there)) or 'nothing'}"
            )
        names["images"] = next(iter(there))
    others = sorted({*there} - {*names.values()})
    if "masses" not in names and keys["masses"] != DEFAULT_MASSES and others:
        raise Unusable(
            f"no array {keys['masses']!r} in it, which `keys.masses` names, but {', '.join(others)}"
        )
    return names


def as_text(value: Any) -> str:
    """A label as a text; a whole number in any type as its digits."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    return str(value)[:MAX_LABEL_BYTES]
