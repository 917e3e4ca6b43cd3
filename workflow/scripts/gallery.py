"""Rule gallery: what the images of a data set look like, and what their parameters are."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
runtime.start(snakemake.log[0], f"gallery {wildcards.dataset}", 1)
runtime.start_tensorflow(1, gpus=0)

import pandas as pd

from sslens.catalogue import read_catalogue
from sslens.figures.style import save_figure
from sslens.gallery import gallery_figure, parameters_figure
from sslens.records import read_split

images = read_split(snakemake.input.manifest, "validation").images
catalogue = pd.concat(map(read_catalogue, snakemake.input.catalogue), ignore_index=True)
gallery = gallery_figure(images, catalogue, params.dataset, params.title)
save_figure(gallery, [snakemake.output.gallery, snakemake.output.gallery_svg])
parameters = parameters_figure(
    catalogue, params.dataset, f"{params.title}: parameters of the validation images"
)
save_figure(parameters, [snakemake.output.parameters, snakemake.output.parameters_svg])
