"""SHA-256 in hexadecimal digits: of bytes, files, JSON and arrays."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def sha256(content: bytes) -> str:
    """SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_digest(content: Any) -> str:
    """SHA-256 of something as JSON, whatever the order of its keys."""
    return sha256(_json(content))


def fingerprint(settings: list, inputs: list[str]) -> str:
    """SHA-256 of settings (as JSON) and of the content of input files."""
    return json_digest([settings, [sha256_of(path) for path in inputs]])


def arrays_digest(arrays: Sequence[np.ndarray], facts: dict) -> str:
    """SHA-256 of facts (as JSON) and of the dtype, shape and bytes of every array, in order."""
    digest = hashlib.sha256(_json(facts))
    for array in map(np.asarray, arrays):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
