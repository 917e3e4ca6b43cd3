"""TFRecords in and out, and the manifest that describes them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sslens.classes import CLASSES
from sslens.files import atomic_path, read_json, sha256_of
from sslens.preprocessing import preprocess

BATCH = 512
FRAME = 16  # bytes of a record's length and CRCs


class Split(NamedTuple):
    """A split of a data set in memory: ids (n,), images (n, height, width, 1), labels (n,)."""

    image_ids: np.ndarray
    images: np.ndarray
    labels: np.ndarray


def write_shard(
    path: str | Path,
    image_ids: Iterable[str],
    labels: Iterable[str],
    images: Iterable[np.ndarray],
) -> int:
    """Write a TFRecord of examples with `image_id`, `label` and `image`, atomically.

    Args:
        path: of the shard.
        image_ids: one an image.
        labels: class names; stored as their index in `CLASSES`.
        images: (height, width) each; stored as little-endian float32 bytes.

    Returns:
        The number of images written.
    """
    count = 0
    with atomic_path(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for image_id, label, image in zip(image_ids, labels, images, strict=True):
            writer.write(_example(image_id, CLASSES.index(label), image).SerializeToString())
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
        ValueError: if a shard is damaged, or images are not all of one shape.
    """
    splits: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        splits.setdefault(path.parent.name, []).append(path)
    facts = {split: [_describe_shard(path) for path in paths] for split, paths in splits.items()}
    shapes = {shape for shards in facts.values() for shard in shards for shape in shard.shapes}
    if len(shapes) != 1:
        raise ValueError(f"{dataset}: images of several shapes, {sorted(shapes)}")
    return {
        "dataset": dataset,
        "classes": {name: index for index, name in enumerate(CLASSES)},
        "schema": {
            "image": {"type": "bytes", "dtype": "<f4", "shape": list(shapes.pop())},
            "image_id": {"type": "bytes", "encoding": "utf-8"},
            "label": {"type": "int64"},
            "shape": {"type": "int64", "length": 3},
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
    labels: list[int] = []
    for shard in facts["shards"]:
        path = Path(manifest_path).parent / split / shard["file"]
        start = len(labels)
        for batch in _read_shard(path):
            pixels = _decode(batch["image"], shape, path)
            # a shard that grew since is told below, by its count
            room = images[len(labels) :][: len(pixels)]
            room[:] = pixels[: len(room)]
            image_ids.extend(image_id.decode() for image_id in batch["image_id"].numpy())
            labels.extend(batch["label"].numpy().tolist())
        if len(labels) - start != shard["images"]:
            raise ValueError(
                f"{path}: {len(labels) - start} images where the manifest says {shard['images']}; "
                "delete the file and run again"
            )
    return Split(np.array(image_ids), images, np.array(labels))


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


def _describe_shard(path: Path) -> _Shard:
    labels: list[int] = []
    shapes: set[tuple[int, ...]] = set()
    for batch in _read_shard(path):
        labels.extend(batch["label"].numpy().tolist())
        shapes.update(map(tuple, batch["shape"].numpy().tolist()))
    return _Shard(path.name, sha256_of(path), labels, shapes)


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


def _example(image_id: str, label: int, image: np.ndarray) -> tf.train.Example:
    pixels = np.ascontiguousarray(image, dtype="<f4")
    shape = [*pixels.shape, 1]
    feature = {
        "image": _bytes_feature(pixels.tobytes()),
        "image_id": _bytes_feature(image_id.encode()),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "shape": tf.train.Feature(int64_list=tf.train.Int64List(value=shape)),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature))


def _bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _read_shard(path: Path) -> Iterator[dict[str, tf.Tensor]]:
    """Yield batches of parsed examples; a damaged file is a ValueError."""
    features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "image_id": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "shape": tf.io.FixedLenFeature([3], tf.int64),
    }
    size = 0
    try:
        # TFRecord's own CRCs are checked as it is read
        for serialized in tf.data.TFRecordDataset(str(path)).batch(BATCH):
            size += int(tf.reduce_sum(tf.strings.length(serialized) + FRAME))
            yield tf.io.parse_example(serialized, features)
    except tf.errors.OpError as error:
        message = " ".join(error.message.split())
        raise ValueError(
            f"{path}: missing or damaged record; delete the file and run again ({message})"
        ) from None
    if size != path.stat().st_size:  # TensorFlow takes a frame cut short for the end of the file
        raise ValueError(f"{path}: truncated record; delete the file and run again")


def _decode(raw: tf.Tensor, shape: list[int], path: Path) -> np.ndarray:
    try:
        pixels = tf.io.decode_raw(raw, tf.float32, little_endian=True)
        return tf.reshape(pixels, [len(raw), *shape]).numpy()
    except tf.errors.InvalidArgumentError:
        raise ValueError(
            f"{path}: images are not of the manifest's shape {shape}; delete it and run again"
        ) from None
