"""Rule outliers: the test images whose first target all rows together get most wrong."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "outliers", 1)

import pandas as pd

from sslens.comparison.cells import by_dataset
from sslens.data.records import read_split
from sslens.figures.outliers import most_standardised, outliers_figure
from sslens.figures.style import save_figure
from sslens.formatting import read_parquet
from sslens.jobs.outdated import check

inputs = snakemake.input
check(snakemake.config, [*inputs.manifests, *inputs.metrics])
lists = inputs.manifests, inputs.predictions, snakemake.output
for settings, ((manifest,), predictions, files) in by_dataset(snakemake.params.settings, *lists):
    test, target = read_split(manifest, "test"), settings["targets"][0]
    table = most_standardised([read_parquet(path) for path in predictions], target)
    rows = pd.Index(test.columns["image_id"]).get_indexer(table["image_id"])
    title = f"{settings['title']}: the largest errors of all rows together, in deviations"
    save_figure(outliers_figure(test.images[rows], table, target, title), files, settings)
