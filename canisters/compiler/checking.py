"""Is the compiled model the model? `check_model` compiles, makes inputs, and holds the answers against ONNX Runtime's.

Random inputs are drawn so that the model means something by them: indices stay inside the tables that they point into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .compiled import CompiledModel
from .equality import EqualityReport, compared, reference_outputs
from .errors import BadInput
from .ir import Array, Graph, TensorType
from .local import LocalModel

# The largest relative error that is no difference: of an f32 sum in another order, and of rounded weights and activations.
TOLERANCES = {"f32": 1e-4, "int8": 0.05, "int4": 0.25}
# Whatever gives on a tensor's values unchanged, on the way from an input to the table that it points into.
_PASSING = {
    "View",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Identity",
    "Cast",
    "Transpose",
    "Expand",
    "Slice",
    "Concat",
}
# Operators whose second input points into their first, along the attribute `axis`.
_POINTING = {"Gather": 0, "GatherElements": 0, "GatherND": None, "ScatterElements": 0, "ScatterND": None}


@dataclass(frozen=True)
class Check:
    """`report`: compiled against ONNX Runtime, all samples. `differs`: in words, empty when it is the same model."""

    report: EqualityReport
    differs: str


def check_model(
    onnx_bytes: bytes,
    compiled: CompiledModel,
    samples: Sequence[Mapping[str, Array]],
    *,
    constants: Mapping[str, Array] | None = None,
    tolerance: float | None = None,
) -> Check:
    """`samples`: inputs by name. `constants`: inputs that were made part of the model, which ONNX Runtime still asks for.
    `tolerance`: of the largest relative error; by the model's mode when left out. Raises BadInput."""
    allowed = TOLERANCES[compiled.interface["mode"]] if tolerance is None else tolerance
    model = LocalModel(compiled.wasm, compiled.weight_chunks)
    found = [model.run(sample) for sample in samples]
    try:
        expected = reference_outputs(onnx_bytes, [{**sample, **(constants or {})} for sample in samples])
    except Exception as error:  # onnxruntime's errors come from C++ under several types
        said = " ".join(str(error).split())[:300]
        raise BadInput(f"ONNX Runtime does not run this model on these inputs: {said}") from error
    report = compared(expected, found)
    differs = ""
    if not report.max_rel_error <= allowed:
        differs = f"the largest relative error is {report.max_rel_error:.3g}, and {allowed:g} is allowed"
    return Check(report, differs)


def random_sample(graph: Graph, seed: int) -> dict[str, Array]:
    """An input of each name, the same for the same seed."""
    rng = np.random.default_rng(seed)
    return {name: _random(rng, graph.type(name), _limit(graph, name)) for name in graph.inputs}


def _random(rng: np.random.Generator, type_: TensorType, limit: int) -> Array:
    dtype = np.dtype(type_.dtype)
    if dtype.kind == "f":
        return np.asarray(rng.standard_normal(type_.shape), dtype)
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, type_.shape), bool)
    return np.asarray(rng.integers(0, min(limit, np.iinfo(dtype).max), type_.shape), dtype)


def _limit(graph: Graph, name: str) -> int:
    """Integers of this input stay below it: the length of the shortest table that they point into, 8 when they point nowhere."""
    reached, tables = {name}, []
    for node in graph.nodes:
        if node.op in _PASSING and reached & set(node.inputs[:1] if node.op != "Concat" else node.inputs):
            reached |= set(node.outputs)
        if node.op in _POINTING and node.input(1) in reached:
            shape = graph.type(node.inputs[0]).shape
            axis = _POINTING[node.op]
            tables.append(min(shape) if axis is None else shape[int(node.attributes.get("axis", axis))])
    return max(1, min(tables, default=8))


def sample_of(arrays: Mapping[str, Array], graph: Graph) -> dict[str, Array]:
    """Arrays of a file as inputs: each must be there and fit, in type and shape. Raises BadInput."""
    if unknown := arrays.keys() - set(graph.inputs):
        raise BadInput(f"there is no input {sorted(unknown)[0]!r}; the model takes {_said(graph)}")
    found = {}
    for name in graph.inputs:
        if name not in arrays:
            raise BadInput(f"input {name!r} is missing; the model takes {_said(graph)}")
        array, type_ = arrays[name], graph.type(name)
        if array.dtype.name != type_.dtype or array.shape != type_.shape:
            given = TensorType(array.dtype.name, array.shape)
            raise BadInput(f"input {name!r} is {given}; {type_} is expected")
        found[name] = array
    return found


def _said(graph: Graph) -> str:
    return "; ".join(f"{name} {graph.type(name)}" for name in graph.inputs)
