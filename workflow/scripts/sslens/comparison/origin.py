"""Do results belong together, and are predictions those that were scored?

Snakemake makes anew what has changed, so they do, unless files were copied, edited, or made with
other rerun triggers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sslens.comparison.measures import Aucs, Measures
from sslens.digests import sha256_of
from sslens.formatting import cell_name, read_parquet
from sslens.tools import tools

#: By how much a measure may differ that is computed again, and by what share of it.
SAME = 1e-9


def check_origin(
    metrics: Sequence[Mapping[str, Any]],
    predictions: Sequence[str],
    outdated: Sequence[str],
    allow_mixed: bool,
    measures: Measures | None = None,
) -> list[str]:
    """Check that cells are of the configuration, belong together, and were scored as they are.

    Args:
        metrics: of every cell.
        predictions: path of each one's predictions.
        outdated: how each one's settings differ from the configuration's, empty where they do not.
        allow_mixed: return what is wrong, rather than raise it.
        measures: that the cells have, by default AUCs.

    Returns:
        A line for everything that is wrong.

    Raises:
        ValueError: with all lines, where there are any.
    """
    problems = [*disagreements(metrics)]
    for cell, path, other in zip(metrics, predictions, outdated, strict=True):
        if other and "provenance" in cell:
            problems.append(f"{cell_name(cell)}: made with {other}")
        problems.extend(changed_predictions(cell, path, measures or Aucs()))
    if problems and not allow_mixed:
        raise ValueError(
            f"{len(problems)} results do not belong together: {'; '.join(problems)}. Delete them "
            "and run again, or set comparison.allow_mixed"
        )
    return problems


def disagreements(metrics: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Cells that were not made from the same as the others, one line for each.

    All cells of a data set must be of one state of its images, an encoder that was pretrained on
    another one of that one's; an encoder from a file must be of one content of it; one piece of
    code must have had one state in all cells; and one stage must have run with the same versions
    of `tools.NUMERICAL`, on CPUs or on GPUs.

    Args:
        metrics: of every cell, as `metrics.json` has them, its stages under `provenance`.
    """
    data: dict[str, tuple[str, str]] = {}
    code: dict[str, tuple[str, str]] = {}
    used_by: dict[tuple[str, str], tuple[str, str]] = {}
    files: dict[str, tuple[str, str]] = {}
    for cell in metrics:
        name = cell_name(cell)
        if "provenance" not in cell:
            yield f"{name}: its metrics do not say what it was made from"
        for stage, record in cell.get("provenance", {}).items():
            if record is None:
                continue
            dataset = cell["pretrained_on"] if stage == "pretrain" else cell["dataset"]
            digest, where = data.setdefault(dataset, (record["data"], name))
            if digest != record["data"]:
                yield f"{name}: its {stage} had other images of {dataset} than {where}"
            if "sha256" in record:
                path = record["settings"]["file"]
                digest, where = files.setdefault(path, (record["sha256"], name))
                if digest != record["sha256"]:
                    yield f"{name}: its encoder is of other content of {path} than that of {where}"
            for what, digest in _code_of(record["code"]).items():
                first, where = code.setdefault(what, (digest, name))
                if first != digest:
                    yield f"{name}: its {stage} ran other code ({what}) than {where}"
                    break
            for tool, used in tools(record.get("versions", {}), record.get("device")).items():
                other, where = used_by.setdefault((stage, tool), (used, name))
                if other != used:
                    yield f"{name}: its {stage} had {tool} {used}, and that of {where} {other}"


def _code_of(recorded: str) -> dict[str, str]:
    """Digests of a script by itself and with what it loads, by what they are of.

    Args:
        recorded: the digest of all of it, then `SCRIPT@DIGEST` and what it loads.
    """
    digest, script, *loaded = recorded.split(" ")
    name, _, own = script.partition("@")
    return {name: own, " ".join([name, *loaded]): digest}


def changed_predictions(
    metrics: Mapping[str, Any], path: str | Path, measures: Measures
) -> Iterator[str]:
    """A line where a cell's predictions are not those that its metrics were computed from."""
    if sha256_of(path) != metrics["predictions_sha256"]:
        yield f"{cell_name(metrics)}: {path} was changed after it was scored"
        return
    found = measures.of_predictions(read_parquet(path))
    if not np.allclose(measures.stated(metrics), found, rtol=SAME, atol=SAME):
        yield f"{cell_name(metrics)}: its {measures.what} are not those of {path}"
