"""The elementary functions against exact values, over every order of magnitude: how far off they may be, in steps of their own type."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from onnx import helper

from canisters.compiler import compile_model, run_model

from .cases import make_model

Exact = Callable[[np.ndarray], np.ndarray]
LINEAR = np.linspace(-20, 20, 40_001)
MAGNITUDES = np.geomspace(1e-30, 80, 20_001)  # below, tanh and erf lose bits to subnormal numbers in between
SIGNED = np.concatenate([LINEAR, MAGNITUDES, -MAGNITUDES]).astype(np.float32)
POSITIVE = np.concatenate(
    [np.geomspace(1e-44, 3e38, 40_001), np.linspace(0.5, 2, 20_001), np.linspace(0.999, 1.001, 2001)]
).astype(np.float32)
# Up to the largest float, where the turns taken off are a matter of hundreds of digits.
TURNS = np.concatenate([SIGNED, np.geomspace(80, 3.4e38, 20_001), -np.geomspace(80, 3.4e38, 2_001)]).astype(np.float32)
BOUNDED = np.concatenate(
    [np.linspace(-1, 1, 20_001)[1:-1], np.geomspace(1e-30, 0.5, 5_001), 1 - np.geomspace(1e-7, 0.5, 5_001)]
).astype(np.float32)
FEW = np.concatenate([np.linspace(-20, 20, 401), np.geomspace(1e-300, 300, 301), -np.geomspace(1e-300, 300, 301)])
FAR = np.concatenate([FEW, np.geomspace(300, 1e308, 301), [2.0**20, 2.0**20 + 1, 1e22, 6381956970095103.0 * 2.0**797]])
FUNCTIONS: dict[str, tuple[Exact, np.ndarray, float]] = {
    "Exp": (np.exp, SIGNED, 2.0),
    "Log": (np.log, POSITIVE, 2.0),
    "Tanh": (np.tanh, SIGNED, 6.0),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), SIGNED, 4.0),
    "Erf": (np.vectorize(math.erf), SIGNED, 10.0),
    "Sqrt": (np.sqrt, POSITIVE, 0.51),
    "Reciprocal": (lambda x: 1 / x, POSITIVE, 0.51),
    "Sin": (np.sin, TURNS, 0.51),
    "Cos": (np.cos, TURNS, 0.51),
    "Tan": (np.tan, TURNS, 0.51),
    "Asin": (np.arcsin, BOUNDED, 0.51),
    "Acos": (np.arccos, BOUNDED, 0.51),
    "Atan": (np.arctan, TURNS, 0.51),
    "Sinh": (np.sinh, SIGNED, 0.51),
    "Cosh": (np.cosh, SIGNED, 0.51),
    "Asinh": (np.arcsinh, TURNS, 0.51),
    "Acosh": (
        np.arccosh,
        np.concatenate([np.geomspace(1, 3e38, 20_001), 1 + np.geomspace(1e-7, 1, 9_001)]).astype(np.float32),
        0.51,
    ),
    "Atanh": (np.arctanh, BOUNDED, 0.51),
    "Softplus": (lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), SIGNED, 3.0),
    "Elu": (lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x), SIGNED, 3.0),
}
# The same in float64, against 50 digits.
EXACT: dict[str, tuple[Callable[[Any], Any], np.ndarray, float]] = {
    "Exp": (mpmath.exp, FEW, 1.5),
    "Log": (mpmath.log, np.abs(FEW), 1.5),
    "Tanh": (mpmath.tanh, FEW, 4.0),
    "Sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), FEW, 4.0),
    "Erf": (mpmath.erf, FEW, 4.0),
    "Softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), FEW, 4.0),
    "Sin": (mpmath.sin, FAR, 2.0),
    "Cos": (mpmath.cos, FAR, 2.0),
    "Tan": (mpmath.tan, FAR, 4.0),
    "Asin": (mpmath.asin, np.clip(FEW, -1, 1), 4.0),
    "Acos": (mpmath.acos, np.clip(FEW, -1, 1), 4.0),
    "Atan": (mpmath.atan, FAR, 2.0),
    "Sinh": (mpmath.sinh, FEW, 4.0),
    "Cosh": (mpmath.cosh, FEW, 3.0),
    "Asinh": (mpmath.asinh, FAR, 4.0),
    "Acosh": (mpmath.acosh, 1 + np.abs(FAR), 4.0),
    "Atanh": (mpmath.atanh, np.clip(FEW, -0.999, 0.999), 4.0),
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


@pytest.fixture(scope="module")
def exact_answers() -> dict[str, np.ndarray]:
    nodes = [helper.make_node(op, [f"x{op}"], [op]) for op in EXACT]
    inputs = {f"x{op}": values for op, (_, values, _) in EXACT.items()}
    return run_model(compile_model(make_model(nodes, inputs, {}, list(EXACT)).SerializeToString()), inputs)


@pytest.mark.slow
@pytest.mark.parametrize("op", EXACT)
def test_a_function_of_float64_is_within_a_few_steps_of_the_exact_value(
    exact_answers: dict[str, np.ndarray], op: str
) -> None:
    exact, values, steps = EXACT[op]

    with mpmath.workprec(400):
        wanted = [exact(mpmath.mpf(float(x))) if x or op != "Log" else -mpmath.inf for x in values]
        rounded = np.array([float(w) for w in wanted])
        off = [
            float(abs(mpmath.mpf(float(found)) - w) / float(np.spacing(abs(r)))) if np.isfinite(r) else 0.0
            for found, w, r in zip(exact_answers[op], wanted, rounded, strict=True)
        ]

    assert ((rounded == exact_answers[op]) | np.isfinite(rounded)).all()
    assert max(off) <= steps, f"{max(off):.2f} steps off at {values[int(np.argmax(off))]!r}"


@pytest.mark.parametrize("op", ["Tanh", "Erf", "Sigmoid"])
def test_a_bounded_function_leaves_its_bounds_by_at_most_one_step(answers: dict[str, np.ndarray], op: str) -> None:
    assert np.abs(answers[op]).max() <= np.nextafter(np.float32(1), np.float32(2))
