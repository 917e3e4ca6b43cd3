"""Mistakes in the task: its head, its targets, its augmentations."""

import pytest
from configurations import MASS_OF_AXIONS, SCHEMA, config_with, error_of
from paths import ROOT

from sslens.configuration import task_checks
from sslens.configuration.checks import check
from sslens.configuration.loading import load, merge


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"task": {"name": "regresion"}}, "task.name: unknown task 'regresion'; did you mean"),
        ({"task": {"name": "classification", "beta": 1}}, "task: unknown key 'beta'"),
        ({"task": {"name": "regression", "beta": 2}}, "task.beta: 2 is greater than the maximum"),
        (
            {"task": {"name": "regression", "targets": ["axion_mass"]}},
            "task.targets.0: 'axion_mass' is not one of",
        ),
        (
            {"task": {"name": "regression", "targets": ["source_x", "log10_axion_mass"]}},
            "task.targets: source_x turns with the image into source_y: take both",
        ),
        (
            {
                "task": {"name": "regression", "targets": ["source_x", "source_y"]},
                "pretexts": {"moved": [{"shift": {"max_pixels": 2}}]},
                "finetuning": {"augmentation": "moved"},
            },
            "finetuning.augmentation: shift moves the source, which task.targets has; take another",
        ),
        (
            {"task": {"name": "regression", "targets": ["lens_e1", "lens_e2"], "head": "binned"}},
            "task.head: bins cannot be turned, and lens_e1 turns with the image; take gaussian",
        ),
        (
            {"task": {"name": "regression", "targets": ["gamma1", "gamma2"]}},
            "datasets.model_2.deflection_scale: the shear in the image is this times that of",
        ),
        (
            {"task": {"name": "regression", "bins": 20}},
            "task.bins: is of the head binned, but task.head is gaussian; remove one of the two",
        ),
        (
            {"task": {"name": "regression", "head": "binned", "beta": 0.5}},
            "task.beta: is of the head gaussian, but task.head is binned; remove one of the two",
        ),
        (
            {"task": {"name": "regression", "targets": ["shown_einstein_radius"]}},
            "datasets.model_2.substructure_mass: the substructure makes the ring larger than",
        ),
        (
            {"task": {"name": "regression"}, "finetuning": {"label_smoothing": 0.1}},
            "finetuning.label_smoothing: a regression has no labels to smooth; give 0.0",
        ),
        (
            {
                "task": {"name": "regression"},
                "datasets": {"model_2": {"class_shares": {"axion": 0, "cdm": 1, "no_sub": 1}}},
            },
            "datasets.model_2.class_shares: no images of axion, but task.targets has log10_axion",
        ),
        (
            {"datasets": {"model_2": {"class_shares": {"axion": 1, "cdm": 1, "no_sub": 0}}}},
            "datasets.model_2.class_shares: no images of no_sub, but a classification needs all",
        ),
    ],
)
def test_what_a_task_cannot_be_is_said(given, expected):
    # model_3 would be like model_2
    whole = {"run": {"datasets": ["model_2"]}, "finetuning": {"augmentation": "dihedral"}}
    config = load(ROOT / "config", merge(whole, given))
    assert error_of(config).startswith(expected)


@pytest.mark.parametrize(
    "layer", ["finetuning", "finetuning.for_dataset.model_2", "arms.baseline.finetuning"]
)
@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("augmentation", "rotation_flip", "rotation interpolates, which shifts the answers"),
        ("augmentation", "moved", "shift moves the source, which task.targets has"),
        ("augmentation", "smooth", "blur smooths, which shifts the answers"),
        ("label_smoothing", 0.1, "a regression has no labels to smooth"),
    ],
)
def test_no_fine_tuning_of_a_regression_shifts_its_answers(layer, key, value, problem):
    config = load(ROOT / "config", MASS_OF_AXIONS)
    config["task"]["targets"] = ["source_x", "source_y"]
    config["pretexts"]["moved"] = [{"shift": {"max_pixels": 2}}]
    config["pretexts"]["smooth"] = [{"blur": {"max_sigma": 1.5}}]
    section = config
    for name in layer.split("."):
        section = section.setdefault(name, {})
    section[key] = value
    assert error_of(config).startswith(f"{layer}.{key}: {problem}")
    config["task"] = {"name": "classification"}
    config["datasets"]["model_2"]["class_shares"] = {"axion": 1, "cdm": 1, "no_sub": 1}
    check(config, SCHEMA)


def test_an_augmentation_says_whether_it_turns_what_is_a_target(monkeypatch):
    by_places = {task_checks.SHIFT: ["shift"], None: ["dihedral"]}
    monkeypatch.setattr(task_checks, "augmentations_by_places", lambda: by_places)
    config = load(ROOT / "config", MASS_OF_AXIONS)
    config["finetuning"]["augmentation"] = "dihedral"
    check(config, SCHEMA)
    config["task"]["targets"] = ["source_x", "source_y"]
    assert error_of(config).startswith(
        "finetuning.augmentation: dihedral has no `places` in augmentations.schema.yaml"
    )


@pytest.mark.parametrize(("crop", "is_refused"), [(63, True), (62, False), (None, False)])
def test_the_middle_of_a_cropped_image_is_the_origin_of_positions(crop, is_refused):
    """Or all positions would be shifted by half a pixel."""
    given = {
        "task": {"targets": ["source_x", "source_y"]},
        "preprocessing": {"for_dataset": {"model_2": {"crop": crop}}},
    }
    config = load(ROOT / "config", merge(MASS_OF_AXIONS, given))
    if is_refused:
        assert error_of(config).startswith(
            "preprocessing.for_dataset.model_2.crop: 63 of the 64 pixels of model_2: its middle"
        )
        config["task"]["targets"] = ["log10_axion_mass"]
    check(config, SCHEMA)


def test_a_task_without_probes_has_no_rows_with_frozen_encoders(monkeypatch):
    monkeypatch.setattr("sslens.configuration.task_checks.has_probes", lambda task: False)
    config = config_with("run.arms", ["baseline", "probe-random"])
    expected = "arms.probe-random.protocol: linear_probe, but the task classification has no probes"
    assert error_of(config).startswith(expected)
