"""Checks of pretrainings: methods and their options, pretexts, pairs. See `checks`."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

from sslens.classes import CLASSES
from sslens.configuration.places import (
    datasets_to_check,
    fine_tuning_layers,
    keys_in,
    names_of_run,
    origin,
    pixels_of,
    preprocessing_layers,
    pretraining_layers,
)
from sslens.configuration.settings import (
    MATCHES,
    SIMULATION,
    method_schema,
    preprocessing_settings,
    pretrained_on,
    pretraining_encoder,
    pretraining_entry,
    with_defaults,
)
from sslens.data.simulation.recipes import class_turns
from sslens.methods.registry import (
    IMAGES_PER_QUEUED,
    needs_encoder,
    refused_augmentations,
    uses_labels,
    views_of,
)
from sslens.networks.encoders.costs import seen_tokens
from sslens.pretexts import (
    NOISE,
    PRETEXT_SCHEMA,
    augmentation_names,
    changes_nothing,
    of_raw_images,
)
from sslens.schemas import Mistakes, Place, load_schema, misfits, schema_mistakes

#: What images of one group have in common, by `pairs` -> the key of a recipe that says how many.
GROUPS = {"same_lens": "images_per_lens", "same_substructure": "lenses_per_substructure"}


def check_pretexts(config: Mapping, mistakes: Mistakes) -> None:
    """Every augmentation has the strengths that it needs."""
    for name in mistakes.names("pretexts") or ():
        augmentations = config["pretexts"][name]
        for index in range(len(augmentations) if isinstance(augmentations, list) else 0):
            place = ("pretexts", name, index)
            if mistakes.is_sound(place):
                mistakes.check_schema(place, load_schema(PRETEXT_SCHEMA))
            clip = mistakes.at(*place, "gaussian_noise", "clip")
            where = (*place, "gaussian_noise", "clip")
            if mistakes.is_sound(where) and clip and clip[0] >= clip[1]:
                mistakes.add(where, f"{clip}; give the lowest value before the highest")
        if mistakes.is_sound(("pretexts", name)):
            _check_order(mistakes, ("pretexts", name), augmentation_names(augmentations))


def _check_order(mistakes: Mistakes, place: Place, names: list[str]) -> None:
    """Augmentations of raw images come before the others, and noise comes last among them."""
    for index, name in enumerate(names[1:], start=1):
        before = names[index - 1]
        if of_raw_images(name) and (before == NOISE or not of_raw_images(before)):
            mistakes.add((*place, index), f"{name} after {before}; put it before")


def check_options(config: Mapping, mistakes: Mistakes) -> None:
    """Every pretraining has options that its method has, on every data set."""
    found: dict[Place, tuple[str, Place]] = {}
    names = product(mistakes.names("pretrainings") or (), mistakes.names("datasets") or ())
    for name, dataset in names:
        layers = pretraining_layers(name, dataset)
        if not mistakes.is_sound(*keys_in(layers, "method", "options")):
            continue
        entry = pretraining_entry(config, name, dataset)
        if "file" in entry:
            continue
        schema, options = method_schema(entry), entry.get("options", {})
        wrong = schema_mistakes(options, schema)
        for mistake in wrong:
            place = origin(mistakes, layers, ("options", *mistake.place))
            hidden = len(mistake.place) - len(mistake.shown)
            found.setdefault(place, (mistake.problem, place[: len(place) - hidden]))
        for one, other, problem in (
            misfits(with_defaults(options, schema), schema) if not wrong else ()
        ):
            place = origin(mistakes, layers, ("options", *one), ("options", *other))
            found.setdefault(place, (problem, place))
    for place, (problem, shown) in found.items():
        mistakes.add(place, problem, shown)


class _Used(NamedTuple):
    """A pretraining of the run, the data set that it learns from, and where its settings stand."""

    name: str
    dataset: str
    layers: list[Place]


def _used_pretrainings(config: Mapping, mistakes: Mistakes, *keys: str) -> Iterator[_Used]:
    """Those whose name, data set and settings of these keys have no mistake."""
    known, found = datasets_to_check(mistakes), set()
    for arm, dataset in product(names_of_run(mistakes, "arms"), names_of_run(mistakes, "datasets")):
        entry = config["arms"][arm]
        # one that a row computes as much as has to be one that could be trained
        name = entry.get("pretraining") or entry.get("match_compute_of")
        own = keys_in([("arms", arm)], "pretraining", "pretrained_on", "match_compute_of")
        from_file = mistakes.at("pretrainings", name, "file") is not None
        if not name or from_file or not mistakes.is_sound(*own):
            continue
        source = pretrained_on(entry, dataset)
        layers = pretraining_layers(name, source)
        if (
            source in known
            and (name, source) not in found
            and mistakes.is_sound(*keys_in(layers, *keys))
        ):
            found.add((name, source))
            yield _Used(name, source, layers)


def check_methods(config: Mapping, mistakes: Mistakes) -> None:
    """Every pretraining of the run has a pretext that its method can learn from, and images enough.

    How many images an archive has is not known yet: `training.pretraining` looks again.
    """
    size, own = ("splits", "train", "images"), ("run", "images_per_seed")
    if not mistakes.is_sound(size, own, ("encoder",)):
        return
    images = mistakes.at(*own) or mistakes.at(*size)
    found: dict[Place, str] = {}
    for name, dataset, layers in _used_pretrainings(
        config, mistakes, "method", "pretext", "options", "batch_size", "encoder", "pairs"
    ):
        entry = pretraining_entry(config, name, dataset)
        refused, pretext = refused_augmentations(entry["method"]), ("pretexts", entry["pretext"])
        augmentations = mistakes.at(*pretext) if mistakes.is_sound(pretext) else []
        if clash := [key for key in augmentation_names(augmentations) if key in refused]:
            found[origin(mistakes, layers, ("pretext",))] = (
                f"{entry['pretext']} has {', '.join(clash)}, which {entry['method']} refuses; take "
                "a pretext without"
            )
        encoder = pretraining_encoder(config, name, dataset)
        for key, value in needs_encoder(entry["method"]).items():
            if encoder.get(key) != value:
                has = encoder.get(key, "no such setting (take a vit)")
                found[origin(mistakes, layers, ("method",))] = (
                    f"{entry['method']} needs an encoder with {key}: {value}; that of this "
                    f"pretraining, {encoder['name']}, has {has}"
                )
        options = with_defaults(entry.get("options", {}), method_schema(entry))
        # of a class or a queue, other images are taken for the same besides
        has_others = uses_labels(entry["method"]) or "queue" in options
        has_views = views_of(entry["method"]) > 1 and entry["pairs"] == "same_image"
        is_checked = mistakes.is_sound(pretext) and has_views and not has_others
        if is_checked and changes_nothing(augmentations):
            found[origin(mistakes, layers, ("pretext",))] = (
                f"{entry['pretext']} changes no image, so that both views of {entry['method']} "
                "would be the same; take another pretext"
            )
        pixels = pixels_of(config, mistakes, dataset)
        if "masked" in options and "patch" in encoder and pixels:
            patches = (pixels // encoder["patch"]) ** 2
            if seen_tokens(patches, options["masked"]) == patches:
                problem = (
                    f"{options['masked']} of {patches} patches of {dataset} masks none; mask more, "
                    "or take smaller patches"
                )
                found.setdefault(origin(mistakes, layers, ("options", "masked")), problem)
        recipe = config["datasets"][dataset]
        if recipe.get("source") != SIMULATION:
            continue
        shares: Place = ("datasets", dataset, "class_shares")
        classes = recipe["class_shares"].values() if mistakes.is_sound(shares) else ()
        if uses_labels(entry["method"]) and sum(share > 0 for share in classes) == 1:
            found[origin(mistakes, layers, ("method",))] = (
                f"{entry['method']} learns classes, and {dataset} has one alone; take another"
            )
        groups, what = images // _group_size(mistakes, entry, dataset), "training images"
        if groups < images:
            what = f"groups of {images} training images with pairs: {entry['pairs']}"
        if entry["batch_size"] > groups:
            found[origin(mistakes, layers, ("batch_size",))] = (
                f"{entry['batch_size']}, but there are {groups} {what}; take a smaller batch"
            )
        queue = options.get("queue", 0)
        if queue > (most := groups // IMAGES_PER_QUEUED):
            found[origin(mistakes, layers, ("options", "queue"))] = (
                f"{queue} is more than a third of {groups} {what}; take at most {most}"
            )
    for place, problem in found.items():
        mistakes.add(place, problem)


def _group_size(mistakes: Mistakes, entry: Mapping, dataset: str) -> int:
    """How many images a batch takes for one, as they make a pair; 1 where that is not sound."""
    key = GROUPS.get(entry["pairs"])
    place: Place = ("datasets", dataset, key)
    return mistakes.at(*place) or 1 if key and mistakes.is_sound(place) else 1


def check_pairs(config: Mapping, mistakes: Mistakes) -> None:
    """Pairs of one lens or substructure are of data sets that have several images of one."""
    single: dict[tuple[Place, str], list[str]] = {}  # where pairs are set -> data sets without
    alone: dict[Place, str] = {}  # where pairs are set -> why a method cannot have any
    for name, dataset, layers in _used_pretrainings(config, mistakes, "method", "pairs"):
        pairs = (entry := pretraining_entry(config, name, dataset))["pairs"]
        where = origin(mistakes, layers, ("pairs",))
        if pairs in GROUPS and views_of(entry["method"]) == 1:
            alone[where] = f"{pairs}, but {entry['method']} takes one image; give it same_image"
            continue
        place, recipe = ("datasets", dataset), config["datasets"][dataset]
        keys = [(*place, key) for key in ("source", "class_shares", *GROUPS.values())]
        if pairs not in GROUPS or not mistakes.is_sound(*keys):
            continue
        if (several := recipe.get(GROUPS[pairs], 1)) == 1:
            datasets = single.setdefault((where, pairs), [])
            datasets += [dataset] if dataset not in datasets else []
        shares = recipe.get("class_shares")
        period = len(class_turns(shares)) if shares else len(CLASSES)
        needed, size = period * several, ("splits", "train", "images")
        if mistakes.is_sound(size) and mistakes.at(*size) < needed:
            mistakes.add(
                size,
                f"{mistakes.at(*size)} images, but pairs: {pairs} of pretrainings.{name} needs "
                f"{needed} of {dataset}: the {several} images of each of its first groups",
            )
    for where, problem in alone.items():
        mistakes.add(where, problem)
    for (where, pairs), datasets in single.items():
        remedy = ", ".join(f"datasets.{dataset}.{GROUPS[pairs]}" for dataset in datasets)
        have = f"{', '.join(datasets)} {'has' if len(datasets) == 1 else 'have'}"
        one = pairs.removeprefix("same_")
        mistakes.add(where, f"{pairs}, but {have} one image per {one}; set {remedy}")


def check_files(config: Mapping, mistakes: Mistakes) -> None:
    """Encoders from files are there, and are of no data set or length that an arm could name."""
    arms = mistakes.names("arms") or ()
    for name in mistakes.names("pretrainings") or ():
        place: Place = ("pretrainings", name, "file")
        if mistakes.at(*place) is None or not mistakes.is_sound(place):
            continue
        for arm, key in product(arms, MATCHES):
            if mistakes.at("arms", arm, key) == name:
                mistakes.add(("arms", arm, key), f"{name} is a file, whose training is not known")
        users = [arm for arm in arms if mistakes.at("arms", arm, "pretraining") == name]
        for arm in users:
            if mistakes.at("arms", arm, "pretrained_on") is not None:
                problem = "the arm's encoder is from a file; leave this out"
                mistakes.add(("arms", arm, "pretrained_on"), problem)
        path = Path(mistakes.at(*place)).expanduser()
        if {*users} & {*names_of_run(mistakes, "arms")} and not path.is_file():
            mistakes.add(place, f"there is no file {path}")


def check_raw_images(config: Mapping, mistakes: Mistakes) -> None:
    """Augmentations of raw images are of pretrainings alone, and noise of recipes with noise."""
    for layer in fine_tuning_layers(mistakes):
        place = (*layer, "augmentation")
        pretext = ("pretexts", mistakes.at(*place))
        if mistakes.at(*place) is None or not mistakes.is_sound(place, pretext):
            continue
        names = augmentation_names(mistakes.at(*pretext))
        if raw := ", ".join(filter(of_raw_images, names)):
            mistakes.add(
                place,
                f"{pretext[-1]} has {raw}, of raw images, for pretrainings alone; take a pretext "
                "without",
            )
    found: dict[Place, str] = {}
    for name, dataset, layers in _used_pretrainings(config, mistakes, "pretext"):
        pretext = pretraining_entry(config, name, dataset)["pretext"]
        keys = [("datasets", dataset, key) for key in ("source", "noise", "store_noise_free")]
        if not mistakes.is_sound(("pretexts", pretext), *keys):
            continue
        names = augmentation_names(config["pretexts"][pretext])
        own = preprocessing_layers(dataset)
        if "flux_scale" in names and mistakes.is_sound(*keys_in(own, "scaling", "stretch")):
            chosen = preprocessing_settings(config, dataset)
            if chosen["scaling"] == "min_max" and chosen["stretch"] != "asinh":
                found[origin(mistakes, layers, ("pretext",))] = (
                    f"{pretext} has flux_scale, which {dataset} does not show: by "
                    f"preprocessing.scaling min_max and stretch {chosen['stretch']}, images of any "
                    "flux are the same; take another pretext, or scaling: standardise"
                )
        if NOISE not in names:
            continue
        recipe, problem = config["datasets"][dataset], None
        if recipe["source"] != SIMULATION:
            problem = f"{dataset} is an archive, whose images without noise are not known"
        elif recipe["noise"] == "none":
            problem = f"the images of {dataset} have no noise"
        elif not recipe["store_noise_free"]:
            problem = f"set datasets.{dataset}.store_noise_free to true"
        if problem:
            place = origin(mistakes, layers, ("pretext",))
            found.setdefault(place, f"{pretext} has {NOISE}, but {problem}")
    for place, problem in found.items():
        mistakes.add(place, problem)
