"""Rule import_encoder: the weights of an encoder that was exported elsewhere, where it fits."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import warm_start

warm_start.continue_in_copy()
from sslens.jobs import process
from sslens.jobs.tensorflow_setup import set_up_tensorflow

wildcards, params, inputs = snakemake.wildcards, snakemake.params, snakemake.input
settings, computing = params.settings, params.settings["computing"]
seed = int(wildcards.seed)
title = f"import {wildcards.dataset}/{wildcards.pretraining} seed {seed}"
process.start(snakemake.log[0], title, computing["threads"])
set_up_tensorflow(**computing, gpus=snakemake.resources.gpu)

from sslens.digests import sha256_of
from sslens.files import atomic_path, read_json, write_json
from sslens.jobs.provenance import provenance_record
from sslens.networks import replicas
from sslens.networks.imports import read_encoder

data = [inputs.manifest, inputs.preprocessing]
shape = read_json(inputs.preprocessing)["input_shape"]
encoder = read_encoder(inputs.file, settings["encoder"], shape)
with atomic_path(snakemake.output.encoder) as path:
    encoder.save_weights(path)
cell = {"dataset": wildcards.dataset, "pretraining": wildcards.pretraining, "seed": seed}
device = replicas.described()
record = provenance_record("import_encoder", cell, settings, params.code, *data, device)
write_json(snakemake.output.provenance, record | {"sha256": sha256_of(inputs.file)})
