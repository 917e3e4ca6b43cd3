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
import pandas as pd

from sslens.data.records import read_columns
from sslens.files import read_json, write_arrays, write_json, write_text
from sslens.formatting import csv_text
from sslens.jobs.provenance import provenance_record
from sslens.metrics.collapse import ended_collapsed
from sslens.metrics.predictions import write_predictions
from sslens.metrics.scores import metrics_of_file
from sslens.orientations import orientation_turns
from sslens.tasks.registry import load_task
from sslens.training.probes.base import Features, load_probe

inputs, outputs = snakemake.input, snakemake.output
task = load_task(settings["task"])
ids, targets, features = {}, {}, {}
for split in ("train", "validation", "test"):
    ids[split], *columns = read_columns(inputs.manifest, split, "image_id", *task.columns)
    own = slice(*settings.get("training_images", [None])) if split == "train" else slice(None)
    targets[split] = task.targets(*columns)[own]
    known = task.has_target(targets[split])
    rows = slice(None) if known.all() else np.flatnonzero(known)
    ids[split], targets[split] = ids[split][own][rows], targets[split][rows]
    features[split] = np.load(inputs[split])[:, rows]
rows = task.labelled(targets["train"], fraction, seed)
task = task.learning_from(targets["train"][rows])
labelled = Features(features["train"][0][rows], task.relative(targets["train"][rows]))
validation = Features(features["validation"][0], task.relative(targets["validation"]))
fit, outputs_of = load_probe(settings["task"]["name"], settings["protocol"])
probe, history = fit(labelled, validation, settings["learning"])
write_arrays(outputs.probe, probe)
write_text(outputs.history, csv_text(history))
for split, path in (("test", outputs.predictions), ("validation", outputs.validation)):
    seen = [outputs_of(probe, oriented, settings["learning"]) for oriented in features[split]]
    given = ids[split], targets[split], np.stack(seen), orientation_turns()
    write_predictions(task.predictions(*given), path)
cell = {"dataset": wildcards.dataset, "arm": wildcards.arm, "labels": fraction, "seed": seed}
data = [inputs.manifest, inputs.preprocessing]
record = provenance_record("probe", cell, settings, params.code, *data, "CPU")
record["facts"] = task.facts
of_features = read_json(inputs.provenance)
pretraining = inputs.get("pretraining") or None
fields = {
    "labels": fraction,
    "labelled_images": len(rows),
    "seed": seed,
    "pretraining_collapsed": ended_collapsed(pd.read_csv(pretraining)) if pretraining else None,
    "provenance": {
        "pretrain": of_features["pretraining"],
        "features": of_features,
        "probe": record,
    },
}
metrics = metrics_of_file(
    outputs.predictions, params.fields | fields, outputs.validation, task.score
)
# a classifier that was exported before, and what earlier versions left, are of other predictions
for name in ("classifier.keras", "features.npy"):
    Path(outputs.metrics).with_name(name).unlink(missing_ok=True)
write_json(outputs.metrics, metrics)
process.log.info("%s", task.headline(metrics))
