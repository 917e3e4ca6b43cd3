"""The records of a shard, from its catalogue; of simulated images and of an archive's alike."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from sslens.catalogue import read_catalogue
from sslens.records import write_shard
from sslens.sharing import make_once
from sslens.tracking import tracked

log = logging.getLogger(__name__)


def make_shard(
    path: str | Path,
    catalogue: str,
    images_of: Callable[[pd.DataFrame, Mapping], Iterator[np.ndarray]],
    settings: Mapping,
    code: str,
    folder: str | None,
) -> None:
    """Make the records of a catalogue's rows, or link to those that runs share (see `sharing`).

    Args:
        path: of the shard.
        catalogue: path of its rows.
        images_of: the images (height, width) of rows, in their order, by the settings.
        settings: of the data set.
        code: digest of all that makes the images.
        folder: what runs share, or None.
    """

    def make(where: Path) -> None:
        rows = read_catalogue(catalogue)
        images = tracked(images_of(rows, settings), len(rows), "images")
        log.info("%d images", write_shard(where, rows, images))

    make_once(make, path, folder, [settings, code], [catalogue])
