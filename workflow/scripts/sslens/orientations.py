"""The eight orientations of square images, by flips and quarter turns; the first as they are."""

import numpy as np

#: Whether images are mirrored left to right, and how many quarter turns follow.
ORIENTATIONS = [(mirrored, quarters) for mirrored in (False, True) for quarters in range(4)]


def oriented(images: np.ndarray, mirrored: bool, quarters: int) -> np.ndarray:
    """Images (n, side, side, ...) in an orientation."""
    return np.rot90(images[:, :, ::-1] if mirrored else images, quarters, axes=(1, 2))


def orientation_turns() -> np.ndarray:
    """By which matrices places turn in each of them, (8, 2, 2), see `sslens.targets`."""
    mirror, quarter = np.diag([-1.0, 1.0]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    return np.stack(
        [
            np.linalg.matrix_power(quarter, quarters) @ (mirror if mirrored else np.eye(2))
            for mirrored, quarters in ORIENTATIONS
        ]
    )
