"""Results that were made with other settings than the present configuration has.

Snakemake makes anew what a changed configuration concerns, as far as it knows: not with
`--rerun-triggers mtime`, nor after its records (`.snakemake`) were lost, nor where `results/` was
copied. So every result carries the settings it was made with (see `provenance`), and they are
compared here with those of the configuration: of everything that is there, whenever the workflow
is read, and of what is compared or drawn, before it is. Free of slow imports.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from sslens.configuration import outputs, settings
from sslens.differences import differences, listed
from sslens.digests import json_digest, sha256_of
from sslens.files import FIGURE_MARK, read_json
from sslens.formatting import cell_name
from sslens.protocols import FROZEN

log = logging.getLogger(__name__)
UNKNOWN = "settings that it does not hold"
MAX_RESULTS = 10  # that are listed by an error
HEAD = 8192  # bytes of a figure, within which its settings stand


# --- settings -------------------------------------------------------------------------------------


def _data(config: Mapping, dataset: str) -> dict:
    """As `provenance.data_settings` has them; how many images an archive has is not known here."""
    expected = {
        "settings_sha256": json_digest(settings.dataset_settings(config, dataset)),
        "preprocessing": settings.preprocessing_settings(config, dataset),
    }
    if settings.names_from(config, settings.SIMULATION, [dataset]):
        expected["images"] = {name: split["images"] for name, split in config["splits"].items()}
    return expected


#: Stage -> the settings of its job of a cell, which are also what its rule has as a parameter.
_SETTINGS: dict[str, Callable[[Mapping, Mapping], dict]] = {
    "pretrain": lambda config, cell: settings.pretraining_settings(
        config, cell["pretraining"], cell["dataset"]
    ),
    "import_encoder": lambda config, cell: settings.import_settings(
        config, cell["pretraining"], cell["dataset"]
    ),
    "finetune": lambda config, cell: settings.arm_settings(config, cell["arm"], cell["dataset"]),
    "evaluate": lambda config, cell: settings.evaluation_settings(
        config, cell["arm"], cell["dataset"]
    ),
    "features": lambda config, cell: settings.features_settings(
        config, cell["encoder"], cell["dataset"]
    ),
    "probe": lambda config, cell: settings.probe_settings(config, cell["arm"], cell["dataset"]),
}


#: Stages of an arm whose encoder is frozen, and of any other.
_STAGES_OF_PROBE = ("pretrain", "features", "probe")
_STAGES = ("pretrain", "finetune", "evaluate")


def expected_settings(config: Mapping, stage: str, cell: Mapping) -> dict:
    """The settings that `provenance.provenance_record` holds where it is of this configuration."""
    of_cell = _SETTINGS[stage](config, cell) | settings.own_images(config, cell["seed"])
    return {**of_cell, "data": _data(config, cell["dataset"])}


# --- one result -----------------------------------------------------------------------------------


def outdated_record(config: Mapping, record: Mapping | None) -> Iterator[str]:
    """How the settings of a training or an evaluation differ from the configuration's.

    Args:
        config: the present configuration, checked.
        record: of `provenance.provenance_record`.
    """
    if record is None or not {"stage", "cell", "settings"} <= set(record):
        yield UNKNOWN
        return
    cell, recorded = record["cell"], record["settings"]
    named = [("datasets", cell["dataset"], config["datasets"])]
    for key, section in (("arm", "arms"), ("pretraining", "pretrainings")):
        if key in cell:
            named.append((section, cell[key], config[section]))
    for section, name, there in named:
        if name not in there:
            yield f"{section}.{name}, which the configuration does not have"
            return
    arm = cell.get("arm")
    if record["stage"] == "features":
        arm = settings.frozen_encoders(config, cell["dataset"]).get(cell["encoder"])
        if arm is None:
            yield f"the encoder {cell['encoder']}, which no arm of the configuration has"
            return
    yield from differences(recorded, expected_settings(config, record["stage"], cell))
    if record["stage"] == "import_encoder":
        yield from _other_file(record)
    if record["stage"] in ("finetune", "features"):
        yield from _other_pretraining(config, arm, cell, record.get("pretraining"))


def _other_file(record: Mapping) -> Iterator[str]:
    """Whether the file of an encoder, if it is still there, has other content now."""
    path = record["settings"]["file"]
    if Path(path).is_file() and record.get("sha256") != sha256_of(path):
        yield f"other content of {path}"


def _other_pretraining(
    config: Mapping, name: str, cell: Mapping, record: Mapping | None
) -> Iterator[str]:
    """Whether the encoder is of another pretraining than the arm of this name has now."""
    arm = config["arms"][name]
    expected = None
    if arm.get("pretraining") is not None:
        expected = {
            "dataset": settings.pretrained_on(arm, cell["dataset"]),
            "pretraining": arm["pretraining"],
            "seed": cell["seed"],
        }
    yield from differences(record and record.get("cell"), expected, "pretraining")


def outdated_cell(config: Mapping, metrics: Mapping) -> Iterator[str]:
    """How the settings of a cell's stages differ, by its `metrics.json`."""
    stages: dict[str, list[str]] = {}
    for stage in _STAGES_OF_PROBE if metrics.get("protocol") in FROZEN else _STAGES:
        record = metrics.get("provenance", {}).get(stage)
        if stage == "pretrain" and record is None:  # an arm without a pretraining
            continue
        for difference in outdated_record(config, record):
            stages.setdefault(difference, []).append(stage)
        if stage == "features" and record is not None and metrics["arm"] in config["arms"]:
            now = settings.frozen_encoder(config, metrics["arm"], metrics["dataset"])
            for difference in differences(record["cell"]["encoder"], now, "encoder"):
                stages.setdefault(difference, []).append(stage)
    yield from (f"{difference} ({', '.join(found)})" for difference, found in stages.items())


def _outdated_manifest(config: Mapping, manifest: Mapping) -> Iterator[str]:
    if "settings" not in manifest:
        yield UNKNOWN
        return
    expected = settings.dataset_settings(config, manifest["dataset"])
    yield from differences(manifest["settings"], expected)
    if manifest["settings"]["source"] == settings.SIMULATION:
        for name, split in config["splits"].items():
            images = manifest["splits"][name]["images"]
            yield from differences(images, split["images"], f"splits.{name}.images")


def _outdated_preprocessing(config: Mapping, facts: Mapping, dataset: str) -> Iterator[str]:
    expected = settings.preprocessing_settings(config, dataset)
    yield from differences({key: facts.get(key) for key in expected}, expected)


def _outdated_comparison(config: Mapping, provenance: Mapping) -> Iterator[str]:
    if "settings" not in provenance:
        yield UNKNOWN
        return
    yield from differences(provenance["settings"], outputs.comparison_settings(config))


def outdated_file(config: Mapping, path: Path) -> tuple[str, str]:
    """What a result is, in words, and how its settings differ from the configuration's, if so.

    Args:
        config: the present configuration, checked.
        path: of a `manifest.json`, `preprocessing.json`, `metrics.json`, or of a `provenance.json`
            of a training or of the comparison.
    """
    try:
        name, found = _of_kind(config, path, read_json(path))
        return name, listed(found)
    except (ValueError, KeyError, TypeError, AttributeError):  # torn, or written by hand
        return str(path), "no settings that can be read"


def _of_kind(config: Mapping, path: Path, content: Mapping) -> tuple[str, Iterable[str]]:
    if path.name == "manifest.json":
        return f"images of {content['dataset']}", _outdated_manifest(config, content)
    if path.name == "preprocessing.json":
        dataset = path.parent.name
        return f"preprocessing of {dataset}", _outdated_preprocessing(config, content, dataset)
    if path.name == "metrics.json":
        return cell_name(content), outdated_cell(config, content)
    if "cells" in content:
        return "tables", _outdated_comparison(config, content)
    name = f"{content['stage']} of {cell_name(content['cell'])}"
    found = list(outdated_record(config, content))
    if content["stage"] == "features" and (pretraining := content.get("pretraining")):
        # of a probe, its metrics tell; but an encoder is also exported where nothing probes it
        before = [line for line in outdated_record(config, pretraining) if line not in found]
        found += [f"{line} (its pretraining)" for line in before]
    return name, found


def outdated_figure(path: str | Path, expected: Mapping) -> bool:
    """Whether a figure was made with other settings; see `outputs.figure_settings`."""
    with open(path, "rb") as stream:
        found = re.search(rf"{FIGURE_MARK} ([0-9a-f]{{64}})".encode(), stream.read(HEAD))
    return found is None or found[1].decode() != json_digest(expected)


def current_files(comparison: Path) -> set[str]:
    """Those files of a run's `results/comparison` that its last configuration has made.

    Snakemake leaves there what an earlier one has made besides, and a run that stopped leaves
    figures of before.

    Args:
        comparison: the folder, with the `provenance.json` of the tables.

    Returns:
        Their names.

    Raises:
        OSError: there is no such folder, or no account of its tables.
        ValueError: the account does not have the configuration.
    """
    account = comparison / "provenance.json"
    try:
        config = read_json(account)["settings"]["configuration"]
        names = outputs.names_of_run(config)
        figures = outputs.drawn_of_run(config)
        for name in config["run"]["datasets"]:  # drawn together
            figures[f"parameters_{name}"] = figures[f"gallery_{name}"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{account}: another version of sslens made it; run it again") from error

    def is_current(file: Path) -> bool:
        if file.stem not in names:
            return False
        if file.suffix not in (".png", ".svg"):  # tables of label efficiency are named as figures
            return True
        return not outdated_figure(file, figures[file.stem])

    return {file.name for file in comparison.iterdir() if is_current(file)}


# --- several --------------------------------------------------------------------------------------


def check(config: Mapping, paths: Iterable[str]) -> None:
    """Check, before they are drawn, that results were made with the present settings.

    Args:
        config: the present configuration, checked.
        paths: as `outdated_file` takes them.

    Raises:
        ValueError: with one line that names those that were not. With `comparison.allow_mixed`
            that line goes to the log instead.
    """
    found = [outdated_file(config, Path(path)) for path in paths]
    lines = [f"{name} ({how})" for name, how in found if how]
    if not lines:
        return
    more = "; ..." if len(lines) > MAX_RESULTS else ""
    message = (
        f"{len(lines)} results were made with other settings than the configuration has: "
        f"{'; '.join(lines[:MAX_RESULTS])}{more}"
    )
    if not config["comparison"]["allow_mixed"]:
        raise ValueError(f"{message}. Delete them and run again, or set comparison.allow_mixed")
    log.warning("%s", message)


def outdated_results(
    config: Mapping, paths: Iterable[str], figures: Mapping[str, Mapping]
) -> list[str]:
    """Those of a run's results that were made with other settings than the configuration has.

    Args:
        config: the present configuration, checked.
        paths: as `outdated_file` takes them; of those that are not there, nothing is said.
        figures: path of a figure -> its settings, see `outputs.figure_settings`.

    Returns:
        A line for each difference, with the results that have it.
    """
    by_difference: dict[str, list[str]] = {}
    for file in paths:
        if Path(file).is_file():
            name, how = outdated_file(config, Path(file))
            by_difference.setdefault(how, []).append(name)
    for file, expected in figures.items():
        if Path(file).is_file() and outdated_figure(file, expected):
            by_difference.setdefault("other rows, seeds, labels or titles", []).append(file)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {how}"
        for how, names in by_difference.items()
        if how
    ]
