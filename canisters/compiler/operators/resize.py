"""Resize and Upsample: an image, or any tensor, at another size; one axis after the other.

Source: ONNX Operators, Resize-10, -11, -13, -18, -19; Upsample-9. Sizes, scales and the region shown are constants, so that places and weights are
tables (`resampling`). Nearest takes any type; linear and cubic compute in float32 or float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from canisters.compiler.ir import ANY, C_TYPES, HALVES, Array, Graph, Node, TensorType

from .registry import Kernel, Mode, Typing, axis_of, c_constant, operator
from .resampling import COORDINATES, NEAREST, Table, Way, table

_FLOATS = ("float32", "float64")
_TYPES = tuple(dtype for dtype in ANY if dtype not in HALVES)
_MAX_SIZE = 1 << 16  # of an axis, for which tables are made
_CHECK = "Check the model with onnx.checker"


@dataclass(frozen=True)
class _Axis:
    axis: int
    out: int
    scale: float
    way: Way


def _way(node: Node) -> Way:
    modern = node.op == "Resize" and int(node.attributes.get("opset", 11)) >= 11
    given = node.attributes
    return Way(
        str(given.get("mode", "nearest")),
        str(given.get("coordinate_transformation_mode", "half_pixel")) if modern else "asymmetric",
        str(given.get("nearest_mode", "round_prefer_floor"))
        if modern
        else "simple"
        if node.op == "Resize"
        else "floor",
        float(given.get("cubic_coeff_a", -0.75)),
        bool(given.get("exclude_outside", 0)),
        bool(given.get("antialias", 0)),
    )


def _plan(node: Node, typing: Typing) -> list[_Axis]:
    """Every axis that changes. Raises CannotCompile."""
    shape = typing.input(node).shape
    way = _way(node)
    if (
        way.mode not in ("nearest", "linear", "cubic")
        or way.coordinates not in COORDINATES
        or way.nearest not in NEAREST
    ):
        raise node.cannot(f"its mode is {way.mode!r}, {way.coordinates!r}, {way.nearest!r}", _CHECK)
    modern = node.op == "Resize" and len(node.inputs) > 2
    given = node.attributes.get("axes")
    axes = list(range(len(shape))) if given is None else [axis_of(node, int(axis), len(shape)) for axis in given]
    # The name of the attribute is that of Upsample-7; newer ones have an input.
    scales, sizes = (
        _numbers(typing.value(node, 2 if modern else 1)),
        _numbers(typing.value(node, 3)) if len(node.inputs) > 3 else [],
    )
    if len(sizes or scales) != len(axes) or not all(0 <= number < math.inf for number in sizes or scales):
        raise node.cannot(f"its sizes {sizes} and scales {scales} do not fit {len(axes)} axes", _CHECK)
    region = _numbers(typing.value(node, 1)) if modern and way.coordinates == "tf_crop_and_resize" else []
    if region and (len(region) != 2 * len(axes) or not all(map(math.isfinite, region))):
        raise node.cannot(f"its region of {len(region)} numbers does not fit {len(axes)} axes", _CHECK)
    outs = [int(size) for size in sizes]
    if sizes:
        outs, scales = _by_sizes(node, [shape[axis] for axis in axes], outs)
    else:
        outs = [int(scale * shape[axis]) for axis, scale in zip(axes, scales, strict=True)]
    found = []
    for index, (axis, out, scale) in enumerate(zip(axes, outs, scales, strict=True)):
        part = (region[index], region[index + len(axes)]) if region else (0.0, 1.0)
        if out == shape[axis] and math.isclose(scale, 1.0) and part == (0.0, 1.0):
            continue
        if shape[axis] == 0:
            raise node.cannot(f"axis {axis} has no elements", "Fix the symbolic axes to sizes of at least 1")
        if max(out, shape[axis]) > _MAX_SIZE:
            raise node.cannot(f"it makes {out} of {shape[axis]} elements", f"Axes of at most {_MAX_SIZE} are resized")
        found.append(_Axis(axis, out, scale, replace(way, region=part)))
    return found


def _numbers(value: Array | None) -> list[float]:
    return [] if value is None else [float(item) for item in value.ravel()]


def _by_sizes(node: Node, shape: list[int], sizes: list[int]) -> tuple[list[int], list[float]]:
    """Sizes and scales, made one scale for all axes when the aspect ratio is to be kept."""
    scales = [size / old if old else 1.0 for size, old in zip(sizes, shape, strict=True)]
    policy = str(node.attributes.get("keep_aspect_ratio_policy", "stretch"))
    if policy == "stretch" or not scales:
        return sizes, scales
    if policy not in ("not_larger", "not_smaller"):
        raise node.cannot(f"its keep_aspect_ratio_policy is {policy!r}", _CHECK)
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [int(scale * old + 0.5) for old in shape], [scale] * len(shape)


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    node = replace(node, attributes={**node.attributes, "opset": typing.opset})
    shape = list(found.shape)
    for axis in _plan(node, typing):
        shape[axis.axis] = axis.out
    if found.dtype not in _FLOATS and _way(node).mode != "nearest":
        raise node.cannot(
            f"its mode is {_way(node).mode!r} and its input {found.dtype}", "Cast it to float32 in the model"
        )
    return (TensorType(found.dtype, tuple(shape)),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    axes = _plan(node, Typing(graph.types, graph.constants, 0))
    if not axes:
        return Kernel(f"copy_bytes(U8({{y0}}), U8({{x0}}), {out.size_bytes});")
    lines, weights, scratch = [], {}, {}
    shape, source = list(found.shape), "{x0}"
    tables = [table(axis.way, shape[axis.axis], axis.out, axis.scale) for axis in axes]
    for index, (axis, made) in enumerate(zip(axes, tables, strict=True)):
        target = "{y0}" if index == len(axes) - 1 else f"{{s_part{index}}}"
        sizes = math.prod(shape[: axis.axis]), shape[axis.axis], axis.out, math.prod(shape[axis.axis + 1 :])
        shape[axis.axis] = axis.out
        lines.append(_pass(found.dtype, axis.way.mode, made, sizes, source, target, index))
        weights[f"first{index}"] = made.first.tobytes()
        if axis.way.mode != "nearest":
            weights[f"weights{index}"] = made.weights.astype(found.dtype).tobytes()
        if target != "{y0}":
            scratch[f"part{index}"] = math.prod(shape) * TensorType(found.dtype, ()).size_bytes
        source = target
    value = c_constant(np.array(node.attributes.get("extrapolation_value", 0.0)), found.dtype)
    for axis, made in zip(axes, tables, strict=True):
        lines += _blanked(out, axis.axis, made.is_outside, value)
    return Kernel("\n".join(lines), weights, scratch)


def _pass(
    dtype: str, mode: str, made: Table, sizes: tuple[int, int, int, int], source: str, target: str, index: int
) -> str:
    """C for one axis; `sizes`: outer, axis, out, inner."""
    *rest, inner = sizes
    first = f"I32({{w_first{index}}})"
    if mode == "nearest":
        run = inner * TensorType(dtype, ()).size_bytes
        return f"resize_nearest(U8({source}), U8({target}), {first}, {', '.join(map(str, rest))}, {run});"
    c_type, suffix = C_TYPES[dtype], "f32" if dtype == "float32" else "f64"
    pointers = f"({c_type} *){source}, ({c_type} *){target}, {first}, ({c_type} *){{w_weights{index}}}"
    return f"resize_axis_{suffix}({pointers}, {', '.join(map(str, sizes))}, {made.weights.shape[1]});"


def _blanked(out: TensorType, axis: int, outside: Array, value: str) -> list[str]:
    """C that puts the extrapolated value wherever a place of the axis lies outside the input, a run of places at a time."""
    c_type, inner = C_TYPES[out.dtype], math.prod(out.shape[axis + 1 :])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], outside.astype(np.int8), [0]])))
    return [
        f"ROLLED for (unsigned o = 0; o < {math.prod(out.shape[:axis])}; o++)\n"
        f"  EACH(({c_type} *){{y0}} + (o * {out.shape[axis]} + {start}) * {inner}, {(end - start) * inner}, {value});"
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


operator("Resize", since=10, infer=_infer, lower=_lower, types=_TYPES)
operator("Upsample", infer=_infer, lower=_lower, types=_TYPES)
