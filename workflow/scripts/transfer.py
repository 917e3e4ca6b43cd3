"""Rule transfer: what a pretraining on one data set is worth on another."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens import runtime

runtime.start(snakemake.log[0], f"transfer {snakemake.wildcards.pretraining}", 1)

import pandas as pd

from sslens.comparison import transfer_matrix
from sslens.figures.style import save_figure
from sslens.figures.transfer import transfer_figure

params = snakemake.params
summary = pd.read_csv(snakemake.input.summary)
matrix, baseline = transfer_matrix(summary, params.sources, params.baseline, params.datasets)
title = f"Transfer of {snakemake.wildcards.pretraining}: macro AUC"
save_figure(transfer_figure(matrix, baseline, title), snakemake.output)
