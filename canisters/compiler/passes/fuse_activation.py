"""f(Dense(x, W, b)) -> Dense(x, W, b; f) and f(Conv(x, W, b)) -> Conv(x, W, b; f), for Relu, LeakyRelu and Clip with known limits; the
product is read by f alone. The results are in registers then, and the activation costs no loads and stores.

Sigmoid, Tanh and Gelu stay on their own: repeated for each register of a tile they would make the code many times larger, and their loads
and stores are a small part of what they cost.
"""

from __future__ import annotations

from canisters.compiler.ir import Graph, Node, Rewriting
from canisters.compiler.operators.activations import activation_of

from .fuse_bias import LINEAR

SHORT = ("RELU", "LEAKY_RELU", "CLIP")


def fuse_activation(graph: Graph) -> Graph:
    new = Rewriting(graph)
    uses = graph.uses()
    made: dict[str, Node] = {}
    for node in graph.nodes:
        activation = activation_of(node, graph)
        linear = made.get(node.inputs[0]) if activation and activation.kind in SHORT else None
        if linear is None or linear.op not in LINEAR or uses[node.inputs[0]] != 1 or "activation" in linear.attributes:
            made.update(dict.fromkeys(node.outputs, new.keep(node)))
            continue
        fused = Node(
            linear.name, linear.op, linear.inputs, node.outputs, {**linear.attributes, "activation": activation}
        )
        made[node.outputs[0]] = new.put(linear, fused)
    return new.done()
