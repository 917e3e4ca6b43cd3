"""Rule predicted: what every row predicts of every target, against what is true."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "predicted", 1)

from sslens.comparison.cells import by_dataset, by_row
from sslens.figures.predicted import predicted_figure
from sslens.figures.style import save_figure
from sslens.formatting import read_parquet
from sslens.jobs.outdated import check

inputs = snakemake.input
check(snakemake.config, inputs.metrics)
figures = by_dataset(snakemake.params.settings, inputs.predictions, snakemake.output)
for settings, (predictions, files) in figures:
    rows = by_row(list(settings["rows"].values()), predictions)
    read = {title: [read_parquet(path) for path in paths] for title, paths in rows.items()}
    shown = (settings[key] for key in ("targets", "limits", "title"))
    save_figure(predicted_figure(read, *shown), files, settings)
