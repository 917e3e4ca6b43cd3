"""How an image of a lens is shown."""

import numpy as np
from matplotlib.axes import Axes


def show_image(panel: Axes, image: np.ndarray, half: float) -> None:
    """Draw an image (pixels, pixels) on axes from -half to half.

    Grey levels rise as asinh, from the darkest to the brightest pixel.
    """
    soft = image.std() or 1.0  # where the grey levels turn from linear to logarithmic
    panel.imshow(
        np.arcsinh((image - image.min()) / soft),
        cmap="magma",
        origin="lower",
        extent=(-half, half, -half, half),
    )
    panel.tick_params(labelsize=6)
