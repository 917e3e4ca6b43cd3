"""Summaries of comparisons for tests: made up, with a baseline and one more row."""

import numpy as np
import pandas as pd

ARMS = {"baseline": "Baseline", "byol": "Bootstrap Your Own Latent"}
DATASETS = {"model_1": "Model I", "model_2": "Model II"}


def interval(name, value, method=0.03, networks=0.01):
    """The columns of the intervals of a value."""
    half_widths = {name: method, f"{name}_networks": networks}
    signs = {"low": -1, "high": 1}
    return {f"{n}_{end}": value + signs[end] * half_widths[n] for n in half_widths for end in signs}


def components(name, *variances):
    parts = ("seed", "interaction", "image")
    return dict(zip((f"{name}_macro_var_{part}" for part in parts), variances, strict=True))


def cell(arm, dataset, auc, **fields):
    """A row of a summary of three seeds: without a reference, and it may be the best."""
    axion, cdm, no_sub = (auc, auc, auc) if isinstance(auc, float) else auc
    macro = (axion + cdm + no_sub) / 3
    return {
        "labels": 1.0,
        "dataset": dataset,
        "arm": arm,
        "protocol": "fine_tune",
        "pretraining": None if arm == "baseline" else arm,
        "seeds": 3,
        "images": 1500,
        "labelled_images": round(1500 * fields.get("labels", 1)),
        "training_images": "shared",
        "collapsed_seeds": None,
        "operations_pretraining": 0.0 if arm == "baseline" else 2.5e12,
        "operations_finetuning": 1234.5e12,
        "auc_axion": axion,
        "auc_cdm": cdm,
        "auc_no_sub": no_sub,
        "auc_macro": macro,
        "auc_macro_std": 0.0125,
        **interval("auc_macro", macro),
        **components("auc", 4e-4, 1e-4, 0.25e-4),
        **against(np.nan, np.nan, None),
        "p_best": 1.0,
        **fields,
    }


def against(difference, p, reference="baseline", **fields):
    """Fields of a cell that was tested against another."""
    return {
        "reference": reference,
        "design": "paired" if reference else None,
        "compared_seeds": 3 if reference else 0,
        "difference_macro": difference,
        **interval("difference_macro", difference, 0.02, 0.01),
        **components("difference", *(np.full(3, np.nan) if np.isnan(difference) else (0, 1, 4))),
        "p_macro_holm": p,
        **fields,
    }


def small(seeds=3, **fields):
    """Worse than the baseline on one data set, and not distinguishable from it on the other."""
    rows = [
        cell("baseline", "model_1", (0.97, 0.96, 1.0)),
        cell("baseline", "model_2", (0.98, 0.92, 0.98), p_best=0.05),
        cell("byol", "model_1", (0.95, 0.93, 0.997), **against(-0.018, 0.0004), p_best=0.001),
        cell("byol", "model_2", (0.98, 0.93, 0.98), **against(0.003, 0.05)),
    ]
    return with_seeds(pd.DataFrame([row | fields for row in rows]), seeds)


def with_seeds(summary, seeds):
    """What is left of a summary with fewer seeds."""
    summary = summary.assign(seeds=seeds)
    summary["compared_seeds"] = summary["compared_seeds"].clip(upper=seeds)
    if seeds < 3:
        summary[["p_macro_holm", "p_best"]] = np.nan
    if seeds < 2:
        ends = [f"{name}_macro_{end}" for name in ("auc", "difference") for end in ("low", "high")]
        parts = [*components("auc", 0, 0, 0), *components("difference", 0, 0, 0)]
        summary[[*ends, *parts, "auc_macro_std"]] = np.nan
    return summary
