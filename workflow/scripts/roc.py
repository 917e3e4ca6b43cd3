"""Rule roc: the ROC curves of a data set, every row of the table and every class."""

from sslens import runtime

runtime.start(snakemake.log[0], f"roc {snakemake.wildcards.dataset}", 1)

import pandas as pd

from sslens.figures.roc import roc_figure
from sslens.figures.style import save_figure

frames = [pd.read_parquet(path) for path in snakemake.input.predictions]
# row by row, and a file a seed within a row
titles = snakemake.params.titles
seeds = len(frames) // len(titles)
predictions = {title: frames[i * seeds : (i + 1) * seeds] for i, title in enumerate(titles)}
save_figure(roc_figure(predictions, snakemake.params.title), snakemake.output)
