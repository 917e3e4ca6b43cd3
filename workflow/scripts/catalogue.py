"""Rule catalogue: draw the parameters of a shard's images from the recipe's priors."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards, params = snakemake.wildcards, snakemake.params
title = f"catalogue {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
process.start(snakemake.log[0], title, 1)

from sslens.data.catalogue import write_catalogue
from sslens.data.simulation.sampling import draw_catalogue

first, end = params.rows
catalogue = draw_catalogue(
    wildcards.dataset, params.recipe, wildcards.split, end - first, first=first
)
write_catalogue(catalogue, snakemake.output.catalogue, params.recipe)
