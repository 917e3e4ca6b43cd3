"""config/README.md documents every key of the configuration."""

import importlib.util

import pytest
from paths import ROOT

README = (ROOT / "config/README.md").read_text(encoding="utf-8")


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
        "| `splits.train.shard_size` | `1500` | images a TFRecord file (whole number ≥ 1) |",
        "| `preprocessing.stretch` | `asinh` | of the brightness (`asinh`, `sqrt`, `none`) |",
        "| `datasets.NAME.lens.mass` | `1.0e+12` | of the singular isothermal ellipsoid, solar "
        "masses (prior > 0) |",
        "| `datasets.NAME.substructure.axion.kind` | `vortex` | it decides on the other keys, below"
        " (`none`, `point_masses`, `vortex`) |",
        "| `datasets.NAME.substructure.CLASS.points` | `100` | number of point masses (whole number"
        " ≥ 1, ≤ 10000) |",
        "| `truncated_normal.sd` |  | standard deviation before it is cut off (number > 0) |",
        "| `options.projector.output` | `64` | units of the embedding (whole number ≥ 2) |",
    ],
)
def test_a_row_tells_default_meaning_and_values(row):
    assert row in README
