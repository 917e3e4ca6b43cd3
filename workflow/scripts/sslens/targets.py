"""What of a lens can be measured by regression: columns of the records, with their units.

Positions and directions turn with the image. Where an orthogonal matrix M turns the places in it (x
along columns, y along rows), the components of a pair become

    position:     v -> M v
    ellipticity:  E -> M E M^T, with E = [[e1, e2], [e2, -e1]]

Ellipticities and shears have a spin of 2: a turn by 90 degrees changes their sign.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

#: Added to variances, of targets with a variance of 1.
SMALLEST_VARIANCE = 1e-6
#: Weight of one more neighbour that has the distribution of all training images, so that an image
#: none of whose neighbours has a target is given that.
NEIGHBOUR_OF_ALL = 1e-3
POSITION, ELLIPTICITY = 1, 2  # spins


class Target(NamedTuple):
    """A number that can be measured in an image.

    Args:
        name: in a sentence.
        unit: of errors and deviations.
        axis: at the axis of a figure, with the unit of the value.
        number: the format of errors in tables.
    """

    name: str
    unit: str
    axis: str
    number: str = ".4f"

    @property
    def title(self) -> str:
        """At the beginning of a line."""
        return f"{self.name[0].upper()}{self.name[1:]}"


#: Column of the records -> its title and units.
TARGETS = {
    "log10_axion_mass": Target("axion mass", "dex", "log10 axion mass (eV)", ".3f"),
    "shown_einstein_radius": Target("Einstein radius", "arcsec", "Einstein radius (arcsec)"),
    "substructure_mass": Target(
        "substructure mass in the ring",
        "solar masses",
        "substructure mass in the ring (suns)",
        ".3e",
    ),
    "substructure_fraction": Target(
        "substructure fraction in the ring", "", "substructure fraction in the ring"
    ),
    "source_x": Target("source position x", "arcsec", "source position x (arcsec)"),
    "source_y": Target("source position y", "arcsec", "source position y (arcsec)"),
    "lens_e1": Target("lens ellipticity e1", "", "lens ellipticity e1"),
    "lens_e2": Target("lens ellipticity e2", "", "lens ellipticity e2"),
    "gamma1": Target("shear γ1", "", "shear γ1"),
    "gamma2": Target("shear γ2", "", "shear γ2"),
    "source_e1": Target("source ellipticity e1", "", "source ellipticity e1"),
    "source_e2": Target("source ellipticity e2", "", "source ellipticity e2"),
}
#: Targets that turn into one another -> their spin.
PAIRS = {
    ("source_x", "source_y"): POSITION,
    ("lens_e1", "lens_e2"): ELLIPTICITY,
    ("gamma1", "gamma2"): ELLIPTICITY,
    ("source_e1", "source_e2"): ELLIPTICITY,
}


def partners_missing(targets: Sequence[str]) -> dict[str, str]:
    """Targets without that which they turn into, each with its name."""
    return {
        one: other
        for pair in PAIRS
        for one, other in (pair, pair[::-1])
        if one in targets and other not in targets
    }


def turned(values: Any, turns: Any, targets: Sequence[str], stack: Callable) -> Any:
    """Targets of images that have been turned.

    Args:
        values: (..., k), an array or a tensor; NaN stays.
        turns: (..., 2, 2), the matrices M, of the same leading axes or axes that go with them.
        targets: the names of the k.
        stack: makes columns (...) the last axis, as `stack_arrays` does those of arrays.

    Returns:
        (..., k).
    """
    columns = [values[..., place] for place in range(len(targets))]
    for pair, spin in PAIRS.items():
        if pair[0] not in targets:
            continue
        places = [targets.index(name) for name in pair]
        first, second = (columns[place] for place in places)
        (a, b), (c, d) = ((turns[..., row, 0], turns[..., row, 1]) for row in range(2))
        if spin == POSITION:
            made = a * first + b * second, c * first + d * second
        else:
            made = (
                (a * a - b * b) * first + 2 * a * b * second,
                (a * c - b * d) * first + (a * d + b * c) * second,
            )
        for place, column in zip(places, made, strict=True):
            columns[place] = column
    return stack(columns)


def stack_arrays(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Columns (...) as the last axis of an array."""
    return np.stack(np.broadcast_arrays(*columns), axis=-1)
