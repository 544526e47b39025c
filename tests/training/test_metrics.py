"""Metrics against scikit-learn's, and the prediction that valuation starts from."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference

from training import metrics


@pytest.fixture
def predictions():
    """300 rows, coarse scores so that ties occur; logits, labels."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, size=300)
    scores = np.round(rng.normal(loc=labels * 1.0), 1)
    return np.stack([np.zeros(300), scores], axis=1), labels.astype(np.int64)


def test_two_classes_measure_as_scikit_learn_measures(predictions):
    logits, labels = predictions

    found = metrics.measure(metrics.log_softmax(logits), labels, positive=1)

    probability, predicted = 1 / (1 + np.exp(-logits[:, 1])), (logits[:, 1] > 0).astype(int)
    assert found == {
        "accuracy": pytest.approx(reference.accuracy_score(labels, predicted)),
        "balanced_accuracy": pytest.approx(reference.balanced_accuracy_score(labels, predicted)),
        "log_loss": pytest.approx(reference.log_loss(labels, probability)),
        "auc": pytest.approx(reference.roc_auc_score(labels, probability)),
    }


def test_many_classes_measure_as_scikit_learn_measures():
    rng = np.random.default_rng(9)
    labels = rng.integers(0, 5, size=200)
    log_probabilities = metrics.log_softmax(rng.normal(size=(200, 5)) + 2 * np.eye(5)[labels])

    found = metrics.measure(log_probabilities, labels, positive=None)

    predicted = log_probabilities.argmax(axis=1)
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert found["log_loss"] == pytest.approx(reference.log_loss(labels, np.exp(log_probabilities)))
    assert "auc" not in found
    assert metrics.confusion(log_probabilities, labels) == reference.confusion_matrix(labels, predicted).tolist()


def test_the_auc_does_not_depend_on_which_class_is_called_positive(predictions):
    logits, labels = predictions

    both = [metrics.auc(metrics.log_softmax(logits), labels, positive) for positive in (0, 1)]

    assert both[0] == pytest.approx(
        both[1]
    )  # a row that ranks high for one class ranks low for the other, and so do its labels


def test_logits_too_large_for_a_probability_still_have_a_loss():
    log_probabilities = metrics.log_softmax(np.array([[0.0, 5000.0]]))

    assert metrics.log_loss(log_probabilities, np.array([0])) == pytest.approx(5000)


def test_the_constant_prediction_knows_the_frequencies_and_nothing_else():
    labels = np.array([0] * 7 + [1] * 3, dtype=np.int64)

    constant = metrics.constant_prediction(labels, 3)

    assert metrics.utility_of("accuracy", constant, labels) == 0.7
    assert metrics.utility_of("balanced_accuracy", constant, labels) == 0.5
    assert metrics.utility_of("log_loss", constant, labels) == pytest.approx(0.7 * np.log(0.7) + 0.3 * np.log(0.3))


def test_a_utility_that_is_not_known_is_an_error(predictions):
    logits, labels = predictions

    with pytest.raises(ValueError, match="profit"):
        metrics.utility_of("profit", logits, labels)
