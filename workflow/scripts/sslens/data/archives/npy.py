"""NumPy's files: `.npy` of images, flat rows or objects, and `.npz` of images with labels."""

import io
import math
import os
import struct
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import IO, Any

import numpy as np

from sslens.data.archives.errors import Unusable
from sslens.data.archives.images import (
    MAX_PLANES_COMPARED,
    Column,
    RawImage,
    array_names,
    as_text,
    check_column,
    check_kind,
    check_packing,
    choose_reading,
    read_all,
    values_of,
)
from sslens.data.archives.limits import MAX_CHUNK_BYTES
from sslens.data.archives.pickles import leaves, read_pickle

MAX_HEADER_BYTES = 10_000  # of an .npy file; also what NumPy itself evaluates
MAX_OBJECT_BYTES = 2**29  # of an object array, which is read as a whole


def read_npy(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[RawImage]:
    """Images, or flat rows of pixels and a label, or objects: images and their axions' masses."""
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        shape, fortran, dtype = _read_header(stream)
        if dtype.hasobject:
            yield from _read_objects(stream, size, shape, dtype, settings, wanted)
            return
        check_kind(dtype)
        _check_size(shape, dtype, size - stream.tell())
        source = _in_stream(stream, shape, fortran, dtype, settings["pixels"])
        yield from _read_numbers(source, shape, settings, wanted)


def _read_numbers(
    source: Any, shape: tuple[int, ...], settings: Mapping, wanted: Collection[int] | None
) -> Iterator[RawImage]:
    """An array of numbers that nothing comes with."""
    if len(shape) == 2 and shape[1] == settings["pixels"] ** 2 + 1:
        yield from _read_flat_rows(source, shape[0], settings, wanted)
    else:
        reading = choose_reading(source, shape, settings)
        yield from read_all(source, reading, settings, wanted)


def _read_flat_rows(
    source: Any, count: int, settings: Mapping, wanted: Collection[int] | None
) -> Iterator[RawImage]:
    """Each row has the pixels of an image, one after the other, and its label."""
    pixels = settings["pixels"]
    if settings["channel"] is not None:
        raise Unusable("flat rows of pixels have no axis of bands to take `channel` of")
    for index in range(count):
        if wanted is None or index in wanted:
            row = np.asarray(source[(index,)])
            if not np.float64(row[-1]).is_integer():
                raise Unusable(f"flat rows, but {row[-1]:g} at the end of row {index} is no label")
            yield RawImage(index, row[:-1].reshape(pixels, pixels), as_text(row[-1]))


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
    expected = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or expected != size:
        raise Unusable(f"its header announces {expected} bytes, and {size} follow")


def _read_array(
    stream: IO[bytes], shape: tuple[int, ...], fortran: bool, dtype: np.dtype
) -> np.ndarray:
    wanted = math.prod(shape) * dtype.itemsize
    content = stream.read(wanted)
    if len(content) != wanted:
        raise Unusable(f"torn: {len(content)} bytes where {wanted} are announced")
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
) -> Iterator[RawImage]:
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
            row = Column("row", (), np.dtype(float))  # it is that of one image
            reading = choose_reading(image, image.shape, settings, [row])
            array = values_of(image, reading, 0, settings["channel"])
            yield RawImage(index, array, mass=math.nan if mass is None else mass)


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


def read_npz(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[RawImage]:
    """An array of images, and arrays of their labels and masses if there are any."""
    with zipfile.ZipFile(path) as file:
        members = {info.filename.removesuffix(".npy"): info for info in file.infolist()}
        names = array_names(members, settings["keys"])
        check_packing(path, max(members[name].file_size for name in names.values()))
        columns = {
            key: _npz_column(file, members[names[key]], names[key])
            for key in ("labels", "masses")
            if key in names
        }
        with _open_member(file, members[names["images"]]) as stream:
            size = members[names["images"]].file_size
            shape, fortran, dtype = _read_header(stream)
            check_kind(dtype)
            _check_size(shape, dtype, size - stream.tell())
            source = _in_stream(stream, shape, fortran, dtype, settings["pixels"])
            reading = choose_reading(source, shape, settings, [*columns.values()])
            values: dict[str, Any] = {
                key: _npz_values(file, members[column.name], column)
                for key, column in columns.items()
            }
            yield from read_all(source, reading, settings, wanted, **values)
            while stream.read(2**20):  # so that the last check sum is looked at
                pass


def _open_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    # as NumPy writes them; others may take gigabytes to be unpacked
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unusable("packed in a way that NumPy does not write")
    return file.open(info)


def _npz_column(file: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Column:
    with _open_member(file, info) as stream:
        shape, _, dtype = _read_header(stream)
        column = Column(name, shape, dtype)
        check_column(column)
        _check_size(shape, dtype, info.file_size - stream.tell())
        return column


def _npz_values(file: zipfile.ZipFile, info: zipfile.ZipInfo, column: Column) -> np.ndarray:
    with _open_member(file, info) as stream:
        _read_header(stream)
        return _read_array(stream, column.shape, False, column.dtype).reshape(-1)
