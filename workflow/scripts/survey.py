"""Rule survey: find, check and hash the images of an archive; tell of what cannot be used."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

wildcards, params = snakemake.wildcards, snakemake.params
process.start(snakemake.log[0], f"survey {wildcards.dataset}", 1)

from sslens.configuration.dataset_checks import check_labels
from sslens.configuration.settings import task_traits
from sslens.data.archives.survey import check_classes, survey
from sslens.data.catalogue import write_catalogue
from sslens.files import write_text
from sslens.formatting import csv_text

found = survey(wildcards.dataset, params.archive)
# not by `params`: another task, or other label fractions, leave the images as they are
if task_traits(snakemake.config).needs_classes:
    check_classes(wildcards.dataset, params.archive, found.images)
    labels = found.images.loc[found.images["split"] == "train", "label"]
    check_labels(snakemake.config, wildcards.dataset, labels.value_counts().to_dict())
write_text(snakemake.output.rejects, csv_text(found.rejects))
write_catalogue(found.images, snakemake.output.images, params.archive)
