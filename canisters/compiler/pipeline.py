"""From a loaded graph to a module: passes, lowering, memory plan, C, wasm. `compile_model` stands on it, and so does each front end.

A model compiled in several named variants (the same network at other sizes) goes through passes and lowering once a variant; all of them
then share one arena and one blob of weights, in which equal bytes are stored once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import emit, frontend, shell
from .build import Module, build_module
from .errors import BuildFailed, CannotCompile
from .ir import TRIPS, Graph, TensorType, verify
from .kinds import TENSORS, Kind
from .memory import Plan, plan_variants
from .operators import REGISTRY, Kernel
from .passes import PASSES

MODES = ("f32", "int8", "int4")
MAX_VARIANTS = 16
# The name becomes part of C's names and of file names.
_VARIANT = re.compile(r"[a-z][a-z0-9]{0,31}")
# What `begin` is told, in this order, by whoever compiles a model.
STEPS = ("load", *(step.__name__ for step in PASSES), "lower", "plan memory", "build", "measure")
Trace = Callable[[str, Graph], None]
Begin = Callable[[str], None]


def silent(_step: str, _graph: Graph) -> None:
    """Traces nothing."""


def unwatched(_step: str) -> None:
    """Tells nobody what begins."""


@dataclass(frozen=True)
class Variant:
    """One network of the module. `name` is "" when the model has no variants."""

    name: str
    graph: Graph
    kernels: Mapping[str, Kernel]
    plan: Plan


@dataclass(frozen=True)
class Built:
    """What each step of the pipeline has left behind, for reports and tests."""

    variants: tuple[Variant, ...]
    source: str
    module: Module

    @property
    def graph(self) -> Graph:
        return self.variants[0].graph

    @property
    def kernels(self) -> Mapping[str, Kernel]:
        return self.variants[0].kernels

    @property
    def plan(self) -> Plan:
        return self.variants[0].plan


def build_model(
    onnx_bytes: bytes, mode: str = "f32", axes: Mapping[str, int] | None = None, trace: Trace = silent
) -> Built:
    """ONNX to a module. Raises as `compile_model` does."""
    require_mode(mode)
    return build_graph(frontend.load(onnx_bytes, axes), mode, trace)


def build_graph(graph: Graph, mode: str = "f32", trace: Trace = silent) -> Built:
    """A graph that a front end has made to a module. Raises CannotCompile, BuildFailed."""
    return build_rewritten({"": rewritten(graph, trace)}, mode)


def build_rewritten(graphs: Mapping[str, Graph], mode: str, begin: Begin = unwatched, kind: Kind = TENSORS) -> Built:
    """Graphs that have been through the passes, by variant, to one module. Raises CannotCompile, BuildFailed."""
    begin("lower")
    return build_lowered({name: (graph, lowered(graph, mode)) for name, graph in graphs.items()}, mode, begin, kind)


def build_lowered(
    networks: Mapping[str, tuple[Graph, Mapping[str, Kernel]]],
    mode: str,
    begin: Begin = unwatched,
    kind: Kind = TENSORS,
) -> Built:
    """Graphs and the kernels of their nodes, by variant, to one module. Raises DoesNotFit, BuildFailed."""
    begin("plan memory")
    parts = list(networks.values())
    data_bytes = sum(shell.data_bytes(graph, _weights_bytes(part)) for graph, part in parts)
    data_bytes += sum(kernel.data_bytes for _, part in parts for kernel in part.values())
    plans = plan_variants(parts, data_bytes)
    variants = tuple(
        Variant(name, graph, kernels, plan)
        for (name, (graph, kernels)), plan in zip(networks.items(), plans, strict=True)
    )
    begin("build")
    source = emit.emit_c([(v.name, v.graph, v.kernels, v.plan) for v in variants])
    interface = shell.interface_h([(v.name, v.graph, v.plan) for v in variants], mode, kind)
    module = build_module(source, interface, variants[0].plan, kind)
    return Built(variants, source, module)


def rewritten(graph: Graph, trace: Trace = silent, begin: Begin = unwatched) -> Graph:
    """The graph after all passes, checked after each."""
    verify(graph, after="load")
    trace("load", graph)
    for step in PASSES:
        begin(step.__name__)
        graph = step(graph)
        verify(graph, after=step.__name__)
        trace(step.__name__, graph)
    return graph


def lowered(graph: Graph, mode: str) -> dict[str, Kernel]:
    return {node.name: _lowered(graph, index, mode) for index, node in enumerate(graph.nodes)}


def require_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}, not {mode}")


def require_variants(variants: Mapping[str, Mapping[str, int]]) -> None:
    """Raises CannotCompile."""
    if not 1 <= len(variants) <= MAX_VARIANTS:
        raise CannotCompile("the variants", f"there are {len(variants)}", f"Give 1 to {MAX_VARIANTS}")
    for name in variants:
        if not _VARIANT.fullmatch(name):
            raise CannotCompile(
                f"variant {name!r}", "it cannot be called that", "Take a letter, then at most 31 of a-z and 0-9"
            )


def require_apart(graphs: Mapping[str, Graph]) -> None:
    """No two variants take inputs of the same kinds: the shapes decide which one runs. Raises CannotCompile."""
    seen: dict[tuple[tuple[str, TensorType], ...], str] = {}
    for name, graph in graphs.items():
        kinds = tuple((key, graph.type(key)) for key in sorted(graph.inputs))
        if kinds in seen:
            raise CannotCompile(
                "the variants", f"variants {seen[kinds]} and {name} take the same shapes", "Give each another size"
            )
        seen[kinds] = name


def _lowered(graph: Graph, index: int, mode: str) -> Kernel:
    node = graph.nodes[index]
    operator = REGISTRY[node.op]
    if operator.lower is None:
        raise BuildFailed(f"no pass has replaced {node.op} {node.name!r}")
    try:
        return operator.lower(node, graph, mode)
    except TRIPS as error:
        raise node.broken(error) from error


def _weights_bytes(kernels: Mapping[str, Kernel]) -> int:
    return sum(len(data) for kernel in kernels.values() for data in kernel.weights.values()) + (1 << 20)
