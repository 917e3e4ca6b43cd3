"""Groups of images that share something, where classes take turns."""

from typing import Any


def first_of_group(row: Any, period: int, size: int) -> Any:
    """The first image of the group that an image of a split belongs to.

    Args:
        row: index of the image, or an array of several.
        period: after how many images the classes repeat, see `recipes.class_turns`.
        size: images of one class that share something, such as a lens.
    """
    return row - row % (period * size) + row % period
