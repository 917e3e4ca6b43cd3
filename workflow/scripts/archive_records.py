"""Rule archive_records: read the images of a shard's catalogue from their files into a TFRecord."""

from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
title = f"records {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
runtime.start(snakemake.log[0], title, 1)
runtime.start_tensorflow(1, gpus=0)

from sslens.archive_catalogue import read_rows
from sslens.shards import make_shard

make_shard(
    snakemake.output.shard,
    snakemake.output.provenance,
    snakemake.input.catalogue,
    read_rows,
    params.archive,
    params.code,
    snakemake.config["data_dir"],
)
