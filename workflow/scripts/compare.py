"""Rule compare: all metrics become the comparison table and its CSV in full precision."""

from sslens import runtime

runtime.start(snakemake.log[0], "compare", 1)

from sslens.comparison import collect, csv_text, markdown_tables
from sslens.files import read_json, write_text

params = snakemake.params
metrics = [read_json(path) for path in snakemake.input.metrics]
frame = collect(metrics, params.arms, list(params.datasets))
write_text(snakemake.output.csv, csv_text(frame))
table = markdown_tables(frame, params.rows, params.datasets)
write_text(snakemake.output.table, table)
runtime.log.info("\n%s", table)
