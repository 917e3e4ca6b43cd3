"""AUCs from logits, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sslens.metrics.auc import class_aucs, log_odds
from sslens.metrics.predictions import softmax


def test_log_odds_are_those_of_the_probabilities():
    logits = np.random.default_rng(1).normal(size=(50, 3))
    p = softmax(logits)
    assert log_odds(logits) == pytest.approx(np.log(p / (1 - p)), abs=1e-12)


def test_log_odds_of_huge_logits_are_finite():
    assert log_odds(np.array([[800.0, -800.0, -800.0]]))[0] == pytest.approx(
        [1600 - np.log(2), -1600, -1600]
    )


@pytest.mark.parametrize("decimals", [15, 0])  # hardly a tie, and many
def test_class_aucs_are_those_of_scikit_learn(decimals):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=200)
    logits = (rng.normal(size=(200, 3)) + np.eye(3)[labels]).round(decimals)
    # of log-odds, since equal ones may be different probabilities in the last bit
    p = log_odds(logits)
    expected = [roc_auc_score(labels == c, p[:, c]) for c in range(3)]
    assert class_aucs(labels, logits) == pytest.approx(expected, abs=1e-12)
    macro = roc_auc_score(labels, softmax(logits), multi_class="ovr", average="macro")
    assert class_aucs(labels, logits).mean() == pytest.approx(
        macro, abs=1e-12 if decimals else 1e-3
    )
    assert 0.6 < macro < 0.95


def test_scores_that_are_nan_have_no_auc():
    with pytest.raises(ValueError, match="NaN"):
        class_aucs(np.array([0, 1, 2]), np.array([[0.0, 1, 2], [np.nan, 1, 2], [2, 1, 0]]))


def test_class_aucs_survive_probabilities_that_saturate():
    labels = np.array([0, 1, 2])
    logits = np.array([[60.0, 0, 0], [50, 0, 0], [40, 0, 0]])
    assert (softmax(logits)[:, 0] == 1).all()
    assert class_aucs(labels, logits).tolist() == [1, 0.5, 1]


def test_an_absent_class_has_the_auc_of_chance():
    labels = np.array([0, 0, 1, 1])
    logits = np.array([[2.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 1, 0]])
    assert class_aucs(labels, logits).tolist() == [1, 1, 0.5]
