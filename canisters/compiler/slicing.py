"""A network whose instructions exceed what one message may take, as a canister that runs its nodes over several messages.

It is built once as usual, to measure each node; then once more with the nodes' functions in a table and the measured figures beside it. The
canister runs nodes as long as its own counter and the next node's figure stay below the limit (canisters/inference/slices.c).
"""

from __future__ import annotations

from dataclasses import replace

from . import emit, shell
from .build import build_module
from .cost import PAGE_READ, PAGE_WRITTEN, CostReport
from .errors import CannotCompile
from .ir import Graph, Node
from .kinds import SLICED
from .memory import PAGE_BYTES
from .pipeline import Built, Variant

MAX_MESSAGE = 40_000_000_000  # instructions of an update call
# What a slice does beside its nodes: it reads the argument, finds the job, copies inputs and outputs.
_DOORS = 2_000_000


def needs_slices(cost: CostReport, limit: int) -> bool:
    return cost.total > limit


def sliced(built: Built, mode: str, cost: CostReport, limit: int = MAX_MESSAGE) -> Built:
    """The same model over several messages of at most `limit` instructions. `cost`: measured on `built`.
    Raises CannotCompile: a single node takes more, or the model has variants."""
    if len(built.variants) > 1:
        raise CannotCompile(
            "the variants",
            f"the network takes {cost.total:,} instructions, a message may take {limit:,}, and variants are not split over messages",
            "Compile one variant a canister",
        )
    variant = built.variants[0]
    steps = tuple(_step_instructions(built, cost, limit))
    moved = [variant.graph.type(name).size_bytes for name in (*variant.graph.inputs, *variant.graph.outputs)]
    own = _DOORS + sum(_charges(size) + size for size in moved)
    if own >= limit:
        raise CannotCompile(
            "the model",
            f"its inputs and outputs alone take {own:,} instructions to move",
            f"Allow a message more than {limit:,}",
        )
    slices = shell.Slices(steps, limit - own)
    source = emit.emit_c([(v.name, v.graph, v.kernels, v.plan) for v in built.variants], is_sliced=True)
    interface = shell.interface_h([(v.name, v.graph, v.plan) for v in built.variants], mode, SLICED, slices)
    return replace(built, source=source, module=build_module(source, interface, variant.plan, SLICED))


def _step_instructions(built: Built, cost: CostReport, limit: int) -> list[int]:
    variant = built.variants[0]
    found = []
    named = emit.node_functions("", variant.graph, variant.kernels)
    for (_, node), function in zip(named, cost.functions, strict=True):
        count = function.instructions + _page_charges(variant, node)
        if count + _DOORS > limit:
            raise CannotCompile(
                f"{node.op} {node.name!r}",
                f"a message with nothing else takes {count + _DOORS:,} instructions, and may take {limit:,}",
                "Use a smaller batch or input, int8 weights, or split the layer in the model",
            )
        found.append(count)
    return found


def _page_charges(variant: Variant, node: Node) -> int:
    """An upper bound: as if the node were the first in its message to touch whatever it reads and writes."""
    graph, kernel = variant.graph, variant.kernels[node.name]
    read = [_size(graph, name) for i, name in enumerate(node.inputs) if name and f"{{x{i}}}" in kernel.code]
    read += [len(data) for data in kernel.weights.values()]
    written = [_size(graph, name) for name in node.outputs if name] + list(kernel.scratch.values())
    return sum(_pages(size) * PAGE_READ for size in read) + sum(map(_charges, written))


def _size(graph: Graph, name: str) -> int:
    return graph.type(name).size_bytes


def _charges(size_bytes: int) -> int:
    return _pages(size_bytes) * (PAGE_READ + PAGE_WRITTEN)


def _pages(size_bytes: int) -> int:
    return size_bytes // PAGE_BYTES + 2
