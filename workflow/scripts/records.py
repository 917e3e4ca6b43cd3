"""Rule records: render the images of a shard's catalogue into a TFRecord."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards, params = snakemake.wildcards, snakemake.params
title = f"records {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
process.start(snakemake.log[0], title, 1)
process.start_tensorflow(1, gpus=0)

from sslens.data.shards import make_shard
from sslens.data.simulation.rendering import render_all

make_shard(
    snakemake.output.shard,
    snakemake.output.provenance,
    snakemake.input.catalogue,
    render_all,
    params.recipe,
    params.code,
    snakemake.config["data_dir"],
)
