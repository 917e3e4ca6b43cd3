"""What only a GPU can show; skipped where TensorFlow sees none."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import tensorflow as tf
from paths import ROOT

LIBRARY = ROOT / "workflow" / "scripts"
TRAINING = """
import sys
sys.path.insert(0, {library!r})
from sslens.jobs import process
from sslens.jobs.tensorflow_setup import set_up_tensorflow
process.start({log!r}, "job", 2)
set_up_tensorflow(2, gpus={gpus}, precision={precision!r})
import hashlib, json
import numpy as np
from sslens.configuration import settings
from sslens.configuration.loading import load
from sslens.data.records import Split
from sslens.training.checkpoints import Checkpoint
from sslens.training.pretraining import pretrain
from pathlib import Path
config = load(Path({root!r}) / "config", {{"encoder": {{"width": 8}}}})
chosen = settings.pretraining_settings(config, {name!r}, "model_2")
chosen |= {{"steps": 6, "batch_size": 16, "xla": {xla}}}
images = np.random.default_rng(0).normal(size=(48, 32, 32, 1)).astype(np.float32)
data = Split.of(images, np.arange(48) % 3, lens_id=np.arange(48))
encoder, history, _ = pretrain(data, data, chosen, 0, Checkpoint({log!r} + ".checkpoint", "x"))
digest = hashlib.sha256(b"".join(w.numpy().tobytes() for w in encoder.weights)).hexdigest()
print(json.dumps([digest, list(history["loss"])]))
"""

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not tf.config.list_physical_devices("GPU"), reason="TensorFlow sees no GPU here"
    ),
]


@pytest.fixture
def train(tmp_path):
    """Pretrain in a process of its own; the digest of the weights, and the losses."""
    runs = []

    def run(name="contrastive-rotation", gpus=1, precision="float32", xla=False):
        runs.append(name)
        told = {"library": str(LIBRARY), "root": str(ROOT), "log": str(tmp_path / f"{len(runs)}")}
        told |= {"name": name, "gpus": gpus, "precision": precision, "xla": xla}
        code = textwrap.dedent(TRAINING.format(**told))
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=os.environ,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.parametrize("name", ["contrastive-rotation", "byol-dihedral"])
def test_a_gpu_learns_as_a_cpu_does_and_twice_the_same(train, name):
    digest, losses = train(name)
    assert train(name) == [digest, losses]
    assert losses == pytest.approx(train(name, gpus=0)[1], rel=0.02)


@pytest.mark.parametrize(
    ("precision", "xla"), [("bfloat16", False), ("float16", False), ("float32", True)]
)
def test_other_arithmetic_learns_nearly_the_same(train, precision, xla):
    _, losses = train(precision=precision, xla=xla)
    assert losses == pytest.approx(train()[1], rel=0.05)
