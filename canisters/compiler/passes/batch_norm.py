"""BatchNormalization(x, scale, shift, mean, variance) -> Affine(x, scale / sqrt(variance + epsilon), shift - mean * that)."""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Graph, Node, Rewriting


def batch_norm_to_affine(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        if node.op != "BatchNormalization":
            new.keep(node)
            continue
        scale, shift, mean, variance = (graph.constants[name].astype(np.float64) for name in node.inputs[1:5])
        factor = scale / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
        names = (
            new.constant(f"{node.name}.scale", factor.astype(np.float32)),
            new.constant(f"{node.name}.shift", (shift - mean * factor).astype(np.float32)),
        )
        new.keep(Node(node.name, "Affine", (node.inputs[0], *names), node.outputs[:1]))
    return new.done()
