"""Mistakes in pretrainings: their methods, pretexts, pairs and files."""

import pytest
from configurations import MASS_OF_AXIONS, SCHEMA, config_with, error_of
from paths import ROOT

from sslens.configuration import outputs, rows, settings
from sslens.configuration.checks import check
from sslens.configuration.loading import load, merge
from sslens.pretexts import changes_nothing


def test_a_method_refuses_a_pretext_that_it_cannot_learn_from():
    config = config_with("pretrainings.byol-dihedral.method", "rotnet")
    del config["pretrainings"]["byol-dihedral"]["options"]
    assert error_of(config) == (
        "pretrainings.byol-dihedral.pretext: dihedral has dihedral, which rotnet refuses; take a "
        "pretext without"
    )
    config["pretrainings"]["byol-dihedral"]["pretext"] = "gaussian_noise"
    check(config, SCHEMA)


def test_a_masked_autoencoder_needs_a_transformer_of_patches():
    config = config_with("pretrainings.byol-dihedral", {"method": "mae", "pretext": "none"})
    assert error_of(config) == (
        "pretrainings.byol-dihedral.method: mae needs an encoder with token_stem: patch; that of "
        "this pretraining, resnet18, has no such setting (take a vit)"
    )
    own = {"name": "vit_nano"}
    config["pretrainings"]["byol-dihedral"]["encoder"] = own
    config["run"]["arms"] = ["baseline", "byol-dihedral"]
    assert error_of(config).endswith("this pretraining, vit_nano, has convolution")
    own |= {"token_stem": "patch", "neck": [8], "neck_dropout": []}
    assert error_of(config).endswith(
        "mae needs an encoder with neck: []; that of this pretraining, vit_nano, has [8]"
    )
    own["neck"] = []
    check(config, SCHEMA)
    options = config["pretrainings"]["byol-dihedral"]["options"] = {"decoder": {"heads": 3}}
    assert error_of(config) == (
        "pretrainings.byol-dihedral.options.decoder.heads: 3 does not divide embedding of 64"
    )
    options["decoder"]["embedding"] = 48
    check(config, SCHEMA)


def test_a_masked_autoencoder_masks_some_patch():
    own = {"method": "mae", "pretext": "none", "options": {"masked": 0.1}}
    own["encoder"] = {"name": "vit_nano", "token_stem": "patch", "patch": 32}
    config = config_with("pretrainings.byol-dihedral", own)
    config["run"]["arms"] = ["baseline", "byol-dihedral"]
    assert error_of(config) == (
        "pretrainings.byol-dihedral.options.masked: 0.1 of 4 patches of model_1 masks none; mask "
        "more, or take smaller patches"
    )
    own["options"]["masked"] = 0.13
    check(config, SCHEMA)


def test_what_a_row_computes_as_much_as_could_be_trained():
    config = config_with("pretrainings.byol-dihedral", {"method": "mae", "pretext": "none"})
    config["arms"]["costly"] = {"match_compute_of": "byol-dihedral"}
    config["run"]["arms"] = ["baseline", "costly"]
    assert "byol-dihedral.method: mae needs an encoder with token_stem: patch" in error_of(config)
    config["arms"]["costly"]["match_compute_of"] = "byol"
    assert error_of(config) == (
        "arms.costly.match_compute_of: unknown pretraining 'byol'; known are "
        f"{', '.join(config['pretrainings'])}"
    )


def test_a_pretraining_needs_a_batch_of_images_and_more_than_its_queue():
    config = config_with("pretraining.batch_size", 1501)
    assert error_of(config) == (
        "pretraining.batch_size: 1501, but there are 1500 training images; take a smaller batch"
    )
    config = config_with("pretrainings.byol-dihedral.method", "nnclr")
    config["pretrainings"]["byol-dihedral"]["options"] = {"queue": 500}
    check(config, SCHEMA)
    config["run"]["images_per_seed"] = 1497
    assert error_of(config) == (
        "pretrainings.byol-dihedral.options.queue: 500 is more than a third of 1497 training "
        "images; take at most 499"
    )
    config["run"]["images_per_seed"] = 1494
    for dataset in config["run"]["datasets"]:
        config["datasets"][dataset]["images_per_lens"] = 3
    config["pretrainings"]["byol-dihedral"] |= {"pairs": "same_lens", "options": {"queue": 167}}
    assert error_of(config) == (
        "pretrainings.byol-dihedral.options.queue: 167 is more than a third of 498 groups of 1494 "
        "training images with pairs: same_lens; take at most 166"
    )
    config["pretrainings"]["byol-dihedral"] |= {"options": {"queue": 166}, "batch_size": 499}
    assert error_of(config) == (
        "pretrainings.byol-dihedral.batch_size: 499, but there are 498 groups of 1494 training "
        "images with pairs: same_lens; take a smaller batch"
    )


@pytest.mark.parametrize("method", ["rotnet", "mae"])
def test_a_method_of_one_view_has_no_pairs(method):
    entry = {"method": method, "pretext": "none", "pairs": "same_lens"}
    entry |= {"encoder": {"name": "vit_nano", "token_stem": "patch"}}
    config = config_with("pretrainings.alone", entry)
    config["arms"]["alone"] = {"pretraining": "alone"}
    config["run"] |= {"arms": ["alone"], "datasets": ["model_2"]}
    config["datasets"]["model_2"]["images_per_lens"] = 4
    problem = f"same_lens, but {method} takes one image; give it same_image"
    assert f"pretrainings.alone.pairs: {problem}" in error_of(config)


def test_pairs_of_one_lens_need_several_images_of_it():
    config = config_with("pretrainings.byol-dihedral.pairs", "same_lens")
    message = error_of(config)
    assert message.startswith(
        "pretrainings.byol-dihedral.pairs: same_lens, but model_1, model_2, model_3 have one"
    )
    for dataset in ("model_1", "model_2", "model_3"):
        config["datasets"][dataset]["images_per_lens"] = 4
    check(config, SCHEMA)
    config["splits"]["train"]["images"] = 11
    config["run"]["arms"] = ["byol-dihedral", "baseline"]
    config["pretrainings"]["byol-dihedral"]["batch_size"] = 2
    message = error_of(config)
    assert message.startswith(
        "splits.train.images: 11 images, but pairs: same_lens of pretrainings."
    )
    assert "byol-dihedral needs 12 of model_1: the 4 images of each of its first groups" in message


def test_pairs_of_one_substructure_need_several_lenses_with_it():
    config = config_with("pretrainings.byol-dihedral.pairs", "same_substructure")
    assert error_of(config) == (
        "pretrainings.byol-dihedral.pairs: same_substructure, but model_1, model_2, model_3 have "
        "one image per substructure; set datasets.model_1.lenses_per_substructure, "
        "datasets.model_2.lenses_per_substructure, datasets.model_3.lenses_per_substructure"
    )
    for dataset in ("model_1", "model_2", "model_3"):
        config["datasets"][dataset]["lenses_per_substructure"] = 4
    check(config, SCHEMA)
    chosen = settings.pretraining_settings(config, "byol-dihedral", "model_1")
    assert chosen["substructures"] == {"period": 3, "size": 4}
    config["datasets"]["model_1"]["images_per_lens"] = 2
    assert error_of(config) == (
        "datasets.model_1.lenses_per_substructure: images_per_lens is above 1 as well; set one of "
        "them to 1"
    )


def test_fresh_noise_needs_a_recipe_with_noise_that_stores_images_without():
    config = config_with("pretrainings.byol-dihedral.pretext", "fresh_noise")
    config["run"]["datasets"] = ["model_2"]
    place = "pretrainings.byol-dihedral.pretext: fresh_noise has instrument_noise, but "
    assert error_of(config) == f"{place}the images of model_2 have no noise"
    config["run"]["datasets"] = ["realistic_2"]
    assert error_of(config) == f"{place}set datasets.realistic_2.store_noise_free to true"
    config["datasets"]["realistic_2"]["store_noise_free"] = True
    check(config, SCHEMA)
    chosen = settings.pretraining_settings(config, "byol-dihedral", "realistic_2")
    recipe = config["datasets"]["realistic_2"]
    noise = {key: recipe[key] for key in ("noise", "instrument")}
    assert chosen["raw_views"] == [{"instrument_noise": noise}]
    assert (chosen["raw_images"], chosen["views"]) == ("noise_free", [])


def test_raw_images_are_augmented_before_the_others_and_by_pretrainings_alone():
    config = config_with("pretexts.observation", [{"dihedral": {}}, {"psf_blur": {"max_sigma": 1}}])
    assert error_of(config) == "pretexts.observation.1: psf_blur after dihedral; put it before"
    config["pretexts"]["observation"][0] = {"instrument_noise": {}}
    assert error_of(config).endswith("1: psf_blur after instrument_noise; put it before")
    config = config_with("finetuning.augmentation", "psf_blur")
    assert error_of(config) == (
        "finetuning.augmentation: psf_blur has psf_blur, of raw images, for pretrainings alone; "
        "take a pretext without"
    )
    config = config_with("pretrainings.byol-dihedral.pretext", "psf_blur")
    check(config, SCHEMA)
    chosen = settings.pretraining_settings(config, "byol-dihedral", "model_2")
    assert (chosen["raw_images"], len(chosen["raw_views"])) == ("image", 1)


def test_two_views_that_are_the_same_are_refused():
    config = config_with("run.arms", ["baseline", "byol-dihedral"])
    for pretext in ([], [{"rotation": {"max_degrees": 0}}, {"gaussian_noise": {"stddev": 0}}]):
        config["pretexts"]["same"] = pretext
        config["pretrainings"]["byol-dihedral"]["pretext"] = "same"
        assert error_of(config) == (
            "pretrainings.byol-dihedral.pretext: same changes no image, so that both views of byol "
            "would be the same; take another pretext"
        )
    for changes in ({"dihedral": None}, {"psf_blur": {"max_sigma": 0.5}}):
        config["pretexts"]["same"] = [changes, {"gaussian_noise": {"stddev": 0, "clip": [0, 1]}}]
        check(config, SCHEMA)
    # one that an extension adds, whose strengths have no neutral value
    assert not changes_nothing([{"brightness": {"max_change": 0.2}}])
    config["pretexts"]["same"] = [{"rotation": {"max_degrees": 0}}, {"dihedral": {}}]
    check(config, SCHEMA)
    config["pretexts"]["same"] = []
    for method in ("rotnet", "supervised_contrastive", "nnclr"):
        config["pretrainings"]["byol-dihedral"] = {"method": method, "pretext": "same"}
        check(config, SCHEMA)


def test_an_encoder_from_a_file_is_a_pretraining_with_a_name(tmp_path):
    path = tmp_path / "encoder.keras"
    given = {"arms": {"mine": {"pretraining": {"file": str(path), "encoder": {"width": 8}}}}}
    config = load(ROOT / "config", given | {"run": {"arms": ["baseline", "mine"]}})
    name = config["arms"]["mine"]["pretraining"]
    assert error_of(config) == f"pretrainings.{name}.file: there is no file {path}"
    path.touch()
    check(config, SCHEMA)
    assert settings.is_from_file(config, name)
    chosen = settings.import_settings(config, name, "model_1")
    assert (chosen["file"], chosen["encoder"]["width"]) == (str(path), 8)
    assert settings.arm_encoder(config, "mine", "model_1")["width"] == 8
    assert settings.arm_fields(config, "mine", "model_1")["method"] == "file"
    assert rows.pretrained_rows(config) == {}
    assert rows.arm_titles(config)["mine"] == "mine ¶ ◊"
    notes = {"¶": "encoder.keras", "◊": "encoder on Model I, Model II, Model III"}
    assert outputs.comparison_settings(config)["notes"] == {"mine": notes}
    config["arms"]["mine"]["pretrained_on"] = "model_2"
    message = error_of(config)
    assert message.startswith("arms.mine.pretrained_on: the arm's encoder is from a file")
    del config["arms"]["mine"]["pretrained_on"]
    config["arms"]["baseline"]["match_steps_of"] = name
    assert error_of(config).startswith(f"arms.baseline.match_steps_of: {name} is a file, whose")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"file": "here.keras"}, "file: 'here.keras' does not match '^[/~]' (whole path"),
        ({"file": 3}, "file: 3 is not of type 'string'"),
        ({"file": "/x", "epochs": 3}, ": unknown key 'epochs'; known are file, encoder"),
    ],
)
def test_what_is_wrong_with_an_encoder_from_a_file(given, message):
    config = load(ROOT / "config", {"arms": {"mine": {"pretraining": given}}})
    assert message in error_of(config)


def test_pairs_of_one_lens_are_not_in_an_archive(with_archive):
    config, _ = with_archive
    config["pretrainings"]["byol-dihedral"]["pairs"] = "same_lens"
    assert error_of(config).startswith("pretrainings.byol-dihedral.pairs: same_lens, but mine has")


def test_a_method_that_learns_classes_needs_two():
    given = {"run": {"arms": ["supervised-contrastive"]}}
    config = load(ROOT / "config", merge(MASS_OF_AXIONS, given))
    place = "pretrainings.supervised_contrastive-rotation.method"
    problem = "supervised_contrastive learns classes, and model_2 has one alone"
    assert error_of(config).startswith(f"{place}: {problem}")


@pytest.mark.parametrize(
    ("stretch", "scaling", "is_refused"),
    [
        ("none", "min_max", True),
        ("sqrt", "min_max", True),
        ("asinh", "min_max", False),
        ("sqrt", "standardise", False),
    ],
)
def test_another_flux_shows_after_the_preprocessing(stretch, scaling, is_refused):
    config = config_with("pretrainings.byol-dihedral.pretext", "flux_scale")
    config["run"]["datasets"] = ["model_2"]
    config["preprocessing"] |= {"stretch": stretch, "scaling": scaling}
    if is_refused:
        assert error_of(config).startswith(
            "pretrainings.byol-dihedral.pretext: flux_scale has flux_scale, which model_2 does not"
        )
        config["run"]["arms"] = ["contrastive-rotation"]
    check(config, SCHEMA)
