"""Rule finetune: learn the labels, by the arm's protocol, from its pretrained encoder or none."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
seed, fraction = int(wildcards.seed), float(wildcards.fraction)
title = f"finetune {wildcards.dataset}/{wildcards.arm} labels {fraction:g} seed {seed}"
runtime.start(snakemake.log[0], title, params.computing["threads"])
runtime.start_tensorflow(**params.computing, gpus=snakemake.resources.gpu)

from pathlib import Path

from sslens import replicas
from sslens.checkpoints import Checkpoint
from sslens.classification import learn_labels
from sslens.files import fingerprint, write_json
from sslens.provenance import provenance
from sslens.records import load_split
from sslens.tensorboard import reporter
from sslens.training import save_trained

inputs = [snakemake.input.manifest, snakemake.input.preprocessing]
pretrained = snakemake.input.get("encoder") or None
told = [params.settings, params.code, params.computing, fraction, seed]
folder = Path(snakemake.config["checkpoint_dir"], params.checkpoint).expanduser()
read = [*inputs, *([pretrained] if pretrained else [])]
checkpoint = Checkpoint(folder, fingerprint(told, read))
train, validation = (load_split(*inputs, split) for split in ("train", "validation"))
report = reporter(params.tensorboard, snakemake.config["tensorboard"])
classifier, history = learn_labels(
    train, validation, params.settings, pretrained, fraction, seed, checkpoint, report
)
save_trained(classifier, snakemake.output.classifier, history, snakemake.output.history)
made = provenance(params.code, told, inputs, replicas.described())
write_json(snakemake.output.provenance, made)
checkpoint.remove()
