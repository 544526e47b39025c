"""Conv(x, W, b) -> ConvSpace(x, W, b), where W or b is only known at run time, x has three spatial axes, or a window has very many taps.

Passes that fold scales and biases into convolutions look for Conv, and so find only those whose weights they can change.
"""

from __future__ import annotations

import math
from dataclasses import replace

from canisters.compiler.ir import Graph, Node, Rewriting
from canisters.compiler.operators.windows import MAX_TAPS


def general_conv(graph: Graph) -> Graph:
    new = Rewriting(graph)
    for node in graph.nodes:
        new.keep(replace(node, op="ConvSpace") if node.op == "Conv" and _is_general(node, graph) else node)
    return new.done()


def _is_general(node: Node, graph: Graph) -> bool:
    spatial = graph.type(node.inputs[1]).shape[2:]
    is_known = all(graph.constant(name) is not None for name in node.inputs[1:] if name)
    negative = any(int(pad) < 0 for pad in node.attributes.get("pads", ()))
    return not is_known or len(spatial) > 2 or math.prod(spatial) > MAX_TAPS or negative
