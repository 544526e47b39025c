"""Conv over one or two spatial axes, with groups, strides, borders and dilations.

Source: ONNX Operators, Conv-1, -11. Three kernels: in f32 with pixels or output channels in the lanes, whichever costs fewer
instructions by the network's table; in int8 with output channels. None needs im2col (kernels/conv_input.h says why).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import Graph, Node, TensorType

from . import packing
from .activations import Activation
from .registry import Kernel, Mode, Typing, c_float, operator
from .windows import Window, shape_of, window

SLACK_FLOATS = 16


@dataclass(frozen=True)
class _Conv:
    batch: int
    groups: int
    ic: int  # of one group
    oc: int  # of one group
    window: Window

    @property
    def macs(self) -> int:
        return self.batch * self.groups * self.oc * self.ic * self.window.taps * math.prod(self.window.out)


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, weights = typing.floats(node, 0), typing.floats(node, 1)
    typing.value(node, 1)
    typing.value(node, 2)
    if len(found.shape) < 3 or len(weights.shape) != len(found.shape):
        raise node.cannot(
            f"its inputs are {found} and {weights}", "Give it batch, channels and one or two spatial axes"
        )
    groups = int(node.attributes.get("group", 1))
    if groups < 1 or found.shape[1] != weights.shape[1] * groups or weights.shape[0] % groups:
        raise node.cannot(f"{groups} groups of {weights} do not fit {found}", "Check the model with onnx.checker")
    out = window(node, found.shape[2:], weights.shape[2:])
    return (TensorType("float32", (found.shape[0], weights.shape[0], *shape_of(out, len(found.shape) - 2))),)


def _described(node: Node, graph: Graph) -> _Conv:
    shape, weights = graph.type(node.inputs[0]).shape, graph.type(node.inputs[1]).shape
    groups = int(node.attributes.get("group", 1))
    return _Conv(shape[0], groups, weights[1], weights[0] // groups, window(node, shape[2:], weights[2:]))


def lower(node: Node, graph: Graph, mode: Mode) -> Kernel:
    conv = _described(node, graph)
    total = conv.groups * conv.oc
    weights = graph.constants[node.inputs[1]].astype(np.float32).reshape(total, conv.ic, conv.window.taps)
    bias = graph.constants[node.inputs[2]].astype(np.float32).ravel() if node.input(2) else np.zeros(total, np.float32)
    activation: Activation = node.attributes.get("activation", Activation())
    if 0 in graph.type(node.outputs[0]).shape:
        return Kernel("")
    ways = [(pixels_cost(conv), _pixels), (channels_cost(conv), _channels)]
    if mode == "int8" and np.isfinite(weights).all():
        ways.append((int8_cost(conv), _int8))
    return min(ways, key=lambda way: way[0])[1](conv, weights, bias, activation)


# --- what each way costs, in instructions ---


PRODUCT_F32, PRODUCT_INT8 = 6, 4  # two local.get, then mul and add at 2 each, or dot and add at 1 each


def _tile_cost(rows: int, vectors: int, steps: int, groups: int, product: int = PRODUCT_F32) -> float:
    """`rows` splats and `vectors` loads a step, `product` instructions for each pair of them, two a sum for each group of steps."""
    return steps * (3 * (rows + vectors) + product * rows * vectors) + 2 * rows * vectors * groups + 13 * groups


def _groups_of_steps(conv: _Conv, inputs: int) -> int:
    taps = conv.window.taps
    return -(-inputs // 8) if taps == 1 else inputs * (1 if taps <= 9 else conv.window.kernel[0])


def pixels_cost(conv: _Conv) -> float:
    oh, ow = conv.window.out
    vectors, steps, groups = -(-ow // 4), conv.ic * conv.window.taps, _groups_of_steps(conv, conv.ic)
    cost = 0.0
    for size, times in ((8, conv.oc // 8), *((size, int(bool(conv.oc & size))) for size in (4, 2, 1))):
        most = 8 if size <= 2 else 4
        if not times:
            continue
        if 2 * vectors > most:
            whole, rest = divmod(vectors, most)
            tiles = oh * (
                whole * _tile_cost(size, most, steps, groups) + (_tile_cost(size, rest, steps, groups) if rest else 0)
            )
        else:
            rows = most // vectors
            tiles = oh // rows * _tile_cost(size, rows * vectors, steps, groups)
            tiles += _tile_cost(size, oh % rows * vectors, steps, groups) if oh % rows else 0
        cost += times * (tiles + size * oh * vectors * 3)
    layout = 0.0
    if needs_split(conv.window):
        layout = conv.ic * (1.5 * conv.window.needed(0) * conv.window.needed(1) + 2 * math.prod(conv.window.size))
    return conv.groups * (cost + layout)


def channels_cost(conv: _Conv) -> float:
    layout = 0.0
    if conv.window.has_border:
        layout = conv.ic * (1.5 * conv.window.needed(0) * conv.window.needed(1) + 1.5 * math.prod(conv.window.size))
    return conv.groups * (_channel_tiles(conv, conv.ic, PRODUCT_F32) + layout)


def int8_cost(conv: _Conv) -> float:
    pairs = (conv.ic + 1) // 2
    plane, border = math.prod(conv.window.size), math.prod(bordered(conv.window))
    return conv.groups * (
        _channel_tiles(conv, pairs, PRODUCT_INT8) + conv.ic * plane * 1.5 + pairs * (plane * 9 + border * 1.5)
    )


def _channel_tiles(conv: _Conv, inputs: int, product: int) -> float:
    oh, ow = conv.window.out
    columns = min(8, ow)
    rows, steps, groups = 8 // columns, inputs * conv.window.taps, _groups_of_steps(conv, inputs)
    cost = 0.0
    for vectors, times in ((4, conv.oc // 16), (-(-(conv.oc % 16) // 4), 1 if conv.oc % 16 else 0)):
        if not times:
            continue

        def tile(pixels: int, vectors: int = vectors) -> float:
            return _tile_cost(pixels, vectors, steps, groups, product) if pixels else 0.0

        row = ow // columns * tile(rows * columns) + tile(rows * (ow % columns))
        cost += times * (oh // rows * row + tile(oh % rows * columns) + oh * ow * vectors * 12)
    return cost


# --- the code of each way ---


def needs_split(w: Window) -> bool:
    return w.has_border or w.strides != (1, 1)


def _struct(conv: _Conv, plane: int, phase: int, pitch: int, activation: Activation) -> str:
    w = conv.window
    numbers = (conv.groups, conv.ic, conv.oc, *w.out, *w.kernel, *w.strides, *w.dilations, plane, phase, pitch)
    return f"(struct conv){{{{{', '.join(map(str, numbers))}, {activation.arguments}}}}}"


def over_batch(batch: int, x_step: int, y_step: int, lines: list[str]) -> str:
    """`lines` use x and y, the batch's input and output."""
    ends = [f"const float *x = F32({{x0}}) + n0 * {x_step};", f"float *y = F32({{y0}}) + n0 * {y_step};"]
    if batch == 1:
        ends = ["const float *x = F32({x0});", "float *y = F32({y0});"]
        return "\n".join(ends + lines)
    body = "\n".join("  " + line for line in ends + lines)
    return f"ROLLED for (unsigned n0 = 0; n0 < {batch}; n0++) {{{{\n{body}\n}}}}"


def _steps(conv: _Conv) -> tuple[int, int]:
    return conv.groups * conv.ic * math.prod(conv.window.size), conv.groups * conv.oc * math.prod(conv.window.out)


def _pixels(conv: _Conv, weights: packing.Floats, bias: packing.Floats, activation: Activation) -> Kernel:
    w, lines, scratch, source = conv.window, [], {}, "x"
    if needs_split(w):
        (sh, sw), channels = w.strides, conv.groups * conv.ic
        rows = max(-(-w.needed(0) // sh), -(-(w.size[0] + w.before[0]) // sh))
        pitch = max(-(-w.needed(1) // sw), -(-(w.size[1] + w.before[1]) // sw))
        phase, plane = rows * pitch, sh * sw * rows * pitch
        scratch["planes"] = (channels * plane + SLACK_FLOATS) * 4
        source = "F32({s_planes})"
        lines.append(
            f"split_phases_f32(x, {source}, {channels}, {w.size[0]}, {w.size[1]}, {w.before[0]}, {w.before[1]}, {sh}, {sw}, {rows}, {pitch}, 0.0f);"
        )
    else:
        plane = phase = math.prod(w.size)
        pitch = w.size[1]
    lines.append(f"conv_f32_pixels({source}, F32({{w_tiles}}), y, {_struct(conv, plane, phase, pitch, activation)});")
    packed = packing.conv_pixels(weights, bias, conv.groups)
    return Kernel(
        over_batch(conv.batch, *_steps(conv), lines), {"tiles": packed}, scratch, conv.macs, "f32, pixels in lanes"
    )


def bordered(w: Window) -> tuple[int, int]:
    """Rows and columns of the input with its border, as far as the kernel reads and the input reaches."""
    return (max(w.needed(0), w.size[0] + w.before[0]), max(w.needed(1), w.size[1] + w.before[1]))


def _channels(conv: _Conv, weights: packing.Floats, bias: packing.Floats, activation: Activation) -> Kernel:
    w, lines, scratch, source = conv.window, [], {}, "x"
    rows, pitch = w.size
    if w.has_border:
        rows, pitch = bordered(w)
        channels = conv.groups * conv.ic
        scratch["planes"] = (channels * rows * pitch + SLACK_FLOATS) * 4
        source = "F32({s_planes})"
        lines.append(
            f"split_phases_f32(x, {source}, {channels}, {w.size[0]}, {w.size[1]}, {w.before[0]}, {w.before[1]}, 1, 1, {rows}, {pitch}, 0.0f);"
        )
    lines.append(
        f"conv_f32_channels({source}, F32({{w_panels}}), y, {_struct(conv, rows * pitch, 0, pitch, activation)});"
    )
    packed = packing.conv_channels(weights, bias, conv.groups)
    return Kernel(
        over_batch(conv.batch, *_steps(conv), lines), {"panels": packed}, scratch, conv.macs, "f32, channels in lanes"
    )


def _int8(conv: _Conv, weights: packing.Floats, bias: packing.Floats, activation: Activation) -> Kernel:
    w, pairs = conv.window, (conv.ic + 1) // 2
    rows, pitch = bordered(w)
    limit = c_float(packing.int16_limit(conv.ic * w.taps))
    lines = [
        f"const float step = quantise_pairs(x, I16({{s_pairs}}), {conv.groups}, {conv.ic}, {w.size[0]}, {w.size[1]}, {w.before[0]}, {w.before[1]}, {rows}, {pitch}, {limit});",
        f"conv_int8(I16({{s_pairs}}), U8({{w_panels}}), y, {_struct(conv, rows * pitch, 0, pitch, activation)}, step);",
    ]
    scratch = {"pairs": (conv.groups * pairs * rows * pitch + SLACK_FLOATS) * 4}
    packed = packing.conv_int8(weights, bias, conv.groups)
    return Kernel(over_batch(conv.batch, *_steps(conv), lines), {"panels": packed}, scratch, conv.macs, "int8")


operator("Conv", infer=_infer, lower=lower)
