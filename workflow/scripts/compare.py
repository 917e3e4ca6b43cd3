"""Rule compare: all metrics become tables, their uncertainty, and the account of their origin."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "compare", 1)

from pathlib import Path

import yaml

from sslens.comparison.cells import CELL, check_complete, collect
from sslens.comparison.compared import Comparison
from sslens.comparison.latex import latex_footer
from sslens.comparison.origin import check_origin
from sslens.comparison.summary import summarise
from sslens.comparison.tables import markdown
from sslens.digests import json_digest
from sslens.files import read_json, write_json, write_text
from sslens.formatting import csv_text, read_parquet
from sslens.jobs.outdated import outdated_file
from sslens.tasks.registry import documents_of, measures_of

settings, outputs = snakemake.params.settings, snakemake.output
arms, rows, datasets = settings["arms"], settings["rows"], settings["datasets"]
metrics = [read_json(path) for path in snakemake.input.metrics]
paths = list(snakemake.input.predictions)
outdated = [outdated_file(snakemake.config, Path(path))[1] for path in snakemake.input.metrics]
task = settings["task"]
measures = measures_of(task)
problems = check_origin(metrics, paths, outdated, settings["allow_mixed"], measures)
scores = [measures.cell_column(name) for name in measures.names]
frame = collect(metrics, arms, list(datasets), scores)
check_complete(frame, arms, datasets, settings["fractions"], settings["seeds"])
predictions = {
    tuple(cell[key] for key in CELL): read_parquet(path)
    for cell, path in zip(metrics, paths, strict=True)
}
summary = summarise(frame, predictions, settings["references"], measures)
write_text(outputs.csv, csv_text(frame))
write_text(outputs.summary, csv_text(summary))
notes = settings.get("notes", {})
frozen = {arm: title for arm, title in arms.items() if arm not in rows}
compared, probed = (Comparison(summary, own, datasets, notes) for own in (rows, frozen))
documents = documents_of(task, compared, probed, measures, frame)
table = markdown(documents.tables, problems)
write_text(outputs.table, table)
write_text(outputs.latex, documents.latex + latex_footer(problems))
write_text(outputs.probes, markdown(documents.probes, problems))
cells = [
    {key: cell.get(key) for key in (*CELL, "predictions_sha256", "provenance")} for cell in metrics
]
write_text(outputs.configuration, yaml.safe_dump(settings["configuration"], sort_keys=False))
provenance = {"settings": settings, "settings_sha256": json_digest(settings)}
write_json(outputs.provenance, provenance | {"cells": cells, "disagreements": problems})
process.log.info("\n%s", table)
