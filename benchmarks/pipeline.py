"""Where the time of a run goes.

    python benchmarks/pipeline.py [--cores 8] [--configfile FILE ...] [--finished FOLDER]

Makes a run from nothing in a temporary folder, the default one if no file is given, or looks at one
that is finished, and prints JSON: the wall time in seconds; for every rule its jobs, the sum of
their seconds (jobs run side by side, so the sums of all rules are more than the wall time) and the
longest; and for the trainings how much of it were the steps of their epochs, the first of which is
traced, the rest being imports, reading, validating and writing. A job's time is that between the
first and the last line of its log: the start of its interpreter, about half a second, comes before.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from sslens.configuration import settings
from sslens.configuration.files import read_yaml
from sslens.configuration.loading import load, merge
from sslens.jobs.status import LINE

#: Rule -> the settings of a training, from configuration, pretraining or arm, and data set.
SETTINGS = {
    "pretrain": settings.pretraining_settings,
    "finetune": lambda *of: settings.arm_settings(*of)["learning"],
}


def main() -> None:
    """Run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", default="8", help="of Snakemake")
    parser.add_argument("--configfile", nargs="*", default=[], help="laid over the default")
    parser.add_argument("--finished", type=Path, metavar="FOLDER", help="of a run to look at")
    options = parser.parse_args()
    given: dict = {}
    for name in options.configfile:
        given = merge(given, read_yaml(Path(name)))
    config = load(ROOT / "config", given)
    if options.finished:
        print(json.dumps(stages(options.finished, config), indent=1))
        return
    with tempfile.TemporaryDirectory() as folder:
        configs = [str(Path(name).resolve()) for name in options.configfile]
        began = time.perf_counter()
        subprocess.run(
            [
                sys.executable, "-m", "snakemake", "--cores", options.cores, "--resources", "gpu=1",
                "--directory", folder, *(["--configfile", *configs] if configs else []),
            ],
            cwd=ROOT, check=True, stdout=sys.stderr,
        )  # fmt: skip
        wall = time.perf_counter() - began
        print(json.dumps({"wall": round(wall, 1), **stages(Path(folder), config)}, indent=1))


def stages(folder: Path, config: dict) -> dict:
    """Jobs, sum of their seconds and the longest for every rule; and the trainings' steps."""
    seconds = defaultdict(list)
    for log in (folder / "logs").rglob("*.log"):
        rule = log.relative_to(folder / "logs").parts[0].removesuffix(".log")
        seconds[rule].append(job_seconds(log))
    return {
        "rules": {
            rule: {"jobs": len(times), "seconds": round(sum(times), 1), "longest": max(times)}
            for rule, times in sorted(seconds.items(), key=lambda item: -sum(item[1]))
        },
        "training": {
            rule: training_seconds(folder, rule, seconds[rule], config) for rule in SETTINGS
        },
    }


def job_seconds(log: Path) -> float:
    """Between the first and the last line of a log."""
    lines = log.read_text(encoding="utf-8").splitlines()
    moments = [line.split(" ", 2)[:2] for line in lines if LINE.fullmatch(line)]
    first, last = (datetime.fromisoformat(" ".join(moments[k])) for k in (0, -1))
    return round((last - first).total_seconds(), 2)


def training_seconds(folder: Path, rule: str, times: list[float], config: dict) -> dict:
    """Seconds of all jobs of a rule that were steps of training, and those that were not."""
    steps = 0.0
    for path in (folder / "results" / rule).rglob("history.csv"):
        dataset, name = path.relative_to(folder / "results" / rule).parts[:2]
        history = pd.read_csv(path)
        batch = SETTINGS[rule](config, name, dataset)["batch_size"]
        images = batch * np.diff(history["step"], prepend=0)
        steps += (images / history["images_per_second"]).sum()
    return {"steps": round(steps, 1), "elsewhere": round(sum(times) - steps, 1)}


if __name__ == "__main__":
    main()
