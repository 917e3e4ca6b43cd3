"""FITS files: an image or a cube in one of their extensions, also compressed."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sslens.data.archives.axes import no_reading, readings
from sslens.data.archives.compressed_fits import TiledImage, check_tiles, image_shape, open_fits
from sslens.data.archives.errors import Ambiguous, Unusable
from sslens.data.archives.images import RawImage, choose_reading, missing_pixels, read_all

MAX_EXTENSIONS = 1000  # of a FITS file


def read_fits(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[RawImage]:
    """One image or a cube of several, in the extension that has one."""
    from astropy.io import fits

    # by astropy's special case for unsigned integers, their blank pixels would be the number 0
    options: dict[str, Any] = {"memmap": False, "lazy_load_hdus": True, "uint": False}
    with open_fits(path) as (stream, size):
        # compressed images are tables at first, and become images once their sizes are checked
        units = fits.open(stream, disable_image_compression=True, **options)
        number, unit = _choose_extension(units, settings)
        shape = image_shape(unit)
        start = unit.fileinfo()["datLoc"]
        compressed = "ZIMAGE" in unit.header
        if compressed:
            tile = check_tiles(stream, start, size, unit)
            stream.seek(0)
            unit = fits.open(stream, **options)[number]
        elif (end := start + math.prod(shape) * abs(unit.header["BITPIX"]) // 8) > size:
            raise Unusable(f"torn: its header announces {end} bytes, and it has {size}")
        # a section is read from the file by itself, and scaled
        reading = choose_reading(unit.section, shape, settings)
        source = TiledImage(unit.section, reading, tile) if compressed else unit.section
        missing = _missing_in(unit.header)

        yield from read_all(source, reading, settings, wanted, missing)


def _missing_in(header: Mapping) -> Callable[[np.ndarray], str]:
    """What says which pixels of an image are missing, by its header; astropy has them as NaN."""
    blank, zero = header.get("BLANK"), header.get("BZERO", 0)
    if blank is None or header["BITPIX"] < 0:  # of real numbers, BLANK has no meaning
        return lambda array: ""
    if not isinstance(blank, int):
        raise Unusable(f"its BLANK {blank!r} is no whole number")

    def missing(array: np.ndarray) -> str:
        there = np.isnan(array)
        if blank == 0:  # which astropy takes for none at all; a 0 in the file is read as BZERO
            there |= array == array.dtype.type(zero)
        return missing_pixels(there, "BLANK")

    return missing


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
        reason = f"no `extension` {wanted!r} with an image in it; there is {_list(found)}"
        raise Unusable(reason if found and wanted is not None else "no image in it")
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
    parts = [f"{number} {unit.name} {shape}" for number, unit, shape in extensions[:10]]
    return ", ".join(parts)
