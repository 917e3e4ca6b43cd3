"""Rule archive_catalogue: the part of an archive's images that a shard holds."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards = snakemake.wildcards
title = f"catalogue {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
process.start(snakemake.log[0], title, 1)

from sslens.data.archives.survey import shard_rows
from sslens.data.catalogue import catalogue_settings, read_catalogue, write_catalogue

images = read_catalogue(snakemake.input.images)
rows = shard_rows(images, wildcards.split, int(wildcards.shard), snakemake.params.shards)
write_catalogue(rows, snakemake.output.catalogue, catalogue_settings(snakemake.input.images))
