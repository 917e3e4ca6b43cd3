"""Rule archive_catalogue: the part of an archive's images that a shard holds."""

from sslens import runtime

wildcards = snakemake.wildcards
title = f"catalogue {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
runtime.start(snakemake.log[0], title, 1)

from sslens.archive_catalogue import shard_rows
from sslens.catalogue import catalogue_settings, read_catalogue, write_catalogue

images = read_catalogue(snakemake.input.images)
rows = shard_rows(images, wildcards.split, int(wildcards.shard), snakemake.params.shards)
write_catalogue(rows, snakemake.output.catalogue, catalogue_settings(snakemake.input.images))
