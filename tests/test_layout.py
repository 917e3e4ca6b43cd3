"""The order of the library's folders: which may import which."""

import ast
from pathlib import Path

import pytest
from paths import LIBRARY

#: A folder may import from those of lower levels and from itself; the ground is the library's own.
LEVELS = {
    "ground": 0,
    "data": 1,
    "metrics": 1,
    "networks": 1,
    "methods": 2,
    "comparison": 2,
    "figures": 2,
    "tasks": 3,
    "configuration": 4,
    "training": 4,
    "jobs": 5,
}
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")


def folder_of(module: str) -> str:
    """The folder, at the top, of a dotted name inside the library."""
    top = module.partition(".")[0]
    return top if (LIBRARY / top).is_dir() else "ground"


def imports_of(path: Path):
    """The names that a module imports from the library, without the library's own."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sslens":
            for alias in node.names:
                yield f"{node.module}.{alias.name}".removeprefix("sslens.")


def test_every_folder_has_a_level():
    folders = {path.name for path in LIBRARY.iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(LEVELS) - {"ground"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_module_imports_from_its_own_folder_and_from_lower_ones(path):
    parts = path.relative_to(LIBRARY).parts
    own = parts[0] if len(parts) > 1 else "ground"
    wrong = [
        name
        for name in imports_of(path)
        if folder_of(name) != own and LEVELS[folder_of(name)] >= LEVELS[own]
    ]
    assert wrong == []


def test_training_needs_no_more_of_the_data_than_a_split():
    names = {name for path in (LIBRARY / "training").glob("*.py") for name in imports_of(path)}
    assert {name for name in names if folder_of(name) == "data"} == {"data.records.Split"}


def test_names_with_an_underscore_stay_in_their_module():
    names = [name for path in MODULES for name in imports_of(path)]
    assert [name for name in names if name.rpartition(".")[2].startswith("_")] == []


def test_folders_hold_a_docstring_and_no_code():
    """The digest of the code does not visit them."""
    for path in LIBRARY.rglob("__init__.py"):
        (docstring,) = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)


def test_parquet_is_read_without_threads():
    """By one function, since Arrow's threads may abort a job that has ended."""
    code = [*MODULES, *LIBRARY.parent.glob("*.py")]
    readers = [path.name for path in code if "pd.read_parquet(" in path.read_text()]
    assert readers == ["formatting.py"]
