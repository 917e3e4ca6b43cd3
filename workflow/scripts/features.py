"""Rule features: a frozen encoder's features of all images of a data set, and itself for others."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import warm_start

warm_start.continue_in_copy()
from sslens.jobs import process
from sslens.jobs.tensorflow_setup import set_up_tensorflow

wildcards, params = snakemake.wildcards, snakemake.params
settings, computing = params.settings, params.settings["computing"]
seed = int(wildcards.seed)
title = f"features {wildcards.dataset}/{wildcards.encoder} seed {seed}"
process.start(snakemake.log[0], title, computing["threads"])
set_up_tensorflow(**computing, gpus=snakemake.resources.gpu)

from sslens.data.records import load_split
from sslens.files import read_json, write_array, write_json
from sslens.jobs.provenance import provenance_record
from sslens.networks import replicas
from sslens.networks.export import export_encoder
from sslens.networks.frozen import frozen_encoder
from sslens.networks.inference import predict_oriented

inputs, outputs = snakemake.input, snakemake.output
data = [inputs.manifest, inputs.preprocessing]
train = load_split(*data, "train", settings.get("training_images"))
validation, test = (load_split(*data, split) for split in ("validation", "test"))
pretrained = inputs.get("encoder") or None
encoder = frozen_encoder(settings["encoder"], train.images, pretrained, seed)
average = settings["average_orientations"]
write_array(outputs.train, predict_oriented(encoder, train.images, average=False))
write_array(outputs.validation, predict_oriented(encoder, validation.images, average))
write_array(outputs.test, predict_oriented(encoder, test.images, average))
export_encoder(encoder, *data, outputs.model)
cell = {"dataset": wildcards.dataset, "encoder": wildcards.encoder, "seed": seed}
device = replicas.described()
record = provenance_record("features", cell, settings, params.code, *data, device)
record["pretraining"] = read_json(inputs.pretraining) if pretrained else None
write_json(outputs.provenance, record)
