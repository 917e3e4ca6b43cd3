"""Rule confusion: which classes every row of the table takes for which, over all seeds."""

from sslens import runtime

runtime.start(snakemake.log[0], f"confusion {snakemake.wildcards.dataset}", 1)

import numpy as np

from sslens.evaluation import confusion_array
from sslens.figures.confusion import confusion_figure
from sslens.figures.style import save_figure
from sslens.files import read_json

titles = snakemake.params.titles
counts = [confusion_array(read_json(path)["confusion"]) for path in snakemake.input.metrics]
# row by row, and a file a seed within a row
rows = np.reshape(counts, (len(titles), -1, *counts[0].shape)).sum(axis=1)
figure = confusion_figure(dict(zip(titles, rows, strict=True)), snakemake.params.title)
save_figure(figure, snakemake.output)
