"""Rule embedding: the features of test images on a plane, by class and by the axion's mass."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

process.start(snakemake.log[0], f"embedding {snakemake.wildcards.dataset}", 1)

import pandas as pd

from sslens.figures.embedding import embedding_figure, project, read_features
from sslens.figures.style import save_figure
from sslens.formatting import read_parquet
from sslens.jobs.outdated import check
from sslens.seeds import measured_rows

MAX_IMAGES = 750  # t-SNE of more images takes long, and shows no more

inputs, settings = snakemake.input, snakemake.params.settings
check(snakemake.config, inputs.metrics)
columns = ["label", "log10_axion_mass"]
test = pd.concat([read_parquet(path, columns=columns) for path in inputs.catalogue])
rows = measured_rows(len(test), MAX_IMAGES, seed=0)
mass = test["log10_axion_mass"].to_numpy(dtype=float)
maps = {
    title: project(read_features(path)[rows], seed=0)
    for title, path in zip(settings["rows"].values(), inputs.features, strict=True)
}
labels = test["label"].to_numpy()[rows]
figure = embedding_figure(maps, labels, mass[rows], settings["title"])
save_figure(figure, snakemake.output, settings)
