"""Rule probe: fit a classifier to a frozen encoder's features, and score it on the test set."""

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

from sslens.classes import CLASSES
from sslens.data.records import read_columns
from sslens.files import read_json, write_arrays, write_json, write_text
from sslens.formatting import csv_text
from sslens.jobs.provenance import provenance_record
from sslens.labelled import labelled_subset
from sslens.metrics.collapse import ended_collapsed
from sslens.metrics.predictions import mean_logits, predictions_frame, write_predictions
from sslens.metrics.scores import metrics_of_file
from sslens.training.probes import PROBES, Features

inputs, outputs = snakemake.input, snakemake.output
features = {split: np.load(inputs[split]) for split in ("train", "validation", "test")}
ids, labels = {}, {}
for split in features:
    ids[split], labels[split] = read_columns(inputs.manifest, split, "image_id", "label")
labels["train"] = labels["train"][slice(*settings.get("training_images", [None]))]
rows = labelled_subset(labels["train"], fraction, seed)
labelled = Features(features["train"][0][rows], labels["train"][rows])
validation = Features(features["validation"][0], labels["validation"])
fit, logits_of = PROBES[settings["protocol"]]
probe, history = fit(labelled, validation, settings["learning"])
write_arrays(outputs.probe, probe)
write_text(outputs.history, csv_text(history))
for split, path in (("test", outputs.predictions), ("validation", outputs.validation)):
    names = [CLASSES[label] for label in labels[split]]
    seen = [logits_of(probe, oriented, settings["learning"]) for oriented in features[split]]
    write_predictions(predictions_frame(ids[split], names, mean_logits(np.stack(seen))), path)
cell = {"dataset": wildcards.dataset, "arm": wildcards.arm, "labels": fraction, "seed": seed}
data = [inputs.manifest, inputs.preprocessing]
record = provenance_record("probe", cell, settings, params.code, *data, "CPU")
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
metrics = metrics_of_file(outputs.predictions, params.fields | fields, outputs.validation)
# a classifier that was exported before, and what earlier versions left, are of other predictions
for name in ("classifier.keras", "features.npy"):
    Path(outputs.metrics).with_name(name).unlink(missing_ok=True)
write_json(outputs.metrics, metrics)
process.log.info("macro AUC %.4f on %d images", metrics["auc"]["macro"], metrics["images"])
