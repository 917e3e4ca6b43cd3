"""Rule mistakes: the test images that the rows of the table are, together, most wrong about."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "mistakes", 1)

import pandas as pd

from sslens.comparison.cells import by_dataset
from sslens.data.records import read_split
from sslens.figures.mistakes import mistakes_figure, most_confidently_wrong
from sslens.figures.style import save_figure
from sslens.formatting import read_parquet
from sslens.jobs.outdated import check
from sslens.metrics.predictions import averaged

inputs = snakemake.input
check(snakemake.config, [*inputs.manifests, *inputs.metrics])
lists = inputs.manifests, inputs.predictions, snakemake.output
for settings, ((manifest,), predictions, files) in by_dataset(snakemake.params.settings, *lists):
    test = read_split(manifest, "test")
    together = averaged([read_parquet(path) for path in predictions])
    table = most_confidently_wrong(together, 6)
    rows = pd.Index(test.columns["image_id"]).get_indexer(table["image_id"])
    title = f"{settings['title']}: what the networks of all rows together are most wrong about"
    save_figure(mistakes_figure(test.images[rows], table, title), files, settings)
