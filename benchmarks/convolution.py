"""Time both halves of a convolution's gradient, built-in and by forward convolutions.

    python benchmarks/convolution.py

Prints one JSON object: for oneDNN on and off, and for every distinct convolution of the encoders
at 64 x 64 pixels and batch 64, the milliseconds of each half in both forms (the fastest of several
rounds) and whether `faster_by_forward` chose the faster one; and a step's sum over the layers of
each network for the built-in halves and for the chosen ones.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "scripts"))

from sslens.jobs import environment

BATCH, THREADS, ROUNDS, REPEATS = 64, 2, 5, 5
NETWORKS = [("resnet18", 16), ("resnet18", 64), ("resnet50", 64)]


def main() -> None:
    """Measure in one process for each setting, since TensorFlow reads it as it is imported."""
    if len(sys.argv) > 1:
        environment.settle(os.environ)
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = sys.argv[1]
        print(json.dumps(measure()))
        return
    results = {}
    for name, value in (("oneDNN", "1"), ("without oneDNN", "0")):
        done = subprocess.run(
            [sys.executable, __file__, value],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        results[name] = json.loads(done.stdout)
    print(json.dumps(results, indent=1))


def measure() -> dict:
    """Measure all layers of all networks in this process."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    networks = {f"{name} width {width}": shapes_of(name, width) for name, width in NETWORKS}
    layers = {shape: measure_layer(*shape) for shape in set().union(*networks.values())}
    return {
        "networks": {
            name: {
                form: round(sum(layers[shape][form] * count for shape, count in shapes.items()), 2)
                for form in ("built-in", "chosen", "fastest")
            }
            for name, shapes in networks.items()
        },
        "layers": [dict(zip(("map", "in", "out", "kernel", "stride"), shape, strict=True)) | layer
                   for shape, layer in sorted(layers.items(), reverse=True)],
    }  # fmt: skip


def shapes_of(name: str, width: int) -> Counter:
    """How often each (map, channels in, channels out, kernel, stride) occurs in an encoder."""
    from sslens.networks.encoders.building import build_encoder
    from sslens.networks.layers import Convolution

    settings = {"name": name, "width": width, "stem": "imagenet", "batch_norm_momentum": 0.9}
    encoder = build_encoder(settings | {"neck": [], "neck_dropout": []}, (64, 64, 1), seed=0)
    return Counter(
        (layer.input.shape[1], layer.input.shape[-1], layer.filters, layer.kernel_size[0],
         layer.strides[0])
        for layer in encoder.layers
        if isinstance(layer, Convolution)
    )  # fmt: skip


def measure_layer(size: int, channels_in: int, channels_out: int, kernel: int, stride: int) -> dict:
    """Milliseconds of both halves in both forms."""
    import tensorflow as tf

    from sslens.networks import convolution

    out = -(-size // stride)
    images = tf.random.stateless_normal([BATCH, size, size, channels_in], [0, 1])
    weights = tf.random.stateless_normal([kernel, kernel, channels_in, channels_out], [0, 2])
    upstream = tf.random.stateless_normal([BATCH, out, out, channels_out], [0, 3])

    def half(by_forward, name):
        form = f"_{name}_gradient" if by_forward else f"_builtin_{name}_gradient"
        function = getattr(convolution, form)
        return milliseconds(tf.function(lambda: function(images, weights, upstream, stride)))

    # nothing needs the gradient of the images themselves
    halves = ["filter"] if channels_in == 1 else ["input", "filter"]
    times = {name: [half(False, name), half(True, name)] for name in halves}
    rule = convolution.faster_by_forward(out, channels_in, channels_out, kernel)
    choice = dict(zip(("input", "filter"), rule, strict=True))
    return {
        **{f"{name} built-in, forward": pair for name, pair in times.items()},
        "by forward": {name: choice[name] for name in halves},
        "built-in": sum(pair[0] for pair in times.values()),
        "chosen": sum(times[name][choice[name]] for name in halves),
        "fastest": sum(min(pair) for pair in times.values()),
    }


def milliseconds(function) -> float:
    """The fastest of several rounds, a call."""
    rounds = []
    for _ in range(ROUNDS + 1):  # the first one traces
        began = time.perf_counter()
        for _ in range(REPEATS):
            result = function()
        result.numpy()
        rounds.append((time.perf_counter() - began) / REPEATS * 1000)
    return round(min(rounds[1:]), 3)


if __name__ == "__main__":
    main()
