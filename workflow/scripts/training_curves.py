"""Rule training_curves: loss, learning rate and the rest over the epochs of a stage."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"{snakemake.wildcards.stage} curves", 1)

import pandas as pd

from sslens.comparison.cells import by_dataset
from sslens.figures.style import save_figure
from sslens.figures.training_curves import history_figure
from sslens.jobs.outdated import check

inputs = snakemake.input
check(snakemake.config, inputs.provenance)
figures = by_dataset(snakemake.params.settings, inputs.histories, snakemake.output)
for settings, (paths, files) in figures:
    drawn = zip(settings["drawn"].values(), paths, strict=True)
    histories = {title: pd.read_csv(path) for title, path in drawn}
    rows = list(settings["rows"].values())
    save_figure(history_figure(histories, settings["title"], rows), files, settings)
