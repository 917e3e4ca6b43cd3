"""The tables as web pages, each a file of its own that needs no other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sslens.digests import json_digest
from sslens.files import FIGURE_MARK
from sslens.formatting import Table

#: What a page looks like; no import tells of it, so the rule has its digest as a parameter.
TEMPLATE = Path(__file__).with_name("page.html.jinja2")


def page(
    title: str, tables: Sequence[Table], problems: Sequence[str], settings: Mapping[str, Any]
) -> str:
    """Tables with their notes as a page of HTML whose columns a click sorts.

    Args:
        title: of the page.
        tables: one below the other.
        problems: what does not belong together, see `sslens.comparison.origin`; named at the end.
        settings: that the tables were made with; the page holds their digest, as a figure does.
    """
    # not at the top, since the Snakefile reads `TEMPLATE`
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE.name).render(
        title=title,
        tables=tables,
        problems=problems,
        mark=f"{FIGURE_MARK} {json_digest(settings)}",
    )
