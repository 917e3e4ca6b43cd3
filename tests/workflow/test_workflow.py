"""The workflow as its users run it: a small configuration from nothing to the table."""

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from paths import ROOT
from running import TINY, command, copy_data, dry_run, run
from sklearn.metrics import roc_auc_score

from sslens.classes import CLASSES
from sslens.data.records import read_split
from sslens.digests import sha256_of
from sslens.files import read_json
from sslens.jobs.tensorflow_setup import gpus_of_a_job

# the default limit is for tests that start one process, not twenty
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
ROWS = ["baseline", "contrastive-rotation", "byol-dihedral"]
PROBES = ["probe-random", "probe-byol-dihedral"]
ARMS = [*ROWS, *PROBES]
CELL = "model_2/{}/labels-1.0/seed-1"


def test_the_contracts_files_are_there(finished):
    results = finished / "results"
    expected = [
        "data/model_2/manifest.json",
        "data/model_2/preprocessing.json",
        "data/model_2/train/00000.parquet",
        "data/model_2/test/00000.tfrecord",
        "pretrain/model_2/byol-dihedral/seed-1/encoder.weights.h5",
        "pretrain/model_2/byol-dihedral/seed-1/history.csv",
        *(f"features/model_2/byol-dihedral@model_2/seed-1/{name}"
          for name in ("train.npy", "validation.npy", "test.npy", "encoder.keras",
                       "provenance.json")),
        *(f"finetune/{CELL.format(arm)}/classifier.weights.h5" for arm in ROWS),
        *(f"probe/{CELL.format(arm)}/{name}" for arm in PROBES
          for name in ("probe.npz", "history.csv")),
        *(f"evaluate/{CELL.format(arm)}/{name}" for arm in ROWS
          for name in ("classifier.keras", "features.npy")),
        *(f"evaluate/{CELL.format(arm)}/predictions.parquet" for arm in ARMS),
        "comparison/auc_table.md",
        "comparison/auc_table.csv",
        "comparison/auc_table.tex",
        "comparison/auc_summary.csv",
        "comparison/probe_table.md",
        *(f"comparison/{name}.html"
          for name in ("auc_table", "probe_table", "auc_summary", "shortcuts")),
        "comparison/provenance.json",
        "comparison/configuration.yaml",
        *(f"evaluate/{CELL.format(arm)}/{name}" for arm in ARMS
          for name in ("validation.parquet", "metrics.json")),
        *(f"comparison/{name}_model_2.{kind}"
          for name in ("roc", "confusion", "reliability", "mistakes", "embedding",
                       "pretraining", "finetuning", "gallery", "parameters")
          for kind in ("png", "svg")),
        *(f"comparison/intervals_{protocol}.png" for protocol in ("fine_tune", "linear_probe")),
    ]  # fmt: skip
    assert [name for name in expected if not (results / name).is_file()] == []
    assert not list(finished.rglob(".incomplete-*"))
    assert not list((finished / "checkpoints").rglob("*.npz")), "checkpoints go when outputs stand"


#: Packages that take long to import -> the rules whose jobs may load them, because they use them.
TRAININGS = {"pretrain", "finetune", "evaluate"}
SCORING = {"evaluate", "probe", "roc", "reliability", "embedding", "shortcuts"}
DRAWING = {"roc", "confusion", "reliability", "mistakes", "embedding", "training_curves", "gallery"}
DRAWING |= {"intervals"}
MAY_LOAD = {
    "tensorflow": {*TRAININGS, "features"},
    "keras": {*TRAININGS, "features"},
    "sklearn": SCORING,
    "scipy.stats": SCORING,
    "matplotlib": DRAWING,
    "astropy": {"catalogue"},
    "numba": {"records"},
}


def test_no_job_imports_what_it_does_not_use(finished):
    loaded = {}
    for path in (finished / "modules").iterdir():
        rule = path.stem.rpartition("-")[0]
        loaded.setdefault(rule, set()).update(path.read_text().splitlines())
    assert set(loaded) >= {"manifest", "preprocessing"}.union(*MAY_LOAD.values())
    found = {name: {rule for rule in loaded if name in loaded[rule]} for name in MAY_LOAD}
    assert found == MAY_LOAD


def test_a_run_on_this_machine_loads_tensorflow_once(finished):
    """Where it can use no GPU: each job with a network is a copy of one process."""
    logs = [
        path
        for rule in MAY_LOAD["tensorflow"]
        for path in (finished / "logs" / rule).rglob("*.log")
    ]
    assert len(logs) >= len(MAY_LOAD["tensorflow"])
    loaded_before = {"TensorFlow was loaded before" in path.read_text() for path in logs}
    assert loaded_before == {not gpus_of_a_job(elsewhere=False)}


def test_exported_networks_make_the_same_of_raw_images(finished, repository, tmp_path):
    """By the examples of docs/classifier.md, in processes that cannot see the library."""
    split = read_split(finished / "results/data/model_2/manifest.json", "test")
    folder = tmp_path / "images"
    folder.mkdir()
    image_ids = split.columns["image_id"]
    for image_id, image in zip(image_ids[:8], split.images[:8], strict=True):
        np.save(folder / f"{image_id}.npy", image[..., 0])
    fits.writeto(folder / f"{image_ids[8]}.fits", split.images[8][..., 0])
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    # that of a probe is made when it is asked for
    target = f"results/evaluate/{CELL.format('probe-byol-dihedral')}/classifier.keras"
    run(copy, target, repository=repository)
    encoder = "results/features/model_2/byol-dihedral@model_2/seed-1/encoder.keras"
    words = [ROOT / "examples" / "features.py", copy / encoder, folder, tmp_path / "f.parquet"]
    subprocess.run([sys.executable, *words], cwd=tmp_path, check=True)
    found = pd.read_parquet(tmp_path / "f.parquet")
    assert [Path(name).stem for name in found["file"]] == list(image_ids[:9])
    (computed,) = (copy / "results/features/model_2").glob("byol*/seed-1/test.npy")
    expected = np.load(computed)[0, :9]
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found.drop(columns="file"), expected, atol=1e-5 * largest)
    cell = copy / "results/evaluate" / CELL.format("probe-byol-dihedral")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "predict.py", cell / "classifier.keras", folder],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = pd.read_csv(io.StringIO(done.stdout))
    expected = pd.read_parquet(cell / "predictions.parquet")[:9]
    assert [Path(name).stem for name in found["file"]] == list(expected["image_id"])
    probabilities = expected[[f"p_{name}" for name in CLASSES]]
    np.testing.assert_allclose(found[list(CLASSES)], probabilities, atol=2e-5)
    # it would be of other predictions, once the probe is made anew
    metrics = target.replace("classifier.keras", "metrics.json")
    # and one whose encoder is the exported file
    arm = {"protocol": "linear_probe", "pretraining": {"file": str(copy / encoder)}}
    overlay = tmp_path / "file.json"
    overlay.write_text(json.dumps({"arms": {"mine": arm}}))
    mine = metrics.replace("probe-byol-dihedral", "mine")
    where = {"repository": repository, "configs": (TINY, overlay)}
    run(copy, metrics, mine, "--forcerun", "probe", **where)
    assert (copy / metrics).is_file() and not (copy / target).exists()
    first, second = (read_json(copy / path) for path in (metrics, mine))
    assert first["predictions_sha256"] == second["predictions_sha256"]
    assert second["provenance"]["pretrain"]["sha256"] == sha256_of(copy / encoder)
    assert (second["method"], second["pretraining_collapsed"]) == ("file", None)


def test_the_table_is_recomputed_from_the_predictions(finished):
    table = pd.read_csv(finished / "results/comparison/auc_table.csv").set_index("arm")
    assert list(table.index) == ARMS
    catalogue = pd.read_parquet(finished / "results/data/model_2/test/00000.parquet")
    for arm in ARMS:
        folder = finished / "results/evaluate" / CELL.format(arm)
        predictions = pd.read_parquet(folder / "predictions.parquet")
        # the whole test set, each image once, with the label it was drawn with
        assert list(predictions["image_id"]) == list(catalogue["image_id"])
        assert list(predictions["label"]) == list(catalogue["label"])
        for name in CLASSES:
            auc = roc_auc_score(predictions["label"] == name, predictions[f"p_{name}"])
            assert table.loc[arm, f"auc_{name}"] == pytest.approx(auc, abs=1e-12)
        metrics = read_json(folder / "metrics.json")
        assert metrics["predictions_sha256"] == sha256_of(folder / "predictions.parquet")
        assert metrics["seed"] == 1 and metrics["labels"] == 1.0


def test_the_tables_hold_the_rows_of_the_run(finished):
    table = (finished / "results/comparison/auc_table.md").read_text()
    titles = ["Baseline", "Contrastive, rotation pretext", "Bootstrap Your Own Latent"]
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:5]] == titles
    probes = (finished / "results/comparison/probe_table.md").read_text()
    assert "Bootstrap Your Own Latent" in probes and "Baseline" not in probes
    assert " vs —" not in probes


def test_what_an_earlier_configuration_left_is_named(finished, repository, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(finished, directory)
    comparison = directory / "results/comparison"
    (comparison / "roc_model_1.svg").write_text("of a data set that is no longer run")
    (comparison / "auc_table.md").unlink()
    (line,) = re.findall(
        r"not of this configuration.*: (.*)", run(directory, repository=repository)
    )
    assert line == "roc_model_1.svg"


def test_histories_tell_what_was_learned(finished):
    history = pd.read_csv(finished / "results/pretrain/model_2/byol-dihedral/seed-1/history.csv")
    assert list(history["epoch"]) == list(range(1, 31))
    assert (history["embedding_std_uniform"] == np.float32(64**-0.5)).all()
    columns = {"loss", "learning_rate", "embedding_std", "images_per_second"}
    columns |= {"effective_rank", "alignment", "uniformity", "neighbour_auc", "collapsed"}
    assert columns <= set(history.columns)
    tuned = pd.read_csv(finished / "results/finetune" / CELL.format("baseline") / "history.csv")
    assert {"loss", "auc", "validation_loss", "validation_auc"} <= set(tuned.columns)


def test_a_seed_learns_from_the_images_of_its_own(finished):
    """12 of 24, in batches of 8: one a pass, where all of them would be three."""
    trainings = {
        "pretrain/model_2/byol-dihedral/seed-1": 30,
        "finetune/" + CELL.format("baseline"): 20,
    }
    for folder, epochs in trainings.items():
        history = pd.read_csv(finished / "results" / folder / "history.csv")
        assert history["step"].iloc[-1] == epochs
    (features,) = (finished / "results/features/model_2").glob("byol*/seed-1/train.npy")
    assert len(np.load(features)[0]) == 12
    table = pd.read_csv(finished / "results/comparison/auc_table.csv")
    assert (table["labelled_images"] == 12).all()
    assert (table["training_images"] == "[0, 12]").all()


def test_metrics_carry_whether_the_pretraining_has_collapsed(finished):
    history = pd.read_csv(finished / "results/pretrain/model_2/byol-dihedral/seed-1/history.csv")
    table = pd.read_csv(finished / "results/comparison/auc_table.csv").set_index("arm")
    for arm, expected in {
        "byol-dihedral": bool(history["collapsed"].iloc[-1]),
        "probe-byol-dihedral": bool(history["collapsed"].iloc[-1]),
        "probe-random": None,
    }.items():
        metrics = read_json(finished / "results/evaluate" / CELL.format(arm) / "metrics.json")
        assert metrics["pretraining_collapsed"] is expected
        told = table.loc[arm, "pretraining_collapsed"]
        assert pd.isna(told) if expected is None else told == expected


def test_trainings_leave_logs_for_tensorboard(finished):
    folders = [path.parent for path in (finished / "logs/tensorboard").rglob("events.*")]
    logs = finished / "logs/tensorboard"
    assert logs / "pretrain/model_2/byol-dihedral/seed-1" in folders
    assert logs / "finetune" / CELL.format("baseline") in folders


def test_logs_show_progress_with_the_time_left(finished):
    log = finished / "logs/pretrain/model_2/byol-dihedral/seed-1.log"
    assert "epoch 7/30: loss" in log.read_text() and " left" in log.read_text()


def test_a_benchmark_sums_what_the_jobs_of_a_rule_used(finished):
    pipeline = [sys.executable, ROOT / "benchmarks/pipeline.py", "--finished", finished]
    tiny = ["--configfile", ROOT / "tests/configs/tiny.yaml"]
    done = subprocess.run([*pipeline, *tiny], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    rules = told["rules"]
    assert [rules[rule]["jobs"] for rule in ("catalogue", "pretrain", "finetune")] == [3, 2, 3]
    for name, used in rules.items():
        assert 0 < used["longest"] <= used["seconds"], name
        assert used["cpu"] > 0 and 0.01 < used["memory"] < 10, name
    for rule, seconds in told["training"].items():
        assert 0 < seconds["steps"] < rules[rule]["seconds"]


def test_the_default_run_plans_the_whole_table_in_a_folder_of_its_own(tmp_path):
    printed = dry_run(tmp_path, configs=())
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", printed, re.MULTILINE))
    assert jobs["pretrain"] == "9"
    assert {jobs[rule] for rule in ("finetune", "evaluate", "features", "probe")} == {"12"}


def test_every_pretraining_is_exported_also_one_that_no_row_probes(tmp_path):
    overlay = tmp_path / "own.json"
    arms = {"moved": {"pretraining": "byol-dihedral", "pretrained_on": "model_2"}}
    run = {"datasets": ["model_1"], "arms": ["baseline", "contrastive-rotation", "moved"]}
    overlay.write_text(json.dumps({"run": run, "arms": arms}))
    printed = dry_run(tmp_path, configs=(overlay,))
    exported = re.findall(r"features/(\w+)/([\w@-]+)/seed-1/encoder.keras", printed)
    assert set(exported) == {
        ("model_1", "contrastive-rotation@model_1"),
        ("model_2", "byol-dihedral@model_2"),
    }


GUESS = "did you mean 'model_3'? known are model_1, model_2, model_3, realistic_1"


@pytest.mark.parametrize(
    ("text", "expected", "in_terminal"),
    [
        (
            "run: {datasets: [model_4]}\nplanning: {longest: 10}\n",
            [
                f"run.datasets: unknown data set 'model_4'; {GUESS}",
                "planning.longest: this key is 'max_runtime_min' now",
            ],
            True,
        ),
        (
            "run: {seeds: [1]}\nsplits: {}\nrun: {seeds: [2]}\n",
            ["wrong.yaml: the key 'run' is given twice (in lines 1 and 3), and the first would"],
            False,
        ),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line_and_exit_1(
    tmp_path, text, expected, in_terminal
):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text)
    words = command(tmp_path, configs=(wrong,))
    if in_terminal:
        words = ["script", "--quiet", "--return", "--command", shlex.join(words), "/dev/null"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "profile" not in line]
    for line, part in zip(lines, expected, strict=True):
        assert line.startswith("configuration: ") and part in line
    assert not (tmp_path / "results").exists()


def test_an_interrupted_and_repeated_run_gives_the_same_weights(finished, repository, tmp_path):
    directory = tmp_path / "interrupted"
    copy_data(finished, directory)
    target = "results/pretrain/model_2/byol-dihedral/seed-1/encoder.weights.h5"
    lock = directory / "checkpoints/pretrain/model_2/byol-dihedral/seed-1/lock"
    quiet = subprocess.DEVNULL
    first = subprocess.Popen(
        command(directory, target, repository=repository),
        cwd=ROOT,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )
    # a training is killed: Snakemake tries it again, and it goes on from its checkpoint
    wait_for(lambda: lock.with_name("checkpoint.npz").exists() and lock.read_text(), first)
    os.kill(int(lock.read_text()), signal.SIGKILL)
    log = directory / "logs/pretrain/model_2/byol-dihedral/seed-1.log"
    wait_for(lambda: log.exists() and "resumed from the checkpoint" in log.read_text(), first)
    # then the whole run is stopped, as by Ctrl-C in a terminal
    os.killpg(first.pid, signal.SIGINT)
    first.wait(timeout=300)
    assert not (directory / target).exists()

    run(directory, target, repository=repository)
    assert sha256_of(directory / target) == sha256_of(finished / target)


def test_a_run_on_this_machine_is_not_slowed_by_a_limit_of_jobs_a_second(repository, tmp_path):
    target = "results/data/model_2/train/00000.parquet"
    printed = run(tmp_path / "run", target, "--verbose", repository=repository)
    # the limit is told before it is lifted; then jobs may be as many as Python can count
    assert "Submitting maximum 100 job(s)" in printed
    assert f"'_job_count': {sys.maxsize}" in printed.split("Resources after job selection")[1]


def wait_for(condition, process: subprocess.Popen, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
