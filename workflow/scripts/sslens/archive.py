"""Files of an archive become images: read with distrust, checked, and all of one kind afterwards.

DeepLense's archives are met in many forms: `.npy` files of one image each, some of them object
arrays (`[image, axion mass]`), with or without an axis of channels, in any type of number. Also
read are what astronomers have otherwise: `.npz` and HDF5 files of many images with their labels,
and FITS files of an image or a cube. Nothing in a file is executed, and no memory is taken that
its size, checked first, does not account for.
"""

import io
import math
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from sslens.object_arrays import UnsafePickle, leaves, read_pickle

MOST_BYTES_A_LABEL = 1024
MOST_BYTES_A_HEAD = 10_000  # of an .npy file; also what NumPy itself evaluates
MOST_BYTES_OF_CHUNKS = 2**28  # of an HDF5 file, that are unpacked at once
MOST_PACKED = 250  # times: what shrinks more has no images, but would keep a job busy for days


class Unusable(ValueError):
    """A file, or an image in it, that cannot be used; the message says why."""


class Found(NamedTuple):
    """An image of a file, or why there is none.

    image_index: of the image in its file, from 0.
    image: float32 (pixels, pixels), finite and not constant; None where `reason` is not empty.
    label: what the file itself says of its class, or None.
    mass: of the axion, eV; NaN where it is missing or not positive.
    """

    image_index: int
    image: np.ndarray | None
    label: str | None
    mass: float
    reason: str


class _Raw(NamedTuple):
    image_index: int
    array: np.ndarray
    label: str | None = None
    mass: float = math.nan
    missing: str = ""  # what marks the pixels that have no value, and how many they are


def read_images(
    path: Path, settings: Mapping, wanted: Collection[int] | None = None
) -> Iterator[Found]:
    """Read the images of a file, one by one in their order.

    Args:
        path: a file with a suffix of `READERS`.
        settings: `pixels` along each side; `channel` to take of three that differ, or None; `keys`,
            the names of `images`, `labels` and `masses` in .npz and HDF5 files.
        wanted: indices of the images to read; all if None.

    Yields:
        An entry for every image that the file holds, usable or not.

    Raises:
        Unusable: where nothing, or nothing more, can be read.
    """
    reader = READERS[path.suffix.lower()]
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unusable("no regular file")
        if path.stat().st_size == 0:
            raise Unusable("empty file")
        for raw in reader(path, settings, wanted):
            yield _found(raw, settings)
    except (Unusable, UnsafePickle) as error:
        raise Unusable(_short(error)) from None
    except PermissionError:
        raise Unusable("no permission to read it") from None
    except Exception as error:  # a torn file's parser fails in any way; it concerns this file alone
        raise Unusable(f"cannot be read ({type(error).__name__}: {_short(error)})") from None


def _short(error: Exception) -> str:
    """What an error says, in a line: it may quote names in a file, as many and long as they are."""
    told = " ".join(str(error).split())
    return told if len(told) <= 200 else f"{told[:200]}…"


def as_image(array: np.ndarray, pixels: int, channel: int | None = None) -> np.ndarray:
    """An array of numbers as an image.

    Axes of length one are dropped; of three channels, first or last, the first is taken if they are
    equal, and `channel` otherwise.

    Returns:
        float32 (pixels, pixels).

    Raises:
        Unusable: for another shape, values that are no finite numbers, or all the same.
    """
    _check_kind(array.dtype)
    _check_image_shape(array.shape, pixels)
    image = _one_channel(np.squeeze(array), channel)
    with np.errstate(over="ignore"):
        image = np.ascontiguousarray(image, np.float32)
    if bad := np.count_nonzero(~np.isfinite(image)):
        raise Unusable(f"{bad} of its pixels are not finite")
    if image.min() == image.max():
        raise Unusable(f"all its pixels are {image.flat[0]:g}")
    return image


def _found(raw: _Raw, settings: Mapping) -> Found:
    mass = raw.mass if raw.mass > 0 and math.isfinite(raw.mass) else math.nan
    if raw.missing:
        return Found(raw.image_index, None, raw.label, mass, raw.missing)
    try:
        image = as_image(raw.array, settings["pixels"], settings["channel"])
    except Unusable as error:
        return Found(raw.image_index, None, raw.label, mass, str(error))
    return Found(raw.image_index, image, raw.label, mass, "")


def _missing(there: np.ndarray, mark: str) -> str:
    """The reason where pixels have no value, by a mask of them and what says so; else none."""
    count = np.count_nonzero(there)
    return f"{count} of its pixels are missing ({mark})" if count else ""


def _one_channel(array: np.ndarray, channel: int | None) -> np.ndarray:
    if array.ndim == 2:
        return array
    channels = np.moveaxis(array, array.shape.index(3), 0)
    if (channels == channels[0]).all():
        return channels[0]
    if channel is None:
        raise Unusable("its three channels differ: choose one by `channel`")
    return channels[channel]


def _check_kind(dtype: np.dtype) -> None:
    if dtype.kind not in "biuf":
        raise Unusable(f"values of type {dtype}, not numbers")


def _check_image_shape(shape: tuple[int, ...], pixels: int) -> None:
    sides = tuple(side for side in shape if side != 1)
    if sides not in ((pixels, pixels), (3, pixels, pixels), (pixels, pixels, 3)):
        raise Unusable(f"an image of shape {shape}, not of {pixels} x {pixels} pixels")


# --- .npy -----------------------------------------------------------------------------------------


def _read_npy(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """One image, or an object array of an image and perhaps its axion's mass."""
    pixels = settings["pixels"]
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        shape, fortran, dtype = _read_header(stream)
        if dtype.hasobject:
            yield _of_objects(_read_objects(stream, size, dtype, pixels), size)
            return
        _check_size(shape, dtype, size - stream.tell())
        _check_image_shape(shape, pixels)
        yield _Raw(0, _read_array(stream, shape, fortran, dtype))


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type that the head of an .npy file tells; NumPy evaluates no more of it."""
    readers = {
        (1, 0): ("<H", np.lib.format.read_array_header_1_0),
        (2, 0): ("<I", np.lib.format.read_array_header_2_0),
    }
    try:
        length_format, reader = readers[np.lib.format.read_magic(stream)]
        packed = stream.read(struct.calcsize(length_format))
        (length,) = struct.unpack(length_format, packed)
        # NumPy would read gigabytes before it finds them too many
        head = stream.read(min(length, MOST_BYTES_A_HEAD))
        return reader(io.BytesIO(packed + head))
    except Exception:  # as many kinds of errors as there are ways to write nonsense
        raise Unusable("no .npy file, or one with a torn head") from None


def _check_size(shape: tuple[int, ...], dtype: np.dtype, size: int) -> None:
    """The file is as long as its head says: before any memory is taken."""
    told = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or told != size:
        raise Unusable(f"its head tells of {told} bytes, and {size} follow")


def _read_array(
    stream: IO[bytes], shape: tuple[int, ...], fortran: bool, dtype: np.dtype
) -> np.ndarray:
    _check_kind(dtype)
    wanted = math.prod(shape) * dtype.itemsize
    content = stream.read(wanted)
    if len(content) != wanted:
        raise Unusable(f"torn: {len(content)} bytes where {wanted} are told of")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _read_objects(stream: IO[bytes], size: int, dtype: np.dtype, pixels: int) -> Any:
    most = 2**20 + 64 * pixels**2  # three channels of 16 bytes a pixel, and room
    if dtype != np.dtype(object):
        raise Unusable(f"values of type {dtype}, not numbers")
    if size > most:
        raise Unusable(f"{size} bytes of objects, more than an image of {pixels} x {pixels} has")
    return read_pickle(stream.read(size))


def _of_objects(tree: Any, size: int) -> _Raw:
    """The image and the mass in what an object array holds, however it is nested."""
    images, numbers = [], []
    for part in leaves(tree, most=size):
        if isinstance(part, np.ndarray) and part.size > 1:
            images.append(part)
        elif part is not None:
            numbers.append(float(np.asarray(part).item()))
    if len(images) != 1 or len(numbers) > 1:
        raise Unusable(
            f"objects with {len(images)} images and {len(numbers)} numbers, not one image and at "
            "most its axion's mass"
        )
    return _Raw(0, images[0], mass=numbers[0] if numbers else math.nan)


# --- many images in a file ------------------------------------------------------------------------


def _images_in(shape: tuple[int, ...], pixels: int) -> int:
    """How many images an array holds: it is one image, or has a first axis of images."""
    if len(shape) <= 2:
        _check_image_shape(shape, pixels)
        return 1
    _check_image_shape(shape[1:], pixels)
    if shape[0] == 0:
        raise Unusable("no image in it")
    return shape[0]


def _check_packing(path: Path, told: int) -> None:
    """A file is not much smaller than what is to be unpacked from it."""
    if told > MOST_PACKED * (size := path.stat().st_size):
        raise Unusable(f"{told} bytes of images or labels in a file of {size}: nearly all empty")


def _read_npz(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """An array of images, and arrays of their labels and masses if there are any."""
    with zipfile.ZipFile(path) as file:
        members = {info.filename.removesuffix(".npy"): info for info in file.infolist()}
        names = _names(members, settings["keys"])
        _check_packing(path, max(members[name].file_size for name in names.values()))
        with _open_member(file, members[names["images"]]) as stream:
            size = members[names["images"]].file_size
            shape, fortran, dtype = _read_header(stream)
            _check_kind(dtype)
            _check_size(shape, dtype, size - stream.tell())
            count = _images_in(shape, settings["pixels"])
            if fortran and len(shape) > 2:
                raise Unusable("its images are in Fortran's order: save them in C's")
            columns = [
                _read_column(file, members, names.get(key), count) for key in ("labels", "masses")
            ]
            shape = shape[1:] if len(shape) > 2 else shape
            for index in range(count):
                array = _read_array(stream, shape, fortran, dtype)
                if wanted is None or index in wanted:
                    yield _Raw(index, array, *_told(columns, index))
            stream.read(1)  # so that the last check sum is looked at


def _open_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    # as NumPy writes them; others may take gigabytes to be unpacked
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unusable("packed in a way that NumPy does not write")
    return file.open(info)


def _read_column(
    file: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], name: str | None, count: int
) -> np.ndarray | None:
    """A value for each image; None if the file has no such array."""
    if name is None:
        return None
    with _open_member(file, members[name]) as stream:
        shape, _, dtype = _read_header(stream)
        _check_column(name, shape, dtype, count)
        _check_size(shape, dtype, members[name].file_size - stream.tell())
        return np.frombuffer(stream.read(count * dtype.itemsize), dtype)


def _check_column(name: str, shape: tuple[int, ...], dtype: np.dtype, count: int) -> None:
    if shape != (count,) or dtype.kind not in "iufUS" or dtype.itemsize > MOST_BYTES_A_LABEL:
        raise Unusable(f"{name!r} has shape {shape} and type {dtype}, not a value for each image")


def _names(there: Collection[str], keys: Mapping[str, str]) -> dict[str, str]:
    """Which array of a file is what; a file of one array holds images, whatever its name."""
    names = {what: key for what, key in keys.items() if key in there}
    if "images" not in names:
        if len(there) != 1:
            raise Unusable(
                f"no array {keys['images']!r} in it: set `keys.images`; there is "
                f"{', '.join(sorted(there)) or 'nothing'}"
            )
        names["images"] = next(iter(there))
    return names


def _told(columns: Sequence, index: int) -> tuple[str | None, float]:
    """Label and mass of an image."""
    labels, masses = columns
    label = None if labels is None else _text(labels[index])
    return label, math.nan if masses is None else float(masses[index])


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    return str(value)[:MOST_BYTES_A_LABEL]


def _read_hdf5(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """A data set of images, and data sets of their labels and masses if there are any."""
    import h5py

    # a chunk that is not kept would be unpacked once for every image in it
    with h5py.File(path, "r", rdcc_nbytes=MOST_BYTES_OF_CHUNKS, rdcc_nslots=100_003) as file:
        found: list[str] = []
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
        names = _names(found, settings["keys"])
        images = _inside(path, file[names["images"]])
        _check_kind(images.dtype)
        count = _images_in(images.shape, settings["pixels"])
        columns = [_hdf5_column(path, file, names.get(key), count) for key in ("labels", "masses")]
        marks = _fill_values(images)
        for index in range(count):
            if wanted is None or index in wanted:
                array = images[index] if images.ndim > 2 else images[()]
                missing = _missing(np.isin(array, list(marks.values())), " or ".join(marks))
                yield _Raw(index, array, *_told(columns, index), missing=missing)


def _fill_values(data: Any) -> dict[str, Any]:
    """The numbers that mark missing pixels, by the attributes that netCDF has for them."""
    if _number(data, "scale_factor") not in (None, 1) or _number(data, "add_offset") not in (
        None,
        0,
    ):
        raise Unusable(
            f"{data.name}: packed by scale_factor and add_offset: write the numbers themselves"
        )
    marks = {}
    for name in ("_FillValue", "missing_value"):
        if (value := _number(data, name)) is None:
            continue
        with np.errstate(all="ignore"):
            stored = value.astype(data.dtype)
        # as the pixels have it: 1e20 is no float32; what no integer of theirs can be marks none
        if data.dtype.kind == "f" or stored == value:
            marks[name] = stored
    return marks


def _number(data: Any, name: str) -> Any:
    """An attribute of a data set of HDF5; None where it has none of that name."""
    if name not in data.attrs:
        return None
    size = data.attrs.get_id(name).get_storage_size()
    value = np.ravel(data.attrs[name]) if size <= MOST_BYTES_A_LABEL else np.empty(0)
    if len(value) != 1 or value.dtype.kind not in "iuf":
        raise Unusable(f"{data.name}: its attribute {name} is no number")
    return value[0]


def _inside(path: Path, data: Any) -> Any:
    """A data set of an HDF5 file, if its content is in this file and in parts of some size."""
    if data.is_virtual or data.external:
        raise Unusable(f"{data.name}: its content is in other files")
    if data.shape is None:
        raise Unusable(f"{data.name}: nothing in it")
    _check_packing(path, data.size * data.dtype.itemsize)
    if data.chunks:
        # all that a row lies in, since they are unpacked as a whole
        across = zip(data.shape[1:], data.chunks[1:], strict=True)
        row = math.prod(-(-side // part) * part for side, part in across)
        size = data.chunks[0] * row * data.dtype.itemsize
        if size > MOST_BYTES_OF_CHUNKS:
            raise Unusable(f"{data.name}: chunks of {size} bytes for an image")
    return data


def _hdf5_column(path: Path, file: Any, name: str | None, count: int) -> Any:
    """Gives a value for each image, read when it is asked for; None without such a data set."""
    import h5py

    if name is None:
        return None
    data = _inside(path, file[name])
    text = h5py.check_string_dtype(data.dtype)
    if text is not None and text.length is None and data.shape == (count,):
        return data.asstr(errors="replace")  # of any length each, so not all at once
    _check_column(name, data.shape, data.dtype, count)
    return data


def _read_fits(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """The first extension with an image: one, or a cube of several."""
    from astropy.io import fits

    with open(path, "rb") as stream:
        if stream.read(9) != b"SIMPLE  =":
            # astropy would unpack it, to whatever size
            raise Unusable("no FITS file, or a packed one: unpack it")
    # by astropy's special case for unsigned integers, their blank pixels would be the number 0
    with fits.open(path, memmap=False, lazy_load_hdus=True, uint=False) as units:
        for unit in units:
            if type(unit) in (fits.PrimaryHDU, fits.ImageHDU) and unit.shape:
                break
            if isinstance(unit, fits.CompImageHDU):
                raise Unusable("a compressed image: unpack it (funpack)")
        else:
            raise Unusable("no image in it")
        end = unit.fileinfo()["datLoc"] + math.prod(unit.shape) * abs(unit.header["BITPIX"]) // 8
        if end > path.stat().st_size:
            raise Unusable(f"torn: its head tells of {end} bytes, and it has {path.stat().st_size}")
        count = _images_in(unit.shape, settings["pixels"])
        blank = "BLANK" in unit.header
        for index in range(count):
            if wanted is None or index in wanted:
                # a section is read from the file by itself, and scaled
                array = unit.section[index] if len(unit.shape) > 2 else unit.section[:, :]
                yield _Raw(
                    index, np.asarray(array), missing=_missing(blank & np.isnan(array), "BLANK")
                )


#: Suffix -> generator of what a file with it holds.
READERS: dict[str, Callable[..., Iterator[_Raw]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".fits": _read_fits,
    ".fit": _read_fits,
}
