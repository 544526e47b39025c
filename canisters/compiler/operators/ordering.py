"""TopK, CumSum, CumProd: elements along an axis, in order or one after another.

Source: ONNX Operators, TopK-1, -10, -11, -24; CumSum-11, -14; CumProd-26. Of equal elements TopK takes the earlier one first; a NaN counts as larger
than any number. What is called unsorted comes sorted.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import C_TYPES, FLOATS, PLAIN, Graph, Node, TensorType

from .registry import Kernel, Mode, Typing, axis_of, operator

_TYPES = (*PLAIN, "float64")


def _sizes(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


# --- TopK ---


def _infer_top(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, given = (
        typing.input(node),
        typing.integers(node, "k", 1) if "k" not in node.attributes else (int(node.attributes["k"]),),
    )
    if not found.shape or found.dtype == "bool" or not given:
        raise node.cannot(f"its input is {found}", "Check the model with onnx.checker")
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(found.shape))
    if not 0 <= given[0] <= found.shape[axis]:
        raise node.cannot(f"it takes {given[0]} of the {found.shape[axis]} elements of axis {axis}", "Lower k")
    shape = (*found.shape[:axis], given[0], *found.shape[axis + 1 :])
    return TensorType(found.dtype, shape), TensorType("int64", shape)


def _lower_top(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(found.shape))
    out = next(graph.type(name) for name in node.outputs if name)
    k, c_type = out.shape[axis], C_TYPES[found.dtype]
    if out.size == 0:
        return Kernel("")
    sizes = ", ".join(map(str, (*_sizes(found.shape, axis), k)))
    largest = "true" if node.attributes.get("largest", 1) else "false"
    scratch = {"heap": 4 * k}
    values, places = (f"{{y{i}}}" if len(node.outputs) > i and node.outputs[i] else f"{{s_{i}}}" for i in (0, 1))
    if "s_" in values:
        scratch["0"] = out.size * TensorType(found.dtype, ()).size_bytes
    if "s_" in places:
        scratch["1"] = 8 * out.size
    pointers = f"({c_type} *){{x0}}, ({c_type} *){values}, I64({places}), (uint32_t *){{s_heap}}"
    return Kernel(f"top_k_{c_type}({pointers}, {sizes}, {largest});", scratch=scratch)


# --- CumSum and CumProd ---


def _infer_cumulative(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    if found.dtype == "bool":
        raise node.cannot("input 0 is bool", "Cast it to a numeric type in the model")
    _cumulative_axis(node, typing, len(found.shape))
    return (found,)


def _cumulative_axis(node: Node, typing: Typing, rank: int) -> int:
    given = typing.integers(node, "", 1)
    if given is None or len(given) != 1 or rank == 0:
        raise node.cannot("it does not name one axis", "Check the model with onnx.checker")
    return axis_of(node, given[0], rank)


def _lower_cumulative(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    if found.size == 0:
        return Kernel("")
    outer, axis, inner = _sizes(
        found.shape, _cumulative_axis(node, Typing(graph.types, graph.constants, 0), len(found.shape))
    )
    c_type = C_TYPES[found.dtype]
    kept = c_type if found.dtype in FLOATS else "uint64_t"  # integers wrap
    start, sign = ("0", "+=") if node.op == "CumSum" else ("1", "*=")
    step = [f"found {sign} ({kept})*x;", f"*y = ({c_type})found;"]
    if node.attributes.get("exclusive", 0):
        step.reverse()
        step = [f"const {c_type} v = *x;", step[0], step[1].replace("*x", "v")]
    first, forward = (f" + {(axis - 1) * inner}", "-") if node.attributes.get("reverse", 0) else ("", "+")
    return Kernel(f"""\
ROLLED for (unsigned c = 0; c < {outer * inner}; c++) {{{{
  const unsigned start = c / {inner} * {axis * inner} + c % {inner}{first};
  const {c_type} *x = ({c_type} *){{x0}} + start;
  {c_type} *y = ({c_type} *){{y0}} + start;
  {kept} found = {start};
  ROLLED for (unsigned a = 0; a < {axis}; a++, x {forward}= {inner}, y {forward}= {inner}) {{{{
    {" ".join(step)}
  }}}}
}}}}""")


operator("TopK", infer=_infer_top, lower=_lower_top, types=_TYPES)
operator("CumSum", since=11, infer=_infer_cumulative, lower=_lower_cumulative, types=_TYPES)
operator("CumProd", since=26, infer=_infer_cumulative, lower=_lower_cumulative, types=_TYPES)
