"""Rule archive_records: read the images of a shard's catalogue from their files into a TFRecord."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards, params = snakemake.wildcards, snakemake.params
title = f"records {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
process.start(snakemake.log[0], title, 1)

from sslens.data.archives.survey import read_rows
from sslens.data.shards import make_shard

make_shard(
    snakemake.output,
    snakemake.input.catalogue,
    read_rows,
    params.archive,
    params.code,
    snakemake.config["data_dir"],
)
