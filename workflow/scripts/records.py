"""Rule records: render the images of a shard's catalogue into a TFRecord."""

from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
title = f"records {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
runtime.start(snakemake.log[0], title, 1)
runtime.start_tensorflow(1, gpus=0)

from sslens.shards import make_shard
from sslens.simulation import render_all

make_shard(
    snakemake.output.shard,
    snakemake.output.provenance,
    snakemake.input.catalogue,
    render_all,
    params.recipe,
    params.code,
    snakemake.config["data_dir"],
)
