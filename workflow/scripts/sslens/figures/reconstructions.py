"""What a method makes of images that it sees a part of, early and at the end."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from sslens.figures.style import new_figure, own_style

#: Arrays of `pretraining.Pretrained.pictures`, a column each -> its title.
COLUMNS = {
    "image": "image",
    "seen": "what the encoder sees",
    "first": "after the first epoch",
    "last": "after the last epoch",
}


@own_style()
def reconstructions_figure(pictures: Mapping[str, Mapping[str, np.ndarray]], title: str) -> Figure:
    """Images and their reconstructions, one row per image; grey is what is to be reconstructed.

    Args:
        pictures: title of a pretraining -> its pictures, arrays (n, pixels, pixels, channels), of
            which the first channel is drawn; the colours of a row are those of its image. None
            where its method, on this data set, does not reconstruct.
        title: of the figure.
    """
    rows = [(name, k, of) for name, of in pictures.items() for k in range(len(of.get("image", ())))]
    figure = new_figure(2.1 * len(COLUMNS), 2.1 * len(rows) or 1, title, "compressed")
    if not rows:
        figure.text(0.5, 0.3, "Nothing is reconstructed on this data set.", ha="center")
        return figure
    panels = figure.subplots(len(rows), len(COLUMNS), squeeze=False)
    colours = matplotlib.colormaps["magma"].with_extremes(bad="0.6")
    for row, (name, k, of) in zip(panels, rows, strict=True):
        limits = of["image"][k, ..., 0].min(), of["image"][k, ..., 0].max()
        for panel, column in zip(row, COLUMNS, strict=True):
            image = np.ma.masked_invalid(of[column][k, ..., 0])
            panel.imshow(image, cmap=colours, vmin=limits[0], vmax=limits[1], origin="lower")
            panel.set(xticks=[], yticks=[])
        if k == 0:
            row[0].set_ylabel(name)
    for panel, heading in zip(panels[0], COLUMNS.values(), strict=True):
        panel.set_title(heading, fontsize="medium")
    return figure
