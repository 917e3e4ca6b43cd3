# Configuration, wildcards, and the files that the rules share.

import re
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

# `current_basedir` is the folder of this file also where another workflow uses this one as a module
ROOT = Path(str(workflow.current_basedir)).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from sslens import settings
from sslens.digest import code_digest
from sslens.protocols import FINE_TUNE, LINEAR_PROBE

# Not `configfile:`, which looks in the working directory and is passed over beside --configfile:
# here what the user gives is laid over the defaults wherever a run happens.
config = settings.load(ROOT / "config", config)
try:
    schema_file = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    settings.check(config, yaml.safe_load(schema_file.read_text()))
except settings.ConfigurationError as error:
    raise WorkflowError(f"configuration: {error}")


def one_of(names):
    """A regular expression that matches these names and nothing else."""
    return "|".join(map(re.escape, names))


wildcard_constraints:
    dataset=one_of(config["datasets"]),
    split=one_of(config["splits"]),
    shard=r"\d+",
    shards=r"\d+",
    pretraining=one_of(config["pretrainings"]),
    arm=one_of(config["arms"]),
    fraction=r"\d[\d.e-]*",
    seed=r"\d+",
    stage="pretraining|finetuning",


DATA = "results/data/{dataset}"
PRETRAIN = "results/pretrain/{dataset}/{pretraining}/seed-{seed}"
CELL = "{dataset}/{arm}/labels-{fraction}/seed-{seed}"
FINETUNE = f"results/finetune/{CELL}"
EVALUATE = f"results/evaluate/{CELL}"


def shards_of(*splits):
    """The shards of these splits of a data set; one function of the wildcards, for `input:`."""

    def files(wildcards):
        return [
            f"{DATA.format(dataset=wildcards.dataset)}/{split}/{shard:05d}-of-{count:05d}.tfrecord"
            for split in splits
            for count in [config["splits"][split]["shards"]]
            for shard in range(count)
        ]

    return files


def cells(pattern, arms, **wildcards):
    """A pattern's files for these arms, over the run's data sets, label fractions and seeds."""
    values = {
        "dataset": config["run"]["datasets"],
        "fraction": [float(fraction) for fraction in config["run"]["label_fractions"]],
        "seed": config["run"]["seeds"],
    }
    return expand(pattern, arm=arms, **values | wildcards)


def memory_mb(*splits):
    """Memory of a job that holds these splits: what TensorFlow takes, and the images twice."""

    def estimate(wildcards):
        pixels = config["datasets"][wildcards.dataset]["instrument"]["pixels"]
        images = sum(config["splits"][split]["images"] for split in splits)
        return 3000 + round(2.2 * 4 * pixels**2 * images / 1e6)

    return estimate


def pretrained_rows():
    """The rows of the comparison that start from a pretraining."""
    rows = settings.arm_titles(config, FINE_TUNE)
    return [arm for arm in rows if config["arms"][arm].get("pretraining") is not None]


def pretraining_code(wildcards):
    """Digest of what a pretraining runs: the engine, and its own method's file."""
    chosen = settings.pretraining_settings(config, wildcards.pretraining, wildcards.dataset)
    return code_digest("pretraining", "records", "runtime", f"methods.{chosen['method']}")


def encoder_of(wildcards):
    """The pretrained encoder that an arm starts from; nothing for an arm without pretraining."""
    arm = config["arms"][wildcards.arm]
    if arm.get("pretraining") is None:
        return []
    dataset = settings.pretrained_on(arm, wildcards.dataset)
    folder = PRETRAIN.format(dataset=dataset, pretraining=arm["pretraining"], seed=wildcards.seed)
    return f"{folder}/encoder.weights.h5"


def row_files(pattern, dataset):
    """Title -> files, one a seed, of the table's rows on one data set with the most labels."""
    fraction = max(float(fraction) for fraction in config["run"]["label_fractions"])
    return {
        title: cells(pattern, arm, dataset=dataset, fraction=fraction)
        for arm, title in settings.arm_titles(config, FINE_TUNE).items()
    }


def histories(stage, dataset):
    """Title -> history of the first seed, of the table's rows on one data set."""
    if stage == "finetuning":
        files = row_files(f"{FINETUNE}/history.csv", dataset)
        return {title: seeds[0] for title, seeds in files.items()}
    return {
        settings.arm_title(config, arm): f"{PRETRAIN}/history.csv".format(
            dataset=settings.pretrained_on(config["arms"][arm], dataset),
            pretraining=config["arms"][arm]["pretraining"],
            seed=config["run"]["seeds"][0],
        )
        for arm in pretrained_rows()
    }


def comparison_files():
    """The final files: tables, and figures of every data set."""
    rows = settings.arm_titles(config, FINE_TUNE)
    probes = settings.arm_titles(config, LINEAR_PROBE)
    figures = (["roc", "finetuning"] if rows else []) + (
        ["pretraining"] if pretrained_rows() else []
    )
    return [
        "results/comparison/auc_table.md",
        "results/comparison/auc_table.csv",
        *(["results/comparison/probe_table.md"] if probes else []),
        *expand(
            "results/comparison/{figure}_{dataset}.png",
            figure=figures,
            dataset=config["run"]["datasets"],
        ),
    ]
