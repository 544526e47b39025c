"""What an operator is to the compiler: a shape rule, and a lowering to C with packed weights and scratch.

A family's module registers its operators here when it is imported (`operators/__init__` imports them all). A lowering returns a
`Kernel`: C text in which {x0}, {y0} stand for the addresses of inputs and outputs, {w_NAME} for packed weights, {s_NAME} for scratch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from canisters.compiler.ir import C_TYPES, PLAIN, Array, Graph, Node, TensorType

Mode = str  # "f32"; "int8"; "int4", in which what has no kernel for 4-bit weights is as in int8


@dataclass(frozen=True)
class Kernel:
    """`weights`: packed bytes by name. `scratch`: bytes needed while the node runs, by name. `macs`: multiply-accumulates of the node.
    `data_bytes`: of the texts and tables that its C holds.
    """

    code: str
    weights: Mapping[str, bytes] = field(default_factory=dict)
    scratch: Mapping[str, int] = field(default_factory=dict)
    macs: int = 0
    note: str = ""
    data_bytes: int = 0


Infer = Callable[[Node, "Typing"], tuple[TensorType, ...]]
Lower = Callable[[Node, Graph, Mode], Kernel]


@dataclass(frozen=True)
class Operator:
    """`since`: the first opset whose meaning is implemented. `lower` is None for what a pass replaces before C is written.
    `types`: element types that its inputs may have; float16 and bfloat16 that are not among them are widened to float32 (halves.py).
    `domain`: "" for ONNX itself, or "ai.onnx.ml"; `since` counts that domain's opsets.
    """

    name: str
    since: int
    infer: Infer
    lower: Lower | None
    types: tuple[str, ...] = PLAIN
    domain: str = ""


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

    def floats(self, node: Node, index: int = 0, allowed: Sequence[str] = ("float32",)) -> TensorType:
        """The type of an input that must be of one of the `allowed` element types. Raises CannotCompile."""
        found = self.input(node, index)
        if found.dtype not in allowed:
            raise node.cannot(
                f"input {index} is {found.dtype}, and only {', '.join(allowed)} is computed here",
                f"Cast it to {allowed[0]} in the model",
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

    def known(self, node: Node, index: int) -> Array | None:
        """The value of an input, when it is a constant."""
        return self._constants.get(node.input(index))

    def integers(self, node: Node, attribute: str, index: int) -> tuple[int, ...] | None:
        """A list of integers that older opsets hold in an attribute and newer ones in an input."""
        if attribute in node.attributes:
            return tuple(int(item) for item in node.attributes[attribute])
        value = self.value(node, index)
        return None if value is None else tuple(int(item) for item in np.ravel(value))


REGISTRY: dict[str, Operator] = {}


def operator(
    name: str, *, since: int = 9, infer: Infer, lower: Lower | None, types: tuple[str, ...] = PLAIN, domain: str = ""
) -> None:
    REGISTRY[name] = Operator(name, since, infer, lower, types, domain)


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


def c_double(value: float) -> str:
    """A C constant that reads back as exactly this float64."""
    if value != value:
        return '__builtin_nan("")'
    if value in (float("inf"), float("-inf")):
        return "__builtin_inf()" if value > 0 else "-__builtin_inf()"
    return repr(float(value))


def c_constant(value: object, dtype: str) -> str:
    """One element of any type as C stores it: halves and smaller types are the number of their bits."""
    if dtype == "float32":
        return c_float(float(np.float32(value)))  # type: ignore[arg-type]
    if dtype == "float64":
        return c_double(float(np.float64(value)))  # type: ignore[arg-type]
    element = np.asarray(value).astype(np.dtype(dtype))
    stored = int(element.view(f"uint{8 * element.itemsize}")) if element.dtype.kind in "fV" else int(element)
    if stored == -(1 << 63):
        return "INT64_MIN"
    return f"(({C_TYPES[dtype]}){stored}{'ull' if stored >= 1 << 63 else 'll'})"
