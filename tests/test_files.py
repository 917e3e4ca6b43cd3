"""Files are whole or absent, and their numbers exact."""

import json
import math

import numpy as np
import pytest

from sslens.files import atomic_path, read_arrays, read_json, write_arrays, write_json, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_only_when_the_block_has_ended(tmp_path):
    path = tmp_path / "new" / "folder" / "a.weights.h5"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent  # a rename is atomic on one file system only
        assert temporary.name.endswith("a.weights.h5")  # Keras and matplotlib go by the suffix
        assert temporary.name.startswith(".")
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.weights.h5"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_former_file_and_no_other(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("former")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "former"
    assert names(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_former_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("former")
    with pytest.raises(FileNotFoundError), atomic_path(path):
        pass
    assert path.read_text() == "former"


def test_text_is_utf8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "a.md", "0.97 ± 0.01 \u03c4\n")
    assert (tmp_path / "a.md").read_bytes() == "0.97 ± 0.01 \u03c4\n".encode()


def test_json_keeps_every_bit_of_a_number_and_sorts_its_keys(tmp_path):
    content = {"b": [0.1 + 0.2, 1 / 3, 5e-324], "a": {"z": None, "k": 2**53 + 1}}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["a", "b"]
    write_json(tmp_path / "b.json", dict(reversed(content.items())))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_json_refuses_what_it_has_no_word_for(tmp_path, number):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"auc": number})
    assert names(tmp_path) == []


def test_arrays_keep_their_names_types_and_bits(tmp_path):
    arrays = {
        "kernel": np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32),
        "bias": np.array([np.nan, -0.0, 5e-324]),
        "labels": np.arange(4),
    }
    write_arrays(tmp_path / "a.npz", arrays)
    assert names(tmp_path) == ["a.npz"]
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def test_arrays_of_objects_are_neither_written_nor_read(tmp_path):
    """They would be pickled, and reading a pickle may run any code."""
    objects = {"a": np.array([{}], dtype=object)}
    with pytest.raises(ValueError):
        write_arrays(tmp_path / "a.npz", objects)
    assert names(tmp_path) == []
    np.savez(tmp_path / "a.npz", **objects)
    with pytest.raises(ValueError):
        read_arrays(tmp_path / "a.npz")


def test_what_a_killed_writer_of_this_path_left_is_cleared_and_nothing_else(tmp_path):
    for name in (".incomplete-12-a.txt", ".incomplete-12-b-a.txt", ".incomplete-12-a.txt2"):
        (tmp_path / name).write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".incomplete-12-a.txt2", ".incomplete-12-b-a.txt", "a.txt"]


def test_write_text_is_utf8_and_leaves_nothing_beside_it(tmp_path):
    write_text(tmp_path / "new" / "table.md", "a — b\n")
    assert (tmp_path / "new" / "table.md").read_bytes() == "a — b\n".encode()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.md"]
