"""TFRecords: what goes in comes out, for anyone who reads the manifest; damage is told by name."""

import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from sslens.classes import CLASSES
from sslens.data import preprocessing, records
from sslens.data.records import describe, load_split, read_split, write_shard
from sslens.files import read_json, write_json

SIZE, SIDE = 23, 6


def draw(size=SIZE, side=SIDE, seed=0, split="train"):
    """Ids, class names and images with every kind of float in them."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(size, side, side)).astype(np.float32)
    images[0, 0, :5] = [0.0, -0.0, 1e-45, np.finfo(np.float32).max, -1e30]
    labels = [CLASSES[label] for label in rng.integers(3, size=size)]
    return [f"{split}-é{index}" for index in range(size)], labels, images


def shard_name(shard):
    return f"{shard:05d}.tfrecord"


def write(path, image_ids, labels, images):
    """With a number an image besides, and two images a lens."""
    rows = pd.DataFrame(
        {
            "image_id": image_ids,
            "lens_id": [image_ids[k - k % 2] for k in range(len(image_ids))],
            "label": labels,
            "flux": [k / 3 if k else np.nan for k in range(len(image_ids))],
            "masses": [np.ones(2) for _ in image_ids],  # no number: it stays in the catalogue
        }
    )
    return write_shard(path, rows, images)


def write_split(folder, split, sizes, content):
    paths = []
    for shard, size in enumerate(sizes):
        rows = slice(sum(sizes[:shard]), sum(sizes[: shard + 1]))
        path = folder / split / shard_name(shard)
        assert write(path, *(part[rows] for part in content)) == size
        paths.append(str(path))
    return paths


@pytest.fixture
def content():
    return draw()


@pytest.fixture
def data(tmp_path, content):
    """A data set of three shards for training and one for the test, with its manifest."""
    paths = write_split(tmp_path, "train", [7, 8, 8], content)
    paths += write_split(tmp_path, "test", [4], draw(size=4, seed=1, split="test"))
    write_json(tmp_path / "manifest.json", describe("model_9", paths))
    return tmp_path


@pytest.fixture
def small_batches(monkeypatch):
    """So that a shard of few images is read in several batches."""
    monkeypatch.setattr(records, "BATCH", 3)


def told_by(error):
    """The message of an error: one line."""
    message = str(error.value)
    assert "\n" not in message
    assert "run again" in message or "the next run makes it anew" in message
    return message


# --- round trip -----------------------------------------------------------------------------------


def test_round_trip_is_bit_for_bit_over_several_shards(data, content, small_batches):
    image_ids, labels, images = content
    split = read_split(data / "manifest.json", "train")
    assert split.image_ids.tolist() == image_ids
    assert split.lens_ids[7:11].tolist() == [image_ids[k] for k in (7, 7, 9, 9)]
    assert [CLASSES[label] for label in split.labels] == labels
    assert split.images.shape == (SIZE, SIDE, SIDE, 1)
    assert split.images.dtype == np.float32
    assert split.images[..., 0].tobytes() == images.tobytes()


def test_the_bytes_of_a_record_are_those_of_its_content(data):
    for raw in tf.data.TFRecordDataset(str(data / "train" / shard_name(1))):
        example = tf.train.Example.FromString(raw.numpy())
        assert example.SerializeToString(deterministic=True) == raw.numpy()


def test_splits_do_not_mix(data):
    split = read_split(data / "manifest.json", "test")
    image_ids, _, images = draw(size=4, seed=1, split="test")
    assert split.image_ids.tolist() == image_ids
    assert np.array_equal(split.images[..., 0], images)


def test_other_dtypes_and_layouts_are_stored_as_float32(tmp_path):
    image = np.asfortranarray(np.arange(12, dtype=">f8").reshape(3, 4) / 7)
    path = tmp_path / "train" / shard_name(0)
    write(path, ["a", "b"], ["cdm", "axion"], iter([image, image[::-1]]))
    write_json(tmp_path / "manifest.json", describe("x", [str(path)]))
    split = read_split(tmp_path / "manifest.json", "train")
    assert np.array_equal(split.images[0, ..., 0], image.astype(np.float32))
    assert np.array_equal(split.images[1, ..., 0], image[::-1].astype(np.float32))
    assert split.labels.tolist() == [1, 0]


def test_the_manifest_describes_what_is_there(data, content):
    manifest = read_json(data / "manifest.json")
    assert manifest["dataset"] == "model_9"
    assert manifest["classes"] == {"axion": 0, "cdm": 1, "no_sub": 2}
    assert manifest["schema"]["image"] == {"type": "bytes", "dtype": "<f4", "shape": [6, 6, 1]}
    train = manifest["splits"]["train"]
    assert train["images"] == SIZE
    assert train["images_per_class"] == {name: content[1].count(name) for name in CLASSES}
    assert [shard["images"] for shard in train["shards"]] == [7, 8, 8]
    for index, shard in enumerate(train["shards"]):
        assert shard["file"] == shard_name(index)
        file = data / "train" / shard["file"]
        assert shard["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_manifest_is_enough_to_read_the_records_without_this_library(data, content):
    """Only tf.data, and what the manifest's schema says."""
    manifest = json.loads((data / "manifest.json").read_text())
    schema = manifest["schema"]
    types = {"bytes": tf.string, "int64": tf.int64, "float": tf.float32}
    features = {
        name: tf.io.FixedLenFeature(
            [part["length"]] if "length" in part else [], types[part["type"]]
        )
        for name, part in schema.items()
    }
    names = {index: name for name, index in manifest["classes"].items()}
    files = [str(data / "train" / s["file"]) for s in manifest["splits"]["train"]["shards"]]
    rows = [tf.io.parse_single_example(raw, features) for raw in tf.data.TFRecordDataset(files)]
    image = schema["image"]
    pixels = [
        np.frombuffer(row["image"].numpy(), image["dtype"]).reshape(image["shape"]) for row in rows
    ]
    assert np.stack(pixels)[..., 0].tobytes() == content[2].tobytes()
    encoding = schema["image_id"]["encoding"]
    assert [row["image_id"].numpy().decode(encoding) for row in rows] == content[0]
    assert [names[int(row["label"])] for row in rows] == content[1]
    lenses = [row["lens_id"].numpy().decode(schema["lens_id"]["encoding"]) for row in rows]
    assert lenses[:4] == [content[0][k] for k in (0, 0, 2, 2)]
    flux = [float(row["flux"]) for row in rows[:3]]
    np.testing.assert_allclose(flux, [np.nan, 1 / 3, 2 / 3], rtol=1e-6)
    assert "masses" not in schema
    assert all(row["shape"].numpy().tolist() == image["shape"] for row in rows)


def test_the_same_images_make_the_same_file(tmp_path, content):
    for name in ("a", "b"):
        write(tmp_path / name, *content)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_load_split_is_the_split_preprocessed(data):
    recorded = read_split(data / "manifest.json", "train")
    settings = {"crop": 4, "bin": 2, "stretch": "asinh", "softening": 1.0, "scaling": "min_max"}
    facts = preprocessing.measure(recorded.images, settings)
    write_json(data / "preprocessing.json", facts)
    for name in ("train", "test"):
        recorded = read_split(data / "manifest.json", name)
        loaded = load_split(data / "manifest.json", data / "preprocessing.json", name)
        assert np.array_equal(loaded.images, preprocessing.preprocess(recorded.images, facts))
        assert loaded.images.shape[1:] == (2, 2, 1)
        assert np.array_equal(loaded.image_ids, recorded.image_ids)
        assert np.array_equal(loaded.labels, recorded.labels)


def test_images_of_several_shapes_are_refused(tmp_path, content):
    paths = write_split(tmp_path, "train", [SIZE], content)
    paths += write_split(tmp_path, "test", [SIZE], draw(side=8))
    with pytest.raises(ValueError, match="model_9: images of several shapes"):
        describe("model_9", paths)


def test_shards_with_other_numbers_are_refused(tmp_path, content):
    paths = write_split(tmp_path, "train", [SIZE], content)
    image_ids, labels, images = draw(size=4, split="test")
    rows = pd.DataFrame({"image_id": image_ids, "lens_id": image_ids, "label": labels})
    write_shard(tmp_path / "test" / shard_name(0), rows, images)
    with pytest.raises(ValueError, match="model_9: records with other numbers"):
        describe("model_9", [*paths, str(tmp_path / "test" / shard_name(0))])


# --- half-way -------------------------------------------------------------------------------------


def fails_half_way(images):
    yield from images[:5]
    raise RuntimeError("the lens is broken")


@pytest.mark.parametrize("former", [None, b"former"])
def test_a_failure_half_way_leaves_no_new_file(tmp_path, content, former):
    path = tmp_path / "train" / shard_name(0)
    path.parent.mkdir()
    if former is not None:
        path.write_bytes(former)
    image_ids, labels, images = content
    failures = [
        ((image_ids, labels, fails_half_way(images)), RuntimeError),
        ((image_ids, labels, images[:-1]), ValueError),  # an image too few
        ((image_ids[:-1], labels[:-1], images), ValueError),  # an image too many
        ((image_ids, [*labels[:-1], "wimp"], images), ValueError),  # no class
    ]
    for parts, error in failures:
        with pytest.raises(error):
            write(path, *parts)
        assert [p.read_bytes() for p in path.parent.iterdir()] == ([former] if former else [])


# --- damage ---------------------------------------------------------------------------------------


def assert_told(data, file):
    """Reading and describing name the file in one line, with the remedy."""
    with pytest.raises(ValueError) as error:
        read_split(data / "manifest.json", "train")
    assert str(file) in told_by(error)
    assert not file.exists(), "it would be read again by the next run, which makes what is missing"
    return told_by(error)


def assert_not_describable(file):
    aside = file.with_name(f"{file.name}.damaged")
    if aside.exists():
        aside.rename(file)
    with pytest.raises(ValueError) as error:
        describe("model_9", [str(file)])
    assert str(file) in told_by(error)


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_missing_shard_is_told(data, shard):
    file = data / "train" / shard_name(shard)
    file.unlink()
    assert "missing or damaged" in assert_told(data, file)
    assert_not_describable(file)


def record_length(file):
    """Bytes of the first record with its frame."""
    return 16 + int.from_bytes(file.read_bytes()[:8], "little")


def test_a_shard_truncated_within_a_record_is_told(data):
    file = data / "train" / shard_name(1)
    content = file.read_bytes()
    second = record_length(file)
    for kept in (1, 11, 12, 50, second - 1, second + 1, second + 11, len(content) - 1):
        file.write_bytes(content[:kept])
        assert_told(data, file)
        assert_not_describable(file)


def test_a_shard_truncated_between_records_is_told_by_its_count(data):
    file = data / "train" / shard_name(1)
    content = file.read_bytes()
    file.write_bytes(content[record_length(file) :])
    assert re.search("7 images where the manifest says 8", assert_told(data, file))
    file.write_bytes(b"")
    assert re.search("0 images where the manifest says 8", assert_told(data, file))


def test_a_flipped_bit_anywhere_is_told(data):
    file = data / "train" / shard_name(2)
    content = file.read_bytes()
    first_frame = [0, 3, 7, 8, 11, 12]
    second_frame = [record_length(file) + offset for offset in (-4, -1, 0, 6, 8, 11)]
    for place in [*first_frame, 40, *second_frame, *range(60, len(content), 311), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert_told(data, file)
    assert_not_describable(file)


@pytest.mark.parametrize("shard", [0, 2])
@pytest.mark.parametrize("more", [1, 5, 30])
def test_a_grown_shard_is_told(data, small_batches, shard, more):
    file = data / "train" / shard_name(shard)
    before = read_json(data / "manifest.json")["splits"]["train"]["shards"][shard]["images"]
    write(file, *draw(size=before + more, seed=2))
    message = assert_told(data, file)
    assert f"{before + more} images where the manifest says {before}" in message


@pytest.mark.parametrize(("size", "side"), [(7, 5), (7, 12), (28, 3)])
def test_a_shard_of_another_shape_is_told(data, size, side):
    """Also where the number of pixels fits the manifest's shape."""
    file = data / "train" / shard_name(0)
    image_ids, labels, _ = draw(size=size)
    write(file, image_ids, labels, np.ones((size, side, side), np.float32))
    assert "manifest" in assert_told(data, file)


def test_other_records_than_these_are_told(data):
    file = data / "train" / shard_name(0)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for _ in range(7):
            writer.write(tf.train.Example().SerializeToString())
    assert_told(data, file)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for _ in range(7):
            writer.write(b"no example")
    assert_told(data, file)
