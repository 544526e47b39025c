"""The elementary functions against float64, over every order of magnitude: how far off they may be, in float32's own steps."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from onnx import helper

from canisters.compiler import compile_model, run_model

from .cases import make_model

Exact = Callable[[np.ndarray], np.ndarray]
LINEAR = np.linspace(-20, 20, 40_001)
MAGNITUDES = np.geomspace(1e-30, 80, 20_001)  # below, tanh and erf lose bits to subnormal numbers in between
SIGNED = np.concatenate([LINEAR, MAGNITUDES, -MAGNITUDES]).astype(np.float32)
POSITIVE = np.concatenate([np.geomspace(1e-44, 3e38, 40_001), np.linspace(0.5, 2, 20_001), np.linspace(0.999, 1.001, 2001)]).astype(np.float32)
FUNCTIONS: dict[str, tuple[Exact, np.ndarray, float]] = {
    "Exp": (np.exp, SIGNED, 2.0),
    "Log": (np.log, POSITIVE, 2.0),
    "Tanh": (np.tanh, SIGNED, 6.0),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), SIGNED, 4.0),
    "Erf": (np.vectorize(math.erf), SIGNED, 10.0),
    "Sqrt": (np.sqrt, POSITIVE, 0.51),
    "Reciprocal": (lambda x: 1 / x, POSITIVE, 0.51),
}


@pytest.fixture(scope="module")
def answers() -> dict[str, np.ndarray]:
    nodes = [helper.make_node(op, [f"x{op}"], [op]) for op in FUNCTIONS]
    inputs = {f"x{op}": values for op, (_, values, _) in FUNCTIONS.items()}
    return run_model(compile_model(make_model(nodes, inputs, {}, list(FUNCTIONS)).SerializeToString()), inputs)


@pytest.mark.parametrize("op", FUNCTIONS)
def test_a_function_is_within_a_few_steps_of_the_exact_value(answers: dict[str, np.ndarray], op: str) -> None:
    exact, values, steps = FUNCTIONS[op]

    with np.errstate(all="ignore"):
        wanted = exact(values.astype(np.float64))
        found = answers[op].astype(np.float64)
        step = np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64)
        is_finite = np.isfinite(wanted.astype(np.float32))
        off = np.where(is_finite, np.abs(found - wanted) / step, 0)

    assert np.isfinite(found[is_finite]).all()
    assert off.max() <= steps, f"{off.max():.2f} steps off at {values[off.argmax()]}"


@pytest.mark.parametrize("op", ["Tanh", "Erf", "Sigmoid"])
def test_a_bounded_function_leaves_its_bounds_by_at_most_one_step(answers: dict[str, np.ndarray], op: str) -> None:
    assert np.abs(answers[op]).max() <= np.nextafter(np.float32(1), np.float32(2))
