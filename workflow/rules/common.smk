# Configuration, wildcards, and the files that the rules share.

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

# `current_basedir` is the folder of this file also where another workflow uses this one as a module
ROOT = Path(str(workflow.current_basedir)).parent.parent
SCRIPTS = ROOT / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from snakemake.common.configfile import load_configfile

import sslens

if not Path(sslens.__path__[0]).samefile(SCRIPTS / "sslens"):
    sys.exit(
        f"{ROOT}: Python has already loaded the library of another checkout, {sslens.__path__[0]}; "
        "all modules of a workflow must name the Snakefile of one checkout"
    )

from sslens.comparison.pages import TEMPLATE
from sslens.configuration import outputs, rows, settings
from sslens.configuration.checks import check
from sslens.configuration.files import ConfigurationError, check_unique_keys
from sslens.configuration.loading import load
from sslens.configuration.precedence import layers_of, without_effect
from sslens.data import sharing
from sslens.data.archives.paths import watched
from sslens.digests import sha256_of
from sslens.jobs import loaded_code, outdated, warm_start
from sslens.jobs.digest import code_of
from sslens.jobs.resources import ResourceModel
from sslens.jobs.tensorflow_setup import gpus_of_a_job
from sslens.networks.encoders.registry import family_of
from sslens.pretexts import augmentation_names
from sslens.protocols import FINE_TUNE
from sslens.schemas import load_schema
from sslens.tasks.registry import has_probes

is_main_process = not workflow.remote_exec and not workflow.subprocess_exec

# Not `configfile:`, which looks in the working directory and is passed over beside --configfile:
# here what the user gives is laid over the defaults wherever a run happens.
try:
    if is_main_process:
        for file in workflow.configfiles:
            check_unique_keys(Path(file))
    given, config = config, load(ROOT / "config", config)
    schema_file = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    check(config, load_schema(schema_file))
    if is_main_process:
        layers = layers_of(given, [load_configfile(file) for file in workflow.configfiles])
        if lines := without_effect(layers, config):
            raise ConfigurationError(*lines)
except ConfigurationError as error:
    sys.exit("\n".join(f"configuration: {line}" for line in error.lines))


# Resources of the jobs of a rule, by its name.
gpus = gpus_of_a_job(bool(workflow.deployment_settings.deployment_method))
of_job = ResourceModel(config, gpus, gpus * config["gpus_per_training"]).of_job

# More jobs at a time than the machine has cores take longer in all, since they push each other out of its caches.
CORES = len(os.sched_getaffinity(0))
runs_here = workflow.resource_settings.nodes is None and not workflow.output_settings.dryrun
if is_main_process and runs_here and (workflow.resource_settings.cores or 0) > CORES:
    workflow.register_resource("_cores", CORES)
    print(f"This machine has {CORES} cores: no more are used at a time.", file=sys.stderr)

# Of the jobs that could start, those go first that the longest chain of others waits for.
PRIORITY = {"data": 4, "pretraining": 3, "finetuning": 2, "evaluation": 1}

# Where the packages of a job come from, seen from the files of the rules.
CPU_ENVIRONMENT = "../../envs/tensorflow-cpu.yaml"
GPU_ENVIRONMENT = "../../envs/tensorflow-gpu.yaml"

# A training that was ended goes on; in a job of a cluster, that is left to who submitted it. For more
# than once there is --preemptible-rules, as in profiles/slurm.
RETRIES = 0 if workflow.remote_exec else 1


# Where this workflow is a module with a prefix, Snakemake puts it before inputs, outputs and logs alone.
RESULTS = workflow.modifier.path_modifier.replace_prefix("results/")
PREFIX = RESULTS.removesuffix("results/")

if is_main_process:
    loaded_code.mark_as_read()
    sharing.forget_missing(Path(RESULTS, "data"))


def one_of(names):
    """A regular expression that matches these names and nothing else, and none if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    dataset=one_of(config["datasets"]),
    encoder=r"[^/@]+@[^/@]+",
    split=one_of(config["splits"]),
    shard=r"\d+",
    pretraining=one_of(config["pretrainings"]),
    arm=one_of(config["arms"]),
    fraction=r"\d[\d.e-]*",
    seed=r"\d+",
    stage="pretraining|finetuning",


DATA = "results/data/{dataset}"
PRETRAIN = "results/pretrain/{dataset}/{pretraining}/seed-{seed}"
FEATURES = "results/features/{dataset}/{encoder}/seed-{seed}"
CELL = "{dataset}/{arm}/labels-{fraction}/seed-{seed}"
FINETUNE = f"results/finetune/{CELL}"
PROBE = f"results/probe/{CELL}"
EVALUATE = f"results/evaluate/{CELL}"

TRAINED_ARMS = [arm for arm in config["arms"] if settings.arm_protocol(config, arm) == FINE_TUNE]
FROZEN_ARMS = [arm for arm in config["arms"] if arm not in TRAINED_ARMS]

# Pretrainings whose encoder is a file, and those that are trained here.
IMPORTED = [name for name in config["pretrainings"] if settings.is_from_file(config, name)]
PRETRAININGS = [name for name in config["pretrainings"] if name not in IMPORTED]
RECONSTRUCTING = outputs.reconstructing(config)


def shards_of(*splits, kind="tfrecord"):
    """Records or catalogues (parquet) of these splits: a function of the wildcards, for `input:`."""

    def files(wildcards):
        return [
            f"{DATA.format(dataset=wildcards.dataset)}/{split}/{shard:05d}.{kind}"
            for split in splits
            for shard in range(settings.shard_count(config, wildcards.dataset, split))
        ]

    return files


def shard_files(*splits):
    """Inputs of a job that needs the records of these splits: `shards`, and the `indexes` to read them by."""
    return {"shards": shards_of(*splits), "indexes": shards_of(*splits, kind="index.parquet")}


def indexes_of(*splits):
    """Inputs of a job that needs the ids and labels of these splits, and no images."""
    return {"manifest": f"{DATA}/manifest.json", "indexes": shard_files(*splits)["indexes"]}


def records_of(*splits):
    """Inputs of a job that reads these splits of its data set: `manifest`, `shards`, `indexes`."""
    return {"manifest": f"{DATA}/manifest.json", **shard_files(*splits)}


def cells(pattern, arms, **wildcards):
    """A pattern's files for these arms, over the run's data sets, label fractions and seeds."""
    values = {
        "dataset": config["run"]["datasets"],
        "fraction": [float(fraction) for fraction in config["run"]["label_fractions"]],
        "seed": config["run"]["seeds"],
    }
    return expand(pattern, arm=arms, **values | wildcards)


def records_of_run(*splits):
    """Inputs of a job that reads these splits of all data sets of the run, as `records_of`."""
    datasets = config["run"]["datasets"]
    each = [SimpleNamespace(dataset=dataset) for dataset in datasets]
    return {
        "manifests": expand(f"{DATA}/manifest.json", dataset=datasets),
        **{
            name: [file for wildcards in each for file in files(wildcards)]
            for name, files in shard_files(*splits).items()
        },
    }


def settings_of_dataset(wildcards):
    """What a data set's images follow from."""
    return settings.dataset_settings(config, wildcards.dataset)


def own_images(wildcards):
    """The training images of a seed, as a setting of its jobs."""
    return settings.own_images(config, int(wildcards.seed))


def targets_of(wildcards):
    """The check of the targets of a job's data set, which is done before anything learns of it.

    Trainings do not depend on its content. Nothing else is learned of a data set that encoders
    alone come from.
    """
    dataset = wildcards.dataset
    if TRAITS.needs_classes or dataset not in config["run"]["datasets"]:
        return []
    return [ancient(f"{DATA}/targets.json".format(dataset=dataset))]


def watched_of(wildcards):
    """Files and folders of an archive whose time tells that a file was added or removed."""
    try:
        return watched(wildcards.dataset, settings_of_dataset(wildcards))
    except ValueError as error:
        sys.exit(f"configuration: datasets.{error}")


def augmentations(pretext):
    """Names in the library of what a pretext is made of, for the digest of a rule's code."""
    return [f"training.augmentations.{name}" for name in augmentation_names(pretext)]


def arm_of(wildcards):
    """The arm of a job, or the first one with its encoder."""
    if arm := wildcards.get("arm"):
        return arm
    return settings.frozen_encoders(config, wildcards.dataset)[wildcards.encoder]


def encoder_module(wildcards):
    """Name in the library of the family of a job's encoder: of a pretraining, an arm, or a frozen one."""
    if name := wildcards.get("pretraining"):
        encoder = settings.pretraining_encoder(config, name, wildcards.dataset)
    else:
        encoder = settings.arm_encoder(config, arm_of(wildcards), wildcards.dataset)
    return f"networks.encoders.{family_of(encoder['name'])}"


# What is learned of images, and the library's code with it, which is loaded by its name.
TASK, TRAITS = config["task"]["name"], settings.task_traits(config)
LEARNED = f"tasks.{TASK}.Task"
PROBED = [LEARNED, *([f"training.probes.{TASK}"] if has_probes(TASK) else [])]
MEASURED = f"tasks.{TASK}.measures"
WRITTEN = [MEASURED, f"tasks.{TASK}.documents"]


def network_code(script, wildcards, *loaded):
    """As `code_of`, of a job with a network: with its encoder's family, and the process that it runs in.

    No name in the script refers to either.
    """
    return code_of(script, encoder_module(wildcards), *loaded, "jobs.warm_start")


def code_with_encoder(script, *loaded):
    """As `network_code`, of the wildcards."""
    return lambda w: network_code(script, w, *loaded)


def pretraining_code(wildcards):
    """Code of a pretraining: the engine, its own encoder, method and augmentations."""
    chosen = settings.pretraining_settings(config, wildcards.pretraining, wildcards.dataset)
    views = [*chosen.get("raw_views", ()), *chosen["views"]]
    method = f"methods.{chosen['method']}"
    return network_code("pretrain", wildcards, method, *augmentations(views))


def finetuning_code(wildcards):
    """Code of learning the labels, its encoder and augmentations among it."""
    chosen = settings.arm_settings(config, wildcards.arm, wildcards.dataset)
    views = augmentations(chosen["learning"]["augmentation"])
    return network_code("finetune", wildcards, *views, LEARNED)


def pretrained(pattern, arm, dataset, seed):
    """A file of the pretraining that an arm starts from, on the data set it was pretrained on."""
    entry = config["arms"][arm]
    return pattern.format(
        dataset=settings.pretrained_on(entry, dataset),
        pretraining=entry["pretraining"],
        seed=seed,
    )


def of_pretraining(file):
    """A file of the pretraining of an arm or of a frozen encoder, if it has one: for `input:`."""

    def files(wildcards):
        arm = arm_of(wildcards)
        name = config["arms"][arm].get("pretraining")
        if name is None or (file == "history.csv" and name in IMPORTED):
            return []
        return pretrained(f"{PRETRAIN}/{file}", arm, wildcards.dataset, wildcards.seed)

    return files


def apart_of(wildcards):
    """The check that the encoder of a job has not learned from the test images of its archive.

    It is done before the job, which does not depend on its content.
    """
    entry = config["arms"][arm_of(wildcards)]
    source = settings.pretrained_on(entry, wildcards.dataset)
    are_archives = {source, wildcards.dataset} <= {*settings.names_from(config, settings.IMPORT)}
    is_trained_here = entry.get("pretraining") in PRETRAININGS
    if source == wildcards.dataset or not (is_trained_here and are_archives):
        return []
    return [ancient(f"{DATA}/apart_from_{source}.json".format(dataset=wildcards.dataset))]


def features_of_arm(file, arm, dataset, seed):
    """A file of the features that an arm with a frozen encoder probes."""
    encoder = settings.frozen_encoder(config, arm, dataset)
    return f"{FEATURES}/{file}".format(dataset=dataset, encoder=encoder, seed=seed)


def of_features(file):
    """A file of the features that an arm probes: for `input:`."""
    return lambda w: features_of_arm(file, w.arm, w.dataset, w.seed)


# How the arms of the run learn the labels.
PROTOCOLS = rows.protocols_of_run(config)

# The rows of the table: arm -> title.
ROWS = rows.arm_titles(config, FINE_TUNE)


def row_files(pattern):
    """Files of the table's rows with the most labels: by data set, then by arm, then by seed."""
    most = outputs.most_labels(config)
    by_dataset = [
        cells(pattern, ROWS, dataset=dataset, fraction=most)
        for dataset in config["run"]["datasets"]
    ]
    return [file for files in by_dataset for file in files]


def of_curves(file, stage):
    """A file of the first seed's trainings of the table's rows, by data set, then by arm."""
    if stage == "finetuning":
        return row_files(f"{FINETUNE}/{file}")[:: len(config["run"]["seeds"])]
    pretrained_arms, seed = rows.pretrained_rows(config), config["run"]["seeds"][0]
    return [
        pretrained(f"{PRETRAIN}/{file}", arm, dataset, seed)
        for dataset in config["run"]["datasets"]
        for arm in pretrained_arms
    ]


def of_reconstructions(file):
    """A file of the first seed's pretrainings that reconstruct images, by data set."""
    return expand(
        f"{PRETRAIN}/{file}",
        dataset=config["run"]["datasets"],
        pretraining=outputs.reconstructed_titles(config),
        seed=config["run"]["seeds"][0],
    )


# Inputs of a job that shows what was compared: all cells with their uncertainty, and where they are from.
COMPARED = {
    "summary": f"results/comparison/{TRAITS.measure}_summary.csv",
    "provenance": "results/comparison/provenance.json",
}


def mapped_files(dataset):
    """Inputs of a map of features: `metrics` and `features` of the arms that it shows, of one data set."""
    shown = outputs.figure_settings(config, "embedding", dataset)
    chosen = {"dataset": dataset, "fraction": shown["labels"], "seed": shown["seeds"]}
    frozen = [arm for arm in shown["rows"] if arm in FROZEN_ARMS]
    return {
        "metrics": cells(f"{EVALUATE}/metrics.json", shown["rows"], **chosen),
        # of fine-tuned arms where the run has no frozen ones
        "features": [
            *(features_of_arm("test.npy", arm, dataset, shown["seeds"][0]) for arm in frozen),
            *cells(f"{EVALUATE}/features.npy", shown["rows"] if not frozen else [], **chosen),
        ],
    }


def in_report(file, caption, category):
    """A file of the comparison that the report shows, with a caption of `workflow/report`."""
    return report(
        f"results/comparison/{file}", caption=f"../report/{caption}.rst", category=category
    )


def figure(name, caption, category):
    """Outputs of a figure: as an image, which the report shows, and as vector graphics."""
    return [in_report(f"{name}.png", caption, category), f"results/comparison/{name}.svg"]


def figures(name, caption, category, of=config["run"]["datasets"]):
    """Outputs of a rule that draws a figure of every data set of the run, or of these, as `figure`."""
    return [file for each in of for file in figure(f"{name}_{each}", caption, category)]


def params_of_figures(script, figure=None, of=config["run"]["datasets"], loaded=()):
    """Params of such a rule: the settings of every figure, and its code; as `figure_params`."""
    figure = figure or script
    return {
        "settings": lambda w: {
            each: outputs.figure_settings(config, figure.format(**w), each) for each in of
        },
        "code": code_of(script, *loaded),
    }


def figure_params(script, figure=None, name="{dataset}", loaded=()):
    """Params of a figure, by default that of the same name as its script: its settings and its code.

    `loaded` is code that the script loads by name, as for `code_of`.
    The settings are a function, since Snakemake would fill in braces in a title.
    """
    figure = figure or script
    return {
        "settings": lambda w: outputs.figure_settings(config, figure.format(**w), name.format(**w)),
        "code": code_of(script, *loaded),
    }


def drawn_files():
    """Web pages and figures of the run: path -> the settings that it is made with."""
    folder = "results/comparison"
    pages = [f"{folder}/{table}.html" for table in outputs.pages_of_run(config)]
    figures = {
        f"{folder}/{name}.png": shown for name, shown in outputs.drawn_of_run(config).items()
    }
    return dict.fromkeys(pages, outputs.page_settings(config)) | figures


def encoder_files(file="encoder.keras"):
    """The pretrained encoders of the run, each as one file for others, or another file beside these."""
    found = {
        features_of_arm(file, arm, settings.pretrained_on(config["arms"][arm], dataset), seed)
        for arm in rows.arm_titles(config)
        for dataset in config["run"]["datasets"]
        for seed in config["run"]["seeds"]
        if config["arms"][arm].get("pretraining") in PRETRAININGS
    }
    return sorted(found)


def comparison_files():
    """The final files: tables, and figures of every data set."""
    tables = [f"{TRAITS.measure}_table.md", f"{TRAITS.measure}_table.csv"]
    tables += ["shortcuts.md"] if TRAITS.needs_classes else []
    return [*(f"results/comparison/{table}" for table in tables), *drawn_files()]


def outdated_results():
    """Results of the run, as far as they are there, that were made with other settings."""
    run = config["run"]
    arms = rows.arm_titles(config)
    trainings = {
        pretrained(f"{PRETRAIN}/provenance.json", arm, dataset, seed)
        for arm in arms
        for dataset in run["datasets"]
        for seed in run["seeds"]
        if config["arms"][arm].get("pretraining") is not None
    }
    features = {
        features_of_arm("provenance.json", arm, dataset, seed)
        for arm in arms
        for dataset in run["datasets"]
        for seed in run["seeds"]
        if arm in FROZEN_ARMS
    }.union(encoder_files("provenance.json"))
    files = [
        *expand(
            f"{DATA}/{{file}}.json",
            dataset=settings.datasets_used(config),
            file=["manifest", "preprocessing"],
        ),
        *sorted(trainings),
        *sorted(features),
        *cells(f"{FINETUNE}/provenance.json", ROWS),
        *cells(f"{EVALUATE}/metrics.json", arms),
        "results/comparison/provenance.json",
    ]
    drawn = {f"{PREFIX}{file}": shown for file, shown in drawn_files().items()}
    return outdated.outdated_results(config, [f"{PREFIX}{file}" for file in files], drawn)


# Said here, since Snakemake says nothing where it finds nothing to do.
if is_main_process and (lines := outdated_results()):
    print(
        "These results were made with other settings than the configuration has. If Snakemake "
        "does not make them anew (its rerun triggers and its records in .snakemake decide that), "
        "delete them:",
        *lines,
        sep="\n  ",
        file=sys.stderr,
    )
