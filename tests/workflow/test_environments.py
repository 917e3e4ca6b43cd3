"""The environments of conda users have the versions of the lock files."""

import re
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from paths import ROOT

LOCKS = ["cpu", "gpu", "dev", "benchmark"]


def locked(name: str) -> set[tuple[str, str]]:
    """(package, version) pairs of a lock file; a package may have several, by Python version."""
    text = (ROOT / "envs" / f"{name}.lock").read_text()
    return set(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_conda_environment_has_the_locked_versions(name):
    content = yaml.safe_load((ROOT / "envs" / f"tensorflow-{name}.yaml").read_text())
    pinned = content["dependencies"][-1]["pip"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(pinned) == len(project["dependencies"] + project["optional-dependencies"][name])
    for requirement in pinned:
        package, version = re.fullmatch(r"([a-z0-9._-]+)(?:\[.*\])?==(.+)", requirement).groups()
        assert (package, version) in locked(name), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_hold_hashes_and_no_address(name):
    text = (ROOT / "envs" / f"{name}.lock").read_text()
    assert "://" not in text
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert len(requirements) > 50
    assert all("--hash=sha256:" in requirement for requirement in requirements)


@pytest.mark.parametrize("name", ["gpu", "dev", "benchmark"])
def test_the_other_locks_have_the_versions_of_a_run(name):
    own = {("tensorflow-cpu", version) for _, version in locked("cpu")} if name == "gpu" else set()
    assert locked("cpu") - own <= locked(name)


def test_the_gpu_lock_has_the_cuda_that_tensorflow_asks_for():
    """Its extra `and-cuda`, which the package for CPUs describes too."""
    versions = dict(locked("gpu"))
    told = [Requirement(line) for line in metadata.requires("tensorflow-cpu")]
    asked = [each for each in told if each.marker and "and-cuda" in str(each.marker)]
    assert len(asked) > 8
    for requirement in asked:
        assert requirement.specifier.contains(versions[requirement.name]), str(requirement)


def test_pytorch_is_in_the_benchmarks_alone():
    with_torch = [name for name in LOCKS if "torch" in {package for package, _ in locked(name)}]
    assert with_torch == ["benchmark"]


def test_what_the_workflow_imports_is_a_dependency():
    """A package that only another one brings may go when that one no longer needs it."""
    named = {"sklearn": "scikit-learn", "yaml": "pyyaml", "tensorflow": "tensorflow-cpu"}
    named |= {"pynvml": "nvidia-ml-py", "google": "protobuf", "google_crc32c": "google-crc32c"}
    named |= {"snakemake_interface_logger_plugins": "snakemake-interface-logger-plugins"}
    code = "".join(path.read_text() for path in (ROOT / "workflow").rglob("*.py"))
    statement = r"^ *(?:import|from) ([a-z]\w*)[\w.]*(?: as \w+| import .+)?$"
    imported = set(re.findall(statement, code, re.MULTILINE))
    assert {"scipy", "keras", "yaml"} <= imported
    others = imported - sys.stdlib_module_names - {"sslens"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["cpu"]
    declared = {re.match("[a-z0-9-]+", requirement)[0] for requirement in wanted}
    assert {named.get(name, name) for name in others} <= declared


def test_every_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in LOCKS:
        wanted = project["dependencies"] + project["optional-dependencies"][name]
        packages = {re.match("[a-z0-9-]+", requirement)[0] for requirement in wanted}
        assert packages <= {package for package, _ in locked(name)}, name
