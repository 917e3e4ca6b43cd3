"""Rule survey: find, check and hash the images of an archive; tell of what cannot be used."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens import runtime

wildcards, params = snakemake.wildcards, snakemake.params
runtime.start(snakemake.log[0], f"survey {wildcards.dataset}", 1)

from sslens.archive_catalogue import survey
from sslens.catalogue import write_catalogue
from sslens.comparison import csv_text
from sslens.files import write_text

found = survey(wildcards.dataset, params.archive)
write_text(snakemake.output.rejects, csv_text(found.rejects))
write_catalogue(found.images, snakemake.output.images, params.archive)
