"""Rule catalogue: draw the parameters of every image of a split from the recipe's priors."""

from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
runtime.start(snakemake.log[0], f"catalogue {wildcards.dataset}/{wildcards.split}", 1)

from sslens.catalogue import draw_catalogue, write_catalogue

catalogue = draw_catalogue(wildcards.dataset, params.recipe, wildcards.split, params.images)
write_catalogue(catalogue, snakemake.output.catalogue)
