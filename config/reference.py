"""Write the tables in README.md, of every key of the configuration, from its schemas.

    python config/reference.py

The tests fail where README.md is not what this writes.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
LIBRARY = FOLDER.parent / "workflow" / "scripts" / "sslens"
TABLES = re.compile(r"(?<=<!-- tables: begin -->\n).*(?=<!-- tables: end -->)", re.DOTALL)
TYPES = {
    "integer": "whole number",
    "array": "list",
    "object": "mapping",
    "boolean": "true or false",
}
LONG = re.compile(r"\b(\d)(0{5,})\.0\b")  # such as 1000000.0
NONE = object()  # no default, which is not a default of null
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def with_tables(readme: str) -> str:
    """The text, its tables as the schemas and the defaults have them now."""
    return TABLES.sub(lambda _: tables(), readme)


def tables() -> str:
    """A section for every key at the top, for recipes, archives, encoders, pretexts and methods."""
    schema = read(FOLDER.parent / "workflow" / "schemas" / "config.schema.yaml")
    families = [read(path) for path in sorted(LIBRARY.glob("networks/encoders/*.schema.yaml"))]
    names = [name for family in families for name in family["names"]]
    schema["$defs"]["encoder"]["properties"]["name"]["enum"] = names
    defaults = read(FOLDER / "config.yaml")
    sections = [
        section(f"`{key}`", node, describe(node, defaults[key], key, schema))
        for key, node in schema["properties"].items()
        if key != "datasets"  # recipes and archives have sections of their own
    ]
    sections += recipes()
    node = read(LIBRARY / "data" / "archives" / "archive.schema.yaml")
    sections.append(section("Archives", node, describe(node, {}, "datasets.NAME", node)))
    for node in families:
        title = f"Encoders {', '.join(f'`{name}`' for name in node['names'])}"
        sections.append(section(title, node, describe(node, defaults["encoder"], "encoder", node)))
    node = read(LIBRARY / "training" / "augmentations.schema.yaml")
    sections.append(section("Augmentations", node, describe(node, {}, "", node)))
    for path in sorted(LIBRARY.glob("tasks/*.schema.yaml")):
        if (node := read(path))["properties"]:
            title = f"Settings of the task `{path.name.removesuffix('.schema.yaml')}`"
            sections.append(section(title, node, describe(node, {}, "task", node)))
    for path in sorted(LIBRARY.glob("methods/*.schema.yaml")):
        node, name = read(path), path.name.removesuffix(".schema.yaml")
        title = f"Options of the method `{name}`"
        sections.append(section(title, node, describe(node, {}, "options", node)))
    return "\n".join(sections)


def recipes() -> Iterator[str]:
    """The sections of recipes, with the values of `model_1` for defaults."""
    schema = read(LIBRARY / "data" / "simulation" / "recipe.schema.yaml")
    defaults = read(FOLDER / "datasets.yaml")["datasets"]["model_1"]
    yield section("Recipes", schema, describe(schema, defaults, "datasets.NAME", schema))
    path = "datasets.NAME.substructure.CLASS"
    for kind in schema["$defs"]["class"]["properties"]["kind"]["enum"]:
        node, classes = schema["$defs"][kind], defaults["substructure"].values()
        values: dict = next((entry for entry in classes if entry["kind"] == kind), {})
        title = f"Substructure of the kind `{kind}`"
        yield section(title, node, describe(node, values, path, schema))
    prior = schema["$defs"]["prior"]
    rows = describe({"properties": prior["properties"]}, {}, "", schema)
    yield section("Priors", prior, rows)


def section(title: str, node: Mapping, rows: Iterator[str]) -> str:
    description = node["description"].rstrip(".")
    head = [f"### {title}", "", f"{description[0].upper()}{description[1:]}.", ""]
    return "\n".join([*head, "| key | default | meaning |", "|---|---|---|", *rows, ""])


def describe(node: Mapping, default, path: str, schema: Mapping) -> Iterator[str]:
    """The rows of a node of a schema: of each of its keys, or one of itself."""
    shape = node
    for part in [*node.get("allOf", []), node]:
        if "$ref" in part:
            shape = schema["$defs"][part["$ref"].rpartition("/")[2]] | node
    properties = {} if "title" in shape else shape.get("properties", {})  # a title: one value
    for key, part in properties.items():
        own = default.get(key, part.get("default", NONE)) if isinstance(default, Mapping) else NONE
        here = f"{path}.{key}".lstrip(".")
        section_of_its_own = part.get("$ref", "").rpartition("/")[2] in schema.get("properties", {})
        if key == "for_dataset" or section_of_its_own:
            yield row(here, NONE, part)
        else:
            yield from describe(part, own, here, schema)
    if isinstance(entry := shape.get("additionalProperties"), Mapping):
        if "properties" in entry:
            yield from describe(entry, NONE, f"{path}.NAME", schema)
        else:
            named = entry if "description" in entry else {"description": "an entry of that name"}
            yield row(f"{path}.NAME", NONE, named)
    elif not properties:
        yield row(path, default, shape)


def row(path: str, default, node: Mapping) -> str:
    text = "" if default is NONE else f"`{flow(default)}`"
    return f"| `{path}` | {text} | {node['description']}{allowed(node)} |"


def flow(value) -> str:
    """A value as YAML writes it on one line, with powers of ten."""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return LONG.sub(lambda n: f"{n[1]}.0e+{len(n[2])}", text.removesuffix("...\n").strip())


def allowed(node: Mapping) -> str:
    """The values that a key may have, in words: a schema's own, its title, or those of its type."""
    if "title" in node:
        return f" ({node['title']})"
    if "enum" in node:
        return f" ({', '.join(f'`{flow(value)}`' for value in node['enum'])})"
    kinds = node.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    limits = ", ".join(f"{sign} {node[key]}" for key, sign in LIMITS.items() if key in node)
    first, *others = [TYPES.get(kind, kind) for kind in kinds] or [""]
    words = " or ".join([f"{first} {limits}".strip(), *others])
    return f" ({words})" if words else ""


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    target = FOLDER / "README.md"
    target.write_text(with_tables(target.read_text(encoding="utf-8")), encoding="utf-8")
