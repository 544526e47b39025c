"""Softmax and LogSoftmax: the largest is taken off first, so that nothing overflows.

Source: ONNX Operators, Softmax-1, -11 (the input seen as a matrix cut before `axis`), Softmax-13 (one axis); LogSoftmax the same.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import Graph, Node

from .registry import Kernel, Mode, axis_of, float_like_input, operator

_ONE_AXIS_SINCE = 13


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape = graph.type(node.inputs[0]).shape
    of_one_axis = int(node.attributes["opset"]) >= _ONE_AXIS_SINCE
    axis = axis_of(node, int(node.attributes.get("axis", -1 if of_one_axis else 1)), len(shape))
    if of_one_axis:
        sizes = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    else:
        sizes = math.prod(shape[:axis]), math.prod(shape[axis:]), 1
    if 0 in sizes:
        return Kernel("")
    is_log = "true" if node.op == "LogSoftmax" else "false"
    return Kernel(f"softmax_f32(F32({{x0}}), F32({{y0}}), {', '.join(map(str, sizes))}, {is_log});")


operator("Softmax", infer=float_like_input, lower=_lower)
operator("LogSoftmax", infer=float_like_input, lower=_lower)
