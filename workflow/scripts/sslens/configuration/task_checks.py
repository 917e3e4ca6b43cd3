"""Checks of the task: its head, targets, and what its fine-tunings may do. See `checks`."""

from collections.abc import Mapping

from sslens.configuration.places import (
    datasets_to_check,
    fine_tuning_layers,
    keys_in,
    names_of_run,
    origin,
    preprocessing_layers,
)
from sslens.configuration.settings import (
    arm_protocol,
    preprocessing_settings,
    task_settings,
    task_traits,
)
from sslens.pretexts import (
    PRETEXT_SCHEMA,
    SHIFT,
    augmentation_names,
    augmentations_by_places,
)
from sslens.protocols import FROZEN
from sslens.schemas import Mistakes, Place, load_schema
from sslens.targets import PAIRS, partners_missing
from sslens.tasks.registry import has_probes, task_names
from sslens.tasks.registry import schema_path as task_schema


def check_task(config: Mapping, mistakes: Mistakes) -> None:
    """The task is there, has settings of its own, and learns as it can."""
    place: Place = ("task", "name")
    mistakes.check_name(place, task_names(), "task")
    if not mistakes.is_sound(place):
        return
    schema = load_schema(task_schema(config["task"]["name"]))
    named = {**schema, "properties": {**schema["properties"], "name": {}}}
    mistakes.check_schema(("task",), named)
    if not mistakes.is_sound(("task",)):
        return
    _check_fine_tuning(config, mistakes)
    _check_probes(config, mistakes)
    settings = task_settings(config)
    if "head" in settings:
        _check_head(config, mistakes)
    if "targets" in settings:
        _check_turning(config, mistakes)
        _check_shown(config, mistakes)


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
    if "source_x" in targets:
        _check_middle(config, mistakes)


def _check_middle(config: Mapping, mistakes: Mistakes) -> None:
    """The middle of what is left of an image is the origin of positions."""
    for dataset in datasets_to_check(mistakes):
        layers = preprocessing_layers(dataset)
        pixels: Place = ("datasets", dataset, "instrument", "pixels")
        if not mistakes.is_sound(pixels, *keys_in(layers, "crop")):
            continue
        crop = preprocessing_settings(config, dataset)["crop"]
        if crop and (mistakes.at(*pixels) - crop) % 2:
            problem = (
                f"{crop} of the {mistakes.at(*pixels)} pixels of {dataset}: its middle would lie "
                "half a pixel beside that of the image, where task.targets has the origin of "
                "positions; cut off an even number"
            )
            mistakes.add(origin(mistakes, layers, ("crop",)), problem)


def _check_fine_tuning(config: Mapping, mistakes: Mistakes) -> None:
    """No fine-tuning smooths labels, or has augmentations, where the task does not let it."""
    traits = task_traits(config)
    refused = {**traits.refused_augmentations, **_refused_by_targets(config)}
    for layer in fine_tuning_layers(mistakes):
        smoothing, place = (*layer, "label_smoothing"), (*layer, "augmentation")
        smooths = mistakes.is_sound(smoothing) and mistakes.at(*smoothing)
        if smooths and not traits.smooths_labels:
            problem = f"a {config['task']['name']} has no labels to smooth; give 0.0"
            mistakes.add(smoothing, problem)
        pretext: Place = ("pretexts", mistakes.at(*place))
        if mistakes.at(*place) is None or not mistakes.is_sound(place, pretext):
            continue
        names = augmentation_names(mistakes.at(*pretext) or [])
        if clash := [name for name in names if name in refused]:
            problem = f"{clash[0]} {refused[clash[0]]}; take another, such as dihedral"
            mistakes.add(place, problem)


def _refused_by_targets(config: Mapping) -> dict[str, str]:
    """Augmentations that would leave targets behind where they are positions or directions."""
    targets = task_settings(config).get("targets", ())
    if not any(name in targets for pair in PAIRS for name in pair):
        return {}
    by_places = augmentations_by_places()
    unknown = dict.fromkeys(by_places.get(None, ()), f"has no `places` in {PRETEXT_SCHEMA.name}")
    moves_source = "moves the source, which task.targets has"
    shifts = by_places[SHIFT] if "source_x" in targets else ()
    return unknown | dict.fromkeys(shifts, moves_source)


def _check_probes(config: Mapping, mistakes: Mistakes) -> None:
    """No row has a frozen encoder where the task has no probes."""
    task = config["task"]["name"]
    if has_probes(task):
        return
    for arm in names_of_run(mistakes, "arms"):
        place: Place = ("arms", arm, "protocol")
        if mistakes.is_sound(place) and (protocol := arm_protocol(config, arm)) in FROZEN:
            problem = f"{protocol}, but the task {task} has no probes; leave the row out"
            mistakes.add(place, problem)
