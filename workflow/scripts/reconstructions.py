"""Rule reconstructions: what is made of validation images that an encoder sees a part of."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], "reconstructions", 1)

from sslens.comparison.cells import by_dataset
from sslens.figures.reconstructions import reconstructions_figure
from sslens.figures.style import save_figure
from sslens.files import read_arrays
from sslens.jobs.outdated import check

inputs = snakemake.input
check(snakemake.config, inputs.provenance)
figures = by_dataset(snakemake.params.settings, inputs.pictures, snakemake.output)
for settings, (paths, files) in figures:
    pictures = zip(settings["rows"].values(), map(read_arrays, paths), strict=True)
    save_figure(reconstructions_figure(dict(pictures), settings["title"]), files, settings)
