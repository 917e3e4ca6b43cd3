"""The tables, figures and pages of a run, and their settings."""

import pytest
from configurations import SHIPPED, config_with

from sslens.configuration import outputs


def test_a_transfer_with_another_encoder_has_no_gain():
    config = config_with("encoder.for_dataset", {"model_1": {"width": 8}})
    config["arms"]["moved"] = {"pretraining": "byol-dihedral", "pretrained_on": "model_1"}
    config["run"]["arms"] = ["baseline", "byol-dihedral", "moved"]
    shown = outputs.figure_settings(config, "transfer", "byol-dihedral")
    assert shown["baselines"] == {"model_1": "baseline"}
    del config["encoder"]["for_dataset"]
    shown = outputs.figure_settings(config, "transfer", "byol-dihedral")
    assert set(shown["baselines"]) == set(config["run"]["datasets"])


def test_the_pages_of_a_run_and_their_settings():
    config = config_with("run.arms", ["baseline", "probe-random"])
    config["run"]["datasets"] = ["model_2"]
    assert outputs.pages_of_run(config) == ["auc_table", "probe_table", "auc_summary", "shortcuts"]
    config["run"]["label_fractions"] = [1.0, 0.1]
    assert outputs.pages_of_run(config)[4:] == ["label_efficiency_model_2"]
    shown = outputs.page_settings(config)
    assert list(shown["rows"]) == ["baseline"] and list(shown["frozen"]) == ["probe-random"]
    assert list(shown["datasets"]) == ["model_2"] and shown["efficiency"] == ["model_2"]


def test_titles_of_figures_name_the_share_of_the_labels():
    config = config_with("run.label_fractions", [0.01, 0.1])
    arms = ["baseline", "contrastive-rotation", "contrastive-rotation-from-model_1", "probe-random"]
    config["run"] |= {"arms": arms, "datasets": ["model_2"]}
    shown = {
        figure: outputs.figure_settings(config, figure, name)["title"]
        for figure, name in outputs.figures_of_run(config)
    }
    of_labels = ("roc", "confusion", "reliability", "mistakes", "intervals", "transfer")
    for figure in of_labels:
        assert shown.pop(figure).endswith(", 0.1 of the labels")
    assert shown.pop("finetuning") == "Model II, 0.1 of the labels: fine-tuning"
    assert not any("labels" in title for title in shown.values())
    config["run"]["label_fractions"].append(1.0)
    assert outputs.figure_settings(config, "roc", "model_2")["title"] == "Model II"


@pytest.mark.parametrize(
    ("dataset", "limit"), [("model_1", -22.16), ("model_2", -22.43), ("model_3", -22.12)]
)
def test_a_vortex_is_resolved_below_a_mass(dataset, limit):
    """Derived from the published recipes, where it is as long as the PSF is wide."""
    found = outputs.resolution_limits(SHIPPED["datasets"][dataset])
    assert found["log10_axion_mass"] == pytest.approx(limit, abs=0.005)
