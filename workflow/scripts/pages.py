"""Rule pages: every table as a web page, from the CSV files."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "pages", 1)

from sslens.comparison.pages import page
from sslens.comparison.summary import read_summary
from sslens.comparison.tables import (
    Comparison,
    comparison_tables,
    efficiency_table,
    frozen_tables,
    summary_table,
)
from sslens.data.shortcuts import read_audits, shortcut_table
from sslens.files import read_json, write_text
from sslens.jobs.outdated import check

inputs, outputs, settings = snakemake.input, snakemake.output, snakemake.params.settings
check(snakemake.config, [inputs.provenance])
problems = read_json(inputs.provenance)["disagreements"]
summary = read_summary(inputs.summary)
rows, frozen, datasets = settings["rows"], settings["frozen"], settings["datasets"]
notes = settings.get("notes", {})
compared, probed = (Comparison(summary, arms, datasets, notes) for arms in (rows, frozen))
tables = {
    outputs.auc_table: ("Comparison", comparison_tables(compared)),
    outputs.probe_table: ("Frozen encoders", frozen_tables(probed)),
    outputs.auc_summary: ("All cells of the comparison", [summary_table(summary)]),
}
for dataset, path in zip(settings["efficiency"], outputs.label_efficiency, strict=True):
    title = datasets[dataset]
    table = efficiency_table(Comparison(summary, rows, {dataset: title}))
    tables[path] = (f"Label efficiency on {title}", [table])
for path, (title, shown) in tables.items():
    write_text(path, page(title, shown, problems, settings))
shortcuts = shortcut_table(read_audits(inputs.shortcuts, datasets))
write_text(outputs.shortcuts, page("Shortcuts", [shortcuts], [], settings))
