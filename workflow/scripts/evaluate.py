"""Rule evaluate: predict the whole test set, each image once, score it, export the classifier."""

from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
title = f"evaluate {wildcards.dataset}/{wildcards.arm} seed {wildcards.seed}"
runtime.start(snakemake.log[0], title, params.computing["threads"])
runtime.start_tensorflow(**params.computing, gpus=snakemake.resources.gpu)

import pandas as pd

from sslens.classes import CLASSES
from sslens.classification import build_classifier, predict
from sslens.diagnostics import ended_collapsed
from sslens.evaluation import metrics_of_file, predictions_frame, write_predictions
from sslens.export import export
from sslens.files import write_json
from sslens.records import load_split

inputs = [snakemake.input.manifest, snakemake.input.preprocessing]
test = load_split(*inputs, "test")
classifier, _ = build_classifier(params.encoder, test.images.shape[1:], seed=0)
classifier.load_weights(snakemake.input.classifier)
labels = [CLASSES[label] for label in test.labels]
predictions = predictions_frame(test.image_ids, labels, predict(classifier, test.images))
write_predictions(predictions, snakemake.output.predictions)
history = snakemake.input.get("pretraining") or None
told = {
    "labels": float(wildcards.fraction),
    "seed": int(wildcards.seed),
    "pretraining_collapsed": ended_collapsed(pd.read_csv(history)) if history else None,
}
metrics = metrics_of_file(snakemake.output.predictions, params.fields | told)
write_json(snakemake.output.metrics, metrics)
runtime.log.info("macro AUC %.4f on %d images", metrics["auc"]["macro"], metrics["images"])
export(classifier, *inputs, snakemake.output.model)
