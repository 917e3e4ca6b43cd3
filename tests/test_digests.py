"""Digests tell apart what differs, and nothing else."""

import hashlib

import numpy as np

from sslens.digests import arrays_digest, fingerprint, json_digest, sha256_of


def test_sha256_is_of_the_content(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_the_order_of_keys_does_not_count_in_json():
    assert json_digest({"a": 1, "b": [2]}) == json_digest({"b": [2], "a": 1})
    assert json_digest({"a": 1}) != json_digest({"a": 2})


def test_fingerprint_depends_on_all_settings_and_on_the_content_of_the_inputs(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("data")
    two.write_text("data")
    settings = [{"epochs": 2, "rate": 0.1}, "code", 2, 1]
    base = fingerprint(settings, [str(one)])
    assert len(base) == 64
    assert fingerprint([{"rate": 0.1, "epochs": 2}, "code", 2, 1], [str(one)]) == base
    assert fingerprint(settings, [str(two)]) == base  # wherever the same content lies
    others = [
        fingerprint([{"epochs": 3, "rate": 0.1}, "code", 2, 1], [str(one)]),
        fingerprint([{"epochs": 2, "rate": 0.1}, "CODE", 2, 1], [str(one)]),
        fingerprint([{"epochs": 2, "rate": 0.1}, "code", 2, 2], [str(one)]),
        fingerprint(settings, []),
        fingerprint(settings, [str(one), str(two)]),
    ]
    one.write_text("Data")
    others.append(fingerprint(settings, [str(one)]))
    assert len({base, *others}) == 1 + len(others)


def test_the_digest_of_arrays_is_of_values_types_shapes_order_and_facts():
    one, two = np.arange(6, dtype=np.int32), np.zeros(2, np.float32)
    others = [
        arrays_digest([one, two], {}),
        arrays_digest([two, one], {}),
        arrays_digest([one], {}),
        arrays_digest([one, two], {"epoch": 1}),
        arrays_digest([one.reshape(2, 3), two], {}),
        arrays_digest([one.view(np.uint32), two], {}),
        arrays_digest([one + 1, two], {}),
    ]
    assert len(set(others)) == len(others)
    assert arrays_digest([np.asfortranarray(one), two], {}) == others[0]
