"""Where the time of a run goes.

    python benchmarks/pipeline.py [--cores 8] [--configfile FILE ...] [--finished FOLDER]

Makes a run from nothing in a temporary folder, the default one if no file is given, or looks at one
that is finished, and prints JSON: the wall time in seconds; for every rule its jobs, the sum of
their seconds (jobs run side by side, so the sums of all rules are more than the wall time), the
longest, the seconds of CPU time and the most memory; and for the trainings how much of it were the
steps of their epochs, the first of which is traced, the rest being imports, reading, validating and
writing. A job's time is that between the first and the last line of its log: the start of its
interpreter, about half a second, comes before.
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

from sslens.files import read_json
from sslens.jobs.status import LINE, USED

TRAININGS = ("pretrain", "finetune")


def main() -> None:
    """Run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", default="8", help="of Snakemake")
    parser.add_argument("--configfile", nargs="*", default=[], help="laid over the default")
    parser.add_argument("--finished", type=Path, metavar="FOLDER", help="of a run to look at")
    options = parser.parse_args()
    if options.finished:
        print(json.dumps(stages(options.finished), indent=1))
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
        print(json.dumps({"wall": round(wall, 1), **stages(Path(folder))}, indent=1))


def stages(folder: Path) -> dict:
    """What the jobs of every rule took, the longest rule first; and the trainings' steps."""
    jobs = defaultdict(list)
    for log in (folder / "logs").rglob("*.log"):
        rule = log.relative_to(folder / "logs").parts[0].removesuffix(".log")
        jobs[rule].append(job_use(log))
    rules = {
        rule: {
            "jobs": len(used),
            "seconds": round(sum(job["seconds"] for job in used), 1),
            "longest": round(max(job["seconds"] for job in used), 1),
            "cpu": round(sum(job["cpu"] for job in used), 1),
            "memory": max(job["memory"] for job in used),
        }
        for rule, used in jobs.items()
    }
    return {
        "rules": dict(sorted(rules.items(), key=lambda item: -item[1]["seconds"])),
        "training": {
            rule: training_seconds(folder, rule, rules[rule]["seconds"])
            for rule in TRAININGS
            if rule in rules
        },
    }


def job_use(log: Path) -> dict[str, float]:
    """What a job took by its log: `seconds`, those of its `cpu`, and gigabytes of `memory`."""
    lines = [*filter(LINE.fullmatch, log.read_text(encoding="utf-8").splitlines())]
    first, last = (datetime.fromisoformat(" ".join(lines[k].split(" ", 2)[:2])) for k in (0, -1))
    (used,) = filter(None, map(USED.search, lines))
    cpu, memory = map(float, used.groups())
    return {"seconds": (last - first).total_seconds(), "cpu": cpu, "memory": memory}


def training_seconds(folder: Path, rule: str, total: float) -> dict:
    """Seconds of all jobs of a rule that were steps of training, and those that were not."""
    steps = 0.0
    for path in (folder / "results" / rule).rglob("history.csv"):
        made_with = read_json(path.with_name("provenance.json"))
        learning = made_with["settings"].get("learning", made_with["settings"])
        history = pd.read_csv(path)
        batch = min(learning["batch_size"], made_with.get("labelled_images", np.inf))
        images = batch * np.diff(history["step"], prepend=0)
        steps += (images / history["images_per_second"]).sum()
    return {"steps": round(steps, 1), "elsewhere": round(total - steps, 1)}


if __name__ == "__main__":
    main()
