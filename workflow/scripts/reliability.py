"""Rule reliability: whether the probabilities of the first seed's networks can be believed."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "reliability", 1)

from sslens.comparison.cells import by_dataset, by_row
from sslens.figures.reliability import reliability_figure
from sslens.figures.style import save_figure
from sslens.files import read_json
from sslens.formatting import read_parquet
from sslens.jobs.outdated import check
from sslens.metrics.scores import reliability_curves

inputs = snakemake.input
check(snakemake.config, inputs.metrics)
lists = inputs.metrics, inputs.predictions, snakemake.output
for settings, (*found, files) in by_dataset(snakemake.params.settings, *lists):
    titles = list(settings["rows"].values())
    metrics, predictions = (by_row(titles, paths) for paths in found)
    curves = {
        title: reliability_curves(
            read_parquet(predictions[title][0]), read_json(metrics[title][0])["temperature"]
        )
        for title in titles
    }
    save_figure(reliability_figure(curves, settings["title"]), files, settings)
