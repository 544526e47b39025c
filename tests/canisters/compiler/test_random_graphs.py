"""Random graphs of the operators that are offered, against ONNX Runtime: what single nodes do not show, passes and memory plans get wrong.

A graph is grown by choices. Where they come from a seed, many graphs are one build; where they come from hypothesis, a failing graph is made
small. Nothing here that jumps (rounding, comparing) is put behind anything computed: there the two may differ without a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from .cases import Case, differences, make_model, onnx_runtime, run_together

F = np.float32
Choose = Callable[[int], int]  # of n, one below n

UNARY = (
    "Relu",
    "Sigmoid",
    "Tanh",
    "Abs",
    "Neg",
    "Erf",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Identity",
    "Softplus",
    "Elu",
)
BINARY = ("Add", "Sub", "Mul", "Min", "Max")
REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare")


class Growing:
    """`shapes`: of every float tensor so far. Each step adds a node or two that take the newest tensor, and sometimes an older one."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.numbers = np.random.default_rng(choose(1 << 16))
        rank = 2 + choose(3)
        shape = tuple(1 + choose(6) for _ in range(rank))
        self.inputs = {"x": self.random(*shape), "z": self.random(*shape[-2:])}
        self.constants: dict[str, np.ndarray] = {}
        self.nodes: list[Any] = []
        self.shapes: dict[str, tuple[int, ...]] = {name: array.shape for name, array in self.inputs.items()}
        self.last = "x"

    def random(self, *shape: int) -> np.ndarray:
        return self.numbers.uniform(-2, 2, shape).astype(F)

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def weights(self, *shape: int) -> str:
        return self.constant((self.random(*shape) / np.sqrt(max(1, shape[0]))).astype(F))

    def node(self, op: str, inputs: Sequence[str], shape: tuple[int, ...], **attributes: Any) -> None:
        self.last = f"t{len(self.shapes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [self.last], name=f"{op} {len(self.nodes)}", **attributes))
        self.shapes[self.last] = shape

    def one_of(self, options: Sequence[Any]) -> Any:
        return options[self.choose(len(options))]

    def grow(self) -> None:
        shape = self.shapes[self.last]
        self.one_of(
            [self.unary, self.binary, self.dense, self.reduce, self.move, self.normalise, self.join, self.image]
        )(shape)

    def unary(self, shape: tuple[int, ...]) -> None:
        self.node(self.one_of(UNARY), [self.last], shape)

    def binary(self, shape: tuple[int, ...]) -> None:
        older = [name for name, other in self.shapes.items() if fits(other, shape)]
        ones = tuple(1 if self.choose(2) else size for size in shape)[self.choose(len(shape)) if shape else 0 :]
        other = self.one_of([self.one_of(older), self.constant(self.random(*ones)), self.last])
        pair = [self.last, other] if self.choose(2) else [other, self.last]
        self.node(self.one_of(BINARY), pair, shape)

    def dense(self, shape: tuple[int, ...]) -> None:
        if len(shape) < 2:
            return self.unary(shape)
        columns = 1 + self.choose(20)
        self.node("MatMul", [self.last, self.weights(shape[-1], columns)], (*shape[:-1], columns))
        if self.choose(2):
            self.node("Add", [self.last, self.weights(columns)], (*shape[:-1], columns))
        return None

    def reduce(self, shape: tuple[int, ...]) -> None:
        axes = [axis for axis in range(len(shape)) if self.choose(2)] or [len(shape) - 1]
        if len(shape) < 2:
            return self.unary(shape)
        keep = self.choose(2)
        left = tuple((1 if axis in axes else size) for axis, size in enumerate(shape) if keep or axis not in axes)
        self.node(self.one_of(REDUCTIONS), [self.last, self.constant(np.array(axes))], left, keepdims=keep)
        if not left:
            self.node("Reshape", [self.last, self.constant(np.array([1, 1]))], (1, 1))
        return None

    def move(self, shape: tuple[int, ...]) -> None:
        kind = self.choose(6)
        if kind == 0:
            order = list(self.numbers.permutation(len(shape)))
            self.node(
                "Transpose", [self.last], tuple(shape[axis] for axis in order), perm=[int(axis) for axis in order]
            )
        elif kind == 1:
            self.node(
                "Reshape", [self.last, self.constant(np.array([-1, shape[-1]]))], (int(np.prod(shape[:-1])), shape[-1])
            )
        elif kind == 2:
            axis = self.choose(len(shape))
            start, step = self.choose(shape[axis]), 1 + self.choose(2)
            places = [self.constant(np.array([value])) for value in (start, shape[axis], axis, step)]
            self.node(
                "Slice",
                [self.last, *places],
                tuple(len(range(start, size, step)) if a == axis else size for a, size in enumerate(shape)),
            )
        elif kind == 3:
            before, after = [self.choose(3) for _ in shape], [self.choose(3) for _ in shape]
            padded = tuple(b + size + a for b, size, a in zip(before, shape, after, strict=True))
            self.node(
                "Pad", [self.last, self.constant(np.array([*before, *after])), self.constant(np.array(0.5, F))], padded
            )
        elif kind == 4:
            axis = self.choose(len(shape))
            index = self.numbers.integers(-shape[axis], shape[axis], 3)
            self.node("Gather", [self.last, self.constant(index)], (*shape[:axis], 3, *shape[axis + 1 :]), axis=axis)
        else:
            axis = self.choose(len(shape) + 1)
            self.node("Unsqueeze", [self.last, self.constant(np.array([axis]))], (*shape[:axis], 1, *shape[axis:]))

    def normalise(self, shape: tuple[int, ...]) -> None:
        if self.choose(2):
            self.node("Softmax", [self.last], shape, axis=self.choose(len(shape)))
        else:
            scale, shift = self.constant(self.random(shape[-1])), self.constant(self.random(shape[-1]))
            self.node("LayerNormalization", [self.last, scale, shift], shape, axis=-1, epsilon=0.01)

    def join(self, shape: tuple[int, ...]) -> None:
        axis = self.choose(len(shape))
        other = self.one_of([name for name, s in self.shapes.items() if s == shape])
        self.node("Concat", [self.last, other], (*shape[:axis], 2 * shape[axis], *shape[axis + 1 :]), axis=axis)

    def image(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 4 or min(shape[2:]) < 2:
            return self.unary(shape)
        batch, channels, height, width = shape
        if self.choose(3):
            out, stride = 1 + self.choose(9), 1 + self.choose(2)
            sizes = tuple((size - 1) // stride + 1 for size in (height, width))
            kernel = self.constant((self.random(out, channels, 3, 3) / 3).astype(F))
            self.node(
                "Conv", [self.last, kernel, self.weights(out)], (batch, out, *sizes), pads=[1] * 4, strides=[stride] * 2
            )
        else:
            op = self.one_of(["MaxPool", "AveragePool"])
            self.node(op, [self.last], (batch, channels, height - 1, width - 1), kernel_shape=[2, 2])
        return None


def fits(shape: tuple[int, ...], into: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, into) == into
    except ValueError:
        return False


def grown(name: str, choose: Choose, steps: int) -> Case:
    growing = Growing(choose)
    for _ in range(steps):
        if np.prod(growing.shapes[growing.last]) > 20_000:
            break
        growing.grow()
    if not growing.nodes:
        growing.unary(growing.shapes["x"])
    # An older tensor is an output too: it must live to the end.
    made = [node.output[0] for node in growing.nodes]
    outputs = list(dict.fromkeys([made[-1], made[choose(len(made))]]))
    model = make_model(growing.nodes, growing.inputs, growing.constants, outputs)
    return Case(name, model, growing.inputs, onnx_runtime(model, growing.inputs))


def wrong(cases: Sequence[Case]) -> list[str]:
    return differences(cases, run_together(cases), rtol=2e-4, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_random_graphs_answer_like_onnx_runtime(seed: int) -> None:
    cases = []
    for index in range(32):
        rng = np.random.default_rng([seed, index])
        cases.append(grown(f"seed {seed}, graph {index}", lambda n, rng=rng: int(rng.integers(n)), 4 + index % 12))

    assert wrong(cases) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data(), steps=st.integers(1, 10))
def test_graphs_that_hypothesis_grows_answer_like_onnx_runtime(data: st.DataObject, steps: int) -> None:
    case = grown("grown", lambda n: data.draw(st.integers(0, n - 1)), steps)

    assert wrong([case]) == []
