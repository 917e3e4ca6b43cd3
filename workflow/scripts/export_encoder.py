"""Rule export_encoder: a pretrained encoder as one file for others to use, with preprocessing."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards, params, inputs = snakemake.wildcards, snakemake.params, snakemake.input
settings, computing = params.settings, params.settings["computing"]
process.start(snakemake.log[0], f"export {wildcards.pretraining}", computing["threads"])
process.start_tensorflow(**computing, gpus=snakemake.resources.gpu)

from sslens.data.records import load_split
from sslens.jobs.outdated import check
from sslens.networks.export import export_encoder
from sslens.networks.frozen import frozen_encoder

check(snakemake.config, [inputs.provenance])
data = [inputs.manifest, inputs.preprocessing]
train = load_split(*data, "train", settings.get("training_images"))
encoder = frozen_encoder(settings["encoder"], train.images, inputs.encoder, int(wildcards.seed))
export_encoder(encoder, *data, snakemake.output.model)
