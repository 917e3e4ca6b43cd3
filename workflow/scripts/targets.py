"""Rule targets: what is to be measured is there, and varies; how many images have it, and where."""

import sys

sys.path.insert(0, snakemake.scriptdir)
from sslens.jobs import process

dataset = snakemake.wildcards.dataset
process.start(snakemake.log[0], f"targets {dataset}", 1)

from sslens.data.records import read_columns
from sslens.files import read_json, write_json
from sslens.tasks.registry import load_task

manifest, task = snakemake.input.manifest, load_task(snakemake.params.task)
recorded = read_json(manifest)["schema"]
if absent := [name for name in task.columns if name not in recorded]:
    raise ValueError(
        f"task.targets: the records of {dataset} have no {', '.join(absent)}; leave the data set, "
        "or the target, out"
    )
found = {}
for split in ("train", "validation", "test"):
    targets = task.targets(*read_columns(manifest, split, *task.columns))
    found[split] = task.described(targets, f"{dataset}/{split}")
    process.log.info("%s: %s", split, found[split])
    if split == "train":
        for seed, own in snakemake.params.own_images.items():
            of_seed = targets[slice(*own.get("training_images", [None]))]
            for fraction in snakemake.params.fractions:
                task.check_labelled(of_seed, fraction, seed)
write_json(snakemake.output.targets, found)
