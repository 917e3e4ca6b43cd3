"""What of a lens can be measured by regression: columns of the records, with their units."""

from typing import NamedTuple

#: Added to variances, of targets with a variance of 1.
SMALLEST_VARIANCE = 1e-6


class Target(NamedTuple):
    """A number that an image is to tell; flips and rotations of the image leave it as it is."""

    title: str
    unit: str


#: Column of the records -> what it is.
TARGETS = {
    "log10_axion_mass": Target("Axion mass", "dex"),  # of eV
    "shown_einstein_radius": Target("Einstein radius", "arcsec"),
    "substructure_mass": Target("Substructure mass in the ring", "solar masses"),
    "substructure_fraction": Target("Substructure fraction in the ring", ""),
}
