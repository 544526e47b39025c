"""MaxPool and AveragePool over one or two spatial axes.

Source: ONNX Operators, MaxPool-8, -10, -11, -12; AveragePool-7, -10, -11, -19, -22. Borders hold -infinity or zero. How many elements count
in each window of an average is worked out when compiling. MaxPool's second output, the indices, is not offered.
"""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, TensorType

from .convolution import bordered, over_batch
from .registry import Kernel, Mode, Typing, operator
from .windows import Window, shape_of, window


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    if any(node.outputs[1:]):
        raise node.cannot("its indices are used", "Leave return_indices off")
    if len(found.shape) < 3:
        raise node.cannot(f"its input {found} has no spatial axes", "Check the model with onnx.checker")
    out = window(node, found.shape[2:], tuple(int(v) for v in node.attributes["kernel_shape"]))
    return (TensorType("float32", (*found.shape[:2], *shape_of(out, len(found.shape) - 2))),)


def _shares(w: Window, *, counts_border: bool) -> Array:
    """(oh, ow): one over the number of elements that each window counts."""
    counts = []
    for axis in (0, 1):
        low = -w.before[axis] if counts_border else 0
        high = w.size[axis] + (w.after[axis] if counts_border else 0)
        starts = np.arange(w.out[axis])[:, None] * w.strides[axis] - w.before[axis]
        at = starts + np.arange(w.kernel[axis])[None, :] * w.dilations[axis]
        counts.append(((at >= low) & (at < high)).sum(axis=1))
    return np.asarray(1.0 / np.maximum(1, np.outer(*counts)), np.float32)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape = graph.type(node.inputs[0]).shape
    w = window(node, shape[2:], tuple(int(v) for v in node.attributes["kernel_shape"]))
    planes, is_max = shape[0] * shape[1], node.op == "MaxPool"
    if 0 in graph.type(node.outputs[0]).shape:
        return Kernel("")
    rows, pitch = bordered(w)
    # The last vector of a row may read three steps past it: two vectors with a stride of up to 2 stay within the slack.
    in_place = (rows, pitch) == w.size and w.strides[1] <= 2
    numbers = (planes, *w.out, *w.kernel, *w.strides, *w.dilations, rows * pitch, pitch)
    struct = f"(struct pool){{{{{', '.join(map(str, numbers))}}}}}"
    lines, scratch, source = [], {}, "x"
    if not in_place:
        scratch["planes"] = (planes * rows * pitch + 4 * w.strides[1] + 16) * 4
        source = "F32({s_planes})"
        border = "-__builtin_inff()" if is_max else "0.0f"
        lines.append(
            f"split_phases_f32(x, {source}, {planes}, {w.size[0]}, {w.size[1]}, {w.before[0]}, {w.before[1]}, 1, 1, {rows}, {pitch}, {border});"
        )
    if is_max:
        lines.append(f"max_pool_f32({source}, y, {struct});")
        return Kernel(over_batch(1, 0, 0, lines), {}, scratch)
    lines.append(f"average_pool_f32({source}, F32({{w_shares}}), y, {struct});")
    shares = _shares(w, counts_border=bool(node.attributes.get("count_include_pad", 0)))
    return Kernel(over_batch(1, 0, 0, lines), {"shares": shares.tobytes()}, scratch)


operator("MaxPool", infer=_infer, lower=_lower)
operator("AveragePool", infer=_infer, lower=_lower)
