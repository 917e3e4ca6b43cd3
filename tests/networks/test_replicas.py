"""Several GPUs: that they take the step which one device takes. Virtual devices stand in for them.

`two_devices.py` trains on one and on two; here its results are read.
"""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf
from paths import ROOT

from sslens.networks import replicas

TESTS = ROOT / "tests"
LIBRARY = TESTS.parent / "workflow" / "scripts"
TOLERANCE = 5e-4  # of float32, after two steps: sums of shares have other last bits


def differences(tmp_path, precision, steps, *cases):
    results = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, TESTS / "two_devices.py", results, precision, str(steps), *cases],
        env=os.environ | {"PYTHONPATH": f"{TESTS}:{LIBRARY}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(results.read_text())


@pytest.mark.slow
def test_two_devices_take_the_steps_of_one(tmp_path):
    # of the contrastive loss, the negatives; of all, batch normalisation, and clipping
    names = ["supervised", "contrastive-rotation", "barlow_twins", "vicreg"]
    names += ["nnclr", "dino", "rotnet", "mae"]  # BYOL has a teacher as DINO, and heads as SimSiam
    trained = [*(f"{name}/sgd" for name in names), "simsiam/adamw"]
    cases = differences(tmp_path, "float32", 2, *trained)
    for case, found in cases.items():
        assert found["weights"] < TOLERANCE, (case, found)
        for measure, value in found["one"].items():
            if measure != "images_per_second":
                assert found["two"][measure] == pytest.approx(value, rel=1e-3, abs=1e-4), case


@pytest.mark.slow
def test_so_they_do_with_scaled_losses(tmp_path):
    (found,) = differences(tmp_path, "float16", 8, "supervised/sgd").values()
    # the first steps are left out, as their gradients overflow; then both learn alike
    assert found["one"]["loss"] < 1.41  # as against 1.45 of the first steps
    assert found["two"]["loss"] == pytest.approx(found["one"]["loss"], rel=0.01)


def test_as_many_take_part_as_share_a_batch_evenly(monkeypatch, caplog):
    shared = []
    monkeypatch.setattr(replicas, "devices", lambda: [f"GPU:{k}" for k in range(4)])
    monkeypatch.setattr(replicas, "_strategy", lambda gpus: shared.append(gpus) or _Strategy())
    for batch in (64, 6, 15, 7):
        with replicas.shared_by_gpus(batch):
            pass
    assert [len(gpus) for gpus in shared] == [4, 3, 3]  # of seven, one takes all
    assert "1 of 4 GPUs are used" in caplog.text


class _Strategy:
    """One whose scope does nothing."""

    def scope(self):
        return replicas.nullcontext()


def test_on_one_device_there_is_nothing_to_share():
    values = tf.constant([[1.0], [2.0]])
    assert replicas.count() == 1
    assert replicas.own_share(values) is values
    assert replicas.whole_batch(values) is values
    assert replicas.total([values])[0] is values
