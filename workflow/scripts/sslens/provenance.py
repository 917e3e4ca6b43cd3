"""What a result was made from: code, configuration, data, versions, device. And does it match?

A training writes its provenance beside its weights; the evaluation puts those of all its stages
into `metrics.json`, and the comparison checks that they belong together. Snakemake makes anew what
has changed, so they do, unless files were copied, edited, or made with other rerun triggers.
"""

import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from sslens import environment
from sslens.auc import class_aucs
from sslens.classes import CLASSES
from sslens.evaluation import class_indices, logits_of
from sslens.files import sha256_of

#: By how much an AUC may differ that is computed again.
SAME_AUC = 1e-9
PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pandas", "scikit-learn", "snakemake")


def provenance(code: str, told: Any, data: Iterable[str], device: str) -> dict[str, Any]:
    """The provenance of what this process makes.

    Args:
        code: digest of the code, a space, and the names of what it is of.
        told: all settings it was told, as JSON has them.
        data: paths of the manifest and the preprocessing.
        device: it computed on.

    Returns:
        `code`, `configuration` and `data` (digests), `versions`, `environment` (variables that
        concern numbers or GPUs), `device`, `seconds` (since the process began; of a training that
        went on, those of its last part) and `commit` (of the clone the code is in, with "+" where
        files differ from it; null outside of one).
    """
    return {
        "code": code,
        "configuration": digest_of(told),
        "data": digest_of([sha256_of(path) for path in data]),
        "versions": versions(),
        "environment": environment.recorded(),
        "device": device,
        "seconds": round(time.time() - psutil.Process().create_time(), 1),
        "commit": commit(Path(__file__).parent),
    }


def digest_of(content: Any) -> str:
    """SHA-256 of something as JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit(folder: Path) -> str | None:
    """The commit that a folder is at, with a "+" where files of it were changed since."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def check_origin(
    metrics: Sequence[Mapping[str, Any]], predictions: Sequence[str], allow_mixed: bool
) -> list[str]:
    """Whether cells belong together, and their predictions are those that were scored.

    Args:
        metrics: of every cell.
        predictions: path of each one's predictions.
        allow_mixed: return what is wrong, rather than raise it.

    Returns:
        A line for everything that is wrong.

    Raises:
        ValueError: with all lines, where there are any.
    """
    problems = [*disagreements(metrics)]
    for cell, path in zip(metrics, predictions, strict=True):
        problems.extend(changed_predictions(cell, path))
    if problems and not allow_mixed:
        raise ValueError(
            f"{len(problems)} results do not belong together: {'; '.join(problems)}. Delete them "
            "and run again, or set comparison.allow_mixed"
        )
    return problems


def disagreements(metrics: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Cells that were not made from the same as the others, a line each.

    All cells of a data set must be of one state of its images, an encoder that was pretrained on
    another one of that one's; and one piece of code must have had one state in all cells.

    Args:
        metrics: of every cell, as `metrics.json` has them, its stages under `provenance`.
    """
    data: dict[str, tuple[str, str]] = {}
    code: dict[str, tuple[str, str]] = {}
    for cell in metrics:
        name = cell_name(cell)
        if "provenance" not in cell:
            yield f"{name}: its metrics do not tell what it was made from"
        for stage, made in cell.get("provenance", {}).items():
            if made is None:
                continue
            dataset = cell["pretrained_on"] if stage == "pretrain" else cell["dataset"]
            digest, where = data.setdefault(dataset, (made["data"], name))
            if digest != made["data"]:
                yield f"{name}: its {stage} had other images of {dataset} than {where}"
            digest, _, what = made["code"].partition(" ")
            first, where = code.setdefault(what, (digest, name))
            if first != digest:
                yield f"{name}: its {stage} ran other code ({what}) than {where}"


def changed_predictions(metrics: Mapping[str, Any], path: str | Path) -> Iterator[str]:
    """A line where a cell's predictions are not those that its metrics were computed from."""
    if sha256_of(path) != metrics["predictions_sha256"]:
        yield f"{cell_name(metrics)}: {path} was changed after it was scored"
        return
    predictions = pd.read_parquet(path)
    aucs = class_aucs(class_indices(predictions), logits_of(predictions))
    told = [metrics["auc"][name] for name in (*CLASSES, "macro")]
    if not np.allclose(told, [*aucs, aucs.mean()], rtol=0, atol=SAME_AUC):
        yield f"{cell_name(metrics)}: its AUCs are not those of {path}"


def cell_name(metrics: Mapping[str, Any]) -> str:
    """A cell in words."""
    return (
        f"{metrics['arm']} on {metrics['dataset']} "
        f"(labels {metrics['labels']:g}, seed {metrics['seed']})"
    )
