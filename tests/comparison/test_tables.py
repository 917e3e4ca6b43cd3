"""Tables compared literally, and the choices behind them: order, bold, marks, missing cells."""

import re

import numpy as np
import pandas as pd
import pytest
from summaries import ARMS, DATASETS, against, cell, components, small, with_seeds

from sslens.comparison.compared import Comparison
from sslens.comparison.documents import tables_by
from sslens.comparison.measures import MACRO_AUC, Errors
from sslens.comparison.tables import (
    component_table,
    computing_table,
    difference_table,
    efficiency_table,
    footer,
    frozen_tables,
    markdown,
    published_table,
    uncertainty_table,
)
from sslens.formatting import pipe_table


def tables_of(comparison):
    """The tables of a classification."""
    return tables_by(comparison, [MACRO_AUC], leading=published_table)


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
        "set, the mean over 3 seeds. ▲ and ▼ mark methods whose macro AUC is significantly higher "
        'and lower than that of "Baseline" with other seeds and other test images (compared seed '
        "by seed on the same test images, Holm-corrected over all rows and data sets). Bold marks "
        "the methods that may have the highest macro AUC of a column: the best is among them with "
        "95 % confidence. Seeds are crossed with test images: all networks predict the same ones. "
        "All seeds share the training images, so the tests hold for these. AUCs are rounded to two "
        "decimals, as published, so 0.997 is printed as 1.00; auc_table.csv and auc_summary.csv "
        "have full precision.\n"
    )


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        (
            1,
            "one seed. **One seed tells nothing about the methods**: another seed may change an "
            "AUC by more than these rows differ, so no row is marked. AUCs are rounded",
        ),
        (
            2,
            "the mean over 2 seeds. Two seeds are too few to test the methods, so no row is "
            "marked. AUCs are rounded",
        ),
    ],
)
def test_with_fewer_than_three_seeds_nothing_is_marked(seeds, sentence):
    table = published_table(Comparison(small(seeds), ARMS, DATASETS)).markdown()
    assert f"per data set, {sentence}" in table
    assert not re.search(r"▲|▼|Bold|\*\*0|Holm|crossed", table)


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


@pytest.mark.parametrize(
    ("p", "bold"), [(0.0499, False), (0.05, True), (1.0, True), (np.nan, False)]
)
def test_bold_is_what_may_be_the_best(p, bold):
    rows = [
        cell("baseline", "model_1", (0.4, 0.4, 0.9)),
        cell("byol", "model_1", (0.9, 0.4, 0.3), **against(-0.1, 1.0), p_best=p),
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
    assert "over 3 seeds. Not tested, since the run has no row to test them against" in table


def test_rows_with_other_seeds_are_explained():
    summary = small()
    assert "fewer" not in published_table(Comparison(summary, ARMS, DATASETS)).markdown()
    few = "Rows are not tested, nor marked, with fewer than three seeds. "
    common = (
        "Rows with different seeds are compared by those that both have, so that a difference may "
        "not be that of the printed AUCs. "
    )
    nested = "Rows without two seeds in common are compared as if their seeds were independent. "
    cases = [
        ({"seeds": 2, "compared_seeds": 2, "design": "common"}, [few, common]),
        ({"compared_seeds": 2, "design": "common"}, [few, common]),
        ({"seeds": 5, "design": "common"}, [common]),
        ({"design": "nested"}, [nested]),
    ]
    for fields, sentences in cases:
        changed = summary.copy()
        changed.loc[3, list(fields)] = list(fields.values())
        comparison = Comparison(changed, ARMS, DATASETS)
        for table in (published_table(comparison), difference_table(comparison)):
            assert "".join(sentences).strip() in table.markdown()
            for other in {few, common, nested} - set(sentences):
                assert other.strip() not in table.markdown()


def test_with_few_labels_the_images_are_those_of_a_seed():
    table = published_table(Comparison(small(labels=0.01), ARMS, DATASETS)).markdown()
    assert "the mean over 3 seeds, 0.01 of the labels. ▲ and" in table
    assert (
        "Each seed draws its labelled images from the same training images, so the tests hold for "
        "these. AUCs"
    ) in table


def test_seeds_with_images_of_their_own_tell_of_other_training_images():
    comparison = Comparison(small(training_images="own"), ARMS, DATASETS)
    published, uncertainty, *_ = (table.markdown() for table in tables_of(comparison))
    assert "has training images of its own, so the tests hold for new ones. AUCs" in published
    assert "for the method with other seeds and other training and test images." in uncertainty
    assert "these training images" not in published + uncertainty


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


NETWORKS = "for these networks with other test images; it excludes the variance over seeds."
METHOD = "for the method with other seeds and other test images, and these training images."
OF_NETWORKS = (
    "† marks an interval of the networks with other test images alone: the row has one seed, or "
    "nothing varies, as with an AUC of 1 in all seeds."
)


def test_uncertainty_table_literally():
    rows = [cell("baseline", "model_1", 0.9), cell("byol", "model_2", 0.75, auc_macro_std=0.0375)]
    assert uncertainty_table(Comparison(pd.DataFrame(rows), ARMS, DATASETS)).markdown() == (
        "| Macro AUC                 | Model I                      "
        "| Model II                     |\n"
        "|---------------------------|------------------------------"
        "|------------------------------|\n"
        "| Baseline                  | 0.900 ± 0.013 [0.870, 0.930] "
        "| —                            |\n"
        "| Bootstrap Your Own Latent | —                            "
        "| 0.750 ± 0.037 [0.720, 0.780] |\n"
        "\n"
        "Each cell gives the macro AUC. ± is the standard deviation over seeds. Brackets give its "
        f"95 % interval {METHOD}\n"
    )


def test_with_one_seed_the_interval_is_that_of_the_networks():
    table = uncertainty_table(Comparison(small(1, labels=0.25), ARMS, DATASETS)).markdown()
    assert cells_of(table, "Baseline") == ["0.977 [0.967, 0.987]", "0.960 [0.950, 0.970]"]
    assert table.endswith(
        "\nEach cell gives the macro AUC, 0.25 of the labels. Brackets give its 95 % interval "
        f"{NETWORKS}\n"
    )


def test_an_interval_of_the_networks_is_marked_among_others():
    summary = small()
    undefined = ["auc_macro_low", "auc_macro_high", "difference_macro_low", "difference_macro_high"]
    summary.loc[3, undefined] = np.nan
    comparison = Comparison(summary, ARMS, DATASETS)
    for table, text in (
        (uncertainty_table(comparison).markdown(), "0.963 ± 0.013 [0.953, 0.973]†"),
        (difference_table(comparison).markdown(), "+0.003 [-0.007, +0.013]†, p 0.050"),
    ):
        assert cells_of(table, "Bootstrap")[1] == text
        assert table.count("]†") == 1 and f"{METHOD} {OF_NETWORKS}" in table


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
        'Each cell gives the macro AUC minus that of "Baseline" on the same test images, and its '
        f"95 % interval {METHOD} p is the p value of no difference between the methods, corrected "
        "for all cells of this table (Holm). An interval is of its cell alone, so 0 may be outside "
        "without significance.\n"
    )


def test_with_one_seed_a_difference_has_no_p_value():
    table = difference_table(Comparison(small(1), ARMS, DATASETS)).markdown()
    assert cells_of(table, "Bootstrap") == ["-0.018 [-0.028, -0.008]", "+0.003 [-0.007, +0.013]"]
    assert f"interval {NETWORKS} **One seed tells nothing about the methods**" in table
    assert "Holm" not in table


def test_component_table_literally():
    rows = [
        cell("baseline", "model_1", 0.9, **components("auc", 1e-4, 4e-6, -1e-9)),
        cell("byol", "model_1", 0.9, **against(0.1, 1)),
        cell("byol", "model_2", 0.9, **components("auc", np.nan, np.nan, np.nan)),
    ]
    assert component_table(Comparison(pd.DataFrame(rows), ARMS, DATASETS)).markdown() == (
        "| Components                | Model I                                         "
        "| Model II |\n"
        "|---------------------------|-------------------------------------------------"
        "|----------|\n"
        "| Baseline                  | 0.0100, 0.0020, 0.0000                          "
        "| —        |\n"
        "| Bootstrap Your Own Latent | 0.0200, 0.0100, 0.0050 (0.0000, 1.0000, 2.0000) "
        "| —        |\n"
        "\n"
        "Each cell gives the standard deviations of one network's macro AUC that are due to the "
        "seed, to the test images differently for each seed, and to the test images alike for all "
        'seeds; in parentheses, those of its difference from "Baseline" with the same seed. More '
        "seeds reduce the effect of the first two, more test images that of the last two. A "
        "variance that is estimated as negative counts as 0.\n"
    )
    alone = component_table(Comparison(pd.DataFrame(rows[:1]), ARMS, DATASETS)).markdown()
    assert "images alike for all seeds. More seeds reduce" in alone


def test_a_cell_without_its_reference_has_no_difference():
    summary = small()
    summary.loc[3, list(against(0, 0))] = list(against(np.nan, np.nan, reference=None).values())
    table = difference_table(Comparison(summary, ARMS, DATASETS)).markdown()
    assert cells_of(table, "Bootstrap") == ["-0.018 [-0.038, +0.002], p < 0.001", "—"]


def test_the_comparison_is_told_for_every_share_of_the_labels():
    few = small(labels=0.1)
    tables = markdown(tables_of(Comparison(pd.concat([few, small()]), ARMS, DATASETS)))
    assert tables == "\n".join(
        table(Comparison(part, ARMS, DATASETS)).markdown()
        for part in (small(), few)
        for table in (
            published_table,
            uncertainty_table,
            difference_table,
            component_table,
            computing_table,
        )
    )
    assert tables.count("0.1 of the labels") == 5
    not_counted = {"operations_pretraining": np.nan, "operations_finetuning": np.nan}
    plain = small(1, **against(np.nan, np.nan, reference=None), **not_counted)
    assert markdown(tables_of(Comparison(plain, ARMS, DATASETS))) == "\n".join(
        table(Comparison(plain, ARMS, DATASETS)).markdown()
        for table in (published_table, uncertainty_table)
    )


def test_a_run_without_rows_says_so():
    (table,) = tables_of(Comparison(small(), {"other": "Other"}, DATASETS))
    assert table.markdown().startswith("No arm of this run is fine-tuned; probe_table.md has")


def test_computing_table_literally():
    summary = small()
    summary.loc[1, "operations_finetuning"] = np.nan
    summary.loc[2, "operations_finetuning"] = 0.0625e12
    of_file = summary.assign(operations_pretraining=np.nan)
    table = computing_table(Comparison(of_file, ARMS, DATASETS))
    assert cells_of(table.markdown(), "Bootstrap")[0] == "0.0625 and those of its file"
    assert table.rows[1][1][0].key == 0.0625e12  # a page sorts by the first number of a cell
    table = computing_table(Comparison(summary, ARMS, DATASETS))
    assert table.rows[1][1][0].key == 2.5625e12
    assert table.markdown() == (
        "| 10¹² operations           | Model I    | Model II    |\n"
        "|---------------------------|------------|-------------|\n"
        "| Baseline                  | 1,230      | —           |\n"
        "| Bootstrap Your Own Latent | 2.56 (2.5) | 1,240 (2.5) |\n"
        "\n"
        "Each cell gives the floating-point operations, in units of 10¹², of all trainings of one "
        "network, and in parentheses those of its pretraining. Counted are two operations for each "
        "multiplication of convolutions, dense layers and attention, and a backward pass as two "
        "forward passes. Augmentations are not counted, nor the heads of a pretraining, but for "
        "the decoder of a masked autoencoder.\n"
    )


def test_marks_of_titles_are_explained_below_of_the_rows_that_have_them():
    arms = {"baseline": "Baseline", "byol": "Bootstrap Your Own Latent ‡ §"}
    notes = {"byol": {"‡": "pairs of images of one lens", "§": "it collapses"}, "other": {"¶": "x"}}
    (table, *_) = tables_of(Comparison(small(), arms, DATASETS, notes))
    assert table.notes[1:3] == [
        "‡ marks pretrainings that use what only a simulation knows: Bootstrap Your Own Latent "
        "(pairs of images of one lens).",
        "§ marks experimental methods: Bootstrap Your Own Latent (it collapses).",
    ]


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
        "| Linear probe | Model I                                          "
        "| Model II                                |\n"
        "|--------------|--------------------------------------------------"
        "|-----------------------------------------|\n"
        "| BYOL         | 0.625 vs 0.625, +0.000 [-0.020, +0.020] **n.s.** "
        "| 0.938 vs 0.750, +0.188 [+0.168, +0.207] |\n"
        "| Contrastive  | 0.750 vs 0.625, +0.125 [+0.105, +0.145] **n.s.** "
        "| —                                       |\n"
        "\n"
        "Each cell gives the macro AUC with a frozen pretrained encoder vs that with a frozen "
        "random encoder, on 1,500 test images per data set, the mean over 3 seeds, their "
        f'difference, and its 95 % interval {METHOD} "n.s.": the pretraining is not '
        "significantly better than random encoders, with other seeds and other test images "
        "(Holm-corrected over the table). An interval is of its cell alone, so 0 may be outside "
        "without significance.\n"
        "\n"
        "**Collapsed**: BYOL on Model II (seed 0). In the last epoch of the pretraining nearly all "
        "images had the same features or embeddings, so these AUCs say nothing about the method.\n"
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_with_fewer_than_three_seeds_no_gain_is_said_of_nothing(seeds):
    summary = with_seeds(frozen_summary(), seeds)
    table = markdown(frozen_tables(Comparison(summary, FROZEN_ARMS, DATASETS)))
    ends = "[-0.010, +0.010]" if seeds == 1 else "[-0.020, +0.020]"
    assert cells_of(table, "BYOL")[0] == f"0.625 vs 0.625, +0.000 {ends}"
    assert "n.s." not in table and "Holm" not in table
    few = "**One seed tells nothing" if seeds == 1 else "Two seeds are too few to test"
    assert f"interval {NETWORKS if seeds == 1 else METHOD} {few}" in table


def test_the_random_encoders_auc_is_that_of_its_own_cell():
    """Not the AUC less the difference, which is of the common seeds alone."""
    rows = [
        frozen("probe_random", "model_1", 0.5),
        frozen("probe_byol", "model_1", 0.75, 0.3, 0.01) | {"design": "common"},
    ]
    table = markdown(frozen_tables(Comparison(pd.DataFrame(rows), FROZEN_ARMS, DATASETS)))
    assert cells_of(table, "BYOL")[0].startswith("0.750 vs 0.500, +0.300 [")
    assert "compared by those that both have" in table


def test_a_significantly_worse_encoder_is_no_gain():
    rows = [
        frozen("probe_random", "model_1", 1.0),
        frozen("probe_byol", "model_1", 0.5, -0.5, 0.0001),
    ]
    table = markdown(frozen_tables(Comparison(pd.DataFrame(rows), FROZEN_ARMS, DATASETS)))
    assert "| 0.500 vs 1.000, -0.500 [-0.520, -0.480] **n.s.** |" in table


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
        frozen("near_random", "model_1", 0.5, labels=0.1),
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
    assert "| 0.750 vs 0.500, +0.250 [+0.230, +0.270] |" in text
    _, _, below = text.partition("| 0.625 vs 0.500, +0.125 [+0.105, +0.145] |")
    assert "3 seeds, 0.1 of the labels" in below


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
        cell("baseline", "model_1", 0.9, labels=1.0, auc_macro_std=0.01),
        cell("baseline", "model_1", 0.6, labels=0.1, auc_macro_std=0.0312),
        cell("byol", "model_1", 0.8, labels=0.1, auc_macro_std=np.nan, **against(0.2, 0.01)),
        cell("byol", "model_2", 0.5, labels=0.5),
        cell("probe", "model_1", 0.5, labels=0.3),
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
        "seeds. ▲ and ▼ mark methods whose macro AUC is significantly higher and lower than that "
        'of "Baseline" with other seeds and other test images (compared seed by seed on '
    )


def test_efficiency_table_has_the_notes_of_the_others():
    frame = pd.DataFrame(
        [cell("byol", "model_1", 0.8, labels=x, collapsed_seeds="3") for x in (1.0, 0.1)]
    )
    notes = {"byol": {"‖": "also where the fine-tuning has fewer"}}
    (arms, titles) = {"byol": "BYOL ‖"}, {"model_1": "Model I"}
    _, labels, collapsed = efficiency_table(Comparison(frame, arms, titles, notes)).notes
    assert labels.startswith("‖ marks pretrainings that read the labels")
    assert collapsed.startswith("**Collapsed**: BYOL ‖ on Model I (seed 3)")


def test_pretrained_rows_without_a_reference_are_named():
    alone = [cell("alone", "model_1", 0.8, **against(np.nan, np.nan, None))]
    summary = pd.concat([small(), pd.DataFrame(alone)])
    table = published_table(Comparison(summary, ARMS | {"alone": "Alone"}, DATASETS))
    assert 'Not tested, since the run has no row to test them against: "Alone".' in table.notes[0]
    assert "Not tested" not in published_table(Comparison(small(), ARMS, DATASETS)).notes[0]
    none = published_table(Comparison(pd.DataFrame(alone), {"alone": "Alone"}, {"model_1": "I"}))
    assert 'to test them against: "Alone".' in none.notes[0], "also where nothing is tested"


def test_efficiency_table_of_errors():
    (mass,) = Errors(["log10_axion_mass"]).shown()
    error = {"mae_log10_axion_mass": 0.25, "mae_log10_axion_mass_std": 0.01}
    test = {"difference_mae_log10_axion_mass": -0.1, "p_mae_log10_axion_mass_holm": 0.01}
    frame = pd.DataFrame([cell("byol", "model_1", 0.5) | error | test])
    titles = {"model_1": "Model I"}
    table = efficiency_table(Comparison(frame, ARMS, titles, measure=mass))
    assert "0.250 ± 0.010 ▲" in table.markdown()
    assert "Each cell gives the mean absolute error of the axion mass in dex" in table.markdown()
    assert table.title.startswith("Mean absolute error of the axion mass over the number of labels")
    assert table.header == ["Model I", "1,500 images with any target (1)"]


# --- what stands below, files ---------------------------------------------------------------------


def test_footer_lists_inconsistent_results():
    assert footer([]) == ""
    assert footer(["one thing", "another"]) == (
        "\n**Inconsistent provenance**, so these numbers cannot be compared:\n\n- one thing\n"
        "- another\n"
    )
