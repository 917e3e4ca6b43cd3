"""Rule label_efficiency: AUCs, or errors, over the number of labels, as a figure and a table."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

dataset, settings = snakemake.wildcards.dataset, snakemake.params.settings
process.start(snakemake.log[0], f"label_efficiency {dataset}", 1)

from sslens.comparison.compared import Comparison
from sslens.comparison.summary import read_summary
from sslens.comparison.tables import efficiency_table, markdown
from sslens.figures.label_efficiency import label_efficiency_figure
from sslens.figures.style import save_figure
from sslens.files import read_json, write_text
from sslens.formatting import read_csv
from sslens.jobs.outdated import check
from sslens.tasks.registry import measures_of

check(snakemake.config, [snakemake.input.provenance])
rows, title, task = (settings[key] for key in ("rows", "title", "task"))
measures = measures_of(task)
measure = measures.first_shown
frame = read_csv(snakemake.input.csv, ["dataset", "arm"])
frame = frame[(frame["dataset"] == dataset) & frame["arm"].isin(list(rows))]
drawn = label_efficiency_figure(
    frame,
    rows,
    title,
    column=measures.cell_column(measures.main),
    measure=f"{measure.name}{measure.unit}",
    logarithmic=not measure.higher_is_better,
)
save_figure(drawn, snakemake.output[:2], settings)
summary = read_summary(snakemake.input.summary)
notes, problems = settings.get("notes", {}), read_json(snakemake.input.provenance)["disagreements"]
comparison = Comparison(summary, rows, {dataset: title}, notes, measure)
write_text(snakemake.output.table, markdown([efficiency_table(comparison)], problems))
