"""What a result was made from: settings, data, code, versions, device.

A training writes its record beside its weights; the evaluation puts those of all its stages into
`metrics.json`. `outdated` compares the settings in them with a configuration, `origin` the results
with one another.
"""

import platform
import subprocess
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from sslens.configuration.settings import SIMULATION
from sslens.data.preprocessing import MEASURED
from sslens.digests import json_digest, sha256_of
from sslens.files import read_json
from sslens.jobs import environment

PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "pandas", "scikit-learn", "snakemake")


def cell_of(wildcards: Any) -> dict[str, Any]:
    """Which cell of the comparison a job works for: `dataset`, `arm`, `labels`, `seed`."""
    return {
        "dataset": wildcards.dataset,
        "arm": wildcards.arm,
        "labels": float(wildcards.fraction),
        "seed": int(wildcards.seed),
    }


def provenance_record(
    stage: str,
    cell: Mapping[str, Any],
    settings: Mapping[str, Any],
    code: str,
    manifest: str,
    preprocessing: str,
    device: str,
) -> dict[str, Any]:
    """The provenance of what this process makes.

    Args:
        stage: pretrain, import_encoder, finetune, evaluate, features or probe.
        cell: which of the stage's results it is: `dataset`, `seed`, and `pretraining`, or
            `encoder`, or `arm` and `labels`.
        settings: all settings that were used, as JSON has them.
        code: digest of the code, then the script with its own digest (`SCRIPT@DIGEST`) and the
            modules that it loads by name, with spaces between.
        manifest, preprocessing: paths of the files that describe the data.
        device: it computed on.

    Returns:
        `stage`, `cell`, `code`; `settings`, with those of the data under `data`, and their digest
        `settings_sha256`; `data` (digest of the two files), `versions`, `environment` (variables
        that concern numbers or GPUs), `device`, `seconds` (since the process began; of a training
        that was resumed, those of its last part) and `commit` (of the clone the code is in, with
        "+" where files differ from it; null outside of one).
    """
    used = {**settings, "data": data_settings(manifest, preprocessing)}
    return {
        "stage": stage,
        "cell": dict(cell),
        "settings": used,
        "settings_sha256": json_digest(used),
        "code": code,
        "data": json_digest([sha256_of(path) for path in (manifest, preprocessing)]),
        "versions": versions(),
        "environment": environment.recorded(),
        "device": device,
        "seconds": round(time.time() - psutil.Process().create_time(), 1),
        "commit": commit(Path(__file__).parent.parent),
    }


def data_settings(manifest_path: str, preprocessing_path: str) -> dict[str, Any]:
    """What the data were made with, by their own files.

    Returns:
        `settings_sha256` of the data set, the settings of its `preprocessing`, and the number of
        `images` of every split, where that is a setting: an archive has as many as it has.
    """
    manifest, facts = read_json(manifest_path), read_json(preprocessing_path)
    found = {
        "settings_sha256": manifest["settings_sha256"],
        "preprocessing": {name: facts[name] for name in facts if name not in MEASURED},
    }
    if manifest["settings"]["source"] == SIMULATION:
        found["images"] = {split: part["images"] for split, part in manifest["splits"].items()}
    return found


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
