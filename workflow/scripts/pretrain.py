"""Rule pretrain: an encoder learns from unlabelled views of the training images."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import warm_start

warm_start.continue_in_copy()
from sslens.jobs import process
from sslens.jobs.tensorflow_setup import set_up_tensorflow

wildcards, params = snakemake.wildcards, snakemake.params
settings, computing = params.settings, params.settings["computing"]
seed = int(wildcards.seed)
title = f"pretrain {wildcards.dataset}/{wildcards.pretraining} seed {seed}"
process.start(snakemake.log[0], title, computing["threads"])
set_up_tensorflow(**computing, gpus=snakemake.resources.gpu)

from pathlib import Path

from sslens.data.records import load_split, read_split
from sslens.digests import fingerprint
from sslens.files import read_json, write_arrays, write_json
from sslens.jobs.provenance import provenance_record, versions
from sslens.networks import replicas
from sslens.tools import tools
from sslens.training.checkpoints import Checkpoint
from sslens.training.engine import save_trained
from sslens.training.pretraining import RawSplits, pretrain
from sslens.training.tensorboard import reporter

inputs = [snakemake.input.manifest, snakemake.input.preprocessing]
device = replicas.described()
used = [settings, params.code, seed, tools(versions(), device)]
folder = Path(snakemake.config["checkpoint_dir"], params.checkpoint).expanduser()
checkpoint = Checkpoint(folder, fingerprint(used, inputs))
train = load_split(*inputs, "train", settings.get("training_images"))
validation = load_split(*inputs, "validation")
raw = None
if array := settings.get("raw_images"):
    raw_train = read_split(inputs[0], "train", array, settings.get("training_images"))
    raw_validation = read_split(inputs[0], "validation", array)
    raw = RawSplits(raw_train, raw_validation, read_json(inputs[1]))
report = reporter(params.tensorboard, snakemake.config["tensorboard"])
encoder, history, pictures = pretrain(train, validation, settings, seed, checkpoint, report, raw)
save_trained(encoder, snakemake.output.encoder, history, snakemake.output.history)
if "pictures" in snakemake.output.keys():  # noqa: SIM118 (a list, with names)
    write_arrays(snakemake.output.pictures, pictures)
cell = {"dataset": wildcards.dataset, "pretraining": wildcards.pretraining, "seed": seed}
record = provenance_record("pretrain", cell, settings, params.code, *inputs, device)
write_json(snakemake.output.provenance, record)
checkpoint.remove()
# what earlier versions left is of other weights now
Path(snakemake.output.encoder).with_name("encoder.keras").unlink(missing_ok=True)
