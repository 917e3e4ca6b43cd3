"""Rule calibration: how far the distributions of the first target can be believed."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "calibration", 1)

from sslens.comparison.cells import by_dataset, by_row
from sslens.figures.predicted import calibration_figure
from sslens.figures.style import save_figure
from sslens.formatting import read_parquet
from sslens.jobs.outdated import check

inputs = snakemake.input
check(snakemake.config, inputs.metrics)
lists = inputs.predictions, inputs.validation, snakemake.output
for settings, (predictions, validation, files) in by_dataset(snakemake.params.settings, *lists):
    titles = list(settings["rows"].values())
    test, own = (
        {title: [read_parquet(path) for path in paths] for title, paths in rows.items()}
        for rows in (by_row(titles, predictions), by_row(titles, validation))
    )
    drawn = calibration_figure(test, own, settings["targets"][0], settings["title"])
    save_figure(drawn, files, settings)
