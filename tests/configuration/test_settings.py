"""The settings of every job, resolved from the configuration."""

from copy import deepcopy

import pytest
import yaml
from configurations import MASS_OF_AXIONS, SCHEMA, SHIPPED, config_with
from paths import ROOT

from sslens.configuration import outputs, settings
from sslens.configuration.checks import check
from sslens.configuration.loading import load
from sslens.configuration.settings import resolve
from sslens.methods.registry import method_names
from sslens.protocols import FROZEN


def test_resolve_lays_a_data_sets_own_entry_over_the_section():
    section = {
        "crop": None,
        "optimizer": {"name": "adam", "rate": 1},
        "for_dataset": {"model_1": {"crop": 128, "optimizer": {"rate": 2}}},
    }
    before = deepcopy(section)
    assert resolve(section, "model_1") == {"crop": 128, "optimizer": {"name": "adam", "rate": 2}}
    assert resolve(section, "model_2") == {"crop": None, "optimizer": {"name": "adam", "rate": 1}}
    assert section == before


@pytest.mark.parametrize("dataset", SHIPPED["datasets"])
@pytest.mark.parametrize("arm", SHIPPED["arms"])
def test_every_arm_that_ships_has_settings_and_can_be_run(arm, dataset):
    """Also those that no configuration of ours runs: all but what a control is needed for."""
    config = config_with("run.arms", [arm])
    fields = settings.arm_fields(config, arm, dataset)
    if fields["protocol"] in FROZEN:
        own = settings.probe_settings(config, arm, dataset)
        name = settings.frozen_encoder(config, arm, dataset)
        assert name in settings.frozen_encoders(config, dataset)
        encoder = settings.features_settings(config, name, dataset)["encoder"]
    else:
        own = settings.arm_settings(config, arm, dataset)
        encoder = own["encoder"]
    assert own["protocol"] == fields["protocol"]
    entry = config["arms"][arm]
    assert fields["pretraining"] == entry.get("pretraining")
    keys = {
        "fine_tune": {*config["finetuning"], "xla", *settings.MATCHES},
        "linear_probe": {"inverse_penalties"},
        "nearest_neighbours": {"neighbours", "temperature"},
    }
    assert set(own["learning"]) == keys[own["protocol"]]
    for key in settings.MATCHES:
        assert (own["learning"].get(key) is None) == (key not in entry)
    if fields["pretraining"] is not None:
        source = settings.pretrained_on(entry, dataset)
        pretraining = settings.pretraining_settings(config, fields["pretraining"], source)
        assert pretraining["encoder"] == encoder
        assert pretraining["method"] == fields["method"]
    if own["protocol"] in FROZEN:
        random = {"linear_probe": "probe-random", "nearest_neighbours": "neighbours-random"}
        config["run"]["arms"] = list({arm: 0, random[own["protocol"]]: 0})
    config["run"]["datasets"] = [dataset]
    check(config, SCHEMA)


def test_the_encoder_of_a_pretraining_comes_before_that_of_all_for_a_data_set():
    config = config_with("pretraining.encoder", {"for_dataset": {"model_1": {"width": 8}}})
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"width": 12}
    for dataset in ("model_1", "model_2"):
        assert settings.pretraining_encoder(config, "byol-dihedral", dataset)["width"] == 12
    widths = settings.pretraining_encoder(config, "contrastive-rotation", "model_1")["width"]
    assert widths == 8


@pytest.mark.parametrize(
    ("images", "size", "expected"),
    [
        (7, 3, [(0, 3), (3, 6), (6, 7)]),
        (6, 3, [(0, 3), (3, 6)]),
        (3, 750, [(0, 3)]),
        (1500, 750, [(0, 750), (750, 1500)]),
    ],
)
def test_shards_hold_every_row_once_and_a_larger_split_keeps_the_full_ones(images, size, expected):
    config = config_with("splits.train", {"images": images, "shard_size": size})
    assert settings.drawn_shards(config, "train") == expected
    config["splits"]["train"]["images"] = images + size
    assert settings.drawn_shards(config, "train")[: images // size] == expected[: images // size]


def test_preprocessing_of_a_data_set():
    config = config_with("preprocessing.for_dataset", {"model_1": {"crop": 128, "bin": 2}})
    general = {k: v for k, v in config["preprocessing"].items() if k != "for_dataset"}
    assert settings.preprocessing_settings(config, "model_1") == general | {"crop": 128, "bin": 2}
    assert settings.preprocessing_settings(config, "model_2") == general


def test_a_pretraining_is_told_defaults_entry_views_and_options():
    config = config_with(
        "pretrainings.mine",
        {
            "method": "byol",
            "pretext": "rotation_flip",
            "epochs": 3,
            "optimizer": {"learning_rate": 0.5},
            "options": {"tau": 0.9, "projector": {"hidden": 7}},
            "encoder": {"width": 8, "for_dataset": {"model_1": {"width": 4}}},
            "for_dataset": {"model_2": {"epochs": 5, "options": {"tau": 0.8}}},
        },
    )
    told = settings.pretraining_settings(config, "mine", "model_1")
    assert told["method"] == "byol"
    assert told["views"] == config["pretexts"]["rotation_flip"]
    assert told["epochs"] == 3
    assert told["batch_size"] == config["pretraining"]["batch_size"]
    assert told["optimizer"] == config["pretraining"]["optimizer"] | {"learning_rate": 0.5}
    assert told["encoder"] == config["encoder"] | {"width": 4}
    assert told["options"] == {
        "tau": 0.9,
        "projector": {"hidden": 7, "output": 64, "batch_norm": True},
        "predictor": {"hidden": 128, "batch_norm": True},
    }
    told = settings.pretraining_settings(config, "mine", "model_2")
    assert (told["epochs"], told["options"]["tau"]) == (5, 0.8)
    assert told["options"]["projector"]["hidden"] == 7
    assert told["encoder"] == config["encoder"] | {"width": 8}
    assert "for_dataset" not in told


@pytest.mark.parametrize("method", method_names())
def test_the_defaults_of_a_method_are_those_of_its_schema(method):
    config = config_with("pretrainings.plain", {"method": method, "pretext": "rotation"})
    told = settings.pretraining_settings(config, "plain", "model_2")
    path = ROOT / "workflow/scripts/sslens/methods" / f"{method}.schema.yaml"
    schema = yaml.safe_load(path.read_text())
    assert set(told["options"]) == set(schema["properties"])
    for key, part in schema["properties"].items():
        if part["type"] == "object":
            defaults = {name: own["default"] for name, own in part["properties"].items()}
            assert told["options"][key] == defaults
        else:
            assert told["options"][key] == part["default"]


def test_an_entrys_epochs_win_over_the_steps_of_the_defaults():
    config = config_with("pretraining.steps", 100)
    told = settings.pretraining_settings(config, "byol-dihedral", "model_1")
    assert told["steps"] == 100
    config["pretrainings"]["byol-dihedral"]["epochs"] = 3
    told = settings.pretraining_settings(config, "byol-dihedral", "model_1")
    assert (told["epochs"], told["steps"]) == (3, None)


def test_what_is_more_specific_gives_the_length_also_in_epochs():
    config = config_with("pretrainings.byol-dihedral.steps", 100)
    config["pretrainings"]["byol-dihedral"]["for_dataset"] = {"model_1": {"epochs": 3}}
    told = [
        settings.pretraining_settings(config, "byol-dihedral", d) for d in ("model_1", "model_2")
    ]
    assert [(t["epochs"], t["steps"]) for t in told] == [(3, None), (10, 100)]
    config["finetuning"] |= {"steps": 50, "for_dataset": {"model_1": {"epochs": 2}}}
    told = [
        settings.arm_settings(config, "baseline", d)["learning"] for d in ("model_1", "model_2")
    ]
    assert [(t["epochs"], t["steps"]) for t in told] == [(2, None), (16, 50)]


def test_being_told_does_not_change_the_configuration():
    config = config_with()
    settings.pretraining_settings(config, "byol-dihedral", "model_1")["options"]["tau"] = 0
    settings.pretraining_settings(config, "byol-dihedral", "model_1")["encoder"]["width"] = 0
    settings.arm_settings(config, "byol-dihedral", "model_1")["encoder"]["width"] = 0
    settings.arm_settings(config, "baseline", "model_1")["learning"]["epochs"] = 0
    assert config == SHIPPED


def test_an_arm_is_told_its_protocol_encoder_and_learning():
    config = config_with("finetuning.for_dataset", {"model_1": {"epochs": 2}})
    resolved = settings.arm_settings(config, "baseline", "model_1")
    finetuning = {k: v for k, v in config["finetuning"].items() if k != "for_dataset"}
    assert resolved == {
        "protocol": "fine_tune",
        "task": {"name": "classification"},
        "encoder": config["encoder"],
        "learning": finetuning
        | {"xla": False, "match_steps_of": None, "match_compute_of": None}
        | {"epochs": 2, "augmentation": config["pretexts"][finetuning["augmentation"]]},
        "computing": settings.computing_settings(config, config["encoder"]),
    }
    assert settings.arm_settings(config, "baseline", "model_2")["learning"]["epochs"] != 2
    resolved = settings.probe_settings(config, "probe-byol-dihedral", "model_1")
    assert resolved == {
        "protocol": "linear_probe",
        "task": {"name": "classification"},
        "learning": config["probe"],
        "average_orientations": False,
        "computing": settings.thread_settings(config, config["encoder"]),
    }


@pytest.mark.parametrize(
    ("given", "encoder", "each"),
    [
        ("auto", {"name": "resnet18", "width": 16}, 1),
        ("auto", {"name": "resnet50", "width": 64}, 4),
        ("auto", {"name": "vit_nano"}, 1),
        ("auto", {"name": "vit_micro"}, 4),
        (None, {"name": "resnet18", "width": 16}, 4),
        (2, {"name": "vit_nano"}, 2),
        (8, {"name": "vit_nano"}, 4),
    ],
)
def test_the_encoder_decides_the_threads_of_an_operation_where_they_are_auto(given, encoder, each):
    threads = {"cpu_threads": 4, "threads_per_operation": given}
    config = load(ROOT / "config", threads | {"encoder": encoder})
    computing = settings.arm_settings(config, "baseline", "model_1")["computing"]
    assert computing == {"threads": 4, "each": each, "precision": "float32"}


def test_neighbours_are_told_how_many_and_how_warm():
    config = config_with("nearest_neighbours", {"neighbours": 3, "temperature": 0.5})
    for arm in ("neighbours-random", "neighbours-byol-dihedral"):
        resolved = settings.probe_settings(config, arm, "model_3")
        assert resolved == {
            "protocol": "nearest_neighbours",
            "task": {"name": "classification"},
            "learning": {"neighbours": 3, "temperature": 0.5},
            "average_orientations": False,
            "computing": settings.thread_settings(config, config["encoder"]),
        }
        resolved["learning"]["neighbours"] = 0
    assert config["nearest_neighbours"]["neighbours"] == 3


def test_frozen_encoders_are_named_by_what_they_follow_from():
    config = config_with("encoder.for_dataset", {"model_2": {"width": 8}})
    config["arms"]["moved"] = {
        "protocol": "linear_probe",
        "pretraining": "byol-dihedral",
        "pretrained_on": "model_3",
    }
    names = {
        (arm, dataset): settings.frozen_encoder(config, arm, dataset)
        for arm in ("probe-random", "neighbours-random", "probe-byol-dihedral", "moved")
        for dataset in ("model_1", "model_2", "model_3")
    }
    for dataset in ("model_1", "model_2", "model_3"):
        assert names["probe-random", dataset] == names["neighbours-random", dataset]
        assert names["probe-byol-dihedral", dataset] == f"byol-dihedral@{dataset}"
        assert names["moved", dataset] == "byol-dihedral@model_3"
        found = settings.frozen_encoders(config, dataset)
        assert set(found) >= {name for (_, other), name in names.items() if other == dataset}
        for name, arm in found.items():
            assert settings.frozen_encoder(config, arm, dataset) == name
    assert names["probe-random", "model_1"] == names["probe-random", "model_3"]
    assert names["probe-random", "model_1"] != names["probe-random", "model_2"]
    moved = settings.features_settings(config, "byol-dihedral@model_3", "model_2")
    assert moved["encoder"]["width"] == config["encoder"]["width"], "as where it was pretrained"


def test_an_arm_has_a_fine_tuning_of_its_own():
    config = config_with("finetuning.for_dataset", {"model_1": {"label_smoothing": 0.1}})
    config["arms"]["mine"] = {
        "finetuning": {
            "augmentation": "dihedral",
            "optimizer": {"learning_rate": 0.5},
            "for_dataset": {"model_2": {"select": "best_validation", "augmentation": "none"}},
        }
    }
    general = settings.arm_settings(config, "baseline", "model_3")["learning"]
    own = {"augmentation": [{"dihedral": {}}]}
    own["optimizer"] = general["optimizer"] | {"learning_rate": 0.5}
    expected = {
        "model_1": general | own | {"label_smoothing": 0.1},
        "model_2": general | own | {"select": "best_validation", "augmentation": []},
        "model_3": general | own,
    }
    for dataset, learning in expected.items():
        assert settings.arm_settings(config, "mine", dataset)["learning"] == learning, dataset
    others = settings.arm_settings(config, "baseline", "model_1")["learning"]
    assert others == general | {"label_smoothing": 0.1}
    config["run"]["arms"] = ["baseline", "mine"]
    check(config, SCHEMA)


def test_the_fine_tuning_of_an_arm_gives_its_length_also_in_epochs():
    config = config_with("arms.mine", {"finetuning": {"epochs": 3}})
    config["finetuning"] |= {"steps": 50, "for_dataset": {"model_2": {"steps": 70}}}
    config["arms"]["mine"]["finetuning"]["for_dataset"] = {"model_3": {"steps": 9}}

    def lengths(arm):
        told = [settings.arm_settings(config, arm, f"model_{k}")["learning"] for k in (1, 2, 3)]
        return [(learning["epochs"], learning["steps"]) for learning in told]

    assert lengths("mine") == [(3, None), (3, None), (3, 9)]
    assert lengths("baseline") == [(16, 50), (16, 70), (16, 50)]


def test_an_arm_is_as_long_as_a_pretraining_is_on_its_data_set():
    config = config_with("pretrainings.byol-dihedral.for_dataset", {"model_2": {"steps": 77}})
    config["pretraining"]["for_dataset"] = {"model_3": {"epochs": 4}}
    config["arms"]["long"] = {"match_steps_of": "byol-dihedral"}
    expected = {
        "model_1": {"batch_size": 32, "epochs": 10, "steps": None},
        "model_2": {"batch_size": 32, "epochs": 10, "steps": 77},
        "model_3": {"batch_size": 32, "epochs": 4, "steps": None},
    }
    for dataset, length in expected.items():
        learning = settings.arm_settings(config, "long", dataset)["learning"]
        assert learning["match_steps_of"] == length
        own = settings.arm_settings(config, "baseline", dataset)["learning"]
        assert own["match_steps_of"] is None
        assert learning == own | {"match_steps_of": length}, "all else is as the baseline's"
    for arm in ("byol-dihedral", "baseline"):
        assert settings.arm_settings(config, arm, "model_1")["learning"]["match_steps_of"] is None


def test_an_arm_computes_as_much_as_a_pretraining_does_on_its_data_set():
    config = config_with("pretrainings.byol-dihedral.for_dataset", {"model_2": {"steps": 77}})
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"width": 8}
    config["arms"]["costly"] = {"match_compute_of": "byol-dihedral"}
    for dataset, steps in (("model_1", None), ("model_2", 77)):
        resolved = settings.arm_settings(config, "costly", dataset)
        length = {"batch_size": 32, "epochs": 10, "steps": steps}
        assert resolved["learning"]["match_compute_of"] == length | {"encoder_passes": 8}
        assert resolved["learning"]["match_steps_of"] is None
        # as large an encoder, or passes would not compare
        own = settings.pretraining_settings(config, "byol-dihedral", dataset)
        assert resolved["encoder"] == own["encoder"] and own["encoder"]["width"] == 8
    contrastive = settings.arm_settings(config, "baseline-compute", "model_1")["learning"]
    assert contrastive["match_compute_of"]["encoder_passes"] == 6
    run = settings.of_run(config_with("run.arms", ["baseline", "baseline-compute"]))
    assert list(run["pretrainings"]) == ["contrastive-rotation"]


def test_an_arms_encoder_is_that_of_its_pretraining_where_it_was_pretrained():
    config = config_with()
    config["encoder"]["for_dataset"] = {"model_1": {"stem": "small"}}
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"width": 8}
    config["arms"]["baseline"]["encoder"] = {"width": 4, "for_dataset": {"model_2": {"width": 2}}}
    config["arms"]["transfer"] = {"pretraining": "byol-dihedral", "pretrained_on": "model_1"}
    general = {k: v for k, v in config["encoder"].items() if k != "for_dataset"}
    expected = {
        ("baseline", "model_1"): {"width": 4, "stem": "small"},
        ("baseline", "model_2"): {"width": 2},
        ("byol-dihedral", "model_1"): {"width": 8, "stem": "small"},
        ("byol-dihedral", "model_2"): {"width": 8},
        ("transfer", "model_2"): {"width": 8, "stem": "small"},
        ("probe-random", "model_2"): {},
    }
    for (arm, dataset), own in expected.items():
        assert settings.arm_encoder(config, arm, dataset) == general | own, (arm, dataset)
        assert settings.arm_settings(config, arm, dataset)["encoder"] == general | own


def test_the_fields_of_an_arm():
    assert settings.arm_fields(SHIPPED, "baseline", "model_1") == {
        "arm": "baseline",
        "dataset": "model_1",
        "protocol": "fine_tune",
        "pretraining": None,
        "pretrained_on": None,
        "method": None,
        "pretext": None,
        "encoder": {key: SHIPPED["encoder"][key] for key in ("name", "width", "stem", "neck")},
    }
    fields = settings.arm_fields(SHIPPED, "probe-contrastive-rotation", "model_2")
    assert fields["protocol"] == "linear_probe"
    assert fields["pretraining"] == "contrastive-rotation"
    assert fields["pretrained_on"] == "model_2"
    assert (fields["method"], fields["pretext"]) == ("contrastive", "rotation")


def test_the_fields_of_a_transfer_tell_of_the_pretraining_as_it_was():
    config = config_with("arms.transfer", {"pretraining": "byol-dihedral"})
    config["arms"]["transfer"]["pretrained_on"] = "model_1"
    config["pretrainings"]["byol-dihedral"]["for_dataset"] = {"model_1": {"pretext": "rotation"}}
    fields = settings.arm_fields(config, "transfer", "model_2")
    assert (fields["dataset"], fields["pretrained_on"]) == ("model_2", "model_1")
    assert fields["pretext"] == "rotation"


def test_a_run_is_told_without_what_is_only_defined():
    config = config_with("run.datasets", ["model_2"])
    config["run"]["arms"] = ["baseline-long", "probe-random"]
    told = settings.of_run(config)
    assert list(told["datasets"]) == ["model_2"]
    assert list(told["arms"]) == ["baseline-long", "probe-random"]
    # the pretraining that a baseline is as long as, and the pretexts of both
    assert list(told["pretrainings"]) == ["contrastive-rotation"]
    assert set(told["pretexts"]) == {"rotation", "rotation_flip"}
    assert set(config) - set(told) == set(settings.NO_RESULT)
    assert told["splits"] == config["splits"]


def test_a_regression_needs_axions_alone():
    config = load(ROOT / "config", MASS_OF_AXIONS)
    check(config, SCHEMA)
    task = settings.arm_settings(config, "baseline", "model_2")["task"]
    assert (task["targets"], task["head"]) == (["log10_axion_mass"], "gaussian")
    config["task"] |= {"head": "binned"}
    assert settings.arm_settings(config, "baseline", "model_2")["task"]["head"] == "binned"
    probe = settings.probe_settings(config, "probe-random", "model_2")
    assert probe["task"]["head"] == "gaussian", "which is what a ridge regression gives"
    figures = {name for name, _ in outputs.figures_of_run(config)}
    assert figures >= {"predicted", "calibration", "intervals"} and "roc" not in figures
    assert "error_table" in outputs.pages_of_run(config)
