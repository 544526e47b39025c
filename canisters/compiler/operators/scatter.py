"""Scatter, ScatterElements, ScatterND, TensorScatter: a copy of a tensor with other elements at given places.

Source: ONNX Operators, Scatter-9, ScatterElements-11, -13, -16, -18; ScatterND-11, -13, -16, -18; TensorScatter-24. Updates are applied in the
order in which they lie; NaN is kept by the reductions. A run-time index outside its axis fails the call.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import ANY, CODES, FLOATS, HALVES, Graph, Node, TensorType

from .gather import element, elements_loop, places_loop
from .indices import failure, index_type, is_wide, require_elements, require_within
from .loops import contiguous
from .registry import Kernel, Mode, Typing, axis_of, operator

_RULES = {
    "none": "{u}",
    "add": "({c}){y} + {u}",
    "mul": "({c}){y} * {u}",
    "max": "{y} > {u}{nan} ? {y} : {u}",
    "min": "{y} < {u}{nan} ? {y} : {u}",
}
# Halves are added and compared as float32 (halves.py).
_TYPES = tuple(dtype for dtype in ANY if dtype not in HALVES)


def _joined(node: Node, data: TensorType, place: str, update: str) -> str:
    """C that puts an update into the copy. Integers wrap: they are added and multiplied without sign."""
    c_type = element(data)[0]
    unsigned = "uint64_t" if data.dtype[:3] in ("int", "uin") else c_type
    nan = f" || {place} != {place}" if data.dtype in FLOATS else ""
    return f"{place} = ({c_type})({_RULES[_reduction(node)].format(c=unsigned, y=place, u=update, nan=nan)});"


def _reduction(node: Node) -> str:
    return str(node.attributes.get("reduction", "none"))


def _require_joinable(node: Node, data: TensorType, updates: TensorType) -> None:
    reduction = _reduction(node)
    if reduction not in _RULES:
        raise node.cannot(f"its reduction is {reduction!r}", f"One of {', '.join(_RULES)} is offered")
    if reduction != "none" and (data.dtype == "bool" or data.dtype in CODES):
        raise node.cannot(
            f"its reduction {reduction!r} is of {data.dtype}", "Cast the data to a numeric type in the model"
        )
    if data.dtype != updates.dtype:
        raise node.cannot(
            f"its updates are {updates.dtype} and its data {data.dtype}", "Check the model with onnx.checker"
        )


def _copied(data: TensorType) -> str:
    return f"copy_bytes(U8({{y0}}), U8({{x0}}), {data.size_bytes});"


# --- ScatterElements ---


def _infer_elements(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    data, indices, updates = typing.input(node), index_type(node, typing, 1), typing.input(node, 2)
    _require_joinable(node, data, updates)
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(data.shape))
    fits = len(indices.shape) == len(data.shape) > 0 and indices.shape == updates.shape
    if not fits or any(i > d for a, (i, d) in enumerate(zip(indices.shape, data.shape, strict=True)) if a != axis):
        raise node.cannot(
            f"indices {indices} and updates {updates} do not fit {data}", "Check the model with onnx.checker"
        )
    require_elements(node, data.shape[axis : axis + 1], indices)
    require_within(node, typing.known(node, 1), data.shape[axis], axis)
    return (data,)


def _lower_elements(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    data, indices = graph.type(node.inputs[0]), graph.type(node.inputs[1])
    if indices.size == 0:
        return Kernel(_copied(data))
    axis, c_type = axis_of(node, int(node.attributes.get("axis", 0)), len(data.shape)), element(data)[0]
    update = f"(({c_type} *){{{{x2}}}}){{other}}"
    body = f"{c_type} *const y = ({c_type} *){{{{y0}}}}; " + _joined(node, data, "y{place}", update)
    kernel = elements_loop(node, indices.shape, contiguous(data.shape), axis, data.shape[axis], indices, "{x1}", body)
    return Kernel(f"{_copied(data)}\n{kernel.code}", data_bytes=kernel.data_bytes)


# --- ScatterND ---


def _infer_nd(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    data, indices, updates = typing.input(node), index_type(node, typing, 1), typing.input(node, 2)
    _require_joinable(node, data, updates)
    depth = indices.shape[-1] if indices.shape else 0
    if not 1 <= depth <= len(data.shape) or updates.shape != (*indices.shape[:-1], *data.shape[depth:]):
        raise node.cannot(
            f"indices {indices} and updates {updates} do not fit {data}", "Check the model with onnx.checker"
        )
    require_elements(node, data.shape[:depth], indices)
    return (data,)


def _lower_nd(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    data, indices, updates = (graph.type(name) for name in node.inputs)
    if updates.size == 0:
        return Kernel(_copied(data))
    c_type, size = element(data)
    run = math.prod(data.shape[indices.shape[-1] :])
    if _reduction(node) == "none":
        body = (
            f"copy_run(U8({{{{y0}}}}) + {size} * {{place}}, U8({{{{x2}}}}) + {run * size} * {{number}}, {run * size});"
        )
    else:
        joined = _joined(
            node, data, f"(({c_type} *){{{{y0}}}})[{{place}} + i]", f"(({c_type} *){{{{x2}}}})[{run} * {{number}} + i]"
        )
        body = f"ROLLED for (unsigned i = 0; i < {run}; i++) {joined}"
    kernel = places_loop(node, data.shape, indices, 0, "{x1}", body)
    return Kernel(f"{_copied(data)}\n{kernel.code}", data_bytes=kernel.data_bytes)


# --- TensorScatter ---


def _cache_axis(node: Node, shape: tuple[int, ...]) -> int:
    axis = axis_of(node, int(node.attributes.get("axis", -2)), len(shape))
    if axis == 0:
        raise node.cannot("its axis is the batch", "Check the model with onnx.checker")
    return axis


def _infer_tensor(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    cache, update = typing.input(node), typing.input(node, 1)
    axis = _cache_axis(node, cache.shape)
    fits = len(update.shape) == len(cache.shape) and update.dtype == cache.dtype
    if not fits or any(
        u > c if i == axis else u != c for i, (u, c) in enumerate(zip(update.shape, cache.shape, strict=True))
    ):
        raise node.cannot(f"the update {update} does not fit {cache}", "Check the model with onnx.checker")
    if node.input(2) and index_type(node, typing, 2).shape != cache.shape[:1]:
        raise node.cannot("there is not one place for each batch", "Check the model with onnx.checker")
    if node.attributes.get("mode", "linear") not in ("linear", "circular"):
        raise node.cannot(f"its mode is {node.attributes['mode']!r}", "One of linear and circular is offered")
    return (cache,)


def _lower_tensor(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    cache, update = graph.type(node.inputs[0]), graph.type(node.inputs[1])
    if update.size == 0:
        return Kernel(_copied(cache))
    axis = _cache_axis(node, cache.shape)
    run = math.prod(cache.shape[axis + 1 :]) * element(cache)[1]
    rows, room = update.shape[axis], cache.shape[axis]
    batches, inner = cache.shape[0], math.prod(cache.shape[1:axis])
    circular = node.attributes.get("mode", "linear") == "circular"
    text = failure(node, "a place to write at is outside the cache")
    start = f"index_at((const void *){{x2}}, b, {is_wide(graph.type(node.inputs[2]))})" if node.input(2) else "0"
    # In a ring any place at or behind 0 is one; otherwise all rows have to fit behind it.
    first = (
        f"place({start} < 0 ? -{room + 1} : {start} % {room}, {room}, {text})"
        if circular
        else f"place({start} < 0 ? -{room + 1} : {start}, {room - rows + 1}, {text})"
    )
    at = f"(first + r) % {room}" if circular else "first + r"
    code = f"""\
{_copied(cache)}
ROLLED for (unsigned b = 0; b < {batches}; b++) {{{{
  const unsigned first = {first};
  ROLLED for (unsigned o = {inner} * b; o < {inner} * (b + 1); o++)
    ROLLED for (unsigned r = 0; r < {rows}; r++)
      copy_run(U8({{y0}}) + ({room} * o + {at}) * {run}, U8({{x1}}) + ({rows} * o + r) * {run}, {run});
}}}}"""
    return Kernel(code, data_bytes=len(text))


operator("Scatter", infer=_infer_elements, lower=_lower_elements, types=_TYPES)
operator("ScatterElements", since=11, infer=_infer_elements, lower=_lower_elements, types=_TYPES)
operator("ScatterND", since=11, infer=_infer_nd, lower=_lower_nd, types=_TYPES)
operator("TensorScatter", since=24, infer=_infer_tensor, lower=_lower_tensor, types=ANY)
