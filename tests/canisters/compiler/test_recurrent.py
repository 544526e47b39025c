"""LSTM, GRU and RNN in wasm against ONNX Runtime: both directions, all activations, lengths, states, peepholes, weights at run time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from canisters.compiler import CannotCompile, build_model

from .cases import Arrays, Case, differences, node_case, onnx_runtime, run_together

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
WEIGHTS = (1, 2, 3, 7)


def values(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed + sum(shape)).uniform(-1, 1, shape) * scale).astype(np.float32)


def layer(op: str, steps: int, batch: int, inputs: int, hidden: int, *, bias: bool = True, lengths: list[int] | None = None, states: bool = False,
          peepholes: bool = False, constants: tuple[int, ...] = WEIGHTS, name: str = "", opset: int = 14, **attributes: Any) -> Case:  # fmt: skip
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    rows = GATES[op] * hidden
    given: list[np.ndarray | None] = [
        values(steps, batch, inputs),
        values(ways, rows, inputs, seed=1, scale=0.5),
        values(ways, rows, hidden, seed=2, scale=0.5),
        values(ways, 2 * rows, seed=3) if bias else None,
        np.array(lengths, np.int32) if lengths else None,
        values(ways, batch, hidden, seed=4) if states else None,
    ]
    if op == "LSTM":
        given += [
            values(ways, batch, hidden, seed=5) if states else None,
            values(ways, 3 * hidden, seed=6) if peepholes else None,
        ]
    while given[-1] is None:
        given.pop()
    kept = tuple(i for i in constants if i < len(given) and given[i] is not None)
    label = name or f"{op} {steps}x{batch}x{inputs}x{hidden} {attributes}"
    return node_case(op, given, name=label, constants=kept, opset=opset, outputs=3 if op == "LSTM" else 2, judge=onnx_runtime,
                     hidden_size=hidden, **attributes)  # fmt: skip


def cases() -> Iterator[Case]:
    for op in GATES:
        for direction in ("forward", "reverse", "bidirectional"):
            yield layer(op, 5, 3, 7, 6, direction=direction)
            yield layer(op, 4, 3, 2, 5, lengths=[4, 1, 3], states=True, direction=direction)
        yield layer(op, 1, 1, 9, 64, states=True)
        yield layer(op, 3, 1, 33, 70, bias=False)
        yield layer(op, 3, 2, 3, 17, constants=(), states=True, name=f"{op} with weights at run time")
        yield layer(op, 2, 2, 3, 5, clip=0.3, name=f"{op} clipped")
    for kind, alpha, beta in (("Relu", [], []), ("LeakyRelu", [0.2], []), ("ThresholdedRelu", [0.1], []), ("ScaledTanh", [0.7], [0.6]),
                              ("HardSigmoid", [0.3], [0.4]), ("Elu", [0.9], []), ("Softsign", [], []), ("Softplus", [], []),
                              ("Affine", [0.8], [0.1])):  # fmt: skip
        given = {name: values for name, values in (("activation_alpha", alpha), ("activation_beta", beta)) if values}
        yield layer("RNN", 2, 1, 3, 5, name=f"RNN with {kind}", activations=[kind], **given)
    mixed = ["HardSigmoid", "Tanh", "LeakyRelu", "Sigmoid", "Elu", "Softsign"]
    parameters = {"activation_alpha": [0.3, 0.2, 0.8], "activation_beta": [0.4]}
    yield layer(
        "LSTM", 3, 2, 4, 6, direction="bidirectional", activations=mixed, name="LSTM with six functions", **parameters
    )
    yield layer("LSTM", 3, 2, 4, 6, peepholes=True, states=True, direction="bidirectional", name="peepholes")
    yield layer("LSTM", 3, 2, 4, 6, input_forget=1, name="coupled gates")
    for direction in ("forward", "bidirectional"):
        for batch in (1, 2):
            yield layer("GRU", 4, batch, 5, 19, linear_before_reset=1, states=True, direction=direction)
    yield layer("GRU", 3, 2, 3, 17, linear_before_reset=1, constants=(), name="GRU, reset after, weights at run time")


def batch_first(op: str) -> Case:
    """Layout 1, which ONNX Runtime does not offer: the same numbers with axes exchanged."""
    plain = layer(op, 4, 3, 5, 6, states=True, lengths=[2, 4, 1], direction="bidirectional", name=f"{op} batch first")
    node = plain.model.graph.node[0]
    weights = {t.name: numpy_helper.to_array(t) for t in plain.model.graph.initializer}
    given = [plain.inputs.get(name, weights.get(name)) if name else None for name in node.input]
    turned = [a.swapaxes(0, 1) if a is not None and i in (0, 5, 6) else a for i, a in enumerate(given)]
    kept = tuple(i for i in WEIGHTS if i < len(given) and given[i] is not None)

    def judge(_model: object, _inputs: Arrays) -> Arrays:
        axes = {"y0": (2, 0, 1, 3), "y1": (1, 0, 2), "y2": (1, 0, 2)}
        return {name: array.transpose(axes[name]) for name, array in plain.expected.items()}

    return node_case(op, turned, name=plain.name, constants=kept, opset=14, outputs=len(plain.expected), judge=judge, hidden_size=6, layout=1,
                     direction="bidirectional")  # fmt: skip


@pytest.mark.slow
def test_recurrent_layers_are_those_of_onnx_runtime() -> None:
    all_cases = [*cases(), *(batch_first(op) for op in GATES)]

    found = run_together(all_cases)

    assert differences(all_cases, found, rtol=2e-5, atol=3e-6) == []


@pytest.mark.slow
def test_recurrent_layers_with_int8_weights_stay_near() -> None:
    large = [layer(op, 6, batch, 40, 96, states=True, name=f"{op} {batch}") for op in GATES for batch in (1, 3)]

    found = run_together(large, mode="int8")

    assert differences(large, found, rtol=0, atol=0.1) == []


def test_weights_that_do_not_fit_are_refused() -> None:
    case = layer("LSTM", 2, 1, 3, 4)
    case.model.graph.node[0].attribute[0].i = 5
    assert case.model.graph.node[0].attribute[0].name == "hidden_size"

    with pytest.raises(CannotCompile, match="hidden_size is 5"):
        build_model(case.model.SerializeToString())


def test_a_length_that_no_row_can_have_stays_within_the_output() -> None:
    case = layer("GRU", 3, 2, 2, 4, lengths=[3, 2], name="lengths")
    wild = {**case.inputs, "x4": np.array([2_000_000_000, -5], np.int32)}
    whole = {**case.inputs, "x4": np.array([3, 0], np.int32)}

    found = run_together(
        [Case("wild", case.model, wild, case.expected), Case("whole", case.model, whole, case.expected)]
    )

    assert all(np.array_equal(found["wild"][name], found["whole"][name]) for name in case.expected)
