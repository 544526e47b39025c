"""Affine(Conv(x, W, b), s, t) -> Conv(x, s * W, s * b + t), the same for Dense, and for Mul by a constant that is one value a channel.

The product is read by the Affine alone and has no activation yet. An Affine that finds no product stays as it is.
"""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, Rewriting

from .fuse_bias import LINEAR, channel_row


def fold_affine(graph: Graph) -> Graph:
    new = Rewriting(graph)
    uses = graph.uses()
    taken: dict[str, Node] = {}
    for node in graph.nodes:
        match = _match(node, graph, uses, taken)
        if match is None:
            taken.update(dict.fromkeys(node.outputs, new.keep(node)))
            continue
        linear, scale, shift = match
        weights = new.value(linear.inputs[1]).astype(np.float64)
        bias = new.value(linear.inputs[2]).astype(np.float64) if linear.input(2) else np.zeros(scale.size)
        across = scale.reshape(1, -1) if linear.op == "Dense" else scale.reshape(-1, *(1,) * (weights.ndim - 1))
        names = (
            new.constant(f"{linear.name}.weights", (weights * across).astype(np.float32)),
            new.constant(f"{linear.name}.bias", (bias * scale + shift).astype(np.float32)),
        )
        folded = Node(linear.name, linear.op, (linear.inputs[0], *names), node.outputs[:1], linear.attributes)
        taken[node.outputs[0]] = new.put(linear, folded)
    return new.done()


def _match(node: Node, graph: Graph, uses: dict[str, int], taken: dict[str, Node]) -> tuple[Node, Array, Array] | None:
    if node.op == "Affine":
        linear = taken.get(node.inputs[0])
        # On (batch, channels, ...) a Dense has the channels last only when there are two axes.
        if linear is None or (linear.op == "Dense" and len(graph.type(node.inputs[0]).shape) != 2):
            return None
        scale, shift = (graph.constants[name].astype(np.float64).ravel() for name in node.inputs[1:3])
        return (linear, scale, shift) if _open(linear, uses, node.inputs[0]) else None
    if node.op != "Mul":
        return None
    for product, other in (node.inputs, reversed(node.inputs)):
        linear, constant = taken.get(product), graph.constant(other)
        if linear is None or constant is None or constant.dtype != np.float32 or not _open(linear, uses, product):
            continue
        if graph.type(product).shape != graph.type(node.outputs[0]).shape:
            continue
        # The weights' type is the original's: fused constants keep the shape.
        row = (
            channel_row(Node(linear.name, linear.op, linear.inputs, (product,)), graph, constant)
            if linear.inputs[1] in graph.types
            else None
        )
        if row is not None:
            return linear, row.astype(np.float64), np.zeros(row.size)
    return None


def _open(linear: Node, uses: dict[str, int], product: str) -> bool:
    return linear.op in LINEAR and uses[product] == 1 and "activation" not in linear.attributes
