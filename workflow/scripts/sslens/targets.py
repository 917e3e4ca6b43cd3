"""What of a lens can be measured by regression: columns of the records, with their units."""

from typing import NamedTuple

#: Added to variances, of targets with a variance of 1.
SMALLEST_VARIANCE = 1e-6


class Target(NamedTuple):
    """A number that an image is to tell; flips and rotations of the image leave it as it is.

    Args:
        title: of tables.
        unit: of errors and deviations.
        axis: at the axis of a figure, with the unit of the value.
    """

    title: str
    unit: str
    axis: str


#: Column of the records -> what it is.
TARGETS = {
    "log10_axion_mass": Target("Axion mass", "dex", "log10 axion mass (eV)"),
    "shown_einstein_radius": Target("Einstein radius", "arcsec", "Einstein radius (arcsec)"),
    "substructure_mass": Target(
        "Substructure mass in the ring", "solar masses", "substructure mass in the ring (suns)"
    ),
    "substructure_fraction": Target(
        "Substructure fraction in the ring", "", "substructure fraction in the ring"
    ),
}
