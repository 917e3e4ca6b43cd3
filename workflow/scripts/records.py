"""Rule records: render the images of a shard's catalogue into a TFRecord."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards, params = snakemake.wildcards, snakemake.params
title = f"records {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
process.start(snakemake.log[0], title, 1)

from sslens.data.shards import make_shard
from sslens.data.simulation.rendering import render_all

make_shard(
    snakemake.output,
    snakemake.input.catalogue,
    render_all,
    params.recipe,
    params.code,
    snakemake.config["data_dir"],
)
