"""Rule catalogue: draw the parameters of a shard's images from the recipe's priors."""

from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
title = f"catalogue {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
runtime.start(snakemake.log[0], title, 1)

from sslens.catalogue import draw_catalogue, write_catalogue

first, end = params.rows
catalogue = draw_catalogue(
    wildcards.dataset, params.recipe, wildcards.split, end - first, first=first
)
write_catalogue(catalogue, snakemake.output.catalogue, params.recipe)
