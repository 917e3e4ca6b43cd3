"""Throughput of whole training steps, beside PyTorch's on the same machine.

    python benchmarks/training.py [--rounds 5] [NETWORK/METHOD ...]
    python benchmarks/training.py --arithmetic [--gpus 1] [NETWORK/METHOD ...]

The first needs `envs/benchmark.lock`. For each network (`resnet18-16`, `resnet18-64`,
`resnet50-64`, and where they are named `vit_nano-64`, `vit_micro-96`) and method (`supervised`,
`contrastive`, `byol`, and where they are named `simsiam`, `nnclr`, `dino`, `barlow_twins`,
`vicreg`) it trains on random images of 64 x 64 pixels, batch 64, in a process of each framework.
Transformers have patches of 8 pixels, and leave out no branches. The two take turns, an epoch each
in every round, and it prints as JSON the median images a second of each, and of their ratio in a
round the median, the least and the largest: above 1 this project is the faster one. A step is all
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
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "benchmarks")]

from sslens.configuration.loading import load

BATCH, THREADS, ROUNDS = 64, 2, 5
#: Network -> images an epoch, so that one takes a second or a few.
NETWORKS = {"resnet18-16": 1920, "resnet18-64": 320, "resnet50-64": 128}
TRANSFORMERS = {"vit_nano-64": 1280, "vit_micro-96": 640}
METHODS = ("supervised", "contrastive", "byol")
#: Measured where they are named.
OTHERS = ("simsiam", "nnclr", "dino", "barlow_twins", "vicreg")
FRAMEWORKS = ("sslens", "pytorch")
#: What `--arithmetic` compares, as (precision, xla); the first is what a ratio is to.
ARITHMETICS = {
    f"{precision}{', xla' if xla else ''}": (precision, xla)
    for precision in ("float32", "bfloat16", "float16")
    for xla in (False, True)
}
PRETRAININGS = {"contrastive": "contrastive-rotation", "byol": "byol-dihedral"}


def main() -> None:
    """Measure each cell."""
    cells = [f"{network}/{method}" for network in NETWORKS for method in METHODS]
    known = [
        f"{network}/{method}"
        for network in (*NETWORKS, *TRANSFORMERS)
        for method in (*METHODS, *OTHERS)
    ]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "cells", nargs="*", metavar="NETWORK/METHOD", help="the nine first ones, if not given"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="epochs that are counted")
    parser.add_argument("--arithmetic", action="store_true", help="precisions and XLA instead")
    parser.add_argument("--gpus", type=int, default=0, help="that this project may use")
    parser.add_argument("--measure", choices=(*FRAMEWORKS, *ARITHMETICS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.cells) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: known are {', '.join(known)}")
    if options.measure:
        (cell,) = options.cells
        measure(options.measure, options.gpus, *cell.split("/"), options.rounds + 1)
        return
    # a CPU has no arithmetic in float16: one measurement of it took more than ten minutes
    arithmetics = [name for name, (p, _) in ARITHMETICS.items() if options.gpus or p != "float16"]
    contenders = arithmetics if options.arithmetic else FRAMEWORKS
    results = {}
    for cell in options.cells or cells:
        speeds = by_turns(cell, contenders, options.gpus, options.rounds)
        results[cell] = {name: round(median(found), 1) for name, found in speeds.items()}
        results[cell] |= conclusions(speeds)
        print(f"{cell}: {results[cell]}", file=sys.stderr)
    print(json.dumps(results, indent=1))


def by_turns(
    cell: str, contenders: Sequence[str], gpus: int, rounds: int
) -> dict[str, list[float]]:
    """Images a second of every contender in every round, each in a process of its own.

    While one trains, the others wait. The first epoch, spoilt by its start, is not counted.
    """
    with ExitStack() as stack:
        processes = {}
        for contender in contenders:
            processes[contender] = stack.enter_context(
                subprocess.Popen(
                    [
                        sys.executable, __file__, cell, "--measure", contender,
                        "--gpus", str(gpus), "--rounds", str(rounds),
                    ],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )  # fmt: skip
            next_number(processes[contender])
        speeds: dict[str, list[float]] = {contender: [] for contender in contenders}
        for _ in range(rounds):
            for contender, process in processes.items():
                print(file=process.stdin, flush=True)
                speeds[contender].append(next_number(process))
        parameters = {next_number(process) for process in processes.values()}
    if len(parameters) != 1:
        raise RuntimeError(f"{cell}: the networks differ, {sorted(parameters)} parameters")
    return speeds


def next_number(process: subprocess.Popen) -> float:
    """The next number that a process prints."""
    if not (line := process.stdout.readline()):
        raise RuntimeError(f"ended with {process.wait()}: {' '.join(process.args)}")
    return json.loads(line)


def conclusions(speeds: Mapping[str, Sequence[float]]) -> dict:
    """What the rounds say: ratios, and which arithmetic to set."""
    first = next(iter(speeds))
    if "pytorch" in speeds:
        ratios = [a / b for a, b in zip(speeds[first], speeds["pytorch"], strict=True)]
        spread = [round(end(ratios), 3) for end in (min, max)]
        return {"ratio": round(median(ratios), 3), "spread": spread}
    ratios = {
        name: round(median(a / b for a, b in zip(speeds[name], speeds[first], strict=True)), 3)
        for name in speeds
    }
    return {"ratios": ratios, "fastest": max(ratios, key=lambda name: ratios[name])}


def measure(contender: str, gpus: int, network: str, method: str, epochs: int) -> None:
    """Train, and print the images a second of every epoch, then the parameters of the encoder.

    After every epoch but the last it waits for a line.
    """
    name, width = network.split("-")
    what = (name, int(width), method, (NETWORKS | TRANSFORMERS)[network], epochs)
    # those of the libraries, which print what they like, go to where messages go
    answers, sys.stdout = sys.stdout, sys.stderr
    done = []

    def end_epoch(speed: float) -> None:
        print(speed, file=answers, flush=True)
        done.append(speed)
        if len(done) < epochs:
            sys.stdin.readline()

    if contender == "pytorch":
        parameters = measure_torch(*what, end_epoch)
    else:
        precision, xla = ARITHMETICS.get(contender, ("float32", False))
        parameters = measure_sslens(*what, end_epoch, gpus, precision, xla)
    print(parameters, file=answers, flush=True)


def measure_torch(
    name: str, width: int, method: str, images: int, epochs: int, end_epoch: Callable[[float], None]
) -> int:
    """As a PyTorch user would do it."""
    from torch_training import train

    return train(name, width, method, images, BATCH, epochs, THREADS, end_epoch)


def measure_sslens(
    name: str,
    width: int,
    method: str,
    images: int,
    epochs: int,
    end_epoch: Callable[[float], None],
    gpus: int,
    precision: str,
    xla: bool,
) -> int:
    """By the project's own trainings, as they tell in their history."""
    from sslens.configuration import settings
    from sslens.jobs import process
    from sslens.jobs.tensorflow_setup import set_up_tensorflow

    process.start(os.devnull, f"{name}-{width} {method}", THREADS)
    own = {"name": name}
    transformer = {"token_stem": "patch", "drop_path": 0.0}
    own |= transformer if name.startswith("vit") else {"width": width}
    plain = {name: {"method": name, "pretext": "dihedral"} for name in OTHERS}
    config = load(ROOT / "config", {"pretrainings": plain, "encoder": own, "cpu_threads": THREADS})
    encoder = settings.arm_encoder(config, "baseline", "model_2")
    threads = settings.thread_settings(config, encoder)
    set_up_tensorflow(**threads, gpus=gpus, precision=precision)

    import numpy as np

    from sslens.data.records import Split
    from sslens.networks.classifiers import build_network
    from sslens.tasks.registry import load_task
    from sslens.training.finetuning import fine_tune
    from sslens.training.plan import plan_training
    from sslens.training.pretraining import pretrain

    def report(rows: list[dict]) -> None:
        for row in rows:
            end_epoch(row["images_per_second"])

    length = {"batch_size": BATCH, "epochs": epochs, "steps": None, "xla": xla}
    pixels = np.random.default_rng(0).normal(size=(images, 64, 64, 1)).astype(np.float32)
    data = Split.of(pixels, np.arange(images) % 3, lens_id=np.arange(images))
    validation = data.take(slice(BATCH))
    if method == "supervised":
        chosen = settings.arm_settings(config, "baseline", "model_2")["learning"] | length
        network, trained = build_network(encoder, pixels.shape[1:], 0)
        plan = plan_training(chosen, images, images)
        task = load_task({"name": "classification"})
        fine_tune(network, data, validation, task, chosen, plan, 0, NoCheckpoint(), report)
    else:
        entry = PRETRAININGS.get(method, method)
        chosen = settings.pretraining_settings(config, entry, "model_2")
        chosen |= length | {"encoder": encoder}
        trained, _, _ = pretrain(data, validation, chosen, 0, NoCheckpoint(), report)
    return sum(int(np.prod(variable.shape)) for variable in trained.trainable_variables)


class NoCheckpoint:
    """A training that is measured leaves nothing behind."""

    def load(self) -> None:
        """There is none."""

    def save(self, *_) -> None:
        """Nothing is kept."""


if __name__ == "__main__":
    main()
