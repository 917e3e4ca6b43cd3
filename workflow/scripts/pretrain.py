"""Rule pretrain: an encoder learns from unlabelled views of the training images."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
seed = int(wildcards.seed)
title = f"pretrain {wildcards.dataset}/{wildcards.pretraining} seed {seed}"
runtime.start(snakemake.log[0], title, params.computing["threads"])
runtime.start_tensorflow(**params.computing, gpus=snakemake.resources.gpu)

from pathlib import Path

from sslens import replicas
from sslens.checkpoints import Checkpoint
from sslens.files import fingerprint, write_json
from sslens.pretraining import pretrain
from sslens.provenance import provenance
from sslens.records import load_split
from sslens.tensorboard import reporter
from sslens.training import save_trained

inputs = [snakemake.input.manifest, snakemake.input.preprocessing]
told = [params.settings, params.code, params.computing, seed]
folder = Path(snakemake.config["checkpoint_dir"], params.checkpoint).expanduser()
checkpoint = Checkpoint(folder, fingerprint(told, inputs))
train, validation = (load_split(*inputs, split) for split in ("train", "validation"))
report = reporter(params.tensorboard, snakemake.config["tensorboard"])
encoder, history = pretrain(train, validation, params.settings, seed, checkpoint, report)
save_trained(encoder, snakemake.output.encoder, history, snakemake.output.history)
made = provenance(params.code, told, inputs, replicas.described())
write_json(snakemake.output.provenance, made)
checkpoint.remove()
