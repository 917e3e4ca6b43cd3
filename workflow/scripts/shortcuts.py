"""Rule shortcuts: what the classes of every data set can be told by without learning."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "shortcuts", 1)

import pandas as pd

from sslens.data.records import read_split
from sslens.data.shortcut_table import shortcut_table
from sslens.data.shortcuts import audit
from sslens.files import write_text
from sslens.formatting import csv_text
from sslens.jobs.outdated import check

check(snakemake.config, snakemake.input.manifests)
audits = {}
for name, manifest in zip(snakemake.params.datasets, snakemake.input.manifests, strict=True):
    audits[name] = audit(*(read_split(manifest, split) for split in ("train", "test")))
titled = {snakemake.params.datasets[name]: frame for name, frame in audits.items()}
table = shortcut_table(titled).markdown()
frame = pd.concat(audits, names=["dataset"]).reset_index("dataset")
write_text(snakemake.output.csv, csv_text(frame))
write_text(snakemake.output.table, table)
process.log.info("\n%s", table)
