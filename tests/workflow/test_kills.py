"""Trainings, and the features of a frozen encoder, that are killed at random end in the same bits.

The jobs are the workflow's own scripts in processes of their own, as Snakemake starts them, on a
small data set and with a shallow network. Each of the four is killed as often as `--kills` says,
and without it none: `.ci/run` kills them 20 times in all. `pytest tests/workflow/test_kills.py
--kills 1 -n 0 -s` describes every kill.
"""

import json
import math
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
import pytest
from paths import ROOT

from sslens.classes import CLASSES
from sslens.configuration.loading import load, merge
from sslens.configuration.settings import (
    arm_settings,
    features_settings,
    preprocessing_settings,
    pretraining_settings,
)
from sslens.files import read_json, write_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

STARTED = re.compile("INFO started as process")
EPOCH = re.compile(r"INFO epoch \d+/")
FINISHED = re.compile("INFO finished")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
NNCLR, DINO, TUNED, FEATURES = KINDS = ("nnclr", "dino", "tuned", "features")
OVERLAY = {
    "encoder": {"width": 4, "stem": "small", "neck": [16], "neck_dropout": [0.3]},
    "preprocessing": {"crop": 16},
    "pretraining": {"batch_size": 4, "collapse": "warn"},
    "pretrainings": {
        # a teacher, a centre, and the state of branches that are left out; and a queue
        DINO: {
            "method": "dino",
            "pretext": "dihedral",
            "options": {"prototypes": 16},
            "encoder": {"name": "vit_nano", "patch": 4, "embedding": 8, "layers": 2},
        },
        NNCLR: {"method": "nnclr", "pretext": "dihedral", "options": {"queue": 40}},
    },
    "arms": {
        TUNED: {"pretraining": NNCLR},
        "probe": {"pretraining": NNCLR, "protocol": "linear_probe"},
    },
    "finetuning": {
        "batch_size": 4,
        "select": "best_validation",
        "label_smoothing": 0.1,
        "weight_averaging": 0.9,
        "optimizer": {"clip_norm": 1.0},
    },
}
SPLITS = {"train": 160, "validation": 12, "test": 12}
MOST = 3  # whole epochs that a job may train before it is killed


class Job(NamedTuple):
    """What Snakemake tells a script, as JSON can hold it."""

    script: str
    wildcards: dict
    input: dict
    output: dict
    resources: dict
    params: dict
    config: dict
    log: list


# --- in the process of a job ----------------------------------------------------------------------


class Told(dict):
    """A dictionary whose values are attributes too, as Snakemake's are."""

    __getattr__ = dict.__getitem__


def run_job(path):
    """Run the script of a job; told to, write checkpoints as if an epoch took hours."""
    from sslens.networks.encoders import resnet
    from sslens.training import checkpoints, engine

    resnet.DEPTHS["resnet18"] = (1, 1)
    checkpoints.Checkpoint.remove = lambda self: None  # to compare the optimiser and the target
    told = read_json(path)
    if told.pop("long_epochs"):
        engine.SECONDS_BETWEEN_CHECKPOINTS = 0.1
    scripts = ROOT / "workflow" / "scripts"
    told["scriptdir"] = str(scripts)
    snakemake = Told({k: Told(v) if isinstance(v, dict) else v for k, v in told.items()})
    script = str(scripts / f"{snakemake.script}.py")
    runpy.run_path(script, init_globals={"snakemake": snakemake})


# --- starting, killing, comparing -----------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Records of a small data set, its manifest and its preprocessing."""
    from sslens.data.preprocessing import measure
    from sslens.data.records import describe, read_split, write_shard

    folder, rng, facts = tmp_path_factory.mktemp("data"), np.random.default_rng(0), {}
    for split, size in SPLITS.items():
        ids = [f"{split}-{k}" for k in range(size)]
        labels = [CLASSES[k % 3] for k in range(size)]
        rows = pd.DataFrame({"image_id": ids, "lens_id": ids, "label": labels})
        path = str(folder / split / "00000.tfrecord")
        images = rng.normal(size=(size, 16, 16)).astype(np.float32)
        facts[path] = write_shard(path, rows, [{"image": image} for image in images])
    made_with = {"settings": {"source": "simulation"}, "settings_sha256": "0"}
    write_json(folder / "manifest.json", describe("model_2", facts) | made_with)
    train = read_split(folder / "manifest.json", "train")
    measured = measure(
        train.images, preprocessing_settings(load(ROOT / "config", OVERLAY), "model_2")
    )
    write_json(folder / "preprocessing.json", measured)
    return folder


def job_of(kind, data, folder, encoder, epochs):
    """The job of a kind of training that writes in a folder, from an encoder where it has one."""
    length = {section: {"epochs": epochs} for section in ("pretraining", "finetuning")}
    config = load(ROOT / "config", merge(OVERLAY, length))
    wildcards = {"dataset": "model_2", "seed": "1"}
    files = {name: str(data / f"{name}.json") for name in ("manifest", "preprocessing")}
    output = {"provenance": str(folder / "provenance.json")}
    if kind == FEATURES:
        name = f"{NNCLR}@model_2"
        chosen = features_settings(config, name, "model_2") | {"average_orientations": True}
        wildcards |= {"encoder": name}
        files |= {"encoder": str(encoder), "pretraining": str(encoder.parent / "provenance.json")}
        output |= {split: str(folder / f"{split}.npy") for split in SPLITS}
        output |= {"model": str(folder / "encoder.keras")}
    elif kind == TUNED:
        chosen = arm_settings(config, kind, "model_2")
        wildcards |= {"arm": kind, "fraction": "1.0"}
        files |= {"encoder": str(encoder)}
        output |= {"classifier": str(folder / "trained.weights.h5")}
    else:
        chosen = pretraining_settings(config, kind, "model_2")
        wildcards |= {"pretraining": kind}
        output |= {"encoder": str(folder / "trained.weights.h5")}
    if kind != FEATURES:
        output |= {"history": str(folder / "history.csv")}
    return Job(
        script={FEATURES: "features", TUNED: "finetune"}.get(kind, "pretrain"),
        wildcards=wildcards,
        input=files,
        output=output,
        resources={"gpu": 0},
        params={
            "settings": chosen | {"computing": {"threads": 2, "each": 1}},
            "code": "of this test",
            "checkpoint": "checkpoint",
            "tensorboard": str(folder / "tensorboard"),
        },
        config={"tensorboard": False, "checkpoint_dir": str(folder)},
        log=[str(folder / "job.log")],
    )


def start(job, long_epochs):
    """Start the process of a job, with an empty log."""
    log = Path(job.log[0])
    log.parent.mkdir(exist_ok=True)
    log.write_text("")
    told = log.with_name("job.json")
    told.write_text(json.dumps(job._asdict() | {"long_epochs": long_epochs}))
    places = os.pathsep.join(
        str(ROOT / place) for place in ("tests", "tests/workflow", "workflow/scripts")
    )
    return subprocess.Popen(
        [sys.executable, "-c", f"from test_kills import run_job; run_job({str(told)!r})"],
        env={**os.environ, "PYTHONPATH": places},  # oneDNN as everywhere, by conftest.py
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(job, long_epochs=True):
    process = start(job, long_epochs)
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def wait_for(process, job, pattern, count, seconds=math.inf):
    """Wait for so many lines of a pattern in the log, but only so long, or to the process's end."""
    log, end = Path(job.log[0]), time.monotonic() + seconds
    while (
        len(pattern.findall(log.read_text())) < count
        and time.monotonic() < end
        and process.poll() is None
    ):
        time.sleep(0.005)


def times(job):
    """Seconds from a job's start to the end of its first epoch, and of an epoch, by its log.

    Of one without epochs, half of those to its end, and none.
    """
    lines = Path(job.log[0]).read_text().splitlines()
    began, *ends, finished = [
        pd.Timestamp(line[:23].replace(",", "."))
        for line in lines
        if any(pattern.search(line) for pattern in (STARTED, EPOCH, FINISHED))
    ]
    if not ends:
        return 0.5 * (finished - began).total_seconds(), 0.0
    return (ends[0] - began).total_seconds(), (ends[-1] - ends[0]).total_seconds() / len(ends)


def kill(job, rng, first, each, least, most):
    """Start a job and kill it after so many whole epochs, within the next; describe it."""
    number = SIGNALS[rng.integers(len(SIGNALS))]
    epochs = int(rng.integers(least, most + 1))
    delay = float(rng.uniform(0, each if epochs else first))
    process = start(job, long_epochs=True)
    wait_for(process, job, STARTED, 1)
    wait_for(process, job, EPOCH, epochs)
    wait_for(process, job, EPOCH, epochs + 1, delay)
    was_quick = FINISHED.search(Path(job.log[0]).read_text()) is not None
    process.send_signal(number)
    _, errors = process.communicate()
    # Of a job without epochs: it was quicker than the one that was measured, or the interrupt came
    # where Python ignores exceptions, as in a finaliser. Nothing was killed: once more, and sooner.
    if job.script == FEATURES and process.returncode == 0:
        assert was_quick or number == signal.SIGINT
        return kill(job, rng, first / 2, each, least, most)
    told = errors.strip().splitlines()[-1] if errors.strip() else ""
    if number == signal.SIGKILL:
        assert process.returncode == -number, errors
    elif epochs:  # it trains, and long before its end
        assert process.returncode == 1, errors
        assert f"stopped by {number.name} after step " in told
        assert "Traceback" not in errors + Path(job.log[0]).read_text()
    assert process.returncode != 0, "it ended before it was killed"
    return f"{number.name} {delay:.2f} s after its epoch {epochs}: {told}; {saved(job)}"


def checkpoint_of(job):
    """Arrays by name, and facts, of the checkpoint of a job; nothing where it has none."""
    path = Path(job.config["checkpoint_dir"], "checkpoint", "checkpoint.npz")
    if not path.exists():
        return {}, {"history": [], "records": []}
    with np.load(path) as content:
        arrays = {name: content[name] for name in content.files if name != "about"}
        return arrays, json.loads(str(content["about"]))["facts"]


def saved(job):
    """How many epochs, and whether steps of one more, a checkpoint holds."""
    _, facts = checkpoint_of(job)
    return f"{len(facts['history'])} epochs {'and some steps ' if facts['records'] else ''}saved"


def everything(job):
    """All that a finished job has made, as bytes: weights, history, and the last checkpoint."""
    if job.script == FEATURES:
        return {name: Path(job.output[name]).read_bytes() for name in SPLITS}
    (weights,) = (path for name, path in job.output.items() if name in ("encoder", "classifier"))
    history = pd.read_csv(job.output["history"], dtype=str)
    arrays, _ = checkpoint_of(job)
    return {
        "history": history.drop(columns="images_per_second", errors="ignore").to_csv().encode(),
        **{name: array.tobytes() for name, array in [*datasets_of(weights), *arrays.items()]},
    }


def datasets_of(path):
    """Names and arrays of an HDF5 file."""
    found = []

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found.append((name, item[()]))

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


# --- the test -------------------------------------------------------------------------------------


def test_kills_change_nothing(data, tmp_path, pytestconfig):
    if not (kills := pytestconfig.getoption("kills")):
        pytest.skip("no --kills")
    epochs = kills * (MOST + 1) + 1  # the last kill is before its end
    encoder = tmp_path / NNCLR / "trained.weights.h5"

    def whole(kind):
        job = job_of(kind, data, tmp_path / kind, encoder, epochs)
        finish(job, long_epochs=False)
        return job

    def killed(kind):
        """A job that is killed again and again, goes on each time, and then ends."""
        rng = np.random.default_rng([1, KINDS.index(kind)])
        job = job_of(kind, data, tmp_path / f"{kind}-killed", encoder, epochs)
        moments, most = times(wholes[kind]), 0 if kind == FEATURES else MOST
        # the first kill is after a checkpoint, or there would be nothing to go on from
        told = [
            f"{kind}: {kill(job, rng, *moments, min(most, number == 0), most)}"
            for number in range(kills)
        ]
        finish(job)
        resumed = "resumed from the checkpoint of step" in Path(job.log[0]).read_text()
        assert resumed or kind == FEATURES
        return job, told

    wholes = {NNCLR: whole(NNCLR)}
    with ThreadPoolExecutor(2) as pool:
        wholes |= zip(KINDS[1:], pool.map(whole, KINDS[1:]), strict=True)
        for kind, (job, told) in zip(KINDS, pool.map(killed, KINDS), strict=True):
            print(*told, sep="\n")
            assert len(told) == kills
            expected, found = everything(wholes[kind]), everything(job)
            assert list(found) == list(expected)
            assert [name for name in expected if found[name] != expected[name]] == []
            # or the comparison would be of networks that stand still
            if kind != FEATURES:
                history = pd.read_csv(job.output["history"])
                assert history["loss"].nunique() == len(history) == epochs
