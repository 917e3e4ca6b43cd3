"""Rule confusion: which classes every row of the table takes for which, over all seeds."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "confusion", 1)

from sslens.comparison.cells import by_dataset, by_row
from sslens.figures.confusion import confusion_array, confusion_figure
from sslens.figures.style import save_figure
from sslens.files import read_json
from sslens.jobs.outdated import check

inputs = snakemake.input
check(snakemake.config, inputs.metrics)
figures = by_dataset(snakemake.params.settings, inputs.metrics, snakemake.output)
for settings, (metrics, files) in figures:
    counts = {
        title: sum(confusion_array(read_json(path)["confusion"]) for path in paths)
        for title, paths in by_row(list(settings["rows"].values()), metrics).items()
    }
    save_figure(confusion_figure(counts, settings["title"]), files, settings)
