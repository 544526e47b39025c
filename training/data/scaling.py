"""Scaling to mean 0 and deviation 1. Fitted on the rows that are trained on, and exported as a part of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaling:
    """x -> (x - mean) / deviation; float32, (columns,) each, or (1,) for one scale over all columns."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


def fit_scaling(features: NDArray[np.float32], *, by_column: bool) -> Scaling:
    """`features`: (rows, columns). Computed in float64. A column that does not vary is only shifted."""
    exact = features.astype(np.float64)
    if not by_column:
        exact = exact.reshape(-1, 1)
    mean, deviation = exact.mean(axis=0), exact.std(axis=0)
    # Rounding alone makes a constant column vary in its last digits: to divide by that would turn rounding into signal.
    limits = np.finfo(np.float32)
    constant = deviation <= np.maximum(np.abs(mean) * limits.eps, limits.tiny)
    return Scaling(mean.astype(np.float32), np.where(constant, 1.0, deviation).astype(np.float32))
