"""DFT(x) -> Transpose, View, MatMul by the transform's matrix, View, Transpose; STFT(x) -> Frames, then the same, the window being part of the matrix
when it is constant.
"""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, Rewriting, TensorType
from canisters.compiler.operators.registry import Typing
from canisters.compiler.operators.spectral import Transform, pieces_of, transform_of


def spectra_to_products(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        if node.op == "DFT":
            _dft(new, node, transform_of(node, Typing(graph.types, graph.constants, 0), int(node.attributes["opset"])))
        elif node.op == "STFT":
            _stft(new, node)
        else:
            new.keep(node)
    return new.done()


def _dft(new: Rewriting, node: Node, found: Transform) -> None:
    """The transformed axis goes next to the last one and back."""
    shape = new.type(node.inputs[0]).shape
    order = [axis for axis in range(len(shape) - 1) if axis != found.axis] + [found.axis, len(shape) - 1]
    moved = node.inputs[0]
    if order != sorted(order):
        moved = new.tensor(f"{node.name}.moved", TensorType("float32", tuple(shape[axis] for axis in order)))
        new.add(Node(f"{node.name}.move", "Transpose", node.inputs[:1], (moved,), {"perm": order}))
    before = tuple(shape[axis] for axis in order[:-2])
    made = _product(new, node, moved, before, found, found.matrix())
    new.keep(
        Node(node.name, "Transpose", (made,), node.outputs, {"perm": [order.index(axis) for axis in range(len(shape))]})
    )


def _stft(new: Rewriting, node: Node) -> None:
    found = pieces_of(node, Typing(new.graph.types, new.graph.constants, 0))
    transform, signal = found.transform, new.type(node.inputs[0])
    shape = (signal.shape[0], found.count, transform.size, transform.parts)
    frames = new.tensor(f"{node.name}.frames", TensorType("float32", shape))
    attributes = {"step": found.step, "count": found.count, "length": transform.size}
    new.add(Node(f"{node.name}.frames", "Frames", node.inputs[:1], (frames,), attributes))
    matrix = transform.matrix()
    window = node.input(2)
    known = new.graph.constant(window) if window else np.ones(transform.size, np.float32)
    if known is not None:
        matrix = matrix * np.repeat(known.ravel(), transform.parts)[:, None]
    else:
        row = new.tensor(f"{node.name}.window", TensorType("float32", (1, 1, transform.size, 1)))
        new.add(Node(f"{node.name}.window", "View", (window,), (row,)))
        weighted = new.tensor(f"{node.name}.weighted", TensorType("float32", shape))
        new.add(Node(f"{node.name}.weighted", "Mul", (frames, row), (weighted,)))
        frames = weighted
    made = _product(new, node, frames, shape[:2], transform, matrix)
    new.keep(Node(node.name, "View", (made,), node.outputs))


def _product(new: Rewriting, node: Node, name: str, before: tuple[int, ...], found: Transform, matrix: Array) -> str:
    """(before, size, parts) -> (before, out, parts_out)."""
    rows = new.tensor(f"{node.name}.rows", TensorType("float32", (*before, matrix.shape[0])))
    new.add(Node(f"{node.name}.rows", "View", (name,), (rows,)))
    weights = new.constant(f"{node.name}.matrix", matrix.astype(np.float32))
    product = new.tensor(f"{node.name}.product", TensorType("float32", (*before, matrix.shape[1])))
    new.add(Node(f"{node.name}.product", "MatMul", (rows, weights), (product,)))
    made = new.tensor(f"{node.name}.spectrum", TensorType("float32", (*before, found.out, found.parts_out)))
    new.add(Node(f"{node.name}.spectrum", "View", (product,), (made,)))
    return made
