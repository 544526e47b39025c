"""Pad: a border of a constant, of the nearest elements, of reflected ones, or of those at the other end. Negative pads cut.

Source: ONNX Operators, Pad-2, -11, -13, -18, -19 (wrap). Any element type. The constant may be known only at run time. All but the constant
border are copies: along each axis the places that are read fall into pieces that run forwards, backwards or stay.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from canisters.compiler.ir import ANY, C_TYPES, Graph, Node, TensorType

from .gather import element
from .loops import contiguous, copy
from .registry import Kernel, Mode, Typing, axis_of, c_constant, operator

_MODES = ("constant", "reflect", "edge", "wrap")
_MAX_COPIES = 512
_MAX_BORDER = 1 << 16


def _mode_of(node: Node) -> str:
    return str(node.attributes.get("mode", "constant"))


def _pads(node: Node, typing: Typing, rank: int) -> tuple[list[int], list[int]]:
    """Elements added before and after each axis."""
    pads = typing.integers(node, "pads", 1)
    if pads is None:
        raise node.cannot("it has no pads", "Check the model with onnx.checker")
    given = typing.integers(node, "axes", 3) if len(node.inputs) > 3 else None
    axes = tuple(range(rank)) if given is None else tuple(axis_of(node, axis, rank) for axis in given)
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        raise node.cannot(f"{len(pads)} pads do not fit {len(axes)} axes", "Check the model with onnx.checker")
    before, after = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        before[axis], after[axis] = pads[index], pads[index + len(axes)]
    return before, after


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    mode = _mode_of(node)
    if mode not in _MODES:
        raise node.cannot(f"its mode is {mode!r}", f"One of {', '.join(_MODES)} is offered")
    before, after = _pads(node, typing, len(found.shape))
    if node.input(2) and (typing.input(node, 2).dtype != found.dtype or typing.input(node, 2).size != 1):
        raise node.cannot(f"its constant is {typing.input(node, 2)}", "Check the model with onnx.checker")
    shape = []
    for size, b, a in zip(found.shape, before, after, strict=True):
        kept = size + min(0, b) + min(0, a)
        if kept < 0:
            raise node.cannot(f"it cuts more than there is of {found}", "Check the model with onnx.checker")
        if mode != "constant" and kept == 0 and max(b, a) > 0:
            raise node.cannot(
                f"it repeats elements of an axis of {found} that has none",
                "Fix the symbolic axes to sizes of at least 1",
            )
        if mode != "constant" and max(b, a) > _MAX_BORDER:
            raise node.cannot(f"its border is {max(b, a)} wide", f"At most {_MAX_BORDER} elements are repeated")
        shape.append(kept + max(0, b) + max(0, a))
    return (TensorType(found.dtype, tuple(shape)),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    before, after = _pads(node, Typing(graph.types, graph.constants, 0), len(found.shape))
    pieces = [_pieces(_mode_of(node), *sizes) for sizes in zip(found.shape, before, after, strict=True)]
    count = math.prod(len(axis) for axis in pieces)
    if count > _MAX_COPIES:
        raise node.cannot(f"it takes {count} copies", "Pad fewer axes at a time")
    from_steps, to_steps = contiguous(found.shape), contiguous(out.shape)
    copies = [_fill(node, graph)] if _mode_of(node) == "constant" and any(b > 0 for b in (*before, *after)) else []
    for block in itertools.product(*pieces):
        start = sum(step * first for step, (_, first, _, _) in zip(from_steps, block, strict=True))
        target = sum(step * at for step, (at, _, _, _) in zip(to_steps, block, strict=True))
        steps = tuple(step * way for step, (_, _, way, _) in zip(from_steps, block, strict=True))
        copies.append(
            copy(*element(found), tuple(n for _, _, _, n in block), "{x0}", start, steps, "{y0}", target, to_steps)
        )
    return Kernel("\n".join(filter(None, copies)))


def _fill(node: Node, graph: Graph) -> str:
    out = graph.type(node.outputs[0])
    c_type = C_TYPES[out.dtype]
    known = graph.constant(node.input(2)) if node.input(2) else np.array(node.attributes.get("value", 0.0))
    value = f"*({c_type} *){{x2}}" if known is None else c_constant(known.ravel()[0], out.dtype)
    if out.dtype == "float32":
        return f"fill_f32(F32({{y0}}), {value}, {out.size});"
    return f"EACH(({c_type} *){{y0}}, {out.size}, {value});"


def _pieces(mode: str, size: int, before: int, after: int) -> list[tuple[int, int, int, int]]:
    """Of one axis: (first place written, first place read, step 1, -1 or 0, how many)."""
    low, high = max(0, -before), size - max(0, -after)
    if mode == "constant":
        return [(max(0, before), low, 1, high - low)]
    ahead = [low + _place(mode, i, high - low) for i in range(-max(0, before), 0)]
    behind = [low + _place(mode, i, high - low) for i in range(high - low, high - low + max(0, after))]
    middle = [(len(ahead), low, 1, high - low)]
    return [*_runs(ahead, 0), *middle, *_runs(behind, len(ahead) + high - low)]


def _place(mode: str, i: int, size: int) -> int:
    """Which of `size` elements stands at the place i of the endless bordered axis."""
    if mode == "edge":
        return min(max(i, 0), size - 1)
    if mode == "wrap":
        return i % size
    period = max(1, 2 * (size - 1))
    return min(i % period, period - i % period) if size > 1 else 0


def _runs(places: Sequence[int], first: int) -> list[tuple[int, int, int, int]]:
    """Pieces of a border whose elements are read from `places` and written from the place `first` on."""
    found: list[tuple[int, int, int, int]] = []
    at = 0
    while at < len(places):
        step = places[at + 1] - places[at] if at + 1 < len(places) else 1
        end = at + 1
        while step in (-1, 0, 1) and end < len(places) and places[end] - places[end - 1] == step:
            end += 1
        found.append((first + at, places[at], step if end > at + 1 else 1, end - at))
        at = end
    return found


operator("Pad", infer=_infer, lower=_lower, types=ANY)
