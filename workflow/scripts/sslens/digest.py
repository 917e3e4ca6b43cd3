"""Digests of the library's code, so that a change reruns what depends on it and nothing else.

The unit is a definition: a function, class or constant at the top of a module. It depends on the
definitions whose names stand in it, of its own module and of others of this package, and so on.
Comments, docstrings and layout don't count, nor does a definition that nothing reaches.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent


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
    tree = _parse(PACKAGE.parent / f"{script}.py")
    imports = _imports(tree)
    statements = _statements(tree, "", imports)
    used = {use for unit in statements for use in unit.uses}
    own = sorted(f"{name} = {target}" for name, target in imports.items())
    own += [unit.code for unit in statements]
    return _hash([*own, code_digest(*sorted(used), *loaded)])


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
    waiting = list(names)
    while waiting:
        new = set(_find(waiting.pop())) - seen
        seen |= new
        waiting.extend(use for unit in new for use in unit.uses)
    return _hash([f"{unit.module}\n{unit.code}" for unit in sorted(seen)])


def _hash(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


class _Unit(NamedTuple):
    """A statement at the top of a module, or a name that an import binds anywhere in it.

    `names` are those it defines; a statement that defines none runs when its module is imported.
    `uses` are names of this package, without its own: "records", "records.load_split".
    """

    module: str
    code: str
    names: tuple[str, ...]
    uses: tuple[str, ...]


def _find(name: str) -> Iterator[_Unit]:
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
    yield from units


def _path(parts: list[str]) -> Path | None:
    base = PACKAGE.joinpath(*parts)
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.exists()), None)


@cache
def _units(path: Path, module: str) -> list[_Unit]:
    tree = _parse(path)
    imports = _imports(tree)
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
    known = {name for defined in names for name in defined} | set(imports)
    units = []
    for statement, defined in zip(statements, names, strict=True):
        uses = _Uses(module, imports, known)
        uses.visit(statement)
        units.append(_Unit(module, ast.unparse(statement), defined, _inside(uses.found)))
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


def _imports(tree: ast.Module) -> dict[str, str]:
    """Name -> what it was imported from, at the top of a module or inside a function."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
    return found


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement at the top of a module defines."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        nodes = (node for target in targets for node in ast.walk(target))
        yield from (n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


class _Uses(ast.NodeVisitor):
    """Collects the dotted names of what a statement uses of its module and of its imports."""

    def __init__(self, module: str, imports: dict[str, str], known: set[str]):
        self._module, self._imports, self._known = module, imports, known
        self.found: list[str] = []

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
        target = self._imports.get(root, "")
        if target == PACKAGE.name or target.startswith(f"{PACKAGE.name}."):
            self.found.append(f"{target}.{rest}" if rest else target)
        elif self._module and root in self._known:
            self.found.append(".".join(filter(None, [PACKAGE.name, self._module, root])))
