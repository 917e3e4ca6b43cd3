"""What a probe is, and where that of a task and a protocol is found."""

import importlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd


class Features(NamedTuple):
    """Features of images (n, d), float32, and their targets, as a task's `relative` makes them."""

    values: np.ndarray
    labels: np.ndarray


class Probe(NamedTuple):
    """How the probe of a protocol is fitted and used.

    fit: of labelled training images, of validation images and of the protocol's settings makes the
        arrays that the probe consists of, by name, and the history of the fit.
    outputs: of these arrays, features (n, d) and the settings makes outputs (n, outputs), as a
        network's.
    """

    fit: Callable[[Features, Features, Mapping], tuple[dict[str, np.ndarray], pd.DataFrame]]
    outputs: Callable[[Mapping[str, np.ndarray], np.ndarray, Mapping], np.ndarray]


def load_probe(task: str, protocol: str) -> Probe:
    """The probe of a task and a protocol, in `PROBES` of the module with the task's name."""
    return importlib.import_module(f"sslens.training.probes.{task}").PROBES[protocol]
