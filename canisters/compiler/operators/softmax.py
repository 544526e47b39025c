"""Softmax and LogSoftmax: the largest is taken off first, so that nothing overflows.

Source: ONNX Operators, Softmax-1, -11 (the input seen as a matrix cut before `axis`), Softmax-13 (one axis); LogSoftmax the same.
"""

from __future__ import annotations

from canisters.compiler.ir import C_TYPES, Graph, Node, TensorType

from .reduction import softmax_sizes
from .registry import Kernel, Mode, Typing, operator

_TYPES = ("float32", "float64")


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (typing.floats(node, allowed=_TYPES),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    type_ = graph.type(node.inputs[0])
    sizes = softmax_sizes(node, type_.shape)
    if 0 in sizes:
        return Kernel("")
    is_log = "true" if node.op == "LogSoftmax" else "false"
    c_type, suffix = C_TYPES[type_.dtype], "f32" if type_.dtype == "float32" else "f64"
    pointers = "F32({x0}), F32({y0})" if suffix == "f32" else f"({c_type} *){{x0}}, ({c_type} *){{y0}}"
    return Kernel(f"softmax_{suffix}({pointers}, {', '.join(map(str, sizes))}, {is_log});")


operator("Softmax", infer=_infer, lower=_lower, types=_TYPES)
operator("LogSoftmax", infer=_infer, lower=_lower, types=_TYPES)
