"""Tables compared literally, and the choices behind them: order, bold, marks, missing cells."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest

from sslens.comparison.cells import check_complete, collect
from sslens.comparison.tables import (
    Comparison,
    comparison_tables,
    difference_table,
    efficiency_table,
    footer,
    frozen_tables,
    latex_table,
    markdown,
    published_table,
    transfer_matrix,
    uncertainty_table,
)
from sslens.files import write_text
from sslens.formatting import csv_text, latex_text, pipe_table

ARMS = {"baseline": "Baseline", "byol": "Bootstrap Your Own Latent"}
DATASETS = {"model_1": "Model I", "model_2": "Model II"}


def metrics(arm, dataset, auc, seed=0, labels=1.0, images=1500, **fields):
    axion, cdm, no_sub = auc
    scores = {"axion": axion, "cdm": cdm, "no_sub": no_sub, "macro": sum(auc) / 3}
    return {
        "arm": arm,
        "dataset": dataset,
        "labels": labels,
        "labelled_images": round(1500 * labels),
        "seed": seed,
        "auc": scores,
        "accuracy": 0.9,
        "images": images,
        "predictions_sha256": "0" * 64,
        "protocol": "fine_tune",
        "pretraining": None if arm == "baseline" else arm,
        "pretraining_collapsed": None if arm == "baseline" else False,
        **fields,
    }


def without(field):
    return {k: v for k, v in metrics("byol", "model_1", (1, 1, 1)).items() if k != field}


# --- collect -------------------------------------------------------------------------------------


def test_collect_orders_rows_by_configuration_then_labels_and_seed():
    cells = [("b", "y", 1.0, 1), ("a", "x", 1.0, 10), ("a", "x", 0.1, 2), ("a", "y", 1.0, 0)]
    cells += [("a", "x", 1.0, 9), ("b", "x", 1.0, 0)]
    files = [metrics(a, d, (0.9, 0.9, 0.9), seed=s, labels=f) for a, d, f, s in cells]
    expected = [("b", "y", 1.0, 1), ("b", "x", 1.0, 0), ("a", "y", 1.0, 0), ("a", "x", 0.1, 2)]
    expected += [("a", "x", 1.0, 9), ("a", "x", 1.0, 10)]
    for order in (files, files[::-1]):
        frame = collect(order, {"b": "B", "a": "A"}, ["y", "x"])
        rows = frame[["arm", "dataset", "labels", "seed"]].itertuples(index=False, name=None)
        assert list(rows) == expected
        assert list(frame["title"]) == ["B", "B", "A", "A", "A", "A"]


def test_collect_flattens_fields_and_keeps_the_cell_first():
    one = metrics("byol", "model_1", (0.9, 0.8, 0.7), encoder={"name": "resnet18", "width": 16})
    one |= {"crop": [64, 64], "provenance": {"evaluate": {"code": "0 evaluate"}}}
    frame = collect([one], ARMS, ["model_1"])
    assert list(frame.columns) == [
        *("arm", "dataset", "labels", "seed", "title", "protocol", "pretraining"),
        *("crop", "encoder_name", "encoder_width", "labelled_images", "pretraining_collapsed"),
        *("auc_axion", "auc_cdm", "auc_no_sub", "auc_macro"),
        *("accuracy", "images", "predictions_sha256"),
    ]
    assert frame.loc[0, "auc_cdm"] == 0.8
    assert frame.loc[0, "crop"] == "[64, 64]"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no metrics to compare"),
        ([metrics("other", "model_1", (1, 1, 1))], "arm 'other' is not among .*: baseline, byol$"),
        ([metrics("byol", "model_9", (1, 1, 1))], "data set 'model_9' is not among"),
        (
            [metrics("byol", "model_1", (1, 1, 1)), metrics("byol", "model_1", (0.5, 1, 1))],
            "two metrics files of one cell: arm byol, dataset model_1, labels 1.0, seed 0",
        ),
        (
            [
                metrics("byol", "model_1", (1, 1, 1), images=128),
                metrics("baseline", "model_1", (1, 1, 1)),
            ],
            "arms on model_1 were scored on different numbers of test images: 128, 1500$",
        ),
        ([{"arm": "byol", "seed": 0}], "metrics of arm byol, seed 0 lack dataset, labels, auc_"),
        (
            [without("labelled_images")],
            "metrics of arm byol, dataset model_1, labels 1.0, seed 0 lack labelled_images$",
        ),
        ([without("pretraining_collapsed")], "seed 0 lack pretraining_collapsed$"),
    ],
)
def test_collect_refuses_what_cannot_be_compared(files, message):
    with pytest.raises(ValueError, match=message):
        collect(files, ARMS, DATASETS)


def cells_of_a_run():
    return [
        metrics(arm, dataset, (0.9, 0.9, 0.9), seed=seed, labels=labels)
        for arm in ARMS
        for dataset in DATASETS
        for labels in (0.1, 1.0)
        for seed in (0, 1)
    ]


def test_a_complete_run_has_every_cell():
    frame = collect(cells_of_a_run(), ARMS, DATASETS)
    check_complete(frame, ARMS, DATASETS, [0.1, 1], [0, 1])


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (
            {"arm": "byol", "dataset": "model_2", "labels": 0.1, "seed": 1},
            "^1 of 16 cells are missing, the first of them arm byol, dataset model_2, labels 0.1, "
            "seed 1$",
        ),
        (
            {"arm": "baseline"},
            "^8 of 16 cells are missing, the first of them arm baseline, dataset model_1, "
            "labels 0.1, seed 0$",
        ),
    ],
)
def test_a_missing_cell_is_named(left_out, message):
    files = [m for m in cells_of_a_run() if {key: m[key] for key in left_out} != left_out]
    frame = collect(files, ARMS, DATASETS)
    with pytest.raises(ValueError, match=message):
        check_complete(frame, ARMS, DATASETS, [0.1, 1], [0, 1])


def test_csv_reads_back_to_the_same_bits():
    awkward = (1 / 3, 0.1 + 0.2, 0.9971234567890123)
    frame = collect([metrics("byol", "model_1", awkward)], ARMS, ["model_1"])
    text = csv_text(frame)
    (back,) = csv.DictReader(io.StringIO(text))
    for column in ("auc_axion", "auc_cdm", "auc_no_sub", "auc_macro", "labels"):
        assert float(back[column]) == frame.loc[0, column]
    assert text.splitlines()[1].startswith("byol,model_1,1.0,0,")
    assert "0.30000000000000004," in text
    assert csv_text(collect([metrics("baseline", "model_1", (1, 1, 1))], ARMS, DATASETS)) == (
        "arm,dataset,labels,seed,title,protocol,pretraining,labelled_images,pretraining_collapsed,"
        "auc_axion,auc_cdm,auc_no_sub,auc_macro,accuracy,images,predictions_sha256\n"
        f"baseline,model_1,1.0,0,Baseline,fine_tune,,1500,,1,1,1,1.0,0.9,1500,{'0' * 64}\n"
    )


# --- a summary made up ----------------------------------------------------------------------------


def cell(arm, dataset, auc, **fields):
    """A row of a summary: without a test, and the best, unless the fields say otherwise."""
    axion, cdm, no_sub = (auc, auc, auc) if isinstance(auc, float) else auc
    macro = (axion + cdm + no_sub) / 3
    return {
        "labels": 1.0,
        "dataset": dataset,
        "arm": arm,
        "protocol": "fine_tune",
        "pretraining": None if arm == "baseline" else arm,
        "seeds": 1,
        "images": 1500,
        "labelled_images": round(1500 * fields.get("labels", 1)),
        "collapsed_seeds": None,
        "reference": None,
        "auc_axion": axion,
        "auc_cdm": cdm,
        "auc_no_sub": no_sub,
        "auc_macro": macro,
        "auc_macro_std": np.nan,
        "auc_macro_low": macro - 0.01,
        "auc_macro_high": macro + 0.01,
        "difference_macro": np.nan,
        "difference_macro_low": np.nan,
        "difference_macro_high": np.nan,
        "p_macro_holm": np.nan,
        "best": True,
        "p_best_holm": np.nan,
        **fields,
    }


def against(difference, p, reference="baseline", p_best=np.nan):
    """Fields of a cell that was tested against another, and against the best of its column."""
    return {
        "reference": reference,
        "difference_macro": difference,
        "difference_macro_low": difference - 0.02,
        "difference_macro_high": difference + 0.02,
        "p_macro_holm": p,
        "best": np.isnan(p_best),
        "p_best_holm": p_best,
    }


def small(**fields):
    """Worse than the baseline on one data set, and not told from it on the other."""
    rows = [
        cell("baseline", "model_1", (0.97, 0.96, 1.0)),
        cell("baseline", "model_2", (0.98, 0.92, 0.98), best=False, p_best_holm=0.05),
        cell("byol", "model_1", (0.95, 0.93, 0.997), **against(-0.018, 0.0004, p_best=0.001)),
        cell("byol", "model_2", (0.98, 0.93, 0.98), **against(0.003, 0.05)),
    ]
    return pd.DataFrame([row | fields for row in rows])


def cells_of(table, row):
    line = next(line for line in table.splitlines() if line.startswith(f"| {row}"))
    return [text.strip() for text in line.strip("|").split("|")][1:]


# --- the published layout -------------------------------------------------------------------------


def test_published_table_literally():
    assert published_table(Comparison(small(), ARMS, DATASETS)).markdown() == (
        "| Method                    | Model I              | Model II             |\n"
        "|---------------------------|----------------------|----------------------|\n"
        "| Baseline                  | **0.97, 0.96, 1.00** | **0.98, 0.92, 0.98** |\n"
        "| Bootstrap Your Own Latent | 0.95, 0.93, 1.00 ▼   | **0.98, 0.93, 0.98** |\n"
        "\n"
        "Each cell gives the one-vs-rest AUCs of axion, cdm, no_sub on 1,500 test images per data "
        "set, one seed. Bold marks the highest macro AUC of a column and all that do not differ "
        "significantly from it. ▲ and ▼ mark a macro AUC significantly higher and lower than that "
        'of "Baseline" (paired test on the same test images, Holm-corrected over the table). '
        "**With one seed the tests compare these networks, not their methods**: another seed may "
        "change an AUC by more than these differences, and reverse their sign. AUCs are rounded to "
        "two decimals, as published, so 0.997 is printed as 1.00; auc_table.csv and "
        "auc_summary.csv have full precision.\n"
    )


@pytest.mark.parametrize(
    ("difference", "p", "mark"),
    [
        (0.02, 0.0499, " ▲"),
        (-0.02, 0.0499, " ▼"),
        (0.02, 0.05, ""),
        (-0.02, 0.05, ""),
        (np.nan, np.nan, ""),
    ],
)
def test_a_mark_is_for_what_differs_significantly(difference, p, mark):
    summary = pd.DataFrame([cell("byol", "model_1", 0.9, **against(difference, p))])
    table = published_table(Comparison(summary, ARMS, {"model_1": "Model I"})).markdown()
    assert cells_of(table, "Bootstrap") == [f"**0.90, 0.90, 0.90**{mark}"]


@pytest.mark.parametrize(("p", "bold"), [(0.0499, False), (0.05, True), (1.0, True)])
def test_bold_is_the_best_and_what_does_not_differ_significantly_from_it(p, bold):
    rows = [
        cell("baseline", "model_1", (0.4, 0.4, 0.9)),
        cell("byol", "model_1", (0.9, 0.4, 0.3), **against(-0.1, 1.0, p_best=p)),
    ]
    table = published_table(Comparison(pd.DataFrame(rows), ARMS, {"model_1": "Model I"})).markdown()
    assert cells_of(table, "Baseline") == ["**0.40, 0.40, 0.90**"]
    shown = "0.90, 0.40, 0.30"
    assert cells_of(table, "Bootstrap") == [f"**{shown}**" if bold else shown]


def test_without_tests_no_mark_is_explained():
    table = published_table(
        Comparison(small(**against(np.nan, np.nan, reference=None)), ARMS, DATASETS)
    ).markdown()
    assert "▲" not in table and "Holm" not in table
    assert "do not differ significantly from it. AUCs are rounded to two decimals" in table


def test_other_arms_and_missing_cells():
    rows = [cell("probe", "model_1", 1.0), cell("byol", "model_2", 0.9)]
    table = published_table(Comparison(pd.DataFrame(rows), ARMS, DATASETS)).markdown()
    assert cells_of(table, "Baseline") == ["—", "—"]
    assert cells_of(table, "Bootstrap") == ["—", "**0.90, 0.90, 0.90**"]
    assert "1.00, 1.00" not in table


def test_seeds_and_images_are_counted():
    summary = small(seeds=3)
    assert (
        "1,500 test images per data set, the mean over 3 seeds."
        in published_table(Comparison(summary, ARMS, DATASETS)).markdown()
    )
    summary.loc[0, "seeds"] = 2
    summary.loc[summary["dataset"] == "model_2", "images"] = 900
    assert "on 1,500 (Model I), 900 (Model II) test images, the mean over 2 to 3 seeds." in (
        published_table(Comparison(summary, ARMS, DATASETS)).markdown()
    )


def test_a_share_of_the_labels_is_named():
    assert (
        "one seed, 0.01 of the labels. Bold"
        in published_table(Comparison(small(labels=0.01), ARMS, DATASETS)).markdown()
    )


def test_pipes_in_a_title_do_not_break_the_table():
    table = published_table(Comparison(small(), {"baseline": "Base|line"}, DATASETS)).markdown()
    assert r"| Base\|line | **0.97" in table


def test_pipe_table_is_padded():
    assert pipe_table(["a", "b|c"], [["long one", "d"]]) == (
        "| a        | b\\|c |\n|----------|------|\n| long one | d    |\n"
    )


def test_collapsed_pretrainings_are_named_below_the_table():
    summary = small()
    summary.loc[2, "collapsed_seeds"] = "9, 10"
    summary.loc[3, "collapsed_seeds"] = "2"
    assert published_table(Comparison(summary, ARMS, DATASETS)).markdown().splitlines()[6:] == [
        "",
        "**Collapsed**: Bootstrap Your Own Latent on Model I (seeds 9, 10); Bootstrap Your Own "
        "Latent on Model II (seed 2). In the last epoch of the pretraining nearly all images had "
        "the same features or embeddings, so these AUCs say nothing about the method.",
    ]
    other = published_table(Comparison(summary, ARMS, {"model_2": "Model II"})).markdown()
    (note,) = other.splitlines()[7:]
    assert note.startswith("**Collapsed**: Bootstrap Your Own Latent on Model II (seed 2). In ")
    assert (
        "Collapsed"
        not in published_table(Comparison(summary, {"baseline": "Baseline"}, DATASETS)).markdown()
    )


# --- uncertainty, differences ---------------------------------------------------------------------


def test_uncertainty_table_literally():
    rows = [
        cell("baseline", "model_1", 0.9, auc_macro_low=0.8766, auc_macro_high=0.9214),
        cell("byol", "model_2", 0.75, seeds=2, auc_macro_std=0.0125),
    ]
    assert uncertainty_table(Comparison(pd.DataFrame(rows), ARMS, DATASETS)).markdown() == (
        "| Macro AUC                 | Model I              | Model II                     |\n"
        "|---------------------------|----------------------|------------------------------|\n"
        "| Baseline                  | 0.900 [0.877, 0.921] | —                            |\n"
        "| Bootstrap Your Own Latent | —                    | 0.750 ± 0.013 [0.740, 0.760] |\n"
        "\n"
        "Each cell gives the macro AUC. ± is the standard deviation over seeds. Brackets give its "
        "95 % interval over the test images (stratified bootstrap) for the networks as trained; "
        "it excludes the variance over seeds.\n"
    )


def test_with_one_seed_no_deviation_is_explained():
    table = uncertainty_table(Comparison(small(labels=0.25), ARMS, DATASETS)).markdown()
    assert "±" not in table and "standard deviation" not in table
    assert "the macro AUC, 0.25 of the labels. " in table
    assert "Brackets give" in table


def test_difference_table_literally():
    arms = ARMS | {"other": "Other"}
    rows = [*small().to_dict("records"), cell("other", "model_1", 0.9, **against(-0.1, 0.001))]
    assert difference_table(Comparison(pd.DataFrame(rows), arms, DATASETS)).markdown() == (
        "| Difference                | Model I                            "
        "| Model II                         |\n"
        "|---------------------------|------------------------------------"
        "|----------------------------------|\n"
        "| Bootstrap Your Own Latent | -0.018 [-0.038, +0.002], p < 0.001 "
        "| +0.003 [-0.017, +0.023], p 0.050 |\n"
        "| Other                     | -0.100 [-0.120, -0.080], p 0.001   "
        "| —                                |\n"
        "\n"
        'Each cell gives the macro AUC minus that of "Baseline" on the same test images, its 95 % '
        "interval (paired stratified bootstrap of the test images), and the p value, corrected for "
        "all cells of this table (Holm).\n"
    )


def test_a_cell_without_its_reference_has_no_difference():
    summary = small()
    summary.loc[3, list(against(0, 0))] = list(against(np.nan, np.nan, reference=None).values())
    table = difference_table(Comparison(summary, ARMS, DATASETS)).markdown()
    assert cells_of(table, "Bootstrap") == ["-0.018 [-0.038, +0.002], p < 0.001", "—"]


def test_the_comparison_is_told_for_every_share_of_the_labels():
    few = small(labels=0.1)
    tables = markdown(comparison_tables(Comparison(pd.concat([few, small()]), ARMS, DATASETS)))
    assert tables == "\n".join(
        table(Comparison(part, ARMS, DATASETS)).markdown()
        for part in (small(), few)
        for table in (published_table, uncertainty_table, difference_table)
    )
    assert tables.count("0.1 of the labels") == 3
    plain = small(**against(np.nan, np.nan, reference=None))
    assert markdown(comparison_tables(Comparison(plain, ARMS, DATASETS))) == "\n".join(
        table(Comparison(plain, ARMS, DATASETS)).markdown()
        for table in (published_table, uncertainty_table)
    )


# --- frozen encoders ------------------------------------------------------------------------------

FROZEN_ARMS = {
    "probe_byol": "BYOL",
    "probe_simclr": "Contrastive",
    "probe_random": "Random encoder",
    "near_byol": "BYOL",
    "near_random": "Random encoder",
}


def frozen(arm, dataset, auc, difference=np.nan, p=np.nan, **fields):
    random = arm.endswith("random")
    chosen = {
        "protocol": "linear_probe" if arm.startswith("probe") else "nearest_neighbours",
        "pretraining": None if random else arm.partition("_")[2],
    }
    reference = None if np.isnan(difference) else arm.partition("_")[0] + "_random"
    return cell(arm, dataset, auc, **chosen, **against(difference, p, reference), **fields)


def frozen_summary():
    return pd.DataFrame(
        [
            cell("baseline", "model_1", 1.0),
            frozen("probe_random", "model_1", 0.625),
            frozen("probe_random", "model_2", 0.75),
            frozen("probe_byol", "model_1", 0.625, 0.0, 1.0),
            frozen("probe_byol", "model_2", 0.9375, 0.1875, 0.0499, collapsed_seeds="0"),
            frozen("probe_simclr", "model_1", 0.75, 0.125, 0.05),
        ]
    )


def test_frozen_tables_literally():
    assert markdown(frozen_tables(Comparison(frozen_summary(), FROZEN_ARMS, DATASETS))) == (
        "| Linear probe | Model I                             | Model II                |\n"
        "|--------------|-------------------------------------|-------------------------|\n"
        "| BYOL         | 0.625 vs 0.625 (+0.000) **no gain** | 0.938 vs 0.750 (+0.188) |\n"
        "| Contrastive  | 0.750 vs 0.625 (+0.125) **no gain** | —                       |\n"
        "\n"
        "Each cell gives the macro AUC with a frozen pretrained encoder vs that with a frozen "
        "random encoder (difference), on 1,500 test images per data set, one seed. "
        '"no gain": the pretrained encoder is not significantly better than the random one (paired '
        "stratified bootstrap of the test images, Holm-corrected over the table).\n"
        "\n"
        "**Collapsed**: BYOL on Model II (seed 0). In the last epoch of the pretraining nearly all "
        "images had the same features or embeddings, so these AUCs say nothing about the method.\n"
    )


def test_a_significantly_worse_encoder_is_no_gain():
    rows = [frozen("probe_byol", "model_1", 0.5, -0.5, 0.0001)]
    table = markdown(frozen_tables(Comparison(pd.DataFrame(rows), FROZEN_ARMS, DATASETS)))
    assert "| 0.500 vs 1.000 (-0.500) **no gain** |" in table


def test_without_a_random_encoder_nothing_is_said_of_a_gain():
    table = markdown(
        frozen_tables(
            Comparison(pd.DataFrame([frozen("probe_byol", "model_1", 0.5)]), FROZEN_ARMS, DATASETS)
        )
    )
    assert cells_of(table, "BYOL") == ["0.500 vs —", "—"]
    assert "nan" not in table


def test_frozen_protocols_and_shares_have_tables_of_their_own():
    rows = [
        frozen("near_random", "model_1", 0.5),
        frozen("near_byol", "model_1", 0.75, 0.25, 0.001),
        frozen("near_byol", "model_1", 0.625, 0.125, 0.001, labels=0.1),
        frozen("probe_random", "model_1", 0.5, labels=0.1),
    ]
    summary = pd.concat([pd.DataFrame(rows), frozen_summary()])
    text = markdown(frozen_tables(Comparison(summary, FROZEN_ARMS, DATASETS)))
    heads = [line for line in text.splitlines() if re.match(r"\| (Lin|Near)|Lin|Near", line)]
    assert [re.match(r"(\| )?(\w+ \w+)", line)[2] for line in heads] == [
        *("Linear probe", "Nearest neighbours"),  # all labels first
        *("Linear probe", "Nearest neighbours"),
    ]
    assert heads[2] == "Linear probe: no pretrained encoder was probed."
    assert "| 0.750 vs 0.500 (+0.250) |" in text
    assert "one seed, 0.1 of the labels" in text.partition("| 0.625 vs 0.500 (+0.125) |")[2]


def test_without_frozen_encoders_the_table_says_so():
    assert (
        markdown(frozen_tables(Comparison(small(), {}, DATASETS)))
        == "No frozen encoder was probed.\n"
    )
    assert (
        markdown(frozen_tables(Comparison(small(), ARMS, DATASETS)))
        == "No frozen encoder was probed.\n"
    )


# --- shares of the labels, transfer ---------------------------------------------------------------


def test_efficiency_table_literally():
    rows = [
        cell("baseline", "model_1", 0.9, labels=1.0, seeds=3, auc_macro_std=0.01),
        cell("baseline", "model_1", 0.6, labels=0.1, seeds=3, auc_macro_std=0.0312),
        cell("byol", "model_1", 0.8, labels=0.1, seeds=3, **against(0.2, 0.01)),
        cell("byol", "model_2", 0.5, labels=0.5, seeds=3),
        cell("probe", "model_1", 0.5, labels=0.3, seeds=3),
    ]
    table = efficiency_table(
        Comparison(pd.DataFrame(rows), ARMS, {"model_1": "Model I"})
    ).markdown()
    assert table.startswith(
        "| Model I                   | 150 labels (0.1) | 1,500 labels (1) |\n"
        "|---------------------------|------------------|------------------|\n"
        "| Baseline                  | 0.600 ± 0.031    | 0.900 ± 0.010    |\n"
        "| Bootstrap Your Own Latent | 0.800 ▲          | —                |\n"
        "\n"
        "Each cell gives the macro AUC, the mean over 3 seeds; ± is the standard deviation over "
        'seeds. ▲ and ▼ mark a macro AUC significantly higher and lower than that of "Baseline" '
        "(paired test on the same test images, Holm-corrected over "
    )


def test_transfer_matrix_by_where_encoders_are_from():
    rows = [
        cell("baseline", "model_1", 0.5),
        cell("baseline", "model_2", 0.625),
        cell("byol", "model_1", 0.75),
        cell("byol", "model_2", 0.875),
        cell("from_1", "model_2", 0.8125),
        cell("from_1", "model_2", 0.1875, labels=0.1),
        cell("from_9", "model_1", 0.4375),
    ]
    sources = {
        "model_2": {"model_2": "byol", "model_1": "from_1"},
        "model_1": {"model_1": "byol", "model_9": "from_9", "model_2": "from_2"},
    }
    matrix, baseline = transfer_matrix(pd.DataFrame(rows), sources, "baseline", DATASETS)
    assert list(matrix.index) == ["Model I", "Model II", "model_9"]
    found = matrix[["Model I", "Model II"]].to_numpy()
    np.testing.assert_array_equal(found, [[0.75, 0.8125], [np.nan, 0.875], [0.4375, np.nan]])
    assert (matrix.dtypes == "float64").all()
    assert baseline.to_dict() == {"Model I": 0.5, "Model II": 0.625}
    assert list(baseline.index) == list(matrix.columns)
    _, baseline = transfer_matrix(pd.DataFrame(rows[2:]), sources, "baseline", DATASETS)
    assert baseline is None


# --- LaTeX ----------------------------------------------------------------------------------------


def test_latex_table_literally():
    summary = pd.concat([small(labels=0.1), small()])
    better = (summary["arm"] == "byol") & (summary["dataset"] == "model_2")
    summary.loc[better & (summary["labels"] == 1), "p_macro_holm"] = 0.01
    table = latex_table(Comparison(summary, ARMS | {"none": "100 % of A & B_1"}, DATASETS))
    comments, rest = re.match(r"((?:%[^\n]*\n)+)(.*)", table, re.DOTALL).groups()
    assert "one seed" in comments and '"Baseline"' in comments
    assert rest == (
        "\\begin{tabular}{lcc}\n"
        "\\toprule\n"
        "Method & Model I & Model II \\\\\n"
        "\\midrule\n"
        "Baseline & \\textbf{0.97, 0.96, 1.00} & \\textbf{0.98, 0.92, 0.98} \\\\\n"
        "Bootstrap Your Own Latent & 0.95, 0.93, 1.00$^{-}$ & "
        "\\textbf{0.98, 0.93, 0.98}$^{+}$ \\\\\n"
        "100 \\% of A \\& B\\_1 & — & — \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def test_latex_is_balanced_whatever_titles_hold():
    awkward = "{_}} \\ 50 % & #1 $x^2$ ~|"
    datasets = {"model_1": awkward, "model_2": "\\end{tabular}"}
    table = latex_table(Comparison(small(), {"baseline": awkward, "byol": awkward}, datasets))
    lines = [line for line in table.splitlines() if not line.startswith("%")]
    code = "\n".join(lines)
    unescaped = re.sub(r"\\[\\{}$&%#_]", "", code)
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") == 2  # one mark
    assert not set("%#") & set(unescaped)
    assert re.findall(r"\\(?:begin|end)\{\w+\}", code) == ["\\begin{tabular}", "\\end{tabular}"]
    rows = [line for line in lines if line.endswith(r" \\")]
    assert len(rows) == 3
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2, 2, 2]
    assert [len(re.findall(r"(?<!\\)%", line)) for line in lines] == [0] * len(lines)


def test_latex_text_writes_commands_out():
    assert latex_text("a_b & 5 % \\x ^~ #{}$") == (
        r"a\_b \& 5 \% \textbackslash{}x \textasciicircum{}\textasciitilde{} \#\{\}\$"
    )


# --- what stands below, files ---------------------------------------------------------------------


def test_footer_lists_inconsistent_results():
    assert footer([]) == ""
    assert footer(["one thing", "another"]) == (
        "\n**Inconsistent provenance**, so these numbers cannot be compared:\n\n- one thing\n"
        "- another\n"
    )


def test_write_text_is_utf8_and_leaves_nothing_beside_it(tmp_path):
    write_text(tmp_path / "new" / "table.md", "a — b\n")
    assert (tmp_path / "new" / "table.md").read_bytes() == "a — b\n".encode()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.md"]
