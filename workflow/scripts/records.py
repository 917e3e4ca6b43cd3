"""Rule records: render the images of a shard's catalogue into a TFRecord."""

from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
title = f"records {wildcards.dataset}/{wildcards.split} {wildcards.shard}"
runtime.start(snakemake.log[0], title, 1)
runtime.start_tensorflow(1, gpus=0)

from sslens.catalogue import read_catalogue
from sslens.records import write_shard
from sslens.sharing import make_once
from sslens.simulation import render_all
from sslens.tracking import tracked


def render(path):
    rows = read_catalogue(snakemake.input.catalogue)
    images = tracked(render_all(rows, params.recipe), len(rows), "images")
    runtime.log.info("%d images", write_shard(path, rows, images))


told, inputs = [params.recipe, params.code], [snakemake.input.catalogue]
make_once(render, snakemake.output.shard, snakemake.config["data_dir"], told, inputs)
