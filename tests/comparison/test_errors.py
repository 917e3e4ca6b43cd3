"""Errors of a regression in place of AUCs: the same statements about methods, by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from sslens.comparison.captions import collapse_note
from sslens.comparison.cells import collect
from sslens.comparison.compared import Comparison
from sslens.comparison.documents import by_targets
from sslens.comparison.measures import Errors
from sslens.comparison.summary import summarise
from sslens.comparison.tables import (
    markdown,
    summary_table,
    uncertainty_table,
)
from sslens.metrics import mrmc
from sslens.metrics.regression import SCORES, columns_of, score

MASS = "log10_axion_mass"
ARMS = {"baseline": "Baseline", "better": "Better", "alike": "Alike", "probe": "Pretrained"}
ARMS |= {"random": "Random"}
FROZEN = ("probe", "random")
SPREAD = {"baseline": 0.20, "better": 0.10, "alike": 0.20, "probe": 0.30, "random": 0.40}
DATASETS = {"model_1": "Model I"}
REFERENCES = {"model_1": {"better": "baseline", "alike": "baseline", "probe": "random"}}
SEEDS, IMAGES = (1, 2, 3), 400
TRUE = np.random.default_rng(0).uniform(-24, -22, IMAGES)
MEASURES = Errors([MASS])


def predicted(arm, seed):
    rng = np.random.default_rng([seed, list(ARMS).index(arm)])
    mean = TRUE + rng.normal(0, SPREAD[arm] * rng.uniform(0.97, 1.03), IMAGES)
    columns = dict(zip(columns_of(MASS), (TRUE, mean, np.full(IMAGES, 0.2)), strict=True))
    return pd.DataFrame({"image_id": [f"image-{k}" for k in range(IMAGES)], **columns})


def fields(arm, seed):
    pretraining = "it" if arm in ("better", "alike", "probe") else None
    return {
        "arm": arm,
        "dataset": "model_1",
        "labels": 1.0,
        "seed": seed,
        "protocol": "linear_probe" if arm in FROZEN else "fine_tune",
        "pretraining": pretraining,
        "labelled_images": 100,
        "pretraining_collapsed": None,
        "operations": {"pretraining": 0, "finetuning": 10**12},
    }


@pytest.fixture(scope="module")
def compared():
    frames, metrics = {}, []
    for arm in ARMS:
        for seed in SEEDS:
            frame = predicted(arm, seed)
            frames[arm, "model_1", 1.0, seed] = frame
            metrics.append(fields(arm, seed) | score(frame, frame, [MASS]))
    columns = [MEASURES.cell_column(name) for name in MEASURES.names]
    cells = collect(metrics, ARMS, list(DATASETS), columns)
    return cells, frames, summarise(cells, frames, REFERENCES, MEASURES)


def test_an_error_is_a_mean_over_seeds_with_the_interval_of_the_method(compared):
    cells, frames, summary = compared
    row = summary.set_index("arm").loc["better"]
    errors = np.stack(
        [np.abs(TRUE - frames["better", "model_1", 1.0, seed][f"mean_{MASS}"]) for seed in SEEDS]
    )
    means = errors.mean(axis=1)
    assert row[f"mae_{MASS}"] == pytest.approx(means.mean())
    assert row[f"mae_{MASS}_std"] == pytest.approx(means.std(ddof=1))
    own = cells[cells["arm"] == "better"][f"targets_{MASS}_mae"]
    np.testing.assert_allclose(own, means)
    # Obuchowski & Rockette: between seeds, and the covariance over images
    covariance = np.cov(errors) / IMAGES
    shared = covariance[~np.eye(3, dtype=bool)].mean()
    variance = means.var(ddof=1) / 3 + max(shared, 0)
    freedom = 2 * variance / (means.var(ddof=1) / 3)
    half = student.ppf(0.975, freedom) * np.sqrt(variance) / means.mean()
    for end, sign in (("low", -1), ("high", 1)):
        expected = means.mean() * np.exp(sign * half)
        assert row[f"mae_{MASS}_{end}"] == pytest.approx(expected, rel=1e-6)
    paired = mrmc.difference(*(
        MEASURES.samples([frames[arm, "model_1", 1.0, seed] for seed in SEEDS], SEEDS)[0]
        for arm in ("better", "baseline")
    ))  # fmt: skip
    assert row[f"difference_mae_{MASS}"] == pytest.approx(float(paired.mean))
    assert row[f"p_mae_{MASS}"] == pytest.approx(float(mrmc.p_value(paired)))


def test_other_scores_have_intervals_and_tests_of_methods(compared):
    cells, frames, summary = compared
    row = summary.set_index("arm").loc["better"]
    for kind in SCORES:
        name = f"{kind}_{MASS}"
        values = cells.loc[cells["arm"] == "better", f"targets_{MASS}_{kind}"]
        assert row[name] == pytest.approx(values.mean())
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
        assert np.isfinite(row[[f"difference_{name}_low", f"p_{name}_holm"]].to_numpy(float)).all()
    assert row[f"r2_{MASS}_high"] < 1
    for kind in ("rmse", "r2", "crps"):
        assert row[f"p_{kind}_{MASS}"] < 0.05
    # of R² with one seed: by the delta method, beside resampled images
    frame = frames["better", "model_1", 1.0, 1]
    true, found = TRUE, frame[f"mean_{MASS}"].to_numpy()
    one = mrmc.of_networks(mrmc.estimate(MEASURES.samples([frame], ["one"])[SCORES.index("r2")]))
    rng, draws = np.random.default_rng(1), []
    for _ in range(2000):
        rows = rng.integers(IMAGES, size=IMAGES)
        draws.append(1 - np.mean((true - found)[rows] ** 2) / true[rows].var())
    assert float(one.standard_error) == pytest.approx(np.std(draws), rel=0.1)


def test_the_smallest_error_is_the_best_and_better_ones_are_marked(compared):
    _, _, summary = compared
    rows = summary.set_index("arm")
    assert rows.loc["better", "p_best"] > 0.05 > rows.loc[["baseline", "alike"], "p_best"].max()
    assert rows.loc["better", f"p_mae_{MASS}_holm"] < 0.05 < rows.loc["alike", f"p_mae_{MASS}_holm"]


def test_tables_say_what_is_better(compared):
    cells, _, summary = compared
    rows = {arm: title for arm, title in ARMS.items() if arm not in FROZEN}
    frozen = {arm: ARMS[arm] for arm in FROZEN}
    parts = (Comparison(summary, own, DATASETS) for own in (rows, frozen))
    made = by_targets(*parts, MEASURES, cells)
    text = markdown(made.tables)
    (line,) = [line for line in text.splitlines() if line.startswith("| Better") and "**" in line]
    assert "▲" in line and "0.0" in line
    assert "in dex" in text and "smaller and larger than that of" in text
    assert "may have the smallest mean absolute error of the axion mass" in text
    assert "| RMSE, bias, R², correlation, NLL, CRPS" in text.replace("  ", " ")
    assert "errors, bias and CRPS in dex" in text
    assert "Coverage in %" in text and "10¹² operations" in text
    assert "AUC" not in text.replace("auc_", "")
    assert "axion mass in dex minus that of" in text
    first = {table.header[0]: table.rows[1][1][0] for table in made.tables}
    for header, unit, numbers in (("RMSE, bias, R²", 1, 6), ("Coverage in %", 0.01, 5)):
        (cell,) = [cell for own, cell in first.items() if own.startswith(header)]
        printed = float(cell.text.split(",")[0]) * unit  # a page sorts by this number
        assert cell.key == pytest.approx(printed, abs=6e-4)
        assert len(cell.exact.splitlines()) == numbers
    probes = markdown(made.probes)
    assert "| Pretrained" in probes and " vs " in probes and "n.s." not in probes.splitlines()[2]
    assert r"\boldmath$0.0" in made.latex and r"$^{+}$" in made.latex


def test_rows_of_other_images_are_refused(compared):
    cells, frames, _ = compared
    key = ("alike", "model_1", 1.0, 2)
    changed = frames | {key: frames[key].assign(**{f"true_{MASS}": TRUE + 1e-3})}
    with pytest.raises(ValueError, match=f"predictions differ in true_{MASS}$"):
        summarise(cells, changed, REFERENCES, MEASURES)


def test_a_score_that_seeds_and_images_do_not_change_has_no_interval():
    sample = mrmc.smooth_sample(np.full(3, 0.25), np.zeros((3, 10)), SEEDS)
    assert np.isnan(mrmc.positive_interval(mrmc.estimate(sample))).all() or np.allclose(
        mrmc.positive_interval(mrmc.estimate(sample)), 0.25
    )
    with pytest.raises(ValueError, match="needs two images"):
        mrmc.smooth_sample(np.ones(3), np.zeros((3, 1)))


def test_captions_speak_of_errors(compared):
    _, _, summary = compared
    table = summary_table(summary, MEASURES)
    assert "the score K of a target T: mae, rmse, bias" in table.notes[0]
    assert "auc" not in table.notes[0].lower()
    one = summary[summary["arm"] == "better"].assign(seeds=1, collapsed_seeds="1")
    shown, *_ = MEASURES.shown()
    part = Comparison(one, {"better": "Better"}, DATASETS, measure=shown)
    text = uncertainty_table(part).markdown() + "".join(collapse_note(part))
    assert "another seed may change an error by more" in text
    assert "these errors say nothing about the method" in text
