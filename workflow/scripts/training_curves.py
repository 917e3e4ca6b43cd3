"""Rule training_curves: loss, learning rate and the rest over the epochs of a stage."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"{snakemake.wildcards.stage} {snakemake.wildcards.dataset}", 1)

import pandas as pd

from sslens.figures.style import save_figure
from sslens.figures.training_curves import history_figure
from sslens.jobs.outdated import check

settings = snakemake.params.settings
check(snakemake.config, snakemake.input.provenance)
paths = zip(settings["drawn"].values(), snakemake.input.histories, strict=True)
histories = {title: pd.read_csv(path) for title, path in paths}
rows = list(settings["rows"].values())
save_figure(history_figure(histories, settings["title"], rows), snakemake.output, settings)
