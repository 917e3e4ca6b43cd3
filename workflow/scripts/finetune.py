"""Rule finetune: the network learns the labels, from a pretrained encoder or random weights."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import warm_start

warm_start.continue_in_copy()
from sslens.jobs import process
from sslens.jobs.tensorflow_setup import set_up_tensorflow

wildcards, params = snakemake.wildcards, snakemake.params
settings, computing = params.settings, params.settings["computing"]
seed, fraction = int(wildcards.seed), float(wildcards.fraction)
title = f"finetune {wildcards.dataset}/{wildcards.arm} labels {fraction:g} seed {seed}"
process.start(snakemake.log[0], title, computing["threads"])
set_up_tensorflow(**computing, gpus=snakemake.resources.gpu)

from pathlib import Path

from sslens.data.records import load_split
from sslens.digests import fingerprint
from sslens.files import read_json, write_json
from sslens.jobs.provenance import cell_of, provenance_record, versions
from sslens.networks import replicas
from sslens.tools import tools
from sslens.training.checkpoints import Checkpoint
from sslens.training.engine import save_trained
from sslens.training.labels import learn_labels
from sslens.training.tensorboard import reporter

inputs = [snakemake.input.manifest, snakemake.input.preprocessing]
pretrained = snakemake.input.get("encoder") or None
device = replicas.described()
used = [settings, params.code, fraction, seed, tools(versions(), device)]
folder = Path(snakemake.config["checkpoint_dir"], params.checkpoint).expanduser()
read = [*inputs, *([pretrained] if pretrained else [])]
checkpoint = Checkpoint(folder, fingerprint(used, read))
train = load_split(*inputs, "train", settings.get("training_images"))
validation = load_split(*inputs, "validation")
report = reporter(params.tensorboard, snakemake.config["tensorboard"])
learned = learn_labels(train, validation, settings, pretrained, fraction, seed, checkpoint, report)
save_trained(
    learned.network, snakemake.output.classifier, learned.history, snakemake.output.history
)
record = provenance_record("finetune", cell_of(wildcards), settings, params.code, *inputs, device)
started_from = snakemake.input.get("pretraining") or None
record["pretraining"] = read_json(started_from) if started_from else None
record |= {"facts": learned.task.facts, "labelled_images": learned.images}
write_json(snakemake.output.provenance, record)
checkpoint.remove()
