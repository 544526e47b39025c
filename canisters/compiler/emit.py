"""The C of one model: addresses, one function a node, `model_run` that calls them in order. Readable, and a function of the graph alone.

A model in several variants has all that once a variant, with the variant's name in every C name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .ir import Graph, Node
from .memory import Plan
from .operators import Kernel
from .operators.activations import Activation
from .sharing import places, shared_function, shared_names

_HEAD = """\
// A network as C, written by canisters.compiler: {macs} multiply-accumulates, {weights} bytes of weights.
// Every tensor has a fixed address (T_), so have packed weights (W_) and scratch (S_). No allocation, no imports, no state of its own.
"""


def identifier(name: str) -> str:
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "x"


class _Names:
    """A C name for each thing of one network, the same whenever the graph is the same. `taken` is shared by all networks of a module."""

    def __init__(self, variant: str, taken: set[str]) -> None:
        self.variant = f"{variant}_" if variant else ""
        self.given: dict[tuple[str, ...], str] = {}
        self.taken = taken

    def of(self, prefix: str, *key: str) -> str:
        full = (prefix, *key)
        if full not in self.given:
            wanted = prefix + self.variant + "_".join(identifier(part) for part in key)[:60]
            name, number = wanted, 1
            while name in self.taken:
                number += 1
                name = f"{wanted}_{number}"
            self.taken.add(name)
            self.given[full] = name
        return self.given[full]


Network = tuple[str, Graph, Mapping[str, Kernel], Plan]


def emit_c(networks: Sequence[Network], *, is_sliced: bool = False) -> str:
    """`networks`: variant ("" when there is one alone), graph, kernels, plan. Each gets its own `model_run`, named by its variant.
    `is_sliced`: the nodes' functions as a table, for a canister that runs them over several messages; of a model without variants."""
    macs = max(sum(kernel.macs for kernel in kernels.values()) for _, _, kernels, _ in networks)
    lines = [_HEAD.format(macs=f"{macs:,}", weights=f"{len(networks[0][3].weights_data):,}"), '#include "kernels.h"']
    taken: set[str] = set()
    shared = shared_names(kernels[node.name] for _, graph, kernels, _ in networks for node in graph.nodes)
    for code, name in shared.items():
        lines += ["", shared_function(name, code)]
    for variant, graph, kernels, plan in networks:
        if variant:
            lines += ["", f"// --- variant {variant} ---"]
        lines += _network(variant, graph, kernels, plan, taken, shared)
    if is_sliced:
        found = [name for _, graph, kernels, _ in networks for name, _ in node_functions("", graph, kernels)]
        lines += ["", "void (*const STEPS_TABLE[])(void) = {", *(f"  {name}," for name in found), "};"]
    return "\n".join([*lines, ""])


def run_name(variant: str) -> str:
    """The C function that computes a variant."""
    return f"model_run_{variant}" if variant else "model_run"


def node_prefix(variant: str) -> str:
    """What the names of a variant's node functions begin with."""
    return f"node_{variant}_" if variant else "node_"


def node_functions(variant: str, graph: Graph, kernels: Mapping[str, Kernel]) -> list[tuple[str, Node]]:
    """The C function of each node that has code, in order."""
    width = len(str(len(graph.nodes)))
    return [
        (f"{node_prefix(variant)}{index:0{width}}_{identifier(node.name)[:40]}", node)
        for index, node in enumerate(graph.nodes)
        if kernels[node.name].code
    ]


def _network(
    variant: str,
    graph: Graph,
    kernels: Mapping[str, Kernel],
    plan: Plan,
    taken: set[str],
    shared: Mapping[str, str],
) -> list[str]:
    names = _Names(variant, taken)
    functions, calls = [], []
    for function, node in node_functions(variant, graph, kernels):
        kernel = kernels[node.name]
        functions.append(
            f"{_comment(graph, node, kernel)}\nNODE void {function}(void) {{\n{_body(node, kernel, names, shared)}\n}}\n"
        )
        calls.append(f"  {function}();")
    return ["", *_addresses(graph, plan, names), "", *functions, f"void {run_name(variant)}(void) {{", *calls, "}"]


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


def _body(node: Node, kernel: Kernel, names: _Names, shared: Mapping[str, str]) -> str:
    found = {f"x{i}": names.of("T_", name) for i, name in enumerate(node.inputs) if name and f"{{x{i}}}" in kernel.code}
    found |= {f"y{i}": names.of("T_", name) for i, name in enumerate(node.outputs) if name}
    found |= {f"w_{key}": names.of("W_", node.name, key) for key in kernel.weights}
    found |= {f"s_{key}": names.of("S_", node.name, key) for key in kernel.scratch}
    if kernel.code in shared:
        return f"  {shared[kernel.code]}({', '.join(found[place] for place in places(kernel.code))});"
    text = kernel.code.format(**found)
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
