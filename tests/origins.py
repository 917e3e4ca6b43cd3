"""Results as a run leaves them, as far as it concerns what they were made with."""

from pathlib import Path
from typing import Any

from paths import ROOT

from sslens.configuration import outputs, settings
from sslens.configuration.loading import load
from sslens.configuration.rows import arm_titles
from sslens.digests import json_digest
from sslens.figures.style import new_figure, save_figure
from sslens.files import write_json
from sslens.jobs.outdated import expected_settings
from sslens.protocols import FROZEN

SHIPPED = load(ROOT / "config", {})


def record_of(config, stage, cell) -> dict[str, Any]:
    """The provenance of a stage, with the settings of a configuration."""
    record = {"stage": stage, "cell": cell, "settings": expected_settings(config, stage, cell)}
    tools = {"versions": {"keras": "3.0.0"}, "device": "CPU (x86_64)"}
    return record | {"code": f"0 {stage}", "data": "0"} | tools


def provenance_of(config, arm, dataset, labels=1.0, seed=1) -> dict[str, Any]:
    """The provenance of a cell's stages."""
    cell = {"arm": arm, "dataset": dataset, "labels": labels, "seed": seed}
    pretraining = None
    if name := config["arms"][arm].get("pretraining"):
        source = settings.pretrained_on(config["arms"][arm], dataset)
        start = {"dataset": source, "pretraining": name, "seed": seed}
        pretraining = record_of(config, "pretrain", start)
    if settings.arm_protocol(config, arm) in FROZEN:
        encoder = settings.frozen_encoder(config, arm, dataset)
        own = {"dataset": dataset, "encoder": encoder, "seed": seed}
        features = record_of(config, "features", own) | {"pretraining": pretraining}
        probe = record_of(config, "probe", cell)
        return {"pretrain": pretraining, "features": features, "probe": probe}
    finetuning = record_of(config, "finetune", cell) | {"pretraining": pretraining}
    evaluation = record_of(config, "evaluate", cell)
    return {"pretrain": pretraining, "finetune": finetuning, "evaluate": evaluation}


def write_results(config, folder: Path) -> tuple[list[str], dict[str, dict]]:
    """Write what `outdated_results` reads of a run; its files, and its figures' settings."""
    files = {}
    for dataset in config["run"]["datasets"]:
        images = {name: {"images": split["images"]} for name, split in config["splits"].items()}
        own = settings.dataset_settings(config, dataset)
        files[f"data/{dataset}/manifest.json"] = {
            "dataset": dataset,
            "settings": own,
            "settings_sha256": json_digest(own),
            "splits": images,
        }
        facts = settings.preprocessing_settings(config, dataset) | {"mean": 0.5}
        files[f"data/{dataset}/preprocessing.json"] = facts
        for arm in arm_titles(config):
            for seed in config["run"]["seeds"]:
                provenance = provenance_of(config, arm, dataset, seed=seed)
                if start := provenance["pretrain"]:
                    name = start["cell"]["pretraining"]
                    place = f"pretrain/{dataset}/{name}/seed-{seed}"
                    files[f"{place}/provenance.json"] = start
                cell = f"{dataset}/{arm}/labels-1.0/seed-{seed}"
                *_, last = provenance.values()
                fields = {"protocol": settings.arm_protocol(config, arm), **last["cell"]}
                files[f"evaluate/{cell}/metrics.json"] = fields | {"provenance": provenance}
                if "finetune" in provenance:
                    files[f"finetune/{cell}/provenance.json"] = provenance["finetune"]
                elif features := provenance["features"]:
                    place = f"features/{dataset}/{features['cell']['encoder']}/seed-{seed}"
                    files[f"{place}/provenance.json"] = features
    tables = {"settings": outputs.comparison_settings(config), "cells": []}
    files["comparison/provenance.json"] = tables
    for name, content in files.items():
        write_json(folder / name, content)
    shown = {
        str(folder / "comparison" / f"{figure}_{name}.png"): outputs.figure_settings(
            config, figure, name
        )
        for figure, name in outputs.figures_of_run(config)
    }
    for path, own in shown.items():
        save_figure(new_figure(1, 1, ""), [path], own)
    return [str(folder / name) for name in files], shown
