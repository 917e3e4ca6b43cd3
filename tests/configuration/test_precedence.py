"""General settings of a user that a more specific default overrides stop the run."""

import pytest
import yaml
from paths import ROOT

from sslens.configuration.loading import load, merge
from sslens.configuration.precedence import layers_of, without_effect

ALL = {"run": {"arms": ["byol-dihedral"], "datasets": ["model_1", "model_2"]}}


def lines_of(given):
    given = merge(ALL, given)
    return without_effect([given], load(ROOT / "config", given))


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
            {"pretraining": {"optimizer": {"learning_rate": 1.0e-4, "clip_norm": 0.5}}},
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
        # what is chosen beside it does not use it
        (
            {"finetuning": {"optimizer": {"momentum": 0.5}}},
            [
                "finetuning.optimizer.momentum: 0.5 has no effect where finetuning.optimizer.name "
                "is 'adamw'; remove it, or choose sgd"
            ],
        ),
        (
            {"pretrainings": {"byol-dihedral": {"collapse": "warn", "collapse_epochs": 2}}},
            [
                "pretrainings.byol-dihedral.collapse_epochs: 2 has no effect where "
                "pretrainings.byol-dihedral.collapse is 'warn'; remove it, or choose stop"
            ],
        ),
        (
            {"preprocessing": {"for_dataset": {"model_1": {"softening": 0.1}}}},
            [
                "preprocessing.for_dataset.model_1.softening: 0.1 has no effect where "
                "preprocessing.for_dataset.model_1.stretch is 'sqrt'; remove it, or choose asinh"
            ],
        ),
        (
            {"arms": {"baseline": {"finetuning": {"optimizer": {"name": "sgd", "momentum": 0.5}}}}},
            [],
        ),
        (
            {
                "pretraining": {"optimizer": {"momentum": 0.5}},
                "pretrainings": {"byol-dihedral": {"optimizer": {"name": "sgd"}}},
            },
            [],
        ),
        (
            {
                "datasets": {
                    "mine": {
                        "source": "archive",
                        "paths": {"train": "/a", "validation": "/b", "test": "/c"},
                        "validation_fraction": 0.2,
                    }
                }
            },
            [
                "datasets.mine.validation_fraction: 0.2 has no effect where "
                "datasets.mine.paths.validation is '/b'; remove one of the two"
            ],
        ),
        # one unit of a length, where a part has the other
        (
            {"pretraining": {"steps": 100}, "run": {"arms": ["mine"]}}
            | {"pretrainings": {"it": {"method": "rotnet", "pretext": "none", "epochs": 3}}}
            | {"arms": {"mine": {"pretraining": "it"}}},
            [],  # both are given
        ),
        # what the noise of a recipe does not use of its instrument
        (
            {"datasets": {"model_2": {"instrument": {"read_noise": 4.2, "zero_point": 25.0}}}},
            [
                "datasets.model_2.instrument.read_noise: 4.2 has no effect where "
                "datasets.model_2.noise is 'none'; remove it, or choose instrument"
            ],
        ),
        (
            {"datasets": {"mine": {"like": "realistic_2", "instrument": {"background_rms": 0.1}}}},
            [
                "datasets.mine.instrument.background_rms: 0.1 has no effect where "
                "datasets.mine.noise is 'instrument'; remove it, or choose published_double_poisson"
            ],
        ),
        ({"datasets": {"model_1": {"instrument": {"background_rms": 0.1}}}}, []),
        (
            {"datasets": {"model_1": {"instrument": {"zero_point": 25.0}}}},
            [
                "datasets.model_1.instrument.zero_point: 25.0 has no effect where "
                "datasets.model_1.noise is 'published_double_poisson'; give null, or choose "
                "instrument"
            ],
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
        assert without_effect([given], load(ROOT / "config", given)) == []


def with_preset(name, own, run):
    """The layers of a preset, of a file laid over it, and of --config; and the configuration."""
    files = [yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()), own]
    given = merge(merge(*files), run)
    return layers_of(given, files), load(ROOT / "config", given)


@pytest.mark.parametrize(
    ("preset", "own", "named"),
    [
        (
            "methods",
            {"pretraining": {"optimizer": {"learning_rate": 1.0e-4}}},
            ["pretrainings.byol.optimizer.learning_rate", "is 0.004; set that one, too"],
        ),
        (
            "transformers",
            {"finetuning": {"optimizer": {"learning_rate": 1.0e-4}}},
            ["arms.vit-baseline.finetuning.optimizer.learning_rate of the defaults or an earlier"],
        ),
        (
            "published",
            {"preprocessing": {"stretch": "asinh"}},
            ["preprocessing.stretch: 'asinh' has no effect where preprocessing.for_dataset.model_"],
        ),
    ],
)
def test_what_a_preset_overrides_of_a_later_file_is_named(preset, own, named):
    (first, *_) = lines = without_effect(*with_preset(preset, own, {}))
    assert all(part in "\n".join(lines) for part in named), lines
    place = first.partition(" has no effect where ")[2].partition(" of the defaults")[0].split(".")
    # with --config, as it says: of that one there is no line any more
    run = 1.0e-4
    for key in reversed(place):
        run = {key: run}
    assert len(without_effect(*with_preset(preset, own, run))) == len(lines) - 1


def named_in(earlier, later):
    given = merge(earlier, later)
    return without_effect(layers_of(given, [earlier, later]), load(ROOT / "config", given))


def test_a_length_is_compared_with_one_in_the_other_unit():
    earlier = {
        "pretrainings": {"byol-dihedral": {"steps": 500}, "contrastive-rotation": {"epochs": 20}},
        "finetuning": {"for_dataset": {"model_1": {"steps": 100}}},
    }
    later = {"pretraining": {"epochs": 2}, "finetuning": {"epochs": 3}}
    assert sorted(named_in(earlier, later)) == [
        "finetuning.epochs: 3 has no effect where finetuning.for_dataset.model_1.steps of the "
        "defaults or an earlier file is 100; set finetuning.for_dataset.model_1.epochs, too",
        "pretraining.epochs: 2 has no effect where pretrainings.byol-dihedral.steps of the "
        "defaults or an earlier file is 500; set pretrainings.byol-dihedral.epochs, too",
        "pretraining.epochs: 2 has no effect where pretrainings.contrastive-rotation.epochs of the "
        "defaults or an earlier file is 20; set that one, too",
    ]
    earlier = {"pretrainings": {"contrastive-rotation": {"epochs": 20}}}
    (line,) = named_in(earlier, {"pretraining": {"steps": 20}})
    assert line.endswith("is 20; set pretrainings.contrastive-rotation.steps, too")
    own = {"pretrainings": {"contrastive-rotation": {"epochs": 1}}}
    assert named_in(earlier, {"pretraining": {"steps": 9}} | own) == []


def test_a_setting_is_of_the_last_file_that_has_it_so():
    files = [{"a": {"x": 1, "y": 1}, "b": 1}, {"a": {"x": 2}, "b": 1}]
    given = {"a": {"x": 2, "y": 1, "z": 3}, "b": 1, "c": {}}
    assert layers_of(given, files) == [
        {"a": {"y": 1}},
        {"a": {"x": 2}, "b": 1},
        {"a": {"z": 3}, "c": {}},
    ]
    assert layers_of(given, []) == [given]
