# sslens: which self-supervised pretraining helps to tell dark-matter models apart?
# The configuration is read in common.smk; config/config.yaml explains it.

from snakemake.utils import min_version

min_version("9.0")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


if config["container"]:

    container: str(Path(config["container"]).expanduser())


include: "workflow/rules/data.smk"
include: "workflow/rules/archive.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        comparison_files(),
        encoder_files(),


# To keep to its limit of jobs a second, Snakemake starts a timer with every job, which never ends, and each of them
# has it look at the inputs of all jobs every second. A run on this machine needs no such limit. Where its jobs can
# use no GPU, TensorFlow is loaded once for all of them.
onstart:
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
        if not gpus:
            warm_start.start(SCRIPTS / "warm_start.py", config["cpu_threads"])


# What an earlier configuration left there would be taken for this one's; Snakemake leaves it alone.
onsuccess:
    folder, current = "results/comparison", outputs.names_of_run(config)
    if old := sorted(f.name for f in Path(folder).glob("*") if f.stem not in current):
        print(
            f"{folder} also holds what is not of this configuration; delete it, or it misleads: "
            + ", ".join(old),
            file=sys.stderr,
        )
