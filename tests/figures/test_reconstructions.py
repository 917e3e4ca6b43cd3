"""Figure of reconstructions: one row per image with its colours, grey where nothing is seen."""

import numpy as np

from sslens.figures.reconstructions import reconstructions_figure


def test_rows_have_the_colours_of_their_image():
    image = np.random.default_rng(0).normal(size=(2, 8, 8, 1))
    seen = np.where(np.arange(8)[None, :, None, None] < 4, image, np.nan)
    pictures = {"image": image, "seen": seen, "first": 3 * image, "last": image}
    figure = reconstructions_figure({"MAE": pictures}, "Model II")
    panels = figure.axes
    assert len(panels) == 2 * 4
    assert [panel.get_title() for panel in panels[:2]] == ["image", "what the encoder sees"]
    assert panels[0].get_ylabel() == "MAE"
    for k in range(2):
        limits = {panel.images[0].get_clim() for panel in panels[4 * k : 4 * k + 4]}
        assert limits == {(image[k].min(), image[k].max())}
    shown = panels[1].images[0].get_array()
    assert shown.mask.sum() == 32
    figure.canvas.draw()


def test_a_data_set_may_have_none():
    figure = reconstructions_figure({"MAE": {}}, "Model II")
    assert not figure.axes
    assert "Nothing" in " ".join(text.get_text() for text in figure.texts)
