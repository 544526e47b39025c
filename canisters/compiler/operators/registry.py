"""What an operator is to the compiler: a shape rule, and a lowering to C with packed weights and scratch.

A family's module registers its operators here when it is imported (`operators/__init__` imports them all). A lowering returns a
`Kernel`: C text in which {x0}, {y0} stand for the addresses of inputs and outputs, {w_NAME} for packed weights, {s_NAME} for scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, TensorType

Mode = str  # "f32" or "int8"


@dataclass(frozen=True)
class Kernel:
    """`weights`: packed bytes by name. `scratch`: bytes needed while the node runs, by name. `macs`: multiply-accumulates of the node."""

    code: str
    weights: Mapping[str, bytes] = field(default_factory=dict)
    scratch: Mapping[str, int] = field(default_factory=dict)
    macs: int = 0
    note: str = ""


Infer = Callable[[Node, "Typing"], tuple[TensorType, ...]]
Lower = Callable[[Node, Graph, Mode], Kernel]


@dataclass(frozen=True)
class Operator:
    """`since`: the first opset whose meaning is implemented. `lower` is None for what a pass replaces before C is written."""

    name: str
    since: int
    infer: Infer
    lower: Lower | None


class Typing:
    """What a shape rule may ask: types of all inputs, values of those that are known, and the model's opset."""

    def __init__(self, types: Mapping[str, TensorType], constants: Mapping[str, Array], opset: int) -> None:
        self._types = types
        self._constants = constants
        self.opset = opset

    def input(self, node: Node, index: int = 0) -> TensorType:
        name = node.input(index)
        if not name:
            raise node.cannot(f"input {index} is missing", "Check the model with onnx.checker")
        return self._types[name]

    def floats(self, node: Node, index: int = 0) -> TensorType:
        found = self.input(node, index)
        if found.dtype != "float32":
            raise node.cannot(
                f"input {index} is {found.dtype}, and only float32 is computed here", "Cast it to float32 in the model"
            )
        return found

    def value(self, node: Node, index: int) -> Array | None:
        """None when the input is left out. Raises CannotCompile when it is only known at run time."""
        name = node.input(index)
        if not name:
            return None
        if name not in self._constants:
            raise node.cannot(
                f"input {index} ({name!r}) decides a shape and is only known at run time",
                "Make it a constant of the model, or export with fixed sizes",
            )
        return self._constants[name]

    def integers(self, node: Node, attribute: str, index: int) -> tuple[int, ...] | None:
        """A list of integers that older opsets hold in an attribute and newer ones in an input."""
        if attribute in node.attributes:
            return tuple(int(item) for item in node.attributes[attribute])
        value = self.value(node, index)
        return None if value is None else tuple(int(item) for item in np.ravel(value))


REGISTRY: dict[str, Operator] = {}


def operator(name: str, *, since: int = 9, infer: Infer, lower: Lower | None) -> None:
    REGISTRY[name] = Operator(name, since, infer, lower)


def axis_of(node: Node, axis: int, rank: int) -> int:
    """A non-negative axis. Raises CannotCompile."""
    if not -rank <= axis < max(rank, 1):
        raise node.cannot(f"axis {axis} is outside a tensor of rank {rank}", "Check the model with onnx.checker")
    return axis % rank if rank else 0


def axes_of(node: Node, axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    found = tuple(sorted({axis_of(node, axis, rank) for axis in axes}))
    if len(found) != len(axes):
        raise node.cannot(f"the axes {list(axes)} name one axis twice", "Check the model with onnx.checker")
    return found


def same_as_input(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (typing.input(node),)


def float_like_input(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (typing.floats(node),)


def c_float(value: float) -> str:
    """A C constant that reads back as exactly this float32."""
    number = float(np.float32(value))
    if number != number:
        return '__builtin_nanf("")'
    if number in (float("inf"), float("-inf")):
        return "__builtin_inff()" if number > 0 else "-__builtin_inff()"
    return f"{np.float32(value)}f"
