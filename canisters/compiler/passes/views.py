"""Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout(x, ...) -> View(x): the shape is in the type, the bytes are x's."""

from __future__ import annotations

from canisters.compiler.ir import Graph, Node, Rewriting
from canisters.compiler.operators.views import VIEWS


def to_views(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        new.keep(Node(node.name, "View", node.inputs[:1], node.outputs[:1]) if node.op in VIEWS else node)
    return new.done()
