"""The catalogue of a shard: one row per image, in Parquet, with the settings it was made with."""

import json
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sslens.data.simulation.recipes import SCALARS
from sslens.files import atomic_path
from sslens.formatting import read_parquet

METADATA = "sslens settings"

_LIST = pa.list_(pa.float64())
COLUMNS = {
    "image_id": pa.string(),
    "lens_id": pa.string(),
    "label": pa.string(),
    **{name: pa.float64() for name in SCALARS},
    "sie_einstein_radius": pa.float64(),
    "shown_einstein_radius": pa.float64(),
    "substructure_mass": pa.float64(),
    "substructure_fraction": pa.float64(),
    "point_masses": pa.float64(),
    "log10_axion_mass": pa.float64(),
    "subhalo_mass": _LIST,
    "subhalo_einstein_radius": _LIST,
    "subhalo_x": _LIST,
    "subhalo_y": _LIST,
    "noise_seed": pa.int64(),
}


def write_catalogue(frame: pd.DataFrame, path, settings: Mapping) -> None:
    """Write a catalogue as Parquet, whole or not at all.

    Columns of `COLUMNS` get the types written there, others the type of their values. The settings
    of the data set that it was made with go into the file's metadata.
    """
    table = pa.table({name: pa.array(frame[name], type=COLUMNS.get(name)) for name in frame})
    table = table.replace_schema_metadata({METADATA: json.dumps(settings, sort_keys=True)})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def catalogue_settings(path) -> dict:
    """The settings of the data set that a catalogue was made with."""
    return json.loads((pq.read_schema(path).metadata or {}).get(METADATA.encode(), b"{}"))


def read_catalogue(path) -> pd.DataFrame:
    """Read a catalogue; list columns come back as float64 arrays."""
    return read_parquet(path)
