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
from sslens.marks import EXPERIMENTAL, OF_FILE, OF_LABELS, OF_SIMULATOR, OTHER_ENCODER
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
    if others := [
        title
        for dataset, title in dataset_titles(config).items()
        if name and has_other_encoder(config, arm, dataset)
    ]:
        found[OTHER_ENCODER] = f"on {', '.join(others)}"
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
    baseline or, where it has a pretraining and another encoder, against the row of that encoder
    without a pretraining, if the run has one.
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


def has_other_encoder(config: Mapping, arm: str, dataset: str) -> bool:
    """Whether a pretrained row is tested against one whose encoder has other settings."""
    other = reference(config, arm, dataset)
    return other is not None and not _have_one_encoder(config, arm, other, dataset)


def _have_one_encoder(config: Mapping, arm: str, other: str, dataset: str) -> bool:
    """Whether two arms have an encoder of the same settings.

    Settings that a training alone uses, such as a rate of dropout, count where it is trained.
    """
    settings_of = encoder_fields if arm_protocol(config, arm) in FROZEN else arm_encoder
    return settings_of(config, arm, dataset) == settings_of(config, other, dataset)


def own_baselines(config: Mapping, arm: str, dataset: str) -> list[str]:
    """Rows without a pretraining that have the encoder of a row with one, if the baseline has not.

    Not those that match the length or the cost of a pretraining; and where some of them have the
    fine-tuning of the row, those alone. The row is tested against the first one.
    """
    baseline, of_run = config["comparison"]["baseline"], config["run"]["arms"]
    if config["arms"][arm].get("pretraining") is None or (
        baseline in of_run and _have_one_encoder(config, arm, baseline, dataset)
    ):
        return []
    found = [
        other
        for other in controls(config, arm, dataset)
        if other in of_run
        and _have_one_encoder(config, arm, other, dataset)
        and not any(config["arms"][other].get(key) for key in MATCHES)
    ]
    own = finetuning_entry(config, arm, dataset)
    alike = [name for name in found if finetuning_entry(config, name, dataset) == own]
    return alike or found


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
