"""config/README.md documents every key of the configuration."""

import importlib.util
import re

import pytest
from paths import ROOT

from sslens.configuration.loading import load

README = (ROOT / "config/README.md").read_text(encoding="utf-8")
RECIPES = load(ROOT / "config", {})["datasets"]


def load_reference():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "config/reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_schemas_and_the_defaults():
    reference = load_reference()
    assert reference.TABLES.search(README), "the markers of the tables"
    assert reference.with_tables(README) == README, "run: python config/reference.py"


@pytest.mark.parametrize(
    "row",
    [
        "| `splits.train.shard_size` | `750` | images a TFRecord file (whole number ≥ 1) |",
        "| `encoder.name` | `resnet18` | the architecture (`resnet18`, `resnet50`) |",
        "| `options.projector.output` | `64` | units of the embedding (whole number ≥ 2) |",
    ],
)
def test_a_row_tells_default_meaning_and_values(row):
    assert row in README


def keys(section, path=""):
    """Dotted keys of a recipe; a prior and a class of substructure end one."""
    for key, value in section.items():
        here = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict) and path != "substructure" and not here.startswith("lens."):
            if set(value) <= {"uniform", "log_uniform", "truncated_normal", "power_law"}:
                yield here
            else:
                yield from keys(value, here)
        else:
            yield here


@pytest.mark.parametrize("name", RECIPES)
def test_every_key_of_a_recipe_is_documented(name):
    documented = set(re.findall(r"`([\w.]+)`", README))
    assert set(keys(RECIPES[name])) <= documented
    for substructure in RECIPES[name]["substructure"].values():
        assert {substructure["kind"], *substructure} - {"kind"} <= documented
