"""Throughput of whole training steps, beside PyTorch's on the same machine.

    python benchmarks/training.py [NETWORK/METHOD ...]
    python benchmarks/training.py --arithmetic [--gpus 1] [NETWORK/METHOD ...]

The first needs `envs/benchmark.lock`. For each network (`resnet18-16`, `resnet18-64`,
`resnet50-64`) and method (`supervised`, `contrastive`, `byol`) it trains on random images of 64 x
64 pixels, batch 64, in a process of each framework in turn, and prints as JSON the images a second
of the fastest epoch of each, and their ratio: above 1 this project is the faster one. A step is all
of it: the views, forward, backward, optimiser and moving average.

With `--arithmetic` this project is measured beside itself instead: in each precision, with and
without XLA, as ratios to float32 without; and the fastest is named, to be set as `precision` and
`xla` in the configuration, which fixes them: other arithmetic gives other last bits.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from sslens.configuration.loading import load

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "benchmarks")]

BATCH, THREADS, EPOCHS = 64, 2, 4
#: Network -> images an epoch, so that one takes some seconds.
NETWORKS = {"resnet18-16": 3072, "resnet18-64": 512, "resnet50-64": 256}
METHODS = ("supervised", "contrastive", "byol")
FRAMEWORKS = ("sslens", "pytorch")
#: What `--arithmetic` compares, as (precision, xla); the first is what a ratio is to.
ARITHMETICS = {
    f"{precision}{', xla' if xla else ''}": (precision, xla)
    for precision in ("float32", "bfloat16", "float16")
    for xla in (False, True)
}
PRETRAININGS = {"contrastive": "contrastive-rotation", "byol": "byol-dihedral"}


def main() -> None:
    """Measure each cell in processes of its own, the frameworks by turns."""
    cells = [f"{network}/{method}" for network in NETWORKS for method in METHODS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", metavar="NETWORK/METHOD", help="all, if not given")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each contender")
    parser.add_argument("--arithmetic", action="store_true", help="precisions and XLA instead")
    parser.add_argument("--gpus", type=int, default=0, help="that this project may use")
    parser.add_argument("--measure", choices=(*FRAMEWORKS, *ARITHMETICS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.cells) - set(cells):
        parser.error(f"{', '.join(sorted(unknown))}: known are {', '.join(cells)}")
    if options.measure:
        (cell,) = options.cells
        print(json.dumps(measure(options.measure, options.gpus, *cell.split("/"))))
        return
    # a CPU has no arithmetic in float16: one measurement of it took more than ten minutes
    arithmetics = [name for name, (p, _) in ARITHMETICS.items() if options.gpus or p != "float16"]
    contenders = arithmetics if options.arithmetic else FRAMEWORKS
    results = {}
    for cell in options.cells or cells:
        found = [
            (contender, in_a_process(contender, options.gpus, cell))
            for _ in range(options.rounds)
            for contender in contenders
        ]
        if len(parameters := {measured["parameters"] for _, measured in found}) != 1:
            raise RuntimeError(f"{cell}: the networks differ, {sorted(parameters)} parameters")
        best = {
            contender: max(max(m["images_per_second"][1:]) for c, m in found if c == contender)
            for contender in contenders
        }
        results[cell] = {name: round(speed, 1) for name, speed in best.items()}
        results[cell] |= conclusions(best)
        print(f"{cell}: {results[cell]}", file=sys.stderr)
    print(json.dumps(results, indent=1))


def conclusions(best: dict[str, float]) -> dict:
    """What the fastest epochs of the contenders say: ratios, and which arithmetic to set."""
    if "pytorch" in best:
        return {"ratio": round(best["sslens"] / best["pytorch"], 3)}
    base = best[next(iter(ARITHMETICS))]
    ratios = {name: round(speed / base, 3) for name, speed in best.items()}
    return {"ratios": ratios, "fastest": max(best, key=lambda name: best[name])}


def in_a_process(contender: str, gpus: int, cell: str) -> dict:
    """`measure` in a process of its own, so that no contender's threads disturb the other's."""
    done = subprocess.run(
        [sys.executable, __file__, cell, "--measure", contender, "--gpus", str(gpus)],
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def measure(contender: str, gpus: int, network: str, method: str) -> dict:
    """Images a second in every epoch, the first of which is spoilt by its start."""
    name, width = network.split("-")
    what = (name, int(width), method, NETWORKS[network])
    if contender == "pytorch":
        speeds, parameters = measure_torch(*what)
    else:
        precision, xla = ARITHMETICS.get(contender, ("float32", False))
        speeds, parameters = measure_sslens(*what, gpus, precision, xla)
    return {"images_per_second": speeds, "parameters": parameters}


def measure_torch(name: str, width: int, method: str, images: int) -> tuple[list[float], int]:
    """As a PyTorch user would do it."""
    from torch_training import throughput

    return throughput(name, width, method, images, BATCH, EPOCHS, THREADS)


def measure_sslens(
    name: str, width: int, method: str, images: int, gpus: int, precision: str, xla: bool
) -> tuple[list[float], int]:
    """By the project's own trainings, as they tell in their history."""
    from sslens.configuration import settings
    from sslens.jobs import process

    process.start(os.devnull, f"{name}-{width} {method}", THREADS)
    # `threads_per_operation` of the default run, and of the published protocol
    each = 1 if width == 16 else THREADS
    process.start_tensorflow(THREADS, gpus, each, precision)

    import numpy as np

    from sslens.data.records import Split
    from sslens.networks.classifiers import build_classifier
    from sslens.training.finetuning import fine_tune
    from sslens.training.plan import plan_training
    from sslens.training.pretraining import pretrain

    config = load(ROOT / "config", {})
    length = {"batch_size": BATCH, "epochs": EPOCHS, "steps": None, "xla": xla}
    encoder = config["encoder"] | {"name": name, "width": width}
    pixels = np.random.default_rng(0).normal(size=(images, 64, 64, 1)).astype(np.float32)
    data = Split.of(pixels, np.arange(images) % 3)
    validation = data.take(slice(BATCH))
    if method == "supervised":
        told = settings.arm_settings(config, "baseline", "model_2")["learning"] | length
        network, trained = build_classifier(encoder, pixels.shape[1:], 0)
        plan = plan_training(told, images, images)
        history = fine_tune(network, data, validation, told, plan, 0, NoCheckpoint())
    else:
        told = settings.pretraining_settings(config, PRETRAININGS[method], "model_2")
        told |= length | {"encoder": encoder}
        trained, history = pretrain(data, validation, told, 0, NoCheckpoint())
    return list(history["images_per_second"]), sum(
        int(np.prod(variable.shape)) for variable in trained.trainable_variables
    )


class NoCheckpoint:
    """A training that is measured leaves nothing behind."""

    def load(self) -> None:
        """There is none."""

    def save(self, *_) -> None:
        """Nothing is kept."""


if __name__ == "__main__":
    main()
