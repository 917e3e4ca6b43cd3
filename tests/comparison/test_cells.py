"""Lists of files, as rules have them, are dealt to rows and data sets."""

import pytest

from sslens.comparison.cells import by_dataset, by_row


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
