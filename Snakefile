# sslens: which self-supervised pretraining helps to tell dark-matter models apart?
# The configuration is read in common.smk; config/config.yaml explains it.

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/compare.smk"


rule all:
    default_target: True
    input:
        comparison_files(),
