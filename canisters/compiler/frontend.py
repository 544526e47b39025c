"""ONNX bytes to our graph: sizes fixed, shapes known, whatever is constant computed.

The nodes are walked once in order: one whose inputs are all known is run by the ONNX reference and becomes a constant, and so the
Shape/Gather/Concat chains of old exports vanish; of any other the operator's shape rule gives the types of the outputs. What is hostile
(external files, absurd sizes, cycles) is refused before anything large is touched. Graphs within graphs are laid out flat (inlining.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnx.inliner

from .errors import CannotCompile
from .folding import Folder
from .halves import Halves
from .inlining import Inliner, Scope
from .ir import C_TYPES, TRIPS, Array, Graph, Node, TensorType, array_of
from .operators import OFFERED, REGISTRY
from .operators.ml import ADVICE
from .operators.ml.scores import DOMAIN as ML_DOMAIN
from .operators.registry import Typing

MAX_TENSOR_BYTES = 1 << 31
MAX_RANK = 32
MAX_NODES = 20_000  # one function each: well below the network's 50,000
MAX_VISITS = 30_000  # of nodes while graphs are laid out flat: a small file may hold a loop of loops
# Nodes that only ask for shapes: known as soon as the shape of the input is.
_SHAPE_ONLY = {"Shape", "Size"}
# Left out of folding: what is random is no constant.
_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
_CHECK = "Check the model with onnx.checker"


def load(
    onnx_bytes: bytes, axes: Mapping[str, int] | None = None, constants: Mapping[str, Array] | None = None
) -> Graph:
    """`axes`: a size for each symbolic axis of the inputs. `constants`: values of inputs that are fixed here and are no inputs any more.

    Raises: CannotCompile."""
    model = _parsed(onnx_bytes)
    opset = _opset(model)
    domains = {entry.domain: int(entry.version) for entry in model.opset_import}
    return _Walk(model.graph, opset, domains, dict(axes or {}), dict(constants or {})).graph()


def _parsed(onnx_bytes: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(onnx_bytes)
    except Exception as error:  # protobuf's own error type is private to its backend
        raise CannotCompile("the file", "it is no ONNX model", "Give the bytes of a .onnx file") from error
    if not model.graph.node and not model.graph.output:
        raise CannotCompile("the file", "it holds no graph", "Give the bytes of a .onnx file")
    _require_few_nodes(model)
    for graph in _graphs(model):
        _require_text(graph)
        for tensor in graph.initializer:
            _require_inside(tensor, f"initializer {tensor.name!r}")
        if graph.sparse_initializer:
            raise CannotCompile("the model", "it has sparse initializers", "Store its weights densely")
    try:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        onnx.checker.check_model(model)
    except Exception as error:  # the checker's errors come from C++ under several types
        said = " ".join(str(error).split())[:300].rstrip(". ")
        raise CannotCompile("the model", f"it is not valid ONNX: {said}", "Export it again") from error
    _require_few_nodes(model)  # functions are laid out flat by now
    return model


def _require_text(graph: onnx.GraphProto) -> None:
    """What is no UTF-8 comes out of protobuf as bytes instead of text."""
    named = [value.name for value in (*graph.input, *graph.output, *graph.initializer)]
    named += [dim.dim_param for value in graph.input for dim in value.type.tensor_type.shape.dim]
    for node in graph.node:
        named += [node.name, node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute)]
    for name in named:
        if not isinstance(name, str):
            raise CannotCompile("the model", f"the name {name!r} is no text", "Export it again")


def _require_few_nodes(model: onnx.ModelProto) -> None:
    if len(model.graph.node) > MAX_NODES:
        raise CannotCompile("the model", f"it has {len(model.graph.node)} nodes", f"At most {MAX_NODES} are taken")


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The graph and all that its nodes hold."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            waiting += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
            waiting += [inner for attribute in node.attribute for inner in attribute.graphs]


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
            return int(entry.version)
    if all(node.domain not in ("", "ai.onnx") for node in model.graph.node):
        return int(onnx.defs.onnx_opset_version())  # of nothing that is in the model, but of what its operators may be written with
    raise CannotCompile("the model", "it names no opset of ONNX", _CHECK)


def _dtype(elem_type: int, where: str) -> str:
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type)).name
    except KeyError as error:
        raise CannotCompile(where, f"its element type {elem_type} is unknown", _CHECK) from error


class _Walk:
    def __init__(
        self,
        graph: onnx.GraphProto,
        opset: int,
        domains: Mapping[str, int],
        axes: dict[str, int],
        given: dict[str, Array],
    ) -> None:
        self.proto = graph
        self.opset = opset
        self.domains = domains
        self.axes = axes
        self.given = given
        self.visits = 0
        self.numbers: dict[str, int] = {}  # of the last name made of another
        self.node_names: set[str] = set()
        self.types: dict[str, TensorType] = {}
        self.constants: dict[str, Array] = {}
        self.nodes: list[Node] = []
        self.named = {name for node in graph.node for name in (node.name, *node.input, *node.output)}
        self.named.update(value.name for value in (*graph.input, *graph.initializer))
        self.halves = Halves(self.types, self.constants, self.nodes, self.free_name)
        self.inliner = Inliner(self)
        self.folder = Folder(self.constants)

    def _node_name(self, proto: onnx.NodeProto, scope: Scope) -> str:
        index = self.visits - 1
        name = scope.prefix + (proto.name or f"{proto.op_type}_{index}")
        if scope.prefix:
            return self.free_name(name)
        while name in self.node_names:
            name += f"_{index}"
        self.node_names.add(name)
        return name

    def free_name(self, wanted: str) -> str:
        name, number = wanted, self.numbers.get(wanted, 1)
        while name in self.named:
            number += 1
            name = f"{wanted}.{number}"
        self.numbers[wanted] = number
        self.named.add(name)
        return name

    def graph(self) -> Graph:
        for tensor in self.proto.initializer:
            self.keep(tensor.name, array_of(tensor))
        self._bake()
        inputs = tuple(value.name for value in self.proto.input if value.name not in self.constants)
        for value in self.proto.input:
            if value.name not in self.constants:
                self.types[value.name] = self._input_type(value)
        self._require_axes_used()
        for proto in self.proto.node:
            self.visit(proto, Scope(self.opset))
        outputs = tuple(value.name for value in self.proto.output)
        if not outputs:
            raise CannotCompile("the model", "it has no output", _CHECK)
        if len(set(outputs)) != len(outputs):
            raise CannotCompile("the model", "two of its outputs have the same name", "Leave one of them out")
        for name in outputs:
            if self.types[name].dtype not in C_TYPES:
                raise CannotCompile(
                    f"output {name!r}", f"it is {self.types[name].dtype}", f"Cast it to one of {', '.join(C_TYPES)}"
                )
        return Graph(inputs, outputs, tuple(self.nodes), self.types, self.constants)

    def keep(self, name: str, array: Array) -> None:
        self.constants[name] = np.ascontiguousarray(array).reshape(array.shape)
        self.types[name] = TensorType(array.dtype.name, tuple(array.shape))

    def _bake(self) -> None:
        """Inputs with a given value become constants; their symbolic axes have its sizes from then on."""
        offered = {value.name: value for value in self.proto.input if value.name not in self.constants}
        for name, array in self.given.items():
            where = f"constant {name!r}"
            if name not in offered:
                known = ", ".join(offered) or "none"
                raise CannotCompile(where, "the model has no such input", f"Its inputs are: {known}")
            for axis, (dim, size) in enumerate(
                zip(offered[name].type.tensor_type.shape.dim, array.shape, strict=False)
            ):
                if not (dim.HasField("dim_value") and dim.dim_value > 0):
                    self.axes.setdefault(dim.dim_param or f"{name}.{axis}", int(size))
            wanted = self._input_type(offered[name])
            if (array.dtype.name, tuple(array.shape)) != (wanted.dtype, wanted.shape):
                raise CannotCompile(
                    where, f"it is {TensorType(array.dtype.name, tuple(array.shape))}", f"Give {wanted}"
                )
            self.keep(name, array)

    def _input_type(self, value: onnx.ValueInfoProto) -> TensorType:
        where = f"input {value.name!r}"
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise CannotCompile(where, "it is not a tensor of known rank", "Export with example inputs")
        dtype = _dtype(value.type.tensor_type.elem_type, where)
        if dtype not in C_TYPES:
            raise CannotCompile(where, f"it is {dtype}", f"Inputs are one of {', '.join(C_TYPES)}")
        shape = []
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            name = dim.dim_param or f"{value.name}.{index}"
            is_fixed = dim.HasField("dim_value") and dim.dim_value >= 0
            # Some exporters write 0 for a size that they do not know: whoever gives it one is heard.
            if is_fixed and (dim.dim_value > 0 or name not in self.axes):
                shape.append(int(dim.dim_value))
                continue
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
        if len(type_.shape) > MAX_RANK:
            raise CannotCompile(where, f"it has {len(type_.shape)} axes", f"A tensor has at most {MAX_RANK}")
        if type_.size_bytes > MAX_TENSOR_BYTES:
            raise CannotCompile(where, f"{type_} has {type_.size_bytes} bytes", "A tensor has at most 2 GiB")
        return type_

    def visit(self, proto: onnx.NodeProto, scope: Scope) -> None:
        """A node of any of the model's graphs, its names resolved by `scope`. Raises CannotCompile."""
        self.visits += 1
        if self.visits > MAX_VISITS:
            raise CannotCompile(
                "the model", f"laid out flat it has more than {MAX_VISITS} nodes", "Export without loops"
            )
        if scope.names:
            proto = _resolved(proto, scope)
        node = _node(proto, self._node_name(proto, scope))
        for name in node.inputs:
            if name and name not in self.types:
                raise node.cannot(f"it reads {name!r}, which no earlier node makes", _CHECK)
        if self.inliner.offers(proto):
            self.inliner.inline(node, proto, scope)
            return
        if self._folded(node, proto, scope.opset):
            return
        try:
            self._compute(node, proto, scope.opset)
        except CannotCompile as refusal:
            try:
                if self.inliner.expand(node, proto, scope):
                    return
            except CannotCompile:  # what is said about the operator itself is more to the point
                raise refusal from None
            raise

    def _compute(self, node: Node, proto: onnx.NodeProto, opset: int) -> None:
        domain = self._domain(node, proto)
        operator = REGISTRY.get(node.op)
        if operator is None or node.op not in OFFERED or operator.domain != domain:
            advice = ADVICE.get(node.op) or f"Write the model with others: {', '.join(sorted(OFFERED))}"
            raise node.cannot("this operator is not offered", advice)
        opset = self.domains[domain] if domain else opset
        if opset < operator.since:
            raise node.cannot(
                f"its meaning in opset {opset} is not implemented", f"Export with opset {operator.since} or newer"
            )
        self._require_runnable(node)
        wide = self.halves.widened(node, operator, opset)
        try:
            found = operator.infer(wide, Typing(self.types, self.constants, opset))
        except TRIPS as error:
            raise wide.broken(error) from error
        made, rounded = self.halves.rounded(node, wide, found, proto.domain, opset)
        for name, type_ in zip(made.outputs, found, strict=False):
            if name:
                self.types[name] = self._bounded(type_, f"{node.op} {node.name!r}")
        for name in node.outputs[len(found) :]:
            if name:
                raise node.cannot(f"its output {name!r} is not offered", "Leave that output out of the model")
        self.nodes.append(Node(made.name, made.op, made.inputs, made.outputs, {**made.attributes, "opset": opset}))
        self.halves.round(rounded, opset)

    def _domain(self, node: Node, proto: onnx.NodeProto) -> str:
        """ "" for ONNX itself, or ai.onnx.ml where the model names its opset. Raises CannotCompile."""
        domain = "" if proto.domain == "ai.onnx" else str(proto.domain)
        if domain and (domain != ML_DOMAIN or domain not in self.domains):
            raise node.cannot(f"the domain {domain!r} is not part of ONNX", "Export with standard operators only")
        return domain

    def _require_runnable(self, node: Node) -> None:
        for name in node.inputs:
            if name and name not in self.constants and self.types[name].dtype not in C_TYPES:
                raise node.cannot(f"{name!r} is {self.types[name].dtype}", f"Cast it to one of {', '.join(C_TYPES)}")

    def _folded(self, node: Node, proto: onnx.NodeProto, opset: int) -> bool:
        if node.op in _SHAPE_ONLY and node.inputs[0] in self.types:
            shape = np.array(self.types[node.inputs[0]].shape, np.int64)
            start, end = int(node.attributes.get("start", 0)), node.attributes.get("end")
            value = shape[slice(start, end)] if node.op == "Shape" else np.array(shape.prod(), np.int64)
            self.keep(node.outputs[0], np.asarray(value, np.int64))
            return True
        if node.op in _RANDOM or any(name and name not in self.constants for name in node.inputs):
            return False
        if any(isinstance(a, onnx.GraphProto) for a in node.attributes.values()):
            raise node.cannot(
                "it holds a graph of its own", "Export without control flow (torch.onnx.export with dynamo=True)"
            )
        domain = self._domain(node, proto)
        imports = {"": opset, **({domain: self.domains[domain]} if domain else {})}
        arrays = self.folder.values(node, proto, imports)
        if arrays is None:
            return False
        for name, array in zip(node.outputs, arrays, strict=True):
            if name:
                self.keep(name, array)
        return True


def _resolved(proto: onnx.NodeProto, scope: Scope) -> onnx.NodeProto:
    found = onnx.NodeProto()
    found.CopyFrom(proto)
    for names in (found.input, found.output):
        flat = [scope.of(name) if name else "" for name in names]
        del names[:]
        names.extend(flat)
    return found


def _node(proto: onnx.NodeProto, name: str) -> Node:
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            _require_inside(attribute.t, f"{proto.op_type} {name!r}")
        value = onnx.helper.get_attribute_value(attribute)
        attributes[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return Node(name, proto.op_type, tuple(proto.input), tuple(proto.output), attributes)
