"""The rows of the tables: their titles and marks, and what each is tested against."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

from sslens.configuration.settings import (
    MATCHES,
    arm_encoder,
    arm_protocol,
    encoder_fields,
    finetuning_entry,
    is_from_file,
    method_schema,
    pretrained_on,
    pretraining_entry,
    task_traits,
)
from sslens.marks import EXPERIMENTAL, OF_FILE, OF_LABELS, OF_SIMULATOR, OTHER_SETTINGS
from sslens.methods.registry import uses_labels
from sslens.pretexts import NOISE, augmentation_names
from sslens.protocols import FINE_TUNE, FROZEN

#: Of `pairs`, those that a simulation alone can make, and how.
PAIRS_OF_SIMULATOR = {
    "same_lens": "pairs of images of one lens",
    "same_substructure": "pairs of images with the same substructure",
}


def arm_title(config: Mapping, arm: str) -> str:
    """The name of an arm's row in the tables, with the marks of `row_notes`."""
    title = config["arms"][arm].get("title", arm)
    return " ".join([title, *row_notes(config, arm)])


def row_notes(config: Mapping, arm: str) -> dict[str, str]:
    """What readers of a table should know of an arm: mark -> why, in words."""
    name, found = config["arms"][arm].get("pretraining"), {}
    for dataset in config["run"]["datasets"] if name else ():
        if is_from_file(config, name):
            found[OF_FILE] = Path(config["pretrainings"][name]["file"]).name
            break
        source = pretrained_on(config["arms"][arm], dataset)
        entry = pretraining_entry(config, name, source)
        knowledge = [PAIRS_OF_SIMULATOR.get(entry["pairs"])]
        if NOISE in augmentation_names(config["pretexts"][entry["pretext"]]):
            knowledge.append("images without noise")
        if known := " and ".join(filter(None, knowledge)):
            found[OF_SIMULATOR] = known
        if cause := method_schema(entry).get("experimental"):
            found[EXPERIMENTAL] = cause
        if uses_labels(entry["method"]) and not task_traits(config).needs_classes:
            found[OF_LABELS] = "the classes, which other rows of a regression do not have"
        elif uses_labels(entry["method"]) and min(config["run"]["label_fractions"]) < 1:
            found[OF_LABELS] = "also where the fine-tuning has fewer"
    others: dict[str, list[str]] = {}  # what is another than the reference's -> on which data sets
    for dataset, title in dataset_titles(config).items() if name else ():
        if differing := differs_from_reference(config, arm, dataset):
            others.setdefault(" and ".join(differing), []).append(title)
    if others:
        listed = [f"{what} on {', '.join(titles)}" for what, titles in others.items()]
        found[OTHER_SETTINGS] = ", ".join(listed)
    return found


def noted(config: Mapping) -> dict:
    """The `row_notes` of all arms of the run that have any, as a setting, if there are any."""
    notes = {arm: row_notes(config, arm) for arm in config["run"]["arms"]}
    noted = {arm: found for arm, found in notes.items() if found}
    return {"notes": noted} if noted else {}


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


def pretrained_rows(config: Mapping) -> dict[str, str]:
    """The rows of the table that start from a pretraining of this run: arm -> title."""
    titles = arm_titles(config, FINE_TUNE)
    names = {arm: config["arms"][arm].get("pretraining") for arm in titles}
    return {
        arm: titles[arm] for arm, name in names.items() if name and not is_from_file(config, name)
    }


def protocols_of_run(config: Mapping) -> list[str]:
    """The protocols of the arms of the run, fine-tuning first."""
    return [protocol for protocol in (FINE_TUNE, *FROZEN) if arm_titles(config, protocol)]


def controls(config: Mapping, arm: str, dataset: str) -> list[str]:
    """Arms, of the run or not, that probe a random encoder with the settings of an arm's."""
    encoder, protocol = encoder_fields(config, arm, dataset), arm_protocol(config, arm)
    return [
        name
        for name, entry in config["arms"].items()
        if arm_protocol(config, name) == protocol
        and entry.get("pretraining") is None
        and encoder_fields(config, name, dataset) == encoder
    ]


def references(config: Mapping) -> dict[str, dict[str, str]]:
    """Data set -> arm of the run -> the arm that it is tested against, where there is one.

    A frozen encoder is tested against the random one of its settings. A row is tested against the
    baseline or, where it has a pretraining and another encoder or fine-tuning, against the row of
    that encoder and fine-tuning without a pretraining, if the run has one.
    """
    found: dict[str, dict[str, str]] = {dataset: {} for dataset in config["run"]["datasets"]}
    for dataset, arm in product(found, config["run"]["arms"]):
        if other := reference(config, arm, dataset):
            found[dataset][arm] = other
    return found


def reference(config: Mapping, arm: str, dataset: str) -> str | None:
    """The arm that one is tested against, see `references`."""
    others = [*own_baselines(config, arm, dataset), config["comparison"]["baseline"]]
    if arm_protocol(config, arm) in FROZEN:
        others = controls(config, arm, dataset)[::-1]
    return next((name for name in others if name in config["run"]["arms"] and name != arm), None)


def differs_from_reference(config: Mapping, arm: str, dataset: str) -> list[str]:
    """What a pretrained row has another of than the row that it is tested against, in words."""
    other = reference(config, arm, dataset)
    if other is None:
        return []
    is_same = {"encoder": _have_one_encoder(config, arm, other, dataset)}
    if arm_protocol(config, arm) == FINE_TUNE:
        is_same["fine-tuning"] = _have_one_finetuning(config, arm, other, dataset)
    return [what for what, same in is_same.items() if not same]


def _have_one_encoder(config: Mapping, arm: str, other: str, dataset: str) -> bool:
    """Whether two arms have an encoder of the same settings.

    Settings that a training alone uses, such as a rate of dropout, count where it is trained.
    """
    settings_of = encoder_fields if arm_protocol(config, arm) in FROZEN else arm_encoder
    return settings_of(config, arm, dataset) == settings_of(config, other, dataset)


def _have_one_finetuning(config: Mapping, arm: str, other: str, dataset: str) -> bool:
    """Whether two arms are fine-tuned by the same settings, but for what they match."""
    return finetuning_entry(config, arm, dataset) == finetuning_entry(config, other, dataset)


def own_baselines(config: Mapping, arm: str, dataset: str) -> list[str]:
    """Rows without a pretraining that are nearer to a row with one than the baseline is.

    They have its encoder and its fine-tuning or, where the baseline has not its encoder either,
    its encoder alone. They do not match the length or the cost of a pretraining. The row is tested
    against the first one.
    """
    baseline, of_run = config["comparison"]["baseline"], config["run"]["arms"]
    if config["arms"][arm].get("pretraining") is None:
        return []
    found = [
        other
        for other in controls(config, arm, dataset)
        if other in of_run
        and _have_one_encoder(config, arm, other, dataset)
        and not any(config["arms"][other].get(key) for key in MATCHES)
    ]
    alike = [other for other in found if _have_one_finetuning(config, arm, other, dataset)]
    # the baseline may match the length or the cost of a pretraining, since it was chosen
    is_near = (
        baseline in of_run
        and _have_one_encoder(config, arm, baseline, dataset)
        and (not alike or _have_one_finetuning(config, arm, baseline, dataset))
    )
    return [] if is_near else alike or found


def transfers(config: Mapping) -> dict[str, dict[str, dict[str, str]]]:
    """Pretraining -> data set of the run -> data set its encoder is from -> the row that has it.

    Of those pretrainings that some row of the run has from another data set; the rows have the
    fine-tuning of the first such row.
    """
    rows = [arm for arm in arm_titles(config, FINE_TUNE) if config["arms"][arm].get("pretraining")]
    datasets = config["run"]["datasets"]
    moved: dict[str, str] = {}  # pretraining -> the first row that has it from another data set
    for arm, dataset in product(rows, datasets):
        if pretrained_on(config["arms"][arm], dataset) != dataset:
            moved.setdefault(config["arms"][arm]["pretraining"], arm)
    found: dict[str, dict[str, dict[str, str]]] = {}
    for arm, dataset in product(rows, datasets):
        entry = config["arms"][arm]
        first = moved.get(entry["pretraining"])
        if first is None or not _have_one_finetuning(config, arm, first, dataset):
            continue
        sources = found.setdefault(entry["pretraining"], {}).setdefault(dataset, {})
        sources.setdefault(pretrained_on(entry, dataset), arm)
    return found
