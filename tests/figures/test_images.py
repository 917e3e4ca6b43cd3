"""How an image is shown."""

import numpy as np

from sslens.figures.images import show_image
from sslens.figures.style import new_figure


def shown(image):
    panel = new_figure(2, 2, "").subplots()
    show_image(panel, image, 3.5)
    return panel.images[0]


def test_grey_levels_rise_as_asinh_from_the_darkest_pixel():
    image = np.random.default_rng(0).exponential(size=(8, 8))
    drawn = shown(image)
    expected = np.arcsinh((image - image.min()) / image.std())
    np.testing.assert_allclose(np.asarray(drawn.get_array()), expected)
    assert drawn.get_extent() == [-3.5, 3.5, -3.5, 3.5]
    assert drawn.origin == "lower"


def test_an_image_of_one_brightness_is_drawn():
    assert np.asarray(shown(np.full((4, 4), 7.0)).get_array()).tolist() == [[0.0] * 4] * 4
