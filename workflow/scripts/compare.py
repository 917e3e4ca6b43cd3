"""Rule compare: all metrics become tables, their uncertainty, and the account of their origin."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens import runtime

runtime.start(snakemake.log[0], "compare", 1)

import pandas as pd
import yaml

from sslens.comparison import (
    check_complete,
    collect,
    comparison_tables,
    csv_text,
    footer,
    frozen_tables,
    latex_table,
)
from sslens.files import read_json, write_json, write_text
from sslens.provenance import check_origin
from sslens.summary import CELL, summarise

params, outputs = snakemake.params, snakemake.output
metrics = [read_json(path) for path in snakemake.input.metrics]
paths = list(snakemake.input.predictions)
problems = check_origin(metrics, paths, params.allow_mixed)
frame = collect(metrics, params.arms, list(params.datasets))
check_complete(frame, params.arms, params.datasets, params.fractions, params.seeds)
predictions = {
    tuple(cell[key] for key in CELL): pd.read_parquet(path)
    for cell, path in zip(metrics, paths, strict=True)
}
summary = summarise(frame, predictions, params.references)
write_text(outputs.csv, csv_text(frame))
write_text(outputs.summary, csv_text(summary))
end = footer(problems)
table = comparison_tables(summary, params.rows, params.datasets) + end
write_text(outputs.table, table)
write_text(outputs.latex, latex_table(summary, params.rows, params.datasets))
frozen = {arm: title for arm, title in params.arms.items() if arm not in params.rows}
write_text(outputs.probes, frozen_tables(summary, frozen, params.datasets) + end)
cells = [
    {key: cell.get(key) for key in (*CELL, "predictions_sha256", "provenance")} for cell in metrics
]
write_text(outputs.configuration, yaml.safe_dump(params.configuration, sort_keys=False))
write_json(outputs.provenance, {"cells": cells, "disagreements": problems})
runtime.log.info("\n%s", table)
