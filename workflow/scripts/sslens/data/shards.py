"""The records of a shard, from its catalogue; of simulated images and of an archive's alike."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sslens.data.catalogue import catalogue_settings, read_catalogue
from sslens.data.records import describe, write_shard
from sslens.data.sharing import make_once
from sslens.data.tracking import tracked
from sslens.differences import differences, listed
from sslens.digests import json_digest
from sslens.files import read_json, write_json

log = logging.getLogger(__name__)


def make_shard(
    paths: Sequence[str | Path],
    catalogue: str,
    images_of: Callable[[pd.DataFrame, Mapping], Iterator[dict[str, np.ndarray]]],
    settings: Mapping,
    code: str,
    folder: str | None,
) -> None:
    """Make the records of a catalogue's rows, or link to those that runs share (see `sharing`).

    Args:
        paths: of the TFRecord, of its index, and of its facts as JSON: those of
            `records.write_shard`, and what it was made with.
        catalogue: path of its rows.
        images_of: the images of rows, in their order, by the settings (see `write_shard`).
        settings: of the data set.
        code: digest of all that makes the images.
        folder: what runs share, or None.

    Raises:
        ValueError: where the catalogue was made with other settings.
    """
    _check(catalogue, catalogue_settings(catalogue), settings)

    def make(shard: Path, index: Path, facts: Path) -> None:
        rows = read_catalogue(catalogue)
        images = tracked(images_of(rows, settings), len(rows), "images")
        found = write_shard(shard, rows, images)
        log.info("%d images", found["images"])
        write_json(facts, found | _provenance(settings) | {"code": code})

    make_once(make, [Path(path) for path in paths], folder, [settings, code], [catalogue])


def manifest_of(dataset: str, facts: Sequence[str], settings: Mapping) -> dict:
    """The manifest of a data set, whose shards must all have been made with these settings.

    Args:
        dataset: name of the data set.
        facts: paths of what `make_shard` wrote beside the TFRecords.
        settings: of the data set.

    Returns:
        What `records.describe` makes of the facts, with the `settings` and their `settings_sha256`.

    Raises:
        ValueError: where a shard was made with other settings, or by other code than another one,
            and as `records.describe`.
    """
    shards = {str(Path(path).with_suffix(".tfrecord")): read_json(path) for path in facts}
    for path, found in shards.items():
        _check(path, found["settings"], settings)
    by_code = {found["code"]: path for path, found in shards.items()}
    if len(by_code) > 1:
        raise ValueError(
            f"{' and '.join(by_code.values())} were made by different versions of the code that "
            f"makes images; delete the older ones of {dataset} and run again"
        )
    return describe(dataset, shards) | _provenance(settings)


def _check(path: str | Path, recorded: Mapping, settings: Mapping) -> None:
    if found := listed(differences(recorded, settings)):
        raise ValueError(
            f"{path}: made with other settings than the configuration has ({found}); delete it and "
            "run again"
        )


def _provenance(settings: Mapping) -> dict:
    return {"settings": settings, "settings_sha256": json_digest(settings)}
