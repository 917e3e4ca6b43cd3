"""Rule apart: no encoder from another archive has learned from the test images of this one."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

dataset, source = snakemake.wildcards.dataset, snakemake.wildcards.source
process.start(snakemake.log[0], f"apart {dataset} from {source}", 1)

from sslens.data.archives.apart import check_apart
from sslens.files import write_json
from sslens.formatting import read_parquet

images, learned = map(read_parquet, (snakemake.input.images, snakemake.input.learned))
write_json(snakemake.output.apart, check_apart(dataset, images, source, learned))
