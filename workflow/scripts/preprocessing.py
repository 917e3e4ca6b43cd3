"""Rule preprocessing: measure on the training split what the preprocessing needs."""

from sslens import runtime

runtime.start(snakemake.log[0], f"preprocessing {snakemake.wildcards.dataset}", 1)
runtime.start_tensorflow(1, gpus=0)

from sslens.files import write_json
from sslens.preprocessing import check_variation, measure
from sslens.records import read_split

train = read_split(snakemake.input.manifest, "train")
facts = measure(train.images, snakemake.params.settings)
check_variation(train.images, facts, train.image_ids)
write_json(snakemake.output.preprocessing, facts)
