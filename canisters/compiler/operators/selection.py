"""Where, Clip and PRelu: each element from one of several tensors, or held within limits.

Source: ONNX Operators, Where-9, -16; Clip-6, -11, -12, -13; PRelu-7, -9, -16. Where moves bytes, whatever they mean. Clip is
min(max(x, low), high), also when low is above high; limits that are no part of the model are read when it runs, NaN being no limit for a
constant and NaN as a result otherwise. PRelu's slope is broadcast to x, not the other way.
"""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import ANY, C_TYPES, INTEGERS, Graph, Node, TensorType

from .activations import activate, activation_of
from .binary import NUMBERS
from .dialects import Dialect
from .elementwise import ELEMENTS, PAIRS, WORDS, broadcast, each
from .registry import Kernel, Mode, Typing, c_constant, operator

_MASKED = {4: WORDS, 8: PAIRS}


def _infer_where(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    condition, a, b = typing.floats(node, 0, ("bool",)), typing.input(node, 1), typing.input(node, 2)
    if a.dtype != b.dtype:
        raise node.cannot(f"it chooses between {a} and {b}", "Give both the same type with Cast")
    return (TensorType(a.dtype, broadcast(node, condition.shape, a.shape, b.shape)),)


def _lower_where(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = graph.type(node.outputs[0]), [graph.type(name) for name in node.inputs]
    lanes = _MASKED.get(TensorType(out.dtype, ()).size_bytes)
    return (
        each(out, inputs, "choose({a}, {b}, {c})", lanes) if lanes else each(out, inputs, "({a} ? {b} : {c})", ELEMENTS)
    )


def _infer_clip(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node, 0, NUMBERS)
    for index in (1, 2):
        if node.input(index) and (
            typing.input(node, index).size != 1 or typing.input(node, index).dtype != found.dtype
        ):
            raise node.cannot(f"its limit is {typing.input(node, index)}", f"Give a single {found.dtype}")
    return (found,)


def _lower_clip(node: Node, graph: Graph, mode: Mode) -> Kernel:
    out = graph.type(node.outputs[0])
    if out.dtype == "float32" and activation_of(node, graph) is not None:
        return activate(node, graph, mode)
    rule, indices = "{a}", [0]
    for index, attribute in ((1, "min"), (2, "max")):
        constant = graph.constant(node.input(index)) if node.input(index) else node.attributes.get(attribute)
        if constant is None and not node.input(index):
            continue
        limit = "{" + "abc"[len(indices)] + "}"
        if constant is None:
            indices.append(index)
        else:
            value = np.ravel(constant)[0]
            limit = c_constant(value, out.dtype) if out.dtype in INTEGERS else Dialect(out.dtype).k(float(value))
        if out.dtype in INTEGERS:
            rule = f"({rule} {'<' if index == 1 else '>'} {limit} ? {limit} : {rule})"
        else:
            rule = getattr(Dialect(out.dtype), "larger" if index == 1 else "smaller")(rule, limit)
    inputs = [out, *(TensorType(out.dtype, ()) for _ in indices[1:])]
    return each(out, inputs, rule, ELEMENTS if out.dtype in INTEGERS else Dialect(out.dtype).lanes(), indices)


def _infer_prelu(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, slope = typing.floats(node, 0, NUMBERS), typing.floats(node, 1, NUMBERS)
    if found.dtype != slope.dtype or broadcast(node, found.shape, slope.shape) != found.shape:
        raise node.cannot(f"its slope {slope} does not fit {found}", "Check the model with onnx.checker")
    return (found,)


def _lower_prelu(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = graph.type(node.outputs[0]), [graph.type(name) for name in node.inputs]
    if out.dtype in INTEGERS:
        return each(
            out, inputs, f"({C_TYPES[out.dtype]})({{a}} < 0 ? (uint64_t){{a}} * (uint64_t){{b}} : {{a}})", ELEMENTS
        )
    d = Dialect(out.dtype)
    return each(out, inputs, d.choose(d.lt("{a}", d.k(0.0)), d.mul("{a}", "{b}"), "{a}"), d.lanes())


operator("Where", infer=_infer_where, lower=_lower_where, types=ANY)
operator("Clip", infer=_infer_clip, lower=_lower_clip, types=NUMBERS)
operator("PRelu", infer=_infer_prelu, lower=_lower_prelu, types=NUMBERS)
