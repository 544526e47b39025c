"""Real data, cut among contributors, for the story and the tests: breast cancer (569 x 30) and digits (1,797 of 8 x 8), both from
scikit-learn's own files.

One contributor of each is noisy: a part of its classes is wrong, so its Shapley value must come out visibly smaller.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits

NOISE = 0.4
BREAST_CANCER_TARGET = "diagnosis"
DIGITS_TARGET = "digit"
# Rows of each contributor; what is left over is the evaluation set. "harbour" is the noisy one.
BREAST_CANCER_ROWS = {"north": 190, "lake": 110, "harbour": 110, "hill": 40}
DIGITS_ROWS = {"north": 600, "lake": 400, "harbour": 400}
NOISY = "harbour"


def breast_cancer_parts(seed: int) -> tuple[dict[str, bytes], bytes]:
    """CSV files by name of the contributor, and the evaluation set's. Target column "diagnosis": benign or malignant."""
    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names]
    rows = [[repr(float(value)) for value in row] for row in data.data]
    return _cut(
        seed,
        names,
        rows,
        data.target,
        [str(name) for name in data.target_names],
        BREAST_CANCER_TARGET,
        BREAST_CANCER_ROWS,
    )


def digits_parts(seed: int) -> tuple[dict[str, bytes], bytes]:
    """The same for digits: columns pixel_0 to pixel_63, grey values 0 to 16. Target column "digit": 0 to 9."""
    data = load_digits()
    rows = [[str(int(value)) for value in row] for row in data.data]
    names = [f"pixel_{index}" for index in range(data.data.shape[1])]
    return _cut(seed, names, rows, data.target, [str(name) for name in data.target_names], DIGITS_TARGET, DIGITS_ROWS)


def _cut(
    seed: int,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    target: NDArray[np.int64],
    classes: Sequence[str],
    target_name: str,
    sizes: Mapping[str, int],
) -> tuple[dict[str, bytes], bytes]:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    files: dict[str, bytes] = {}
    start = 0
    for name, size in sizes.items():
        places = order[start : start + size]
        labels = target[places]
        if name == NOISY:
            labels = _noisy(labels, len(classes), rng)
        files[name] = _csv([*names, target_name], ([*rows[p], classes[c]] for p, c in zip(places, labels, strict=True)))
        start += size
    held_out = order[start:]
    return files, _csv([*names, target_name], ([*rows[p], classes[target[p]]] for p in held_out))


def _noisy(labels: NDArray[np.int64], n_classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """NOISE of the labels, each moved to another class."""
    wrong = rng.permutation(len(labels))[: round(NOISE * len(labels))]
    moved = labels.copy()
    moved[wrong] = (moved[wrong] + rng.integers(1, n_classes, size=len(wrong))) % n_classes
    return moved


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("ascii")
