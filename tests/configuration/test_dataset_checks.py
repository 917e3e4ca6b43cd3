"""Mistakes in data sets: recipes, archives, sizes, classes without images."""

import pytest
import yaml
from configurations import SCHEMA, config_with, error_of
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.checks import check
from sslens.configuration.dataset_checks import check_labels
from sslens.configuration.files import ConfigurationError
from sslens.configuration.loading import load

NAN, INF = float("nan"), float("inf")


def test_what_the_run_does_not_use_need_not_be_a_recipe_that_works():
    config = config_with("datasets.model_3.seed", -1)
    config["run"]["datasets"] = ["model_1"]
    check(config, SCHEMA)
    # but a transfer uses the data set it was pretrained on
    config["arms"]["byol-dihedral"]["pretrained_on"] = "model_3"
    assert error_of(config).startswith("datasets.model_3.seed")
    config["run"]["arms"] = ["baseline"]
    check(config, SCHEMA)


def test_a_classification_needs_images_of_every_class():
    config = config_with("datasets.model_1.class_shares", {"axion": 1, "cdm": 0, "no_sub": 0})
    assert error_of(config) == (
        "datasets.model_1.class_shares: no images of cdm, no_sub, but a classification needs all "
        "classes"
    )
    config["run"]["datasets"] = ["model_2", "model_3"]
    check(config, SCHEMA)
    shares = {"axion": 90, "cdm": 9, "no_sub": 1}
    config["datasets"]["model_3"]["class_shares"] = shares
    config["splits"]["test"]["images"] = 110
    message = error_of(config)
    assert message.startswith(
        "splits.test.images: 110 images of model_3 have 1 of the rarest class"
    )
    config["splits"]["test"]["images"] = 200
    config["run"]["label_fractions"] = [0.02]
    message = error_of(config)
    assert message.startswith("run.label_fractions.0: 0.02 of 15 training images per class leaves")


def test_seeds_with_images_of_their_own_need_enough_of_whole_lenses():
    config = config_with("run.images_per_seed", 498)
    config["run"]["seeds"] = [7, 3, 5]
    check(config, SCHEMA)
    assert settings.own_images(config, 3) == {"training_images": [498, 996]}
    config["run"]["seeds"].append(9)
    assert error_of(config) == (
        "splits.train.images: 1500 images, but 4 seeds with 498 of their own (run.images_per_seed) "
        "need 1992"
    )
    config["run"]["seeds"] = [7]
    config["datasets"]["model_3"]["images_per_lens"] = 4
    assert error_of(config) == (
        "run.images_per_seed: 498 images of model_3 are no whole number of turns of its classes "
        "and lenses: take a multiple of 12"
    )
    config["datasets"]["model_3"] |= {"images_per_lens": 1, "lenses_per_substructure": 5}
    assert error_of(config).endswith("classes and lenses: take a multiple of 15")
    config["run"]["images_per_seed"] = None
    assert settings.own_images(config, 7) == {}


def test_label_fractions_are_of_the_images_of_a_seed():
    config = config_with("run.images_per_seed", 30)
    config["run"]["arms"] = ["baseline"]
    config["run"]["label_fractions"] = [0.02]
    message = error_of(config)
    assert message.startswith("run.label_fractions.0: 0.02 of 10 training images per class leaves")


def test_archives_have_no_new_images_for_a_seed(with_archive):
    config, _ = with_archive
    config["run"]["images_per_seed"] = 300
    assert error_of(config).startswith("run.images_per_seed: mine is an archive; only simulated")


def test_an_archive_is_a_data_set(with_archive):
    config, entry = with_archive
    check(config, SCHEMA)
    chosen = settings.dataset_settings(config, "mine")
    assert chosen["keys"] == {"images": "images", "labels": "labels", "masses": "axion_mass"}
    assert chosen["instrument"] == {"pixels": 64, "pixel_scale": None}
    assert chosen["max_rejected"] == 0.01
    assert "title" not in settings.dataset_settings(config, "model_1")
    assert settings.shard_count(config, "mine", "test") == 8
    entry["shards"] = 3
    assert settings.shard_count(config, "mine", "test") == 3
    assert settings.names_from(config, "archive") == ["mine"]
    assert settings.names_from(config, "simulation", ["mine", "model_2"]) == ["model_2"]


def test_a_number_and_a_text_are_two_names_of_a_class_however_they_are_given(with_archive):
    _, entry = with_archive
    given = {"datasets": {"mine": entry | {"classes": {0: "cdm", "0": "axion"}}}}
    config = load(ROOT / "config", given | {"run": {"datasets": ["mine"]}})
    message = "datasets.mine.classes: 0 is given twice, as a number and as a text"
    assert error_of(config).startswith(message)


def test_errors_of_an_archive_name_the_key(with_archive, monkeypatch):
    config, entry = with_archive
    folder = entry["paths"]["test"]
    wrong = {
        "source": ("archiv", "datasets.mine.source: unknown source 'archiv'; did you mean"),
        "pths": ({}, "datasets.mine: unknown key 'pths'; did you mean 'paths'?"),
        "instrument": ({}, "datasets.mine.instrument: 'pixels' is a required property"),
        "paths": ({"train": folder}, "datasets.mine.paths: 'test' is a required property"),
        "classes": ({"wdm": "warm"}, "datasets.mine.classes.wdm: 'warm' is not one of"),
        "limit": ({"train": 2**70}, "datasets.mine.limit.train: a whole number of 71 bits is"),
        "max_rejected": (NAN, "datasets.mine.max_rejected: nan is not a finite number"),
        "shards": (0, "datasets.mine.shards: 0 is less than the minimum"),
        "seed": (1.5, "datasets.mine.seed: 1.5 is not of type 'integer'"),
    }
    for key, (value, message) in wrong.items():
        config["datasets"]["mine"] = entry | {key: value}
        assert error_of(config).startswith(message)
    for classes, message in (
        ({0: "cdm", "0": "axion"}, ": 0 is given twice, as a number and as a text"),
        ({0: "cdm", "wdm": "warm"}, ".wdm: 'warm' is not one of"),
        ({"f+": "cdm", "f-": "cdm", "F": "axion"}, ": 'f+' and 'F' are one name without case"),
        ({"+": "cdm"}, ": '+' has neither letters nor digits"),
    ):
        config["datasets"]["mine"] = entry | {"classes": classes}
        assert error_of(config).startswith(f"datasets.mine.classes{message}")
    for path, message in {
        f"{folder}/{{dataset}}": f"datasets.mine.paths.test: '{folder}/{{dataset}}' has a brace",
        "data/test": "datasets.mine.paths.test: 'data/test' is relative: write the whole path",
        folder.lower(): f"datasets.mine.paths.test: there is no {folder.lower()}; did you mean "
        f"{folder}?",
        "/nowhere/at/all": "datasets.mine.paths.test: there is no /nowhere/at/all, nor a folder",
    }.items():
        config["datasets"]["mine"] = entry | {"paths": entry["paths"] | {"test": path}}
        assert error_of(config).startswith(message)
    monkeypatch.setenv("HERE", folder)
    entry["paths"]["test"] = "$HERE"
    config["datasets"]["mine"] = entry
    check(config, SCHEMA)


def test_what_axes_and_classes_of_an_archive_say_is_checked(with_archive):
    config, entry = with_archive
    wrong = {
        "axes": (["x", "y"], "datasets.mine.axes: ['x', 'y'] is not one of"),
        "extension": (-1, "datasets.mine.extension: -1 is less than the minimum"),
    }
    for key, (value, message) in wrong.items():
        config["datasets"]["mine"] = entry | {key: value}
        assert error_of(config).startswith(message)
    config["datasets"]["mine"] = entry | {"axes": ["image", "y", "x"], "channel": 4}
    assert error_of(config).startswith("datasets.mine.channel: 4, but axes [image, y, x] have no")
    config["datasets"]["mine"] = entry | {"classes": yaml.safe_load("{no: no_sub}")}
    assert error_of(config).startswith("datasets.mine.classes: YAML takes a name there for False:")
    classes = yaml.safe_load("{0: axion, '1': cdm, 2: no_sub, -1: wdm}")
    loaded = load(ROOT / "config", {"datasets": {"mine": entry | {"classes": classes}}})
    loaded["run"]["datasets"] = ["mine"]
    assert error_of(loaded).startswith("datasets.mine.classes.-1: 'wdm' is not one of")
    del loaded["datasets"]["mine"]["classes"]["-1"]
    check(loaded, SCHEMA)
    assert set(loaded["datasets"]["mine"]["classes"]) == {"0", "1", "2"}


def test_label_fractions_leave_images_of_each_class_of_an_archive(with_archive):
    config, _ = with_archive
    config["run"]["label_fractions"] = [1.0, 0.1]
    counts = {"axion": 100, "cdm": 6, "no_sub": 100}
    check_labels(config, "mine", counts)
    with pytest.raises(ConfigurationError) as error:
        check_labels(config, "mine", counts | {"cdm": 4})
    assert str(error.value).startswith(
        "run.label_fractions.1: 0.1 of the 4 training images of cdm in mine leaves none: take a"
    )
    config["run"]["datasets"] = ["model_1"]  # an encoder alone is taken from the archive
    check_labels(config, "mine", counts | {"cdm": 4})
