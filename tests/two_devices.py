"""Train on one device and on two virtual ones; print, as JSON, how they differ.

    python two_devices.py RESULTS PRECISION STEPS NAME/OPTIMIZER...

A process of its own, since TensorFlow's devices are fixed when it starts.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.loading import load, merge
from sslens.data.records import Split
from sslens.jobs.tensorflow_setup import POLICIES
from sslens.networks import replicas
from sslens.networks.encoders import building, resnet
from sslens.networks.layers import Convolution, FusedBatchNormalization
from sslens.training import pretraining
from sslens.training.labels import learn_labels
from sslens.training.pretraining import pretrain

OPTIMIZERS = {
    # steps that are as long as the gradient, which is cut
    "sgd": {"name": "sgd", "learning_rate": 0.1, "schedule": "constant", "clip_norm": 0.5},
    "adamw": {"name": "adamw", "weight_decay": 0.1},
}
DEVICES = ["CPU:0", "CPU:1"]
OVERLAY = {
    "encoder": {"width": 4, "neck": [6], "neck_dropout": []},
    "pretraining": {"batch_size": 8, "optimizer": {"warmup": 0.0}},
    "pretrainings": {
        name: {"method": name, "pretext": "gaussian_noise"}
        for name in ("simsiam", "barlow_twins", "vicreg", "rotnet")
    }
    | {
        # a queue and a centre that decide the second step
        "nnclr": {"method": "nnclr", "pretext": "gaussian_noise", "options": {"queue": 6}},
        "dino": {"method": "dino", "pretext": "gaussian_noise", "options": {"frozen": 0.0}},
        "mae": {
            "method": "mae",
            "pretext": "gaussian_noise",
            "encoder": {
                "name": "vit_nano",
                "token_stem": "patch",
                "embedding": 8,
                "layers": 1,
                "neck": [],
            },
        },
    },
    "finetuning": {
        "batch_size": 8,
        "optimizer": {"warmup": 0.0},
        "label_smoothing": 0.1,
        "weight_averaging": 0.9,
    },
}
#: Of some a shallow network, since most of the time is tracing; of the others less.
resnet.DEPTHS["resnet18"] = (1, 1)
WHOLE = ("supervised", "contrastive-rotation", "mae")
CONFIG = load(ROOT / "config", OVERLAY)
IMAGES = np.random.default_rng(0).normal(size=(24, 32, 32, 1)).astype(np.float32)
DATA = Split.of(IMAGES, np.arange(24) % 3, lens_id=np.arange(24))


def one_convolution(settings: dict, shape: tuple, seed: int) -> keras.Model:
    """The least that has all kinds of layers; the losses are what is compared."""
    inputs = keras.Input(shape)
    initializer = keras.initializers.HeNormal(seed=seed)
    options = {"strides": 4, "padding": "same", "use_bias": False, "name": "convolution"}
    maps = Convolution(6, 3, kernel_initializer=initializer, **options)(inputs)
    maps = keras.layers.ReLU()(FusedBatchNormalization(name="norm")(maps))
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))


class NoCheckpoint:
    """Keeps nothing."""

    def load(self):
        """There is none."""

    def save(self, *_):
        """Nothing is kept."""


def train(name: str, own: dict, devices: list[str]) -> tuple[list[np.ndarray], dict]:
    """A training on these devices: the weights, and the last row of the history."""
    replicas.devices = lambda: devices
    pretraining.build_encoder = building.build_encoder if name in WHOLE else one_convolution
    if name == "supervised":
        chosen = settings.arm_settings(CONFIG, "baseline", "model_2")
        chosen["learning"] = merge(chosen["learning"], own)
        model, history, *_ = learn_labels(DATA, DATA, chosen, None, 1.0, 0, NoCheckpoint())
    else:
        chosen = settings.pretraining_settings(CONFIG, name, "model_2")
        model, history, _ = pretrain(DATA, DATA, merge(chosen, own), 0, NoCheckpoint())
    weights = {weight.path: np.asarray(weight.numpy(), np.float64) for weight in model.weights}
    return weights, history.iloc[-1].to_dict()


def differences(name: str, own: dict) -> dict:
    """How far apart the weights are, in shares of the largest of their kind; the rows of both."""
    (one, row), (two, row_of_two) = (train(name, own, devices) for devices in ([], DEVICES))
    largest: dict[str, float] = {}
    for path, weight in one.items():
        kind = path.rpartition("/")[2]
        largest[kind] = max(largest.get(kind, 1e-9), np.abs(weight).max())
    apart = {path: np.abs(one[path] - two[path]).max() for path in one}
    share = max(apart[path] / largest[path.rpartition("/")[2]] for path in one)
    return {"weights": float(share), "one": row, "two": row_of_two}


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    results, precision, steps, *cases = sys.argv[1:]
    if precision != "float32":
        keras.config.set_dtype_policy(POLICIES[precision])
    trainings = [(case, *case.split("/")) for case in cases]
    found = {
        case: differences(name, {"steps": int(steps), "optimizer": OPTIMIZERS[optimizer]})
        for case, name, optimizer in trainings
    }
    Path(results).write_text(json.dumps(found))
