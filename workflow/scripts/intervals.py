"""Rule intervals: all methods on all data sets, with their intervals."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "intervals", 1)

from sslens.comparison.summary import read_summary
from sslens.figures.intervals import intervals_figure
from sslens.figures.style import save_figure
from sslens.jobs.outdated import check
from sslens.tasks.registry import measures_of

inputs, params = snakemake.input, snakemake.params
check(snakemake.config, [inputs.provenance])
summary = read_summary(inputs.summary)
outputs = iter(zip(snakemake.output[::2], snakemake.output[1::2], strict=True))
for settings in params.settings.values():
    shown = (settings[key] for key in ("rows", "datasets", "title"))
    of_labels, task = summary[summary["labels"] == settings["labels"]], settings["task"]
    measure = measures_of(task).first_shown
    name = f"{measure.name}{measure.unit}"
    drawn = intervals_figure(of_labels, *shown, measure.column, name)
    save_figure(drawn, next(outputs), settings)
