"""Conv over one or two spatial axes, with groups, strides, borders and dilations.

Source: ONNX Operators, Conv-1, -11. Several kernels compute the same: pixels or output channels in the lanes, floats or int8
weights, one for filters of a channel each. The cheapest by `conv_cost` is taken. None needs im2col (kernels/conv_input.h says why).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from canisters.compiler.ir import Graph, Node, TensorType

from . import packing
from .activations import Activation
from .conv_cost import (
    Conv,
    bordered,
    costs_of,
    depthwise_tile,
    needs_split,
)
from .registry import Kernel, Mode, Typing, c_float, operator
from .spaces import infer_conv
from .windows import Window, window

__all__ = ["bordered", "lower", "over_batch"]

SLACK_FLOATS = 16


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    weights = typing.floats(node, 1)
    if node.input(2) and typing.floats(node, 2).shape != weights.shape[:1]:
        raise node.cannot(
            f"its bias is {typing.input(node, 2)}", f"Give it one value for each of {weights.shape[0]} channels"
        )
    return infer_conv(node, typing.floats(node, 0), weights, "float32")


def _described(node: Node, graph: Graph) -> Conv:
    shape, weights = graph.type(node.inputs[0]).shape, graph.type(node.inputs[1]).shape
    groups = int(node.attributes.get("group", 1))
    found = window(node, shape[2:], weights[2:])
    if found.taps == 1 and found.strides == (1, 1) and not found.has_border:
        # Each pixel alone: the plane is one long row.
        row = (1, math.prod(found.size))
        found = Window(row, (1, 1), (1, 1), (1, 1), (0, 0), (0, 0), row)
    return Conv(shape[0], groups, weights[1], weights[0] // groups, found)


def lower(node: Node, graph: Graph, mode: Mode) -> Kernel:
    conv = _described(node, graph)
    total = conv.groups * conv.oc
    weights = graph.constants[node.inputs[1]].astype(np.float32).reshape(total, conv.ic, conv.window.taps)
    bias = graph.constants[node.inputs[2]].astype(np.float32).ravel() if node.input(2) else np.zeros(total, np.float32)
    activation: Activation = node.attributes.get("activation", Activation())
    if 0 in graph.type(node.outputs[0]).shape:
        return Kernel("")
    most = _most(node.inputs[0], graph)
    costs = costs_of(conv, most, in_int8=mode != "f32" and bool(np.isfinite(weights).all()))
    match cheapest(costs):
        case "pixels":
            return _pixels(conv, weights, bias, activation)
        case "channels":
            return _channels(conv, weights, bias, activation)
        case "depthwise":
            return _depthwise(conv, weights, bias, activation)
        case way:
            return _int8(conv, weights, bias, activation, most, is_pixels=way == "int8 pixels")


def cheapest(costs: Mapping[str, float]) -> str:
    """The first way of least cost."""
    return min(costs, key=lambda way: costs[way])


def _most(name: str, graph: Graph) -> float:
    """The largest magnitude that a tensor can hold, when its producer clips it; 0 when that is not known."""
    producer = graph.producers().get(name)
    activation = producer.attributes.get("activation") if producer else None
    if not isinstance(activation, Activation) or activation.kind != "CLIP":
        return 0.0
    found = max(abs(activation.p), abs(activation.q))
    return found if 0.0 < found < math.inf else 0.0


# --- the code of each way ---


def _struct(conv: Conv, inputs: int, plane: int, phase: int, pitch: int, activation: Activation) -> str:
    w = conv.window
    numbers = (conv.groups, inputs, conv.oc, *w.out, *w.kernel, *w.strides, *w.dilations, plane, phase, pitch)
    return f"(struct conv){{{{{', '.join(map(str, numbers))}, {activation.arguments}}}}}"


def over_batch(batch: int, x_step: int, y_step: int, lines: list[str]) -> str:
    """`lines` use x and y, the batch's input and output."""
    ends = [f"const float *x = F32({{x0}}) + n0 * {x_step};", f"float *y = F32({{y0}}) + n0 * {y_step};"]
    if batch == 1:
        ends = ["const float *x = F32({x0});", "float *y = F32({y0});"]
        return "\n".join(ends + lines)
    body = "\n".join("  " + line for line in ends + lines)
    return f"ROLLED for (unsigned n0 = 0; n0 < {batch}; n0++) {{{{\n{body}\n}}}}"


def _steps(conv: Conv) -> tuple[int, int]:
    return conv.groups * conv.ic * math.prod(conv.window.size), conv.groups * conv.oc * math.prod(conv.window.out)


def _phases(w: Window) -> tuple[int, int]:
    """Rows and columns of one phase of a plane that is bordered and taken apart by its strides."""
    return tuple(  # type: ignore[return-value]
        max(-(-w.needed(axis) // w.strides[axis]), -(-(w.size[axis] + w.before[axis]) // w.strides[axis]))
        for axis in (0, 1)
    )


def _split(channels: int, w: Window, strides: tuple[int, int], rows: int, pitch: int) -> str:
    numbers = (channels, *w.size, *w.before, *strides, rows, pitch)
    return f"split_phases_f32(x, F32({{s_planes}}), {', '.join(map(str, numbers))}, 0.0f);"


def _pixels(conv: Conv, weights: packing.Floats, bias: packing.Floats, activation: Activation) -> Kernel:
    w, lines, scratch, source = conv.window, [], {}, "x"
    rows, pitch = w.size
    plane = phase = rows * pitch
    if needs_split(w):
        channels, (rows, pitch) = conv.groups * conv.ic, _phases(w)
        phase, plane = rows * pitch, math.prod(w.strides) * rows * pitch
        scratch["planes"] = (channels * plane + SLACK_FLOATS) * 4
        source = "F32({s_planes})"
        lines.append(_split(channels, w, w.strides, rows, pitch))
    struct = _struct(conv, conv.ic, plane, phase, pitch, activation)
    lines.append(f"conv_pixels({source}, F32({{w_tiles}}), y, {struct}, FLOATS, 1.0f);")
    packed = packing.conv_pixels(weights, bias, conv.groups)
    return Kernel(
        over_batch(conv.batch, *_steps(conv), lines), {"tiles": packed}, scratch, conv.macs, "f32, pixels in lanes"
    )


def _depthwise(conv: Conv, weights: packing.Floats, bias: packing.Floats, activation: Activation) -> Kernel:
    w, scratch, place = conv.window, {}, "0"
    rows, pitch = w.size
    plane = phase = rows * pitch
    if needs_split(w):
        rows, pitch = _phases(w)
        phase, plane = rows * pitch, math.prod(w.strides) * rows * pitch
        scratch["plane"] = (plane + SLACK_FLOATS) * 4
        place = "F32({s_plane})"
    border = f"(struct bordered){{{{{', '.join(map(str, (*w.size, *w.before, rows)))}, {place}}}}}"
    tile = ", ".join(map(str, depthwise_tile(conv)))
    lines = [
        f"conv_f32_depthwise(x, F32({{w_taps}}), y, {_struct(conv, 1, plane, phase, pitch, activation)}, {border}, {tile});"
    ]
    packed = np.concatenate([bias[:, None], weights[:, 0, :]], axis=1)
    return Kernel(
        over_batch(conv.batch, *_steps(conv), lines),
        {"taps": packed.tobytes()},
        scratch,
        conv.macs,
        "f32, each channel alone",
    )


def _channels(conv: Conv, weights: packing.Floats, bias: packing.Floats, activation: Activation) -> Kernel:
    w, lines, scratch, source = conv.window, [], {}, "x"
    rows, pitch = w.size
    if w.has_border:
        rows, pitch = bordered(w)
        channels = conv.groups * conv.ic
        scratch["planes"] = (channels * rows * pitch + SLACK_FLOATS) * 4
        source = "F32({s_planes})"
        lines.append(_split(channels, w, (1, 1), rows, pitch))
    struct = _struct(conv, conv.ic, rows * pitch, 0, pitch, activation)
    lines.append(f"conv_f32_channels({source}, F32({{w_panels}}), y, {struct});")
    packed = packing.conv_channels(weights, bias, conv.groups)
    return Kernel(
        over_batch(conv.batch, *_steps(conv), lines), {"panels": packed}, scratch, conv.macs, "f32, channels in lanes"
    )


def _int8(
    conv: Conv, weights: packing.Floats, bias: packing.Floats, activation: Activation, most: float, *, is_pixels: bool
) -> Kernel:
    w, pairs = conv.window, (conv.ic + 1) // 2
    rows, pitch = bordered(w)
    limit = c_float(packing.int16_limit(conv.ic * w.taps))
    numbers = (conv.groups, conv.ic, *w.size, *w.before, rows, pitch)
    lines = [
        f"const float step = quantise_pairs(x, I16({{s_pairs}}), {', '.join(map(str, numbers))}, {c_float(most)}, {limit});"
    ]
    scratch = {"pairs": (conv.groups * pairs * rows * pitch + SLACK_FLOATS) * 4}
    struct = _struct(conv, pairs if is_pixels else conv.ic, rows * pitch, 0, pitch, activation)
    if is_pixels:
        lines.append(f"conv_pixels(F32({{s_pairs}}), F32({{w_tiles}}), y, {struct}, PAIRS, step);")
        held, note = {"tiles": packing.conv_pixels_int8(weights, bias, conv.groups)}, "int8, pixels in lanes"
    else:
        lines.append(f"conv_int8(I16({{s_pairs}}), U8({{w_panels}}), y, {struct}, step);")
        held, note = {"panels": packing.conv_int8(weights, bias, conv.groups)}, "int8, channels in lanes"
    return Kernel(over_batch(conv.batch, *_steps(conv), lines), held, scratch, conv.macs, note)


operator("Conv", infer=_infer, lower=lower)
