"""Fixtures of the tests of the configuration."""

import pytest
from configurations import config_with


@pytest.fixture
def with_archive(tmp_path):
    """A configuration whose run is one archive, and the entry of that."""
    for split in ("train", "Test"):
        (tmp_path / split).mkdir()
    config = config_with("run.datasets", ["mine"])
    paths = {"train": str(tmp_path / "train"), "test": str(tmp_path / "Test")}
    entry = {"source": "archive", "paths": paths, "instrument": {"pixels": 64}}
    config["datasets"]["mine"] = entry
    return config, entry
