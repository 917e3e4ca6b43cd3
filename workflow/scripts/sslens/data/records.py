"""TFRecords in and out, and the manifest that describes them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from sslens.classes import CLASSES
from sslens.data.preprocessing import preprocess
from sslens.digests import sha256_of
from sslens.files import atomic_path, read_json

BATCH = 512
#: What TensorFlow says of a file that has gone or is not what was written.
DAMAGE = (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError)
FRAME = 16  # bytes of a record's length and CRCs


class Split(NamedTuple):
    """A split of a data set in memory, row by row: images are (n, height, width, 1)."""

    image_ids: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    lens_ids: np.ndarray  # images of one lens have the same

    def take(self, rows: np.ndarray | slice) -> "Split":
        """The split of these rows alone."""
        return Split(*(array[rows] for array in self))


def write_shard(path: str | Path, rows: pd.DataFrame, images: Iterable[np.ndarray]) -> int:
    """Write a TFRecord of examples, atomically.

    Args:
        path: of the shard.
        rows: of a catalogue, one an image: `image_id`, `lens_id`, `label` (a class name; stored as
            its index in `CLASSES`), and columns of floats, which are stored under their names.
        images: (height, width) each; stored as little-endian float32 bytes.

    Returns:
        The number of images written.
    """
    count = 0
    with atomic_path(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        numbers = list(rows.select_dtypes("float"))
        for row, image in zip(rows.to_dict("records"), images, strict=True):
            example = _example(row, numbers, image)
            # the features' order is another one in every process otherwise
            writer.write(example.SerializeToString(deterministic=True))
            count += 1
    return count


def describe(dataset: str, paths: list[str]) -> dict:
    """Check the shards of a data set and describe them: its manifest.

    Args:
        dataset: name of the data set.
        paths: of all shards, each in the folder of its split, in the order they are read in.

    Returns:
        Schema of an example, the class index, and per split the number of images, of images a
        class, and the name, number of images and SHA-256 of every shard.

    Raises:
        ValueError: if a shard is damaged, or images or examples are not all of one shape.
    """
    splits: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        splits.setdefault(path.parent.name, []).append(path)
    facts = {split: [_describe_shard(path) for path in paths] for split, paths in splits.items()}
    shapes = {shape for shards in facts.values() for shard in shards for shape in shard.shapes}
    if len(shapes) != 1:
        raise ValueError(f"{dataset}: images of several shapes, {sorted(shapes)}")
    numbers = {shard.numbers for shards in facts.values() for shard in shards if shard.labels}
    if len(numbers) != 1:
        raise ValueError(f"{dataset}: records with other numbers than others, {sorted(numbers)}")
    return {
        "dataset": dataset,
        "classes": {name: index for index, name in enumerate(CLASSES)},
        "schema": {
            "image": {"type": "bytes", "dtype": "<f4", "shape": list(shapes.pop())},
            "image_id": {"type": "bytes", "encoding": "utf-8"},
            "label": {"type": "int64"},
            "lens_id": {"type": "bytes", "encoding": "utf-8"},
            "shape": {"type": "int64", "length": 3},
            **{name: {"type": "float"} for name in numbers.pop()},
        },
        "splits": {split: _describe_split(shards) for split, shards in facts.items()},
    }


def read_split(manifest_path: str | Path, split: str) -> Split:
    """Read all images of a split into memory, shard by shard in the manifest's order.

    Raises:
        ValueError: if a shard is missing, damaged or of another length than the manifest says.
    """
    manifest = read_json(manifest_path)
    shape = manifest["schema"]["image"]["shape"]
    facts = manifest["splits"][split]
    images = np.empty((facts["images"], *shape), np.float32)
    image_ids: list[str] = []
    lens_ids: list[str] = []
    labels: list[int] = []
    for shard in facts["shards"]:
        path = Path(manifest_path).parent / split / shard["file"]
        start = len(labels)
        for batch in _read_shard(path):
            pixels = _decode(batch["image"], shape, path)
            # a shard that grew since is an error below, by its count
            room = images[len(labels) :][: len(pixels)]
            room[:] = pixels[: len(room)]
            image_ids.extend(name.decode() for name in batch["image_id"].numpy())
            lens_ids.extend(name.decode() for name in batch["lens_id"].numpy())
            labels.extend(batch["label"].numpy().tolist())
        if len(labels) - start != shard["images"]:
            raise _damaged(
                path, f"{len(labels) - start} images where the manifest says {shard['images']}"
            )
    return Split(np.array(image_ids), images, np.array(labels), np.array(lens_ids))


def load_split(manifest_path: str | Path, preprocessing_path: str | Path, split: str) -> Split:
    """Read a split and preprocess its images: what every training and evaluation sees."""
    recorded = read_split(manifest_path, split)
    return recorded._replace(images=preprocess(recorded.images, read_json(preprocessing_path)))


class _Shard(NamedTuple):
    """Facts of a shard."""

    file: str
    sha256: str
    labels: list[int]
    shapes: set[tuple[int, ...]]
    numbers: tuple[str, ...]  # names of the floats beside the image


def _describe_shard(path: Path) -> _Shard:
    labels: list[int] = []
    shapes: set[tuple[int, ...]] = set()
    for batch in _read_shard(path):
        labels.extend(batch["label"].numpy().tolist())
        shapes.update(map(tuple, batch["shape"].numpy().tolist()))
    return _Shard(path.name, sha256_of(path), labels, shapes, _numbers(path))


def _numbers(path: Path) -> tuple[str, ...]:
    """Names of the floats in a shard's first example."""
    for serialized in tf.data.TFRecordDataset(str(path)).take(1):
        features = tf.train.Example.FromString(serialized.numpy()).features.feature
        return tuple(sorted(name for name in features if features[name].HasField("float_list")))
    return ()


def _describe_split(shards: list[_Shard]) -> dict:
    labels = np.concatenate([shard.labels for shard in shards]).astype(int)
    counts = np.bincount(labels, minlength=len(CLASSES)).tolist()
    return {
        "images": len(labels),
        "images_per_class": dict(zip(CLASSES, counts, strict=True)),
        "shards": [
            {"file": shard.file, "images": len(shard.labels), "sha256": shard.sha256}
            for shard in shards
        ],
    }


def _example(row: dict, numbers: list[str], image: np.ndarray) -> tf.train.Example:
    pixels = np.ascontiguousarray(image, dtype="<f4")
    shape = [*pixels.shape, 1]
    feature = {
        "image": _bytes_feature(pixels.tobytes()),
        "image_id": _bytes_feature(row["image_id"].encode()),
        "lens_id": _bytes_feature(row["lens_id"].encode()),
        "label": _integers_feature([CLASSES.index(row["label"])]),
        "shape": _integers_feature(shape),
    } | {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[row[name]])) for name in numbers
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))


def _bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _integers_feature(value: list[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=value))


def _read_shard(path: Path) -> Iterator[dict[str, tf.Tensor]]:
    """Yield batches of parsed examples; a damaged file is a ValueError."""
    features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "image_id": tf.io.FixedLenFeature([], tf.string),
        "lens_id": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "shape": tf.io.FixedLenFeature([3], tf.int64),
    }
    size = 0
    try:
        # TFRecord's own CRCs are checked as it is read
        for serialized in tf.data.TFRecordDataset(str(path)).batch(BATCH):
            size += int(tf.reduce_sum(tf.strings.length(serialized) + FRAME))
            yield tf.io.parse_example(serialized, features)
    except DAMAGE as error:
        raise _damaged(path, f"missing or damaged record ({_in_a_line(error)})") from None
    except tf.errors.OpError as error:  # of the machine, or of the way to the file
        raise ValueError(f"{path}: cannot be read now ({_in_a_line(error)})") from None
    if size != path.stat().st_size:  # TensorFlow takes a frame cut short for the end of the file
        raise _damaged(path, "truncated record")


def _in_a_line(error: tf.errors.OpError) -> str:
    return " ".join(error.message.split())


def _decode(raw: tf.Tensor, shape: list[int], path: Path) -> np.ndarray:
    try:
        pixels = tf.io.decode_raw(raw, tf.float32, little_endian=True)
        return tf.reshape(pixels, [len(raw), *shape]).numpy()
    except tf.errors.InvalidArgumentError:
        raise _damaged(path, f"images are not of the manifest's shape {shape}") from None


def _damaged(path: Path, what: str) -> ValueError:
    """The error of a shard that cannot be used; it is set aside, so that the next run makes it."""
    path = path.resolve()  # of a shared one the file itself, not this run's link
    aside = path.with_name(f"{path.name}.damaged")
    try:
        os.replace(path, aside)
    except OSError:  # it is not there, or this folder is not ours to change
        return ValueError(f"{path}: {what}; delete the file, if it is there, and run again")
    return ValueError(f"{path}: {what}; it is {aside.name} now, and the next run makes it anew")
