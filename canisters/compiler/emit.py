"""The C of one model: addresses, one function a node, `model_run` that calls them in order. Readable, and a function of the graph alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .ir import Graph, Node
from .memory import Plan
from .operators import Kernel
from .operators.activations import Activation

_HEAD = """\
// A network as C, written by canisters.compiler: {macs} multiply-accumulates, {weights} bytes of weights.
// Every tensor has a fixed address (T_), so have packed weights (W_) and scratch (S_). No allocation, no imports, no state of its own.
"""


def identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "x"


class _Names:
    """A C name for each thing, the same whenever the graph is the same."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, ...], str] = {}
        self.taken: set[str] = set()

    def of(self, prefix: str, *key: str) -> str:
        full = (prefix, *key)
        if full not in self.given:
            wanted = prefix + "_".join(identifier(part) for part in key)[:60]
            name, number = wanted, 1
            while name in self.taken:
                number += 1
                name = f"{wanted}_{number}"
            self.taken.add(name)
            self.given[full] = name
        return self.given[full]


def emit_c(graph: Graph, kernels: Mapping[str, Kernel], plan: Plan) -> str:
    names = _Names()
    functions, calls = [], []
    width = len(str(len(graph.nodes)))
    for index, node in enumerate(graph.nodes):
        kernel = kernels[node.name]
        if not kernel.code:
            continue
        function = f"node_{index:0{width}}_{identifier(node.name)[:40]}"
        functions.append(
            f"{_comment(graph, node, kernel)}\nNODE void {function}(void) {{\n{_body(node, kernel, names)}\n}}\n"
        )
        calls.append(f"  {function}();")
    macs = sum(kernel.macs for kernel in kernels.values())
    lines = [_HEAD.format(macs=f"{macs:,}", weights=f"{len(plan.weights_data):,}")]
    lines += ['#include "kernels.h"']
    lines += ["", *_addresses(graph, plan, names), "", *functions, "void model_run(void) {", *calls, "}", ""]
    return "\n".join(lines)


def _comment(graph: Graph, node: Node, kernel: Kernel) -> str:
    inputs = ", ".join(str(graph.type(name)) if name else "-" for name in node.inputs)
    outputs = ", ".join(str(graph.type(name)) for name in node.outputs if name)
    extra = [kernel.note] if kernel.note else []
    activation = node.attributes.get("activation")
    if isinstance(activation, Activation):
        extra.append(f"then {activation.kind}")
    if kernel.macs:
        extra.append(f"{kernel.macs:,} MACs")
    # The name is the model's: nothing in it may end the comment or splice lines.
    shown = "".join(c if c.isprintable() and c != "\\" and ord(c) < 128 else "?" for c in node.name)[:80]
    return f"// {node.op} {shown}: {inputs} -> {outputs}{'; ' if extra else ''}{', '.join(extra)}"


def _body(node: Node, kernel: Kernel, names: _Names) -> str:
    places = {
        f"x{i}": names.of("T_", name) for i, name in enumerate(node.inputs) if name and f"{{x{i}}}" in kernel.code
    }
    places |= {f"y{i}": names.of("T_", name) for i, name in enumerate(node.outputs) if name}
    places |= {f"w_{key}": names.of("W_", node.name, key) for key in kernel.weights}
    places |= {f"s_{key}": names.of("S_", node.name, key) for key in kernel.scratch}
    text = kernel.code.format(**places)
    return "\n".join("  " + line if line else line for line in text.split("\n"))


def _addresses(graph: Graph, plan: Plan, names: _Names) -> list[str]:
    lines = []
    for (prefix, *key), name in names.given.items():
        if prefix == "T_":
            kind = (
                "input"
                if key[0] in graph.inputs
                else "output"
                if key[0] in graph.outputs
                else "constant"
                if key[0] in graph.constants
                else ""
            )
            lines.append(
                f"#define {name} {plan.tensors[key[0]]:#x}u  // {graph.type(key[0])}{' ' + kind if kind else ''}"
            )
        else:
            place = plan.weights if prefix == "W_" else plan.scratch
            lines.append(f"#define {name} {place[key[0], key[1]]:#x}u")
    return lines
