"""General settings of a user that a more specific default overrides stop the run."""

import pytest
import yaml
from paths import ROOT

from sslens.configuration.loading import load, merge, read_defaults
from sslens.configuration.precedence import without_effect

DEFAULTS = read_defaults(ROOT / "config")
ALL = {"run": {"arms": ["byol-dihedral"], "datasets": ["model_1", "model_2"]}}


def lines_of(given):
    given = merge(ALL, given)
    return without_effect(DEFAULTS, given, load(ROOT / "config", given))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (
            {"preprocessing": {"crop": None, "bin": 1}},
            [
                "preprocessing.crop: None has no effect where "
                "preprocessing.for_dataset.model_1.crop of the defaults is 128; set that one, too",
                "preprocessing.bin: 1 has no effect where preprocessing.for_dataset.model_1.bin of "
                "the defaults is 2; set that one, too",
            ],
        ),
        (
            {"pretraining": {"optimizer": {"learning_rate": 1.0e-4, "momentum": 0.5}}},
            [
                "pretraining.optimizer.learning_rate: 0.0001 has no effect where "
                "pretrainings.byol-dihedral.optimizer.learning_rate of the defaults is 0.001; set "
                "that one, too"
            ],
        ),
        (
            {
                "datasets": {"mine": {"like": "model_1", "seed": 9}},
                "run": {"datasets": ["mine"]},
                "preprocessing": {"crop": 100},
            },
            [
                "preprocessing.crop: 100 has no effect where preprocessing.for_dataset.mine.crop "
                "of the defaults is 128; set that one, too"
            ],
        ),
        (
            {"pretraining": {"for_dataset": {"model_1": {"batch_size": 128}}}},
            [
                "pretraining.for_dataset.model_1.batch_size: 128 has no effect where "
                "pretrainings.byol-dihedral.batch_size of the defaults is 32; set that one, too"
            ],
        ),
        (
            {
                "run": {"arms": ["mine"]},
                "arms": {"mine": {"match_compute_of": "byol-dihedral"}},
                "pretraining": {"batch_size": 128},
            },
            [
                "pretraining.batch_size: 128 has no effect where "
                "pretrainings.byol-dihedral.batch_size of the defaults is 32; set that one, too"
            ],
        ),
        (
            {"finetuning": {"epochs": 1, "for_dataset": {"model_1": {"epochs": 2, "steps": 9}}}},
            [
                "finetuning.for_dataset.model_1.epochs: 2 has no effect where "
                "finetuning.for_dataset.model_1.steps is 9; remove one of the two, or give "
                "steps: null"
            ],
        ),
        ({"finetuning": {"epochs": 1, "steps": None}}, []),
        (
            {
                "datasets": {"mine": {"like": "model_1", "seed": 9}},
                "run": {"datasets": ["mine"]},
                "preprocessing": {"crop": 100, "for_dataset": {"model_1": {"crop": 90}}},
            },
            [],
        ),
        # what is the same, or is given for the part as well, or is of no part of the run
        ({"preprocessing": {"crop": 128}}, []),
        ({"preprocessing": {"crop": 32, "for_dataset": {"model_1": {"crop": 32}}}}, []),
        ({"preprocessing": {"crop": 32}, "run": {"datasets": ["model_2"]}}, []),
        ({"pretraining": {"batch_size": 16}, "run": {"arms": ["contrastive-rotation"]}}, []),
        ({"finetuning": {"epochs": 3}, "pretraining": {"epochs": 3}}, []),
    ],
)
def test_what_has_no_effect_is_named(given, named):
    assert lines_of(given) == named


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.stem)
def test_what_ships_has_an_effect(path):
    given = yaml.safe_load(path.read_text())
    if path.stem not in ("config", "datasets"):
        assert without_effect(DEFAULTS, given, load(ROOT / "config", given)) == []
