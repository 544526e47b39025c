"""Reduce*, ArgMax, ArgMin, Hardmax, GlobalAveragePool, GlobalMaxPool: axes joined into one value.

Source: ONNX Operators, ReduceMean, Sum, Max, Min, Prod, L1, L2, SumSquare, LogSum, LogSumExp-1, -11, -13, -18, -20, -28; ArgMax-1, -11, -12, -13;
Hardmax-1, -11, -13; GlobalAveragePool-1, GlobalMaxPool-1. `passes.reductions` cuts a reduction over scattered axes into `ReduceBlock`s over
neighbouring ones. NaN is kept by sums, means and extremes. Of nothing the sum is 0, the product 1, the extreme the type's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import C_TYPES, FLOATS, PLAIN, UNSIGNED, Graph, Node, TensorType

from .registry import Kernel, Mode, Typing, axes_of, axis_of, c_constant, c_float, operator

TYPES = (*PLAIN, "float64")
_ONE_AXIS_SINCE = 13  # of Hardmax, as of Softmax


@dataclass(frozen=True)
class Reduction:
    """`kind`: how two are joined (SUM, LARGEST, SMALLEST, PRODUCT, LOG_SUM_EXP). `before`, `after`: what is done to each element first, and to
    the result. A mean is a sum divided by the count."""

    kind: str
    before: str = "AS_IS"
    after: str = "TIMES"
    is_mean: bool = False


KINDS = {
    "ReduceMean": Reduction("SUM", is_mean=True),
    "ReduceSum": Reduction("SUM"),
    "ReduceMax": Reduction("LARGEST"),
    "ReduceMin": Reduction("SMALLEST"),
    "ReduceProd": Reduction("PRODUCT"),
    "ReduceL1": Reduction("SUM", "ABSOLUTE"),
    "ReduceL2": Reduction("SUM", "SQUARED", "ROOT"),
    "ReduceSumSquare": Reduction("SUM", "SQUARED"),
    "ReduceLogSum": Reduction("SUM", after="LOGARITHM"),
    "ReduceLogSumExp": Reduction("LOG_SUM_EXP"),
}
GLOBAL_POOLS = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}
_LOGARITHMIC = ("ReduceLogSum", "ReduceLogSumExp")
_OF_BOOLS = ("ReduceMax", "ReduceMin")


def reduced_axes(node: Node, typing: Typing) -> tuple[int, ...]:
    """The axes that a Reduce* joins: all of them when it names none, unless it says that this means none."""
    rank = len(typing.input(node).shape)
    given = typing.integers(node, "axes", 1)
    if not given:
        return () if node.attributes.get("noop_with_empty_axes", 0) else tuple(range(rank))
    return axes_of(node, given, rank)


def _infer_reduce(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    if node.op in _LOGARITHMIC:
        typing.floats(node, allowed=("float32", "float64"))
    if found.dtype == "bool" and node.op not in _OF_BOOLS:
        raise node.cannot("input 0 is bool", "Cast it to a numeric type in the model")
    axes = reduced_axes(node, typing)
    keeps = bool(node.attributes.get("keepdims", 1))
    if node.op == "ReduceMean" and found.dtype not in FLOATS and any(found.shape[axis] == 0 for axis in axes):
        raise node.cannot("it takes the mean of no integers", "Fix the symbolic axes to sizes of at least 1")
    shape = tuple(1 if i in axes else size for i, size in enumerate(found.shape) if keeps or i not in axes)
    return (TensorType(found.dtype, shape),)


def _infer_global(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node, allowed=("float32", "float64"))
    if len(found.shape) < 3:
        raise node.cannot(f"its input {found} has no spatial axes", "Check the model with onnx.checker")
    return (TensorType(found.dtype, (*found.shape[:2], *(1 for _ in found.shape[2:]))),)


# --- one run of neighbouring axes ---


def _lower_block(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """Attributes: `sizes` (outer, axis, inner), `kind`, `before`, `after`, and `count`: what the result is divided by."""
    type_ = graph.type(node.inputs[0])
    kind, before, after = (str(node.attributes[name]) for name in ("kind", "before", "after"))
    outer, axis, inner = node.attributes["sizes"]
    if outer * inner == 0:
        return Kernel("")
    sizes, count = f"{outer}, {axis}, {inner}", int(node.attributes["count"])
    if kind == "LOG_SUM_EXP":
        c_type = C_TYPES[type_.dtype]
        suffix = "f32" if type_.dtype == "float32" else "f64"
        return Kernel(f"log_sum_exp_{suffix}(({c_type} *){{x0}}, ({c_type} *){{y0}}, {sizes});")
    if type_.dtype != "float32":
        return _any_block(type_.dtype, sizes, kind, before, after, count)
    factor = c_float(1.0 / count if count else math.nan)
    if (before, after) == ("AS_IS", "TIMES") and kind != "PRODUCT":
        return Kernel(f"reduce_f32(F32({{x0}}), F32({{y0}}), {sizes}, {kind}, {factor});")
    return Kernel(f"reduce_as_f32(F32({{x0}}), F32({{y0}}), {sizes}, {kind}, {before}, {after}, {factor});")


def _any_block(dtype: str, sizes: str, kind: str, before: str, after: str, count: int) -> Kernel:
    """Integers are joined without sign, so that they wrap; float64 one by one."""
    c_type, is_float = C_TYPES[dtype], dtype in FLOATS
    if kind in ("LARGEST", "SMALLEST"):
        better = f"v {'>' if kind == 'LARGEST' else '<'} found" + (" || v != v" if is_float else "")
        start = c_constant(extreme(dtype, smallest=kind == "LARGEST"), dtype)
        next_ = f"found != found ? found : {better} ? v : found" if is_float else f"{better} ? v : found"
        return Kernel(f"REDUCE({c_type}, {c_type}, {{x0}}, {{y0}}, {sizes}, {start}, {next_}, found);")
    kept = c_type if is_float else "uint64_t"
    value = {
        "AS_IS": f"({kept})v",
        "SQUARED": f"({kept})v * ({kept})v",
        "ABSOLUTE": "__builtin_fabs(v)"
        if is_float
        else "(uint64_t)v"
        if dtype in UNSIGNED
        else "(v < 0 ? 0 - (uint64_t)v : (uint64_t)v)",
    }[before]
    result = {
        "TIMES": f"({c_type})found" + (f" / ({c_type}){count}" if count != 1 else ""),
        "ROOT": f"__builtin_sqrt((double)({c_type})found)",
        "LOGARITHM": "log_f64(found)",
    }[after]
    start, sign = ("1", "*") if kind == "PRODUCT" else ("0", "+")
    return Kernel(f"REDUCE({c_type}, {kept}, {{x0}}, {{y0}}, {sizes}, {start}, found {sign} {value}, {result});")


def extreme(dtype: str, *, smallest: bool) -> float | int:
    """The smallest or largest value of a type."""
    if dtype == "bool":
        return 0 if smallest else 1
    if dtype in FLOATS:
        return -math.inf if smallest else math.inf
    limits = np.iinfo(dtype)
    return int(limits.min if smallest else limits.max)


# --- where the extreme is ---


def _infer_arg(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(found.shape))
    keeps = bool(node.attributes.get("keepdims", 1))
    shape = tuple(1 if i == axis else s for i, s in enumerate(found.shape) if keeps or i != axis)
    if found.shape[axis : axis + 1] == (0,) and 0 not in shape:
        raise node.cannot(f"axis {axis} of {found} has no elements", "Fix the symbolic axes to sizes of at least 1")
    return (TensorType("int64", shape),)


def _lower_arg(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    type_ = graph.type(node.inputs[0])
    shape = type_.shape
    if graph.type(node.outputs[0]).size == 0:
        return Kernel("")
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(shape))
    sizes = math.prod(shape[:axis]), shape[axis] if shape else 1, math.prod(shape[axis + 1 :])
    smallest, last = node.op == "ArgMin", bool(node.attributes.get("select_last_index", 0))
    if type_.dtype == "float32":
        flags = ", ".join("true" if flag else "false" for flag in (smallest, last))
        return Kernel(f"arg_f32(F32({{x0}}), I64({{y0}}), {', '.join(map(str, sizes))}, {flags});")
    return Kernel(_arg(type_.dtype, sizes, f"I64({{y0}})[o * {sizes[2]} + i] = at", smallest=smallest, last=last))


def _arg(dtype: str, sizes: tuple[int, int, int], use: str, *, smallest: bool = False, last: bool = False) -> str:
    """A NaN is better than any number, and the first NaN than those behind it."""
    better = f"v {'<' if smallest else '>'}{'=' if last else ''} best"
    if dtype in FLOATS:
        better = f"best == best && ({better} || v != v)"
    return f"ARG({C_TYPES[dtype]}, {{x0}}, {', '.join(map(str, sizes))}, {better}, {use});"


def _infer_hardmax(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (typing.floats(node, allowed=("float32", "float64")),)


def _lower_hardmax(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    type_ = graph.type(node.inputs[0])
    if type_.size == 0:
        return Kernel("")
    outer, axis, inner = sizes = softmax_sizes(node, type_.shape)
    c_type = C_TYPES[type_.dtype]
    mark = f"(({c_type} *){{y0}})[(o * {axis} + at) * {inner} + i] = 1"
    return Kernel(f"fill_bytes(U8({{y0}}), 0, {type_.size_bytes});\n{_arg(type_.dtype, sizes, mark)}")


def softmax_sizes(node: Node, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(outer, axis, inner) of Softmax and its kin: older ones see a matrix that is cut before the axis."""
    of_one_axis = int(node.attributes["opset"]) >= _ONE_AXIS_SINCE
    axis = axis_of(node, int(node.attributes.get("axis", -1 if of_one_axis else 1)), len(shape))
    if of_one_axis:
        return math.prod(shape[:axis]), math.prod(shape[axis : axis + 1]), math.prod(shape[axis + 1 :])
    return math.prod(shape[:axis]), math.prod(shape[axis:]), 1


for _name in KINDS:
    operator(_name, infer=_infer_reduce, lower=None, types=TYPES)
for _name in GLOBAL_POOLS:
    operator(_name, infer=_infer_global, lower=None, types=TYPES)
for _name in ("ArgMax", "ArgMin"):
    operator(_name, infer=_infer_arg, lower=_lower_arg, types=TYPES)
operator("Hardmax", infer=_infer_hardmax, lower=_lower_hardmax, types=TYPES)
operator("ReduceBlock", infer=_infer_reduce, lower=_lower_block, types=TYPES)
