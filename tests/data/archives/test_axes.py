"""Every meaning of an array's axes is found, and none is preferred."""

import numpy as np
import pytest

from sslens.data.archives.axes import ORDERS, check_axes, no_reading, readings
from sslens.schemas import Mistakes

P = 12
PLANES, LAST, BOTH = (3, P, P), (P, P, 3), (5, 3, P, P)


@pytest.mark.parametrize(
    ("shape", "given", "expected"),
    [
        ((P, P), {}, ["[y, x]"]),
        ((1, P, P), {}, ["[y, x]"]),
        ((1, P, P, 1), {}, ["[y, x]"]),
        (PLANES, {}, ["[image, y, x]", "[band, y, x]"]),
        ((1, 3, P, P), {}, ["[image, y, x]", "[band, y, x]"]),
        (PLANES, {"labels": 3}, ["[image, y, x]"]),
        (PLANES, {"labels": 1}, ["[band, y, x]"]),
        (PLANES, {"labels": 2}, []),
        (PLANES, {"channel": 1}, ["[band, y, x]"]),
        (PLANES, {"channel": 1, "labels": 3}, []),
        (PLANES, {"axes": ["image", "y", "x"]}, ["[image, y, x]"]),
        (PLANES, {"axes": ["band", "y", "x"]}, ["[band, y, x]"]),
        (PLANES, {"axes": ["y", "x", "band"]}, []),
        (PLANES, {"axes": ["image", "band", "y", "x"]}, ["[image, y, x]", "[band, y, x]"]),
        ((1, 3, P, P), {"axes": ["image", "band", "y", "x"]}, ["[image, band, y, x]"]),
        ((P, P), {"axes": ["image", "band", "y", "x"]}, ["[y, x]"]),
        ((3, 1, P, P), {"channel": 0}, ["[image, y, x]", "[band, y, x]"]),
        (LAST, {}, ["[y, x, band]"]),
        (LAST, {"labels": 3}, []),
        (BOTH, {}, ["[image, band, y, x]"]),
        ((1, *BOTH), {}, ["[image, band, y, x]"]),
        (BOTH, {"channel": 1}, ["[image, band, y, x]", "[band, image, y, x]"]),
        (BOTH, {"channel": 1, "labels": 3}, ["[band, image, y, x]"]),
        (BOTH, {"channel": 1, "axes": ["image", "band", "y", "x"]}, ["[image, band, y, x]"]),
        ((5, P, P, 3), {}, ["[image, y, x, band]"]),
        ((P, P, P), {}, ["[image, y, x]", "[band, y, x]", "[y, x, band]"]),
        ((P, P), {"channel": 0}, []),
        ((1, P, P), {"channel": 0}, ["[y, x]"]),
        ((0, P, P), {}, []),
        ((P, P + 1), {}, []),
        ((2, 2, 3, P, P), {}, []),
        ((), {}, []),
    ],
)
def test_readings_of_a_shape(shape, given, expected):
    assert [str(one) for one in readings(shape, P, **given)] == expected


@pytest.mark.parametrize("order", ORDERS)
def test_a_reading_finds_the_image_and_its_band(order):
    cube = np.random.default_rng(0).normal(size=(5, 3, P, P))
    lengths = {"image": 4 if "image" in order else 0, "band": 2 if "band" in order else 0}
    index = tuple(slice(None) if lengths[name] else 0 for name in ("image", "band"))
    there = [name for name in ("image", "band", "y", "x") if name in order]
    array = np.transpose(cube[index], [there.index(name) for name in order])
    channel = 2 if "band" in order else None
    (reading,) = readings(array.shape, P, channel=channel, axes=order)
    expected = cube[lengths["image"], lengths["band"]]
    np.testing.assert_array_equal(array[reading.select(lengths["image"], channel)], expected)


@pytest.mark.parametrize(
    ("shape", "given", "expected"),
    [
        ((P, P + 1), {}, "an image of shape (12, 13), not of 12 x 12 pixels"),
        ((0, P, P), {}, "no image in it"),
        ((P, P), {"channel": 1}, "no axis of bands to take `channel` 1 of"),
        (LAST, {"axes": ["image", "y", "x"]}, "which `axes` [image, y, x] do not fit"),
    ],
)
def test_what_has_no_reading_is_explained(shape, given, expected):
    assert expected in no_reading(shape, P, **given)


def test_axes_and_channel_that_contradict_name_the_key():
    def lines_of(**entry):
        mistakes = Mistakes({"mine": entry})
        check_axes(mistakes, ("mine",))
        return mistakes.lines()

    (line,) = lines_of(axes=["image", "y", "x"], channel=1)
    assert line.startswith("mine.channel: 1, but axes [image, y, x] have no")
    (line,) = lines_of(axes=["band", "image", "y", "x"])
    assert line.startswith("mine.channel: say which band")
    assert lines_of(axes=["image", "band", "y", "x"]) == lines_of(channel=3) == []
