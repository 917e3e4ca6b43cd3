"""What a user's variables and configuration files may change of a job: nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from running import run

from sslens.jobs import environment

LIBRARY = ROOT / "workflow" / "scripts"


def settled(**variables):
    """The variables of a process after its start, and those whose values are not used."""
    unused = environment.settle(variables)
    return variables, unused


def test_variables_that_change_numbers_are_not_used_and_named():
    variables, unused = settled(
        TF_XLA_FLAGS="--tf_xla_auto_jit=2",
        TF_ENABLE_ONEDNN_OPTS="0",
        ONEDNN_MAX_CPU_ISA="SSE41",
        OMP_THREAD_LIMIT="1",
        KERAS_BACKEND="jax",
        KERAS_MAX_STEPS_PER_EPOCH="1",
        PATH="/bin",
    )
    assert unused == [
        "KERAS_BACKEND",
        "KERAS_MAX_STEPS_PER_EPOCH",
        "OMP_THREAD_LIMIT",
        "ONEDNN_MAX_CPU_ISA",
        "TF_ENABLE_ONEDNN_OPTS",
        "TF_XLA_FLAGS",
    ]
    assert variables == settled(PATH="/bin")[0]


def test_what_changes_no_number_is_kept():
    kept = {
        "CUDA_VISIBLE_DEVICES": "1",
        "NVIDIA_TF32_OVERRIDE": "0",
        "OMP_PROC_BIND": "close",
        "TF_CPP_MIN_LOG_LEVEL": "0",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    variables, unused = settled(**kept)
    assert unused == []
    assert variables.items() >= kept.items()


def test_the_workflow_s_own_values_are_not_reported():
    variables, unused = settled(OMP_NUM_THREADS="8", TF_ENABLE_ONEDNN_OPTS="1")
    assert unused == []
    assert environment.settle(variables) == [], "a second time changes nothing"


def test_of_the_options_of_xla_the_folder_of_cuda_is_kept():
    folder = "--xla_gpu_cuda_data_dir=/opt/cuda"
    variables, unused = settled(XLA_FLAGS=f"--xla_cpu_enable_fast_math=true {folder}")
    assert (variables["XLA_FLAGS"], unused) == (folder, ["XLA_FLAGS"])
    assert settled(XLA_FLAGS=folder)[1] == []


def test_the_record_has_all_such_variables_and_no_secret(monkeypatch):
    for name in list(os.environ):
        monkeypatch.delenv(name)
    variables = {"TF_GPU_ALLOCATOR": "cuda_malloc_async", "CUDA_VISIBLE_DEVICES": "-1"}
    for name, value in {**variables, "NVIDIA_API_KEY": "nvapi-1", "HOME": "/home/me"}.items():
        monkeypatch.setenv(name, value)
    assert environment.recorded() == variables | {"NVIDIA_API_KEY": "(withheld)"}


# --- a whole process ------------------------------------------------------------------------------

#: Starts as a job does, takes steps of a training, draws a figure, and prints what came out.
JOB = """
import hashlib, os, sys
sys.path.insert(0, sys.argv[1])
from sslens.jobs import environment, process
from sslens.jobs.tensorflow_setup import set_up_tensorflow
process.start("job.log", "job", 1)
set_up_tensorflow(1, gpus=0)
variables = environment.recorded()
import keras
import numpy as np
import tensorflow as tf
from sslens.networks.encoders.building import build_encoder
from sslens.figures.training_curves import history_figure
from sslens.figures.style import save_figure
from sslens.networks.heads import classifier_of
import pandas as pd

settings = {"name": "resnet18", "width": 4, "stem": "small", "batch_norm_momentum": 0.9}
encoder = build_encoder(settings | {"neck": [], "neck_dropout": []}, (16, 16, 1), seed=0)
network = classifier_of(encoder, 3, seed=0)
images = tf.random.stateless_normal([8, 16, 16, 1], [0, 1])
optimizer = keras.optimizers.Adam(0.01)

@tf.function
def step():
    with tf.GradientTape() as tape:
        logits = network(images, training=True)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits([0, 1, 2, 0] * 2, logits)
    weights = network.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

for _ in range(3):
    step()
predicted = network.predict(images, batch_size=2, verbose=0)
history = pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5], "learning_rate": [0.1, 0.1]})
save_figure(history_figure({"BYOL": history}, "Model I"), ["figure.png", "figure.svg"], {})
digest = hashlib.sha256(b"".join(np.asarray(w).tobytes() for w in network.get_weights()))
noise = np.random.default_rng(0).normal(size=(300, 300))
digest.update(predicted.tobytes() + (noise @ np.exp(noise)).tobytes())
print(keras.config.image_data_format(), keras.config.floatx(), keras.backend.backend())
print(digest.hexdigest(), predicted.shape)
print(variables)
"""

VARIABLES = {
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "OMP_THREAD_LIMIT": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Prescott",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
}
RC = "text.usetex: True\nfont.family: serif\nlines.linewidth: 5\nfigure.dpi: dotted\nno.such: 1\n"
KERAS = {
    "image_data_format": "channels_first",
    "floatx": "float64",
    "epsilon": 0.1,
    "backend": "jax",
    "nnx_enabled": True,
}


def start_job(folder: Path, **variables) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", JOB, LIBRARY],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_job_gives_the_same_bits_whatever_its_user_has(tmp_path):
    """Configuration files and variables in one process, a HOME that is none in the other."""
    home, plain = tmp_path / "home", tmp_path / "plain"
    (home / ".keras").mkdir(parents=True)
    (home / ".keras" / "keras.json").write_text(json.dumps(KERAS))
    (home / ".config" / "matplotlib").mkdir(parents=True)
    for place in (home, home / ".config" / "matplotlib"):
        (place / "matplotlibrc").write_text(RC)
    jobs = [start_job(plain, HOME=os.devnull), start_job(home, HOME=str(home), **VARIABLES)]
    printed = []
    for job in jobs:
        out, errors = job.communicate(timeout=240)
        assert job.returncode == 0, errors
        printed.append(out)
    assert printed[0].startswith("channels_last float32 tensorflow\n")
    assert printed[0] == printed[1]
    for name in ("figure.png", "figure.svg"):
        assert (plain / name).read_bytes() == (home / name).read_bytes()
    assert "TF_XLA_FLAGS" in (home / "job.log").read_text()
    assert "not used" not in (plain / "job.log").read_text()


def test_a_run_needs_no_home_with_the_variable_that_the_documentation_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", os.devnull)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(AssertionError, match="/dev/null/.cache"):
        run(tmp_path, "--dry-run")
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    (variable,) = re.findall(r"`(\w+)=\S+ snakemake --cores 8`", text)
    monkeypatch.setenv(variable, str(tmp_path / "cache"))
    run(tmp_path, "--dry-run")
