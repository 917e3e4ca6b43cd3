"""Folders and labels name classes, but for case and punctuation; numbers do not."""

import pytest

from sslens.data.archives.class_names import (
    class_of,
    classes_of_folders,
    number_of,
    plain_name,
    with_aliases,
)

ALIASES = with_aliases({"WDM": "cdm", "sub": "axion", "7": "no_sub"})


@pytest.mark.parametrize(
    ("name", "plain"),
    [("No Sub", "nosub"), ("f+", "f"), ("-1", "-1"), ("0.1", "0.1"), ("a.1", "a1"), ("__", "")],
)
def test_names_are_compared_without_case_and_punctuation(name, plain):
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    ("file", "classes"),
    [
        ("Vortex/a.npy", ["axion"]),
        ("cdm/3/a.npy", ["cdm"]),
        ("2019/7/a.npy", ["no_sub"]),
        ("2019/3/a.npy", ["3"]),
        ("2019/a.npy", []),
        ("cdm/wdm/a.npy", ["cdm"]),
        ("no/sub/a.npy", ["no_sub", "axion"]),  # sub is a name of the user's own
        ("sub/cdm/a.npy", ["cdm"]),  # and all that has substructure, where a class is below
        ("a.npy", []),
    ],
)
def test_the_classes_of_folders(file, classes):
    assert classes_of_folders(file, ALIASES) == classes


def test_a_label_and_the_folders_have_one_class_or_none():
    assert class_of("SUB", ["axion"], ALIASES) == ("axion", "")
    assert class_of(None, ["cdm"], ALIASES) == ("cdm", "")
    assert (
        class_of("cdm", ["3"], ALIASES) == class_of("cdm", ["axion", "cdm"], ALIASES) == ("cdm", "")
    )
    for label, folders, reason in (
        (None, [], "in no folder with a class's name, and without a label of its own"),
        (None, ["3"], "its folder '3' is no class: set `classes`"),
        ("3", [], "its label '3' is no class: set `classes`"),
        ("cdm", ["axion"], "its label is cdm, and its folder's axion"),
        (None, ["cdm", "axion"], "its folders name cdm and axion: rename or move one"),
        ("no", ["cdm", "axion"], "its label is no_sub, and its folder's cdm and axion"),
    ):
        assert class_of(label, folders, ALIASES) == (None, reason)


def test_numbers_that_are_no_names():
    assert number_of("3", ["cdm"], ALIASES) == number_of(None, ["3"], ALIASES) == "3"
    assert number_of("7", [], ALIASES) is None  # a name of a class
    assert number_of(None, ["cdm"], ALIASES) is number_of("cdm", [], ALIASES) is None
