"""The rows of the tables: titles, marks, references, transfers."""

import yaml
from configurations import SCHEMA, config_with, error_of
from paths import ROOT

from sslens.configuration import outputs, rows
from sslens.configuration.checks import check
from sslens.configuration.loading import load
from sslens.protocols import FROZEN


def test_rows_whose_pretraining_has_more_labels_than_their_fine_tuning_are_marked():
    config = config_with("run.arms", ["supervised-contrastive", "contrastive-rotation"])
    assert rows.row_notes(config, "supervised-contrastive") == {}
    config["run"]["label_fractions"] = [1.0, 0.1]
    marked = rows.row_notes(config, "supervised-contrastive")
    assert marked == {"‖": "also where the fine-tuning has fewer"}
    assert rows.row_notes(config, "contrastive-rotation") == {}
    config["run"]["label_fractions"] = [1.0]
    config["task"] = {"name": "regression", "targets": ["log10_axion_mass"]}
    marked = rows.row_notes(config, "supervised-contrastive")
    assert marked == {"‖": "the classes, which other rows of a regression do not have"}


def test_rows_that_are_tested_against_another_encoder_are_marked():
    arms = ["baseline", "byol-dihedral", "contrastive-rotation"]
    config = config_with("run.arms", arms)
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"for_dataset": {"model_2": {"width": 8}}}
    assert rows.references(config)["model_2"]["byol-dihedral"] == "baseline"
    assert rows.row_notes(config, "byol-dihedral") == {"◊": "encoder on Model II"}
    assert rows.row_notes(config, "contrastive-rotation") == {}
    config["arms"]["narrow"] = {"encoder": {"width": 8}}
    config["run"]["arms"].append("narrow")
    assert rows.row_notes(config, "byol-dihedral") == {}


def test_rows_that_use_what_only_a_simulation_knows_are_marked():
    config = config_with("pretrainings.byol-dihedral.pretext", "observation")
    for dataset in ("model_1", "model_2", "model_3"):
        recipe = {"store_noise_free": True, "noise": "published_double_poisson"}
        config["datasets"][dataset] |= recipe | {"images_per_lens": 4}
    config["pretrainings"]["byol-dihedral"]["pairs"] = "same_lens"
    notes = outputs.comparison_settings(config)["notes"]
    known = {"‡": "pairs of images of one lens and images without noise"}
    assert notes == dict.fromkeys(["byol-dihedral", "probe-byol-dihedral"], known)
    assert rows.arm_title(config, "byol-dihedral") == "Bootstrap Your Own Latent ‡"
    assert "notes" not in outputs.comparison_settings(config_with("run.seeds", [1]))


def test_titles_are_in_the_runs_order_and_of_one_protocol():
    config = config_with("run.arms", ["probe-random", "byol-dihedral", "new", "baseline"])
    config["arms"]["new"] = {}
    config["arms"]["byol-dihedral"]["title"] = "BYOL"
    fine_tuned = [("byol-dihedral", "BYOL"), ("new", "new"), ("baseline", "Baseline")]
    assert list(rows.arm_titles(config, "fine_tune").items()) == fine_tuned
    assert list(rows.arm_titles(config, "linear_probe")) == ["probe-random"]
    assert list(rows.arm_titles(config)) == config["run"]["arms"]
    config["run"]["datasets"] = ["model_3", "model_1"]
    config["datasets"]["model_3"]["title"] = "Model III"
    del config["datasets"]["model_1"]["title"]
    titles = [("model_3", "Model III"), ("model_1", "model_1")]
    assert list(rows.dataset_titles(config).items()) == titles


def references_of(arms, datasets=("model_1",), config=None):
    config = config or config_with()
    config["run"] |= {"arms": list(arms), "datasets": list(datasets)}
    return rows.references(config)


def test_rows_are_tested_against_the_baseline_and_frozen_encoders_against_random_ones():
    arms = [
        "byol-dihedral",
        "baseline",
        "baseline-long",
        "contrastive-rotation-from-model_2",
        "probe-byol-dihedral",
        "probe-random",
        "neighbours-contrastive-rotation",
        "neighbours-random",
    ]
    expected = {
        "byol-dihedral": "baseline",
        "baseline-long": "baseline",
        "contrastive-rotation-from-model_2": "baseline",
        "probe-byol-dihedral": "probe-random",
        "neighbours-contrastive-rotation": "neighbours-random",
    }
    found = references_of(arms, ["model_3", "model_1"])
    assert found == {"model_3": expected, "model_1": expected}
    assert list(found) == ["model_3", "model_1"]


def test_without_a_baseline_or_a_control_in_the_run_there_is_no_test():
    arms = ["byol-dihedral", "baseline-long", "probe-byol-dihedral", "neighbours-random"]
    assert references_of(arms) == {"model_1": {}}


def test_another_arm_may_be_the_baseline():
    for chosen in ("baseline-long", "baseline-compute"):
        config = config_with("comparison.baseline", chosen)
        found = references_of(["baseline", chosen, "contrastive-rotation"], config=config)
        assert found["model_1"]["contrastive-rotation"] == chosen
        assert rows.row_notes(config, "contrastive-rotation") == {}
    config = config_with("comparison.baseline", "baseline-long")
    arms = ["baseline", "baseline-long", "probe-byol-dihedral", "probe-random"]
    assert references_of(arms, config=config) == {
        "model_1": {"baseline": "baseline-long", "probe-byol-dihedral": "probe-random"}
    }
    config["comparison"]["baseline"] = "supervised-contrastive"  # not in the run
    assert references_of(["baseline"], config=config) == {"model_1": {}}


def test_the_reference_of_a_frozen_encoder_has_its_settings_on_each_data_set():
    config = config_with()
    own = {"for_dataset": {"model_2": {"width": 8}}}
    config["pretrainings"]["byol-dihedral"]["encoder"] = own
    config["arms"]["random-8"] = {"protocol": "linear_probe", "encoder": {"width": 8}}
    arms = ["probe-random", "random-8", "probe-byol-dihedral", "probe-contrastive-rotation"]
    assert references_of(arms, ["model_1", "model_2"], config) == {
        "model_1": {
            "probe-byol-dihedral": "probe-random",
            "probe-contrastive-rotation": "probe-random",
        },
        "model_2": {
            "probe-byol-dihedral": "random-8",
            "probe-contrastive-rotation": "probe-random",
        },
    }


def test_the_reference_of_a_pretrained_row_has_its_encoder_where_the_run_has_one():
    config = config_with()
    config["pretrainings"]["vit-byol"] = {
        "method": "byol",
        "pretext": "none",
        "encoder": {"name": "vit_nano"},
    }
    config["arms"] |= {
        "vit-byol": {"pretraining": "vit-byol"},
        "vit-long": {"encoder": {"name": "vit_nano"}, "match_steps_of": "vit-byol"},
        "vit-baseline": {"encoder": {"name": "vit_nano"}},
    }
    arms = ["baseline", "byol-dihedral", "vit-byol", "vit-long"]
    others = {"byol-dihedral": "baseline", "vit-long": "baseline"}
    assert references_of([*arms, "vit-baseline"], ["model_1"], config) == {
        "model_1": others | {"vit-byol": "vit-baseline", "vit-baseline": "baseline"}
    }
    assert references_of(arms, ["model_1"], config)["model_1"]["vit-byol"] == "baseline"


def test_of_several_rows_with_its_encoder_the_one_with_its_fine_tuning_is_the_reference():
    config = config_with("encoder.width", 8)
    config["arms"] |= {
        "decayed": {"finetuning": {"epochs": 3}},
        "plain": {},
        "baseline": {"encoder": {"width": 4}},
    }
    arms = ["byol-dihedral", "decayed", "plain"]
    assert references_of(arms, config=config) == {"model_1": {"byol-dihedral": "plain"}}
    assert references_of(["baseline", *arms[:2]], config=config)["model_1"] == {
        "byol-dihedral": "decayed",
        "decayed": "baseline",
    }
    check(config, SCHEMA)
    config["arms"]["other"] = {"finetuning": {"epochs": 4}}
    config["run"]["arms"] = ["byol-dihedral", "decayed", "other"]
    assert error_of(config) == (
        "run.arms: byol-dihedral could be compared on model_1 with decayed or other, which have "
        "its encoder; leave all but one out, or name one in comparison.baseline"
    )
    config["comparison"]["baseline"] = "other"
    check(config, SCHEMA)


def test_a_row_with_a_fine_tuning_of_its_own_is_tested_against_the_row_that_has_it():
    own = {"finetuning": {"epochs": 64}}
    given = {
        "arms": {"long": own, "mine": {"pretraining": "byol-dihedral"} | own, "other": own},
        "run": {"datasets": ["model_1"], "arms": ["baseline", "mine", "byol-dihedral", "long"]},
    }
    config = load(ROOT / "config", given)
    check(config, SCHEMA)
    baseline = {"byol-dihedral": "baseline", "long": "baseline"}
    assert rows.references(config) == {"model_1": baseline | {"mine": "long"}}
    assert not any(rows.row_notes(config, arm) for arm in config["run"]["arms"])
    config["run"]["arms"].remove("long")
    assert rows.references(config)["model_1"]["mine"] == "baseline"
    assert rows.row_notes(config, "mine") == {"◊": "fine-tuning on Model I"}
    assert rows.row_notes(config, "byol-dihedral") == {}
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"width": 8}
    assert rows.row_notes(config, "mine") == {"◊": "encoder and fine-tuning on Model I"}
    config["run"]["arms"] += ["long", "other"]
    del config["pretrainings"]["byol-dihedral"]["encoder"]
    assert "mine could be compared on model_1 with long or other" in error_of(config)


def test_a_row_without_pretraining_is_a_reference_where_the_baseline_is_not_run():
    config = config_with()
    config["arms"]["scratch"] = {}
    arms = ["scratch", "byol-dihedral"]
    assert references_of(arms, config=config) == {"model_1": {"byol-dihedral": "scratch"}}


def test_what_ships_has_a_reference_for_all_but_the_references():
    for path in ({}, yaml.safe_load((ROOT / "config/comparison.yaml").read_text())):
        config = load(ROOT / "config", path)
        for found in rows.references(config).values():
            left = {"baseline", "probe-random", "neighbours-random"} & {*config["run"]["arms"]}
            assert {*config["run"]["arms"]} - {*found} == left


def transfers_of(arms, datasets, **own):
    config = config_with("arms.to-all", {"pretraining": "byol-dihedral", **own})
    config["run"] |= {"arms": arms, "datasets": datasets}
    return rows.transfers(config)


def test_a_transfer_stands_beside_the_rows_that_stayed():
    arms = ["baseline", "baseline-long", "contrastive-rotation", "to-all", "byol-dihedral"]
    arms += ["contrastive-rotation-from-model_1", "contrastive-rotation-from-model_3"]
    arms += ["probe-random", "probe-contrastive-gaussian_noise"]
    found = transfers_of(arms, ["model_2", "model_1"])
    assert found == {
        "contrastive-rotation": {
            "model_2": {
                "model_2": "contrastive-rotation",
                "model_1": "contrastive-rotation-from-model_1",
                "model_3": "contrastive-rotation-from-model_3",  # of no column
            },
            "model_1": {
                "model_1": "contrastive-rotation",  # and not the transfer to where it is from
                "model_3": "contrastive-rotation-from-model_3",
            },
        }
    }
    assert list(found["contrastive-rotation"]) == ["model_2", "model_1"]


def test_the_first_row_of_an_encoder_is_taken():
    arms = ["contrastive-rotation-from-model_1", "contrastive-rotation"]
    found = transfers_of(arms, ["model_1", "model_2"])["contrastive-rotation"]
    assert found["model_1"] == {"model_1": "contrastive-rotation-from-model_1"}
    assert found["model_2"] == {
        "model_1": "contrastive-rotation-from-model_1",
        "model_2": "contrastive-rotation",
    }


def test_the_rows_of_a_transfer_have_one_fine_tuning():
    config = config_with("finetuning.for_dataset", {"model_2": {"epochs": 2}})
    own = {"pretraining": "byol-dihedral", "finetuning": {"epochs": 64}}
    config["arms"] |= {"stays": own, "moves": own | {"pretrained_on": "model_1"}}
    config["run"] |= {
        "datasets": ["model_1", "model_2"],
        "arms": ["baseline", "byol-dihedral", "stays", "moves"],
    }
    stays = {"model_1": {"model_1": "stays"}, "model_2": {"model_2": "stays", "model_1": "moves"}}
    assert rows.transfers(config) == {"byol-dihedral": stays}
    shown = outputs.figure_settings(config, "transfer", "byol-dihedral")
    assert shown["baselines"] == {}  # it has another fine-tuning
    config["arms"]["long"] = {"finetuning": {"epochs": 64}}
    config["run"]["arms"].append("long")
    shown = outputs.figure_settings(config, "transfer", "byol-dihedral")
    assert shown["baselines"] == {"model_1": "long", "model_2": "long"}


def test_a_transfer_is_compared_with_the_row_of_its_encoder():
    given = {
        "run": {
            "datasets": ["model_1", "model_2"],
            "arms": ["baseline", "vit-baseline", "vit", "vit-from-model_1"],
        },
        "pretrainings": {
            "vit": {"method": "simsiam", "pretext": "dihedral", "encoder": {"name": "vit_nano"}}
        },
        "arms": {
            "vit-baseline": {"encoder": {"name": "vit_nano"}},
            "vit": {"pretraining": "vit"},
            "vit-from-model_1": {"pretraining": "vit", "pretrained_on": "model_1"},
        },
    }
    config = load(ROOT / "config", given)
    check(config, SCHEMA)
    shown = outputs.figure_settings(config, "transfer", "vit")
    assert shown["baselines"] == dict.fromkeys(("model_1", "model_2"), "vit-baseline")
    assert shown["baselines"]["model_2"] == rows.references(config)["model_2"]["vit"]


def test_a_pretraining_that_was_not_moved_has_no_transfers():
    assert transfers_of(["baseline", "contrastive-rotation", "to-all"], ["model_1"]) == {}
    # nor one that is at home on all data sets of the run
    here = ["contrastive-rotation-from-model_1"]
    assert transfers_of(here, ["model_1"]) == {}
    assert transfers_of(here, ["model_2"]) == {
        "contrastive-rotation": {"model_2": {"model_1": here[0]}}
    }


def test_a_frozen_encoder_is_no_transfer():
    moved = {"pretrained_on": "model_1"}
    for protocol in FROZEN:
        assert transfers_of(["to-all"], ["model_2"], protocol=protocol, **moved) == {}
    assert transfers_of(["to-all"], ["model_2"], **moved) == {
        "byol-dihedral": {"model_2": {"model_1": "to-all"}}
    }


def test_an_encoder_from_a_file_that_is_another_than_the_baselines_is_marked(tmp_path):
    path = tmp_path / "encoder.keras"
    path.touch()
    own = {"pretraining": {"file": str(path), "encoder": {"name": "vit_nano"}}}
    given = {"arms": {"mine": own}, "run": {"arms": ["baseline", "mine"]}}
    config = load(ROOT / "config", given)
    everywhere = "encoder on Model I, Model II, Model III"
    assert rows.row_notes(config, "mine") == {"¶": "encoder.keras", "◊": everywhere}
    del own["pretraining"]["encoder"]
    assert rows.row_notes(load(ROOT / "config", given), "mine") == {"¶": "encoder.keras"}


def test_what_counts_in_trainings_alone_makes_another_encoder_of_trained_rows_alone():
    config = config_with("encoder.neck", [64])
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"neck_dropout": [0.5]}
    config["arms"]["dropped"] = {"encoder": {"neck_dropout": [0.5]}}
    config["run"]["arms"] = ["baseline", "byol-dihedral", "probe-random", "probe-byol-dihedral"]
    found = rows.references(config)["model_1"]
    assert found["byol-dihedral"] == "baseline" and "◊" in rows.row_notes(config, "byol-dihedral")
    assert found["probe-byol-dihedral"] == "probe-random"
    assert rows.row_notes(config, "probe-byol-dihedral") == {}
    config["run"]["arms"].append("dropped")
    assert rows.references(config)["model_1"]["byol-dihedral"] == "dropped"
    assert rows.row_notes(config, "byol-dihedral") == {}
