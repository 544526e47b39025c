"""ONNX bytes to our graph: sizes fixed, shapes known, whatever is constant computed.

The nodes are walked once in order: one whose inputs are all known is run by the ONNX reference and becomes a constant, and so the
Shape/Gather/Concat chains of old exports vanish; of any other the operator's shape rule gives the types of the outputs. What is hostile
(external files, absurd sizes, cycles) is refused before anything large is touched.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from .errors import CannotCompile
from .ir import C_TYPES, Array, Graph, Node, TensorType
from .operators import OFFERED, REGISTRY
from .operators.registry import Typing

MIN_OPSET = 9
MAX_TENSOR_BYTES = 1 << 31
MAX_NODES = 20_000  # one function each: well below the network's 50,000
# Nodes that only ask for shapes: known as soon as the shape of the input is.
_SHAPE_ONLY = {"Shape", "Size"}
# Left out of folding: what is random is no constant.
_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
_CHECK = "Check the model with onnx.checker"


def load(onnx_bytes: bytes, axes: Mapping[str, int] | None = None) -> Graph:
    """`axes`: a size for each symbolic axis of the inputs. Raises CannotCompile."""
    model = _parsed(onnx_bytes)
    opset = _opset(model)
    return _Walk(model.graph, opset, dict(axes or {})).graph()


def _parsed(onnx_bytes: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(onnx_bytes)
    except Exception as error:  # protobuf's own error type is private to its backend
        raise CannotCompile("the file", "it is no ONNX model", "Give the bytes of a .onnx file") from error
    if not model.graph.node and not model.graph.output:
        raise CannotCompile("the file", "it holds no graph", "Give the bytes of a .onnx file")
    for tensor in model.graph.initializer:
        _require_inside(tensor, f"initializer {tensor.name!r}")
    if model.graph.sparse_initializer:
        raise CannotCompile("the model", "it has sparse initializers", "Store its weights densely")
    try:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        onnx.checker.check_model(model)
    except Exception as error:  # the checker's errors come from C++ under several types
        said = " ".join(str(error).split())[:300].rstrip(". ")
        raise CannotCompile("the model", f"it is not valid ONNX: {said}", "Export it again") from error
    if len(model.graph.node) > MAX_NODES:
        raise CannotCompile("the model", f"it has {len(model.graph.node)} nodes", f"At most {MAX_NODES} are taken")
    return model


def _require_inside(tensor: onnx.TensorProto, where: str) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise CannotCompile(
            where, "its data is in another file", "Export with the weights inside (external_data=False)"
        )
    size = math.prod(tensor.dims)
    if size < 0 or size * 8 > 4 * MAX_TENSOR_BYTES:
        raise CannotCompile(where, f"it claims {size} elements", "A tensor has at most 2 GiB")


def _opset(model: onnx.ModelProto) -> int:
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            if entry.version < MIN_OPSET:
                raise CannotCompile(
                    "the model", f"it is of opset {entry.version}", f"Export with opset {MIN_OPSET} or newer"
                )
            return int(entry.version)
    raise CannotCompile("the model", "it names no opset of ONNX", _CHECK)


def _dtype(elem_type: int, where: str) -> str:
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type)).name
    except KeyError as error:
        raise CannotCompile(where, f"its element type {elem_type} is unknown", _CHECK) from error


class _Walk:
    def __init__(self, graph: onnx.GraphProto, opset: int, axes: dict[str, int]) -> None:
        self.proto = graph
        self.opset = opset
        self.axes = axes
        self.types: dict[str, TensorType] = {}
        self.constants: dict[str, Array] = {}
        self.nodes: list[Node] = []

    def graph(self) -> Graph:
        for tensor in self.proto.initializer:
            self._keep(tensor.name, numpy_helper.to_array(tensor))
        inputs = tuple(value.name for value in self.proto.input if value.name not in self.constants)
        for value in self.proto.input:
            if value.name not in self.constants:
                self.types[value.name] = self._input_type(value)
        self._require_axes_used()
        names: set[str] = set()
        for index, proto in enumerate(self.proto.node):
            node = _node(proto, index, names)
            names.add(node.name)
            self._visit(node, proto)
        outputs = tuple(value.name for value in self.proto.output)
        if not outputs:
            raise CannotCompile("the model", "it has no output", _CHECK)
        for name in outputs:
            if self.types[name].size == 0:
                raise CannotCompile(f"output {name!r}", "it is of size 0", "Leave it out of the model")
            if self.types[name].dtype not in C_TYPES:
                raise CannotCompile(
                    f"output {name!r}", f"it is {self.types[name].dtype}", f"Cast it to one of {', '.join(C_TYPES)}"
                )
        return Graph(inputs, outputs, tuple(self.nodes), self.types, self.constants)

    def _keep(self, name: str, array: Array) -> None:
        self.constants[name] = np.ascontiguousarray(array).reshape(array.shape)
        self.types[name] = TensorType(array.dtype.name, tuple(array.shape))

    def _input_type(self, value: onnx.ValueInfoProto) -> TensorType:
        where = f"input {value.name!r}"
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise CannotCompile(where, "it is not a tensor of known rank", "Export with example inputs")
        dtype = _dtype(value.type.tensor_type.elem_type, where)
        if dtype not in C_TYPES:
            raise CannotCompile(where, f"it is {dtype}", f"Inputs are one of {', '.join(C_TYPES)}")
        shape = []
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                shape.append(int(dim.dim_value))
                continue
            name = dim.dim_param or f"{value.name}.{index}"
            if name not in self.axes:
                raise CannotCompile(
                    where, f"axis {index} ({name!r}) has no fixed size", f"Give it one: axes={{{name!r}: 1}}"
                )
            if self.axes[name] < 1:
                raise CannotCompile(
                    where, f"axis {name!r} was given the size {self.axes[name]}", "Give a size of at least 1"
                )
            shape.append(self.axes[name])
        return self._bounded(TensorType(dtype, tuple(shape)), where)

    def _require_axes_used(self) -> None:
        known = {
            f"{value.name}.{i}" for value in self.proto.input for i in range(len(value.type.tensor_type.shape.dim))
        }
        known |= {dim.dim_param for value in self.proto.input for dim in value.type.tensor_type.shape.dim}
        for name in self.axes:
            if name not in known:
                offered = ", ".join(sorted(n for n in known if n and "." not in n)) or "none"
                raise CannotCompile("the model", f"no input has an axis {name!r}", f"Symbolic axes here: {offered}")

    def _bounded(self, type_: TensorType, where: str) -> TensorType:
        if type_.size_bytes > MAX_TENSOR_BYTES:
            raise CannotCompile(where, f"{type_} has {type_.size_bytes} bytes", "A tensor has at most 2 GiB")
        return type_

    def _visit(self, node: Node, proto: onnx.NodeProto) -> None:
        for name in node.inputs:
            if name and name not in self.types:
                raise node.cannot(f"it reads {name!r}, which no earlier node makes", _CHECK)
        if self._folded(node, proto):
            return
        if proto.domain not in ("", "ai.onnx"):
            raise node.cannot(f"the domain {proto.domain!r} is not part of ONNX", "Export with standard operators only")
        operator = REGISTRY.get(node.op)
        if operator is None or node.op not in OFFERED:
            raise node.cannot(
                "this operator is not offered", f"Write the model with others: {', '.join(sorted(OFFERED))}"
            )
        if self.opset < operator.since:
            raise node.cannot(
                f"its meaning in opset {self.opset} is not implemented", f"Export with opset {operator.since} or newer"
            )
        self._require_runnable(node)
        found = operator.infer(node, Typing(self.types, self.constants, self.opset))
        for name, type_ in zip(node.outputs, found, strict=False):
            if name:
                self.types[name] = self._bounded(type_, f"{node.op} {node.name!r}")
        for name in node.outputs[len(found) :]:
            if name:
                raise node.cannot(f"its output {name!r} is not offered", "Leave that output out of the model")
        self.nodes.append(Node(node.name, node.op, node.inputs, node.outputs, {**node.attributes, "opset": self.opset}))

    def _require_runnable(self, node: Node) -> None:
        for name in node.inputs:
            if name and name not in self.constants and self.types[name].dtype not in C_TYPES:
                raise node.cannot(f"{name!r} is {self.types[name].dtype}", f"Cast it to one of {', '.join(C_TYPES)}")

    def _folded(self, node: Node, proto: onnx.NodeProto) -> bool:
        if node.op in _SHAPE_ONLY and node.inputs[0] in self.types:
            shape = np.array(self.types[node.inputs[0]].shape, np.int64)
            start, end = int(node.attributes.get("start", 0)), node.attributes.get("end")
            value = shape[slice(start, end)] if node.op == "Shape" else np.array(shape.prod(), np.int64)
            self._keep(node.outputs[0], np.asarray(value, np.int64))
            return True
        if node.op in _RANDOM or any(name and name not in self.constants for name in node.inputs):
            return False
        if any(isinstance(a, onnx.GraphProto) for a in node.attributes.values()):
            raise node.cannot(
                "it holds a graph of its own", "Export without control flow (torch.onnx.export with dynamo=True)"
            )
        for name, array in zip(node.outputs, self._evaluated(node, proto), strict=True):
            if name:
                self._keep(name, array)
        return True

    def _evaluated(self, node: Node, proto: onnx.NodeProto) -> list[Array]:
        self._require_modest(node)
        domains = [onnx.helper.make_opsetid("", self.opset)]
        if proto.domain not in ("", "ai.onnx"):
            raise node.cannot(f"the domain {proto.domain!r} is not part of ONNX", "Export with standard operators only")
        inner = onnx.helper.make_graph(
            [proto],
            "constant",
            [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in dict.fromkeys(node.inputs) if name],
            [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in node.outputs if name],
        )
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # numpy's, on NaN and overflow, which are values like any other here
                evaluator = ReferenceEvaluator(onnx.helper.make_model(inner, opset_imports=domains))
                found = evaluator.run(None, {name: self.constants[name] for name in node.inputs if name})
        except Exception as error:  # whatever the reference raises, the node cannot be computed
            said = " ".join(str(error).split())[:200]
            raise node.cannot(f"its value cannot be computed: {said}", _CHECK) from error
        arrays = iter(found)
        return [np.asarray(next(arrays)) if name else np.empty(0) for name in node.outputs]

    def _require_modest(self, node: Node) -> None:
        """Before a small model makes a huge constant: the nodes whose output's size is a value."""
        if node.op not in ("ConstantOfShape", "Expand", "Tile", "Range", "Pad", "Resize", "OneHot") or not node.inputs:
            return
        if node.op in ("ConstantOfShape", "Expand"):
            size = math.prod(abs(int(s)) for s in np.ravel(self.constants[node.inputs[-1]]))
        elif node.op == "Tile":
            size = self.constants[node.inputs[0]].size * math.prod(
                abs(int(s)) for s in np.ravel(self.constants[node.inputs[1]])
            )
        elif node.op == "Range":
            start, limit, step = (float(self.constants[name]) for name in node.inputs[:3])
            size = 0 if step == 0 else int(abs((limit - start) / step))
        elif node.op == "OneHot":
            size = self.constants[node.inputs[0]].size * int(np.ravel(self.constants[node.inputs[1]])[0])
        else:
            amounts = [abs(float(a)) for name in node.inputs[1:] if name for a in np.ravel(self.constants[name])]
            size = int(math.prod(1 + a for a in amounts)) * max(1, self.constants[node.inputs[0]].size)
        if size * 4 > MAX_TENSOR_BYTES // 8:
            raise node.cannot(f"it would make a constant of {size} elements", "Export with smaller sizes")


def _node(proto: onnx.NodeProto, index: int, taken: set[str]) -> Node:
    name = proto.name or f"{proto.op_type}_{index}"
    while name in taken:
        name += f"_{index}"
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            _require_inside(attribute.t, f"{proto.op_type} {name!r}")
        value = onnx.helper.get_attribute_value(attribute)
        attributes[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return Node(name, proto.op_type, tuple(proto.input), tuple(proto.output), attributes)
