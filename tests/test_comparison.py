"""Tables compared literally, and the choices behind them: order, bold, missing, controls."""

import csv
import io

import pandas as pd
import pytest

from sslens.comparison import (
    PROBE_COLUMNS,
    collect,
    csv_text,
    markdown_table,
    probe_markdown,
    probe_table,
)
from sslens.files import write_text

ARMS = {"baseline": "Baseline", "byol": "Bootstrap Your Own Latent"}
DATASETS = {"model_1": "Model I", "model_2": "Model II"}


def metrics(arm, dataset, auc, seed=0, labels=1.0, images=1500, **fields):
    axion, cdm, no_sub = auc
    scores = {"axion": axion, "cdm": cdm, "no_sub": no_sub, "macro": sum(auc) / 3}
    return {
        "arm": arm,
        "dataset": dataset,
        "labels": labels,
        "seed": seed,
        "auc": scores,
        "accuracy": 0.9,
        "images": images,
        "predictions_sha256": "0" * 64,
        "protocol": "finetune",
        "pretraining": None if arm == "baseline" else arm,
        "pretraining_collapsed": None if arm == "baseline" else False,
        **fields,
    }


def small():
    return collect(
        [
            metrics("byol", "model_1", (0.95, 0.93, 0.997)),
            metrics("baseline", "model_2", (0.98, 0.92, 0.98)),
            metrics("baseline", "model_1", (0.97, 0.96, 1.0)),
        ],
        ARMS,
        DATASETS,
    )


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
    one["crop"] = [64, 64]
    frame = collect([one], ARMS, ["model_1"])
    assert list(frame.columns) == [
        *("arm", "dataset", "labels", "seed", "title", "protocol", "pretraining"),
        *("crop", "encoder_name", "encoder_width", "pretraining_collapsed"),
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
    ],
)
def test_collect_refuses_what_cannot_be_compared(files, message):
    with pytest.raises(ValueError, match=message):
        collect(files, ARMS, DATASETS)


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
        "arm,dataset,labels,seed,title,protocol,pretraining,pretraining_collapsed,"
        "auc_axion,auc_cdm,auc_no_sub,auc_macro,accuracy,images,predictions_sha256\n"
        f"baseline,model_1,1.0,0,Baseline,finetune,,,1,1,1,1.0,0.9,1500,{'0' * 64}\n"
    )


# --- the comparison table ------------------------------------------------------------------------


def test_markdown_table_literally():
    assert markdown_table(small(), ARMS, DATASETS) == (
        "| Method                    | Model I              | Model II             |\n"
        "|---------------------------|----------------------|----------------------|\n"
        "| Baseline                  | **0.97, 0.96, 1.00** | **0.98, 0.92, 0.98** |\n"
        "| Bootstrap Your Own Latent | 0.95, 0.93, 1.00     | —                    |\n"
        "\n"
        "A cell is the one-vs-rest AUC of axion, cdm, no_sub on 1,500 test images per data set, "
        "one seed. Bold is the best of a column by macro AUC in full precision. Two decimals as "
        "published, so 0.997 prints 1.00: full precision is in auc_table.csv.\n"
    )


def cells_of(table, row):
    line = next(line for line in table.splitlines() if line.startswith(f"| {row}"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_bold_is_chosen_in_full_precision():
    files = [
        metrics("baseline", "model_1", (0.9901, 0.99, 0.99)),
        metrics("byol", "model_1", (0.9902, 0.99, 0.99)),
    ]
    table = markdown_table(collect(files, ARMS, DATASETS), ARMS, {"model_1": "Model I"})
    assert cells_of(table, "Baseline") == ["0.99, 0.99, 0.99"]
    assert cells_of(table, "Bootstrap") == ["**0.99, 0.99, 0.99**"]


def test_bold_goes_by_macro_not_by_a_class_and_equals_share_it():
    files = [
        metrics("baseline", "model_1", (1.0, 0.5, 0.5)),
        metrics("byol", "model_1", (0.75, 0.75, 0.75)),
        metrics("baseline", "model_2", (1.0, 1.0, 1.0)),
        metrics("byol", "model_2", (1.0, 1.0, 1.0)),
    ]
    table = markdown_table(collect(files, ARMS, DATASETS), ARMS, DATASETS)
    assert cells_of(table, "Baseline") == ["1.00, 0.50, 0.50", "**1.00, 1.00, 1.00**"]
    assert cells_of(table, "Bootstrap") == ["**0.75, 0.75, 0.75**", "**1.00, 1.00, 1.00**"]


def test_an_arm_outside_the_table_takes_no_bold():
    files = [
        metrics("baseline", "model_1", (0.9, 0.9, 0.9)),
        metrics("probe", "model_1", (1.0, 1.0, 1.0)),
    ]
    frame = collect(files, ARMS | {"probe": "Probe"}, DATASETS)
    table = markdown_table(frame, ARMS, DATASETS)
    assert cells_of(table, "Baseline") == ["**0.90, 0.90, 0.90**", "—"]
    assert "1.00, 1.00" not in table


def test_seeds_are_averaged_before_rounding_and_named():
    files = [
        metrics("baseline", "model_1", (0.904, 0.8, 1.0), seed=0),
        metrics("baseline", "model_1", (0.914, 0.9, 1.0), seed=1),
        metrics("byol", "model_1", (0.1, 0.1, 0.1), seed=0),
        metrics("byol", "model_1", (0.1, 0.1, 0.2), seed=1),
        metrics("byol", "model_2", (0.9, 0.9, 0.9), seed=0, images=900),
    ]
    table = markdown_table(collect(files, ARMS, DATASETS), ARMS, DATASETS)
    assert cells_of(table, "Baseline")[0] == "**0.91, 0.85, 1.00**"
    assert "on 1,500 (Model I), 900 (Model II) test images, the mean over 1 to 2 seeds." in table
    same = collect(files[:4], ARMS, DATASETS)
    assert "1,500 test images per data set, the mean over 2 seeds." in markdown_table(
        same, ARMS, DATASETS
    )


def test_label_fractions_are_not_mixed_and_a_part_is_named():
    files = [metrics("baseline", "model_1", (0.9, 0.9, 0.9), labels=f) for f in (0.01, 1.0)]
    frame = collect(files, ARMS, DATASETS)
    with pytest.raises(ValueError, match="one label fraction, not of 0.01, 1.0"):
        markdown_table(frame, ARMS, DATASETS)
    few = markdown_table(frame[frame["labels"] == 0.01], ARMS, DATASETS)
    assert "one seed, 0.01 of the labels. Bold" in few


def test_pipes_in_a_title_do_not_break_the_table():
    table = markdown_table(small(), {"baseline": "Base|line"}, DATASETS)
    assert r"| Base\|line | **0.97" in table


def collapsed_files():
    files = [
        metrics("byol", "model_2", (0.5, 0.5, 0.5), seed=seed, pretraining_collapsed=seed != 2)
        for seed in (10, 2, 9)
    ]
    return [
        *files,
        metrics("byol", "model_1", (0.5, 0.5, 0.5)),
        metrics("baseline", "model_2", (0.9, 0.9, 0.9)),
    ]


def test_collapsed_pretrainings_are_named_below_the_table():
    frame = collect(collapsed_files(), ARMS, DATASETS)
    assert markdown_table(frame, ARMS, DATASETS).splitlines()[6:] == [
        "",
        "**Collapsed**: Bootstrap Your Own Latent on Model II (seeds 9, 10). In the last epoch of "
        "the pretraining nearly all images had the same features or embeddings, so this tells "
        "nothing of its method.",
    ]
    assert "Collapsed" not in markdown_table(frame, ARMS, {"model_1": "Model I"})


# --- the probe table -----------------------------------------------------------------------------

PROBES = {"probe_byol": "BYOL", "probe_simclr": "Contrastive", "probe_random": "Random encoder"}


def probe(arm, dataset, macro, pretraining, seed=0, encoder="resnet18"):
    fields = {"protocol": "linear_probe", "pretraining": pretraining, "encoder": encoder}
    return metrics(arm, dataset, (macro, macro, macro), seed=seed, **fields)


def probe_files():
    return [
        probe("probe_byol", "model_1", 0.625, "byol"),
        probe("probe_byol", "model_2", 0.9375, "byol"),
        probe("probe_simclr", "model_1", 0.75, "simclr"),
        probe("probe_random", "model_1", 0.625, None),
        probe("probe_random", "model_2", 0.75, None),
        metrics("baseline", "model_1", (1.0, 1.0, 1.0)),
    ]


def probe_frame(files):
    others = {"random_50": "Another random encoder", "baseline": "Baseline"}
    return collect(files, PROBES | others, DATASETS)


def test_probe_table_sets_each_pretraining_beside_the_random_encoder():
    table = probe_table(probe_frame(probe_files()), PROBES, DATASETS)
    assert tuple(table.columns) == PROBE_COLUMNS
    shown = ["arm", "dataset", "pretraining", "auc_macro_pretrained", "auc_macro_random"]
    assert table[[*shown, "difference", "beats_random"]].values.tolist() == [
        ["probe_byol", "model_1", "byol", 0.625, 0.625, 0.0, False],
        ["probe_byol", "model_2", "byol", 0.9375, 0.75, 0.1875, True],
        ["probe_simclr", "model_1", "simclr", 0.75, 0.625, 0.125, True],
    ]


def test_probe_markdown_literally():
    table = probe_table(probe_frame(probe_files()), PROBES, DATASETS)
    assert probe_markdown(table, PROBES, DATASETS) == (
        "| Linear probe | Model I                             | Model II                |\n"
        "|--------------|-------------------------------------|-------------------------|\n"
        "| BYOL         | 0.625 vs 0.625 (+0.000) **no gain** | 0.938 vs 0.750 (+0.188) |\n"
        "| Contrastive  | 0.750 vs 0.625 (+0.125)             | —                       |\n"
        "\n"
        "A cell is the macro AUC of a linear probe on the frozen pretrained encoder vs on a frozen "
        "random encoder (difference), on 1,500 test images per data set, one seed. "
        '"no gain": the pretrained encoder does not beat the random one. '
        "Without an interval, so a small difference may be chance.\n"
    )


def test_collapsed_pretrainings_are_named_below_the_probes_as_read_from_the_csv():
    files = probe_files()
    files[1] |= {"pretraining_collapsed": True}
    for file in files[3:]:
        file["pretraining_collapsed"] = None
    frame = pd.read_csv(io.StringIO(csv_text(probe_frame(files))))
    table = probe_table(frame, PROBES, DATASETS)
    assert table["collapsed_seeds"].fillna("none").tolist() == ["none", "0", "none"]
    text = probe_markdown(table, PROBES, DATASETS)
    assert text.splitlines()[-1].startswith("**Collapsed**: BYOL on Model II (seed 0). In the")


def test_a_worse_pretraining_is_marked_with_its_sign():
    files = [probe("probe_byol", "model_1", 0.5, "byol"), probe("probe_random", "model_1", 1, None)]
    table = probe_table(probe_frame(files), PROBES, DATASETS)
    assert "0.500 vs 1.000 (-0.500) **no gain**" in probe_markdown(table, PROBES, DATASETS)


def test_probe_table_averages_seeds():
    files = [
        probe("probe_byol", "model_1", 0.5, "byol", seed=0),
        probe("probe_byol", "model_1", 1.0, "byol", seed=1),
        probe("probe_random", "model_1", 0.5, None, seed=0),
        probe("probe_random", "model_1", 0.75, None, seed=1),
    ]
    (row,) = probe_table(probe_frame(files), PROBES, DATASETS).itertuples()
    assert (row.auc_macro_pretrained, row.auc_macro_random) == (0.75, 0.625)
    assert (row.difference, row.seeds, row.beats_random) == (0.125, 2, True)


def test_only_a_random_encoder_of_the_same_kind_is_a_control():
    arms = {"probe_byol": "BYOL", "random_50": "Random ResNet50"}
    files = [
        probe("probe_byol", "model_1", 0.75, "byol"),
        probe("random_50", "model_1", 0.5, None, encoder="resnet50"),
    ]
    table = probe_table(probe_frame(files), arms, DATASETS)
    assert table[["auc_macro_random", "difference", "beats_random"]].isna().all(axis=None)
    assert cells_of(probe_markdown(table, arms, DATASETS), "BYOL") == ["0.750 vs —", "—"]
    # nor is one with a neck a control for one without
    necks = [{"name": "resnet18", "neck": neck} for neck in ([], [64])]
    files = [
        probe("probe_byol", "model_1", 0.75, "byol", encoder=necks[0]),
        probe("random_50", "model_1", 0.5, None, encoder=necks[1]),
    ]
    assert probe_table(probe_frame(files), arms, DATASETS)["difference"].isna().all()
    files = [
        probe(arm, "model_1", 0.5, None, encoder="resnet50")
        for arm in ("probe_random", "random_50")
    ]
    with pytest.raises(ValueError, match="not probe_random, random_50$"):
        probe_table(probe_frame(files), arms | PROBES, DATASETS)


def test_without_probes_the_table_says_so():
    table = probe_table(small(), ARMS, DATASETS)
    assert table.empty
    assert tuple(table.columns) == PROBE_COLUMNS
    assert probe_markdown(table, ARMS, DATASETS) == (
        "No linear probe of a pretrained encoder was run.\n"
    )


def test_write_text_is_utf8_and_leaves_nothing_beside_it(tmp_path):
    write_text(tmp_path / "new" / "table.md", "a — b\n")
    assert (tmp_path / "new" / "table.md").read_bytes() == "a — b\n".encode()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.md"]
