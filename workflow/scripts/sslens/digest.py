"""Digests of the library's code, so that a change reruns what depends on it and nothing else."""

import ast
import copy
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


@cache
def code_digest(*modules: str) -> str:
    """Digest of modules of this package and of all they import from it.

    Comments, docstrings and layout don't count. A method is loaded by name and imported by
    nobody, so whoever uses one names its module here.

    Args:
        modules: names within the package, such as "training" or "methods.byol".

    Returns:
        16 hexadecimal digits.

    Raises:
        ValueError: for a module that is not there.
    """
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting.extend(_imports(module))
    digest = hashlib.sha256()
    for module in sorted(seen):
        digest.update(f"{module}\n{_meaning(module)}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _tree(module: str) -> ast.Module:
    path = _path(module)
    if path is None:
        raise ValueError(f"sslens has no module {module!r}")
    return ast.parse(path.read_text(encoding="utf-8"))


def _path(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.exists()), None)


def _imports(module: str) -> list[str]:
    """Modules of this package that a module imports, at its top or inside a function."""
    prefix = f"{PACKAGE.name}."
    found = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from sslens.x import y`: y may be a name in x or a module of its own
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    inside = [name.removeprefix(prefix) for name in found if name.startswith(prefix)]
    return [name for name in inside if _path(name) is not None]


def _meaning(module: str) -> str:
    """A module's code, without docstrings, comments and layout."""
    tree = copy.deepcopy(_tree(module))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        documented = isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        )
        if documented and ast.get_docstring(node, clean=False) is not None:
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)
