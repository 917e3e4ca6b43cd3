"""Checks of data sets: recipes, archives, sizes, classes without images. See `checks`."""

import math
from collections.abc import Mapping

from sslens.classes import CLASSES, MIN_IMAGES
from sslens.configuration.files import ConfigurationError
from sslens.configuration.places import (
    datasets_to_check,
    keys_in,
    names_of_run,
    origin,
    preprocessing_layers,
)
from sslens.configuration.settings import (
    ARCHIVE,
    IMPORT,
    SIMULATION,
    SOURCES,
    preprocessing_settings,
    task_settings,
    task_traits,
)
from sslens.data.archives.axes import check_axes
from sslens.data.archives.class_names import plain_name
from sslens.data.archives.paths import check_paths
from sslens.data.simulation.recipes import check_recipe, class_turns, count_classes
from sslens.schemas import Mistakes, Place, load_schema

MAX_SHARDS = 100_000  # files of a split


def check_likes(config: Mapping, mistakes: Mistakes) -> None:
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


def check_datasets(config: Mapping, mistakes: Mistakes) -> None:
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
    """Names of classes are texts or whole numbers, each given once, also as they are compared."""
    classes = mistakes.names(*place) or []
    names = [str(name) for name in classes]
    plain: dict[str, str] = {}  # name without case and punctuation -> as it is given
    for name in classes:
        first = plain.setdefault(plain_name(name), str(name))
        if not isinstance(name, str | int) or isinstance(name, bool):
            problem = f"YAML takes a name there for {name!r}: put it in quotes"
            mistakes.add((*place, name), problem, place)
        elif isinstance(name, int) and names.count(str(name)) > 1:
            problem = f"{name} is given twice, as a number and as a text"
            mistakes.add((*place, name), problem, place)
        elif not plain_name(name):
            problem = f"{name!r} has neither letters nor digits, by which names are compared"
            mistakes.add((*place, name), problem, place)
        elif first != str(name) and mistakes.at(*place, first) != mistakes.at(*place, name):
            problem = (
                f"{first!r} and {name!r} are one name without case and punctuation, but two classes"
            )
            mistakes.add((*place, name), problem, place)


def check_sizes(config: Mapping, mistakes: Mistakes) -> None:
    """Crop and binning fit the images."""
    found: dict[Place, str] = {}
    for dataset in datasets_to_check(mistakes):
        layers = preprocessing_layers(dataset)
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


def check_shards(config: Mapping, mistakes: Mistakes) -> None:
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


def check_fractions(config: Mapping, mistakes: Mistakes) -> None:
    """Every split, and every label fraction, has images of each class; they take turns in class.

    A task without classes needs those that have its targets alone: of the axion's mass, axions.

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
        if not task_traits(config).needs_classes:
            targets = task_settings(config).get("targets", ())
            if "log10_axion_mass" in targets and not shares["axion"]:
                mistakes.add(place, "no images of axion, but task.targets has log10_axion_mass")
            continue
        if absent := [label for label in CLASSES if not shares[label]]:
            task = config["task"]["name"]
            problem = f"no images of {', '.join(absent)}, but a {task} needs all classes"
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


def check_own_images(config: Mapping, mistakes: Mistakes) -> None:
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
