"""Where a network is cut into stages, one a canister: at node boundaries, so that the dearest stage is as cheap as can be.

A cut between two nodes sends every tensor that was made before it and is needed behind it. A stage's cost is its nodes' instructions, the
page charges of its weights and the bytes that come in and go out. Dynamic programming over the cuts finds the cheapest dearest stage; a byte
between canisters costs as many cycles as a thousand instructions, so of all cuts whose dearest stage costs at most a tenth more, the one is
taken that sends the fewest bytes. O(k n^2) for k stages of n nodes, vectorised.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .charges import MAX_UPDATE
from .cost import PAGE_READ
from .errors import CannotCompile
from .ir import Graph, Node
from .memory import MAX_MEMORY_BYTES, MESSAGE_OVERHEAD_BYTES, PAGE_BYTES
from .operators import Kernel

# Between canisters a message has 2 MiB; names, shapes and Candid's type table must fit as well.
MAX_CUT_BYTES = (2 << 20) - (64 << 10)
MAX_STAGES = 64
# Taking a byte in and sending it on: copied from the message to its tensor, and from the tensor into the call.
_INSTRUCTIONS_PER_BYTE = 2
# How much dearer the dearest stage may get for fewer bytes between.
_SLACK = 1.1
# Stack, data and a message, beside weights and activations.
_FIXED_BYTES = 4 << 20
# Until they are measured, nodes are taken to cost so much, a multiply-accumulate and an element that is made.
_PER_MAC = {"f32": 2.0, "int8": 0.8, "int4": 1.0}
_PER_ELEMENT = 6.0

_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """`cut_bytes`: what may pass between two stages. `memory_bytes`, `instructions`: what a stage may need."""

    cut_bytes: int = MAX_CUT_BYTES
    memory_bytes: int = MAX_MEMORY_BYTES
    instructions: int = MAX_UPDATE


def estimated(graph: Graph, kernels: Mapping[str, Kernel], mode: str) -> list[float]:
    """Instructions of each node by its multiply-accumulates and elements, for what cannot be measured whole."""
    return [_estimate(graph, node, kernels[node.name], mode) for node in graph.nodes]


def _estimate(graph: Graph, node: Node, kernel: Kernel, mode: str) -> float:
    if not kernel.code:
        return 0.0
    elements = sum(graph.type(name).size for name in node.outputs if name)
    return kernel.macs * _PER_MAC[mode] + elements * _PER_ELEMENT


def live_tensors(graph: Graph) -> list[tuple[str, ...]]:
    """For each place before, between and behind the nodes: the tensors that pass it, in the order in which they were made."""
    last: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        last |= dict.fromkeys((name for name in node.inputs if name), index)
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    live = {name: None for name in graph.inputs if name in last}
    found = [tuple(live)]
    for index, node in enumerate(graph.nodes):
        live |= {name: None for name in node.outputs if name and last.get(name, -1) > index}
        live = {name: None for name in live if last[name] > index}
        found.append(tuple(live))
    return found


def cuts(
    graph: Graph, kernels: Mapping[str, Kernel], costs: Sequence[float], count: int, limits: Limits | None = None
) -> list[int]:
    """The first node of each stage but the first. `costs`: instructions of each node. Raises CannotCompile when there is no such cut."""
    if not 1 <= count <= MAX_STAGES:
        raise CannotCompile("the model", f"{count} stages are asked for", f"Ask for 1 to {MAX_STAGES}")
    stages = _Stages(graph, kernels, costs, limits or Limits())
    places, dearest = _cheapest(stages.costs_up_to, stages.nodes, count, np.maximum)
    if not np.isfinite(dearest):
        raise stages.impossible(count)

    def sent(end: int) -> _Numbers:
        return np.where(stages.costs_up_to(end) <= dearest * _SLACK, stages.sent[:end], np.inf)

    places, _ = _cheapest(sent, stages.nodes, count, np.add)
    return places


class _Stages:
    """Costs of all stages that end at one node, as a vector over where they begin: infinite where a limit forbids it."""

    def __init__(self, graph: Graph, kernels: Mapping[str, Kernel], costs: Sequence[float], limits: Limits) -> None:
        self.limits = limits
        self.nodes = len(graph.nodes)
        live = live_tensors(graph)
        self.sent = np.array(
            [sum(graph.type(n).size_bytes + MESSAGE_OVERHEAD_BYTES for n in names) for names in live], float
        )
        self._cost = _sums(costs)
        self._weights = _sums([_weights_bytes(graph, node, kernels[node.name]) for node in graph.nodes])
        self._coded = _sums([bool(kernels[node.name].code) for node in graph.nodes])
        needed = [_needed_bytes(graph, node, kernels[node.name]) for node in graph.nodes]
        self._needed = np.maximum(self.sent[:-1], self.sent[1:]) + np.array(needed, float)
        # Nothing can be cut where too much passes, or nothing.
        self.open = np.array([len(names) > 0 for names in live]) & (self.sent <= limits.cut_bytes)
        self.open[0] = self.open[-1] = True

    def costs_up_to(self, end: int) -> _Numbers:
        if not self.open[end]:
            return np.full(end, np.inf)
        weights = self._weights[end] - self._weights[:end]
        peak = np.maximum.accumulate(self._needed[:end][::-1])[::-1]
        allowed = self.open[:end] & (self._coded[end] > self._coded[:end])
        allowed &= weights + peak + _FIXED_BYTES <= self.limits.memory_bytes
        instructions = self._cost[end] - self._cost[:end] + weights / PAGE_BYTES * PAGE_READ
        allowed &= instructions <= self.limits.instructions
        hops = (self.sent[:end] + self.sent[end]) * _INSTRUCTIONS_PER_BYTE
        return np.where(allowed, instructions + hops, np.inf)

    def impossible(self, count: int) -> CannotCompile:
        """Why there is no way to cut."""
        if count > int(self._coded[-1]):
            return CannotCompile("the model", f"it has {int(self._coded[-1])} nodes to compute", "Ask for fewer stages")
        if self.open[1:-1].sum() + 1 < count:
            return CannotCompile(
                "the model",
                f"at only {int(self.open[1:-1].sum())} places at most {self.limits.cut_bytes >> 10} KiB pass between two nodes",
                "Ask for fewer stages, or compile for a smaller batch",
            )
        return CannotCompile(
            "the model",
            f"no cut into {count} stages keeps each within {self.limits.memory_bytes >> 20} MiB of memory and {self.limits.instructions:,} instructions",
            "Ask for more stages, or for int8 weights",
        )


def _cheapest(
    rows: Callable[[int], _Numbers], nodes: int, count: int, combine: Callable[[_Numbers, _Numbers], _Numbers]
) -> tuple[list[int], float]:
    """Inner cuts of the best chain of `count` stages over all nodes, and its worth. `rows(end)`: by start, a stage's own."""
    best = np.full((count + 1, nodes + 1), np.inf)
    best[0, 0] = 0.0
    came = np.zeros((count + 1, nodes + 1), np.int64)
    for end in range(1, nodes + 1):
        row = rows(end)
        for stage in range(1, count + 1):
            worth = combine(best[stage - 1, :end], row)
            at = int(worth.argmin())
            best[stage, end], came[stage, end] = worth[at], at
    places, end = [], nodes
    for stage in range(count, 0, -1):
        end = int(came[stage, end])
        places.append(end)
    return places[-2::-1], float(best[count, nodes])


def _sums(values: Sequence[float]) -> _Numbers:
    """Before each and behind the last."""
    return np.concatenate([[0.0], np.cumsum(np.array(values, float))])


def _weights_bytes(graph: Graph, node: Node, kernel: Kernel) -> int:
    raw = (name for index, name in enumerate(node.inputs) if f"{{x{index}}}" in kernel.code and name in graph.constants)
    return sum(map(len, kernel.weights.values())) + sum(graph.constants[name].nbytes for name in raw)


def _needed_bytes(graph: Graph, node: Node, kernel: Kernel) -> int:
    """Beside what passes before and behind it."""
    return sum(kernel.scratch.values()) + sum(graph.type(name).size_bytes for name in node.outputs if name)


def stage_graphs(graph: Graph, places: Sequence[int]) -> list[Graph]:
    """Each stage as a graph of its own. A tensor that is needed later passes through: it is input and output of the stages between."""
    live = live_tensors(graph)
    edges = [0, *places, len(graph.nodes)]
    found = []
    for first, end in itertools.pairwise(edges):
        inputs = graph.inputs if first == 0 else live[first]
        outputs = graph.outputs if end == len(graph.nodes) else live[end]
        nodes = graph.nodes[first:end]
        used = {name for node in nodes for name in node.inputs if name} | set(outputs)
        made = {name for node in nodes for name in node.outputs if name} | set(inputs)
        constants = {name: array for name, array in graph.constants.items() if name in used and name not in made}
        types = {name: type_ for name, type_ in graph.types.items() if name in used | made}
        found.append(Graph(tuple(inputs), tuple(outputs), tuple(nodes), types, constants))
    return found
