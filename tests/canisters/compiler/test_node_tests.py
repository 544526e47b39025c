"""ONNX's own node tests, for every operator that we offer: each passes, or is refused for a reason that stands here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from canisters.compiler import CannotCompile, frontend
from canisters.compiler.operators import OFFERED

from .cases import Case, run_together

FOLDED = {"Constant", "Shape", "Size"}
AT_LEAST = 400
# Why a test of an offered operator may be refused. Everything else must compile and agree.
REASONS = (
    "has no fixed size", "spatial axes", "mode is", "training mode", "its mask is used", "its indices are used", "its mean or deviation is used",
    "and only float32 is computed here", "its exponent is not", "not a tensor of known rank", "Inputs are one of", "it casts to", "element type",
    "Cast it to one of", "of size 0",
)  # fmt: skip


def _array(value: Any) -> np.ndarray:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _tests() -> Iterator[tuple[Case, float, float]]:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # numpy's, while ONNX makes its test data
        found = load_model_tests(kind="node")
    for test in found:
        if {node.op_type for node in test.model.graph.node} <= OFFERED | FOLDED and not any(
            node.domain for node in test.model.graph.node
        ):
            inputs, outputs = test.data_sets[0]
            try:
                given = {value.name: _array(data) for value, data in zip(test.model.graph.input, inputs, strict=True)}
                expected = {
                    value.name: _array(data) for value, data in zip(test.model.graph.output, outputs, strict=True)
                }
            except (TypeError, ValueError):
                continue  # sequences and options, which no offered operator takes
            yield Case(test.name, test.model, given, expected), test.rtol, test.atol


def _with_constants(case: Case) -> Case:
    """Inputs that decide shapes, made part of the model: all but the first."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    first = model.graph.input[0]
    for value in model.graph.input[1:]:
        model.graph.initializer.append(numpy_helper.from_array(case.inputs[value.name], value.name))
    kept = onnx.ValueInfoProto()
    kept.CopyFrom(first)
    del model.graph.input[:]
    model.graph.input.append(kept)
    return Case(case.name, model, {first.name: case.inputs[first.name]}, case.expected)


def _loadable(case: Case) -> Case | str:
    """The case as it can be compiled, or why it cannot."""
    reason = ""
    for attempt in (case, _with_constants(case)) if case.model.graph.input else ():
        try:
            frontend.load(attempt.model.SerializeToString())
        except CannotCompile as error:
            reason = reason if "only known at run time" in str(error) else str(error)
            continue
        return attempt
    return reason or "has no inputs: of size 0"


@pytest.mark.slow
def test_every_node_test_of_an_offered_operator_passes_or_is_refused_for_a_known_reason() -> None:
    ready, unexplained, tolerance = [], [], {}
    for case, rtol, atol in _tests():
        found = _loadable(case)
        tolerance[case.name] = (rtol, atol)
        if isinstance(found, Case):
            ready.append(found)
        elif not any(reason in found for reason in REASONS):
            unexplained.append(f"{case.name}: {found}")

    answers = run_together(ready)

    assert unexplained == []
    assert len(ready) >= AT_LEAST
    wrong = []
    for case in ready:
        rtol, atol = tolerance[case.name]
        for name, expected in case.expected.items():
            got = answers[case.name][name]
            if (got.dtype, got.shape) != (expected.dtype, expected.shape) or not np.allclose(
                got, expected, rtol=rtol, atol=max(atol, 1e-6), equal_nan=True
            ):
                wrong.append(f"{case.name}: {got.ravel()[:6]}, expected {expected.ravel()[:6]}")
    assert wrong == []
