"""Tasks: a file and a schema each, found by name. Free of TensorFlow."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SUFFIX = ".schema.yaml"


def task_names() -> list[str]:
    """Names of the tasks that have a file and a schema here, in alphabetical order."""
    folder = Path(__file__).parent
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def schema_path(name: str) -> Path:
    """Path of the schema of a task's settings."""
    return Path(__file__).parent / f"{name}{SUFFIX}"


def load_task(settings: Mapping, facts: Mapping | None = None) -> Any:
    """Import a task and make it.

    Args:
        settings: of it, with its `name`.
        facts: of what it was learned from, see `base.Task`.

    Raises:
        ValueError: for a name without a file.
    """
    if (name := settings["name"]) not in task_names():
        raise ValueError(f"unknown task {name!r}: known are {', '.join(task_names())}")
    return importlib.import_module(f"sslens.tasks.{name}").Task(settings, facts)
