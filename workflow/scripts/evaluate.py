"""Rule evaluate: predict the whole test set, each image once, score it, export the classifier."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import warm_start

warm_start.continue_in_copy()
from sslens.jobs import process
from sslens.jobs.tensorflow_setup import set_up_tensorflow

wildcards, params = snakemake.wildcards, snakemake.params
settings, computing = params.settings, params.settings["computing"]
seed, fraction = int(wildcards.seed), float(wildcards.fraction)
title = f"evaluate {wildcards.dataset}/{wildcards.arm} labels {fraction:g} seed {seed}"
process.start(snakemake.log[0], title, computing["threads"])
set_up_tensorflow(**computing, gpus=snakemake.resources.gpu)

from sslens.data.records import load_split
from sslens.files import read_json, write_array
from sslens.jobs import scoring
from sslens.jobs.provenance import cell_of, provenance_record
from sslens.metrics.predictions import write_predictions
from sslens.networks import replicas
from sslens.networks.classifiers import build_network, with_features
from sslens.networks.export import export
from sslens.networks.inference import predict_with_features
from sslens.orientations import orientation_turns
from sslens.tasks.base import targeted
from sslens.tasks.registry import load_task

inputs, outputs = snakemake.input, snakemake.output
data = [inputs.manifest, inputs.preprocessing]
finetuning = read_json(inputs.provenance)
task = load_task(settings["task"], finetuning["facts"])
test, validation = (targeted(task, load_split(*data, split)) for split in ("test", "validation"))
network, encoder = build_network(
    settings["encoder"], test.images.shape[1:], seed, task.outputs, task.layer
)
network.load_weights(inputs.classifier)
average = settings["average_orientations"]
both, features = with_features(network, encoder), {}
for split, path in ((test, outputs.predictions), (validation, outputs.validation)):
    answers, features[path] = predict_with_features(both, split.images, average)
    given = split.columns["image_id"], split.labels, answers, orientation_turns()
    write_predictions(task.predictions(*given), path)
write_array(outputs.features, features[outputs.predictions])
cell, device = cell_of(wildcards), replicas.described()
record = provenance_record("evaluate", cell, settings, params.code, *data, device)
# the pretraining that the fine-tuning started from, whatever lies in its place by now
stages = {"pretrain": finetuning["pretraining"], "finetune": finetuning, "evaluate": record}
pretraining, is_pretrained = inputs.get("pretraining"), finetuning["pretraining"] is not None
fields = {
    "labels": fraction,
    "labelled_images": finetuning["labelled_images"],
    "seed": seed,
    "pretraining_collapsed": scoring.collapsed(pretraining),
    "operations": scoring.operations(inputs.history, pretraining, is_pretrained),
    "provenance": stages,
}
scoring.write_metrics(outputs, task, params.fields | fields)
export(network, *data, outputs.model, task, average)
