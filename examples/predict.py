"""Classify a folder of images with an exported classifier: a CSV line an image.

    python examples/predict.py classifier.keras FOLDER > predictions.csv

The images are .npy or .fits files of one image each, with the pixel scale, the point spread
function and the units of those that the classifier was trained on. Needs keras, tensorflow and
numpy, for FITS astropy; nothing of this repository.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras
import numpy as np

CLASSES = ("axion", "cdm", "no_sub")


def read_image(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """An image of a file in the shape that the classifier takes."""
    if path.suffix == ".fits":
        from astropy.io import fits

        image = fits.getdata(path)
    else:
        image = np.load(path, allow_pickle=False)
    image = np.squeeze(image)
    if image.shape != shape[:2]:
        sys.exit(f"{path}: an image of {np.shape(image)}, where the classifier takes {shape[:2]}")
    if bad := np.count_nonzero(~np.isfinite(image)):
        sys.exit(f"{path}: {bad} pixels are not finite")
    return image.astype(np.float32)[..., None]


def main(model_path: str, folder: str) -> None:
    model = keras.models.load_model(model_path)
    paths = sorted(p for p in Path(folder).iterdir() if p.suffix in (".npy", ".fits"))
    if not paths:
        sys.exit(f"{folder}: no .npy or .fits file")
    print("file", *CLASSES, sep=",")
    for start in range(0, len(paths), 64):
        batch = paths[start : start + 64]
        images = np.stack([read_image(path, model.input_shape[1:]) for path in batch])
        for path, probabilities in zip(batch, model.predict_on_batch(images), strict=True):
            print(path.name, *(f"{p:.6f}" for p in probabilities), sep=",")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
