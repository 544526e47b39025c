"""How good predictions are, on the evaluation set. All in float64 from log-probabilities, so that no probability of 0 meets a logarithm.

Throughout, `log_probabilities` is (rows, classes) and `labels` (rows,) int64; each function names its unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def accuracy(log_probabilities: Floats, labels: Labels) -> float:
    """Share of rows whose most probable class is right, 0 to 1; of equally probable classes the first counts."""
    return int((log_probabilities.argmax(axis=1) == labels).sum()) / len(labels)


def balanced_accuracy(log_probabilities: Floats, labels: Labels) -> float:
    """Mean over the classes that occur of the share of their rows that is right, 0 to 1."""
    right = log_probabilities.argmax(axis=1) == labels
    recalls = [int(right[labels == label].sum()) / int((labels == label).sum()) for label in np.unique(labels)]
    return float(sum(recalls) / len(recalls))


def log_loss(log_probabilities: Floats, labels: Labels) -> float:
    """Mean negative log-probability of the right class, in nats, 0 or more."""
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def auc(log_probabilities: Floats, labels: Labels, positive: int) -> float:
    """Chance that a row of the positive class scores above another row, ties counted half, 0 to 1. Two classes only.

    Source: the Mann-Whitney statistic over midranks.
    """
    # The difference of both classes orders as the probability does, and does not round near 0 and 1.
    scores = log_probabilities[:, positive] - log_probabilities[:, 1 - positive]
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    midranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positives = labels == positive
    n_positive, n_negative = int(positives.sum()), int((~positives).sum())
    return float((midranks[positives].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def confusion(log_probabilities: Floats, labels: Labels) -> list[list[int]]:
    """Rows counted by [right class][predicted class]."""
    n_classes = log_probabilities.shape[1]
    predicted = log_probabilities.argmax(axis=1)
    return np.bincount(labels * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes).tolist()


def measure(log_probabilities: Floats, labels: Labels, positive: int | None) -> dict[str, float]:
    """Every metric there is for this many classes."""
    found = {
        "accuracy": accuracy(log_probabilities, labels),
        "balanced_accuracy": balanced_accuracy(log_probabilities, labels),
        "log_loss": log_loss(log_probabilities, labels),
    }
    if positive is not None:
        found["auc"] = auc(log_probabilities, labels, positive)
    return found


def utility_of(name: str, log_probabilities: Floats, labels: Labels) -> float:
    """More is better: log_loss counts negated."""
    match name:
        case "accuracy":
            return accuracy(log_probabilities, labels)
        case "balanced_accuracy":
            return balanced_accuracy(log_probabilities, labels)
        case "log_loss":
            return -log_loss(log_probabilities, labels)
    raise ValueError(f"no utility is called {name}")


def constant_prediction(labels: Labels, n_classes: int) -> Floats:
    """The best prediction that looks at no row: for every row the frequencies of the classes in `labels`, as logarithms.

    It is what a model without any contributor's data is worth, so where valuation starts from. -inf for a class that does not occur.
    """
    counts = np.bincount(labels, minlength=n_classes)
    with np.errstate(divide="ignore"):
        return np.tile(np.log(counts / len(labels)), (len(labels), 1))
