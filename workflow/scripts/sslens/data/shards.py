"""The records of a shard, from its catalogue; of simulated images and of an archive's alike."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sslens.data.catalogue import catalogue_settings, read_catalogue
from sslens.data.records import write_shard
from sslens.data.sharing import make_once
from sslens.data.tracking import tracked
from sslens.differences import differences, listed
from sslens.digests import json_digest
from sslens.files import read_json, write_json

log = logging.getLogger(__name__)


def make_shard(
    path: str | Path,
    provenance: str | Path,
    catalogue: str,
    images_of: Callable[[pd.DataFrame, Mapping], Iterator[np.ndarray]],
    settings: Mapping,
    code: str,
    folder: str | None,
) -> None:
    """Make the records of a catalogue's rows, or link to those that runs share (see `sharing`).

    Args:
        path: of the shard.
        provenance: path of the file that says what it was made with.
        catalogue: path of its rows.
        images_of: the images (height, width) of rows, in their order, by the settings.
        settings: of the data set.
        code: digest of all that makes the images.
        folder: what runs share, or None.

    Raises:
        ValueError: where the catalogue was made with other settings.
    """
    _check(catalogue, catalogue_settings(catalogue), settings)

    def make(where: Path) -> None:
        rows = read_catalogue(catalogue)
        images = tracked(images_of(rows, settings), len(rows), "images")
        log.info("%d images", write_shard(where, rows, images))

    make_once(make, path, folder, [settings, code], [catalogue])
    write_json(provenance, _provenance(settings) | {"code": code})


def check_settings(provenances: Sequence[str], settings: Mapping) -> dict:
    """Check that all shards of a data set were made with the same settings, and with these.

    Args:
        provenances: paths of what `make_shard` wrote beside them.
        settings: of the data set.

    Returns:
        The settings, as `settings`, and their digest `settings_sha256`.

    Raises:
        ValueError: where a shard was made with others.
    """
    for path in provenances:
        _check(Path(path).with_suffix(".tfrecord"), read_json(path)["settings"], settings)
    return _provenance(settings)


def _check(path: str | Path, recorded: Mapping, settings: Mapping) -> None:
    if found := listed(differences(recorded, settings)):
        raise ValueError(
            f"{path}: made with other settings than the configuration has ({found}); delete it and "
            "run again"
        )


def _provenance(settings: Mapping) -> dict:
    return {"settings": settings, "settings_sha256": json_digest(settings)}
