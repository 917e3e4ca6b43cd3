"""What runs again after a change, and what does not: by dry runs on a finished run."""

from contextlib import ExitStack, contextmanager

import pytest
import yaml
from running import TINY, dry_run, planned

# the run itself, where this file is the first to ask for it
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ARMS = yaml.safe_load(TINY.read_text())["run"]["arms"]
NAMED = {  # figures that hold the titles of the rows
    "Drawing ROC curves",
    "Drawing what is confused with what",
    "Drawing how far probabilities can be believed",
}
INTERVALS = "Drawing the intervals of all methods"
TABLES = {"Comparing", "Making web pages of the tables", INTERVALS}
COMPARISON = {*TABLES, "Drawing what is most confidently wrong", *NAMED}
MAP = {"Drawing a map of the features of model_2"}  # by the probes' encoders
CURVES = {stage: f"Drawing the {stage} curves" for stage in ("pretraining", "finetuning")}


def row(arm):
    """Jobs of an arm from its fine-tuning on."""
    return {
        f"Learning the labels: {arm} on model_2, seed 1",
        f"Evaluating {arm} on the test set of model_2",
    }


def probe(arm, encoder):
    """Jobs of an arm with a frozen encoder, and those of its features."""
    return {
        f"Computing the features of {encoder} on model_2, seed 1",
        f"Probing features: {arm} on model_2, seed 1",
    }


def pretraining(name):
    """Jobs of a pretraining, which is exported with its features."""
    return {
        f"Pretraining {name} on model_2, seed 1",
        f"Computing the features of {name}@model_2 on model_2, seed 1",
    }


BYOL = (
    pretraining("byol-dihedral")
    | row("byol-dihedral")
    | probe("probe-byol-dihedral", "byol-dihedral@model_2")
    | COMPARISON
    | set(CURVES.values())
    | MAP
)


SHIFTED = {  # a row that may be defined and not be run
    "pretexts": {"shifted": [{"shift": {"max_pixels": 3}}, {"dihedral": {}}]},
    "pretrainings": {"byol-shifted": {"method": "byol", "pretext": "shifted"}},
    "arms": {"byol-shifted": {"title": "BYOL, shifts", "pretraining": "byol-shifted"}},
}


@pytest.fixture
def plan(finished, repository, tmp_path):
    """The jobs that would run with a further configuration laid over the run's."""

    def jobs(overlay=None):
        own = tmp_path / "overlay.yaml"
        own.write_text(yaml.safe_dump(overlay or {}))
        found = planned(finished, configs=(TINY, own), repository=repository)
        assert len(found) == len(set(found))
        return set(found)

    return jobs


@contextmanager
def edited(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    try:
        yield
    finally:
        file.write_text(text)


def library(repository, module):
    return repository / "workflow/scripts/sslens" / f"{module}.py"


def test_what_concerns_no_result_reruns_nothing(finished, repository, tmp_path):
    """All of it in one dry run: settings, definitions that no row uses, comments, new functions."""
    overlay = {
        "tensorboard": False,
        "planning": {
            "gpu_tflops": 1.0,
            "core_gflops": 1.0,
            "safety_factor": 9.0,
            "overhead_min": 1,
            "max_runtime_min": 9,
        },
        "data_dir": str(tmp_path),
        "checkpoint_dir": "elsewhere",
        "container": "sslens.sif",
        **SHIFTED,
    }
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(overlay))
    edits = [
        ("training/engine", "def fit(", "# a comment\n\n\ndef fit("),
        ("training/engine", '"""Train, or go on', '"""Go on'),
        ("networks/encoders/resnet", '"""Residual networks', '"""Networks'),
        ("../pretrain", "inputs = [", "# a comment\ninputs = ["),
        ("training/augmentations", "def blur", "def new():\n    pass\n\n\ndef blur"),
    ]
    with ExitStack() as stack:
        for module, old, new in edits:
            stack.enter_context(edited(library(repository, module), old, new))
        printed = dry_run(finished, configs=(TINY, own), repository=repository)
    assert "Nothing to be done" in printed


def test_what_snakemake_does_not_see_is_said(finished, repository, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("finetuning: {epochs: 3}")
    words = ["--rerun-triggers", "mtime"]
    printed = dry_run(finished, *words, configs=(TINY, own), repository=repository)
    assert "Nothing to be done" in printed
    cells = "baseline on model_2 (labels 1, seed 1) and 2 more: learning.epochs 20, not 3"
    assert cells in printed and "tables: configuration.finetuning.epochs 20, not 3" in printed
    assert "other settings" not in dry_run(finished, repository=repository)


# --- the configuration ----------------------------------------------------------------------------


def test_the_learning_rate_of_one_pretraining(plan):
    overlay = {"pretrainings": {"byol-dihedral": {"optimizer": {"learning_rate": 1.0e-4}}}}
    assert plan(overlay) == BYOL


def test_fine_tuning_leaves_the_pretrainings_and_the_probe(plan):
    jobs = plan({"finetuning": {"epochs": 3}})
    rows = row("baseline") | row("contrastive-rotation") | row("byol-dihedral")
    assert jobs == rows | COMPARISON | {CURVES["finetuning"]}


def test_a_row_of_another_name_trains_nothing(plan):
    jobs = plan({"arms": {"byol-dihedral": {"title": "BYOL"}}})
    assert jobs == TABLES | NAMED | set(CURVES.values())


def test_the_threads_concern_all_jobs_with_networks(plan):
    jobs = plan({"cpu_threads": 99})
    assert all(any(job.startswith(kind) for job in jobs) for kind in ("Pretraining", "Learning"))
    assert not any(job.startswith("Rendering") for job in jobs)


def test_a_probe_that_is_added_takes_the_features_of_the_exported_encoder(plan):
    added = plan({"run": {"arms": [*ARMS, "probe-contrastive-rotation"]}})
    new = {"Probing features: probe-contrastive-rotation on model_2, seed 1"}
    assert added == new | TABLES | MAP


def test_nearest_neighbours_take_the_features_that_are_there(plan):
    added = plan({"run": {"arms": [*ARMS, "neighbours-random", "neighbours-byol-dihedral"]}})
    names = ("neighbours-random", "neighbours-byol-dihedral")
    assert added == TABLES | {f"Probing features: {arm} on model_2, seed 1" for arm in names}


def test_another_probe_reruns_no_features(plan):
    jobs = plan({"probe": {"inverse_penalties": [1.0]}})
    names = ("probe-random", "probe-byol-dihedral")
    assert jobs == TABLES | MAP | {f"Probing features: {arm} on model_2, seed 1" for arm in names}


def test_a_pretext_that_is_added(plan):
    jobs = plan(SHIFTED | {"run": {"arms": [*ARMS, "byol-shifted"]}})
    new = pretraining("byol-shifted") | row("byol-shifted")
    assert jobs == new | COMPARISON | set(CURVES.values())


def test_a_method_that_is_added(plan, repository):
    code, schema = (
        repository / "workflow/scripts/sslens/methods" / f"mine{suffix}"
        for suffix in (".py", ".schema.yaml")
    )
    code.write_text(library(repository, "methods/byol").read_text())
    schema.write_text(library(repository, "methods/byol").with_suffix(".schema.yaml").read_text())
    overlay = {
        "pretrainings": {"mine-dihedral": {"method": "mine", "pretext": "dihedral"}},
        "arms": {"mine": {"pretraining": "mine-dihedral"}},
        "run": {"arms": [*ARMS, "mine"]},
    }
    try:
        jobs = plan(overlay)
    finally:
        code.unlink()
        schema.unlink()
    new = pretraining("mine-dihedral") | row("mine")
    assert jobs == new | COMPARISON | set(CURVES.values())


def test_a_larger_training_split_renders_what_is_new(plan):
    jobs = plan({"splits": {"train": {"images": 60}}})
    rendered = {job for job in jobs if "atalogue" in job or "shard" in job}
    kinds = ("Drawing catalogue", "Rendering shard")
    assert rendered == {
        f"{kind} {shard} of model_2/train" for kind in kinds for shard in ("00001", "00002")
    }
    assert pretraining("byol-dihedral") | row("baseline") <= jobs


# --- the code -------------------------------------------------------------------------------------


def test_a_function_reruns_what_uses_it(plan, repository):
    rotations = (
        pretraining("contrastive-rotation")  # by its pretext
        | row("baseline")  # the others by the augmentation of fine-tuning
        | row("contrastive-rotation")
        | row("byol-dihedral")
        | COMPARISON
        | set(CURVES.values())
    )
    with edited(library(repository, "training/augmentations"), "tf.cos(angle)", "tf.cos(-angle)"):
        assert plan() == rotations
    with edited(library(repository, "methods/byol"), "2 - 2 * cos", "3 - 2 * cos"):
        assert plan() == BYOL
    with edited(library(repository, "figures/style"), "dpi=150", "dpi=151"):
        others = {INTERVALS, "Drawing images and parameters of model_2", *CURVES.values()}
        assert plan() == COMPARISON - TABLES | MAP | others


def test_a_script_reruns_its_rule(plan, repository):
    with edited(library(repository, "../roc"), "for path in paths", "for path in list(paths)"):
        assert plan() == {"Drawing ROC curves"}
