"""HDF5 files: a data set of images, and those of their labels and masses."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sslens.data.archives.errors import Unusable
from sslens.data.archives.images import (
    MAX_LABEL_BYTES,
    Column,
    RawImage,
    array_names,
    check_column,
    check_kind,
    check_packing,
    choose_reading,
    missing_pixels,
    read_all,
)
from sslens.data.archives.label_names import label_names
from sslens.data.archives.limits import MAX_CHUNK_BYTES


def read_hdf5(path: Path, settings: Mapping, wanted: Collection[int] | None) -> Iterator[RawImage]:
    """A data set of images, and data sets of their labels and masses if there are any."""
    import h5py

    # a chunk that is not kept would be unpacked once for every image in it
    with h5py.File(path, "r", rdcc_nbytes=MAX_CHUNK_BYTES, rdcc_nslots=100_003) as file:
        found: list[str] = []
        file.visititems(
            lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None
        )
        names = array_names(found, settings["keys"])
        images = _inside(path, file[names["images"]])
        check_kind(images.dtype)
        data = {
            key: _inside(path, file[names[key]]) for key in ("labels", "masses") if key in names
        }
        columns = [_hdf5_column(names[key], column) for key, column in data.items()]
        source = _Chunks(images)
        reading = choose_reading(source, images.shape, settings, columns)
        values = {key: _hdf5_values(column) for key, column in data.items()}
        if "masses" in data and (unknown := _fill_values(data["masses"])):
            given = np.asarray(values["masses"])
            values["masses"] = np.where(np.isin(given, list(unknown.values())), np.nan, given)
        words = label_names(data["labels"]) if "labels" in data else {}
        marks = _fill_values(images)

        def missing(array: np.ndarray) -> str:
            return missing_pixels(np.isin(array, list(marks.values())), " or ".join(marks))

        yield from read_all(source, reading, settings, wanted, missing, **values, names=words)


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
    check_packing(path, data.size * data.dtype.itemsize)
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


def _hdf5_column(name: str, data: Any) -> Column:
    import h5py

    column = Column(name, data.shape, data.dtype)
    text = h5py.check_string_dtype(data.dtype)
    if text is None or text.length is not None or data.ndim > 1:
        check_column(column)
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
