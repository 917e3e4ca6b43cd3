"""Digests of the library's code, so that a change reruns what depends on it and nothing else.

The unit is a definition: a function, class or constant at the top of a module. It depends on the
definitions whose names stand in it, of its own module and of others of this package, and so on.
Comments, docstrings and layout don't count, nor does a definition that nothing reaches. What no
name tells of is not seen: a method reached through an object that was passed in, say, is seen where
its class is named, and a module found by its file's name not at all (`loaded`, below).
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sslens.digests import sha256

PACKAGE = Path(__file__).parent.parent


@cache
def script_digest(script: str, *loaded: str) -> str:
    """Digest of a script and of all that it uses of this package.

    Snakemake would watch the script itself, but by its time: a changed comment or a fresh checkout
    would run everything again. So `profiles/default` leaves that to this digest.

    Args:
        script: name of a file beside this package, without its suffix.
        loaded: what is loaded by name when the script runs, so that no import tells of it; as
            `code_digest` takes it.
    """
    path = PACKAGE.parent / f"{script}.py"
    tree = _parse(path)
    statements = _statements(tree, "", _imports(tree, path))
    used = {use for unit in statements for use in unit.uses}
    return _hash([*(unit.code for unit in statements), code_digest(*sorted(used), *loaded)])


def code_of(script: str, *loaded: str) -> str:
    """What is recorded of a job's code, in words with spaces between.

    The digest of a script and of all that it uses; `SCRIPT@DIGEST`, with a digest that does not
    depend on what is loaded by name; and what is loaded by name, as for `script_digest`.
    """
    return " ".join([script_digest(script, *loaded), f"{script}@{script_digest(script)}", *loaded])


def code_digest(*names: str) -> str:
    """Digest of modules or definitions of this package and of all that they depend on.

    Args:
        names: such as "methods.byol", a whole module, or "augmentations.rotation".

    Returns:
        16 hexadecimal digits.

    Raises:
        ValueError: for a name that is not there.
    """
    seen: set[_Unit] = set()
    found, waiting = set(names), list(names)
    while waiting:
        new = set(_find(waiting.pop())) - seen
        seen |= new
        uses = {use for unit in new for use in unit.uses} - found
        found |= uses
        waiting.extend(uses)
    return _hash([f"{unit.module}\n{unit.code}" for unit in sorted(seen)])


def _hash(texts: list[str]) -> str:
    return sha256("\n".join(texts).encode())[:16]


class _Unit(NamedTuple):
    """A statement at the top of a module, or a name that an import binds anywhere in it.

    `code` holds what the imported names in it stand for too. `names` are those it defines; a
    statement that defines none runs when its module is imported.
    `uses` are names of this package, without its own: "records", "records.load_split".
    """

    module: str
    code: str
    names: tuple[str, ...]
    uses: tuple[str, ...]


@cache
def _find(name: str) -> list[_Unit]:
    """What a name stands for: a module's units, or a definition with what runs at its import."""
    parts = name.split(".")
    depth = next((n for n in range(len(parts), 0, -1) if _path(parts[:n])), 0)
    if not depth:
        raise ValueError(f"{PACKAGE.name} has no module {name!r}")
    module, wanted = ".".join(parts[:depth]), parts[depth : depth + 1]
    units = _units(_path(parts[:depth]), module)
    if wanted and not wanted[0].startswith("__"):  # __file__ and the like: the module as a whole
        if not any(wanted[0] in unit.names for unit in units):
            raise ValueError(f"{PACKAGE.name} has no module {name!r}, nor {module} such a name")
        units = [unit for unit in units if not unit.names or wanted[0] in unit.names]
    return units


def _path(parts: list[str]) -> Path | None:
    base = PACKAGE.joinpath(*parts)
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.exists()), None)


@cache
def _units(path: Path, module: str) -> list[_Unit]:
    tree = _parse(path)
    imports = _imports(tree, path)
    bindings = [
        _Unit(module, f"{name} = {target}", (name,), _inside([target]))
        for name, target in imports.items()
    ]
    return bindings + _statements(tree, module, imports)


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _statements(tree: ast.Module, module: str, imports: dict[str, str]) -> list[_Unit]:
    """The statements at the top of a module, but for its imports."""
    _drop_docstrings(tree)
    statements = [s for s in tree.body if not isinstance(s, ast.Import | ast.ImportFrom)]
    names = [tuple(_defined(statement)) for statement in statements]
    known = {name for defined in names for name in defined}
    units = []
    for statement, defined in zip(statements, names, strict=True):
        uses = _Uses(module, imports, known)
        uses.visit(statement)
        code = "\n".join([ast.unparse(statement), *sorted(uses.bindings)])
        units.append(_Unit(module, code, defined, _inside(uses.found)))
    return units


def _inside(dotted: list[str]) -> tuple[str, ...]:
    """Those of dotted names that belong to this package, without its own name."""
    prefix = f"{PACKAGE.name}."
    return tuple(sorted({n.removeprefix(prefix) for n in dotted if n.startswith(prefix)}))


def _drop_docstrings(tree: ast.Module) -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]


def _imports(tree: ast.Module, path: Path) -> dict[str, str]:
    """Name -> what it was imported from, at the top of a module or inside a function.

    Raises:
        ValueError: for an import that cannot be followed.
    """
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.ImportFrom) and (node.level or node.names[0].name == "*"):
            raise ValueError(
                f"{path}:{node.lineno}: {ast.unparse(node)!r}: import by the full name, from "
                f"{PACKAGE.name}, so that the digest of the code can follow"
            )
        for name, target in _bound(node):
            if found.setdefault(name, target) != target:
                raise ValueError(
                    f"{path}:{node.lineno}: {name} is {found[name]} elsewhere in this file: give "
                    "them different names, so that the digest of the code can tell them apart"
                )
    return found


def _bound(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, each with what it stands for."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        else:
            top = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (top, top)


def _defined(statement: ast.stmt | ast.ExceptHandler) -> Iterator[str]:
    """Names that a statement at the top of a module defines, itself or in its branches."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        nodes = (node for target in targets for node in ast.walk(target))
        yield from (n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    else:
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                yield from _defined(child)


class _Uses(ast.NodeVisitor):
    """Collects the dotted names of what a statement uses of its module and of its imports.

    `bindings` are the imported names among them, each with what it stands for.
    """

    def __init__(self, module: str, imports: dict[str, str], known: set[str]):
        self._module, self._imports, self._known = module, imports, known
        self.found: list[str] = []
        self.bindings: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        self._add(node.id, "")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain: list[str] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            chain.append(root.attr)
            root = root.value
        if isinstance(root, ast.Name):
            self._add(root.id, ".".join(reversed(chain)))
        else:  # an attribute of a call or of an element
            self.visit(root)

    def _add(self, root: str, rest: str) -> None:
        if target := self._imports.get(root):
            self.bindings.add(f"{root} = {target}")
            self.found.append(f"{target}.{rest}" if rest else target)
        elif self._module and root in self._known:
            self.found.append(".".join([PACKAGE.name, self._module, root]))
