"""Rule probe: learn the task from a frozen encoder's features, and score it on the test set."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards, params = snakemake.wildcards, snakemake.params
settings, seed, fraction = params.settings, int(wildcards.seed), float(wildcards.fraction)
title = f"probe {wildcards.dataset}/{wildcards.arm} labels {fraction:g} seed {seed}"
process.start(snakemake.log[0], title, settings["computing"]["threads"])

from pathlib import Path

import numpy as np

from sslens.data.records import read_columns
from sslens.files import read_json, write_arrays, write_text
from sslens.formatting import csv_text
from sslens.jobs import scoring
from sslens.jobs.provenance import cell_of, provenance_record
from sslens.metrics.predictions import write_predictions
from sslens.orientations import orientation_turns
from sslens.tasks.registry import load_task
from sslens.training.probing import frozen_split, learn_probe, outputs_of

inputs, outputs = snakemake.input, snakemake.output
task, splits = load_task(settings["task"]), {}
for split in ("train", "validation", "test"):
    columns = read_columns(inputs.manifest, split, "image_id", *task.columns)
    own = slice(*settings.get("training_images", [None])) if split == "train" else slice(None)
    splits[split] = frozen_split(task, np.load(inputs[split]), *(column[own] for column in columns))
probed = learn_probe(splits["train"], splits["validation"], settings, fraction, seed)
write_arrays(outputs.probe, probed.probe)
write_text(outputs.history, csv_text(probed.history))
for split, path in (("test", outputs.predictions), ("validation", outputs.validation)):
    given = splits[split].image_ids, splits[split].targets
    answers = outputs_of(probed, splits[split], settings)
    write_predictions(probed.task.predictions(*given, answers, orientation_turns()), path)
cell, data = cell_of(wildcards), [inputs.manifest, inputs.preprocessing]
record = provenance_record("probe", cell, settings, params.code, *data, "CPU")
record["facts"] = probed.task.facts
of_features = read_json(inputs.provenance)
stages = {"pretrain": of_features["pretraining"], "features": of_features, "probe": record}
fields = {
    "labels": fraction,
    "labelled_images": probed.images,
    "seed": seed,
    "pretraining_collapsed": scoring.collapsed(inputs.get("pretraining")),
    "provenance": stages,
}
# a classifier that was exported before, and what earlier versions left, are of other predictions
for name in ("classifier.keras", "features.npy"):
    Path(outputs.metrics).with_name(name).unlink(missing_ok=True)
scoring.write_metrics(outputs, probed.task, params.fields | fields)
