"""Rule manifest: check the shards of a data set and list them with their facts."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"manifest {snakemake.wildcards.dataset}", 1)

from sslens.data.shards import manifest_of
from sslens.files import write_json

dataset, settings = snakemake.wildcards.dataset, snakemake.params.settings
write_json(snakemake.output.manifest, manifest_of(dataset, snakemake.input.facts, settings))
