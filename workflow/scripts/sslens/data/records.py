"""Records: the images of a data set in TFRecords, each with an index to read it by.

Of every shard there are three files: `00000.tfrecord`, `00000.index.parquet` with a row an example
(its place in the TFRecord, its CRC32C, and all but its pixels), and `00000.json`, the shard's facts
(see `shards`). The manifest of the data set, which is combined from the facts, has the digest of
every file, and an index the CRC32C of every example: so whatever is read is what was written.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sslens.classes import CLASSES
from sslens.data.preprocessing import preprocess
from sslens.data.tfrecords import (
    FOOTER,
    HEADER,
    bytes_feature,
    crc32c,
    encode_example,
    frame,
    payload_of,
)
from sslens.digests import sha256, sha256_of
from sslens.files import atomic_path, read_json
from sslens.formatting import read_parquet
from sslens.images import Images

#: Suffix of an index, in the place of the TFRecord's.
INDEX = ".index.parquet"
#: Columns of an index that say where an example is: of its frame the first byte, of its payload the
#: length and the CRC32C.
PLACE = {"offset": np.int64, "length": np.uint32, "crc32c": np.uint32}
#: Facts of a shard that the manifest lists of each; of the others, it has what they make together.
PER_SHARD = ("images", "bytes", "sha256", "index_sha256")
OPEN_FILES = 64  # TFRecords of a split that are open at a time


# --- writing --------------------------------------------------------------------------------------


def write_shard(
    path: str | Path, rows: pd.DataFrame, images: Iterable[Mapping[str, np.ndarray]]
) -> dict:
    """Write a TFRecord of examples and its index, atomically each.

    Args:
        path: of the TFRecord.
        rows: of a catalogue, one an image: `image_id`, `lens_id`, `label` (a class name; stored as
            its index in `CLASSES`), and columns of floats, which are stored under their names.
        images: of each row, what is stored under which name: (height, width), as little-endian
            float32 bytes. All have an `image`.

    Returns:
        The facts of the shard, as `describe` reads them: `images` (their number), their `shape`
        (height, width, 1), `images_per_class`, `arrays` (names of what is stored of each image),
        `numbers` (names of the floats), and the `bytes` and `sha256` of the TFRecord and the
        `index_sha256`.

    Raises:
        ValueError: for a label that is no class, images of several shapes, or more or fewer images
            than rows.
    """
    path = Path(path)
    numbers = list(rows.select_dtypes("float"))
    labels = np.array([CLASSES.index(label) for label in rows["label"]], np.int64)
    places, kinds, digest = [], set(), hashlib.sha256()
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            columns = rows.to_dict("records"), labels.tolist(), images
            for row, label, arrays in zip(*columns, strict=True):
                features = _features(row, label, numbers, arrays)
                kinds |= {(name, (*np.shape(array), 1)) for name, array in arrays.items()}
                payload = encode_example(features)
                places.append((file.tell(), len(payload), crc32c(payload)))
                framed = frame(payload, places[-1][-1])
                file.write(framed)
                digest.update(framed)
        shapes = {shape for _, shape in kinds}
        if len(shapes) > 1:
            raise ValueError(f"{path}: images of several shapes, {sorted(shapes)}")
        index = pd.DataFrame(places, columns=list(PLACE)).astype(PLACE)
        index[["image_id", "lens_id"]] = rows[["image_id", "lens_id"]].to_numpy()
        index["label"] = labels
        index[numbers] = rows[numbers].to_numpy(np.float32)
        with atomic_path(index_path(path)) as temporary_index:
            index.to_parquet(temporary_index, index=False)
    return {
        "images": len(labels),
        "images_per_class": {name: int(np.sum(labels == c)) for c, name in enumerate(CLASSES)},
        "shape": list(shapes.pop()) if shapes else None,
        "arrays": sorted(name for name, _ in kinds),
        "numbers": sorted(numbers),
        "bytes": path.stat().st_size,
        "sha256": digest.hexdigest(),
        "index_sha256": sha256_of(index_path(path)),
    }


def index_path(path: str | Path) -> Path:
    """The path of the index of a TFRecord."""
    return Path(path).with_suffix(INDEX)


def _features(
    row: Mapping, label: int, numbers: Sequence[str], arrays: Mapping[str, np.ndarray]
) -> dict:
    return {
        "image_id": row["image_id"].encode(),
        "lens_id": row["lens_id"].encode(),
        "label": [label],
        "shape": [*np.shape(arrays["image"]), 1],
        **{name: np.asarray(array, "<f4").tobytes() for name, array in arrays.items()},
        **{name: row[name] for name in numbers},
    }


# --- the manifest ---------------------------------------------------------------------------------


def describe(dataset: str, shards: Mapping[str, dict]) -> dict:
    """Combine the facts of a data set's shards: its manifest.

    Args:
        dataset: name of the data set.
        shards: path of every TFRecord, in the folder of its split, in the order they are read in,
            with its facts (of `write_shard`).

    Returns:
        Schema of an example, the class index, and per split the number of images, of images a
        class, and the name, number of images, bytes and SHA-256 of every shard, and of its index.

    Raises:
        ValueError: if a TFRecord is missing or not as long as its facts say, or images or examples
            are not all of one shape.
    """
    for path, facts in shards.items():
        _check_size(Path(path), facts["bytes"])
    shapes = {tuple(facts["shape"]) for facts in shards.values() if facts["images"]}
    if len(shapes) != 1:
        raise ValueError(f"{dataset}: images of several shapes, {sorted(shapes)}")
    stored = {
        (tuple(facts["arrays"]), tuple(facts["numbers"]))
        for facts in shards.values()
        if facts["images"]
    }
    if len(stored) != 1:
        raise ValueError(f"{dataset}: records with other features than others, {sorted(stored)}")
    ((arrays, numbers),) = stored
    array = {"type": "bytes", "dtype": "<f4", "shape": list(shapes.pop())}
    splits: dict[str, dict[str, dict]] = {}
    for path, facts in shards.items():
        splits.setdefault(Path(path).parent.name, {})[Path(path).name] = facts
    return {
        "dataset": dataset,
        "classes": {name: index for index, name in enumerate(CLASSES)},
        "schema": {
            **dict.fromkeys(arrays, array),
            "image_id": {"type": "bytes", "encoding": "utf-8"},
            "label": {"type": "int64"},
            "lens_id": {"type": "bytes", "encoding": "utf-8"},
            "shape": {"type": "int64", "length": 3},
            **{name: {"type": "float"} for name in numbers},
        },
        "splits": {split: _describe_split(files) for split, files in splits.items()},
    }


def _describe_split(files: Mapping[str, dict]) -> dict:
    return {
        "images": sum(facts["images"] for facts in files.values()),
        "images_per_class": {
            name: sum(facts["images_per_class"][name] for facts in files.values())
            for name in CLASSES
        },
        "shards": [
            {"file": file} | {key: facts[key] for key in PER_SHARD} for file, facts in files.items()
        ],
    }


# --- reading --------------------------------------------------------------------------------------


class Split(NamedTuple):
    """A split of a data set, row by row; a batch of its images is read when it is asked for."""

    images: Images
    labels: np.ndarray  # (n,) indices into `CLASSES`; or other targets, see `tasks.base.targeted`
    columns: "Columns"  # of the index, such as image_id, lens_id or einstein_radius

    @classmethod
    def of(cls, images: np.ndarray, labels: np.ndarray, **columns: np.ndarray) -> "Split":
        """A split in memory: images (n, height, width, channels), and columns by their names."""
        return cls(Images.of(images), labels, Columns({"label": labels, **columns}.__getitem__))

    def take(self, rows: np.ndarray | slice) -> "Split":
        """The split of these rows alone."""
        return Split(self.images.take(rows), self.labels[rows], self.columns.take(rows))


class Columns:
    """Columns of a split by name, (n,) each, read when they are asked for."""

    def __init__(self, read: Callable[[str], np.ndarray], rows: np.ndarray | slice = slice(None)):
        self._read, self._rows = read, rows

    def __getitem__(self, name: str) -> np.ndarray:
        return self._read(name)[self._rows]

    def take(self, rows: np.ndarray | slice) -> "Columns":
        """The columns of these rows alone."""
        return Columns(lambda name: self[name], rows)


def read_split(
    manifest_path: str | Path,
    split: str,
    array: str = "image",
    rows: Sequence[int] | None = None,
) -> Split:
    """Open a split, shard by shard in the manifest's order; its images are as they were recorded.

    Args:
        manifest_path: of the data set.
        split: name of the split.
        array: what its images are: `image`, or `noise_free` where the recipe has it stored.
        rows: the first that is taken, and the one after the last; None for all.

    Returns:
        The split, with the labels in memory. Whatever is read of it later raises the same errors.

    Raises:
        ValueError: if a file is missing, or is not what the manifest says; it is then set aside.
            Or if the records have no such array.
    """
    manifest = read_json(manifest_path)
    if array not in manifest["schema"]:
        raise ValueError(
            f"{manifest_path}: its records have no {array}; set store_noise_free in the recipe of "
            f"{manifest['dataset']}"
        )
    labels, *places = read_columns(manifest_path, split, "label", *PLACE)
    shards = manifest["splits"][split]["shards"]
    shape = manifest["schema"][array]["shape"]
    records = _Records(Path(manifest_path).parent / split, shards, array, shape, places)
    images = Images(records.images, np.arange(len(labels)), shape)
    columns = Columns(lambda name: read_columns(manifest_path, split, name)[0])
    return Split(images, labels, columns).take(slice(*(rows or (None,))))


def read_columns(manifest_path: str | Path, split: str, *names: str) -> list[np.ndarray]:
    """Columns of the indexes of a split, (n,) each, without its images.

    Raises:
        ValueError: as `read_split`, where an index cannot be used.
    """
    shards = read_json(manifest_path)["splits"][split]["shards"]
    folder = Path(manifest_path).parent / split
    parts = [
        _read_columns(folder / shard["file"], shard["index_sha256"], names) for shard in shards
    ]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def load_split(
    manifest_path: str | Path,
    preprocessing_path: str | Path,
    split: str,
    rows: Sequence[int] | None = None,
) -> Split:
    """Open a split whose images are preprocessed: what every training and evaluation sees.

    These read all of it, so each of its files is compared with its SHA-256 before.

    Args:
        manifest_path, preprocessing_path: of the data set.
        split: name of the split.
        rows: as of `read_split`.

    Raises:
        ValueError: as `read_split`.
    """
    recorded = read_split(manifest_path, split, rows=rows)
    for shard in read_json(manifest_path)["splits"][split]["shards"]:
        _check_content(Path(manifest_path).parent / split / shard["file"], shard["sha256"])
    facts = read_json(preprocessing_path)
    images = recorded.images.map(lambda part: preprocess(part, facts), facts["input_shape"])
    return recorded._replace(images=images)


class _Records:
    """The examples of a split's shards, read by row; rows are counted over all shards."""

    def __init__(
        self,
        folder: Path,
        shards: Sequence[Mapping],
        array: str,
        shape: Sequence[int],
        places: Sequence[np.ndarray],
    ):
        self._array, self._shape, self._places = array, tuple(shape), places
        self._paths = [folder / shard["file"] for shard in shards]
        self._bytes = [shard["bytes"] for shard in shards]
        self._ends = np.cumsum([shard["images"] for shard in shards])
        for path, size in zip(self._paths, self._bytes, strict=True):
            _check_size(path, size)
        self._open = lru_cache(maxsize=OPEN_FILES)(_File)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """Read images: (m,) rows to (m, *shape) float32, every example's CRC32C checked."""
        places = (column[rows].tolist() for column in self._places)
        shards = np.searchsorted(self._ends, rows, side="right").tolist()
        pixels = [
            self._pixels(*place) for place in zip(rows.tolist(), shards, *places, strict=True)
        ]
        images = np.frombuffer(b"".join(pixels), "<f4").astype(np.float32, copy=False)
        return images.reshape(-1, *self._shape)

    def _pixels(self, row: int, shard: int, offset: int, length: int, crc: int) -> bytes:
        path = self._paths[shard]
        read = self._open(path, self._bytes[shard]).read(offset, HEADER + length + FOOTER)
        payload = payload_of(read)
        # of the whole frame, since others read these files too
        if crc32c(payload) != crc or frame(payload, crc) != read:
            raise _damaged(path, f"record {row} is not the one that was written")
        return bytes_feature(payload, self._array)


class _File:
    """A TFRecord that is open for reading; its threads need not wait for each other."""

    def __init__(self, path: Path, size: int):
        self._path = path
        _check_size(path, size)
        try:
            self._number = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise _unreadable(path, error) from None

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from an offset on; not by a memory map, whose pages count as the process's own."""
        try:
            return os.pread(self._number, length, offset)
        except OSError as error:
            raise _unreadable(self._path, error) from None

    def __del__(self, close: Callable = os.close) -> None:  # when Python ends, `os` may be gone
        if hasattr(self, "_number"):
            close(self._number)


def _read_columns(path: Path, digest: str, names: Sequence[str]) -> list[np.ndarray]:
    """Columns of the index of a TFRecord."""
    file = index_path(path)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise _damaged(file, "the index is missing") from None
    except OSError as error:
        raise _unreadable(file, error) from None
    if sha256(content) != digest:
        raise _damaged(file, f"not the index of {path.name} that the manifest lists")
    index = read_parquet(io.BytesIO(content), names)
    return [index[name].to_numpy() for name in names]


def _check_size(path: Path, size: int) -> None:
    """Stop where a TFRecord is missing, or was cut or has grown since it was written."""
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise _damaged(path, "the file is missing") from None
    except OSError as error:  # of the machine, or of the way to the file
        raise _unreadable(path, error) from None
    if found != size:
        raise _damaged(path, f"{found} bytes, and not the {size} that were written")


def _check_content(path: Path, digest: str) -> None:
    """Stop where a TFRecord has other content than was written, though of the same size."""
    try:
        found = sha256_of(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    if found != digest:
        raise _damaged(path, "not the records that the manifest lists")


def _unreadable(path: Path, error: OSError) -> ValueError:
    return ValueError(f"{path}: cannot be read now ({error.strerror})")


def _damaged(path: Path, what: str) -> ValueError:
    """The error of a file that cannot be used; it is set aside, so that the next run makes it."""
    path = path.resolve()  # of a shared one the file itself, not this run's link
    aside = path.with_name(f"{path.name}.damaged")
    try:
        os.replace(path, aside)
    except OSError:  # it is not there, or this folder is not ours to change
        return ValueError(f"{path}: {what}; delete the file, if it is there, and run again")
    return ValueError(f"{path}: {what}; it is {aside.name} now, and the next run makes it anew")
