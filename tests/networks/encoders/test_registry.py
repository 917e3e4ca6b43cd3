"""Encoders by name: their families, and settings of one family laid over those of another."""

from itertools import combinations

import pytest

from sslens.networks.encoders import registry
from sslens.networks.encoders.registry import (
    encoder_names,
    encoder_schema,
    family_of,
    family_settings,
    laid_over,
    load_family,
)

COMMON = {"name", "batch_norm_momentum", "neck", "neck_dropout", "for_dataset"}


def test_every_encoder_has_a_family_that_builds_it():
    assert encoder_names()[:2] == ["resnet18", "resnet50"]
    for name in encoder_names():
        assert load_family(name).__name__.endswith(f".{family_of(name)}")
        assert callable(load_family(name).features_of)
    with pytest.raises(ValueError, match="unknown encoder 'resnet19': known are resnet18, res"):
        family_of("resnet19")


def test_no_two_families_share_the_name_of_a_setting():
    """Or settings of one would be taken for those of another that is laid over it."""
    keys = {family_of(name): set(encoder_schema(name)["properties"]) for name in encoder_names()}
    assert all(one.isdisjoint(other) for one, other in combinations(keys.values(), 2))
    assert set().union(*keys.values()) == set(family_settings())
    assert COMMON.isdisjoint(family_settings())


def test_every_setting_of_a_family_has_a_default():
    for name in encoder_names():
        assert all("default" in part for part in encoder_schema(name)["properties"].values()), name


def test_another_family_leaves_the_settings_of_the_first_behind(monkeypatch):
    other = {"names": ["mixer"], "properties": {"tokens": {"default": 3}}}
    schemas = registry._schemas() | {"mixer": other}
    monkeypatch.setattr(registry, "_schemas", lambda: schemas)
    registry._families.cache_clear()
    base = {"name": "resnet18", "width": 16, "stem": "small", "neck": [4]}
    assert laid_over(base, {"name": "mixer"}) == {"name": "mixer", "neck": [4]}
    own = {"name": "mixer", "width": 3}
    assert laid_over(base, own) == {"name": "mixer", "neck": [4], "width": 3}, "for the checks"
    for own in ({"name": "resnet50"}, {"width": 2}, {"name": "unknown"}):
        assert laid_over(base, own) == base | own
    registry._families.cache_clear()


def test_another_name_of_a_family_leaves_what_the_first_stands_for_behind():
    base = {"name": "vit_nano", "layers": 3, "token_stem": "patch", "patch": 4, "drop_path": 0.2}
    assert laid_over(base, {"layers": 5}) == base | {"layers": 5}
    found = laid_over(base, {"name": "hybrid_nano"})
    assert found == {"name": "hybrid_nano", "patch": 4, "drop_path": 0.2}
    of_both = {"name": "vit_tiny", "token_stem": "patch", "patch": 4, "drop_path": 0.2}
    assert laid_over(base, {"name": "vit_tiny"}) == of_both
