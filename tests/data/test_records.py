"""Records: what goes in comes out, for anyone who reads the manifest; damage is reported."""

import hashlib
import json
import re
import resource
import signal

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from sslens.classes import CLASSES
from sslens.data import preprocessing, records
from sslens.data.records import (
    describe,
    index_path,
    load_split,
    read_columns,
    read_split,
    write_shard,
)
from sslens.data.tfrecords import FOOTER, HEADER, crc32c, encode_example, frame, payload_of
from sslens.digests import sha256_of
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
    return write_shard(path, rows, ({"image": image} for image in images))


def write_split(folder, split, sizes, content):
    """Write the shards of a split; their facts by their paths."""
    facts = {}
    for shard, size in enumerate(sizes):
        rows = slice(sum(sizes[:shard]), sum(sizes[: shard + 1]))
        path = folder / split / shard_name(shard)
        facts[str(path)] = write(path, *(part[rows] for part in content))
        assert facts[str(path)]["images"] == size
    return facts


@pytest.fixture
def content():
    return draw()


@pytest.fixture
def data(tmp_path, content):
    """A data set of three shards for training and one for the test, with its manifest."""
    facts = write_split(tmp_path, "train", [7, 8, 8], content)
    facts |= write_split(tmp_path, "test", [4], draw(size=4, seed=1, split="test"))
    write_json(tmp_path / "manifest.json", describe("model_9", facts))
    return tmp_path


# --- round trip -----------------------------------------------------------------------------------


def test_round_trip_is_bit_for_bit_over_several_shards(data, content):
    image_ids, labels, images = content
    split = read_split(data / "manifest.json", "train")
    assert split.columns["image_id"].tolist() == image_ids
    assert split.columns["lens_id"][7:11].tolist() == [image_ids[k] for k in (7, 7, 9, 9)]
    assert [CLASSES[label] for label in split.labels] == labels
    assert split.images.shape == (SIZE, SIDE, SIDE, 1)
    assert split.images[:].dtype == np.float32
    assert split.images[:][..., 0].tobytes() == images.tobytes()


def test_any_rows_are_read_in_their_order(data, content, monkeypatch):
    monkeypatch.setattr("sslens.images.PART", 2)
    split = read_split(data / "manifest.json", "train")
    images = content[2][..., None]
    for rows in ([22, 0, 7, 6, 7], [], [[3, 8], [22, 0]]):
        rows = np.array(rows, int)
        assert split.images[rows].tobytes() == images[rows].tobytes()
        assert split.images[rows].shape == images[rows].shape
        assert split.images.take(rows)[:].tobytes() == images[rows].tobytes()
        assert split.images.take(rows).load().tobytes() == images[rows].tobytes()
    few = split.take(np.array([20, 3, 9])).take(slice(1, None))
    assert few.images[:].tobytes() == images[[3, 9]].tobytes()
    assert few.labels.tolist() == split.labels[[3, 9]].tolist()
    assert few.columns["image_id"].tolist() == [content[0][k] for k in (3, 9)]


def test_columns_are_read_without_the_images(data, content):
    for path in (data / "train").glob("*.tfrecord"):
        path.unlink()
    manifest = data / "manifest.json"
    image_ids, labels, flux = read_columns(manifest, "train", "image_id", "label", "flux")
    assert image_ids.tolist() == content[0]
    assert [CLASSES[label] for label in labels] == content[1]
    assert np.isnan(flux[0]) and flux[1] == np.float32(1 / 3)
    index_path(data / "train" / shard_name(1)).write_bytes(b"")
    with pytest.raises(ValueError, match="not the index of"):
        read_columns(manifest, "train", "label")


def test_noise_free_images_are_read_where_they_are_stored(tmp_path, content):
    image_ids, labels, images = content
    rows = pd.DataFrame({"image_id": image_ids, "lens_id": image_ids, "label": labels})
    path = tmp_path / "train" / shard_name(0)
    both = [{"image": image, "noise_free": 2 * image} for image in np.abs(images) / 4]
    write_json(tmp_path / "m.json", describe("x", {str(path): write_shard(path, rows, both)}))
    noisy, clean = (
        read_split(tmp_path / "m.json", "train", name).images[3:5]
        for name in ("image", "noise_free")
    )
    assert np.array_equal(clean, 2 * noisy)
    assert noisy.tobytes() == both[3]["image"].tobytes() + both[4]["image"].tobytes()


def test_noise_free_images_that_are_not_stored_are_asked_for_by_their_key(data):
    with pytest.raises(
        ValueError, match="no noise_free; set store_noise_free in the recipe of model_9"
    ):
        read_split(data / "manifest.json", "train", "noise_free")


def test_few_files_are_open_at_a_time(data, content, monkeypatch):
    monkeypatch.setattr(records, "OPEN_FILES", 1)
    split = read_split(data / "manifest.json", "train")
    rows = np.random.default_rng(0).permutation(SIZE)
    assert split.images[rows].tobytes() == content[2][rows].tobytes()


def test_the_bytes_of_a_record_are_those_of_its_content(data):
    for raw in tf.data.TFRecordDataset(str(data / "train" / shard_name(1))):
        example = tf.train.Example.FromString(raw.numpy())
        assert example.SerializeToString(deterministic=True) == raw.numpy()


def test_splits_do_not_mix(data):
    split = read_split(data / "manifest.json", "test")
    image_ids, _, images = draw(size=4, seed=1, split="test")
    assert split.columns["image_id"].tolist() == image_ids
    assert np.array_equal(split.images[:][..., 0], images)


def test_other_dtypes_and_layouts_are_stored_as_float32(tmp_path):
    image = np.asfortranarray(np.arange(12, dtype=">f8").reshape(3, 4) / 7)
    path = tmp_path / "train" / shard_name(0)
    facts = write(path, ["a", "b"], ["cdm", "axion"], iter([image, image[::-1]]))
    write_json(tmp_path / "manifest.json", describe("x", {str(path): facts}))
    split = read_split(tmp_path / "manifest.json", "train")
    assert np.array_equal(split.images[0][..., 0], image.astype(np.float32))
    assert np.array_equal(split.images[1][..., 0], image[::-1].astype(np.float32))
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
        assert shard["bytes"] == file.stat().st_size
        assert shard["index_sha256"] == sha256_of(index_path(file))


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


def test_the_same_images_make_the_same_files(tmp_path, content):
    for name in ("a", "b"):
        write(tmp_path / name, *content)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert index_path(tmp_path / "a").read_bytes() == index_path(tmp_path / "b").read_bytes()


def test_load_split_is_the_split_preprocessed(data):
    recorded = read_split(data / "manifest.json", "train")
    settings = {"crop": 4, "bin": 2, "stretch": "asinh", "softening": 1.0, "scaling": "min_max"}
    facts = preprocessing.measure(recorded.images, settings)
    write_json(data / "preprocessing.json", facts)
    for name in ("train", "test"):
        recorded = read_split(data / "manifest.json", name)
        files = data / "manifest.json", data / "preprocessing.json"
        loaded = load_split(*files, name)
        whole = preprocessing.preprocess(recorded.images[:], facts)
        assert loaded.images[:].tobytes() == whole.tobytes()
        assert loaded.images[2:4].tobytes() == whole[2:4].tobytes(), "a batch is as the whole"
        assert loaded.images.shape[1:] == (2, 2, 1)
        assert np.array_equal(loaded.columns["image_id"], recorded.columns["image_id"])
        assert np.array_equal(loaded.labels, recorded.labels)
        part = load_split(*files, name, rows=[1, 3])
        assert part.images[:].tobytes() == whole[1:3].tobytes()
        assert np.array_equal(part.labels, recorded.labels[1:3])


def test_images_of_several_shapes_are_refused(tmp_path, content):
    facts = write_split(tmp_path, "train", [SIZE], content)
    facts |= write_split(tmp_path, "test", [SIZE], draw(side=8))
    with pytest.raises(ValueError, match="model_9: images of several shapes"):
        describe("model_9", facts)
    image_ids, labels, images = content
    path = tmp_path / "train" / shard_name(1)
    with pytest.raises(ValueError, match=f"{path}: images of several shapes"):
        write(path, image_ids, labels, [images[0, :5], *images[1:]])
    assert not path.exists() and not index_path(path).exists()


def test_shards_with_other_numbers_are_refused(tmp_path, content):
    facts = write_split(tmp_path, "train", [SIZE], content)
    image_ids, labels, images = draw(size=4, split="test")
    rows = pd.DataFrame({"image_id": image_ids, "lens_id": image_ids, "label": labels})
    path = tmp_path / "test" / shard_name(0)
    facts[str(path)] = write_shard(path, rows, [{"image": image} for image in images])
    with pytest.raises(ValueError, match="model_9: records with other features"):
        describe("model_9", facts)


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


def test_a_full_disk_is_told_by_name(tmp_path, content):
    path = tmp_path / shard_name(0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, before[1]))  # no more room than that
    try:
        with pytest.raises(OSError, match=re.escape(str(path))):
            write(path, *content)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


# --- damage ---------------------------------------------------------------------------------------


def read_all(data):
    return read_split(data / "manifest.json", "train").images[:]


def assert_told(data, file):
    """Reading names the file in one line, with the remedy, and sets it aside."""
    with pytest.raises(ValueError) as error:
        read_all(data)
    message = str(error.value)
    assert str(file) in message
    assert "\n" not in message
    assert "run again" in message or "the next run makes it anew" in message
    assert not file.exists(), "it would be read again by the next run, which makes what is missing"
    return message


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_missing_file_is_told(data, shard):
    file = data / "train" / shard_name(shard)
    content = file.read_bytes()
    file.unlink()
    assert "missing" in assert_told(data, file)
    with pytest.raises(ValueError, match=f"{file}: .*missing"):
        describe("model_9", {str(file): {"bytes": len(content)}})
    file.write_bytes(content)
    index_path(file).unlink()
    assert "the index is missing" in assert_told(data, index_path(file))


def record_length(file):
    """Bytes of the first record with its frame."""
    return 16 + int.from_bytes(file.read_bytes()[:8], "little")


def test_a_file_of_another_size_is_told_when_it_is_opened(data):
    file = data / "train" / shard_name(1)
    content = file.read_bytes()
    second = record_length(file)
    for other in (b"", content[:1], content[:second], content[:-1], content[second:], 2 * content):
        file.write_bytes(other)
        with pytest.raises(ValueError, match=f"{file}: .*bytes, and not the"):
            describe("model_9", {str(file): {"bytes": len(content)}})
        file.write_bytes(other)
        message = assert_told(data, file)
        assert f"{len(other)} bytes, and not the {len(content)} that were written" in message


def test_a_file_that_is_cut_while_it_is_read_is_told(data):
    split, file = read_split(data / "manifest.json", "train"), data / "train" / shard_name(2)
    split.images[15:16]
    with open(file, "r+b") as stream:
        stream.truncate(record_length(file) + 5)
    split.images[15:16]
    with pytest.raises(ValueError, match=f"{file}: record 16 is not the one that was written"):
        split.images[16:17]


def test_a_flipped_bit_anywhere_is_told(data):
    file = data / "train" / shard_name(2)
    content = file.read_bytes()
    first_frame = [0, 3, 7, 8, 11, 12]
    second_frame = [record_length(file) + offset for offset in (-4, -1, 0, 6, 8, 11)]
    for place in [*first_frame, 40, *second_frame, *range(60, len(content), 311), len(content) - 1]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert "is not the one that was written" in assert_told(data, file)


def test_a_changed_index_is_told(data):
    file = index_path(data / "train" / shard_name(2))
    content = file.read_bytes()
    others = [index_path(data / "train" / shard_name(1)).read_bytes(), content[:-1], b""]
    others.append(bytes([*content[:50], content[50] ^ 1, *content[51:]]))
    for other in others:
        file.write_bytes(other)
        assert f"not the index of {shard_name(2)}" in assert_told(data, file)


def test_other_records_with_valid_crcs_and_of_the_same_size_are_told(data):
    """As where a shard of an earlier configuration was copied over it, with its own CRCs."""
    file = data / "train" / shard_name(0)
    size = file.stat().st_size
    image_ids, labels, images = draw(size=7, seed=5)
    write(data / "other", image_ids, labels, images)
    (data / "other").replace(file)  # without its index
    assert file.stat().st_size == size
    assert "record 0 is not the one that was written" in assert_told(data, file)
    payload = encode_example({"image": bytes(size)})
    payload = payload[: size - 16]
    file.write_bytes(frame(payload, crc32c(payload)))
    assert "record 0 is not the one that was written" in assert_told(data, file)


def test_where_all_is_read_they_are_told_when_it_is_opened(data):
    manifest, facts = data / "manifest.json", data / "preprocessing.json"
    settings = {"crop": 4, "bin": 2, "stretch": "none", "softening": 1.0, "scaling": "min_max"}
    write_json(facts, preprocessing.measure(read_split(manifest, "train").images, settings))
    load_split(manifest, facts, "train")
    file = data / "train" / shard_name(0)
    content, place = file.read_bytes(), pd.read_parquet(index_path(file)).iloc[0]
    payload = payload_of(content[: HEADER + place["length"] + FOOTER])
    other = bytes([*payload[:-1], payload[-1] ^ 1])
    file.write_bytes(content.replace(frame(payload, place["crc32c"]), frame(other, crc32c(other))))
    with pytest.raises(ValueError, match="not the records that the manifest lists; it is"):
        load_split(manifest, facts, "train")
    assert not file.exists()


def test_a_file_that_cannot_be_read_now_stays(data, monkeypatch):
    def fails(*_):
        raise OSError(5, "Input/output error")

    split = read_split(data / "manifest.json", "train")
    monkeypatch.setattr(records.os, "pread", fails)
    with pytest.raises(ValueError, match="cannot be read now .Input/output error"):
        split.images[:1]
    assert (data / "train" / shard_name(0)).exists()
