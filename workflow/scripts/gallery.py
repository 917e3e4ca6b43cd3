"""Rule gallery: what the images of a data set look like, and what their parameters are."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

inputs, outputs, settings = snakemake.input, snakemake.output, snakemake.params.settings
process.start(snakemake.log[0], f"gallery {snakemake.wildcards.dataset}", 1)

import pandas as pd

from sslens.data.catalogue import read_catalogue
from sslens.data.records import read_split
from sslens.figures.gallery import gallery_figure, parameters_figure
from sslens.figures.style import save_figure
from sslens.jobs.outdated import check

check(snakemake.config, [inputs.manifest])
images = read_split(inputs.manifest, "validation").images
catalogue = pd.concat(map(read_catalogue, inputs.catalogue), ignore_index=True)
dataset, title = settings["dataset"], settings["title"]
gallery = gallery_figure(images, catalogue, dataset, title)
save_figure(gallery, outputs[:2], settings)
parameters = parameters_figure(catalogue, dataset, f"{title}: parameters of the validation images")
save_figure(parameters, outputs[2:], settings)
