"""Rule archive_records: read the images of a shard's catalogue from their files into a TFRecord."""

from sslens import runtime

wildcards = snakemake.wildcards
title = f"records {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
runtime.start(snakemake.log[0], title, 1)
runtime.start_tensorflow(1, gpus=0)

from sslens.archive_catalogue import read_rows
from sslens.catalogue import read_catalogue
from sslens.records import write_shard
from sslens.tracking import tracked

rows = read_catalogue(snakemake.input.catalogue)
images = tracked(read_rows(rows, snakemake.params.archive), len(rows), "images")
count = write_shard(snakemake.output.shard, rows, images)
runtime.log.info("%d images", count)
