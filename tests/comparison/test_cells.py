"""The cells of a comparison as one frame, and their files dealt to rows and data sets."""

import csv
import io

import pytest
from summaries import ARMS, DATASETS

from sslens.comparison.cells import by_dataset, by_row, check_complete, collect
from sslens.formatting import csv_text


def test_files_are_dealt_to_their_rows_a_file_a_seed():
    paths = [f"{arm}{seed}" for arm in "ab" for seed in (1, 2, 3)]
    assert by_row(["A", "B"], paths) == {"A": ["a1", "a2", "a3"], "B": ["b1", "b2", "b3"]}


def test_every_data_set_has_its_part_of_all_lists():
    settings = {"one": {"title": "1"}, "two": {"title": "2"}}
    found = list(by_dataset(settings, ["a", "b", "c", "d"], ["x", "y"]))
    assert found == [({"title": "1"}, [["a", "b"], ["x"]]), ({"title": "2"}, [["c", "d"], ["y"]])]


def test_files_that_cannot_be_dealt_evenly_are_refused():
    with pytest.raises(ValueError, match="^3 files of 2 rows, which should have as many each$"):
        by_row(["A", "B"], ["a1", "a2", "b1"])
    with pytest.raises(
        ValueError, match="^3 files of 2 data sets, which should have as many each$"
    ):
        list(by_dataset({"one": {}, "two": {}}, ["a", "b"], ["x", "y", "z"]))


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
