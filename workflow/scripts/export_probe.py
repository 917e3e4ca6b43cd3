"""Rule export_probe: a probe and its encoder as one file for others to use, with preprocessing."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import warm_start

warm_start.continue_in_copy()
from sslens.jobs import process
from sslens.jobs.tensorflow_setup import set_up_tensorflow

wildcards, params, inputs = snakemake.wildcards, snakemake.params, snakemake.input
settings, computing = params.settings, params.settings["computing"]
process.start(snakemake.log[0], f"export {wildcards.arm}", computing["threads"])
set_up_tensorflow(**computing, gpus=snakemake.resources.gpu)

from sslens.data.records import load_split
from sslens.files import read_arrays, read_json
from sslens.jobs.outdated import check
from sslens.networks.classifiers import network_of_probe
from sslens.networks.export import export
from sslens.networks.frozen import frozen_encoder
from sslens.tasks.registry import load_task

check(snakemake.config, [inputs.metrics])
data = [inputs.manifest, inputs.preprocessing]
train = load_split(*data, "train", settings.get("training_images"))
pretrained, seed = inputs.get("encoder") or None, int(wildcards.seed)
encoder = frozen_encoder(params.encoder, train.images, pretrained, seed)
network = network_of_probe(settings, encoder, read_arrays(inputs.probe))
task = load_task(settings["task"], read_json(inputs.metrics)["provenance"]["probe"]["facts"])
export(network, *data, snakemake.output.model, task, settings["average_orientations"])
