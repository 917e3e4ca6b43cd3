"""What features look like: against slow transcriptions, and at the ends of each scale."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sslens.metrics.features import (
    alignment,
    effective_rank,
    neighbour_auc,
    neighbour_shares,
    share_logits,
    uniformity,
)
from sslens.seeds import measured_rows

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(30, 5)).astype(np.float32) + 2
ALIKE = np.full((30, 5), 0.1, np.float32) * np.arange(1, 6, dtype=np.float32)


def unit(vector):
    return [x / math.sqrt(sum(y * y for y in vector)) for x in vector]


def squared_distance(one, other):
    return sum((x - y) ** 2 for x, y in zip(unit(one), unit(other), strict=True))


# --- effective rank -------------------------------------------------------------------------------


def test_effective_rank_by_hand():
    centred = FEATURES.astype(float) - FEATURES.astype(float).mean(axis=0)
    # singular values are the roots of the eigenvalues of the scatter matrix
    values = [math.sqrt(value) for value in np.linalg.eigvalsh(centred.T @ centred)]
    p = [value / sum(values) for value in values]
    expected = math.exp(-sum(share * math.log(share) for share in p))
    assert effective_rank(FEATURES) == pytest.approx(expected, rel=1e-5)
    assert 4 < expected < 5


@pytest.mark.parametrize("directions", [1, 2, 5])
def test_effective_rank_counts_equal_directions(directions):
    axes = np.eye(5, dtype=np.float32)[:directions]
    assert effective_rank(np.vstack([axes, -axes]) + 3) == pytest.approx(directions, rel=1e-4)


def test_features_all_alike_have_effective_rank_1():
    assert effective_rank(ALIKE) == 1
    assert effective_rank(np.zeros((4, 3), np.float32)) == 1
    rounded = ALIKE * (1 + 1e-7 * RNG.normal(size=ALIKE.shape).astype(np.float32))
    assert effective_rank(rounded) == 1


def test_more_features_than_images():
    assert 1 < effective_rank(RNG.normal(size=(4, 50))) <= 3 + 1e-9


# --- alignment and uniformity ---------------------------------------------------------------------


def test_alignment_by_hand():
    other = RNG.normal(size=FEATURES.shape)
    pairs = zip(FEATURES.tolist(), other.tolist(), strict=True)
    expected = np.mean([squared_distance(one, two) for one, two in pairs])
    assert alignment(FEATURES, other) == pytest.approx(expected, rel=1e-6)
    assert alignment(FEATURES, 3 * FEATURES) == pytest.approx(0, abs=1e-12)
    assert alignment(FEATURES, -FEATURES) == pytest.approx(4)


def test_uniformity_by_hand():
    rows = FEATURES.tolist()
    potentials = [
        math.exp(-2 * squared_distance(rows[i], rows[k])) for i in range(30) for k in range(i)
    ]
    assert uniformity(FEATURES) == pytest.approx(math.log(np.mean(potentials)), rel=1e-6)


def test_uniformity_at_its_ends():
    assert uniformity(ALIKE) == pytest.approx(0, abs=1e-9)
    assert uniformity(np.array([[1.0, 0], [-2, 0]])) == pytest.approx(-8)


# --- nearest neighbours ---------------------------------------------------------------------------


def slow_neighbour_shares(features, reference, reference_labels, neighbours, temperature):
    """Section 3.4 of arXiv:1805.01978: the nearest by cosine vote for their class."""
    scores = np.zeros((len(features), 3))
    for i, row in enumerate(features.tolist()):
        cosines = [np.dot(unit(row), unit(other)) for other in reference.tolist()]
        for k in sorted(range(len(reference)), key=lambda k: -cosines[k])[:neighbours]:
            scores[i, reference_labels[k]] += math.exp(cosines[k] / temperature)
    return scores / scores.sum(axis=1, keepdims=True)


def features_of(labels):
    return RNG.normal(size=(len(labels), 5)) + np.eye(5)[labels]


TRUTH, REFERENCE_LABELS = np.arange(30) % 3, np.arange(60) % 3
OWN, REFERENCE = features_of(TRUTH), features_of(REFERENCE_LABELS)


@pytest.mark.parametrize("neighbours", [1, 5, 60, 1000])
@pytest.mark.parametrize("temperature", [0.02, 0.07, 1.0])
def test_neighbour_shares_by_hand(neighbours, temperature):
    shares = neighbour_shares(OWN, REFERENCE, REFERENCE_LABELS, neighbours, temperature)
    expected = slow_neighbour_shares(OWN, REFERENCE, REFERENCE_LABELS, neighbours, temperature)
    np.testing.assert_allclose(shares, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)


def test_at_a_temperature_near_0_the_nearest_alone_votes():
    nearest = neighbour_shares(OWN, REFERENCE, REFERENCE_LABELS, 1, 0.07)
    for temperature in (1e-6, 1e-300):
        shares = neighbour_shares(OWN, REFERENCE, REFERENCE_LABELS, 10, temperature)
        assert np.isfinite(shares).all()
        np.testing.assert_allclose(shares, nearest, atol=1e-12)
    shares = neighbour_shares(REFERENCE, REFERENCE, REFERENCE_LABELS, 10, 1e-6)
    np.testing.assert_allclose(shares, np.eye(3)[REFERENCE_LABELS], atol=1e-12)


def test_shares_as_logits_are_finite_and_keep_their_order():
    shares = np.array([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [0.0, 1e-9, 1 - 1e-9]])
    logits = share_logits(shares)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(np.exp(logits), shares, atol=2e-12)
    assert np.array_equal(
        np.argsort(logits, axis=1, kind="stable"), np.argsort(shares, axis=1, kind="stable")
    )


@pytest.mark.parametrize("neighbours", [1, 5, 60])
def test_neighbour_auc_by_hand(neighbours):
    shares = slow_neighbour_shares(OWN, REFERENCE, REFERENCE_LABELS, neighbours, 0.07)
    expected = roc_auc_score(TRUTH, shares, multi_class="ovr", average="macro")
    found = neighbour_auc(OWN, TRUTH, REFERENCE, REFERENCE_LABELS, neighbours)
    assert found == pytest.approx(expected, abs=1e-9)
    assert 0.5 < found < 0.95


def test_neighbour_auc_at_its_ends():
    labels = np.arange(30) % 3
    told = np.eye(3)[labels]
    assert neighbour_auc(told, labels, told, labels, 10) == 1
    assert neighbour_auc(ALIKE, labels, ALIKE, labels) == 0.5
    assert neighbour_auc(0 * ALIKE, labels, 0 * ALIKE, labels) == 0.5


# --- what is measured -----------------------------------------------------------------------------


def test_the_measured_rows_are_some_of_all():
    rows = measured_rows(50, 20, 3)
    assert len(rows) == len(set(rows)) == 20
    assert (np.diff(rows) > 0).all() and rows[0] >= 0 and rows[-1] < 50
    assert rows.tolist() == measured_rows(50, 20, 3).tolist() != measured_rows(50, 20, 4).tolist()
    assert measured_rows(5, 20, 3).tolist() == [0, 1, 2, 3, 4]
