"""ONNX in, an inference canister out: `compile_model`. Same bytes in, same bytes out.

    load (frontend)  ->  passes  ->  lowering (operators)  ->  memory plan  ->  C (emit)  ->  wasm (build)  ->  cost

`run_model` runs the result locally, `check_model` holds it against ONNX Runtime, `CompiledModel.save` and `.load` keep it in a folder,
`canisters.compiler.explain` draws it. `python -m canisters.compiler` has the same verbs. README.md says what is promised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from . import frontend, pipeline
from .checking import Check, check_model
from .compiled import CompiledModel, compiled_model
from .cost import CostReport
from .equality import EqualityReport, compared, reference_outputs
from .errors import BadFolder, BadInput, BuildFailed, CannotCompile, CompilerError
from .explain import Seen
from .frontends.pytorch import from_torch
from .ir import Array
from .kinds import HTTP, TENSORS
from .local import LocalModel
from .pipeline import MODES, Begin, Built, Trace, build_graph, build_model, silent, unwatched
from .sizes import axes_of_shapes
from .slicing import MAX_MESSAGE
from .stages import CompiledStages, compile_graph_in_stages

__all__ = [
    "MODES",
    "BadFolder",
    "BadInput",
    "BuildFailed",
    "Built",
    "CannotCompile",
    "Check",
    "CompiledModel",
    "CompiledStages",
    "CompilerError",
    "CostReport",
    "EqualityReport",
    "build_graph",
    "build_model",
    "check_model",
    "compare_with_onnxruntime",
    "compile_model",
    "compile_stages",
    "from_torch",
    "run_model",
]


def compile_model(
    onnx_bytes: bytes,
    *,
    mode: Literal["f32", "int8", "int4"] = "f32",
    axes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    constants: Mapping[str, Array] | None = None,
    variants: Mapping[str, Mapping[str, int]] | None = None,
    slice_instructions: int = MAX_MESSAGE,
    http: bool = False,
    trace: Trace = silent,
    begin: Begin = unwatched,
) -> CompiledModel:
    """`axes`: a size for each symbolic axis. `shapes`: the same as whole shapes, by input. `constants`: inputs that become part of the model.
    `variants`: by name, further sizes of axes; one module computes them all and picks by the shapes that it is given.
    `slice_instructions`: what one message may take; a network that takes more is run over several by the canister itself.
    `http`: with a JSON door for plain HTTP, which a controller may open; of a network that fits one message.
    `trace(step, graph)` sees the graph after loading and after every pass; `begin(step)` is told what begins (pipeline.STEPS).

    Raises: CannotCompile (the model's fault; says which node, why, what to do), BuildFailed (ours).
    """
    pipeline.require_mode(mode)
    if variants is not None:
        pipeline.require_variants(variants)
    sizes = {**axes_of_shapes(onnx_bytes, shapes or {}), **(axes or {})}
    seen = Seen(trace)
    graphs = {}
    for name, further in (variants or {"": {}}).items():
        begin("load")
        graph = frontend.load(onnx_bytes, {**sizes, **further}, constants)
        graphs[name] = pipeline.rewritten(graph, seen.of(name), begin)
    pipeline.require_apart(graphs)
    built = pipeline.build_rewritten(graphs, mode, begin, HTTP if http else TENSORS)
    begin("measure")
    compiled = compiled_model(built, mode, seen.passes, slice_instructions)
    if http and compiled.cost.total > slice_instructions:
        raise CannotCompile(
            "the model",
            f"it takes {compiled.cost.total:,} instructions, and the JSON door answers in one message",
            "Leave the door out",
        )
    return compiled


def compile_stages(
    onnx_bytes: bytes,
    count: int,
    *,
    mode: Literal["f32", "int8", "int4"] = "f32",
    axes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    constants: Mapping[str, Array] | None = None,
    trace: Trace = silent,
    begin: Begin = unwatched,
) -> CompiledStages:
    """The same model as `count` canisters, each of which hands on to the next. Raises as `compile_model` does."""
    pipeline.require_mode(mode)
    sizes = {**axes_of_shapes(onnx_bytes, shapes or {}), **(axes or {})}
    begin("load")
    seen = Seen(trace)
    graph = pipeline.rewritten(frontend.load(onnx_bytes, sizes, constants), seen, begin)
    return compile_graph_in_stages(graph, count, mode, passes=seen.passes, begin=begin)


def run_model(compiled: CompiledModel, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """One inference in wasmtime, through the canister's own doors. For many, keep a `local.LocalModel`. Raises BadInput."""
    return LocalModel(compiled.wasm, compiled.weight_chunks).run(inputs)


def compare_with_onnxruntime(
    onnx_bytes: bytes, compiled: CompiledModel, samples: Sequence[Mapping[str, Array]]
) -> EqualityReport:
    """Both on the same samples. Raises BadInput."""
    model = LocalModel(compiled.wasm, compiled.weight_chunks)
    return compared(reference_outputs(onnx_bytes, samples), [model.run(sample) for sample in samples])
