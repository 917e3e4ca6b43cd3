"""The configuration: defaults, checks, and what a job is told of it. Free of TensorFlow."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from sslens.archive_paths import check_paths
from sslens.axes import check_axes
from sslens.classes import CLASSES
from sslens.methods import method_names, schema_path
from sslens.names import unknown
from sslens.protocols import FINE_TUNE, FROZEN, LINEAR_PROBE
from sslens.recipes import check_recipe

AUGMENTATIONS = Path(__file__).with_name("augmentations.schema.yaml")
ARCHIVE = Path(__file__).with_name("archive.schema.yaml")
#: Where a data set's images may come from.
SIMULATION, IMPORT = SOURCES = ("simulation", "archive")
#: Keys that change no result, and rerun nothing.
NO_RESULT = ("tensorboard", "planning", "data_dir", "checkpoint_dir", "container")


class ConfigurationError(ValueError):
    """The configuration cannot be run; the message names the key and the remedy."""


# --- reading and checking -------------------------------------------------------------------------


def load(folder: Path, given: Mapping) -> dict:
    """Defaults of `folder` (config.yaml, datasets.yaml), overlaid by what the user gave."""
    config: dict = {}
    for name in ("datasets.yaml", "config.yaml"):
        content = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        config = _lay_over(config, content)
    return _lay_over(config, given)


def _lay_over(config: Mapping, layer: Mapping) -> dict:
    """Merge a layer over the configuration, and make its data sets that are `like` another.

    Layer by layer, so that what is laid over a data set later leaves alone those that are like it.
    """
    layer = _with_text_keys(layer)
    merged = merge(config, layer)
    if isinstance(layer.get("datasets"), Mapping):
        merged["datasets"] = _make_alike(merged["datasets"], layer["datasets"])
    return merged


def _with_text_keys(layer: Mapping) -> dict:
    """A layer in which labels that are numbers are texts, as they have to be in JSON."""
    copied = deepcopy(dict(layer))
    datasets = copied.get("datasets")
    for entry in datasets.values() if isinstance(datasets, Mapping) else ():
        if isinstance(entry, Mapping) and isinstance(classes := entry.get("classes"), Mapping):
            texts = {str(key) if type(key) is int else key: name for key, name in classes.items()}
            entry["classes"] = texts  # type: ignore[index]  # a copy of a mapping from YAML
    return copied


def _make_alike(datasets: Mapping, own: Mapping) -> dict:
    """Lay every entry of `own` that is `like` a data set over a copy of that one but for its title.

    A section of the entry replaces the whole section: of amplitude and magnitude, say, one has to
    go. An entry that is like none that is there, or in the end like itself, is left for `check`.
    """
    made = dict(datasets)
    waiting = {
        name: str(entry["like"])
        for name, entry in own.items()
        if isinstance(entry, Mapping) and "like" in entry
    }

    def is_ready(other: str) -> bool:
        return other not in waiting and isinstance(made.get(other), Mapping)

    while ready := [name for name, other in waiting.items() if is_ready(other)]:
        for name in ready:
            entry = {**made[waiting.pop(name)], "title": name, **own[name]}
            made[name] = {key: deepcopy(value) for key, value in entry.items() if key != "like"}
    return made


def merge(base: Mapping, overlay: Mapping) -> dict:
    """Merge two nested mappings; where both have a key that holds no mapping, the overlay wins."""
    merged = deepcopy(dict(base))
    for key, value in overlay.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else deepcopy(value)
    return merged


def check(config: Mapping, schema: Mapping) -> None:
    """Check a configuration as a whole.

    Raises:
        ConfigurationError: with one line for the first thing that is wrong.
    """
    _check_schema(config, schema, "")
    _check_likes(config["datasets"])
    for key, kind in (("datasets", "data set"), ("arms", "arm")):
        for name in config["run"][key]:
            _check_known(name, config[key], f"run.{key}", kind)
    for where, dataset in _overrides(config):
        _check_known(dataset, config["datasets"], where, "data set")
    for name in config["arms"]:
        _check_arm(config, name)
    for name in config["pretexts"]:
        _check_pretext(config, name)
    for name in config["pretrainings"]:
        _check_pretraining(config, name)
    for dataset in _datasets_used(config):
        _check_dataset(config, dataset)
    baseline = config["comparison"]["baseline"]
    _check_known(baseline, config["arms"], "comparison.baseline", "arm")
    if arm_protocol(config, baseline) in FROZEN or config["arms"][baseline].get("pretraining"):
        raise ConfigurationError(
            f"comparison.baseline: {baseline} is no baseline; name an arm that is fine-tuned "
            "without a pretraining"
        )
    for name in config["run"]["arms"]:
        _check_pairs(config, config["arms"][name])
    _check_controls(config)
    _check_fractions(config)
    _check_titles(config)


def _check_likes(datasets: Mapping) -> None:
    """No data set is left `like` another: `load` could have made it of one that is there."""
    left = {name: entry["like"] for name, entry in datasets.items() if "like" in entry}
    for name, other in left.items():
        _check_known(other, datasets, f"datasets.{name}.like", "data set")
    if left:
        raise ConfigurationError(
            f"datasets.{next(iter(left))}.like: goes round in a circle ({', '.join(left)}); write "
            "one of them out"
        )


def _check_arm(config: Mapping, name: str) -> None:
    """What an arm refers to is there, and it does not contradict its pretraining."""
    arm, where = config["arms"][name], f"arms.{name}"
    if arm.get("pretrained_on") is not None:
        _check_known(arm["pretrained_on"], config["datasets"], f"{where}.pretrained_on", "data set")
        if arm.get("pretraining") is None:
            raise ConfigurationError(
                f"{where}.pretrained_on: the arm has no pretraining; give one, or leave this out"
            )
    if arm.get("pretraining") is not None:
        known = config["pretrainings"]
        _check_known(arm["pretraining"], known, f"{where}.pretraining", "pretraining")
        if "encoder" in arm:
            raise ConfigurationError(
                f"{where}.encoder: an arm has its pretraining's encoder; set it under "
                f"pretrainings.{arm['pretraining']}"
            )
    if "as_long_as" in arm:
        _check_known(
            arm["as_long_as"], config["pretrainings"], f"{where}.as_long_as", "pretraining"
        )
    for key in ("as_long_as", "finetuning"):
        if key in arm and arm_protocol(config, name) in FROZEN:
            raise ConfigurationError(
                f"{where}.{key}: an arm of protocol {arm['protocol']} is not fine-tuned; leave "
                "it out"
            )


def _check_pretext(config: Mapping, name: str) -> None:
    for index, augmentation in enumerate(config["pretexts"][name]):
        _check_schema(augmentation, _schema(AUGMENTATIONS), f"pretexts.{name}.{index}")


def _check_pretraining(config: Mapping, name: str) -> None:
    where = f"pretrainings.{name}"
    for dataset in config["datasets"]:
        entry = _pretraining(config, name, dataset)
        _check_known(entry["method"], method_names(), f"{where}.method", "method")
        _check_known(entry["pretext"], config["pretexts"], f"{where}.pretext", "pretext")
        _check_schema(entry.get("options", {}), _method_schema(entry), f"{where}.options")


def _check_pairs(config: Mapping, arm: Mapping) -> None:
    """Pairs of one lens are taken from data sets that have several images of a lens."""
    for dataset in config["run"]["datasets"] if arm.get("pretraining") else []:
        source = pretrained_on(arm, dataset)
        entry = _pretraining(config, arm["pretraining"], source)
        per_lens = config["datasets"][source].get("images_per_lens", 1)
        if entry["pairs"] == "same_lens" and per_lens == 1:
            raise ConfigurationError(
                f"pretrainings.{arm['pretraining']}.pairs: same_lens, but {source} has one image a "
                f"lens; set datasets.{source}.images_per_lens"
            )
        images = config["splits"]["train"]["images"]
        if entry["pairs"] == "same_lens" and images < len(CLASSES) * per_lens:
            raise ConfigurationError(
                f"splits.train.images: {images} images, but pairs: same_lens of pretrainings."
                f"{arm['pretraining']} needs {len(CLASSES) * per_lens} of {source}: the "
                f"{per_lens} images of one lens of each class"
            )


def _check_dataset(config: Mapping, dataset: str) -> None:
    """A data set of the run can be made, and trained on as the configuration says."""
    entry, where = config["datasets"][dataset], f"datasets.{dataset}"
    _check_known(entry.get("source"), SOURCES, f"{where}.source", "source")
    try:
        if entry["source"] == IMPORT:
            _check_schema(entry, _schema(ARCHIVE), where)
            _check_class_names(where, entry)
            check_axes(dataset, entry)
            check_paths(dataset, entry)
        else:
            check_recipe(dataset, entry)
    except ConfigurationError:
        raise
    except ValueError as error:
        raise ConfigurationError(f"datasets.{error}") from None
    _check_fits(config, dataset)
    _check_neck(config, dataset)
    augmentation = resolve(config["finetuning"], dataset)["augmentation"]
    _check_known(augmentation, config["pretexts"], "finetuning.augmentation", "pretext")
    for arm in config["run"]["arms"]:
        augmentation = _finetuning(config, arm, dataset)["augmentation"]
        where = f"arms.{arm}.finetuning.augmentation"
        _check_known(augmentation, config["pretexts"], where, "pretext")


def _check_class_names(where: str, entry: Mapping) -> None:
    """Names of classes are texts or whole numbers."""
    for name in entry.get("classes", {}):
        if not isinstance(name, str | int) or isinstance(name, bool):
            raise ConfigurationError(
                f"{where}.classes: YAML takes a name there for {name!r}: put it in quotes"
            )


def _check_fits(config: Mapping, dataset: str) -> None:
    """Crop and binning fit the images."""
    told = preprocessing_settings(config, dataset)
    pixels = config["datasets"][dataset]["instrument"]["pixels"]
    kept = told["crop"] or pixels
    if kept > pixels or kept % told["bin"]:
        raise ConfigurationError(
            f"preprocessing: {dataset} has {pixels} x {pixels} pixels, which crop "
            f"{told['crop'] or 'null'} and bin {told['bin']} do not fit: crop at most {pixels}, to "
            "a multiple of bin"
        )


def _check_neck(config: Mapping, dataset: str) -> None:
    """Every encoder of the run has no dropout, or a rate for each layer of its neck."""
    for arm in config["run"]["arms"]:
        encoder = arm_encoder(config, arm, dataset)
        if len(encoder["neck_dropout"]) not in (0, len(encoder["neck"])):
            raise ConfigurationError(
                f"encoder.neck_dropout: {encoder['neck_dropout']} for a neck of "
                f"{encoder['neck']} (arm {arm}, {dataset}): give a rate for each layer, or none"
            )


def _overrides(section: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """The data sets that any `for_dataset` names, each after the path of that key."""
    if isinstance(section, Mapping):
        for key, value in section.items():
            path = f"{where}.{key}" if where else str(key)
            if key == "for_dataset" and isinstance(value, Mapping):
                yield from ((path, dataset) for dataset in value)
            yield from _overrides(value, path)


def _check_controls(config: Mapping) -> None:
    """Every frozen encoder has a random one of its settings beside it, and no more than one."""
    run = config["run"]
    frozen = [arm for protocol in FROZEN for arm in arm_titles(config, protocol)]
    for dataset, arm in product(run["datasets"], frozen):
        defined = _controls(config, arm, dataset)
        chosen = [name for name in defined if name in run["arms"]]
        if len(chosen) > 1:
            raise ConfigurationError(
                f"run.arms: {' and '.join(chosen)} probe the same random encoder on {dataset}; "
                "leave all but one out"
            )
        if not chosen:
            encoder = json.dumps(_told_of_encoder(config, arm, dataset)).replace('"', "")
            new = (
                f"an arm with protocol: {arm_protocol(config, arm)}, no pretraining and encoder: "
                f"{encoder}"
            )
            raise ConfigurationError(
                f"run.arms: {arm} has no probe of a random encoder to be compared with on "
                f"{dataset}; add {defined[0] if defined else new}"
            )


def _controls(config: Mapping, arm: str, dataset: str) -> list[str]:
    """Arms, of the run or not, that probe a random encoder with the settings of an arm's."""
    encoder, protocol = _told_of_encoder(config, arm, dataset), arm_protocol(config, arm)
    return [
        name
        for name, entry in config["arms"].items()
        if arm_protocol(config, name) == protocol
        and entry.get("pretraining") is None
        and _told_of_encoder(config, name, dataset) == encoder
    ]


def references(config: Mapping) -> dict[str, dict[str, str]]:
    """Data set -> arm of the run -> the arm that it is tested against, where there is one.

    A row is tested against the baseline, a frozen encoder against the random one of its settings.
    """
    found: dict[str, dict[str, str]] = {dataset: {} for dataset in config["run"]["datasets"]}
    for dataset, arm in product(found, config["run"]["arms"]):
        others = [config["comparison"]["baseline"]]
        if arm_protocol(config, arm) in FROZEN:
            others = _controls(config, arm, dataset)
        for other in others:
            if other in config["run"]["arms"] and other != arm:
                found[dataset][arm] = other
    return found


def transfers(config: Mapping) -> dict[str, dict[str, dict[str, str]]]:
    """Pretraining -> data set of the run -> data set its encoder is from -> the row that has it.

    Of those pretrainings that some row of the run has from another data set.
    """
    found: dict[str, dict[str, dict[str, str]]] = {}
    moved = set()
    for arm, dataset in product(arm_titles(config, FINE_TUNE), config["run"]["datasets"]):
        entry = config["arms"][arm]
        if (pretraining := entry.get("pretraining")) is None:
            continue
        source = pretrained_on(entry, dataset)
        found.setdefault(pretraining, {}).setdefault(dataset, {}).setdefault(source, arm)
        if source != dataset:
            moved.add(pretraining)
    return {pretraining: table for pretraining, table in found.items() if pretraining in moved}


def _check_fractions(config: Mapping) -> None:
    """Every label fraction leaves an image of each class; images take turns in class.

    How many images an archive has is not known yet: `check_labels` is for them.
    """
    if not names_from(config, SIMULATION, config["run"]["datasets"]):
        return
    of_rarest = config["splits"]["train"]["images"] // len(CLASSES)
    for index, fraction in enumerate(config["run"]["label_fractions"]):
        if round(fraction * of_rarest) == 0:
            raise ConfigurationError(
                f"run.label_fractions.{index}: {fraction} of {of_rarest} training images a class "
                "leaves none: take a larger fraction, or more images in splits.train"
            )


def check_labels(config: Mapping, dataset: str, images_per_class: Mapping[str, int]) -> None:
    """Every label fraction of the run leaves a training image of each class of an archive.

    Args:
        config: the configuration.
        dataset: name of the archive; nothing is checked where the run learns no labels of it.
        images_per_class: of its training split.

    Raises:
        ConfigurationError: where it leaves none.
    """
    if dataset not in config["run"]["datasets"]:
        return
    for index, fraction in enumerate(config["run"]["label_fractions"]):
        for name, images in images_per_class.items():
            if round(fraction * images) == 0:
                raise ConfigurationError(
                    f"run.label_fractions.{index}: {fraction} of the {images} training images of "
                    f"{name} in {dataset} leaves none: take a larger fraction, or add images"
                )


def _check_titles(config: Mapping) -> None:
    """Rows and columns of a table have titles of their own."""
    headings = [
        ("datasets", "data sets", dataset_titles(config)),
        *(("arms", "arms", arm_titles(config, part)) for part in (FINE_TUNE, *FROZEN)),
    ]
    for where, kind, titles in headings:
        for title in titles.values():
            if list(titles.values()).count(title) > 1:
                raise ConfigurationError(
                    f"{where}: two {kind} of this run have the title {title!r}; change one"
                )


def _check_schema(content: Any, schema: Mapping, where: str) -> None:
    error = jsonschema.exceptions.best_match(_Validator(schema).iter_errors(content))
    if error is None:
        return
    path = ".".join([*filter(None, [where]), *map(str, error.absolute_path)]) or "top level"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        new = next(key for key in error.instance if key not in known)
        _check_known(new, known, path, "key")
    hint = error.schema.get("description")
    if error.validator == "type" and _reads_as_number(error.instance):
        hint = "write 1.0e-3: YAML takes 1e-3 for a text"
    raise ConfigurationError(f"{path}: {error.message}" + (f" ({hint})" if hint else ""))


def _reads_as_number(value: Any) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


# JSON schema takes 1500.0 for an integer, and 1.0 for a seed; in a file name they are none
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def _check_known(name: str, known: Iterable[str], where: str, kind: str) -> None:
    known = list(known)
    if name not in known:
        raise ConfigurationError(f"{where}: {unknown(kind, name, known)}")


def _datasets_used(config: Mapping) -> list[str]:
    sources = [config["arms"][arm].get("pretrained_on") for arm in config["run"]["arms"]]
    return list(dict.fromkeys([*config["run"]["datasets"], *filter(None, sources)]))


# --- what a job is told ---------------------------------------------------------------------------


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
        entry = _with_defaults(entry, _schema(ARCHIVE))
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


def thread_settings(config: Mapping) -> dict:
    """The threads of a job with a network: operations at a time, and those of one operation."""
    count = config["cpu_threads"]
    return {"threads": count, "each": min(config["threads_per_operation"] or count, count)}


def of_run(config: Mapping) -> dict:
    """The configuration without what is not run, and without what changes no result."""
    datasets = _datasets_used(config)
    arms = {name: config["arms"][name] for name in config["run"]["arms"]}
    named = {arm.get(key) for arm in arms.values() for key in ("pretraining", "as_long_as")}
    pretexts = {
        entry
        for dataset in datasets
        for entry in (
            *(_pretraining(config, name, dataset)["pretext"] for name in named - {None}),
            *(_finetuning(config, arm, dataset)["augmentation"] for arm in arms),
        )
    }
    kept = {"datasets": datasets, "pretrainings": named, "pretexts": pretexts}
    return {
        key: {name: entry[name] for name in entry if name in kept[key]} if key in kept else entry
        for key, entry in {**config, "arms": arms}.items()
        if key not in NO_RESULT
    }


def computing_settings(config: Mapping) -> dict:
    """What decides the arithmetic of a training's process: its threads and its precision."""
    return thread_settings(config) | {"precision": config["precision"]}


def preprocessing_settings(config: Mapping, dataset: str) -> dict:
    """What the preprocessing of a data set is told."""
    return resolve(config["preprocessing"], dataset)


def pretraining_settings(config: Mapping, pretraining: str, dataset: str) -> dict:
    """What a pretraining is told: the defaults, its entry, the defaults of its method.

    `views` are the augmentations of its pretext, `options` what the method's schema describes.
    """
    entry = _pretraining(config, pretraining, dataset)
    entry["views"] = config["pretexts"][entry["pretext"]]
    entry["options"] = _with_defaults(entry.get("options", {}), _method_schema(entry))
    entry["encoder"] = _encoder(config, entry, dataset)
    entry["xla"] = config["xla"]
    return entry


def arm_settings(config: Mapping, arm: str, dataset: str) -> dict:
    """What the learning of the labels is told in an arm.

    Returns:
        `protocol`, `encoder`, and the settings of the protocol under `learning`.
    """
    protocol = arm_protocol(config, arm)
    if protocol == FINE_TUNE:
        learning = _finetuning(config, arm, dataset)
        learning["augmentation"] = config["pretexts"][learning["augmentation"]]
        learning["xla"] = config["xla"]
        learning["as_long_as"] = _length(config, arm, dataset)
    elif protocol == LINEAR_PROBE:
        learning = resolve(config["probe"], dataset)
    else:
        learning = dict(config["nearest_neighbours"])
    return {
        "protocol": protocol,
        "encoder": arm_encoder(config, arm, dataset),
        "learning": learning,
    }


def _finetuning(config: Mapping, arm: str, dataset: str) -> dict:
    """The section `finetuning` for a data set, and what an arm has of its own."""
    own = resolve(config["arms"][arm].get("finetuning", {}), dataset)
    return _override(resolve(config["finetuning"], dataset), own)


def _length(config: Mapping, arm: str, dataset: str) -> dict | None:
    """What the length of the pretraining follows from whose steps an arm takes as well, if any."""
    pretraining = config["arms"][arm].get("as_long_as")
    if pretraining is None:
        return None
    entry = _pretraining(config, pretraining, dataset)
    return {key: entry[key] for key in ("batch_size", "epochs", "steps")}


def arm_encoder(config: Mapping, arm: str, dataset: str) -> dict:
    """Settings of an arm's encoder: those of its pretraining, if it has one."""
    entry = config["arms"][arm]
    if entry.get("pretraining") is not None:
        dataset = pretrained_on(entry, dataset)
        entry = _pretraining(config, entry["pretraining"], dataset)
    return _encoder(config, entry, dataset)


def pretrained_on(arm: Mapping, dataset: str) -> str:
    """The data set an arm's encoder was pretrained on: its own, but in a transfer."""
    return arm.get("pretrained_on") or dataset


def arm_fields(config: Mapping, arm: str, dataset: str) -> dict:
    """What metrics.json tells of an arm."""
    entry = config["arms"][arm]
    pretraining = entry.get("pretraining")
    source = pretrained_on(entry, dataset)
    chosen = _pretraining(config, pretraining, source) if pretraining else {}
    return {
        "arm": arm,
        "dataset": dataset,
        "protocol": arm_protocol(config, arm),
        "pretraining": pretraining,
        "pretrained_on": source if pretraining else None,
        "method": chosen.get("method"),
        "pretext": chosen.get("pretext"),
        "encoder": _told_of_encoder(config, arm, dataset),
    }


def _told_of_encoder(config: Mapping, arm: str, dataset: str) -> dict:
    """What metrics.json tells of an arm's encoder, and the probe table finds its control by."""
    encoder = arm_encoder(config, arm, dataset)
    return {key: encoder[key] for key in ("name", "width", "stem", "neck")}


def arm_protocol(config: Mapping, arm: str) -> str:
    """How an arm learns the labels: one of `sslens.protocols`."""
    return config["arms"][arm].get("protocol", FINE_TUNE)


def arm_title(config: Mapping, arm: str) -> str:
    """The name of an arm's row in the tables."""
    return config["arms"][arm].get("title", arm)


def arm_titles(config: Mapping, protocol: str | None = None) -> dict[str, str]:
    """Titles of the arms of the run, of one protocol or of all, in the run's order."""
    return {
        arm: arm_title(config, arm)
        for arm in config["run"]["arms"]
        if protocol in (None, arm_protocol(config, arm))
    }


def dataset_titles(config: Mapping) -> dict[str, str]:
    """Titles of the data sets of the run, in its order."""
    return {name: config["datasets"][name].get("title", name) for name in config["run"]["datasets"]}


def _encoder(config: Mapping, entry: Mapping, dataset: str) -> dict:
    """Settings of the encoder, with what a pretraining or an arm has of its own."""
    return merge(resolve(config["encoder"], dataset), resolve(entry.get("encoder", {}), dataset))


def _pretraining(config: Mapping, name: str, dataset: str) -> dict:
    """A pretraining's entry for one data set, laid over the defaults of all."""
    defaults = resolve(config["pretraining"], dataset)
    return _override(defaults, resolve(config["pretrainings"][name], dataset))


def _method_schema(pretraining: Mapping) -> dict:
    return _schema(schema_path(pretraining["method"]))


@cache
def _schema(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _with_defaults(content: Mapping, schema: Mapping) -> dict:
    """Fill in the defaults of a schema, down into its objects."""
    filled = dict(content)
    for key, part in schema.get("properties", {}).items():
        if key not in filled and "default" in part:
            filled[key] = deepcopy(part["default"])
        if part.get("type") == "object" and key in filled:
            filled[key] = _with_defaults(filled[key], part)
    return filled
