"""Rule roc: the ROC curves of a data set, every row of the table and every class."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"roc {snakemake.wildcards.dataset}", 1)

import pandas as pd

from sslens.comparison.cells import by_row
from sslens.figures.roc import roc_figure
from sslens.figures.style import save_figure
from sslens.jobs.outdated import check

settings = snakemake.params.settings
check(snakemake.config, snakemake.input.metrics)
rows = by_row(list(settings["rows"].values()), snakemake.input.predictions)
predictions = {title: [pd.read_parquet(path) for path in paths] for title, paths in rows.items()}
save_figure(roc_figure(predictions, settings["title"]), snakemake.output, settings)
