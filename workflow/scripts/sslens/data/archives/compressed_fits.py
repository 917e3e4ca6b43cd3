"""FITS files that are compressed, as a whole by gzip or image by image in tiles.

astropy unpacks whatever it is given, to whatever size. So all sizes are checked here before.
"""

import gzip
import io
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from sslens.data.archives.axes import IMAGE, Reading
from sslens.data.archives.errors import Unusable
from sslens.data.archives.limits import MAX_CHUNK_BYTES, MAX_COMPRESSION_RATIO

MAX_UNPACKED_IN_MEMORY = 2**24  # bytes of a gzip file; a larger one is unpacked as it is read
SIGNATURE = b"SIMPLE  ="
#: Ways of compressing tiles whose unpacking is bounded by what is checked here.
UNPACKED = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
#: Columns of a table of compressed tiles; each value is a number of elements, and their place.
TILE_COLUMNS = ("COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA")
RICE_SETTINGS = ("BLOCKSIZE", "BYTEPIX")
ELEMENT_BYTES = {"B": 1, "I": 2, "J": 4, "E": 4, "D": 8, "K": 8}


@contextmanager
def open_fits(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The content of a FITS file, unpacked if it is a gzip file, and how many bytes it has."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream: IO[bytes] = file
        if is_packed:
            stream, size = _unpack(file, MAX_COMPRESSION_RATIO * size)
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            # astropy would unpack what is packed, to whatever size
            raise Unusable("no FITS file, or one packed in another way than gzip: unpack it")
        stream.seek(0)
        yield stream, size


def _unpack(file: IO[bytes], most: int) -> tuple[IO[bytes], int]:
    """What is in a gzip file, in memory if that is small; and how many bytes, `most` at most."""
    packed = gzip.GzipFile(fileobj=file)
    content, size = bytearray(), 0
    while piece := packed.read(2**20):
        if not size and not piece.startswith(SIGNATURE):
            break  # whatever it is, it need not be unpacked
        size += len(piece)
        if size > most:
            raise Unusable(f"more than {most} bytes are packed in it: nearly all empty")
        if size <= MAX_UNPACKED_IN_MEMORY:
            content += piece
    if size <= MAX_UNPACKED_IN_MEMORY:
        return io.BytesIO(content), size
    packed.seek(0)
    return packed, size  # type: ignore[return-value]  # it reads like any stream


def image_shape(unit: Any) -> tuple[int, ...]:
    """Shape of the image in an extension, compressed or not; empty if it has none."""
    from astropy.io import fits

    if type(unit) in (fits.PrimaryHDU, fits.ImageHDU):
        return unit.shape
    if isinstance(unit, fits.BinTableHDU) and unit.header.get("ZIMAGE") is True:
        return tuple(unit.header[f"ZNAXIS{k}"] for k in range(unit.header["ZNAXIS"], 0, -1))
    return ()


def check_tiles(stream: IO[bytes], start: int, size: int, table: Any) -> tuple[int, ...]:
    """Make sure that a compressed image's tiles lie in the file, and how far they unpack.

    Args:
        stream: of the file.
        start: where the table's content begins in it.
        size: of the file.
        table: the image as the table that it is stored as.

    Returns:
        Shape of a tile.
    """
    head, shape = table.header, image_shape(table)
    if (kind := head["ZCMPTYPE"]) not in UNPACKED:
        raise Unusable(f"compressed by {kind}: unpack it (funpack)")
    sides = [head[f"ZTILE{k}"] for k in range(len(shape), 0, -1)]
    if min(sides) < 1 or not all(0 < _setting(head, name) <= 2**16 for name in RICE_SETTINGS):
        raise Unusable("tiles of an impossible size")
    tile = tuple(min(pair) for pair in zip(sides, shape, strict=True))
    if (tile_bytes := 8 * math.prod(tile)) > MAX_CHUNK_BYTES:
        raise Unusable(f"tiles of {tile_bytes} bytes")
    unpacked = math.prod(shape) * abs(head["ZBITPIX"]) // 8
    if unpacked > MAX_COMPRESSION_RATIO * size:
        raise Unusable(f"{unpacked} bytes of images in a file of {size}: nearly all empty")
    tiles = math.prod(-(-side // part) for side, part in zip(shape, tile, strict=True))
    table_size = head["NAXIS1"] * head["NAXIS2"]
    if (end := start + table_size + head["PCOUNT"]) > size:
        raise Unusable(f"torn: its header announces {end} bytes, and it has {size}")
    dtype = table.columns.dtype.newbyteorder(">")
    if head["NAXIS2"] != tiles or dtype.itemsize != head["NAXIS1"]:
        raise Unusable(f"torn: {head['NAXIS2']} tiles of {tiles}")
    stream.seek(start)
    rows = np.frombuffer(stream.read(table_size), dtype)
    heap = start + head.get("THEAP", table_size)
    for column in table.columns:
        if column.name not in TILE_COLUMNS:
            continue
        width = ELEMENT_BYTES[column.format.lstrip("1PQ")[0]]
        counts, places = rows[column.name].astype(np.int64).T
        outside = (counts < 0) | (places < 0) | (counts > size) | (places > size)
        if outside.any() or (heap + places + width * counts > end).any():
            raise Unusable("torn: tiles outside of it")
        if column.name == "GZIP_COMPRESSED_DATA" or kind.startswith("GZIP"):
            for count, place in zip(counts.tolist(), places.tolist(), strict=True):
                stream.seek(heap + place)
                _check_gzip(stream.read(count * width), 8 * math.prod(tile))
    return tile


def _setting(head: Any, name: str) -> int:
    """A setting of the compression, which is a keyword's name and another one's value."""
    names = [key for key in head["ZNAME*"] if str(head[key]).upper() == name]
    return head[names[0].replace("ZNAME", "ZVAL")] if names else 1


def _check_gzip(packed: bytes, most: int) -> None:
    """A tile is one gzip file that unpacks to `most` bytes at most."""
    unpacker = zlib.decompressobj(wbits=31)
    if packed and (
        len(unpacker.decompress(packed, most + 1)) > most
        or not unpacker.eof
        or unpacker.unused_data
    ):
        raise Unusable(f"a tile that does not unpack to {most} bytes")


class TiledImage:
    """A tile-compressed array, of which several images are unpacked at a time.

    A tile may hold many images, and would be unpacked once for each of them.
    """

    def __init__(self, section: Any, reading: Reading, tile: tuple[int, ...]) -> None:
        self._section = section
        self._axis = reading.names.index(IMAGE) if IMAGE in reading.names else None
        self._start, self._block = -1, np.empty(0)
        if self._axis is not None:
            shape = reading.shape
            depth = tile[self._axis]
            self._images = reading.images
            size = 8 * math.prod(shape) // reading.images * depth  # at most, of a row of tiles
            if size > MAX_CHUNK_BYTES:
                raise Unusable(f"tiles of {size} bytes for an image")
            self._depth = depth * max(1, MAX_UNPACKED_IN_MEMORY // size)

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        if self._axis is None:
            return self._section[index]
        image: Any = index[self._axis]
        start = image // self._depth * self._depth
        if start != self._start:
            images = slice(start, min(start + self._depth, self._images))
            whole = (*index[: self._axis], images, *index[self._axis + 1 :])
            self._start, self._block = start, self._section[whole]
        return self._block[image - start]
