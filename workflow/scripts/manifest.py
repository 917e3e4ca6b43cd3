"""Rule manifest: check the shards of a data set and list them with their facts."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"manifest {snakemake.wildcards.dataset}", 1)
process.start_tensorflow(1, gpus=0)

from sslens.data.records import describe
from sslens.data.shards import check_settings
from sslens.files import write_json

inputs, settings = snakemake.input, snakemake.params.settings
provenance = check_settings(inputs.provenance, settings)
manifest = describe(snakemake.wildcards.dataset, inputs.shards)
write_json(snakemake.output.manifest, manifest | provenance)
