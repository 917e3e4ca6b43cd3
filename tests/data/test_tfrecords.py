"""TFRecords without TensorFlow: its bytes, and what it reads."""

import numpy as np
import pytest
import tensorflow as tf

from sslens.data.tfrecords import bytes_feature, crc32c, encode_example, frame, payload_of

FEATURES = {
    "image": np.arange(5000, dtype="<f4").tobytes(),
    "image_id": "é-7".encode(),
    "label": [2],
    "shape": [64, 64, 1],
    "many": [0, -1, 2**62, -(2**63)],
    "empty": b"",
    "mass": float("nan"),
    "zero": -0.0,
    "small": 1e-45,
    "third": 1 / 3,
    "infinite": float("inf"),
}


def feature_of(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, list):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))


def example_of(features):
    mapped = {name: feature_of(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=mapped))


@pytest.mark.parametrize("names", [list(FEATURES), list(FEATURES)[::-1], ["label"]])
def test_examples_have_the_bytes_that_tensorflow_writes(names):
    features = {name: FEATURES[name] for name in names}
    expected = example_of(features).SerializeToString(deterministic=True)
    assert encode_example(features) == expected


def test_files_have_the_bytes_that_tensorflow_writes(tmp_path):
    payloads = [encode_example(FEATURES), b"", b"x" * 300]
    with tf.io.TFRecordWriter(str(tmp_path / "records")) as writer:
        for payload in payloads:
            writer.write(payload)
    framed = [frame(payload, crc32c(payload)) for payload in payloads]
    assert (tmp_path / "records").read_bytes() == b"".join(framed)
    assert [payload_of(each) for each in framed] == payloads


def test_the_crc_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # its check value


def test_bytes_are_found_by_their_name():
    payload = example_of(FEATURES).SerializeToString()
    assert bytes_feature(payload, "image") == FEATURES["image"]
    assert bytes_feature(payload, "label") == bytes_feature(payload, "no such") == b""
    with pytest.raises(ValueError, match="no tensorflow.Example"):
        bytes_feature(b"nothing", "image")
