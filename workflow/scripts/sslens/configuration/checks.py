"""Checks of the configuration: each mistake is one line that names the key and the remedy.

All mistakes are found at once. A check that depends on values with a mistake is left out, so that
one mistake is one line.
"""

import json
import math
import unicodedata
from collections.abc import Mapping
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

from sslens.classes import CLASSES, MIN_IMAGES
from sslens.configuration import pretraining_checks
from sslens.configuration.files import ConfigurationError
from sslens.configuration.places import (
    datasets_to_check,
    encoder_layers,
    fine_tuning_layers,
    keys_in,
    layers_of,
    names_of_run,
    origin,
)
from sslens.configuration.settings import (
    ARCHIVE,
    IMPORT,
    MATCHES,
    SIMULATION,
    SOURCES,
    arm_encoder,
    arm_protocol,
    classifies,
    controls,
    encoder_fields,
    preprocessing_settings,
    task_settings,
)
from sslens.data.archives.axes import check_axes
from sslens.data.archives.paths import check_paths
from sslens.data.simulation.recipes import check_recipe, class_turns, count_classes
from sslens.methods.registry import method_names
from sslens.networks.encoders.registry import encoder_names, encoder_schema, family_settings
from sslens.pretexts import augmentation_names
from sslens.protocols import FINE_TUNE, FROZEN
from sslens.schemas import Mistakes, Place, load_schema, undivided
from sslens.suggestions import unknown
from sslens.targets import PAIRS, partners_missing
from sslens.tasks.registry import schema_path as task_schema
from sslens.tasks.registry import task_names

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of signs that break a line, or worse
MAX_SHARDS = 100_000  # files of a split


def check(config: Mapping, schema: Mapping) -> None:
    """Check a configuration as a whole.

    Raises:
        ConfigurationError: with one line for each mistake, in the order of the configuration.
    """
    mistakes = Mistakes(config)
    mistakes.check_schema((), _with_encoders(schema))
    for check_part in (
        _check_task,
        _check_likes,
        _check_for_dataset,
        _check_names,
        _check_arms,
        pretraining_checks.check_pretexts,
        pretraining_checks.check_options,
        pretraining_checks.check_methods,
        _check_datasets,
        _check_sizes,
        _check_encoders,
        pretraining_checks.check_pairs,
        pretraining_checks.check_raw_images,
        pretraining_checks.check_files,
        _check_controls,
        _check_shards,
        _check_fractions,
        _check_own_images,
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


def _check_task(config: Mapping, mistakes: Mistakes) -> None:
    """The task is there, has settings of its own, and learns as it can."""
    place: Place = ("task", "name")
    mistakes.check_name(place, task_names(), "task")
    if not mistakes.is_sound(place):
        return
    schema = load_schema(task_schema(config["task"]["name"]))
    named = {**schema, "properties": {**schema["properties"], "name": {}}}
    mistakes.check_schema(("task",), named)
    if not classifies(config) and mistakes.is_sound(("task",)):
        _check_head(config, mistakes)
        _check_turning(config, mistakes)
        _check_shown(config, mistakes)
        _check_fine_tuning(config, mistakes)


def _check_head(config: Mapping, mistakes: Mistakes) -> None:
    """The settings of a head are given for the head that there is."""
    for key, head in (("bins", "binned"), ("beta", "gaussian")):
        if key in config["task"] and (chosen := task_settings(config)["head"]) != head:
            problem = f"is of the head {head}, but task.head is {chosen}; remove one of the two"
            mistakes.add(("task", key), problem)


def _check_shown(config: Mapping, mistakes: Mistakes) -> None:
    """The Einstein radius and the shear are targets where they are those in the image."""
    targets = task_settings(config)["targets"]
    for dataset in mistakes.at("run", "datasets") if mistakes.is_sound(("run", "datasets")) else ():
        mass, scale = (
            ("datasets", dataset, key) for key in ("substructure_mass", "deflection_scale")
        )
        is_added = mistakes.is_sound(mass) and mistakes.at(*mass) == "added"
        if "shown_einstein_radius" in targets and is_added:
            problem = (
                "the substructure makes the ring larger than task.targets has it; set from_lens"
            )
            mistakes.add(mass, problem)
        is_scaled = mistakes.is_sound(scale) and mistakes.at(*scale) not in (None, 1)
        if "gamma1" in targets and is_scaled:
            problem = (
                "the shear in the image is this times that of task.targets; set 1.0, or take other "
                "targets"
            )
            mistakes.add(scale, problem)


def _check_turning(config: Mapping, mistakes: Mistakes) -> None:
    """Targets that turn with the image are there with both components, and not in bins."""
    targets = task_settings(config)["targets"]
    for name, other in partners_missing(targets).items():
        mistakes.add(("task", "targets"), f"{name} turns with the image into {other}: take both")
    turning = [name for pair in PAIRS for name in pair if name in targets]
    if turning and task_settings(config)["head"] == "binned":
        problem = f"bins cannot be turned, and {turning[0]} turns with the image; take gaussian"
        mistakes.add(("task", "head"), problem)


def _check_fine_tuning(config: Mapping, mistakes: Mistakes) -> None:
    """No fine-tuning of a regression smooths labels or has augmentations that shift its answers."""
    inexact = {
        "rotation": "interpolates, which shifts the answers of a regression",
        "blur": "smooths, which shifts the answers of a regression",
    }
    if "source_x" in task_settings(config)["targets"]:
        inexact["shift"] = "moves the source, which task.targets has"
    for layer in fine_tuning_layers(mistakes):
        smoothing, place = (*layer, "label_smoothing"), (*layer, "augmentation")
        if mistakes.is_sound(smoothing) and mistakes.at(*smoothing):
            mistakes.add(smoothing, "a regression has no labels to smooth; give 0.0")
        pretext: Place = ("pretexts", mistakes.at(*place))
        if mistakes.at(*place) is None or not mistakes.is_sound(place, pretext):
            continue
        names = augmentation_names(mistakes.at(*pretext) or [])
        if clash := [name for name in names if name in inexact]:
            problem = f"{clash[0]} {inexact[clash[0]]}; take another, such as dihedral"
            mistakes.add(place, problem)


def _check_likes(config: Mapping, mistakes: Mistakes) -> None:
    """No data set is left `like` another: `load` could have made it of one that is there."""
    known = mistakes.names("datasets") or []
    left = {
        name: entry["like"]
        for name in known
        if isinstance(entry := config["datasets"][name], Mapping) and "like" in entry
    }
    for name, other in left.items():
        circle = [name]
        while other in list(left) and other not in circle:
            circle.append(other)
            other = left[other]
        place: Place = ("datasets", name, "like")
        if other == name and circle[0] == min(circle, key=list(left).index):
            mistakes.add(
                place, f"goes round in a circle ({', '.join(circle)}); write one of them out"
            )
        mistakes.check_name(place, known, "data set")


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


def _check_datasets(config: Mapping, mistakes: Mistakes) -> None:
    """Every data set of the run can be made."""
    for dataset in datasets_to_check(mistakes):
        place, entry = ("datasets", dataset), config["datasets"][dataset]
        if entry.get("source") is None:
            mistakes.add((*place, "source"), f"missing; give one of {', '.join(SOURCES)}")
        mistakes.check_name((*place, "source"), SOURCES, "source")
        if entry.get("source") == IMPORT:
            mistakes.check_schema(place, load_schema(ARCHIVE))
            _check_class_names(mistakes, (*place, "classes"))
            check_axes(mistakes, place)
            check_paths(mistakes, place)
        elif entry.get("source") == SIMULATION:
            check_recipe(mistakes, place)


def _check_class_names(mistakes: Mistakes, place: Place) -> None:
    """Names of classes are texts or whole numbers, each given once."""
    classes = mistakes.names(*place) or []
    names = [str(name) for name in classes]
    for name in classes:
        if not isinstance(name, str | int) or isinstance(name, bool):
            problem = f"YAML takes a name there for {name!r}: put it in quotes"
            mistakes.add((*place, name), problem, place)
        elif isinstance(name, int) and names.count(str(name)) > 1:
            problem = f"{name} is given twice, as a number and as a text"
            mistakes.add((*place, name), problem, place)


def _check_sizes(config: Mapping, mistakes: Mistakes) -> None:
    """Crop and binning fit the images."""
    found: dict[Place, str] = {}
    for dataset in datasets_to_check(mistakes):
        layers: list[Place] = [("preprocessing", "for_dataset", dataset), ("preprocessing",)]
        place: Place = ("datasets", dataset, "instrument", "pixels")
        source: Place = ("datasets", dataset, "source")
        if not mistakes.is_sound(source, place, *keys_in(layers, "crop", "bin")):
            continue
        settings, pixels = preprocessing_settings(config, dataset), mistakes.at(*place)
        crop, block = settings["crop"] or pixels, settings["bin"]
        if crop > pixels or crop % block:
            place = origin(mistakes, layers, ("crop",), ("bin",))
            found.setdefault(
                place,
                f"{dataset} has {pixels} x {pixels} pixels, which crop "
                f"{settings['crop'] or 'null'} and bin {block} do not fit: crop at most {pixels}, "
                "to a multiple of bin",
            )
    for place, problem in found.items():
        mistakes.add(place, problem, place[:-1])


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
        sides = _pixels(config, mistakes, dataset)
        for key, problem in undivided({**encoder, **sides}, encoder_schema(encoder["name"])):
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


def _pixels(config: Mapping, mistakes: Mistakes, dataset: str) -> dict[str, int]:
    """The pixels along a side of a network's images, where the configuration has sound ones."""
    layers: list[Place] = [("preprocessing", "for_dataset", dataset), ("preprocessing",)]
    pixels: Place = ("datasets", dataset, "instrument", "pixels")
    if not mistakes.is_sound(pixels, *keys_in(layers, "crop", "bin")):
        return {}
    chosen = preprocessing_settings(config, dataset)
    along = chosen["crop"] or mistakes.at(*pixels)
    return {"pixels": along // chosen["bin"]} if along else {}


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
    if any(encoder_layers(mistakes, arm, dataset) is None for arm in arms for dataset in datasets):
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


def _check_fractions(config: Mapping, mistakes: Mistakes) -> None:
    """Every split, and every label fraction, has images of each class; they take turns in class.

    A regression needs those that have its targets alone: of its axion's mass, axions.

    How many images an archive has is not known yet: `check_labels` is for them.
    """
    simulated = [
        name
        for name in names_of_run(mistakes, "datasets")
        if mistakes.is_sound(("datasets", name, "source"), ("datasets", name, "class_shares"))
        and mistakes.at("datasets", name, "source") == SIMULATION
    ]
    rarest: dict[str, int] = {}  # split -> images of the class that has fewest
    for name in simulated:
        shares = config["datasets"][name]["class_shares"]
        place: Place = ("datasets", name, "class_shares")
        if not mistakes.is_sound(("task",)):
            continue
        if not classifies(config):
            if "log10_axion_mass" in task_settings(config)["targets"] and not shares["axion"]:
                mistakes.add(place, "no images of axion, but task.targets has log10_axion_mass")
            continue
        if absent := [label for label in CLASSES if not shares[label]]:
            problem = f"no images of {', '.join(absent)}, but a classification needs all classes"
            mistakes.add(place, problem)
            continue
        for split, needed in MIN_IMAGES.items():
            size = ("splits", split, "images")
            if not mistakes.is_sound(size):
                continue
            images = mistakes.at(*size)
            if split == "train" and mistakes.is_sound(("run", "images_per_seed")):
                images = config["run"]["images_per_seed"] or images
            fewest = min(count_classes(shares, images).values())
            rarest[split] = min(rarest.get(split, fewest), fewest)
            if fewest < needed:
                mistakes.add(
                    size,
                    f"{images} images of {name} have {fewest} of the rarest class, and {needed} "
                    "are needed: take more",
                )
    fractions = mistakes.at("run", "label_fractions")
    if "train" not in rarest or not isinstance(fractions, list):
        return
    of_rarest = rarest["train"]
    for index, fraction in enumerate(fractions):
        place = ("run", "label_fractions", index)
        if mistakes.is_sound(place) and round(fraction * of_rarest) == 0:
            mistakes.add(
                place,
                f"{fraction} of {of_rarest} training images per class leaves none: take a larger "
                "fraction, or more images in splits.train",
            )


def _check_own_images(config: Mapping, mistakes: Mistakes) -> None:
    """Training images that each seed has of its own are enough, of all classes, of whole lenses."""
    key = ("run", "images_per_seed")
    if not mistakes.is_sound(key) or (own := config["run"]["images_per_seed"]) is None:
        return
    for name in datasets_to_check(mistakes):
        groups = ("images_per_lens", "lenses_per_substructure")
        keys = [("datasets", name, part) for part in ("source", "class_shares", *groups)]
        if not mistakes.is_sound(*keys):
            continue
        entry = config["datasets"][name]
        if entry["source"] != SIMULATION:
            mistakes.add(key, f"{name} is an archive; only simulated data sets have new images")
            continue
        period = len(class_turns(entry["class_shares"])) * math.prod(entry[key] for key in groups)
        if own % period:
            mistakes.add(
                key,
                f"{own} images of {name} are no whole number of turns of its classes and lenses: "
                f"take a multiple of {period}",
            )
    size, seeds = ("splits", "train", "images"), ("run", "seeds")
    if mistakes.is_sound(size, seeds):
        needed = own * len(config["run"]["seeds"])
        if mistakes.at(*size) < needed:
            mistakes.add(
                size,
                f"{mistakes.at(*size)} images, but {len(config['run']['seeds'])} seeds with {own} "
                f"of their own (run.images_per_seed) need {needed}",
            )


def check_labels(config: Mapping, dataset: str, images_per_class: Mapping[str, int]) -> None:
    """Every label fraction of the run leaves a training image of each class of an archive.

    Args:
        config: the configuration.
        dataset: name of the archive; nothing is checked where the run learns no labels of it.
        images_per_class: of its training split.

    Raises:
        ConfigurationError: with a line for each fraction and class that leaves none.
    """
    if dataset not in config["run"]["datasets"]:
        return
    lines = []
    for index, fraction in enumerate(config["run"]["label_fractions"]):
        for name, images in images_per_class.items():
            if round(fraction * images) == 0:
                lines.append(
                    f"run.label_fractions.{index}: {fraction} of the {images} training images of "
                    f"{name} in {dataset} leaves none: take a larger fraction, or add images"
                )
    if lines:
        raise ConfigurationError(*lines)


def _check_shards(config: Mapping, mistakes: Mistakes) -> None:
    """The files of a split can be listed: by a mistyped number of images there are too many."""
    for name in mistakes.names("splits") or ():
        place, split = ("splits", name), config["splits"][name]
        if not mistakes.is_sound(place):
            continue
        shards = -(-split["images"] // split["shard_size"])
        if shards > MAX_SHARDS:
            mistakes.add(
                place,
                f"{split['images']} images are {shards} files of {split['shard_size']}, and "
                f"{MAX_SHARDS} are the most; set a larger shard_size",
            )


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
