"""Figures of a data set: what its images look like, and what their parameters were drawn from."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from sslens.classes import CLASSES
from sslens.figures.images import show_image
from sslens.figures.style import CLASS_TITLES, line_looks, new_figure, own_style
from sslens.images import Images

COLUMNS = 6
BINS = 12
#: Catalogue column -> what an axis of it says. Lists of an image are drawn by their sums, below.
AXES = {
    "shown_einstein_radius": "Einstein radius (arcsec)",
    "sie_einstein_radius": "Einstein radius of the smooth lens (arcsec)",
    "lens_x": "lens x (arcsec)",
    "lens_y": "lens y (arcsec)",
    "lens_e1": "lens ellipticity e1",
    "lens_e2": "lens ellipticity e2",
    "gamma1": "shear γ1",
    "gamma2": "shear γ2",
    "source_x": "source x (arcsec)",
    "source_y": "source y (arcsec)",
    "source_R_sersic": "source half-light radius (arcsec)",
    "source_n_sersic": "source Sérsic index",
    "source_e1": "source ellipticity e1",
    "source_e2": "source ellipticity e2",
    "source_amplitude": "source amplitude",
    "source_magnitude": "source magnitude",
    "exposure_time": "exposure time (s)",
    "substructure_mass": "substructure in the ring (1e9 suns)",
    "substructure_fraction": "its share of the mass in the ring",
    "log10_axion_mass": "log10 axion mass (eV)",
}
BILLION = 1e9  # suns, in which masses are shown


@own_style()
def gallery_figure(images: Images, catalogue: pd.DataFrame, dataset: Mapping, title: str) -> Figure:
    """Images of every class with their parameters, one row per class.

    Args:
        images: (n, pixels, pixels, 1), as recorded.
        catalogue: of these images, row by row.
        dataset: its entry of the configuration, for the scale.
        title: of the figure.

    Returns:
        A figure with the first images of every class that there is; grey levels rise as asinh, from
        the darkest to the brightest pixel of each image.
    """
    classes = [name for name in CLASSES if (catalogue["label"] == name).any()]
    figure = new_figure(2.1 * COLUMNS, 2.75 * len(classes), title)
    scale = dataset["instrument"]["pixel_scale"]
    half = dataset["instrument"]["pixels"] * (scale or 1) / 2
    panels = figure.subplots(len(classes), COLUMNS, squeeze=False)
    for name, row in zip(classes, panels, strict=True):
        chosen = np.flatnonzero(catalogue["label"] == name)[:COLUMNS]
        row[0].set_ylabel(f"{CLASS_TITLES[name]}\n{'arcsec' if scale else 'pixels'}")
        for panel, index in zip(row, chosen, strict=False):
            show_image(panel, images[index][..., 0], half)
            panel.set_title(_caption(catalogue.iloc[index], dataset), fontsize=7)
        for panel in row[len(chosen) :]:
            panel.set_axis_off()
        for panel in row[1:]:
            panel.set_yticklabels([])
    return figure


def _caption(row: pd.Series, dataset: Mapping) -> str:
    """What an image was drawn from, or the file it was found in."""
    lines = []
    axion = row["log10_axion_mass"]
    mass = "" if np.isnan(axion) else f"axion 10^{axion:.1f} eV"
    if "file" in row:
        lines += [textwrap.shorten(Path(row["file"]).name, 30, placeholder="…"), mass]
    else:
        radius = dataset["deflection_scale"] * row["einstein_radius"]
        lines.append(f"Einstein radius {radius:.3g}″")
        lines.append(f"source at {row['source_x']:+.2f}″, {row['source_y']:+.2f}″")
        if len(masses := row["subhalo_mass"]):
            lines.append(f"{mass or f'{len(masses)} masses'}, {masses.sum():.2g} suns")
    return "\n".join(filter(None, lines))


@own_style()
def parameters_figure(catalogue: pd.DataFrame, dataset: Mapping, title: str) -> Figure:
    """The distribution of every parameter that varies, by class; what is constant, in words.

    Args as those of `gallery_figure`.
    """
    drawn = _drawn(catalogue, dataset)
    constant = {name: values for name, values in drawn.items() if values.nunique() <= 1}
    varying = {name: values for name, values in drawn.items() if values.nunique() > 1}
    rows = -(-len(varying) // 4) or 1
    figure = new_figure(12, 2.6 * rows + 0.9, title)
    panels = figure.subplots(rows, 4, squeeze=False).ravel()
    looks = dict(zip(CLASSES, line_looks(len(CLASSES)), strict=True))
    for panel, (name, values) in zip(panels, varying.items(), strict=False):
        edges = np.histogram_bin_edges(values.dropna(), bins=BINS)
        for label in CLASSES:
            of_class = values[catalogue["label"] == label].dropna()
            panel.hist(of_class, edges, histtype="step", linewidth=1.4, **looks[label])
            panel.plot([], [], label=CLASS_TITLES[label], **looks[label])
        panel.set_xlabel(name, fontsize="small")
        panel.tick_params(labelsize=7)
        panel.locator_params(axis="x", nbins=5)  # long numbers would overlap
        panel.set_ylabel("images", fontsize="small")
    for panel in panels[len(varying) :]:
        panel.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
    if not varying:
        figure.text(0.5, 0.5, "No parameter of these images is known.", ha="center")
    if constant:
        shown = (f"{name} {values.dropna().iloc[0]:.4g}" for name, values in constant.items())
        words = f"The same in every image: {', '.join(shown)}"
        figure.supxlabel(textwrap.fill(words, 150), fontsize="small")
    return figure


def _drawn(catalogue: pd.DataFrame, dataset: Mapping) -> dict[str, pd.Series]:
    """Axis title -> values, an image each, of the parameters that have any."""
    # the catalogue has this radius before the deflection scale; figures show what is in the image
    scales = {
        "sie_einstein_radius": dataset.get("deflection_scale", 1.0),
        "substructure_mass": 1 / BILLION,
    }
    values = {
        title: catalogue[column] * scales.get(column, 1)
        for column, title in AXES.items()
        if column in catalogue
    }
    if "subhalo_mass" in catalogue:
        masses = catalogue["subhalo_mass"]
        values["masses in an image"] = masses.map(len)
        total = masses.map(np.sum).where(masses.map(len) > 0)
        values["log10 total mass in clumps (suns)"] = np.log10(total)
    return {title: series for title, series in values.items() if series.notna().any()}
