"""Which neighbours make up each place of a resized axis, and with which weights: tables, made while compiling.

Source: ONNX Operators, Resize-10, -11, -13, -18, -19: the coordinate transformations, the nearest, linear and cubic kernels, and antialiasing, which
widens a kernel by the factor by which an axis shrinks. Places are counted in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import Array

COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize")  # fmt: skip
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil", "simple")


@dataclass(frozen=True)
class Way:
    """How an axis is resized. `cubic`: the coefficient a. `excludes`: neighbours outside count nothing. `region`: start and end of what is shown,
    as parts of the axis."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float
    excludes: bool
    antialias: bool
    region: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Table:
    """For each place of the output: the first neighbour (out,), the weights of it and those behind it (out, taps), and whether the place lies
    outside the input (out,)."""

    first: Array
    weights: Array
    is_outside: Array


def table(way: Way, size: int, out: int, scale: float) -> Table:
    """`size` elements become `out`; `scale` is the exact factor, of which `out` is rounded."""
    at = _places(way, size, out, scale)
    outside = (at < 0) | (at > size - 1) if way.coordinates == "tf_crop_and_resize" else np.zeros(out, bool)
    # A place on an element counts as the end of the interval before it, so that a tie goes to the left.
    left = np.ceil(at).astype(np.int64) - 1
    ratio = at - left
    offsets, weigh = _kernel(way, scale)
    neighbours = left[:, None] + offsets[None, :]
    weights = np.stack([weigh(float(r)) for r in ratio]) if out else np.zeros((0, offsets.size))
    if way.excludes:
        weights = np.where((neighbours < 0) | (neighbours >= size), 0.0, weights)
        total = weights.sum(axis=1, keepdims=True)
        weights = weights / np.where(total == 0, 1.0, total)
    return Table(*_packed(np.clip(neighbours, 0, size - 1), weights, size), outside)


def _places(way: Way, size: int, out: int, scale: float) -> Array:
    """Where each place of the output lies on the input."""
    y = np.arange(out, dtype=np.float64)
    whole = scale * size
    # The region is given in float32, and so are its extent and where it begins: places right on an element or an end depend on it.
    start, extent = (
        float(v)
        for v in (
            np.float32(way.region[0]) * np.float32(size - 1),
            np.float32(way.region[1]) - np.float32(way.region[0]),
        )
    )
    match way.coordinates:
        case "align_corners":
            return y * 0.0 if whole == 1 else y * (size - 1) / (whole - 1)
        case "asymmetric":
            return y / scale
        case "tf_half_pixel_for_nn":
            return (y + 0.5) / scale
        case "tf_crop_and_resize":
            middle = np.full(out, extent * (size - 1) / 2)
            return start + (middle if whole == 1 else y * extent * (size - 1) / (whole - 1))
        case "pytorch_half_pixel" if whole == 1:
            return np.full(out, -0.5)
        case "half_pixel_symmetric":
            return size / 2 * (1 - out / whole) + (y + 0.5) / scale - 0.5
        case _:
            return (y + 0.5) / scale - 0.5


def _kernel(way: Way, scale: float) -> tuple[Array, Callable[[float], Array]]:
    """Neighbours relative to the one on the left, and their weights by the distance (0, 1] from it."""
    if way.mode == "nearest":
        return np.array([0, 1]), lambda ratio: _nearest(ratio, way.nearest, scale)
    reach = 1 if way.mode == "linear" else 2
    shape = _linear if way.mode == "linear" else lambda x: _cubic(x, way.cubic)
    narrow = min(scale, 1.0) if way.antialias else 1.0
    first = math.floor(-reach / narrow) + 1
    offsets = np.arange(first, 2 - first)

    def weigh(ratio: float) -> Array:
        found = shape((offsets - ratio) * narrow)
        return found / found.sum() if way.antialias else found

    return offsets, weigh


def _nearest(ratio: float, how: str, scale: float) -> Array:
    if ratio == 1:
        return np.array([0.0, 1.0])
    right = {
        "round_prefer_floor": ratio > 0.5,
        "round_prefer_ceil": ratio >= 0.5,
        "floor": False,
        "ceil": True,
        "simple": scale < 1,  # as opset 10 was understood: up when shrinking, down otherwise
    }[how]
    return np.array([float(not right), float(right)])


def _linear(x: Array) -> Array:
    return np.asarray(np.clip(1 - np.abs(x), 0, 1))


def _cubic(x: Array, a: float) -> Array:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _packed(neighbours: Array, weights: Array, size: int) -> tuple[Array, Array]:
    """Weights of one element joined, zeros at the ends cut off, and as many for each place as the most that any needs."""
    rows = []
    for places, row in zip(neighbours, weights, strict=True):
        sums = {int(place): float(row[places == place].sum()) for place in places}
        used = sorted(place for place, weight in sums.items() if weight != 0) or [int(places[0])]
        rows.append((used, sums))
    taps = max((used[-1] - used[0] + 1 for used, _ in rows), default=1)
    first = np.array([min(used[0], size - taps) for used, _ in rows], np.int32)
    found = np.zeros((len(rows), taps))
    for index, (used, sums) in enumerate(rows):
        for place in used:
            found[index, place - first[index]] = sums[place]
    return first, found
