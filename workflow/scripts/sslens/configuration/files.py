"""Reading YAML and JSON in which no key stands twice.

Readers of both keep the last value of a repeated key, so that a whole block of settings would be
lost without a word.
"""

import json
from pathlib import Path
from typing import Any

import yaml

MAX_LENGTH = 1000  # characters of a message
_MERGE = "tag:yaml.org,2002:merge"  # the key `<<`: of several, all are merged


class ConfigurationError(ValueError):
    """The configuration cannot be run.

    `lines` has a line for each mistake, which names the key and the remedy; the message is these.
    """

    def __init__(self, *mistakes: str):
        self.lines = [_in_one_line(mistake) for mistake in mistakes]
        super().__init__("\n".join(self.lines))


def _in_one_line(message: str) -> str:
    """A message in one line of limited length: keys and values may be of any, with line breaks."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    return line if len(line) <= MAX_LENGTH else f"{line[:500]} … {line[-400:]}"


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML's safe loader, but a repeated key is an error.

    Keys are compared when a mapping is composed, that is, as they stand in the file: later, those
    of merged mappings (`<<`), which it may override, are among its own.
    """

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                name, line = (key.tag, key.value), key.start_mark.line + 1
                if name in lines:
                    where = f"in lines {lines[name]} and {line}"
                    raise _repeated(key.start_mark.name, key.value, where)
                lines[name] = line
        return node


def read_yaml(path: Path) -> Any:
    """Content of a YAML file.

    Raises:
        ConfigurationError: if a mapping in it has a key twice.
    """
    with open(path, encoding="utf-8") as stream:
        return yaml.load(stream, Loader=_UniqueKeyLoader)


def check_unique_keys(path: Path) -> None:
    """Check a configuration file that Snakemake has read: as JSON or, if it is none, as YAML.

    Raises:
        ConfigurationError: if a mapping in it has a key twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict:
        content = dict(pairs)
        if len(content) < len(pairs):
            keys = [key for key, _ in pairs]
            raise _repeated(path, next(key for key in keys if keys.count(key) > 1), "in one object")
        return content

    try:
        json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    except json.JSONDecodeError:
        with open(path, encoding="utf-8") as stream:
            yaml.compose(stream, Loader=_UniqueKeyLoader)


def _repeated(file: Any, key: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"{file}: the key {key!r} is given twice ({where}), and the first would be lost; give it "
        "once"
    )
