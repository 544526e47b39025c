"""Add(Dense(x, W, b), c) -> Dense(x, W, b + c), and Add(Conv(x, W, b), c) -> Conv(x, W, b + c), for a constant c that is the same for
every row, or for every pixel of a channel; the product is read by the Add alone and has no activation yet."""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, Rewriting, without_ones

LINEAR = ("Dense", "Conv")


def fuse_bias(graph: Graph) -> Graph:
    new = Rewriting(graph)
    uses = graph.uses()
    taken: dict[str, Node] = {}
    for node in graph.nodes:
        match = _match(node, graph, uses, taken)
        if match is None:
            taken.update(dict.fromkeys(node.outputs, new.keep(node)))
            continue
        linear, constant = match
        bias = new.value(linear.inputs[2]) + constant if linear.input(2) else constant
        names = (*linear.inputs[:2], new.constant(f"{linear.name}.bias", bias))
        taken[node.outputs[0]] = new.put(linear, Node(linear.name, linear.op, names, node.outputs, linear.attributes))
    return new.done()


def _match(node: Node, graph: Graph, uses: dict[str, int], taken: dict[str, Node]) -> tuple[Node, Array] | None:
    if node.op != "Add":
        return None
    for product, other in (node.inputs, reversed(node.inputs)):
        linear, constant = taken.get(product), graph.constant(other)
        if (
            linear is None
            or constant is None
            or linear.op not in LINEAR
            or uses[product] != 1
            or "activation" in linear.attributes
        ):
            continue
        row = channel_row(linear, graph, constant)
        if row is not None and graph.type(product).shape == graph.type(node.outputs[0]).shape:
            return linear, row
    return None


def channel_row(linear: Node, graph: Graph, constant: Array) -> Array | None:
    """`constant` as one value a column (Dense) or channel (Conv), when broadcasting means just that."""
    channels = graph.type(linear.inputs[1]).shape[1 if linear.op == "Dense" else 0]
    rank = len(graph.type(linear.outputs[0]).shape)
    if constant.size == 1:
        return np.full(channels, constant.ravel()[0], np.float32)
    axis = rank - 1 if linear.op == "Dense" else 1
    padded = (1,) * (rank - constant.ndim) + constant.shape
    if len(padded) != rank or without_ones(padded) != (channels,) or padded[axis] != channels:
        return None
    return constant.reshape(channels).astype(np.float32)
