"""A small archive in the form of DeepLense's, for the tests that import one."""

from pathlib import Path

import numpy as np

PIXELS = 12
#: What `config` fills in where an entry does not say otherwise.
DEFAULTS = {
    "source": "archive",
    "instrument": {"pixels": PIXELS, "pixel_scale": None},
    "validation_fraction": 0.2,
    "classes": {},
    "keys": {"images": "images", "labels": "labels", "masses": "axion_mass"},
    "axes": None,
    "channel": None,
    "extension": None,
    "max_rejected": 0.01,
    "max_contrast_ratio": 5,
    "limit": {},
    "shards": 2,
    "seed": 1,
}
CELLS = [(split, label) for split in ("train", "test") for label in ("axion", "cdm", "no_sub")]


def image(number, pixels=PIXELS):
    """An image like no other."""
    return np.random.default_rng(number).normal(10, 1, (pixels, pixels))


def with_mass(array, mass):
    """As the axions of DeepLense come: an object array of an image and its axion's mass (eV)."""
    objects = np.empty(2, object)
    objects[:] = [array, mass]
    return objects


def write_archive(folder: Path, images=20, pixels=PIXELS) -> dict:
    """Write so many images a class and split; the archive's entry of the configuration."""
    for cell, (split, label) in enumerate(CELLS):
        place = folder / split / label
        place.mkdir(parents=True)
        for k in range(images):
            array = image(cell * 1000 + k, pixels)
            content = with_mass(array, 10 ** (-24 + k / images)) if label == "axion" else array
            np.save(place / f"{label}_sim_{k}.npy", content)
    paths = {split: str(folder / split) for split in ("train", "test")}
    return DEFAULTS | {"paths": paths}
