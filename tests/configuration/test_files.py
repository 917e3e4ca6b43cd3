"""Configuration files in which a key stands twice are refused, and all others are read."""

import json

import pytest
import yaml
from paths import ROOT

from sslens.configuration.files import ConfigurationError, check_unique_keys, read_yaml


def written(tmp_path, text, name="mine.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("run: {seeds: [1]}\nsplits: {}\nrun: {arms: [baseline]}\n", "run", "1 and 3"),
        ("a:\n  b:\n    - c: 1\n      c: 2\n", "c", "3 and 4"),
        ("a: {b: 1, 'b': 2}\n", "b", "1 and 1"),
        ("base: &base {a: 1}\nb:\n  <<: *base\n  c: 1\n  c: 2\n", "c", "4 and 5"),
        ("classes:\n  0: axion\n  0: cdm\n", "0", "2 and 3"),
    ],
)
def test_a_key_of_yaml_that_stands_twice_is_named_with_its_lines(tmp_path, text, key, lines):
    path = written(tmp_path, text)
    for read in (read_yaml, check_unique_keys):
        with pytest.raises(ConfigurationError) as error:
            read(path)
        expected = f"{path}: the key '{key}' is given twice (in lines {lines}), and the first would"
        assert str(error.value).startswith(expected)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"x": [{"a": 1,\n "b": 0, "a": 1}]}'])
def test_a_key_of_json_that_stands_twice_is_named(tmp_path, text):
    path = written(tmp_path, text, "mine.json")
    with pytest.raises(ConfigurationError, match=r"mine.json: the key 'a' is given twice \(in one"):
        check_unique_keys(path)


MERGED = """
base: &base {a: 1, b: 2}
other: &other {c: 3}
one: {<<: *base, a: 5}
two:
  <<: *base
  <<: *other
  b: 6
list: [{a: 1}, {a: 2}]
"""


def test_merge_keys_may_be_overridden_and_the_same_key_may_stand_in_two_mappings(tmp_path):
    path = written(tmp_path, MERGED)
    check_unique_keys(path)
    content = read_yaml(path)
    assert content == yaml.safe_load(MERGED)
    assert content["one"] == {"a": 5, "b": 2}
    assert content["two"] == {"a": 1, "b": 6, "c": 3}


def test_json_and_templates_of_snakemake_pass(tmp_path):
    for name in ("a.json", "a.yaml"):  # Snakemake takes JSON under any name
        content = {"run": {"seeds": [1, 2]}, "splits": {"seeds": 1}, "tab": "\t"}
        check_unique_keys(written(tmp_path, json.dumps(content, indent="\t"), name))
    check_unique_keys(written(tmp_path, "__use_yte__: true\n?if 1 > 0:\n  cpu_threads: 2\n"))


def test_what_ships_is_read_as_before():
    paths = [path for folder in ("config", "workflow") for path in (ROOT / folder).rglob("*.yaml")]
    assert len(paths) > 5
    for path in paths:
        assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))
