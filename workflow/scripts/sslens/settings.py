"""The configuration: defaults, checks, and what a job is told of it. Free of TensorFlow."""

import difflib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from sslens.catalogue import check_recipe
from sslens.methods import method_names, schema_path
from sslens.protocols import FINE_TUNE, LINEAR_PROBE


class ConfigurationError(ValueError):
    """The configuration cannot be run; the message names the key and the remedy."""


# --- reading and checking -------------------------------------------------------------------------


def load(folder: Path, given: Mapping) -> dict:
    """Defaults of `folder` (config.yaml, datasets.yaml), overlaid by what the user gave."""
    config: dict = {}
    for name in ("datasets.yaml", "config.yaml"):
        content = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        config = merge(config, content)
    return merge(config, given)


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
    for dataset in config["run"]["datasets"]:
        _check_known(dataset, config["datasets"], "run.datasets", "data set")
    for arm in config["run"]["arms"]:
        _check_known(arm, config["arms"], "run.arms", "arm")
    for name, arm in config["arms"].items():
        where = f"arms.{name}"
        if arm.get("pretraining") is not None:
            known = config["pretrainings"]
            _check_known(arm["pretraining"], known, f"{where}.pretraining", "pretraining")
        if arm.get("pretrained_on") is not None:
            known = config["datasets"]
            _check_known(arm["pretrained_on"], known, f"{where}.pretrained_on", "data set")
        if arm.get("pretraining") is not None and "encoder" in arm:
            raise ConfigurationError(
                f"{where}.encoder: an arm has its pretraining's encoder; set it under "
                f"pretrainings.{arm['pretraining']}"
            )
    _check_overrides(config)
    for name in config["pretrainings"]:
        _check_pretraining(config, name)
    for dataset in _datasets_used(config):
        try:
            check_recipe(dataset, config["datasets"][dataset])
        except ValueError as error:
            raise ConfigurationError(f"datasets.{error}") from None
        _check_fits(config, dataset)
        _check_neck(config, dataset)
    _check_titles(config)
    for dataset in _datasets_used(config):
        augmentation = resolve(config["finetuning"], dataset)["augmentation"]
        _check_known(augmentation, config["pretexts"], "finetuning.augmentation", "pretext")


def _check_fits(config: Mapping, dataset: str) -> None:
    """Crop and binning fit the images."""
    told = preprocessing_settings(config, dataset)
    pixels = config["datasets"][dataset]["instrument"]["pixels"]
    kept = told["crop"] or pixels
    if kept > pixels or kept % told["bin"]:
        raise ConfigurationError(
            f"preprocessing: {dataset} has {pixels} x {pixels} pixels, which crop {told['crop']} "
            f"and bin {told['bin']} do not fit: crop at most {pixels}, to a multiple of bin"
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


def _check_overrides(config: Mapping) -> None:
    """Every `for_dataset` names data sets that there are."""
    sections = {
        key: config[key] for key in ("preprocessing", "encoder", "pretraining", "finetuning")
    }
    sections |= {f"pretrainings.{name}": entry for name, entry in config["pretrainings"].items()}
    for where, section in sections.items():
        for dataset in section.get("for_dataset", {}):
            _check_known(dataset, config["datasets"], f"{where}.for_dataset", "data set")


def _check_titles(config: Mapping) -> None:
    """Rows of a table have titles of their own."""
    for protocol in (FINE_TUNE, LINEAR_PROBE):
        titles = list(arm_titles(config, protocol).values())
        for title in titles:
            if titles.count(title) > 1:
                raise ConfigurationError(f"arms: two arms of this run have the title {title!r}")


def _check_pretraining(config: Mapping, name: str) -> None:
    where = f"pretrainings.{name}"
    for dataset in config["datasets"]:
        entry = merge(
            resolve(config["pretraining"], dataset), resolve(config["pretrainings"][name], dataset)
        )
        _check_known(entry["method"], method_names(), f"{where}.method", "method")
        _check_known(entry["pretext"], config["pretexts"], f"{where}.pretext", "pretext")
        _check_schema(entry.get("options", {}), _method_schema(entry["method"]), f"{where}.options")


def _check_schema(content: Any, schema: Mapping, where: str) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error is None:
        return
    path = ".".join([*filter(None, [where]), *map(str, error.absolute_path)]) or "configuration"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        _check_known(unknown, known, path, "key")
    hint = error.schema.get("description")
    raise ConfigurationError(f"{path}: {error.message}" + (f" ({hint})" if hint else ""))


def _check_known(name: str, known: Iterable[str], where: str, kind: str) -> None:
    known = list(known)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigurationError(
            f"{where}: unknown {kind} {name!r}; {guess}known are {', '.join(known)}"
        )


def _datasets_used(config: Mapping) -> list[str]:
    sources = [config["arms"][arm].get("pretrained_on") for arm in config["run"]["arms"]]
    return list(dict.fromkeys([*config["run"]["datasets"], *filter(None, sources)]))


# --- what a job is told ---------------------------------------------------------------------------


def resolve(section: Mapping, dataset: str) -> dict:
    """A section for one data set: its `for_dataset` entry, if there is one, laid over it."""
    own = section.get("for_dataset", {}).get(dataset, {})
    return merge({key: value for key, value in section.items() if key != "for_dataset"}, own)


def preprocessing_settings(config: Mapping, dataset: str) -> dict:
    """What the preprocessing of a data set is told."""
    return resolve(config["preprocessing"], dataset)


def pretraining_settings(config: Mapping, pretraining: str, dataset: str) -> dict:
    """What a pretraining is told: the defaults, its entry, the defaults of its method.

    `views` are the augmentations of its pretext, `options` what the method's schema describes.
    """
    entry = merge(
        resolve(config["pretraining"], dataset),
        resolve(config["pretrainings"][pretraining], dataset),
    )
    own = config["pretrainings"][pretraining]
    if "epochs" in own and "steps" not in own:
        entry["steps"] = None  # the entry's own length, not the steps of the defaults
    entry["views"] = config["pretexts"][entry["pretext"]]
    entry["options"] = _with_defaults(entry.get("options", {}), _method_schema(entry["method"]))
    entry["encoder"] = _encoder(config, entry, dataset)
    return entry


def arm_settings(config: Mapping, arm: str, dataset: str) -> dict:
    """What the learning of the labels is told in an arm.

    Returns:
        `protocol`, `encoder`, and the settings of the protocol under `learning`.
    """
    entry = config["arms"][arm]
    protocol = entry.get("protocol", FINE_TUNE)
    if protocol == FINE_TUNE:
        learning = resolve(config["finetuning"], dataset)
        learning["augmentation"] = config["pretexts"][learning["augmentation"]]
    else:
        learning = resolve(config["probe"], dataset)
    return {
        "protocol": protocol,
        "encoder": arm_encoder(config, arm, dataset),
        "learning": learning,
    }


def arm_encoder(config: Mapping, arm: str, dataset: str) -> dict:
    """Settings of an arm's encoder: those of its pretraining, if it has one."""
    entry = config["arms"][arm]
    if entry.get("pretraining") is not None:
        return pretraining_settings(config, entry["pretraining"], pretrained_on(entry, dataset))[
            "encoder"
        ]
    return _encoder(config, entry, dataset)


def pretrained_on(arm: Mapping, dataset: str) -> str:
    """The data set an arm's encoder was pretrained on: its own, but in a transfer."""
    return arm.get("pretrained_on") or dataset


def arm_fields(config: Mapping, arm: str, dataset: str) -> dict:
    """What metrics.json tells of an arm."""
    entry = config["arms"][arm]
    pretraining = entry.get("pretraining")
    source = pretrained_on(entry, dataset) if pretraining else None
    chosen = resolve(config["pretrainings"][pretraining], source) if pretraining else {}
    encoder = arm_encoder(config, arm, dataset)
    return {
        "arm": arm,
        "dataset": dataset,
        "title": arm_title(config, arm),
        "protocol": entry.get("protocol", FINE_TUNE),
        "pretraining": pretraining,
        "pretrained_on": source,
        "method": chosen.get("method"),
        "pretext": chosen.get("pretext"),
        "encoder": {key: encoder[key] for key in ("name", "width", "stem")},
    }


def arm_title(config: Mapping, arm: str) -> str:
    """The name of an arm's row in the tables."""
    return config["arms"][arm].get("title", arm)


def arm_titles(config: Mapping, protocol: str | None = None) -> dict[str, str]:
    """Titles of the arms of the run, of one protocol or of all, in the run's order."""
    return {
        arm: arm_title(config, arm)
        for arm in config["run"]["arms"]
        if protocol in (None, config["arms"][arm].get("protocol", FINE_TUNE))
    }


def dataset_titles(config: Mapping) -> dict[str, str]:
    """Titles of the data sets of the run, in its order."""
    return {name: config["datasets"][name].get("title", name) for name in config["run"]["datasets"]}


def _encoder(config: Mapping, entry: Mapping, dataset: str) -> dict:
    """Settings of the encoder, with what a pretraining or an arm has of its own."""
    return merge(resolve(config["encoder"], dataset), resolve(entry.get("encoder", {}), dataset))


def _method_schema(method: str) -> dict:
    return yaml.safe_load(schema_path(method).read_text(encoding="utf-8"))


def _with_defaults(content: Mapping, schema: Mapping) -> dict:
    """Fill in the defaults of a schema, down into its objects."""
    filled = dict(content)
    for key, part in schema.get("properties", {}).items():
        if key not in filled and "default" in part:
            filled[key] = deepcopy(part["default"])
        if part.get("type") == "object" and key in filled:
            filled[key] = _with_defaults(filled[key], part)
    return filled
