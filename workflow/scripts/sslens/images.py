"""Images that are read, and preprocessed, when their rows are asked for."""

from collections.abc import Callable, Sequence

import numpy as np

PART = 1024  # images that are read at a time where all of them are


class Images:
    """Images that are used like an array (n, height, width, channels), and made row by row.

    `images[rows]`, by a slice or by an array of indices, makes these rows and nothing else, so that
    a batch is all that memory has to hold.

    Attributes:
        shape: as an array's; with several leading axes where `take` was given an array of several.
    """

    def __init__(
        self, read: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, shape: Sequence[int]
    ):
        """Make a view of what can be read.

        Args:
            read: from (m,) indices to (m, *shape) float32, safe to be called by several threads.
            rows: the indices that are seen, in their order; of any number of axes.
            shape: of one image.
        """
        self._read, self._rows, self._image_shape = read, rows, tuple(shape)

    @classmethod
    def of(cls, array: np.ndarray) -> "Images":
        """Images that are in memory."""
        return cls(array.__getitem__, np.arange(len(array)), array.shape[1:])

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self._rows.shape, *self._image_shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all of them take in memory."""
        return 4 * int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        chosen = self._rows[rows]
        return self._read(chosen.ravel()).reshape(*chosen.shape, *self._image_shape)

    def load(self) -> np.ndarray:
        """All of them in memory, read in parts, so that little is needed beside the array."""
        images = np.empty(self.shape, np.float32)
        for start in range(0, len(self), PART):
            rows = slice(start, start + PART)
            images[rows] = self[rows]
        return images

    def take(self, rows: np.ndarray | slice) -> "Images":
        """As `[rows]`, but nothing is read yet; several rows an entry where `rows` has two axes."""
        return Images(self._read, self._rows[rows], self._image_shape)

    def map(self, function: Callable[[np.ndarray], np.ndarray], shape: Sequence[int]) -> "Images":
        """What a function makes of the images, when they are read.

        Args:
            function: from images (m, height, width, channels) to as many of another shape, each by
                itself: its result must not depend on the others.
            shape: of an image that it makes.
        """
        return Images(lambda rows: function(self._read(rows)), self._rows, shape)
