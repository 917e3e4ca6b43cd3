"""Rule preprocessing: measure on the training split what the preprocessing needs."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"preprocessing {snakemake.wildcards.dataset}", 1)

from sslens.data.preprocessing import check_variation, measure
from sslens.data.records import read_split
from sslens.files import write_json

train = read_split(snakemake.input.manifest, "train")
facts = measure(train.images, snakemake.params.settings)
check_variation(train.images, facts, train.columns["image_id"])
write_json(snakemake.output.preprocessing, facts)
