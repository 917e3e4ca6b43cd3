"""The preprocessing against NumPy by hand, and what it may be measured on."""

import numpy as np
import pytest

from sslens.data import preprocessing
from sslens.data.preprocessing import check_variation, measure, preprocess
from sslens.files import read_json, write_json

SETTINGS = {"crop": None, "bin": 1, "stretch": "none", "softening": 1.0, "scaling": "standardise"}


def settings_of(**own):
    return SETTINGS | own


def images_of(count=20, side=12, channels=1, seed=0, scale=50.0):
    """Positive images of a few bright pixels, as an exposure has them."""
    return (
        np.random.default_rng(seed)
        .exponential(scale, size=(count, side, side, channels))
        .astype(np.float32)
    )


def prepared(images, **own):
    return preprocess(images, measure(images, settings_of(**own)))


@pytest.mark.parametrize("stretch", ["none", "sqrt", "asinh"])
def test_standardised_training_pixels_have_mean_zero_and_deviation_one(stretch):
    result = prepared(images_of(), stretch=stretch, crop=8, bin=2)
    assert result.dtype == np.float32
    assert result.shape == (20, 4, 4, 1)
    assert abs(result.mean(dtype=np.float64)) < 1e-6
    assert abs(result.std(dtype=np.float64) - 1) < 1e-6


def test_other_splits_are_scaled_by_the_training_split():
    train, test = images_of(), images_of(seed=1, scale=80.0)
    facts = measure(train, settings_of())
    expected = (test - train.mean(dtype=np.float64)) / train.std(dtype=np.float64)
    np.testing.assert_allclose(preprocess(test, facts), expected, rtol=1e-5, atol=1e-6)
    # so their own mean is another, and an image does not depend on those beside it
    assert preprocess(test, facts).mean() > 0.3
    assert np.array_equal(preprocess(test, facts)[3:4], preprocess(test[3:4], facts))


def test_measuring_uses_every_image_it_is_given():
    images = images_of()
    facts = measure(images, settings_of(stretch="asinh"))
    for row in (0, 10, 19):
        changed = images.copy()
        changed[row] *= 3
        other = measure(changed, settings_of(stretch="asinh"))
        for name in ("softening_flux", "mean", "standard_deviation"):
            assert other[name] != facts[name], (row, name)


def test_asinh_by_hand():
    images = images_of()
    softening = 0.5 * images.std(dtype=np.float64)
    stretched = np.arcsinh(images / softening)
    facts = measure(images, settings_of(stretch="asinh", softening=0.5))
    assert facts["softening_flux"] == pytest.approx(softening, rel=1e-6)
    assert facts["mean"] == pytest.approx(stretched.mean(), rel=1e-5)
    assert facts["standard_deviation"] == pytest.approx(stretched.std(), rel=1e-5)
    expected = (stretched - stretched.mean()) / stretched.std()
    np.testing.assert_allclose(preprocess(images, facts), expected, rtol=1e-4, atol=1e-5)


def test_square_root_by_hand_takes_negative_pixels_for_zero():
    images = images_of() - 20
    assert (images < 0).any()
    result = prepared(images, stretch="sqrt", scaling="none")
    np.testing.assert_allclose(result, np.sqrt(np.where(images > 0, images, 0)), rtol=1e-6)


def test_min_max_is_an_image_of_its_own():
    images = images_of() * np.arange(1, 21).reshape(20, 1, 1, 1) - 7
    result = prepared(images, scaling="min_max")
    assert np.array_equal(result.min(axis=(1, 2, 3)), np.zeros(20))
    assert np.array_equal(result.max(axis=(1, 2, 3)), np.ones(20))
    low, high = images[4].min(), images[4].max()
    np.testing.assert_allclose(result[4], (images[4] - low) / (high - low), rtol=1e-5)


@pytest.mark.parametrize("scaling", ["standardise", "min_max", "none"])
@pytest.mark.parametrize("value", [0.0, 12.5])
def test_a_constant_image_stays_finite(scaling, value):
    images = images_of()
    images[5] = value
    result = prepared(images, scaling=scaling, stretch="asinh")
    assert np.isfinite(result).all()
    assert np.ptp(result[5]) == 0
    if scaling == "min_max":
        assert not result[5].any()


@pytest.mark.parametrize(
    ("side", "crop", "first"), [(12, 8, 2), (12, 12, 0), (13, 8, 2), (9, 3, 3)]
)
def test_the_crop_is_centred(side, crop, first):
    images = images_of(side=side)
    result = prepared(images, crop=crop, scaling="none")
    kept = slice(first, first + crop)
    assert np.array_equal(result, images[:, kept, kept])


def test_the_centre_of_an_even_crop_is_the_centre_of_the_image():
    images = np.zeros((2, 150, 150, 1), np.float32)
    images[:, 74:76, 74:76] = 1000
    result = prepared(images, crop=128, bin=2, scaling="none")
    assert result.shape == (2, 64, 64, 1)
    assert (result[:, 31:33, 31:33] == 250).all()  # a quarter of each of the four central blocks
    assert (result == 0).sum() == result.size - 8


def test_binning_averages_blocks():
    images = np.arange(2 * 4 * 6 * 2, dtype=np.float32).reshape(2, 4, 6, 2)
    result = prepared(images, bin=2, scaling="none")
    assert result.shape == (2, 2, 3, 2)
    for image in range(2):
        for row in range(2):
            for column in range(3):
                block = images[image, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                np.testing.assert_allclose(
                    result[image, row, column], block.reshape(4, 2).mean(axis=0), rtol=1e-6
                )


def test_the_softening_is_measured_after_crop_and_binning():
    images = images_of(side=16)
    images[:, :4] = 1e6  # cut away
    cut = images[:, 4:12, 4:12]
    blocks = cut.reshape(20, 4, 2, 4, 2, 1).mean(axis=(2, 4))
    facts = measure(images, settings_of(crop=8, bin=2, stretch="asinh"))
    assert facts["softening_flux"] == pytest.approx(blocks.std(dtype=np.float64), rel=1e-6)
    assert facts["input_shape"] == [4, 4, 1]


def test_facts_survive_json(tmp_path):
    images = images_of()
    facts = measure(images, settings_of(stretch="asinh", crop=8))
    write_json(tmp_path / "preprocessing.json", facts)
    reread = read_json(tmp_path / "preprocessing.json")
    assert reread == facts
    assert np.array_equal(preprocess(images, facts), preprocess(images, reread))
    assert {name: facts[name] for name in SETTINGS} == settings_of(stretch="asinh", crop=8)


def test_working_in_parts_changes_nothing(monkeypatch):
    images = images_of()
    facts = measure(images, settings_of(stretch="asinh"))
    whole = preprocess(images, facts)
    monkeypatch.setattr(preprocessing, "PART", 7)
    in_parts = measure(images, settings_of(stretch="asinh"))
    for name in ("softening_flux", "mean", "standard_deviation"):
        assert in_parts[name] == pytest.approx(facts[name], rel=1e-6), name
    assert np.array_equal(preprocess(images, facts), whole)


def test_moments_hold_far_from_zero():
    images = np.random.default_rng(0).normal(1e6, 1.0, size=(50, 8, 8, 1))
    facts = measure(images, settings_of())
    assert facts["mean"] == pytest.approx(images.mean(), rel=1e-12)
    assert facts["standard_deviation"] == pytest.approx(images.std(), rel=1e-8)


def test_nothing_is_changed_in_place():
    images, settings = images_of() - 20, settings_of(stretch="sqrt")
    before = images.copy()
    preprocess(images, measure(images, settings))
    assert np.array_equal(images, before)
    assert settings == settings_of(stretch="sqrt")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"crop": 13}, "preprocessing.crop: 13 pixels of images of 12 x 12"),
        ({"bin": 5}, "preprocessing.bin: 5 does not divide 12 x 12"),
        ({"crop": 9, "bin": 2}, "preprocessing.bin: 2 does not divide 9 x 9"),
    ],
)
def test_what_does_not_fit_is_told_by_its_key(own, message):
    with pytest.raises(ValueError, match=message):
        measure(images_of(), settings_of(**own))


@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 1e5])
def test_a_blank_training_split_is_refused(value):
    with pytest.raises(ValueError, match="all pixels of the training split are equal"):
        measure(np.full((7, 5, 5, 1), value, np.float32), settings_of())


def test_a_stretch_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="preprocessing.stretch: all pixels .* after sqrt; "):
        measure(-images_of() - 1, settings_of(stretch="sqrt"))


@pytest.mark.parametrize("value", [1e30, -9.223372e18])
@pytest.mark.parametrize("scaling", ["standardise", "none"])
def test_images_that_hardly_vary_are_refused_and_the_cause_is_named(value, scaling, monkeypatch):
    monkeypatch.setattr(preprocessing, "PART", 7)
    images = images_of()
    images[11, 3, 4] = value
    facts = measure(images, settings_of(stretch="asinh", softening=0.05, scaling=scaling))
    ids = [f"mine-train-{row}.npy" for row in range(20)]
    with pytest.raises(ValueError) as error:
        check_variation(images, facts, ids)
    assert f"reach furthest: mine-train-11.npy ({abs(value):.3g}), " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scaling", ["standardise", "min_max", "none"])
@pytest.mark.parametrize("stretch", ["asinh", "sqrt", "none"])
def test_images_that_vary_pass(stretch, scaling):
    brightness = 10.0 ** np.random.default_rng(3).uniform(-1, 1, (20, 1, 1, 1))
    images = (images_of() * brightness).astype(np.float32)
    images[4] = 0  # a constant one does not matter
    facts = measure(images, settings_of(stretch=stretch, scaling=scaling))
    before = dict(facts)
    check_variation(images, facts, [""] * 20)
    assert facts == before
