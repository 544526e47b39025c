"""ONNX in, an inference canister out: `compile_model`. Same bytes in, same bytes out.

    load (frontend)  ->  passes  ->  lowering (operators)  ->  memory plan  ->  C (emit)  ->  wasm (build)  ->  cost

`run_model` runs the result locally, `compare_with_onnxruntime` holds it against ONNX Runtime. README.md says what is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from . import emit, frontend, shell
from .build import Module, build_module
from .cost import CostReport, measured
from .equality import EqualityReport, compared, reference_outputs
from .errors import BadInput, BuildFailed, CannotCompile, CompilerError
from .ir import Array, Graph, verify
from .local import LocalModel
from .memory import Plan, chunks, plan_memory
from .operators import REGISTRY, Kernel
from .passes import PASSES

__all__ = [
    "BadInput",
    "BuildFailed",
    "CannotCompile",
    "CompiledModel",
    "CompilerError",
    "CostReport",
    "EqualityReport",
    "compare_with_onnxruntime",
    "compile_model",
    "run_model",
]

WASM_CHUNK_BYTES = 1 << 20
MODES = ("f32", "int8")
Trace = Callable[[str, Graph], None]


def silent(_step: str, _graph: Graph) -> None:
    """Traces nothing."""


@dataclass(frozen=True)
class CompiledModel:
    """`wasm`: the whole inference canister. `weight_chunks`: its weights, uploaded by index after it is installed. `c_source`: model.c."""

    wasm: bytes = field(repr=False)
    wasm_chunks: tuple[bytes, ...] = field(repr=False)
    weight_chunks: tuple[bytes, ...] = field(repr=False)
    interface: dict[str, Any]
    cost: CostReport
    c_source: str = field(repr=False, default="")


def compile_model(
    onnx_bytes: bytes,
    *,
    mode: Literal["f32", "int8"] = "f32",
    axes: Mapping[str, int] | None = None,
    trace: Trace = silent,
) -> CompiledModel:
    """`axes`: a size for each symbolic axis. `trace(step, graph)` sees the graph after loading and after every pass.

    Raises: CannotCompile (the model's fault; says which node, why, what to do), BuildFailed (ours).
    """
    made = build_model(onnx_bytes, mode, axes, trace)
    wasm, plan = made.module.wasm, made.plan
    return CompiledModel(
        wasm=wasm,
        wasm_chunks=tuple(wasm[at : at + WASM_CHUNK_BYTES] for at in range(0, len(wasm), WASM_CHUNK_BYTES)),
        weight_chunks=chunks(plan.weights_data),
        interface=_interface(made.graph, plan, mode),
        cost=measured(made.module, made.graph, made.kernels, plan),
        c_source=made.source,
    )


@dataclass(frozen=True)
class Built:
    """What each step of the pipeline has left behind, for reports and tests."""

    graph: Graph
    kernels: Mapping[str, Kernel]
    plan: Plan
    source: str
    module: Module


def build_model(
    onnx_bytes: bytes, mode: str = "f32", axes: Mapping[str, int] | None = None, trace: Trace = silent
) -> Built:
    """The pipeline itself. Raises as `compile_model` does."""
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}, not {mode}")
    graph = frontend.load(onnx_bytes, axes)
    verify(graph, after="load")
    trace("load", graph)
    for step in PASSES:
        graph = step(graph)
        verify(graph, after=step.__name__)
        trace(step.__name__, graph)
    kernels = {node.name: _lowered(graph, index, mode) for index, node in enumerate(graph.nodes)}
    plan = plan_memory(graph, kernels, shell.data_bytes(graph, _weights_bytes(kernels)))
    source = emit.emit_c(graph, kernels, plan)
    module = build_module(source, shell.interface_h(graph, plan, mode), plan, shell.did_text())
    return Built(graph, kernels, plan, source, module)


def _lowered(graph: Graph, index: int, mode: str) -> Kernel:
    node = graph.nodes[index]
    operator = REGISTRY[node.op]
    if operator.lower is None:
        raise BuildFailed(f"no pass has replaced {node.op} {node.name!r}")
    return operator.lower(node, graph, mode)


def _weights_bytes(kernels: Mapping[str, Kernel]) -> int:
    return sum(len(data) for kernel in kernels.values() for data in kernel.weights.values()) + (1 << 20)


def _interface(graph: Graph, plan: Plan, mode: str) -> dict[str, Any]:
    return {
        "compiler": shell.VERSION,
        "mode": mode,
        "inputs": [shell.tensor_info(name, graph.type(name)) for name in graph.inputs],
        "outputs": [shell.tensor_info(name, graph.type(name)) for name in graph.outputs],
        "weights_bytes": len(plan.weights_data),
        "memory": {
            "activations": list(plan.arena),
            "weights": [plan.weights_base, plan.weights_base + len(plan.weights_data)],
            "end": plan.end,
            "blocks": [
                {
                    "name": b.name,
                    "address": b.address,
                    "size_bytes": b.size_bytes,
                    "first_node": b.first,
                    "last_node": b.last,
                }
                for b in sorted(plan.blocks, key=lambda b: (b.address, b.first, b.name))
            ],
        },
    }


def run_model(compiled: CompiledModel, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """One inference in wasmtime, through the canister's own doors. For many, keep a `local.LocalModel`. Raises BadInput."""
    return LocalModel(compiled.wasm, compiled.weight_chunks).run(inputs)


def compare_with_onnxruntime(
    onnx_bytes: bytes, compiled: CompiledModel, samples: Sequence[Mapping[str, Array]]
) -> EqualityReport:
    """Both on the same samples. Raises BadInput."""
    model = LocalModel(compiled.wasm, compiled.weight_chunks)
    return compared(reference_outputs(onnx_bytes, samples), [model.run(sample) for sample in samples])
