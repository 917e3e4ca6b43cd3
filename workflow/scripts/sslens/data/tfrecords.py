"""TFRecords and their examples, without TensorFlow.

A TFRecord is a sequence of frames: the length of a payload, its masked CRC32C, the payload, the
masked CRC32C of that (TensorFlow's `record_writer.h`). A payload is a `tensorflow.Example`, which
maps names to lists of bytes, floats or integers (TensorFlow's `feature.proto`).
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory, text_format

HEADER, FOOTER = 12, 4  # bytes of a frame before and after the payload

#: The messages of TensorFlow's `example.proto` and `feature.proto`, by their numbers. They are in a
#: pool of their own, since TensorFlow, where it is loaded too, has them under its own names.
_MESSAGES = """
    name: "sslens/example.proto" package: "sslens" syntax: "proto3"
    message_type { name: "BytesList" field {
        name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES } }
    message_type { name: "FloatList" field {
        name: "value" number: 1 label: LABEL_REPEATED type: TYPE_FLOAT } }
    message_type { name: "Int64List" field {
        name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 } }
    message_type {
        name: "Feature"
        oneof_decl { name: "kind" }
        field { name: "bytes_list" number: 1 label: LABEL_OPTIONAL
            type: TYPE_MESSAGE type_name: ".sslens.BytesList" oneof_index: 0 }
        field { name: "float_list" number: 2 label: LABEL_OPTIONAL
            type: TYPE_MESSAGE type_name: ".sslens.FloatList" oneof_index: 0 }
        field { name: "int64_list" number: 3 label: LABEL_OPTIONAL
            type: TYPE_MESSAGE type_name: ".sslens.Int64List" oneof_index: 0 } }
    message_type {
        name: "Features"
        field { name: "feature" number: 1 label: LABEL_REPEATED
            type: TYPE_MESSAGE type_name: ".sslens.Features.FeatureEntry" }
        nested_type {
            name: "FeatureEntry"
            options { map_entry: true }
            field { name: "key" number: 1 label: LABEL_OPTIONAL type: TYPE_STRING }
            field { name: "value" number: 2 label: LABEL_OPTIONAL
                type: TYPE_MESSAGE type_name: ".sslens.Feature" } } }
    message_type { name: "Example" field {
        name: "features" number: 1 label: LABEL_OPTIONAL
        type: TYPE_MESSAGE type_name: ".sslens.Features" } }
"""


@lru_cache
def _example_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_MESSAGES, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sslens.Example"))


def encode_example(features: Mapping[str, bytes | float | list[int]]) -> bytes:
    """Serialize a `tensorflow.Example`, to the same bytes in every process.

    Args:
        features: bytes and floats, which become lists of one, and lists of integers.
    """
    example = _example_class()()
    for name, value in features.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, list):
            feature.int64_list.value.extend(value)
        else:
            feature.float_list.value.append(value)
    # the order of a map's keys is another one in every process otherwise
    return example.SerializeToString(deterministic=True)


def bytes_feature(payload: bytes, name: str) -> bytes:
    """The bytes that a serialized example has under a name, empty where it has none.

    Raises:
        ValueError: where the payload is no example.
    """
    try:
        example = _example_class().FromString(payload)
    except message.DecodeError as error:
        raise ValueError(f"no tensorflow.Example: {error}") from None
    return b"".join(example.features.feature[name].bytes_list.value)


def frame(payload: bytes, crc: int) -> bytes:
    """The frame of a payload, whose CRC32C is given."""
    return _header(len(payload)) + payload + _masked(crc)


def payload_of(framed: bytes) -> bytes:
    """The payload of a frame; whether the frame is sound is for `frame` to tell."""
    return framed[HEADER:-FOOTER]


def crc32c(content: bytes) -> int:
    """CRC32C (Castagnoli) of bytes, without TFRecord's mask."""
    return google_crc32c.value(content)


@lru_cache(maxsize=16)
def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _masked(crc32c(packed))


def _masked(crc: int) -> bytes:
    """A CRC as TFRecord stores it, rotated and shifted."""
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
