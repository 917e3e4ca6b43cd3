"""Checks of the configuration, each error one line that names the key and the remedy."""

import contextlib
import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from sslens.classes import CLASSES
from sslens.configuration.files import ConfigurationError
from sslens.configuration.settings import (
    ARCHIVE,
    AUGMENTATIONS,
    IMPORT,
    SIMULATION,
    SOURCES,
    arm_encoder,
    arm_protocol,
    arm_titles,
    controls,
    dataset_titles,
    datasets_used,
    encoder_fields,
    finetuning_entry,
    load_schema,
    method_schema,
    names_from,
    preprocessing_settings,
    pretrained_on,
    pretraining_entry,
    resolve,
)
from sslens.data.archives.axes import check_axes
from sslens.data.archives.paths import check_paths
from sslens.data.simulation.priors import is_number, is_whole
from sslens.data.simulation.recipes import check_recipe
from sslens.methods.registry import method_names
from sslens.protocols import FINE_TUNE, FROZEN
from sslens.suggestions import unknown

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of signs that break a line, or worse
#: Old name of a key -> its name.
RENAMED = {
    "as_long_as": "match_steps_of",
    "longest": "max_runtime_min",
    "margin": "safety_factor",
    "minutes": "overhead_min",
    "most_mb": "max_mem_mb",
}
MAX_SHARDS = 100_000  # files of a split


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
    for dataset in datasets_used(config):
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
    _check_shards(config)
    _check_fractions(config)
    _check_titles(config)
    _check_file_names(config)
    _check_folders(config)


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
    if "match_steps_of" in arm:
        _check_known(
            arm["match_steps_of"], config["pretrainings"], f"{where}.match_steps_of", "pretraining"
        )
    for key in ("match_steps_of", "finetuning"):
        if key in arm and arm_protocol(config, name) in FROZEN:
            raise ConfigurationError(
                f"{where}.{key}: an arm of protocol {arm['protocol']} is not fine-tuned; leave "
                "it out"
            )


def _check_pretext(config: Mapping, name: str) -> None:
    for index, augmentation in enumerate(config["pretexts"][name]):
        where = f"pretexts.{name}.{index}"
        _check_schema(augmentation, load_schema(AUGMENTATIONS), where)
        clip = augmentation.get("gaussian_noise", {}).get("clip")
        if clip and clip[0] >= clip[1]:
            raise ConfigurationError(
                f"{where}.gaussian_noise.clip: {clip}; give the lowest value before the highest"
            )


def _check_pretraining(config: Mapping, name: str) -> None:
    where = f"pretrainings.{name}"
    for dataset in config["datasets"]:
        entry = pretraining_entry(config, name, dataset)
        _check_known(entry["method"], method_names(), f"{where}.method", "method")
        _check_known(entry["pretext"], config["pretexts"], f"{where}.pretext", "pretext")
        _check_schema(entry.get("options", {}), method_schema(entry), f"{where}.options")


def _check_pairs(config: Mapping, arm: Mapping) -> None:
    """Pairs of one lens are taken from data sets that have several images of a lens."""
    for dataset in config["run"]["datasets"] if arm.get("pretraining") else []:
        source = pretrained_on(arm, dataset)
        entry = pretraining_entry(config, arm["pretraining"], source)
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
            _check_schema(entry, load_schema(ARCHIVE), where)
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
        augmentation = finetuning_entry(config, arm, dataset)["augmentation"]
        where = f"arms.{arm}.finetuning.augmentation"
        _check_known(augmentation, config["pretexts"], where, "pretext")


def _check_class_names(where: str, entry: Mapping) -> None:
    """Names of classes are texts or whole numbers, each given once."""
    names = [str(name) for name in entry.get("classes", {})]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ConfigurationError(
            f"{where}.classes: {repeated[0]} is given twice, as a number and as a text"
        )
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
    """The data sets that any `for_dataset` names, each after the path of that key.

    Raises:
        ConfigurationError: where one stands directly inside another, which `resolve` passes over.
    """
    if isinstance(section, Mapping):
        for key, value in section.items():
            path = f"{where}.{key}" if where else str(key)
            if key == "for_dataset" and isinstance(value, Mapping):
                yield from ((path, dataset) for dataset in value)
                if nested := [name for name, own in value.items() if "for_dataset" in own]:
                    raise ConfigurationError(
                        f"{path}.{nested[0]}.for_dataset: inside of a for_dataset; leave it out"
                    )
            yield from _overrides(value, path)


def _check_controls(config: Mapping) -> None:
    """Every frozen encoder has a random one of its settings beside it, and no more than one."""
    run = config["run"]
    frozen = [arm for protocol in FROZEN for arm in arm_titles(config, protocol)]
    for dataset, arm in product(run["datasets"], frozen):
        defined = controls(config, arm, dataset)
        chosen = [name for name in defined if name in run["arms"]]
        if len(chosen) > 1:
            raise ConfigurationError(
                f"run.arms: {' and '.join(chosen)} probe the same random encoder on {dataset}; "
                "leave all but one out"
            )
        if not chosen:
            encoder = json.dumps(encoder_fields(config, arm, dataset)).replace('"', "")
            new = (
                f"an arm with protocol: {arm_protocol(config, arm)}, no pretraining and encoder: "
                f"{encoder}"
            )
            raise ConfigurationError(
                f"run.arms: {arm} has no probe of a random encoder to be compared with on "
                f"{dataset}; add {defined[0] if defined else new}"
            )


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


def _check_shards(config: Mapping) -> None:
    """The files of a split can be listed: by a mistyped number of images there are too many."""
    for name, split in config["splits"].items():
        shards = -(-split["images"] // split["shard_size"])
        if shards > MAX_SHARDS:
            raise ConfigurationError(
                f"splits.{name}: {split['images']} images are {shards} files of "
                f"{split['shard_size']}, and {MAX_SHARDS} are the most; set a larger shard_size"
            )


def _check_titles(config: Mapping) -> None:
    """Rows and columns of a table have titles of their own, which tables and figures can show."""
    headings = [
        ("datasets", "data sets", dataset_titles(config)),
        *(("arms", "arms", arm_titles(config, part)) for part in (FINE_TUNE, *FROZEN)),
    ]
    for where, kind, titles in headings:
        for name, title in titles.items():
            _check_title(title, f"{where}.{name}.title")
            if list(titles.values()).count(title) > 1:
                raise ConfigurationError(
                    f"{where}: two {kind} of this run have the title {title!r}; change one"
                )


def _check_title(title: str, where: str) -> None:
    if not title.strip() or any(unicodedata.category(c) in UNPRINTABLE for c in title):
        raise ConfigurationError(
            f"{where}: {title!r} is not one line of text; write it without line breaks, and not "
            "empty"
        )
    if title.count("$") < 2:
        return
    from matplotlib import cbook, mathtext  # slow to import, and rarely needed

    if cbook.is_math_text(title):
        try:
            mathtext.MathTextParser("path").parse(title)
        except ValueError:
            raise ConfigurationError(
                f"{where}: figures cannot show {title!r}, since what is between its $ is no "
                r"formula of Matplotlib; correct it, or write \$ for the sign itself"
            ) from None


def _check_file_names(config: Mapping) -> None:
    """Names of a run do not meet in one file where the system ignores case, as macOS does."""
    arms = config["run"]["arms"]
    names = {
        "datasets": datasets_used(config),
        "arms": arms,
        "pretrainings": filter(None, (config["arms"][arm].get("pretraining") for arm in arms)),
    }
    for where, used in names.items():
        seen: dict[str, str] = {}
        for name in used:
            if (other := seen.setdefault(name.lower(), name)) != name:
                raise ConfigurationError(
                    f"{where}: {other} and {name} differ in case alone, and would share their "
                    "files on many systems; rename one"
                )


def _check_folders(config: Mapping) -> None:
    """Folders and files that the configuration names can be those of a system."""
    for key in ("data_dir", "checkpoint_dir", "container"):
        path = config[key]
        if path is None:
            continue
        if path in ("null", "None"):
            raise ConfigurationError(
                f"{key}: {path!r} is a text; write null in a file, or nothing after --config {key}="
            )
        if any(unicodedata.category(c) in UNPRINTABLE for c in path):
            raise ConfigurationError(f"{key}: {path!r} has a line break or another control sign")
        if key == "container" and "{" in path:  # which Snakemake takes for a wildcard
            raise ConfigurationError(f"{key}: {path!r} has braces; rename it")
        try:
            Path(path).expanduser()
        except RuntimeError:
            raise ConfigurationError(
                f"{key}: no home folder is known for {path!r}; write the path from / on"
            ) from None


def _check_schema(content: Any, schema: Mapping, where: str) -> None:
    errors = _Validator(schema).iter_errors(content)
    error = jsonschema.exceptions.best_match(errors, key=_relevance)
    if error is None:
        return
    path = ".".join([*filter(None, [where]), *map(str, error.absolute_path)]) or "top level"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        new = next(key for key in error.instance if key not in known)
        if new in RENAMED and RENAMED[new] in known:
            raise ConfigurationError(f"{path}.{new}: this key is {RENAMED[new]!r} now; rename it")
        _check_known(new, known, path, "key")
    message, hint = error.message, error.schema.get("description")
    if error.validator == "type":
        message = _problem_of_number(error.instance, error.validator_value) or message
        hint = _hint_of_text(error.instance, error.validator_value) or hint
    raise ConfigurationError(f"{path}: {message}" + (f" ({hint})" if hint else ""))


def _relevance(error: jsonschema.ValidationError) -> tuple:
    """What an error is chosen by, the largest; jsonschema's own cannot order the keys 1 and "a"."""
    return -len(error.path), [str(part) for part in error.path]


def _problem_of_number(value: Any, types: str | list[str]) -> str | None:
    """What is wrong with a number, where numbers are expected and this one is out of range."""
    if isinstance(value, bool) or not {"number", "integer"} & {*_listed(types)}:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a finite number"
    if isinstance(value, int) and not is_whole(value):
        return f"a whole number of {value.bit_length()} bits is out of range"
    return None


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _hint_of_text(value: Any, types: str | list[str]) -> str | None:
    """How to write what was given as a text, if it reads as a value of the right type."""
    if not isinstance(value, str):
        return None
    with contextlib.suppress(ValueError):
        if math.isfinite(float(value)) and isinstance(yaml.safe_load(value), str):
            return "write 1.0e-3: YAML takes 1e-3 for a text"
    with contextlib.suppress(yaml.YAMLError, ValueError):
        if _Validator({"type": types}).is_valid(yaml.safe_load(value)):
            return (
                "it is a text: write it without quotes and, since --config reads true, null and "
                "everything inside of braces as texts, in a file for --configfile"
            )
    return None


# JSON schema takes 1500.0 for an integer, and 1.0 for a seed; in a file name they are none.
# YAML's .nan and .inf would pass most bounds.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, value: is_whole(value), "number": lambda _, value: is_number(value)}
    ),
)


def _check_known(name: str, known: Iterable[str], where: str, kind: str) -> None:
    known = list(known)
    if name not in known:
        raise ConfigurationError(f"{where}: {unknown(kind, name, known)}")
