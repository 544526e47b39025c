"""A node none of whose outputs is read, and that is no output of the graph, is left out; so is a constant that nothing reads."""

from __future__ import annotations

from dataclasses import replace

from canisters.compiler.ir import Graph


def drop_unused(graph: Graph) -> Graph:
    needed = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(name for name in node.inputs if name)
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    return replace(graph, nodes=tuple(reversed(kept)), constants=constants)
