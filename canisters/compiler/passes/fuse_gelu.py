"""Mul(Mul(x, Add(Erf(Div(x, sqrt 2)), 1)), 0.5) -> Gelu(x), in the orders of factors that exporters before opset 20 write."""

from __future__ import annotations

import math

from canisters.compiler.ir import Graph, Node, Rewriting


def fuse_gelu(graph: Graph) -> Graph:
    new = Rewriting(graph)
    finder = _Finder(graph)
    for node in graph.nodes:
        x = finder.gelu(node)
        new.keep(node if x is None else Node(node.name, "Gelu", (x,), node.outputs))
    return new.done()


class _Finder:
    """Looks at products of factors, whatever their order."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made = graph.producers()
        self.uses = graph.uses()

    def scalar(self, name: str) -> float | None:
        constant = self.graph.constant(name)
        return (
            float(constant.ravel()[0])
            if constant is not None and constant.size == 1 and constant.dtype == "float32"
            else None
        )

    def factors(self, name: str, node: Node | None, depth: int = 0) -> list[str]:
        """What is multiplied to make `name`; inner products only where nothing else reads them."""
        if node is None or node.op != "Mul" or (depth and self.uses[name] != 1) or depth > 2:
            return [name]
        return [factor for part in node.inputs for factor in self.factors(part, self.made.get(part), depth + 1)]

    def gelu(self, node: Node) -> str | None:
        if node.op != "Mul":
            return None
        factors = self.factors(node.outputs[0], node)
        half = [name for name in factors if self.scalar(name) == 0.5]
        gates = [name for name in factors if self.gated(name)]
        if len(factors) != 3 or len(half) != 1 or len(gates) != 1:
            return None
        x = next(name for name in factors if name not in (half[0], gates[0]))
        return x if self.gated(gates[0]) == x else None

    def gated(self, name: str) -> str | None:
        """x, when `name` is 1 + erf(x / sqrt 2) and nothing else reads it."""
        total = self.made.get(name)
        if total is None or total.op != "Add" or self.uses[name] != 1:
            return None
        for part, one in (total.inputs, reversed(total.inputs)):
            erf = self.made.get(part)
            if self.scalar(one) == 1.0 and erf is not None and erf.op == "Erf" and self.uses[part] == 1:
                scaled = self.made.get(erf.inputs[0])
                return self.scaled(scaled) if scaled is not None else None
        return None

    def scaled(self, node: Node) -> str | None:
        if node.op == "Div":
            return node.inputs[0] if _near(self.scalar(node.inputs[1]), math.sqrt(2)) else None
        if node.op == "Mul":
            for x, factor in (node.inputs, reversed(node.inputs)):
                if _near(self.scalar(factor), math.sqrt(0.5)):
                    return x
        return None


def _near(value: float | None, wanted: float) -> bool:
    return value is not None and abs(value - wanted) < 1e-4
