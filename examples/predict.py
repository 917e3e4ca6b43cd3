"""Predict a folder of images with an exported classifier or regression: a CSV line per image.

    python examples/predict.py classifier.keras FOLDER > predictions.csv

The images are .npy or FITS files (.fits, .fit, .fts, .fits.gz) of one image each, with the pixel
scale, the point spread function and the units of those that the classifier was trained on. Other
files are named on the terminal and skipped. A regression has a column for the mean and one for the
standard deviation of each of `task.targets`, by its number, or with a binned head one for each bin.
Needs keras, tensorflow and numpy, for FITS astropy; nothing of this repository.
"""

import os
import sys
from pathlib import Path

import numpy as np

# The user's configuration of Keras and of Matplotlib, which Keras imports, does not count here.
os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull, "MPLBACKEND": "agg"}
os.environ.pop("KERAS_MAX_STEPS_PER_EPOCH", None)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow's libraries greet while they load, before that level counts
terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
os.dup2(nowhere, 2)
try:
    import keras
finally:
    os.dup2(terminal, 2)

CLASSES = ("axion", "cdm", "no_sub")
FITS = (".fits", ".fit", ".fts", ".fits.gz")
SUFFIXES = (".npy", *FITS)


def read_pixels(path: Path) -> np.ndarray:
    """The pixels of a file, without axes of length one."""
    if path.name.lower().endswith(FITS):
        from astropy.io import fits

        # with `uint`, blank pixels of unsigned integers would be 0
        with fits.open(path, uint=False) as units:
            images = [unit for unit in units if unit.is_image and unit.shape]
            if len(images) != 1:
                raise ValueError(f"{len(images)} extensions with an image, not one")
            header = images[0].header
            # which astropy takes for none; a 0 in the file is read as BZERO
            has_blank_zero = header.get("BLANK") == 0 and header["BITPIX"] > 0
            zero = header.get("BZERO", 0)
            pixels = images[0].data
            if has_blank_zero:
                pixels = np.where(pixels == zero, np.nan, pixels)
    else:
        pixels = np.load(path, allow_pickle=False)
    return np.squeeze(np.asarray(pixels, dtype=np.float32))


def read_image(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """An image as the classifier takes it; the end, in one line, where the file holds none."""
    try:
        image = read_pixels(path)
    except Exception as error:  # whatever a file may have wrong
        reason = " ".join(str(error).split())
        sys.exit(f"{path}: no image can be read ({reason}); write it anew, or take it away")
    if image.shape != shape:
        sys.exit(
            f"{path}: an image of {image.shape}, where the classifier takes {shape}; cut it to that"
            " size, or take a classifier of images of its size"
        )
    if bad := np.count_nonzero(~np.isfinite(image)):
        sys.exit(f"{path}: {bad} pixels are not finite; fill them, with the background, say")
    if image.min() == image.max():
        sys.exit(f"{path}: all pixels are {image.flat[0]:g}; take it away")
    return image[..., None]


def read_folder(folder: str, shape: tuple[int, int]) -> tuple[list[str], np.ndarray]:
    """Names and images (n, height, width, 1) of the files of a folder; others are named."""
    found = sorted(path for path in Path(folder).glob("*") if not path.name.startswith("."))
    paths = [path for path in found if path.name.lower().endswith(SUFFIXES)]
    if not paths:
        sys.exit(f"{folder}: no .npy or .fits file; give the folder that holds the images")
    if skipped := [path.name for path in found if path not in paths]:
        print(
            f"{folder}: skipped {len(skipped)} of {len(found)} entries, which are not named "
            f"{', '.join(SUFFIXES)}: {', '.join(skipped)}",
            file=sys.stderr,
        )
    return [path.name for path in paths], np.stack([read_image(path, shape) for path in paths])


def load_model(path: str, place: str) -> keras.Model:
    """An exported network; the end, in one line, where there is no such file."""
    if not Path(path).is_file():
        sys.exit(f"{path}: no such file; a run writes {place}")
    return keras.models.load_model(path)


def columns(shape: tuple[int | None, ...]) -> list[str]:
    """What the outputs of a network of this output shape are called."""
    if len(shape) == 2:  # one number of another task is no probability of a class
        own = range(1, shape[1] + 1)
        return list(CLASSES) if shape[1] == len(CLASSES) else [f"output_{number}" for number in own]
    _, targets, parts = shape
    names = ["mean", "std"] if parts == 2 else [f"bin_{part + 1}" for part in range(parts)]
    return [f"{name}_{target + 1}" for target in range(targets) for name in names]


def main(model_path: str, folder: str) -> None:
    model = load_model(model_path, "results/evaluate/…/classifier.keras")
    # all of them before the first line, so that there is a whole answer or none
    names, images = read_folder(folder, model.input_shape[1:3])
    print("file", *columns(model.output_shape), sep=",")
    number = ".6f" if len(model.output_shape) == 2 else ".8g"
    for start in range(0, len(names), 64):
        batch = slice(start, start + 64)
        rows = zip(names[batch], model.predict_on_batch(images[batch]), strict=True)
        for name, answer in rows:
            print(name, *(format(value, number) for value in answer.ravel()), sep=",")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
