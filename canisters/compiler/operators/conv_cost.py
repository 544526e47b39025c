"""What each way of computing a convolution costs, in the network's instructions and page charges, before any of it is compiled.

The figures follow the kernels' own shape (kernels/conv_f32.h, conv_int8.h, conv_depthwise.h): tiles, steps of a tile, what a sum, a result
and the layout of the input take. They are for choosing; what a compiled model costs is measured (`cost.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .packing import CHARGE_PER_BYTE_WRITTEN, page_charge
from .windows import Window

PRODUCT_F32, PRODUCT_INT8 = 6, 4  # two local.get, then mul and add at 2 each, or dot and add at 1 each
RESULT_F32, RESULT_INT8 = 7, 13  # an activation and a store; scale and bias before it
MOST_DEPTHWISE_TAPS = 25
MANY_PAIRS = 48
IMPOSSIBLE = math.inf


@dataclass(frozen=True)
class Conv:
    """`ic`, `oc`: channels of one group."""

    batch: int
    groups: int
    ic: int
    oc: int
    window: Window

    @property
    def macs(self) -> int:
        return self.batch * self.groups * self.oc * self.ic * self.window.taps * math.prod(self.window.out)


def needs_split(w: Window) -> bool:
    return w.has_border or w.strides != (1, 1)


def bordered(w: Window) -> tuple[int, int]:
    """Rows and columns of the input with its border, as far as the kernel reads and the input reaches."""
    return (max(w.needed(0), w.size[0] + w.before[0]), max(w.needed(1), w.size[1] + w.before[1]))


def costs_of(conv: Conv, most: float, *, in_int8: bool) -> dict[str, float]:
    """Of each way that can compute it. `most`: the largest magnitude that the input can have, 0 when that is not known."""
    found = {"pixels": pixels_cost(conv), "channels": channels_cost(conv), "depthwise": depthwise_cost(conv)}
    if in_int8:
        found |= {"int8 channels": int8_channels_cost(conv, most), "int8 pixels": int8_pixels_cost(conv, most)}
    return {way: cost for way, cost in found.items() if cost < IMPOSSIBLE}


def pixels_cost(conv: Conv) -> float:
    layout = _layout(conv, conv.ic, math.prod(conv.window.size)) if needs_split(conv.window) else 0.0
    tiles = _pixel_tiles(conv, conv.ic, PRODUCT_F32, RESULT_F32)
    return conv.batch * conv.groups * (tiles + layout) + _weights_charge(conv, 4)


def int8_pixels_cost(conv: Conv, most: float) -> float:
    """Weights are widened to int16."""
    if conv.window.strides != (1, 1):
        return IMPOSSIBLE
    pairs = (conv.ic + 1) // 2
    tiles = _pixel_tiles(conv, pairs, PRODUCT_INT8, RESULT_INT8)
    return conv.batch * conv.groups * (tiles + _rounding(conv, most)) + _weights_charge(conv, 2)


def channels_cost(conv: Conv) -> float:
    layout = _layout(conv, conv.ic, math.prod(bordered(conv.window))) if conv.window.has_border else 0.0
    tiles = _channel_tiles(conv, conv.ic, PRODUCT_F32, RESULT_F32 + 9)
    return conv.batch * conv.groups * (tiles + layout) + _weights_charge(conv, 4)


def int8_channels_cost(conv: Conv, most: float) -> float:
    tiles = _channel_tiles(conv, (conv.ic + 1) // 2, PRODUCT_INT8, RESULT_INT8 + 9)
    return conv.batch * conv.groups * (tiles + _rounding(conv, most)) + _weights_charge(conv, 1)


def depthwise_cost(conv: Conv) -> float:
    if conv.ic != 1 or conv.oc != 1 or conv.window.taps > MOST_DEPTHWISE_TAPS:
        return IMPOSSIBLE
    rows, columns = depthwise_tile(conv)
    oh, ow = conv.window.out
    vectors = -(-ow // 4)
    turns = -(-oh // rows) * -(-vectors // columns)
    cost: float = oh * vectors * (7 * conv.window.taps + RESULT_F32) + 13 * turns + 3 * conv.window.taps
    if needs_split(conv.window):
        cost += math.prod(conv.window.size) * (1.5 if conv.window.strides == (1, 1) else 3) + 15 * conv.window.size[0]
    return conv.batch * conv.groups * cost + _weights_charge(conv, 4)


def depthwise_tile(conv: Conv) -> tuple[int, int]:
    """Rows and vectors of a row that are written out: about eight in all, so that rows and columns divide as evenly as they can."""
    oh, ow = conv.window.out
    most = 8 if conv.window.taps <= 9 else 4
    vectors = -(-ow // 4)
    columns = -(-vectors // -(-vectors // most))
    rows = 1 if columns < vectors else max(1, most // columns)
    even = [n for n in range(rows, min(2 * rows, oh) + 1) if oh % n == 0]
    return (even[0] if even else min(rows, oh), columns)


def _layout(conv: Conv, inputs: int, plane: int) -> float:
    """Copying into bordered planes, which are filled first, and the pages that the copy takes."""
    needed = conv.window.needed(0) * conv.window.needed(1)
    return inputs * (0.6 * needed + 3 * plane + 4 * needed * CHARGE_PER_BYTE_WRITTEN)


def _rounding(conv: Conv, most: float) -> float:
    """To pairs of int16: looking for the largest magnitude unless it is known, rounding, and filling borders."""
    values = conv.ic * math.prod(conv.window.size)
    border = (conv.ic + 1) // 2 * math.prod(bordered(conv.window)) if conv.window.has_border else 0
    return values * (2.8 if most else 5.5) + 0.8 * border + 12 * conv.ic * conv.window.size[0]


def _weights_charge(conv: Conv, size: int) -> float:
    return page_charge(conv.groups * conv.oc * conv.ic * conv.window.taps * size)


def _tile_cost(rows: int, vectors: int, steps: int, groups: int, product: int) -> float:
    """`rows` splats and `vectors` loads a step, `product` instructions for each pair of them, two a sum for each group of steps."""
    return steps * (2 * (rows + vectors) + product * rows * vectors) + 2 * rows * vectors * groups + 13 * groups + 25


def _groups_of_steps(conv: Conv, inputs: int, product: int) -> int:
    taps = conv.window.taps
    if taps == 1:
        return -(-inputs // (16 if product == PRODUCT_INT8 and inputs >= MANY_PAIRS else 8))
    return inputs * (1 if taps <= 9 else conv.window.kernel[0])


def _pixel_tiles(conv: Conv, inputs: int, product: int, result: int) -> float:
    oh, ow = conv.window.out
    vectors, steps, groups = -(-ow // 4), inputs * conv.window.taps, _groups_of_steps(conv, inputs, product)
    cost = 0.0
    for size, times in ((8, conv.oc // 8), *((size, int(bool(conv.oc & size))) for size in (4, 2, 1))):
        most = 8 if size <= 2 else 4
        if not times:
            continue
        if 2 * vectors > most:
            count = -(-vectors // most)
            small, larger = divmod(vectors, count)
            tiles = oh * (
                larger * _tile_cost(size, small + 1, steps, groups, product)
                + (count - larger) * _tile_cost(size, small, steps, groups, product)
            )
        else:
            rows = most // vectors
            tiles = oh // rows * _tile_cost(size, rows * vectors, steps, groups, product)
            tiles += _tile_cost(size, oh % rows * vectors, steps, groups, product) if oh % rows else 0
        cost += times * (tiles + size * oh * vectors * result)
    return cost


def _channel_tiles(conv: Conv, inputs: int, product: int, result: int) -> float:
    oh, ow = conv.window.out
    columns = -(-ow // -(-ow // 8))
    rows, steps, groups = 8 // columns, inputs * conv.window.taps, _groups_of_steps(conv, inputs, PRODUCT_F32)
    cost = 0.0
    for vectors, times in ((4, conv.oc // 16), (-(-(conv.oc % 16) // 4), 1 if conv.oc % 16 else 0)):
        if not times:
            continue

        def tile(pixels: int, vectors: int = vectors) -> float:
            return _tile_cost(pixels, vectors, steps, groups, product) if pixels else 0.0

        row = ow // columns * tile(rows * columns) + tile(rows * (ow % columns))
        cost += times * (oh // rows * row + tile(oh % rows * columns) + oh * ow * vectors * result)
    return cost
