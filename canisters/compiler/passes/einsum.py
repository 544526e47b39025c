"""Einsum -> Transpose, View, MatMul, View, Transpose: one product for each two tensors, from left to right.

Only what is a product of matrices or of stacks of them: labels that both have and the result does not are summed over, those that both have and the
result too number the stack. Everything else stays an Einsum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import Graph, Node, Rewriting, TensorType
from canisters.compiler.operators.einsum import Equation, Labels, equation_of


@dataclass(frozen=True)
class _Pair:
    """Labels of a product (stack, rows, columns), and those that are summed over."""

    stack: Labels
    rows: Labels
    columns: Labels
    summed: Labels

    @property
    def output(self) -> Labels:
        return (*self.stack, *self.rows, *self.columns)


def einsum_to_products(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        pairs = _pairs(graph, node) if node.op == "Einsum" else None
        if pairs:
            _products(new, node, equation_of(node, [graph.type(name).shape for name in node.inputs]), pairs)
        else:
            new.keep(node)
    return new.done()


def _pairs(graph: Graph, node: Node) -> list[_Pair] | None:
    """What the products are, or None when there is anything else to do."""
    types = [graph.type(name) for name in node.inputs]
    if len(types) < 2 or types[0].dtype != "float32" or any(0 in type_.shape for type_ in types):
        return None
    equation = equation_of(node, [type_.shape for type_ in types])
    for labels, type_ in zip(equation.inputs, types, strict=True):
        if len(set(labels)) != len(labels) or any(
            equation.sizes[label] != size for label, size in zip(labels, type_.shape, strict=True)
        ):
            return None
    left, found = equation.inputs[0], []
    for index, right in enumerate(equation.inputs[1:], 1):
        later = {*equation.output, *(label for labels in equation.inputs[index + 1 :] for label in labels)}
        pair = _pair(left, right, later)
        if pair is None:
            return None
        found.append(pair)
        left = pair.output
    return found


def _pair(left: Labels, right: Labels, later: set[str]) -> _Pair | None:
    both = [label for label in left if label in right]
    rows, columns = (tuple(label for label in labels if label not in both) for labels in (left, right))
    summed = tuple(label for label in both if label not in later)
    if not summed or not {*rows, *columns} <= later:
        return None
    return _Pair(tuple(label for label in both if label in later), rows, columns, summed)


def _products(new: Rewriting, node: Node, equation: Equation, pairs: Sequence[_Pair]) -> None:
    made, labels = node.inputs[0], equation.inputs[0]
    for index, pair in enumerate(pairs):
        step = f"{node.name}.{index}"
        rows, inner, columns = (
            math.prod(equation.sizes[label] for label in part) for part in (pair.rows, pair.summed, pair.columns)
        )
        stack = tuple(equation.sizes[label] for label in pair.stack)
        a = _matrix(new, step, made, labels, (*pair.stack, *pair.rows, *pair.summed), (*stack, rows, inner))
        b = _matrix(
            new,
            step,
            node.inputs[index + 1],
            equation.inputs[index + 1],
            (*pair.stack, *pair.summed, *pair.columns),
            (*stack, inner, columns),
        )
        product = new.tensor(f"{step}.product", TensorType("float32", (*stack, rows, columns)))
        new.add(Node(f"{step}.product", "MatMul", (a, b), (product,)))
        labels = pair.output
        made = new.tensor(f"{step}.sum", TensorType("float32", tuple(equation.sizes[label] for label in labels)))
        new.add(Node(f"{step}.view", "View", (product,), (made,)))
    order = [labels.index(label) for label in equation.output]
    if order == sorted(order):
        new.keep(Node(node.name, "View", (made,), node.outputs))
    else:
        new.keep(Node(node.name, "Transpose", (made,), node.outputs, {"perm": order}))


def _matrix(new: Rewriting, step: str, name: str, labels: Labels, wanted: Labels, shape: tuple[int, ...]) -> str:
    """A tensor with its axes in the order `wanted`, under the shape of a stack of matrices. Of a constant it is a constant."""
    order = [labels.index(label) for label in wanted]
    constant = new.constants.get(name, new.graph.constants.get(name))
    if constant is not None:
        return new.constant(f"{step}.matrix", np.transpose(constant, order).reshape(shape))
    if order != sorted(order):
        sizes = new.type(name).shape
        turned = new.tensor(f"{step}.turned", TensorType("float32", tuple(sizes[axis] for axis in order)))
        new.add(Node(f"{step}.turn", "Transpose", (name,), (turned,), {"perm": order}))
        name = turned
    matrix = new.tensor(f"{step}.matrix", TensorType("float32", shape))
    new.add(Node(f"{step}.matrix", "View", (name,), (matrix,)))
    return matrix
