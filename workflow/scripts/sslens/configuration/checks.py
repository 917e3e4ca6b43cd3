"""Checks of the configuration: each mistake is one line that names the key and the remedy.

All mistakes are found at once. A check that depends on values with a mistake is left out, so that
one mistake is one line.
"""

import json
import unicodedata
from collections.abc import Mapping
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

from sslens.configuration import dataset_checks, pretraining_checks, task_checks
from sslens.configuration.files import ConfigurationError
from sslens.configuration.places import (
    datasets_to_check,
    encoder_layers,
    layers_of,
    names_of_run,
    origin,
    pixels_of,
)
from sslens.configuration.rows import controls, own_baselines
from sslens.configuration.settings import (
    MATCHES,
    arm_encoder,
    arm_protocol,
    encoder_fields,
)
from sslens.methods.registry import method_names
from sslens.networks.encoders.registry import encoder_names, encoder_schema, family_settings
from sslens.protocols import FINE_TUNE, FROZEN
from sslens.schemas import Mistakes, Place, misfits
from sslens.suggestions import unknown

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of signs that break a line, or worse


def check(config: Mapping, schema: Mapping) -> None:
    """Check a configuration as a whole.

    Raises:
        ConfigurationError: with one line for each mistake, in the order of the configuration.
    """
    mistakes = Mistakes(config)
    mistakes.check_schema((), _with_encoders(schema))
    for check_part in (
        task_checks.check_task,
        dataset_checks.check_likes,
        _check_for_dataset,
        _check_names,
        _check_arms,
        pretraining_checks.check_pretexts,
        pretraining_checks.check_options,
        pretraining_checks.check_methods,
        dataset_checks.check_datasets,
        dataset_checks.check_sizes,
        _check_encoders,
        pretraining_checks.check_pairs,
        pretraining_checks.check_raw_images,
        pretraining_checks.check_files,
        _check_controls,
        _check_own_baselines,
        dataset_checks.check_shards,
        dataset_checks.check_fractions,
        dataset_checks.check_own_images,
        _check_titles,
        _check_file_names,
        _check_folders,
    ):
        check_part(config, mistakes)
    if lines := mistakes.lines():
        raise ConfigurationError(*lines)


def _with_encoders(schema: Mapping) -> dict:
    """The schema of the configuration, with the encoders that there are and their settings."""
    filled = deepcopy(dict(schema))
    properties = filled["$defs"]["encoder"]["properties"]
    properties["name"] = {**properties["name"], "enum": encoder_names()}
    properties |= family_settings()
    return filled


def _check_for_dataset(config: Mapping, mistakes: Mistakes, place: Place = ()) -> None:
    """Every `for_dataset` names data sets, and none stands directly inside another.

    `resolve` would pass over those.
    """
    known = mistakes.names("datasets")
    for key in mistakes.names(*place) or ():
        here = (*place, key)
        if here == ("datasets",):
            continue
        for dataset in mistakes.names(*here) or () if key == "for_dataset" else ():
            if known is not None and dataset not in known:
                mistakes.add((*here, dataset), unknown("data set", dataset, known), here)
            if mistakes.at(*here, dataset, "for_dataset") is not None:
                nested = (*here, dataset, "for_dataset")
                mistakes.add(nested, "inside of a for_dataset; leave it out")
        _check_for_dataset(config, mistakes, here)


def _check_names(config: Mapping, mistakes: Mistakes) -> None:
    """What the configuration refers to by its name is there."""
    arms, datasets = mistakes.names("arms"), mistakes.names("datasets")
    pretexts, pretrainings = mistakes.names("pretexts"), mistakes.names("pretrainings")
    for key, known, kind in (("datasets", datasets, "data set"), ("arms", arms, "arm")):
        names = mistakes.at("run", key)
        for index in range(len(names) if isinstance(names, list) else 0):
            mistakes.check_name(("run", key, index), known, kind, ("run", key))
    mistakes.check_name(("comparison", "baseline"), arms, "arm")
    for name in arms or ():
        mistakes.check_name(("arms", name, "pretrained_on"), datasets, "data set")
        for key in ("pretraining", *MATCHES):
            mistakes.check_name(("arms", name, key), pretrainings, "pretraining")
    sections = [("pretraining",), *(("pretrainings", name) for name in pretrainings or ())]
    for layer in [layer for section in sections for layer in layers_of(mistakes, *section)]:
        mistakes.check_name((*layer, "method"), method_names(), "method")
        mistakes.check_name((*layer, "pretext"), pretexts, "pretext")
    sections = [("finetuning",), *(("arms", name, "finetuning") for name in arms or ())]
    for layer in [layer for section in sections for layer in layers_of(mistakes, *section)]:
        mistakes.check_name((*layer, "augmentation"), pretexts, "pretext")


def _check_arms(config: Mapping, mistakes: Mistakes) -> None:
    """No arm contradicts its pretraining or its protocol, and the baseline is one."""
    for name in mistakes.names("arms") or ():
        arm, place = config["arms"][name], ("arms", name)

        def is_given(key: str, arm: Any = arm, place: Place = place) -> bool:
            return mistakes.is_sound((*place, key)) and key in arm

        pretraining = arm.get("pretraining") if isinstance(arm, Mapping) else None
        is_known = mistakes.is_sound((*place, "pretraining"))
        if is_given("pretrained_on") and is_known and pretraining is None:
            mistakes.add(
                (*place, "pretrained_on"), "the arm has no pretraining; give one, or leave this out"
            )
        if is_given("encoder") and is_given("pretraining") and pretraining is not None:
            mistakes.add(
                (*place, "encoder"),
                f"an arm has its pretraining's encoder; set it under pretrainings.{pretraining}",
            )
        if is_given("match_compute_of"):
            reasons = {
                "match_steps_of": "an arm matches steps or computation; leave one of them out",
                "encoder": "an arm has the encoder of what it matches; leave it out",
                "pretraining": "an arm that matches the computation of a pretraining has none; "
                "leave it out",
            }
            for key in filter(is_given, reasons):
                if arm[key] is not None:
                    mistakes.add((*place, key), reasons[key])
        if is_given("protocol") and arm["protocol"] in FROZEN:
            for key in filter(is_given, (*MATCHES, "finetuning")):
                mistakes.add(
                    (*place, key),
                    f"an arm of protocol {arm['protocol']} is not fine-tuned; leave it out",
                )
    place, baseline = ("comparison", "baseline"), mistakes.at("comparison", "baseline")
    keys = [("arms", baseline, key) for key in ("protocol", "pretraining")]
    if mistakes.is_sound(place, *keys):
        arm = config["arms"][baseline]
        if arm_protocol(config, baseline) in FROZEN or arm.get("pretraining"):
            mistakes.add(
                place,
                f"{baseline} is no baseline; name an arm that is fine-tuned without a pretraining",
            )


def _check_encoders(config: Mapping, mistakes: Mistakes) -> None:
    """Every encoder of the run has settings of its family, and dropout in all its neck or none."""
    found: dict[Place, str] = {}
    for arm, dataset in product(names_of_run(mistakes, "arms"), datasets_to_check(mistakes)):
        if (layers := encoder_layers(mistakes, arm, dataset)) is None:
            continue
        encoder = arm_encoder(config, arm, dataset)
        own = encoder_schema(encoder["name"])["properties"]
        for key in family_settings().keys() & encoder.keys() - own.keys():
            place = origin(mistakes, layers, (key,))
            problem = f"{encoder['name']} has none; its settings are {', '.join(own)}"
            found.setdefault(place, problem)
        sized = {**encoder, "pixels": pixels_of(config, mistakes, dataset)}
        for key, _, problem in misfits(sized, encoder_schema(encoder["name"])):
            found.setdefault(origin(mistakes, layers, key), f"{problem} (arm {arm}, {dataset})")
        if len(encoder["neck_dropout"]) not in (0, len(encoder["neck"])):
            found.setdefault(
                origin(mistakes, layers, ("neck_dropout",), ("neck",)),
                f"{encoder['neck_dropout']} for a neck of {encoder['neck']} (arm {arm}, {dataset})"
                ": give a rate for each layer, or none",
            )
    for place, problem in found.items():
        is_of_neck = place[-1] in ("neck", "neck_dropout")
        mistakes.add(place, problem, (*place[:-1], "neck_dropout") if is_of_neck else place)


def _check_controls(config: Mapping, mistakes: Mistakes) -> None:
    """Every frozen encoder has a random one of its settings beside it, and no more than one."""
    arms, run = mistakes.names("arms"), ("run", "arms")
    if arms is None:
        return
    if not mistakes.is_sound(
        run, ("run", "datasets"), *(("arms", arm, "protocol") for arm in arms)
    ):
        return
    datasets = config["run"]["datasets"]
    if not _have_sound_encoders(mistakes, arms, datasets):
        return
    of_run = config["run"]["arms"]
    frozen = [arm for arm in of_run if arm_protocol(config, arm) in FROZEN]
    found: dict[str, str] = {}  # controls, or the settings of one that is missing -> problem
    for dataset, arm in product(datasets, frozen):
        defined = controls(config, arm, dataset)
        chosen = [name for name in defined if name in config["run"]["arms"]]
        encoder = json.dumps(encoder_fields(config, arm, dataset)).replace('"', "")
        new = (
            f"an arm with protocol: {arm_protocol(config, arm)}, no pretraining and encoder: "
            f"{encoder}"
        )
        if len(chosen) > 1:
            found.setdefault(
                str(chosen),
                f"{' and '.join(chosen)} probe the same random encoder on {dataset}; leave all but "
                "one out",
            )
        elif not chosen:
            found.setdefault(
                new,
                f"{arm} has no probe of a random encoder to be compared with on {dataset}; add "
                f"{defined[0] if defined else new}",
            )
    for problem in found.values():
        mistakes.add(run, problem)


def _check_own_baselines(config: Mapping, mistakes: Mistakes) -> None:
    """No pretrained row could be tested against one or another row with its encoder."""
    arms, datasets = names_of_run(mistakes, "arms"), names_of_run(mistakes, "datasets")
    parts: list[Place] = [("finetuning",), ("comparison",), ("run",), *(("arms", a) for a in arms)]
    known = mistakes.names("arms") or []
    if not mistakes.is_sound(*parts) or not _have_sound_encoders(mistakes, known, datasets):
        return
    fine_tuned = [arm for arm in arms if arm_protocol(config, arm) == FINE_TUNE]
    found: dict[str, str] = {}
    for dataset, arm in product(datasets, fine_tuned):
        if len(others := own_baselines(config, arm, dataset)) > 1:
            problem = (
                f"{arm} could be compared on {dataset} with {' or '.join(others)}, which have its "
                "encoder; leave all but one out, or name one in comparison.baseline"
            )
            found.setdefault(arm, problem)
    for problem in found.values():
        mistakes.add(("run", "arms"), problem)


def _have_sound_encoders(mistakes: Mistakes, arms: list[str], datasets: list[str]) -> bool:
    """Whether the encoders of these arms have no mistake on any of these data sets."""
    return all(encoder_layers(mistakes, *each) is not None for each in product(arms, datasets))


def _check_titles(config: Mapping, mistakes: Mistakes) -> None:
    """Rows and columns of a table have titles of their own, which tables and figures can show."""
    arms = [
        arm
        for arm in names_of_run(mistakes, "arms")
        if mistakes.is_sound(("arms", arm, "protocol"))
    ]
    tables = [("datasets", "data sets", names_of_run(mistakes, "datasets"))]
    for protocol in (FINE_TUNE, *FROZEN):
        rows = [arm for arm in arms if arm_protocol(config, arm) == protocol]
        tables.append(("arms", "arms", rows))
    for where, kind, names in tables:
        seen: dict[str, str] = {}
        for name in dict.fromkeys(names):
            place = (where, name, "title")
            if not mistakes.is_sound(place, (where, name, "source")):
                continue
            title = config[where][name].get("title", name)
            if problem := _problem_of_title(title):
                mistakes.add(place, problem)
            elif seen.setdefault(title, name) != name:
                problem = f"two {kind} of this run have the title {title!r}; change one"
                mistakes.add(place, problem, (where,))


def _problem_of_title(title: str) -> str | None:
    if not title.strip() or any(unicodedata.category(c) in UNPRINTABLE for c in title):
        return f"{title!r} is not one line of text; write it without line breaks, and not empty"
    if title.count("$") < 2:
        return None
    from matplotlib import cbook, mathtext  # slow to import, and rarely needed

    if cbook.is_math_text(title):
        try:
            mathtext.MathTextParser("path").parse(title)
        except ValueError:
            return (
                f"figures cannot show {title!r}, since what is between its $ is no formula of "
                r"Matplotlib; correct it, or write \$ for the sign itself"
            )
    return None


def _check_file_names(config: Mapping, mistakes: Mistakes) -> None:
    """Names of a run do not meet in one file where the system ignores case, as macOS does."""
    arms, known = names_of_run(mistakes, "arms"), mistakes.names("pretrainings") or ()
    pretrainings = [mistakes.at("arms", arm, "pretraining") for arm in arms]
    names = {
        "datasets": datasets_to_check(mistakes),
        "arms": arms,
        "pretrainings": [name for name in pretrainings if name in known],
    }
    for where, used in names.items():
        seen: dict[str, str] = {}
        for name in dict.fromkeys(used):
            if (other := seen.setdefault(name.lower(), name)) != name:
                mistakes.add(
                    (where, name),
                    f"{other} and {name} differ in case alone, and would share their files on many "
                    "systems; rename one",
                    (where,),
                )


def _check_folders(config: Mapping, mistakes: Mistakes) -> None:
    """Folders and files that the configuration names can be those of a system."""
    for key in ("data_dir", "checkpoint_dir", "container"):
        path = mistakes.at(key)
        if path is None or not mistakes.is_sound((key,)):
            continue
        if problem := _problem_of_path(path, has_wildcards=key == "container"):
            mistakes.add((key,), problem)


def _problem_of_path(path: str, has_wildcards: bool) -> str | None:
    if path in ("null", "None"):
        return f"{path!r} is a text; write null in a file, or nothing after the = of --config"
    if any(unicodedata.category(c) in UNPRINTABLE for c in path):
        return f"{path!r} has a line break or another control sign"
    if has_wildcards and "{" in path:
        return f"{path!r} has braces; rename it"
    try:
        Path(path).expanduser()
    except RuntimeError:
        return f"no home folder is known for {path!r}; write the path from / on"
    return None
