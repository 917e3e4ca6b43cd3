"""Rule confusion: which classes every row of the table takes for which, over all seeds."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"confusion {snakemake.wildcards.dataset}", 1)

from sslens.comparison.cells import by_row
from sslens.figures.confusion import confusion_figure
from sslens.figures.style import save_figure
from sslens.files import read_json
from sslens.jobs.outdated import check
from sslens.metrics.scores import confusion_array

settings = snakemake.params.settings
check(snakemake.config, snakemake.input.metrics)
rows = by_row(list(settings["rows"].values()), snakemake.input.metrics)
counts = {
    title: sum(confusion_array(read_json(path)["confusion"]) for path in paths)
    for title, paths in rows.items()
}
save_figure(confusion_figure(counts, settings["title"]), snakemake.output, settings)
