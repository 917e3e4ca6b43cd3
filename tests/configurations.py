"""Configurations for tests: the one that ships, with changes."""

from copy import deepcopy

import pytest
import yaml
from paths import ROOT

from sslens.configuration.checks import check
from sslens.configuration.files import ConfigurationError
from sslens.configuration.loading import load

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
SHIPPED = load(ROOT / "config", {})
#: Laid over the default: a regression of the axion's mass on images of axions.
MASS_OF_AXIONS = {
    "run": {"datasets": ["model_2"]},
    "task": {"name": "regression"},
    "datasets": {"model_2": {"class_shares": {"axion": 1, "cdm": 0, "no_sub": 0}}},
    "finetuning": {"augmentation": "dihedral"},
}


def config_with(path=None, value=None):
    """The shipped configuration with the entry at a dotted path set."""
    config = deepcopy(SHIPPED)
    if path is not None:
        *folders, last = path.split(".")
        place = config
        for folder in folders:
            place = place[folder]
        place[last] = value
    return config


def error_of(config):
    """The message of the check: one line."""
    with pytest.raises(ConfigurationError) as error:
        check(config, SCHEMA)
    message = str(error.value)
    assert "\n" not in message
    # the list of all that there is grows with it
    assert len(message.partition("known are")[0]) < 300
    return message
