"""Many small models compiled as one: a case is a model with inputs and expected outputs; `run_together` builds one module for a list of them.

A build takes a few tenths of a second whatever it holds, so hundreds of cases cost what a few would alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import build_model
from canisters.compiler.equality import reference_outputs
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    name: str
    model: onnx.ModelProto
    inputs: Arrays
    expected: Arrays

    @property
    def opset(self) -> int:
        return next(entry.version for entry in self.model.opset_import if entry.domain in ("", "ai.onnx"))


def node_case(op: str, inputs: Sequence[np.ndarray | None], *, name: str = "", constants: Sequence[int] = (), opset: int = 20, outputs: int = 1,
              judge: Callable[[onnx.ModelProto, Arrays], Arrays] | None = None, **attributes: Any) -> Case:  # fmt: skip
    """One node. `constants`: which inputs are part of the model. Expected is what `judge` says, ONNX's reference by default."""
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, results, name=op.lower(), **attributes)
    given = {n: a for i, (n, a) in enumerate(zip(names, inputs, strict=True)) if a is not None and i not in constants}
    kept = {n: a for i, (n, a) in enumerate(zip(names, inputs, strict=True)) if a is not None and i in constants}
    model = make_model([node], given, kept, results, opset=opset)
    return Case(name or op, model, given, (judge or reference)(model, given))


def make_model(
    nodes: Sequence[onnx.NodeProto], inputs: Arrays, constants: Arrays, outputs: Sequence[str], *, opset: int = 20
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "case",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in inputs.items()
        ],
        [helper.make_value_info(n, onnx.TypeProto()) for n in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), n) for n, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for output in inferred.graph.output:
        if not output.type.HasField("tensor_type"):
            output.type.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    return inferred


def reference(model: onnx.ModelProto, inputs: Arrays) -> dict[str, np.ndarray]:
    from onnx.reference import ReferenceEvaluator

    names = [output.name for output in model.graph.output]
    with np.errstate(all="ignore"):
        return dict(zip(names, (np.asarray(a) for a in ReferenceEvaluator(model).run(None, dict(inputs))), strict=True))


def onnx_runtime(model: onnx.ModelProto, inputs: Arrays) -> dict[str, np.ndarray]:
    """For what the reference gets wrong: windows that begin behind the input."""
    return reference_outputs(model.SerializeToString(), [inputs])[0]


def together(cases: Sequence[Case]) -> onnx.ModelProto:
    """All cases side by side in one graph; names begin with the case's number. All are of one opset of each domain."""
    nodes, inputs, outputs, initializers = [], [], [], []
    versions: dict[str, int] = {}
    for index, case in enumerate(cases):
        versions.update((entry.domain, entry.version) for entry in case.model.opset_import)
        graph = onnx.compose.add_prefix(case.model, prefix(index)).graph
        nodes += graph.node
        inputs += graph.input
        outputs += graph.output
        initializers += graph.initializer
    graph = helper.make_graph(nodes, "together", inputs, outputs, initializers)
    imports = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=max(case.model.ir_version for case in cases))


def prefix(index: int) -> str:
    return f"c{index}_"


def run_together(cases: Sequence[Case], *, mode: str = "f32") -> dict[str, dict[str, np.ndarray]]:
    """The outputs of each case by its name."""
    found: dict[str, dict[str, np.ndarray]] = {}
    by_opset: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        by_opset[case.opset].append(case)
    for group in by_opset.values():
        built = build_model(together(group).SerializeToString(), mode)
        inputs = {prefix(i) + name: array for i, case in enumerate(group) for name, array in case.inputs.items()}
        answers = LocalModel(built.module.wasm, chunks(built.plan.weights_data)).run(inputs)
        for index, case in enumerate(group):
            found[case.name] = {name: answers[prefix(index) + name] for name in case.expected}
    return found


def differences(
    cases: Sequence[Case], found: Mapping[str, Arrays], *, rtol: float = 1e-5, atol: float = 2e-6
) -> list[str]:
    """A line for each output that is not what the case expects, in type, shape or value."""
    wrong = []
    for case in cases:
        for name, expected in case.expected.items():
            got = found[case.name][name]
            if got.dtype != expected.dtype or got.shape != expected.shape:
                wrong.append(f"{case.name}: {got.dtype} {got.shape}, expected {expected.dtype} {expected.shape}")
            elif not np.allclose(got, expected, rtol=rtol, atol=atol, equal_nan=True):
                wrong.append(f"{case.name}: {got.ravel()[:16]}, expected {expected.ravel()[:16]}")
    return wrong
