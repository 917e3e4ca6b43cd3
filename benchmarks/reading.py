"""Training on data sets of any size: images a second, memory, time to the first step.

    python benchmarks/reading.py FOLDER [FOLDER ...] [--dataset model_2] [--steps 300] [--rounds 3]

Each FOLDER is that of a run whose records of the data set are there. By turns and in a process of
its own, a contrastive pretraining takes some steps on the training split of each: once after the
records were dropped from the page cache (cold), and as often as there are rounds with what is in it
(warm). Prints JSON: images; of the steps after the first fifty the images a second, cold and warm
(the median over the rounds, and all of them); the seconds from the start of the process to the
first step; the resident memory in MB before the split was opened, and its peak; and the ratio of
the warm images a second to those of the first FOLDER.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from sslens.configuration import settings
from sslens.configuration.loading import load

TRACED = 50  # steps at the beginning that are not counted
PRETRAINING = "contrastive-rotation"


def main() -> None:
    """Measure each folder in processes of its own, by turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--dataset", default="model_2")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.folders[0], options.dataset, options.steps)))
        return
    found: dict[Path, list[dict]] = {folder: [] for folder in options.folders}
    for number in range(options.rounds + 1):
        for folder in found:
            if not number:
                drop(folder / "results" / "data" / options.dataset / "train")
            given = ["--dataset", options.dataset, "--steps", str(options.steps), "--measure"]
            words = [sys.executable, __file__, str(folder), *given]
            found[folder].append(json.loads(subprocess.check_output(words, text=True)))
    print(json.dumps(summary(found), indent=1))


def summary(found: dict[Path, list[dict]]) -> list[dict]:
    """A row a folder, of what was measured cold, and then warm."""
    rows: list[dict] = []
    for cold, *warm in found.values():
        rates = [one["images_per_second"] for one in warm]
        row = {
            "images": cold["images"],
            "cold_images_per_second": round(cold["images_per_second"]),
            "images_per_second": round(median(rates)),
            "all": [round(rate) for rate in rates],
            "seconds_to_first_step": median(one["seconds_to_first_step"] for one in warm),
            "seconds_to_first_step_cold": cold["seconds_to_first_step"],
            "mb_before": median(one["mb_before"] for one in warm),
            "mb_peak": max(one["mb_peak"] for one in (cold, *warm)),
        }
        rows.append(row)
        row["ratio"] = round(median(rates) / rows[0]["images_per_second"], 3)
    return rows


def drop(folder: Path) -> None:
    """Drop the files of a folder from the page cache."""
    os.sync()
    for path in folder.iterdir():
        number = os.open(path, os.O_RDONLY)
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(number)


def measure(folder: Path, dataset: str, steps: int) -> dict:
    """Pretrain for some steps in this process, and note when each of them begins."""
    from sslens.jobs import process
    from sslens.jobs.tensorflow_setup import set_up_tensorflow

    config = load(ROOT / "config", {"pretraining": {"steps": steps}})
    chosen = settings.pretraining_settings(config, PRETRAINING, dataset)
    with tempfile.TemporaryDirectory() as scratch:
        process.start(Path(scratch, "log"), "reading", chosen["computing"]["threads"])
        set_up_tensorflow(**chosen["computing"], gpus=0)
        from sslens.data.records import load_split
        from sslens.training import engine
        from sslens.training.checkpoints import Checkpoint
        from sslens.training.pretraining import pretrain

        epochs: list[list[float]] = []

        def timed(*given):
            epochs.append([])
            for views in prefetch(*given):
                epochs[-1].append(time.time())
                yield views

        prefetch, engine.prefetch = engine.prefetch, timed
        data = folder / "results" / "data" / dataset
        mb_before = psutil.Process().memory_info().rss / 1e6
        files = [data / "manifest.json", data / "preprocessing.json"]
        train, validation = (load_split(*files, split) for split in ("train", "validation"))
        pretrain(train, validation, chosen, 1, Checkpoint(Path(scratch, "checkpoint"), "x"))
    # within epochs, since what is measured after one is no step
    taken = [after - before for times in epochs for before, after in pairwise(times)][TRACED:]
    return {
        "images": len(train.labels),
        "images_per_second": len(taken) * chosen["batch_size"] / sum(taken),
        "seconds_to_first_step": round(epochs[0][0] - psutil.Process().create_time(), 1),
        "mb_before": round(mb_before),
        "mb_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }


if __name__ == "__main__":
    main()
