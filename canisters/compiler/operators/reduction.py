"""ReduceMean, ReduceSum, ReduceMax, ReduceMin, ArgMax, ArgMin, GlobalAveragePool, GlobalMaxPool: axes joined into one value.

Source: ONNX Operators, Reduce*-1, -11, -13, -18; ArgMax-1..., GlobalAveragePool-1, GlobalMaxPool-1. `passes.reductions` cuts a reduction
over scattered axes into `ReduceBlock`s over neighbouring ones. NaN is kept by sums, means and maxima.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import Graph, Node, TensorType

from .registry import Kernel, Mode, Typing, axes_of, axis_of, c_float, operator

KINDS = {"ReduceMean": "SUM", "ReduceSum": "SUM", "ReduceMax": "LARGEST", "ReduceMin": "SMALLEST"}
GLOBAL_POOLS = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}


def reduced_axes(node: Node, typing: Typing) -> tuple[int, ...]:
    """The axes that a Reduce* joins: all of them when it names none, unless it says that this means none."""
    rank = len(typing.input(node).shape)
    given = typing.integers(node, "axes", 1)
    if not given:
        return () if node.attributes.get("noop_with_empty_axes", 0) else tuple(range(rank))
    return axes_of(node, given, rank)


def _infer_reduce(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    axes = reduced_axes(node, typing)
    keeps = bool(node.attributes.get("keepdims", 1))
    if any(found.shape[axis] == 0 for axis in axes):
        raise node.cannot("it reduces an axis of size 0", "Fix the symbolic axes to sizes of at least 1")
    shape = tuple(1 if i in axes else size for i, size in enumerate(found.shape) if keeps or i not in axes)
    return (TensorType(found.dtype, shape),)


def _infer_global(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    if len(found.shape) < 3:
        raise node.cannot(f"its input {found} has no spatial axes", "Check the model with onnx.checker")
    return (TensorType(found.dtype, (*found.shape[:2], *(1 for _ in found.shape[2:]))),)


def _lower_block(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """Attributes: `first`, `last` (axes, inclusive), `kind`, `factor`."""
    shape = graph.type(node.inputs[0]).shape
    first, last = int(node.attributes["first"]), int(node.attributes["last"])
    sizes = math.prod(shape[:first]), math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :])
    factor = c_float(float(node.attributes["factor"]))
    return Kernel(
        f"reduce_f32(F32({{x0}}), F32({{y0}}), {', '.join(map(str, sizes))}, {node.attributes['kind']}, {factor});"
    )


def _infer_arg(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(found.shape))
    keeps = bool(node.attributes.get("keepdims", 1))
    return (TensorType("int64", tuple(1 if i == axis else s for i, s in enumerate(found.shape) if keeps or i != axis)),)


def _lower_arg(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape = graph.type(node.inputs[0]).shape
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(shape))
    sizes = math.prod(shape[:axis]), shape[axis] if shape else 1, math.prod(shape[axis + 1 :])
    flags = (
        "true" if node.op == "ArgMin" else "false",
        "true" if node.attributes.get("select_last_index", 0) else "false",
    )
    return Kernel(f"arg_f32(F32({{x0}}), I64({{y0}}), {', '.join(map(str, sizes))}, {', '.join(flags)});")


for _name in KINDS:
    operator(_name, infer=_infer_reduce, lower=None)
for _name in GLOBAL_POOLS:
    operator(_name, infer=_infer_global, lower=None)
for _name in ("ArgMax", "ArgMin"):
    operator(_name, infer=_infer_arg, lower=_lower_arg)
operator("ReduceBlock", infer=_infer_reduce, lower=_lower_block)
