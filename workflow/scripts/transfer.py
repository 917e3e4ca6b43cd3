"""Rule transfer: what a pretraining on one data set is worth on another."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"transfer {snakemake.wildcards.pretraining}", 1)

from sslens.comparison.summary import read_summary
from sslens.comparison.transfer import transfer_matrix
from sslens.figures.style import save_figure
from sslens.figures.transfer import transfer_figure
from sslens.jobs.outdated import check
from sslens.tasks.registry import measures_of

check(snakemake.config, [snakemake.input.provenance])
settings = snakemake.params.settings
measure = measures_of(settings["task"]).first_shown
summary = read_summary(snakemake.input.summary)
matrix, baseline = transfer_matrix(
    summary, settings["sources"], settings["baselines"], settings["datasets"], measure.column
)
title = f"{settings['title']}: {measure.name}"
words = (title, f"{measure.name}{measure.unit}", measure.number)
drawn = transfer_figure(matrix, baseline, *words)
save_figure(drawn, snakemake.output, settings)
