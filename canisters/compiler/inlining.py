"""Graphs within graphs, laid out flat: branches of If, repetitions of Loop and Scan, and operators that ONNX itself defines by others.

Part of the front end's walk, which meets such a node when all that comes before it is known: a condition that depends on shapes alone is a
constant by then. Names of an inner graph are its own, so each inlining gives them new ones; what it captures keeps the outer names.
A condition that is only known at run time leaves both branches in the graph, and Where picks the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import onnx
from onnx import helper

from .definitions import definition
from .errors import CannotCompile
from .ir import Array, Node, TensorType, array_of

MAX_STEPS = 256
MAX_DEPTH = 64
# What is written here stands in this version of ONNX, whatever the model's is.
OUR_OPSET = 18
_CONSTANT_HINT = "Make it a constant (constants={...} fixes an input when compiling)"


@dataclass(frozen=True)
class Scope:
    """`names`: what an inner graph's names are called in the flat one. `prefix`: of the names that it adds. `opset`: of its operators."""

    opset: int
    names: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    depth: int = 0

    def of(self, name: str) -> str:
        return self.names.get(name, name)


class Walk(Protocol):
    """The front end, as far as inlining needs it."""

    types: dict[str, TensorType]
    constants: dict[str, Array]

    def free_name(self, wanted: str) -> str:
        """A name that neither a tensor nor a node has."""

    def keep(self, name: str, array: Array) -> None:
        """A new constant."""

    def visit(self, proto: onnx.NodeProto, scope: Scope) -> None:
        """A node of a graph, its names not yet resolved."""


@dataclass
class Inliner:
    walk: Walk

    def offers(self, proto: onnx.NodeProto) -> bool:
        return proto.domain in ("", "ai.onnx") and proto.op_type in ("If", "Loop", "Scan")

    def inline(self, node: Node, proto: onnx.NodeProto, scope: Scope) -> None:
        """`node` is `proto` with resolved names. Raises CannotCompile."""
        if scope.depth >= MAX_DEPTH:
            raise node.cannot(f"it lies {MAX_DEPTH} graphs deep", "Export without nested control flow")
        within = replace(scope, prefix=f"{node.name}/", depth=scope.depth + 1)
        {"If": self._if, "Loop": self._loop, "Scan": self._scan}[node.op](node, proto, within)

    def expand(self, node: Node, proto: onnx.NodeProto, scope: Scope) -> bool:
        """An operator that ONNX defines by others, written with them; False when it is none. Raises CannotCompile."""
        body = definition(node, proto, self.walk.types, self.walk.constants) or _definition(
            node, proto, self.walk.types, scope.opset
        )
        if body is None or scope.depth >= MAX_DEPTH:
            return False
        given = {attribute.name: attribute for attribute in proto.attribute}
        given = {**_defaults(node, proto.domain, scope.opset), **{a.name: a for a in body.attribute_proto}, **given}
        imports = {entry.domain: entry.version for entry in body.opset_import}
        within = Scope(imports.get("", scope.opset), {}, f"{node.name}/", scope.depth + 1)
        protos = [_bound(inner, given) for inner in body.node]
        actual = {formal: node.input(index) for index, formal in enumerate(body.input)}
        self._nodes(protos, (), replace(within, names=actual), list(zip(body.output, node.outputs, strict=False)))
        return True

    # --- graphs ---

    def _graph(self, graph: onnx.GraphProto, scope: Scope, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """`outputs`: what the graph's outputs are to be called; "" leaves one out."""
        formals = [value.name for value in graph.input]
        names = {**scope.names, **dict(zip(formals, inputs, strict=False))}
        pairs = list(zip((value.name for value in graph.output), outputs, strict=False))
        self._nodes(graph.node, graph.initializer, replace(scope, names=names), pairs)

    def _nodes(
        self,
        protos: Iterable[onnx.NodeProto],
        initializers: Iterable[onnx.TensorProto],
        scope: Scope,
        outputs: Sequence[tuple[str, str]],
    ) -> None:
        protos, names = list(protos), dict(scope.names)
        for tensor in initializers:
            names[tensor.name] = self.walk.free_name(scope.prefix + tensor.name)
            self.walk.keep(names[tensor.name], array_of(tensor))
        wanted: dict[str, str] = {}
        for formal, actual in outputs:
            if actual:
                wanted.setdefault(formal, actual)
        for proto in protos:
            for name in proto.output:
                if name:
                    names[name] = wanted.pop(name, "") or self.walk.free_name(scope.prefix + name)
        inner = replace(scope, names=names)
        for proto in protos:
            self.walk.visit(proto, inner)
        for formal, actual in outputs:
            if actual and inner.of(formal) != actual:
                self._add("Identity", [inner.of(formal)], actual, inner)

    def _add(self, op: str, inputs: Sequence[str], output: str, scope: Scope, **attributes: Any) -> str:
        """A node of ours; its names are those of the flat graph."""
        proto = helper.make_node(op, inputs, [output], name=f"{output}/{op}", **attributes)
        self.walk.visit(proto, Scope(OUR_OPSET, depth=scope.depth))
        return output

    def _constant(self, wanted: str, value: object, dtype: type[np.generic] = np.int64) -> str:
        name = self.walk.free_name(wanted)
        self.walk.keep(name, np.asarray(value, dtype))
        return name

    # --- If ---

    def _if(self, node: Node, proto: onnx.NodeProto, scope: Scope) -> None:
        branches = {a.name: a.g for a in proto.attribute}
        condition = self.walk.constants.get(node.inputs[0])
        if condition is not None:
            taken = "then_branch" if bool(np.ravel(condition)[0]) else "else_branch"
            self._graph(branches[taken], scope, (), node.outputs)
            return
        results = []
        for branch in ("then_branch", "else_branch"):
            names = [self.walk.free_name(f"{name}/{branch}") for name in node.outputs]
            try:
                self._graph(branches[branch], scope, (), names)
            except CannotCompile as error:
                raise CannotCompile(
                    f"{node.op} {node.name!r}",
                    f"its condition is only known at run time, and a branch cannot be computed always ({error})",
                    _CONSTANT_HINT,
                ) from error
            results.append(names)
        flag = self._scalar(node.inputs[0], scope)
        for output, yes, no in zip(node.outputs, *results, strict=True):
            if output and self.walk.types[yes] != self.walk.types[no]:
                raise node.cannot(
                    f"its condition is only known at run time, and its branches give {self.walk.types[yes]} and {self.walk.types[no]}",
                    _CONSTANT_HINT,
                )
            if output:
                self._add("Where", [flag, yes, no], output, scope)

    def _scalar(self, name: str, scope: Scope) -> str:
        if not self.walk.types[name].shape:
            return name
        shape = self._constant(f"{name}/shape", [])
        return self._add("Reshape", [name, shape], self.walk.free_name(f"{name}/scalar"), scope)

    # --- Loop and Scan ---

    def _loop(self, node: Node, proto: onnx.NodeProto, scope: Scope) -> None:
        body = next(a.g for a in proto.attribute if a.name == "body")
        limit, going = self._known(node, 0), self._known(node, 1)
        count = MAX_STEPS if limit is None else int(np.ravel(limit)[0])
        goes = going is None or bool(np.ravel(going)[0])
        carried, step = list(node.inputs[2:]), 0
        stacked: list[list[str]] = [[] for _ in range(len(body.output) - 1 - len(carried))]
        while goes and step < count:
            if step >= MAX_STEPS:
                raise node.cannot(f"it repeats more than {MAX_STEPS} times", "Write it without a loop")
            names = [self.walk.free_name(f"{node.name}/{value.name}") for value in body.output]
            number = self._constant(f"{node.name}/step", step)
            condition = self._constant(f"{node.name}/condition", True, np.bool_)
            self._graph(body, scope, (number, condition, *carried), names)
            carried, step = names[1 : 1 + len(carried)], step + 1
            for parts, name in zip(stacked, names[1 + len(carried) :], strict=True):
                parts.append(name)
            if node.input(1):  # without a condition before the first step, none is asked for after a step
                answer = self.walk.constants.get(names[0])
                if answer is None:
                    raise node.cannot("whether it goes on is only known at run time", "Give it a fixed number of steps")
                goes = bool(np.ravel(answer)[0])
        if limit is None and going is None:
            raise node.cannot("it never ends", "Give it a fixed number of steps")
        self._results(node, carried, stacked, [0] * len(stacked), scope)

    def _known(self, node: Node, index: int) -> Array | None:
        """How often a loop runs decides what its results look like."""
        name = node.input(index)
        if name and name not in self.walk.constants:
            raise node.cannot(f"input {index} ({name!r}) decides a shape and is only known at run time", _CONSTANT_HINT)
        return self.walk.constants[name] if name else None

    def _results(
        self, node: Node, carried: Sequence[str], stacked: Sequence[Sequence[str]], axes: Sequence[int], scope: Scope
    ) -> None:
        for output, name in zip(node.outputs, carried, strict=False):
            if output:
                self._add("Identity", [name], output, scope)
        for output, parts, axis in zip(node.outputs[len(carried) :], stacked, axes, strict=False):
            if output and not parts:
                raise node.cannot(
                    "it repeats no step, and stacks the results of its steps", "Leave it out of the model"
                )
            if output:
                at = self._constant(f"{output}/axis", [axis])
                rows = [self._add("Unsqueeze", [p, at], self.walk.free_name(f"{p}/row"), scope) for p in parts]
                rank = len(self.walk.types[rows[0]].shape)
                self._add("Concat", rows, output, scope, axis=axis % rank)

    def _scan(self, node: Node, proto: onnx.NodeProto, scope: Scope) -> None:
        if scope.opset < 9:  # the batch axis came first then
            raise node.cannot(f"its meaning in opset {scope.opset} is not implemented", "Export with opset 9 or newer")
        body = next(a.g for a in proto.attribute if a.name == "body")
        count = int(node.attributes["num_scan_inputs"])
        carried, scanned = list(node.inputs[: len(node.inputs) - count]), node.inputs[len(node.inputs) - count :]
        outputs = len(body.output) - len(carried)
        axes = _list(node, "scan_input_axes", count)
        backward = _list(node, "scan_input_directions", count)
        shapes = [self.walk.types[name].shape for name in scanned]
        steps = shapes[0][axes[0]]
        if steps > MAX_STEPS or any(shape[axis] != steps for shape, axis in zip(shapes, axes, strict=True)):
            raise node.cannot(f"it repeats {steps} times", f"At most {MAX_STEPS} are offered, as many for each input")
        stacked: list[list[str]] = [[] for _ in range(outputs)]
        for step in range(steps):
            taken = []
            for name, axis, back in zip(scanned, axes, backward, strict=True):
                at = self._constant(f"{node.name}/at", steps - 1 - step if back else step)
                taken.append(self._add("Gather", [name, at], self.walk.free_name(f"{name}/step"), scope, axis=axis))
            names = [self.walk.free_name(f"{node.name}/{value.name}") for value in body.output]
            self._graph(body, scope, (*carried, *taken), names)
            for parts, name in zip(stacked, names[len(carried) :], strict=True):
                parts.append(name)
            carried = names[: len(carried)]
        flips = _list(node, "scan_output_directions", outputs)
        ordered = [parts[::-1] if flip else parts for parts, flip in zip(stacked, flips, strict=True)]
        self._results(node, carried, ordered, _list(node, "scan_output_axes", outputs), scope)


def _list(node: Node, attribute: str, count: int) -> list[int]:
    values = [int(v) for v in node.attributes.get(attribute, (0,) * count)]
    if len(values) != count:
        raise node.cannot(f"its {attribute} {values} are not {count}", "Check the model with onnx.checker")
    return values


def _definition(
    node: Node, proto: onnx.NodeProto, types: Mapping[str, TensorType], opset: int
) -> onnx.FunctionProto | None:
    """What ONNX says that an operator is, for these types of inputs."""
    if proto.domain not in ("", "ai.onnx"):
        return None
    try:
        schema: Any = onnx.defs.get_schema(node.op, opset, "")  # its type stubs lack what is asked below
    except onnx.defs.SchemaError:
        return None
    body = onnx.FunctionProto()
    # A body may be written in a newer version than the operator's first one; the newest that the model's knows is right.
    if versions := [v for v in schema.function_opset_versions if v <= opset]:
        body.ParseFromString(schema.get_function_with_opset_version(max(versions)))
    elif versions := [v for v in schema.context_dependent_function_opset_versions if v <= opset]:
        given = [_type_proto(types[name]) if name else b"" for name in node.inputs]
        body.ParseFromString(
            schema.get_context_dependent_function_with_opset_version(max(versions), proto.SerializeToString(), given)
        )
    else:
        return None
    return body if body.node else None


def _type_proto(type_: TensorType) -> bytes:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(type_.dtype))
    return bytes(helper.make_tensor_type_proto(element, type_.shape).SerializeToString())


def _bound(proto: onnx.NodeProto, given: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """A node of a function with the caller's attributes in place of references; those that the caller leaves out are left out."""
    bound = onnx.NodeProto()
    bound.CopyFrom(proto)
    del bound.attribute[:]
    for attribute in proto.attribute:
        if attribute.ref_attr_name:
            if attribute.ref_attr_name in given:
                bound.attribute.add().CopyFrom(given[attribute.ref_attr_name])
                bound.attribute[-1].name = attribute.name
            continue
        kept = bound.attribute.add()
        kept.CopyFrom(attribute)
        if attribute.HasField("g"):
            nodes = [_bound(inner, given) for inner in attribute.g.node]
            del kept.g.node[:]
            kept.g.node.extend(nodes)
    return bound


def _defaults(node: Node, domain: str, opset: int) -> dict[str, onnx.AttributeProto]:
    """The attributes that a node leaves to its operator's schema."""
    try:
        known = onnx.defs.get_schema(node.op, opset, domain).attributes
    except onnx.defs.SchemaError:
        return {}
    return {name: found.default_value for name, found in known.items() if found.default_value.name}
