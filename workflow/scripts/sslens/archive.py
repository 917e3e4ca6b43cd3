"""Files of an archive become images: read with distrust, checked, and all of one kind afterwards.

DeepLense's archives are met in many forms: `.npy` files of one image each, some of them object
arrays (`[image, axion mass]`, or many rows of such), or flat rows of pixels and a label, in any
type of number. Also read are what astronomers have otherwise: `.npz` and HDF5 files of many images
with their labels, and FITS files of an image or a cube, also compressed. Nothing in a file is
executed, no memory is taken that its size, checked first, does not account for, and what the axes
of an array stand for is never guessed.
"""

import io
import math
import os
import stat
import struct
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from sslens.archive_errors import Ambiguous, Unusable
from sslens.archive_limits import MAX_CHUNK_BYTES, MAX_COMPRESSION_RATIO
from sslens.axes import BAND, Reading, no_reading, readings
from sslens.compressed_fits import TiledImage, check_tiles, image_shape, open_fits
from sslens.label_names import label_names
from sslens.object_arrays import UnsafePickle, leaves, read_pickle

MAX_LABEL_BYTES = 1024
MAX_HEADER_BYTES = 10_000  # of an .npy file; also what NumPy itself evaluates
MAX_OBJECT_BYTES = 2**29  # of an object array, which is read as a whole
MAX_PLANES_COMPARED = 16  # bands of an image, that may be one image saved several times
MAX_EXTENSIONS = 1000  # of a FITS file


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
    array: np.ndarray  # (pixels, pixels) or (bands, pixels, pixels)
    label: str | None = None
    mass: float = math.nan
    missing: str = ""  # what marks the pixels that have no value, and how many they are


class _Column(NamedTuple):
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


def suffix_of(path: Path) -> str:
    """The suffix that says what a file holds, in lower case: of two parts if it is compressed."""
    parts = 2 if path.suffix.lower() in (".gz", ".fz") else 1
    return "".join(path.suffixes[-parts:]).lower()


def read_images(
    path: Path, settings: Mapping, wanted: Collection[int] | None = None
) -> Iterator[Found]:
    """Read the images of a file, one by one in their order.

    Args:
        path: a file with a suffix of `READERS`.
        settings: `pixels` along each side; the `axes` of its arrays, the `channel` to take of
            several bands and the `extension` of a FITS file, each None where there is no choice;
            `keys`, the names of `images`, `labels` and `masses` in .npz and HDF5 files; `where`,
            the path of these keys in the configuration, for messages.
        wanted: indices of the images to read; all if None.

    Yields:
        An entry for every image that the file holds, usable or not.

    Raises:
        Unusable: where nothing, or nothing more, can be read.
        Ambiguous: where the file has several readings, and the settings do not choose one.
    """
    reader = READERS[suffix_of(path)]
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unusable("no regular file")
        if path.stat().st_size == 0:
            raise Unusable("empty file")
        for raw in reader(path, settings, wanted):
            yield _found(raw)
    except Ambiguous as error:
        raise Ambiguous(f"{path}: {error}") from None
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


def as_image(array: np.ndarray) -> np.ndarray:
    """Numbers as an image.

    Args:
        array: (pixels, pixels), or (bands, pixels, pixels) where all bands are the same.

    Returns:
        float32 (pixels, pixels).

    Raises:
        Unusable: for bands that differ, values that are no finite numbers, or all the same.
    """
    _check_kind(array.dtype)
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


def _found(raw: _Raw) -> Found:
    mass = raw.mass if raw.mass > 0 and math.isfinite(raw.mass) else math.nan
    if raw.missing:
        return Found(raw.image_index, None, raw.label, mass, raw.missing)
    try:
        image = as_image(raw.array)
    except Unusable as error:
        return Found(raw.image_index, None, raw.label, mass, str(error))
    return Found(raw.image_index, image, raw.label, mass, "")


def _all_same(bands: np.ndarray) -> bool:
    """Whether the bands of an image, along the first axis, are one image saved several times."""
    return all(np.array_equal(band, bands[0], equal_nan=True) for band in bands[1:])


def _missing(there: np.ndarray, mark: str) -> str:
    """The reason where pixels have no value, by a mask of them and what says so; else none."""
    count = np.count_nonzero(there)
    return f"{count} of its pixels are missing ({mark})" if count else ""


def _check_kind(dtype: np.dtype) -> None:
    if dtype.kind not in "biuf":
        raise Unusable(f"values of type {dtype}, not numbers")


# --- the axes of an array -------------------------------------------------------------------------


def _choose_reading(
    source: Any, shape: tuple[int, ...], settings: Mapping, columns: Sequence[_Column] = ()
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
    return _all_same(_values(source, reading, 0, None))


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


def _values(source: Any, reading: Reading, image: int, channel: int | None) -> np.ndarray:
    """Values of an image: (pixels, pixels), or (bands, pixels, pixels)."""
    array = np.asarray(source[reading.select(image, channel)])
    return np.moveaxis(array, -1, 0) if array.ndim == 3 and reading.is_channels_last else array


def _read_all(
    source: Any,
    reading: Reading,
    settings: Mapping,
    wanted: Collection[int] | None,
    missing: Callable[[np.ndarray], str] = lambda _: "",
    labels: Sequence | None = None,
    masses: Sequence | None = None,
    names: Mapping[str, str] | None = None,
) -> Iterator[_Raw]:
    """The images of an array.

    Args:
        source, reading: the array, and what its axes stand for.
        settings, wanted: of `read_images`.
        missing: gives the reason why pixels of an image have no value, or an empty text.
        labels, masses: values for each image.
        names: of labels that are numbers.
    """
    for index in range(reading.images):
        if wanted is None or index in wanted:
            label = None if labels is None else _text(labels[index])
            mass = math.nan if masses is None else float(masses[index])
            array = _values(source, reading, index, settings["channel"])
            if label is not None and names:
                label = names.get(label, label)
            yield _Raw(index, array, label, mass, missing(array))


# --- .npy -----------------------------------------------------------------------------------------


def _read_npy(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """Images, or flat rows of pixels and a label, or objects: images and their axions' masses."""
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        shape, fortran, dtype = _read_header(stream)
        if dtype.hasobject:
            yield from _read_objects(stream, size, shape, dtype, settings, wanted)
            return
        _check_kind(dtype)
        _check_size(shape, dtype, size - stream.tell())
        source = _in_stream(stream, shape, fortran, dtype, settings["pixels"])
        yield from _read_numbers(source, shape, settings, wanted)


def _read_numbers(
    source: Any, shape: tuple[int, ...], settings: Mapping, wanted: Collection[int] | None
) -> Iterator[_Raw]:
    """An array of numbers that nothing comes with."""
    if len(shape) == 2 and shape[1] == settings["pixels"] ** 2 + 1:
        yield from _read_flat_rows(source, shape[0], settings, wanted)
    else:
        reading = _choose_reading(source, shape, settings)
        yield from _read_all(source, reading, settings, wanted)


def _read_flat_rows(
    source: Any, count: int, settings: Mapping, wanted: Collection[int] | None
) -> Iterator[_Raw]:
    """Each row has the pixels of an image, one after the other, and its label."""
    pixels = settings["pixels"]
    if settings["channel"] is not None:
        raise Unusable("flat rows of pixels have no axis of bands to take `channel` of")
    for index in range(count):
        if wanted is None or index in wanted:
            row = np.asarray(source[(index,)])
            if not np.float64(row[-1]).is_integer():
                raise Unusable(f"flat rows, but {row[-1]:g} at the end of row {index} is no label")
            yield _Raw(index, row[:-1].reshape(pixels, pixels), _text(row[-1]))


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
        head = stream.read(min(length, MAX_HEADER_BYTES))
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
    wanted = math.prod(shape) * dtype.itemsize
    content = stream.read(wanted)
    if len(content) != wanted:
        raise Unusable(f"torn: {len(content)} bytes where {wanted} are told of")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _in_stream(
    stream: IO[bytes], shape: tuple[int, ...], fortran: bool, dtype: np.dtype, pixels: int
) -> Any:
    """The array whose values come next in a stream: in memory if it is small."""
    if math.prod(shape) <= MAX_PLANES_COMPARED * pixels**2:
        return _read_array(stream, shape, fortran, dtype)
    if fortran and len(shape) > 1:
        raise Unusable("its images are in Fortran's order: save them in C's")
    return _Stream(stream, shape, dtype)


class _Stream:
    """An array whose values are read as they are asked for, in their order in the stream."""

    def __init__(self, stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._stream = stream
        self._shape = shape
        self._dtype = dtype
        self._position = 0  # bytes of the array that are read

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        leading: list[Any] = [*takewhile(lambda part: isinstance(part, int), index)]
        place = 0
        for side, part in zip(self._shape, leading, strict=False):
            place = place * side + part
        shape = self._shape[len(leading) :]
        size = math.prod(shape) * self._dtype.itemsize
        if size > MAX_CHUNK_BYTES:
            raise Unusable(f"{size} bytes for an image with all its bands")
        self._skip(place * size - self._position)
        array = _read_array(self._stream, shape, False, self._dtype)
        self._position += size
        return array[index[len(leading) :]]

    def _skip(self, size: int) -> None:
        self._position += size
        if not isinstance(self._stream, zipfile.ZipExtFile):
            self._stream.seek(size, os.SEEK_CUR)
            return
        while size > 0:  # read, so that the check sum at the end is that of all
            size -= len(self._stream.read(min(size, 2**20))) or size


def _read_objects(
    stream: IO[bytes],
    size: int,
    shape: tuple[int, ...],
    dtype: np.dtype,
    settings: Mapping,
    wanted: Collection[int] | None,
) -> Iterator[_Raw]:
    """The images in an object array, however it is nested."""
    pixels = settings["pixels"]
    # 16 bytes a pixel, three bands, and room; at most one image for each object
    most = 2**20 + 64 * pixels**2 * max(1, shape[0] if shape else 1)
    if dtype != np.dtype(object):
        raise Unusable(f"values of type {dtype}, not numbers")
    if size > min(most, MAX_OBJECT_BYTES):
        raise Unusable(f"{size} bytes of objects, more than {min(most, MAX_OBJECT_BYTES)}")
    rows = _object_rows([*leaves(read_pickle(stream.read(size)), most=size)])
    if len(rows) == 1 and rows[0][1] is None:
        image = rows[0][0]
        yield from _read_numbers(image, image.shape, settings, wanted)
        return
    for index, (image, mass) in enumerate(rows):
        if wanted is None or index in wanted:
            row = _Column("row", (), np.dtype(float))  # it is that of one image
            reading = _choose_reading(image, image.shape, settings, [row])
            array = _values(image, reading, 0, settings["channel"])
            yield _Raw(index, array, mass=math.nan if mass is None else mass)


def _object_rows(parts: Sequence) -> list[tuple[np.ndarray, float | None]]:
    """Pairs of an image and its mass in the parts of an object array; None where there is none.

    NaN is a mass that is missing in a row.
    """
    are_images = [isinstance(part, np.ndarray) and part.size > 1 for part in parts]
    images = [part for part, is_image in zip(parts, are_images, strict=True) if is_image]
    others = [part for part, is_image in zip(parts, are_images, strict=True) if not is_image]
    numbers = [float(np.asarray(part).item()) for part in others if part is not None]
    if len(images) == 1 and len(numbers) <= 1:
        return [(images[0], numbers[0] if numbers else math.nan if others else None)]
    if images and are_images == [True, False] * len(images):
        masses = [math.nan if part is None else float(np.asarray(part).item()) for part in others]
        return list(zip(images, masses, strict=True))
    raise Unusable(
        f"objects with {len(images)} images and {len(numbers)} numbers, neither an image with at "
        "most its axion's mass, nor rows of both"
    )


# --- many images in a file ------------------------------------------------------------------------


def _check_packing(path: Path, told: int) -> None:
    """A file is not much smaller than what is to be unpacked from it."""
    if told > MAX_COMPRESSION_RATIO * (size := path.stat().st_size):
        raise Unusable(f"{told} bytes of images or labels in a file of {size}: nearly all empty")


def _read_npz(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """An array of images, and arrays of their labels and masses if there are any."""
    with zipfile.ZipFile(path) as file:
        members = {info.filename.removesuffix(".npy"): info for info in file.infolist()}
        names = _names(members, settings["keys"])
        _check_packing(path, max(members[name].file_size for name in names.values()))
        columns = {
            key: _npz_column(file, members[names[key]], names[key])
            for key in ("labels", "masses")
            if key in names
        }
        with _open_member(file, members[names["images"]]) as stream:
            size = members[names["images"]].file_size
            shape, fortran, dtype = _read_header(stream)
            _check_kind(dtype)
            _check_size(shape, dtype, size - stream.tell())
            source = _in_stream(stream, shape, fortran, dtype, settings["pixels"])
            reading = _choose_reading(source, shape, settings, [*columns.values()])
            values: dict[str, Any] = {
                key: _npz_values(file, members[column.name], column)
                for key, column in columns.items()
            }
            yield from _read_all(source, reading, settings, wanted, **values)
            while stream.read(2**20):  # so that the last check sum is looked at
                pass


def _open_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    # as NumPy writes them; others may take gigabytes to be unpacked
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unusable("packed in a way that NumPy does not write")
    return file.open(info)


def _npz_column(file: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> _Column:
    with _open_member(file, info) as stream:
        shape, _, dtype = _read_header(stream)
        column = _Column(name, shape, dtype)
        _check_column(column)
        _check_size(shape, dtype, info.file_size - stream.tell())
        return column


def _npz_values(file: zipfile.ZipFile, info: zipfile.ZipInfo, column: _Column) -> np.ndarray:
    with _open_member(file, info) as stream:
        _read_header(stream)
        return _read_array(stream, column.shape, False, column.dtype).reshape(-1)


def _check_column(column: _Column) -> None:
    """A column has one axis at most, and values of some size."""
    kind, size = column.dtype.kind, column.dtype.itemsize
    if len(column.shape) > 1 or kind not in "iufUS" or size > MAX_LABEL_BYTES:
        raise column.error()


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


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    return str(value)[:MAX_LABEL_BYTES]


def _read_hdf5(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """A data set of images, and data sets of their labels and masses if there are any."""
    import h5py

    # a chunk that is not kept would be unpacked once for every image in it
    with h5py.File(path, "r", rdcc_nbytes=MAX_CHUNK_BYTES, rdcc_nslots=100_003) as file:
        found: list[str] = []
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
        names = _names(found, settings["keys"])
        images = _inside(path, file[names["images"]])
        _check_kind(images.dtype)
        data = {
            key: _inside(path, file[names[key]]) for key in ("labels", "masses") if key in names
        }
        columns = [_hdf5_column(names[key], column) for key, column in data.items()]
        source = _Chunks(images)
        reading = _choose_reading(source, images.shape, settings, columns)
        values = {key: _hdf5_values(column) for key, column in data.items()}
        words = label_names(data["labels"]) if "labels" in data else {}
        marks = _fill_values(images)

        def missing(array: np.ndarray) -> str:
            return _missing(np.isin(array, list(marks.values())), " or ".join(marks))

        yield from _read_all(source, reading, settings, wanted, missing, **values, names=words)


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
    value = np.ravel(data.attrs[name]) if size <= MAX_LABEL_BYTES else np.empty(0)
    if len(value) != 1 or value.dtype.kind not in "iuf":
        raise Unusable(f"{data.name}: its attribute {name} is no number")
    return value[0]


def _inside(path: Path, data: Any) -> Any:
    """A data set of an HDF5 file, if its content is in this file."""
    if data.is_virtual or data.external:
        raise Unusable(f"{data.name}: its content is in other files")
    if data.shape is None:
        raise Unusable(f"{data.name}: nothing in it")
    _check_packing(path, data.size * data.dtype.itemsize)
    return data


class _Chunks:
    """A data set of an HDF5 file, of which no index may unpack more than is kept."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        if self._data.chunks:
            _check_chunks(self._data, index)
        return self._data[index]


def _check_chunks(data: Any, index: tuple[int | slice, ...]) -> None:
    """What an index lies in is unpacked as a whole: all chunks along an axis, or one of them."""
    size = data.dtype.itemsize
    for side, part, place in zip(data.shape, data.chunks, index, strict=True):
        size *= part if isinstance(place, int) else -(-side // part) * part
    if size > MAX_CHUNK_BYTES:
        raise Unusable(f"{data.name}: chunks of {size} bytes for an image")


def _hdf5_column(name: str, data: Any) -> _Column:
    import h5py

    column = _Column(name, data.shape, data.dtype)
    text = h5py.check_string_dtype(data.dtype)
    if text is None or text.length is not None or data.ndim > 1:
        _check_column(column)
    if data.chunks:
        _check_chunks(data, (0,))
    return column


def _hdf5_values(data: Any) -> Any:
    """Gives a value for each image, read when it is asked for."""
    import h5py

    text = h5py.check_string_dtype(data.dtype)
    if text is not None and text.length is None:
        data = data.asstr(errors="replace")  # of any length each, so not all at once
    return data if len(data.shape) else [data[()]]


# --- FITS -----------------------------------------------------------------------------------------


#: How astropy opens a file. By its special case for unsigned integers, blank pixels would be 0.
HOW = {"memmap": False, "lazy_load_hdus": True, "uint": False}


def _read_fits(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[_Raw]:
    """One image or a cube of several, in the extension that has one."""
    from astropy.io import fits

    with open_fits(path) as (stream, size):
        # compressed images are tables at first, and become images once their sizes are checked
        units = fits.open(stream, **HOW, disable_image_compression=True)
        number, unit = _choose_extension(units, settings)
        shape = image_shape(unit)
        start = unit.fileinfo()["datLoc"]
        compressed = "ZIMAGE" in unit.header
        if compressed:
            tile = check_tiles(stream, start, size, unit)
            stream.seek(0)
            unit = fits.open(stream, **HOW)[number]
        elif (end := start + math.prod(shape) * abs(unit.header["BITPIX"]) // 8) > size:
            raise Unusable(f"torn: its head tells of {end} bytes, and it has {size}")
        # a section is read from the file by itself, and scaled
        reading = _choose_reading(unit.section, shape, settings)
        source = TiledImage(unit.section, reading, tile) if compressed else unit.section
        blank = "BLANK" in unit.header

        def missing(array: np.ndarray) -> str:
            return _missing(blank & np.isnan(array), "BLANK")

        yield from _read_all(source, reading, settings, wanted, missing)


def _choose_extension(units: Any, settings: Mapping) -> tuple[int, Any]:
    """Number and content of the only extension that can be read, or that the settings name."""
    wanted = settings["extension"]
    found = []
    for number, unit in enumerate(units):
        if number == MAX_EXTENSIONS:
            raise Unusable(f"more than {MAX_EXTENSIONS} extensions")
        if shape := image_shape(unit):
            found.append((number, unit, shape))
    named = [
        one
        for one in found
        if wanted is None
        or (one[0] == wanted if isinstance(wanted, int) else _is_name(wanted, one[1].name))
    ]
    if not named:
        told = f"no `extension` {wanted!r} with an image in it; there is {_list(found)}"
        raise Unusable(told if found and wanted is not None else "no image in it")
    pixels, channel, axes = (settings[key] for key in ("pixels", "channel", "axes"))
    fitting = [one for one in named if readings(one[2], pixels, channel=channel, axes=axes)]
    if len(fitting) > 1:
        raise Ambiguous(
            f"{len(fitting)} extensions hold an image: {_list(fitting)}; set "
            f"{settings['where']}.extension to the number or the name of one"
        )
    if not fitting and len(named) > 1:
        raise Unusable(f"no extension has an image of {pixels} x {pixels} pixels: {_list(named)}")
    number, unit, shape = (fitting or named)[0]
    if not fitting:
        raise Unusable(no_reading(shape, pixels, channel, axes))
    return number, unit


def _is_name(wanted: str, name: str) -> bool:
    return wanted.strip().upper() == name.strip().upper()


def _list(extensions: Sequence[tuple[int, Any, tuple[int, ...]]]) -> str:
    told = [f"{number} {unit.name} {shape}" for number, unit, shape in extensions[:10]]
    return ", ".join(told)


#: Suffix -> generator of what a file with it holds.
READERS: dict[str, Callable[..., Iterator[_Raw]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    **{
        f"{name}{packed}": _read_fits
        for name in (".fits", ".fit", ".fts")
        for packed in ("", ".gz", ".fz")
    },
}
