"""How many seeds a run needs, by a finished one: summaries and logs that are made up."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from paths import ROOT

from sslens.formatting import csv_text
from sslens.jobs.sample_size import START, Cost, cost, pilots, report
from sslens.metrics.mrmc import Components, power, seeds_needed

COMPONENTS = Components(4e-5, 1e-5, 2e-6)


def row(arm, dataset="model_1", components=COMPONENTS, **fields):
    parts = ("seed", "interaction", "image")
    return {
        "labels": 1.0,
        "dataset": dataset,
        "arm": arm,
        "title": arm.upper(),
        "protocol": "fine_tune",
        "reference": None if arm == "baseline" else "baseline",
        "images": 1500,
        "compared_seeds": 0 if arm == "baseline" else 5,
        "difference_macro": 0.01,
        **{f"difference_macro_var_{p}": v for p, v in zip(parts, components, strict=True)},
        **fields,
    }


def written(folder, rows, seeds=(1, 2, 3, 4, 5), minutes=60.0, task="classification"):
    """A folder with the summary of a run and logs of its jobs."""
    comparison = folder / "results" / "comparison"
    comparison.mkdir(parents=True)
    (comparison / "auc_summary.csv").write_text(csv_text(pd.DataFrame(rows)))
    made_with = {"settings": {"task": {"name": task}}}
    (comparison / "provenance.json").write_text(json.dumps(made_with))
    cells = {"arm": "a", "dataset": "model_1", "labels": 1.0, "pretraining": "007"}
    cells["pretrained_on"] = "model_1"
    frame = pd.DataFrame([{**cells, "seed": seed} for seed in seeds])
    (comparison / "auc_table.csv").write_text(csv_text(frame))
    for seed in seeds:
        for place, share in (("finetune/model_1/a", 0.6), ("evaluate/model_1/a", 0.1)):
            log(folder, f"{place}/labels-1.0/seed-{seed}.log", 60 * minutes * share)
        log(folder, f"pretrain/model_1/007/seed-{seed}.log", 60 * minutes * 0.2)
        log(folder, f"features/model_1/007@model_1/seed-{seed}.log", 60 * minutes * 0.05)
        log(folder, f"features/model_1/random@0/seed-{seed}.log", 60 * minutes * 0.05)
        for left in (
            "finetune/model_1/b/labels-1.0",
            "evaluate/model_1/a/labels-0.1",
            "evaluate/model_2/a/labels-1.0",
            "pretrain/model_2/007",
            "features/model_2/007@model_2",
            "features/model_2/random@0",
            "pretrain/model_1/b",
        ):
            log(folder, f"{left}/seed-{seed}.log", 1e6)  # of an earlier configuration
    for rule, share in (("catalogue", 0.1), ("records", 0.3)):
        log(folder, f"{rule}/model_1/test/00000.log", 3600 * share)
        log(folder, f"{rule}/model_1/train/00000.log", 3600)
    return folder


def log(folder, name, seconds):
    path = folder / "logs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    used = f"2026-01-01 00:00:00,000 INFO used {seconds:.1f} s of CPU time, 0.65 GB of memory\n"
    path.write_text(f"{used}2026-01-01 00:00:00,000 INFO finished\n")


def tables(text):
    """The cells of each table of a text, without the header."""
    parts = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [
        [[c.strip() for c in line.strip("|").split("|")] for line in part.splitlines()[2:]]
        for part in parts
    ]


# --- what a run tells -----------------------------------------------------------------------------


def test_pilots_are_the_differences_of_fine_tuned_rows_with_the_most_labels():
    rows = [
        row("baseline", components=(np.nan,) * 3),
        row("byol"),
        row("byol", labels=0.1),
        row("probe", protocol="linear_probe"),
        row("nested", components=(np.nan,) * 3),
    ]
    (pilot,) = pilots(pd.DataFrame(rows))
    assert pilot[:4] == ("BYOL", "model_1", 5, 1500)
    assert pilot.components == pytest.approx(COMPONENTS)
    # MS = 5e-5, of five seeds; chi-square's 20 % quantile of four degrees of freedom is 1.6488
    assert pilot.upper == pytest.approx((5e-5 * 4 / 1.648777 - 1e-5, 1e-5, 2e-6), rel=1e-5)


def test_negative_estimates_count_as_none():
    (pilot,) = pilots(pd.DataFrame([row("byol", components=(-4e-6, 1e-5, -1e-7))]))
    assert pilot.components == pytest.approx((0, 1e-5, 0))
    assert pilot.upper == pytest.approx((6e-6 * 4 / 1.648777 - 1e-5, 1e-5, 0), rel=1e-5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("baseline")], "no row of the run is compared with a baseline"),
        (
            [row("byol", components=(np.nan,) * 3, compared_seeds=1)],
            r"^one seed does not tell how much a seed changes; .* Add seeds \(run.seeds\) and run",
        ),
        ([{"arm": "byol"}], "an earlier version made these tables; run it again"),
    ],
)
def test_a_run_without_variances_between_seeds_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        pilots(pd.DataFrame(rows))


def test_the_cost_is_that_of_the_jobs_of_a_seed(tmp_path):
    found = cost(written(tmp_path, [row("byol")], minutes=120))
    evaluation = (0.2 * 3600 - START) / 3600
    assert found == pytest.approx((2, evaluation, 0.4))
    assert found.hours(seeds=10, images=1) == pytest.approx(20)
    # three times as many are predicted in addition, and made once
    assert found.hours(seeds=10, images=4) == pytest.approx(20 + 3 * 10 * evaluation + 3 * 0.4)


def test_logs_without_cpu_times_have_no_cost(tmp_path):
    folder = written(tmp_path, [row("byol")])
    for path in (folder / "logs").rglob("seed-[13].log"):
        path.write_text("2026-01-01 00:00:00,000 INFO finished\n")
    assert cost(folder) == pytest.approx(Cost(1, 0.1 - START / 3600, 0.4))  # by the others
    for path in (folder / "logs").rglob("*.log"):
        path.write_text("2026-01-01 00:00:00,000 INFO finished\n")
    assert cost(folder) is None
    assert "have no CPU times" in report(folder) and " h " not in report(folder)


# --- the report -----------------------------------------------------------------------------------


def test_the_report_has_the_seeds_of_each_row_and_of_all(tmp_path):
    noisy = Components(1.6e-4, 1e-5, 2e-6)
    folder = written(tmp_path, [row("baseline"), row("byol"), row("other", components=noisy)])
    text = report(folder)
    assert "uncertain" not in text and "in a single test, with a power of 80 %" in text
    needed, totals = tables(text)
    byol, other = pilots(pd.DataFrame([row("byol"), row("other", components=noisy)]))
    for cells, pilot in zip(needed, (byol, other), strict=True):
        seeds = [seeds_needed(c, 0.01) for c in (pilot.components, pilot.upper)]
        # 7.85 * 2e-6 / 0.002^2 times 1,500 test images
        assert cells == [
            f"{pilot.title}, model_1",
            "≥ 5,900 images",
            "{} ({})".format(*(seeds_needed(c, 0.005) for c in (pilot.components, pilot.upper))),
            "{} ({})".format(*seeds),
        ]
    assert [cells[0] for cells in totals] == ["1,500", "3,000", "6,000", "12,000"]
    assert totals[0][1] == "—"
    # those of the noisy row, one hour each
    assert totals[0][3] == "{0} seeds, {0}.0 h ({1} seeds, {1}.0 h)".format(*seeds)
    seeds = seeds_needed(noisy, 0.01, 8)
    assert power(noisy, 0.01, seeds, 8) >= 0.8 > power(noisy, 0.01, seeds - 1, 8)
    assert totals[3][3].startswith(
        f"{seeds} seeds, {seeds * (1.7 - 7 * START / 3600) + 7 * 0.4:.1f} h ("
    )


def test_a_mark_needs_more_than_a_single_test(tmp_path):
    folder = written(tmp_path, [row(name) for name in ("byol", "one", "two")])
    text = report(folder, marks=True)
    assert "and mark it in the table, with its 3 tests, with a power" in text
    (_, _, _, cell), *_ = tables(text)[0]
    assert cell.startswith(f"{seeds_needed(COMPONENTS, 0.01, 1, 3)} (")
    assert seeds_needed(COMPONENTS, 0.01, 1, 3) > seeds_needed(COMPONENTS, 0.01)


def test_too_many_seeds_are_not_counted(tmp_path):
    folder = written(tmp_path, [row("byol", components=(0.01, 1e-5, 1e-9))])
    needed, totals = tables(report(folder))
    assert needed[0][1] == needed[0][2] == "> 1,000 (> 1,000)"
    assert totals[0][1] == "—"


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_few_seeds_are_very_uncertain(tmp_path, seeds):
    folder = written(tmp_path, [row("byol", compared_seeds=seeds), row("other")])
    assert report(folder).startswith(f"**Very uncertain**: {seeds} seeds hardly tell")


def test_data_sets_with_different_numbers_of_test_images(tmp_path):
    folder = written(tmp_path, [row("byol"), row("byol", "model_2", images=900)])
    needed, totals = tables(report(folder))
    assert [cells[1] for cells in needed] == ["≥ 5,900 images", "≥ 3,600 images"]
    assert [cells[0] for cells in totals] == [f"{n} times as many" for n in (1, 2, 4, 8)]


def test_a_regression_has_no_aucs_whatever_an_earlier_run_has_left(tmp_path):
    folder = written(tmp_path / "classification", [row("byol")])
    (folder / "results" / "comparison" / "error_summary.csv").write_text("")
    assert "BYOL, model_1" in report(folder)
    folder = written(tmp_path / "regression", [row("byol")], task="regression")
    with pytest.raises(ValueError, match="regression is a regression; seeds are planned for AUCs"):
        report(folder)


def test_the_command(tmp_path):
    def seeds(folder, *options):
        words = [sys.executable, str(ROOT / "workflow/scripts/seeds.py"), str(folder), *options]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    folder = written(tmp_path / "run", [row("byol"), row("other")])
    assert seeds(folder, "--marks").stdout == report(folder, marks=True) + "\n"
    done = seeds(tmp_path / "none")
    assert done.returncode == 1
    assert re.fullmatch(r"\S+none: no \S+provenance.json; has the run finished\?\n", done.stderr)
