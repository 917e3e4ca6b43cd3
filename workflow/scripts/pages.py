"""Rule pages: every table as a web page, from the CSV files."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "pages", 1)

from sslens.comparison.compared import Comparison
from sslens.comparison.pages import page
from sslens.comparison.summary import read_summary
from sslens.comparison.tables import efficiency_table, summary_table
from sslens.data.shortcut_table import read_audits, shortcut_table
from sslens.files import read_json, write_text
from sslens.formatting import read_csv
from sslens.jobs.outdated import check
from sslens.tasks.registry import documents_of, measures_of

inputs, outputs, settings = snakemake.input, snakemake.output, snakemake.params.settings
check(snakemake.config, [inputs.provenance])
problems = read_json(inputs.provenance)["disagreements"]
summary = read_summary(inputs.summary)
rows, frozen, datasets = settings["rows"], settings["frozen"], settings["datasets"]
notes = settings.get("notes", {})
compared, probed = (Comparison(summary, arms, datasets, notes) for arms in (rows, frozen))
task, cells = settings["task"], read_csv(inputs.csv, ["arm", "dataset"])
measures = measures_of(task)
documents = documents_of(task, compared, probed, measures, cells)
tables = {
    outputs.table: ("Comparison", documents.tables),
    outputs.probes: ("Frozen encoders", documents.probes),
    outputs.summary: ("All cells of the comparison", [summary_table(summary, measures)]),
}
for dataset, path in zip(settings["efficiency"], outputs.label_efficiency, strict=True):
    title = datasets[dataset]
    table = efficiency_table(
        Comparison(summary, rows, {dataset: title}, notes, measures.first_shown)
    )
    tables[path] = (f"Label efficiency on {title}", [table])
for path, (title, shown) in tables.items():
    write_text(path, page(title, shown, problems, settings))
for audits, path in zip(inputs.shortcuts, outputs.shortcuts, strict=True):
    shortcuts = shortcut_table(read_audits(audits, datasets))
    write_text(path, page("Shortcuts", [shortcuts], [], settings))
