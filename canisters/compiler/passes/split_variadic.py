"""Max(a, b, c, ...) -> Max(Max(a, b), c) ..., and the same for Min."""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Graph, Node, Rewriting, TensorType


def split_variadic(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        if node.op not in ("Max", "Min") or len(node.inputs) <= 2:
            new.keep(node)
            continue
        made = node.inputs[0]
        for index, name in enumerate(node.inputs[1:], 1):
            shape = np.broadcast_shapes(new.type(made).shape, graph.type(name).shape)
            is_last = index == len(node.inputs) - 1
            type_ = TensorType(graph.type(name).dtype, tuple(int(size) for size in shape))
            output = node.outputs[0] if is_last else new.tensor(f"{node.name}.part", type_)
            if is_last:
                new.keep(Node(node.name, node.op, (made, name), (output,)))
            else:
                new.add(Node(f"{node.name}.{index}", node.op, (made, name), (output,)))
            made = output
    return new.done()
