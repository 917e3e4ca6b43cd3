"""Rule probe_table: linear probes on the pretrained encoders beside that on a random one."""

from sslens import runtime

runtime.start(snakemake.log[0], "probe_table", 1)

import pandas as pd

from sslens.comparison import probe_markdowns
from sslens.files import write_text

frame = pd.read_csv(snakemake.input.csv)
table = probe_markdowns(frame, snakemake.params.arms, snakemake.params.datasets)
write_text(snakemake.output.table, table)
runtime.log.info("\n%s", table)
