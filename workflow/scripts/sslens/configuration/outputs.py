"""What the tables, figures and pages of a run are, and the settings that they are made with."""

import math
from collections.abc import Callable, Mapping
from itertools import product

from sslens.configuration.rows import (
    arm_titles,
    dataset_titles,
    differs_from_reference,
    noted,
    pretrained_rows,
    protocols_of_run,
    reference,
    references,
    transfers,
)
from sslens.configuration.settings import (
    dataset_settings,
    is_from_file,
    of_run,
    pretraining_entry,
    task_settings,
    task_traits,
)
from sslens.methods.registry import reconstructs
from sslens.protocols import FIGURE_TITLES, FINE_TUNE, LINEAR_PROBE


def comparison_settings(config: Mapping) -> dict:
    """Settings that the tables are made with."""
    return {
        "task": task_settings(config),
        "arms": arm_titles(config),
        "rows": arm_titles(config, FINE_TUNE),
        "datasets": dataset_titles(config),
        "fractions": config["run"]["label_fractions"],
        "seeds": config["run"]["seeds"],
        "references": references(config),
        "configuration": of_run(config),
        "allow_mixed": config["comparison"]["allow_mixed"],
        **noted(config),
    }


def figures_of_run(config: Mapping) -> list[tuple[str, str]]:
    """The figures of the run: name, and the name of the data set that it shows.

    In `intervals` the second is that of a protocol, and in `transfer` that of a pretraining.
    """
    rows, several = bool(arm_titles(config, FINE_TUNE)), len(config["run"]["label_fractions"]) > 1
    chosen = {
        "gallery": True,
        **{figure: rows or figure == "embedding" for figure in task_traits(config).figures},
        "finetuning": rows,
        "label_efficiency": rows and several,
        "pretraining": bool(pretrained_rows(config)),
        "reconstructions": bool(reconstructed_titles(config)),
    }
    of_datasets = product(filter(chosen.get, chosen), config["run"]["datasets"])
    of_protocols = (("intervals", protocol) for protocol in protocols_of_run(config))
    of_transfers = (("transfer", name) for name in transfers(config))
    return [*of_datasets, *of_protocols, *of_transfers]


def figure_settings(config: Mapping, figure: str, name: str) -> dict:
    """Settings that a figure is made with.

    Args:
        config: the configuration.
        figure, name: of `figures_of_run`.

    Returns:
        `title`; for results, `rows` (arm -> title; in `mistakes` the arms alone), and the `labels`
        and `seeds` of their cells; in curves the rows that are `drawn`; in `gallery` the `dataset`;
        in `intervals` the `datasets`; in `transfer` these, the `sources` (of `transfers`) and the
        `baselines` of data sets; of a regression the `targets` with the `limits` of what the images
        resolve; and the `task` and `notes` where captions depend on them.
    """
    return _SETTINGS.get(figure, _of_rows)(config, name)


def drawn_of_run(config: Mapping) -> dict[str, dict]:
    """The figures of the run: what their files are called, without suffix -> their settings."""
    return {
        f"{figure}_{name}": figure_settings(config, figure, name)
        for figure, name in figures_of_run(config)
    }


def _of_rows(config: Mapping, name: str) -> dict:
    """Of the table's rows on a data set, with the most labels; the default."""
    return {
        "title": _with_labels(config, dataset_titles(config)[name]),
        "rows": arm_titles(config, FINE_TUNE),
        "labels": most_labels(config),
        "seeds": config["run"]["seeds"],
    }


def _of_mistakes(config: Mapping, name: str) -> dict:
    shown = _of_rows(config, name)
    return {**shown, "rows": list(shown["rows"])}  # it names none of them


def _of_targets(config: Mapping, name: str) -> dict:
    targets = task_settings(config)["targets"]
    limits = resolution_limits(config["datasets"][name])
    return {
        **_of_rows(config, name),
        "targets": targets,
        "limits": {target: limits[target] for target in targets if target in limits},
    }


def _of_label_efficiency(config: Mapping, name: str) -> dict:
    return {
        **_of_rows(config, name),
        "title": dataset_titles(config)[name],
        "labels": config["run"]["label_fractions"],
        "task": task_settings(config),
        **noted(config),
    }


def _of_embedding(config: Mapping, name: str) -> dict:
    shown = _of_rows(config, name)
    # the frozen encoders where there are any, which have seen no label
    rows = arm_titles(config, LINEAR_PROBE) or shown["rows"] or arm_titles(config)
    title, seeds = dataset_titles(config)[name], shown["seeds"][:1]
    return {**shown, "title": title, "rows": rows, "seeds": seeds}


def _of_pretraining(config: Mapping, name: str) -> dict:
    shown = _of_rows(config, name)
    title, seeds = f"{dataset_titles(config)[name]}: pretraining", shown["seeds"][:1]
    return {**shown, "title": title, "drawn": pretrained_rows(config), "seeds": seeds}


def _of_finetuning(config: Mapping, name: str) -> dict:
    shown = _of_rows(config, name)
    title, seeds = f"{shown['title']}: fine-tuning", shown["seeds"][:1]
    return {**shown, "title": title, "drawn": shown["rows"], "seeds": seeds}


def _of_reconstructions(config: Mapping, name: str) -> dict:
    return {
        "title": f"{dataset_titles(config)[name]}: reconstructions",
        "rows": reconstructed_titles(config),
        "seeds": config["run"]["seeds"][:1],
    }


def _of_gallery(config: Mapping, name: str) -> dict:
    return {"title": dataset_titles(config)[name], "dataset": dataset_settings(config, name)}


def _of_intervals(config: Mapping, name: str) -> dict:
    return {
        "title": _with_labels(config, FIGURE_TITLES[name]),
        "task": task_settings(config),
        "rows": arm_titles(config, name),
        "datasets": dataset_titles(config),
        "labels": most_labels(config),
        "seeds": config["run"]["seeds"],
    }


def _of_transfer(config: Mapping, name: str) -> dict:
    return {
        "title": _with_labels(config, f"Transfer of {name}"),
        "task": task_settings(config),
        "sources": transfers(config)[name],
        "datasets": dataset_titles(config),
        "baselines": _baselines_of(config, transfers(config)[name]),
        "labels": most_labels(config),
        "seeds": config["run"]["seeds"],
    }


#: Figure -> what makes its settings, where that is not `_of_rows`.
_SETTINGS: dict[str, Callable[[Mapping, str], dict]] = {
    "mistakes": _of_mistakes,
    "predicted": _of_targets,
    "calibration": _of_targets,
    "outliers": _of_targets,
    "label_efficiency": _of_label_efficiency,
    "embedding": _of_embedding,
    "pretraining": _of_pretraining,
    "finetuning": _of_finetuning,
    "reconstructions": _of_reconstructions,
    "gallery": _of_gallery,
    "intervals": _of_intervals,
    "transfer": _of_transfer,
}


def page_settings(config: Mapping) -> dict:
    """Settings that the web pages of the tables are made with.

    Returns:
        `task`, `rows` and `frozen` (arm -> title), `datasets` (name -> title), those of them with a
        page of `efficiency`, and the `labels` and `seeds` of the cells.
    """
    rows = arm_titles(config, FINE_TUNE)
    figures = figures_of_run(config)
    return {
        "task": task_settings(config),
        "rows": rows,
        "frozen": {arm: title for arm, title in arm_titles(config).items() if arm not in rows},
        "datasets": dataset_titles(config),
        "efficiency": [name for figure, name in figures if figure == "label_efficiency"],
        "labels": config["run"]["label_fractions"],
        "seeds": config["run"]["seeds"],
        **noted(config),
    }


def pages_of_run(config: Mapping) -> list[str]:
    """The tables of the run that have a web page."""
    efficiency = [f"label_efficiency_{name}" for name in page_settings(config)["efficiency"]]
    measure = task_traits(config).measure
    shortcuts = ["shortcuts"] if task_traits(config).needs_classes else []
    return [f"{measure}_table", "probe_table", f"{measure}_summary", *shortcuts, *efficiency]


def names_of_run(config: Mapping) -> set[str]:
    """What the files of a run in `results/comparison` are called, without their suffixes."""
    tables = {*pages_of_run(config), "provenance", "configuration"}
    parameters = {f"parameters_{name}" for name in config["run"]["datasets"]}
    return tables | parameters | {f"{figure}_{name}" for figure, name in figures_of_run(config)}


def most_labels(config: Mapping) -> float:
    """The largest share of the labels."""
    return max(float(fraction) for fraction in config["run"]["label_fractions"])


def _with_labels(config: Mapping, title: str) -> str:
    """The title of a figure of what has the largest share of the labels, if these are not all."""
    labels = most_labels(config)
    return title if labels == 1 else f"{title}, {labels:.3g} of the labels"


def reconstructing(config: Mapping) -> list[str]:
    """The pretrainings whose method, on some data set, reconstructs images."""
    return [
        name
        for name in config["pretrainings"]
        if not is_from_file(config, name)
        and any(
            reconstructs(pretraining_entry(config, name, dataset)["method"])
            for dataset in config["datasets"]
        )
    ]


def reconstructed_titles(config: Mapping) -> dict[str, str]:
    """Those of the run that were trained on its own data sets: pretraining -> title of an arm."""
    found: dict[str, str] = {}
    for arm, title in arm_titles(config).items():
        entry = config["arms"][arm]
        if "pretrained_on" not in entry and entry.get("pretraining") in reconstructing(config):
            found.setdefault(entry["pretraining"], title)
    return found


def _baselines_of(config: Mapping, sources: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Data set -> the row without a pretraining that a pretraining's rows are tested against."""
    found = {}
    for dataset, arms in sources.items():
        tested = [reference(config, arm, dataset) for arm in arms.values()]
        baselines = [name for name in tested if name]
        # a difference from a row with other settings would not be of the pretraining
        if baselines and not any(differs_from_reference(config, a, dataset) for a in arms.values()):
            found[dataset] = baselines[0]
    return found


def resolution_limits(recipe: Mapping) -> dict[str, float]:
    """Target -> the value from which on images of a recipe do not resolve it, where it is known.

    An axion's vortex grows as 1 / mass; from this mass on it is shorter than the PSF is wide.
    """
    vortex = recipe.get("substructure", {}).get("axion", {})
    if vortex.get("kind") != "vortex" or not isinstance(vortex["half_length"], int | float):
        return {}
    length = 2 * vortex["half_length"] * vortex["reference_axion_mass"]
    return {"log10_axion_mass": math.log10(length / recipe["instrument"]["psf_fwhm"])}
