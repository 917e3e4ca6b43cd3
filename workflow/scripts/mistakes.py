"""Rule mistakes: the test images that the rows of the table are, together, most wrong about."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"mistakes {snakemake.wildcards.dataset}", 1)

import pandas as pd

from sslens.data.records import read_split
from sslens.figures.mistakes import mistakes_figure, most_confidently_wrong
from sslens.figures.style import save_figure
from sslens.jobs.outdated import check
from sslens.metrics.predictions import averaged

settings = snakemake.params.settings
check(snakemake.config, [snakemake.input.manifest, *snakemake.input.metrics])
test = read_split(snakemake.input.manifest, "test")
together = averaged([pd.read_parquet(path) for path in snakemake.input.predictions])
table = most_confidently_wrong(together, 6)
rows = pd.Index(test.columns["image_id"]).get_indexer(table["image_id"])
title = f"{settings['title']}: what the networks of all rows together are most wrong about"
save_figure(mistakes_figure(test.images[rows], table, title), snakemake.output, settings)
