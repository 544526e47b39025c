"""The graph between ONNX and C: static shapes, one producer a tensor, constants as arrays. `verify` holds after every pass.

Operators keep their ONNX names where they mean the same; ours are `Dense` (rows times constant weights, plus bias, plus activation),
`View` (the same bytes under another shape), `ReduceBlock` (one run of neighbouring axes), `Affine` (a scale and a shift a channel).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from .errors import BuildFailed, CannotCompile

Array = npt.NDArray[Any]

SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = (*SIGNED, *UNSIGNED)
# Two bytes each; numbers are computed in float32 and rounded to the nearest even one where they are stored (halves.py).
HALVES = ("float16", "bfloat16")
FLOATS = ("float32", "float64", *HALVES)
# A byte each, however few bits they have: only stored, moved, and cast from and to.
CODES = (
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn",
    "int4", "uint4", "int2", "uint2",
)  # fmt: skip
# What numpy, Python and an operator's own arithmetic raise on values that no valid model has.
TRIPS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
# What an operator takes unless it says otherwise.
PLAIN = ("float32", *INTEGERS, "bool")

# Element types that a compiled model may hold at run time, by numpy's names, and how C stores them.
C_TYPES = {
    "float32": "float", "float64": "double", **dict.fromkeys(HALVES, "uint16_t"), **dict.fromkeys(CODES, "uint8_t"),
    **{name: f"{name}_t" for name in INTEGERS}, "bool": "uint8_t",
}  # fmt: skip
ANY = tuple(C_TYPES)


@dataclass(frozen=True)
class TensorType:
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True)
class Node:
    """`inputs` may hold "" where an optional one is left out."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def input(self, index: int) -> str:
        return self.inputs[index] if index < len(self.inputs) else ""

    def cannot(self, reason: str, what_to_do: str) -> CannotCompile:
        return CannotCompile(f"{self.op} {self.name!r}", reason, what_to_do)

    def broken(self, error: Exception) -> CannotCompile:
        """For what a shape rule or a lowering trips over: values that no valid model has, of which there are too many to name each."""
        said = " ".join(str(error).split())[:200].rstrip(". ")
        return self.cannot(f"its inputs and attributes do not belong together ({said})", "Check the model with onnx.checker")


@dataclass(frozen=True)
class Graph:
    """`nodes` in an order in which they can run. `types` covers every tensor, `constants` those that are known."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    constants: Mapping[str, Array]

    def type(self, name: str) -> TensorType:
        return self.types[name]

    def constant(self, name: str) -> Array | None:
        return self.constants.get(name)

    def producers(self) -> dict[str, Node]:
        return {output: node for node in self.nodes for output in node.outputs if output}

    def uses(self) -> Counter[str]:
        """How often each tensor is read; being an output of the graph counts as once."""
        counted = Counter(name for node in self.nodes for name in node.inputs if name)
        counted.update(self.outputs)
        return counted

    def with_nodes(
        self, nodes: Iterable[Node], types: Mapping[str, TensorType], constants: Mapping[str, Array]
    ) -> Graph:
        """The same inputs and outputs computed by other nodes. `types` and `constants` are added to the present ones."""
        merged = {**self.types, **types, **{name: type_of(array) for name, array in constants.items()}}
        return replace(self, nodes=tuple(nodes), types=merged, constants={**self.constants, **constants})


class Rewriting:
    """Collects what a pass puts in place of a graph's nodes: new nodes, tensors and constants, each with a name of its own."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.types: dict[str, TensorType] = {}
        self.constants: dict[str, Array] = {}
        self._nodes: list[Node] = []
        self._places: dict[str, int] = {}
        self._names = {node.name for node in graph.nodes}

    def keep(self, node: Node) -> Node:
        """A node of the graph as it is, or one that takes its place and name."""
        self._places[node.name] = len(self._nodes)
        self._nodes.append(node)
        return node

    def add(self, node: Node) -> Node:
        """A node that the graph did not have; its name gets a number when it is taken."""
        name, number = node.name, 1
        while name in self._names:
            number += 1
            name = f"{node.name}.{number}"
        self._names.add(name)
        return self.keep(replace(node, name=name))

    def put(self, old: Node, new: Node) -> Node:
        """`new`, of the same name, where `old` was kept."""
        self._nodes[self._places[old.name]] = new
        return new

    def tensor(self, wanted: str, type_: TensorType) -> str:
        name = self._free(wanted)
        self.types[name] = type_
        return name

    def constant(self, wanted: str, array: Array) -> str:
        name = self._free(wanted)
        self.constants[name] = np.ascontiguousarray(array).reshape(array.shape)
        self.types[name] = type_of(array)
        return name

    def type(self, name: str) -> TensorType:
        return self.types[name] if name in self.types else self.graph.types[name]

    def value(self, name: str) -> Array:
        """A constant, of the graph or a new one."""
        return self.constants[name] if name in self.constants else self.graph.constants[name]

    def done(self) -> Graph:
        return self.graph.with_nodes(self._nodes, self.types, self.constants)

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.graph.types or name in self.types:
            number += 1
            name = f"{wanted}.{number}"
        return name


def array_of(tensor: onnx.TensorProto) -> Array:
    """A constant of the model. Raises CannotCompile when it holds something else than it claims."""
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except TRIPS as error:
        said = " ".join(str(error).split())[:200].rstrip(". ")
        raise CannotCompile(f"tensor {tensor.name!r}", f"its data is not what it claims ({said})", "Export the model again") from error


def type_of(array: Array) -> TensorType:
    return TensorType(array.dtype.name, tuple(array.shape))


def without_ones(shape: Iterable[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def verify(graph: Graph, after: str) -> None:
    """Every tensor is typed, made once and before it is read; every constant has its type. Raises BuildFailed, naming the pass."""
    for fault in _faults(graph):
        raise BuildFailed(f"after {after}: {fault}")


def _faults(graph: Graph) -> Iterator[str]:
    known = set(graph.inputs) | set(graph.constants)
    for name, array in graph.constants.items():
        if type_of(array) != graph.types.get(name):
            yield f"constant {name} is {type_of(array)}, not {graph.types.get(name)}"
    names = Counter(node.name for node in graph.nodes)
    yield from (f"{count} nodes are called {name}" for name, count in names.items() if count > 1)
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in known:
                yield f"{node.name} reads {name}, which nothing has made"
        for name in node.outputs:
            if name in known:
                yield f"{node.name} makes {name} a second time"
            if name and name not in graph.types:
                yield f"{node.name} makes {name} without a type"
        known |= {name for name in node.outputs if name}
    yield from (f"nothing makes the output {name}" for name in graph.outputs if name not in known)
