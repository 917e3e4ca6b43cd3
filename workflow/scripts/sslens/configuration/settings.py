"""The settings of every job, resolved from the configuration. Free of TensorFlow."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import reduce
from pathlib import Path

from sslens.configuration.loading import merge
from sslens.data.simulation.recipes import class_turns
from sslens.digests import json_digest
from sslens.methods.passes import encoder_passes
from sslens.methods.registry import schema_path
from sslens.networks.encoders.costs import runs_side_by_side
from sslens.networks.encoders.registry import encoder_schema, laid_over
from sslens.pretexts import NOISE, augmentation_names, split_raw
from sslens.protocols import FINE_TUNE, NEAREST_NEIGHBOURS
from sslens.schemas import load_schema
from sslens.tasks.registry import Traits, traits_of
from sslens.tasks.registry import schema_path as task_schema

_LIBRARY = Path(__file__).parent.parent
ARCHIVE = _LIBRARY / "data" / "archives" / "archive.schema.yaml"
#: Where a data set's images may come from.
SIMULATION, IMPORT = SOURCES = ("simulation", "archive")
#: Keys of an arm that name a pretraining whose steps, or whose computation, it matches.
MATCHES = ("match_steps_of", "match_compute_of")
#: Keys that change no result, and rerun nothing.
NO_RESULT = ("tensorboard", "planning", "data_dir", "checkpoint_dir", "container")


def datasets_used(config: Mapping) -> list[str]:
    """The data sets that the run needs: its own, and those that encoders are taken from."""
    sources = [config["arms"][arm].get("pretrained_on") for arm in config["run"]["arms"]]
    return list(dict.fromkeys([*config["run"]["datasets"], *filter(None, sources)]))


def resolve(section: Mapping, dataset: str) -> dict:
    """A section for one data set: its `for_dataset` entry, if there is one, laid over it."""
    own = section.get("for_dataset", {}).get(dataset, {})
    return _override({key: value for key, value in section.items() if key != "for_dataset"}, own)


def _override(section: Mapping, own: Mapping) -> dict:
    """Lay what is more specific over a section; an own length in epochs drops the other's steps."""
    dropped = {"steps": None} if "epochs" in own and "steps" in section else {}
    return merge(section, dropped | dict(own))


def dataset_settings(config: Mapping, dataset: str) -> dict:
    """What a data set's images follow from; its title heads columns alone."""
    entry = config["datasets"][dataset]
    if entry["source"] == IMPORT:
        entry = with_defaults(entry, load_schema(ARCHIVE))
    return {key: value for key, value in entry.items() if key != "title"}


def names_from(config: Mapping, source: str, datasets: Iterable[str] | None = None) -> list[str]:
    """Which of these data sets, or of all, have images of this source."""
    entries = config["datasets"]
    chosen = entries if datasets is None else datasets
    return [name for name in chosen if entries[name].get("source") == source]


def shard_count(config: Mapping, dataset: str, split: str) -> int:
    """How many files of records a split has."""
    if config["datasets"][dataset]["source"] == IMPORT:
        return dataset_settings(config, dataset)["shards"]
    return len(drawn_shards(config, split))


def drawn_shards(config: Mapping, split: str) -> list[tuple[int, int]]:
    """The first simulated image of a split in each of its shards, and the one after the last."""
    images, size = config["splits"][split]["images"], config["splits"][split]["shard_size"]
    return [(start, min(start + size, images)) for start in range(0, images, size)]


def thread_settings(config: Mapping, encoder: Mapping) -> dict:
    """The threads of a job with an encoder: operations at a time, and those of one operation."""
    count, each = config["cpu_threads"], config["threads_per_operation"]
    if each == "auto":
        each = 1 if runs_side_by_side(encoder) else None
    return {"threads": count, "each": min(each or count, count)}


def of_run(config: Mapping) -> dict:
    """The configuration without what is not run, and without what changes no result."""
    datasets = datasets_used(config)
    arms = {name: config["arms"][name] for name in config["run"]["arms"]}
    keys = ("pretraining", *MATCHES)
    named = {arm.get(key) for arm in arms.values() for key in keys}
    pretexts = {
        entry
        for dataset in datasets
        for entry in (
            *(pretraining_entry(config, name, dataset).get("pretext") for name in named - {None}),
            *(finetuning_entry(config, arm, dataset)["augmentation"] for arm in arms),
        )
    }
    kept = {"datasets": datasets, "pretrainings": named, "pretexts": pretexts}
    return {
        key: {name: entry[name] for name in entry if name in kept[key]} if key in kept else entry
        for key, entry in {**config, "arms": arms}.items()
        if key not in NO_RESULT
    }


def own_images(config: Mapping, seed: int) -> dict:
    """The training images that a seed has of its own, as a setting of all of its jobs.

    Returns:
        `training_images`: the first row of the training split, and the one after the last. Nothing
        where all seeds have all training images.
    """
    if (size := config["run"]["images_per_seed"]) is None:
        return {}
    first = size * config["run"]["seeds"].index(seed)
    return {"training_images": [first, first + size]}


def computing_settings(config: Mapping, encoder: Mapping) -> dict:
    """What decides the arithmetic of a training's process: its threads and its precision."""
    return thread_settings(config, encoder) | {"precision": config["precision"]}


def preprocessing_settings(config: Mapping, dataset: str) -> dict:
    """Settings of the preprocessing of a data set."""
    return resolve(config["preprocessing"], dataset)


def pixels_seen(config: Mapping, dataset: str) -> int:
    """Pixels along the side of an image that an encoder sees, after the preprocessing."""
    chosen = preprocessing_settings(config, dataset)
    return (chosen["crop"] or config["datasets"][dataset]["instrument"]["pixels"]) // chosen["bin"]


def pretraining_settings(config: Mapping, pretraining: str, dataset: str) -> dict:
    """Settings of a pretraining: the defaults, its entry, the defaults of its method.

    `views` are the augmentations of its pretext, `options` what the method's schema describes.
    Where some of the augmentations are of raw images, these are `raw_views`, and `raw_images` the
    name of what they are applied to in the records. `substructures` are there where `pairs` needs
    them, see `views.paired_rows`.
    """
    entry = pretraining_entry(config, pretraining, dataset)
    raw, entry["views"] = split_raw(config["pretexts"][entry["pretext"]])
    if raw:
        entry |= _raw_views(raw, config["datasets"][dataset])
    if entry["pairs"] == "same_substructure":
        recipe = config["datasets"][dataset]
        period = len(class_turns(recipe["class_shares"]))
        entry["substructures"] = {"period": period, "size": recipe["lenses_per_substructure"]}
    entry["options"] = with_defaults(entry.get("options", {}), method_schema(entry))
    entry["encoder"] = _encoder(config, entry, dataset)
    entry["xla"] = config["xla"]
    entry["computing"] = computing_settings(config, entry["encoder"])
    return entry


def _raw_views(augmentations: list, recipe: Mapping) -> dict:
    """Settings of augmentations of raw images; the noise that is drawn is that of the recipe."""
    draws_noise = NOISE in augmentation_names(augmentations)
    noise = {key: recipe[key] for key in ("noise", "instrument")} if draws_noise else {}
    return {
        "raw_views": [
            {name: noise if name == NOISE else strengths}
            for augmentation in augmentations
            for name, strengths in augmentation.items()
        ],
        "raw_images": "noise_free" if noise else "image",
    }


def is_from_file(config: Mapping, pretraining: str) -> bool:
    """Whether a pretraining is an encoder that was exported elsewhere."""
    return "file" in config["pretrainings"][pretraining]


def import_settings(config: Mapping, pretraining: str, dataset: str) -> dict:
    """Settings of an encoder from a file: its path as `file`, and what it must fit."""
    entry = pretraining_entry(config, pretraining, dataset)
    encoder = _encoder(config, entry, dataset)
    return {
        "file": str(Path(entry["file"]).expanduser()),
        "encoder": encoder,
        "computing": thread_settings(config, encoder),
    }


def pretraining_encoder(config: Mapping, pretraining: str, dataset: str) -> dict:
    """Settings of the encoder of a pretraining."""
    return _encoder(config, pretraining_entry(config, pretraining, dataset), dataset)


def task_settings(config: Mapping) -> dict:
    """Settings of the task of the run, with the defaults of its schema."""
    own = config["task"]
    return {"name": own["name"], **with_defaults(own, load_schema(task_schema(own["name"])))}


def task_traits(config: Mapping) -> Traits:
    """What is decided by the task of the run."""
    return traits_of(config["task"]["name"])


def arm_settings(config: Mapping, arm: str, dataset: str) -> dict:
    """Settings of the fine-tuning of an arm.

    Returns:
        `protocol`, `task`, `encoder`, `computing`, and the settings of the protocol under
        `learning`.
    """
    learning = finetuning_entry(config, arm, dataset)
    learning["augmentation"] = config["pretexts"][learning["augmentation"]]
    learning["xla"] = config["xla"]
    learning |= {key: _matched(config, arm, dataset, key) for key in MATCHES}
    encoder = arm_encoder(config, arm, dataset)
    return {
        "protocol": arm_protocol(config, arm),
        "task": task_settings(config),
        "encoder": encoder,
        "learning": learning,
        "computing": computing_settings(config, encoder),
    }


def evaluation_settings(config: Mapping, arm: str, dataset: str) -> dict:
    """Settings of the evaluation of a fine-tuned arm: its own, and how images are predicted."""
    chosen = arm_settings(config, arm, dataset)
    return chosen | _prediction_settings(config, chosen["encoder"])


def _prediction_settings(config: Mapping, encoder: Mapping) -> dict:
    """How images are predicted: in which orientations, and in float32 by so many threads."""
    return {
        "average_orientations": config["evaluation"]["average_orientations"],
        "computing": thread_settings(config, encoder),
    }


def frozen_encoder(config: Mapping, arm: str, dataset: str) -> str:
    """The name, in paths, of an arm's encoder before it learns labels, whose features are probed.

    Of a pretrained one its pretraining and the data set of that; of a random one, a digest of its
    settings.
    """
    entry = config["arms"][arm]
    if (pretraining := entry.get("pretraining")) is not None:
        return f"{pretraining}@{pretrained_on(entry, dataset)}"
    return f"random@{json_digest(arm_encoder(config, arm, dataset))[:8]}"


def frozen_encoders(config: Mapping, dataset: str) -> dict[str, str]:
    """Encoders whose features of a data set may be computed: name -> the first arm that has it."""
    found: dict[str, str] = {}
    for arm in config["arms"]:
        found.setdefault(frozen_encoder(config, arm, dataset), arm)
    return found


def features_settings(config: Mapping, encoder: str, dataset: str) -> dict:
    """Settings of the features of a frozen encoder, by its name in `frozen_encoders`."""
    chosen = arm_encoder(config, frozen_encoders(config, dataset)[encoder], dataset)
    return {"encoder": chosen} | _prediction_settings(config, chosen)


def probe_settings(config: Mapping, arm: str, dataset: str) -> dict:
    """Settings of the probe of an arm with a frozen encoder.

    Returns:
        `protocol`, `task`, the settings of the protocol under `learning`, and how images are
        predicted.
    """
    protocol = arm_protocol(config, arm)
    learning = resolve(config["probe"], dataset)
    if protocol == NEAREST_NEIGHBOURS:
        learning = dict(config["nearest_neighbours"])
    predicted = _prediction_settings(config, arm_encoder(config, arm, dataset))
    task = task_settings(config)
    if "head" in task:
        task["head"] = "gaussian"  # what ridge regression and neighbours give
    return {"protocol": protocol, "task": task, "learning": learning} | predicted


def finetuning_entry(config: Mapping, arm: str, dataset: str) -> dict:
    """The section `finetuning` for a data set, and what an arm has of its own."""
    own = resolve(config["arms"][arm].get("finetuning", {}), dataset)
    return _override(resolve(config["finetuning"], dataset), own)


def _matched(config: Mapping, arm: str, dataset: str, key: str) -> dict | None:
    """What the length, or the cost, of the pretraining follows from that an arm matches, if any."""
    pretraining = config["arms"][arm].get(key)
    if pretraining is None:
        return None
    chosen = pretraining_settings(config, pretraining, dataset)
    matched = {name: chosen[name] for name in ("batch_size", "epochs", "steps")}
    if key == "match_compute_of":
        matched["encoder_passes"] = encoder_passes(chosen, pixels_seen(config, dataset))
    return matched


def arm_encoder(config: Mapping, arm: str, dataset: str) -> dict:
    """Settings of an arm's encoder: those of its pretraining, or of that it computes as much as."""
    entry = config["arms"][arm]
    if (matched := entry.get("match_compute_of")) is not None:
        return pretraining_encoder(config, matched, dataset)
    if entry.get("pretraining") is not None:
        dataset = pretrained_on(entry, dataset)
        entry = pretraining_entry(config, entry["pretraining"], dataset)
    return _encoder(config, entry, dataset)


def pretrained_on(arm: Mapping, dataset: str) -> str:
    """The data set an arm's encoder was pretrained on: its own, but in a transfer."""
    return arm.get("pretrained_on") or dataset


def arm_fields(config: Mapping, arm: str, dataset: str) -> dict:
    """What metrics.json tells of an arm."""
    entry = config["arms"][arm]
    pretraining = entry.get("pretraining")
    source = pretrained_on(entry, dataset)
    chosen = pretraining_entry(config, pretraining, source) if pretraining else {}
    return {
        "arm": arm,
        "dataset": dataset,
        "protocol": arm_protocol(config, arm),
        "pretraining": pretraining,
        "pretrained_on": source if pretraining else None,
        "method": "file" if "file" in chosen else chosen.get("method"),
        "pretext": chosen.get("pretext"),
        "encoder": encoder_fields(config, arm, dataset),
    }


def encoder_fields(config: Mapping, arm: str, dataset: str) -> dict:
    """What metrics.json tells of an arm's encoder, and the probe table finds its control by."""
    encoder = arm_encoder(config, arm, dataset)
    own = encoder_schema(encoder["name"])["properties"]
    return {key: encoder[key] for key in ("name", *own, "neck")}


def arm_protocol(config: Mapping, arm: str) -> str:
    """How an arm learns the labels: one of `sslens.protocols`."""
    return config["arms"][arm].get("protocol", FINE_TUNE)


# --- parts of them --------------------------------------------------------------------------------


def _encoder(config: Mapping, entry: Mapping, dataset: str) -> dict:
    """Settings of the encoder, with what a pretraining or an arm has of its own."""
    encoder = _laid_over([config["encoder"], entry.get("encoder", {})], dataset)
    return with_defaults(encoder, encoder_schema(encoder["name"]))


def _laid_over(sections: Iterable[Mapping], dataset: str) -> dict:
    """Settings of an encoder for one data set, of several sections, the last one before the others.

    Of each, the settings `for_dataset` come before its others.
    """
    parts = [
        part
        for section in sections
        for part in (
            {key: value for key, value in section.items() if key != "for_dataset"},
            section.get("for_dataset", {}).get(dataset, {}),
        )
    ]
    return deepcopy(reduce(laid_over, parts))


def pretraining_entry(config: Mapping, name: str, dataset: str) -> dict:
    """A pretraining's entry for one data set, laid over the defaults of all."""
    defaults = resolve(config["pretraining"], dataset)
    own = resolve(config["pretrainings"][name], dataset)
    entry = _override(defaults, own)
    if "encoder" in entry:
        encoders = [layer.get("encoder", {}) for layer in (defaults, own)]
        entry["encoder"] = _laid_over(encoders, dataset)
    return entry


def method_schema(pretraining: Mapping) -> dict:
    """The schema of the options of a pretraining's method."""
    return load_schema(schema_path(pretraining["method"]))


def with_defaults(content: Mapping, schema: Mapping) -> dict:
    """Fill in the defaults of a schema, down into its objects."""
    filled = dict(content)
    for key, part in schema.get("properties", {}).items():
        if key not in filled and "default" in part:
            filled[key] = deepcopy(part["default"])
        if part.get("type") == "object" and key in filled:
            filled[key] = with_defaults(filled[key], part)
    return filled
