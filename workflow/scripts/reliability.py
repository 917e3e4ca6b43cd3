"""Rule reliability: whether the probabilities of the first seed's networks can be believed."""

from sslens import runtime

runtime.start(snakemake.log[0], f"reliability {snakemake.wildcards.dataset}", 1)

import pandas as pd

from sslens.evaluation import reliability_curves
from sslens.figures.calibration import reliability_figure
from sslens.figures.style import save_figure
from sslens.files import read_json

titles, inputs = snakemake.params.titles, snakemake.input
seeds = len(inputs.metrics) // len(titles)  # row by row, and a file a seed within a row
curves = {
    title: reliability_curves(pd.read_parquet(predictions), read_json(metrics)["temperature"])
    for title, predictions, metrics in zip(
        titles, inputs.predictions[::seeds], inputs.metrics[::seeds], strict=True
    )
}
save_figure(reliability_figure(curves, snakemake.params.title), snakemake.output)
