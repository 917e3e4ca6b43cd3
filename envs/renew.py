"""Renew every lock file and conda environment from pyproject.toml: `python envs/renew.py`.

With `--keep`, versions that are locked already stay: for a new dependency. Needs uv (in dev.lock)
and a package index. Lock files hold names, versions and hashes, for all platforms and for every
Python version that the project supports; the versions of a run (cpu.lock) bind those of
development and of the benchmarks.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ENVS = Path(__file__).parent
PROJECT = tomllib.loads((ENVS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {
    "cpu": ["cpu"],
    "gpu": ["gpu"],
    "dev": ["cpu", "dev"],
    "benchmark": ["cpu", "benchmark"],
}
HEADS = {
    "cpu": "Rules that need no GPU.",
    "gpu": "Training and evaluation; brings its own CUDA libraries, and runs without a GPU too.",
}


def lock(name: str, keep: bool) -> None:
    """Resolve the newest versions that pyproject.toml allows, or keep those that are locked."""
    bound = [] if name == "cpu" else ["--constraints", ENVS / "cpu.lock"]
    extras = [part for extra in EXTRAS[name] for part in ("--extra", extra)]
    command = [
        *("uv", "pip", "compile", ENVS.parent / "pyproject.toml", *extras, *bound),
        *("--universal", "--python-version", "3.11", "--generate-hashes"),
        *([] if keep else ["--upgrade"]),
        *("--no-emit-index-url", "--no-header", "--no-annotate", "--quiet"),
        *("--output-file", ENVS / f"{name}.lock"),
    ]
    subprocess.run(command, check=True)


def write_conda(name: str) -> None:
    """A conda environment whose pip part has the versions of a lock file."""
    text = (ENVS / f"{name}.lock").read_text(encoding="utf-8")
    requirements = PROJECT["dependencies"] + PROJECT["optional-dependencies"][name]
    pinned = []
    for requirement in requirements:
        package, extra = re.match(r"([A-Za-z0-9-]+)(\[.*\])?", requirement).groups()
        # the last of a package's versions is that of the newest Python
        version = re.findall(rf"^{package.lower()}==([^ ;\\]+)", text, re.MULTILINE)[-1]
        pinned.append(f"      - {package}{extra or ''}=={version}")
    lines = [
        f"# {HEADS[name]} The versions are those of {name}.lock.",
        f"name: sslens-{name}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        "  - python=3.12",
        "  - pip",
        "  - pip:",
        *pinned,
    ]
    (ENVS / f"tensorflow-{name}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep versions that are locked")
    keep = parser.parse_args().keep
    for name in EXTRAS:
        print(f"locking {name}", file=sys.stderr)
        lock(name, keep)
    for name in HEADS:
        write_conda(name)
