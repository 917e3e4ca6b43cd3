"""What the axes of an array stand for: images, bands, and the two sides of an image.

A shape often has several readings: (3, 64, 64) is three images, or one image in three bands. None
is preferred here; who reads a file takes the only one there is, or asks for a key that states it.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from sslens.schemas import Mistakes, Place

IMAGE, BAND, Y, X = "image", "band", "y", "x"
#: Every order of axes that is read. Without its images or bands, each is another one of them.
ORDERS = (
    (Y, X),
    (IMAGE, Y, X),
    (BAND, Y, X),
    (Y, X, BAND),
    (IMAGE, BAND, Y, X),
    (BAND, IMAGE, Y, X),
    (IMAGE, Y, X, BAND),
)


class Reading(NamedTuple):
    """One meaning of an array's axes.

    shape: of the array.
    names: of each of its axes; None for one of length one that stands for nothing.
    """

    shape: tuple[int, ...]
    names: tuple[str | None, ...]

    @property
    def images(self) -> int:
        """How many images the array holds."""
        return self._length(IMAGE)

    @property
    def bands(self) -> int:
        """How many bands an image has; 0 if no axis, not even one of length one, may be theirs."""
        return self._length(BAND) if BAND in self.names or None in self.names else 0

    def _length(self, name: str) -> int:
        return self.shape[self.names.index(name)] if name in self.names else 1

    def select(self, image: int, channel: int | None) -> tuple[int | slice, ...]:
        """Index of an image in the array: of one band of it, or of all if `channel` is None."""
        band = slice(None) if channel is None else channel
        places = {IMAGE: image, BAND: band, Y: slice(None), X: slice(None), None: 0}
        return tuple(places[name] for name in self.names)

    @property
    def is_channels_last(self) -> bool:
        """Whether the bands of an image are along its last axis."""
        return self.names[-1] == BAND

    def __str__(self) -> str:
        return f"[{', '.join(_present(self.names))}]"

    def meaning(self) -> str:
        """What the array holds by this reading, such as "one image in 3 bands"."""
        images = "one image" if self.images == 1 else f"{self.images} images"
        return f"{images} in {self.bands} bands" if BAND in self.names else images


def readings(
    shape: Sequence[int],
    pixels: int,
    labels: int | None = None,
    channel: int | None = None,
    axes: Sequence[str] | None = None,
) -> list[Reading]:
    """Every meaning that the axes of an array may have.

    Args:
        shape: of the array. An axis of length one may stand for anything, or nothing.
        pixels: along each side of an image.
        labels: how many labels, one per image, come with the array; None if there are none.
        channel: the band to take. If there is one, every image has an axis of bands.
        axes: their names in order, one of `ORDERS`, if they are stated. The array may lack that of
            the images, of the bands, or both.

    Returns:
        Distinct readings; empty if the array is no image, nor several.
    """
    return [
        *_readings(tuple(shape), pixels, labels, channel, None if axes is None else tuple(axes))
    ]


@lru_cache(maxsize=1000)  # since an archive has many files of one shape
def _readings(
    shape: tuple[int, ...],
    pixels: int,
    labels: int | None,
    channel: int | None,
    axes: tuple[str, ...] | None,
) -> list[Reading]:
    if axes is not None and len(axes) == len(shape):
        candidates: set[tuple[str | None, ...]] = {axes}
    else:
        long = [place for place, side in enumerate(shape) if side != 1]
        orders = ORDERS if axes is None else _without_optional(axes)
        candidates = {
            tuple(dict(zip(long, order, strict=True)).get(k) for k in range(len(shape)))
            for order in orders
            if len(order) == len(long)
        }
    found = [Reading(shape, names) for names in candidates if _fits(shape, names, pixels)]
    # without a band to take, all of an image's are compared, and here they are far apart
    apart = (BAND, IMAGE, Y, X)
    found = [one for one in found if channel is not None or _present(one.names) != apart]
    if labels is not None:
        found = [one for one in found if one.images == labels]
    if channel is not None:
        found = [one for one in found if one.bands]
    return sorted(found, key=lambda one: ORDERS.index(_present(one.names)))


def _present(names: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(name for name in names if name is not None)


def _without_optional(axes: Sequence[str]) -> list[tuple[str, ...]]:
    """An order of axes, and what is left of it without those of the images and the bands."""
    kept = [part for count in range(2, len(axes) + 1) for part in combinations(axes, count)]
    return [part for part in kept if Y in part and X in part]


def _fits(shape: tuple[int, ...], names: tuple[str | None, ...], pixels: int) -> bool:
    sides = dict(zip(names, shape, strict=True))
    return sides.get(Y) == sides.get(X) == pixels and math.prod(shape) > 0


def no_reading(
    shape: Sequence[int],
    pixels: int,
    channel: int | None = None,
    axes: Sequence[str] | None = None,
) -> str:
    """Why an array has no reading; arguments as of `readings`."""
    shape = tuple(shape)
    if not readings(shape, pixels, channel=0) + readings(shape, pixels):
        if 0 in shape and readings([side or 1 for side in shape], pixels):
            return "no image in it"
        return f"an image of shape {shape}, not of {pixels} x {pixels} pixels"
    if axes is not None and not readings(shape, pixels, channel=channel, axes=axes):
        return f"an array of shape {shape}, which `axes` [{', '.join(axes)}] do not fit"
    return f"an array of shape {shape} has no axis of bands to take `channel` {channel} of"


def check_axes(mistakes: Mistakes, place: Place) -> None:
    """Check that `axes` and `channel` of an archive, at a place, do not contradict each other."""
    axes, channel = mistakes.at(*place, "axes"), mistakes.at(*place, "channel")
    where = (*place, "channel")
    if axes is None or not mistakes.is_sound((*place, "axes"), where):
        return
    if channel is not None and BAND not in axes:
        mistakes.add(
            where,
            f"{channel}, but axes [{', '.join(axes)}] have no band: name it there, or leave "
            "channel out",
        )
    if channel is None and tuple(axes[:2]) == (BAND, IMAGE):
        mistakes.add(where, f"say which band of axes [{', '.join(axes)}] to take")
