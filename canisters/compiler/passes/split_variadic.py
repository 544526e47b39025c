"""Max(a, b, c, ...) -> Max(Max(a, b), c) ..., and the same for Min; Sum by Add; Mean by Add and a division; of one tensor, the tensor."""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Graph, Node, Rewriting, TensorType

_PAIRS = {"Max": "Max", "Min": "Min", "Sum": "Add", "Mean": "Add"}


def split_variadic(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        if node.op not in _PAIRS or (len(node.inputs) == 2 and node.op == _PAIRS[node.op]):
            new.keep(node)
        elif len(node.inputs) == 1:
            new.keep(Node(node.name, "View", node.inputs, node.outputs))
        else:
            _chain(new, node)
    return new.done()


def _chain(new: Rewriting, node: Node) -> None:
    made = node.inputs[0]
    for index, name in enumerate(node.inputs[1:], 1):
        shape = np.broadcast_shapes(new.type(made).shape, new.type(name).shape)
        is_last = index == len(node.inputs) - 1 and node.op != "Mean"
        type_ = TensorType(new.type(name).dtype, tuple(int(size) for size in shape))
        output = node.outputs[0] if is_last else new.tensor(f"{node.name}.part", type_)
        part = Node(node.name if is_last else f"{node.name}.{index}", _PAIRS[node.op], (made, name), (output,))
        (new.keep if is_last else new.add)(part)
        made = output
    if node.op == "Mean":
        count = new.constant(f"{node.name}.count", np.array(len(node.inputs), new.type(made).dtype))
        new.keep(Node(node.name, "Div", (made, count), node.outputs))
