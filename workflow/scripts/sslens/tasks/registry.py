"""Tasks: a file and a schema each, found by name. Free of TensorFlow.

The contract is in `base`. This module imports no task until it is loaded, so a task's file concerns
the jobs of that task alone.
"""

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from sslens.schemas import load_schema

SUFFIX = ".schema.yaml"


class Traits(NamedTuple):
    """What the workflow decides by, of the schema of a task, where it stands beside the settings.

    Attributes:
        measure: what the tables are named after, as "auc" in `auc_table.md`.
        figures: of fine-tuned rows, names as of `configuration.outputs.figures_of_run`.
        needs_classes: whether every split has images of all classes, and a check of the shortcuts
            by which a class can be recognised. Where it is False, the rule `targets` checks the
            targets in the records.
        smooths_labels: whether its loss has label smoothing.
        refused_augmentations: of its fine-tunings, each with the reason in words.
    """

    measure: str
    figures: tuple[str, ...] = ()
    needs_classes: bool = False
    smooths_labels: bool = False
    refused_augmentations: Mapping[str, str] = {}


def task_names() -> list[str]:
    """Names of the tasks that have a file and a schema here, in alphabetical order."""
    folder = Path(__file__).parent
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def schema_path(name: str) -> Path:
    """Path of the schema of a task's settings."""
    return Path(__file__).parent / f"{name}{SUFFIX}"


@cache
def traits_of(name: str) -> Traits:
    """The traits of a task, by its name."""
    schema = load_schema(schema_path(name))
    return Traits(**{key: schema[key] for key in Traits._fields if key in schema})


def has_probes(name: str) -> bool:
    """Whether a task has probes of frozen features: a file of its name in `training.probes`."""
    return (Path(__file__).parent.parent / "training/probes" / f"{name}.py").is_file()


def load_task(settings: Mapping, facts: Mapping | None = None) -> Any:
    """Import a task and make it.

    Args:
        settings: of it, with its `name`.
        facts: of what it was learned from, see `base.Task`.

    Raises:
        ValueError: for a name without a file.
    """
    return _module(settings).Task(settings, facts)


def measures_of(settings: Mapping) -> Any:
    """By what rows are compared, `comparison.measures.Measures`, by the settings of the task."""
    return _module(settings).measures(settings)


def documents_of(settings: Mapping, *compared: Any) -> Any:
    """The tables of a run, `comparison.documents.Documents`, of what `base` says of `documents`."""
    return _module(settings).documents(*compared)


def _module(settings: Mapping) -> ModuleType:
    if (name := settings["name"]) not in task_names():
        raise ValueError(f"unknown task {name!r}: known are {', '.join(task_names())}")
    return importlib.import_module(f"sslens.tasks.{name}")
