"""Gather, GatherElements, GatherND, Compress: elements at given places of an axis. Negative places count from the end.

Source: ONNX Operators, Gather-1, -11, -13; GatherElements-11, -13; GatherND-11 (no batch axes), -12, -13; Compress-9, -11. Any element type.
Constant indices in equal steps are a copy with steps; a run-time index outside its axis fails the call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from canisters.compiler.ir import ANY, C_TYPES, Graph, Node, TensorType

from .indices import failure, index_type, is_wide, require_elements, require_within
from .loops import Steps, address, contiguous, copy, nest
from .registry import Kernel, Mode, Typing, axis_of, operator

_OUTSIDE = "an index is outside its axis"


def element(type_: TensorType) -> tuple[str, int]:
    return C_TYPES[type_.dtype], TensorType(type_.dtype, ()).size_bytes


def _axis(node: Node, shape: tuple[int, ...]) -> int:
    if not shape:
        raise node.cannot("its data has no axis", "Check the model with onnx.checker")
    return axis_of(node, int(node.attributes.get("axis", 0)), len(shape))


# --- Gather ---


def _infer_gather(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    data, indices = typing.input(node), index_type(node, typing, 1)
    axis = _axis(node, data.shape)
    require_elements(node, data.shape[axis : axis + 1], indices)
    require_within(node, typing.known(node, 1), data.shape[axis], axis)
    return (TensorType(data.dtype, (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])),)


def _lower_gather(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    data, indices, out = graph.type(node.inputs[0]), graph.type(node.inputs[1]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    axis = _axis(node, data.shape)
    known = graph.constant(node.inputs[1])
    if known is not None:
        taken = known.ravel().astype(np.int64) % data.shape[axis]
        apart = np.diff(taken)
        if np.all(apart == apart[:1]):
            return Kernel(_steps_of_axis(data, axis, int(taken[0]), int(apart[0]) if apart.size else 1, taken.size))
    text = failure(node, _OUTSIDE)
    sizes = math.prod(data.shape[:axis]), data.shape[axis], indices.size
    run = math.prod(data.shape[axis + 1 :]) * element(data)[1]
    code = f"gather_runs(U8({{x0}}), (const void *){{x1}}, U8({{y0}}), {is_wide(indices)}, {', '.join(map(str, (*sizes, run)))}, {text});"
    return Kernel(code, data_bytes=len(text))


def _steps_of_axis(data: TensorType, axis: int, start: int, step: int, count: int) -> str:
    """C for the elements start, start + step, ... of an axis."""
    steps = contiguous(data.shape)
    shape = (*data.shape[:axis], count, *data.shape[axis + 1 :])
    from_steps = tuple(s * step if i == axis else s for i, s in enumerate(steps))
    return copy(*element(data), shape, "{x0}", start * steps[axis], from_steps, "{y0}", 0, contiguous(shape))


# --- GatherElements ---


def _infer_gather_elements(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    data, indices = typing.input(node), index_type(node, typing, 1)
    axis = _axis(node, data.shape)
    if len(indices.shape) != len(data.shape) or any(
        i > d for a, (i, d) in enumerate(zip(indices.shape, data.shape, strict=True)) if a != axis
    ):
        raise node.cannot(f"indices {indices} do not fit {data}", "Check the model with onnx.checker")
    require_elements(node, data.shape[axis : axis + 1], indices)
    require_within(node, typing.known(node, 1), data.shape[axis], axis)
    return (TensorType(data.dtype, indices.shape),)


def elements_loop(
    node: Node, shape: Sequence[int], steps: Steps, axis: int, size: int, indices: TensorType, at: str, body: str
) -> Kernel:
    """C that runs `body` for each index; there {place} is the element of the data that it names, {other} its own place. `at`: its address."""
    own = contiguous(shape)
    rest = tuple(0 if i == axis else step for i, step in enumerate(steps))
    text = failure(node, _OUTSIDE)
    lines = [
        f"const unsigned other = {address('0', 0, own)};",
        f"const unsigned at = place(index_at((const void *){at}, other, {is_wide(indices)}), {size}, {text});",
        body.format(place=f"[{address('0', 0, rest)} + {steps[axis]} * at]", other="[other]"),
    ]
    return Kernel(nest(shape, lines), data_bytes=len(text))


def _lower_gather_elements(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    data, indices = graph.type(node.inputs[0]), graph.type(node.inputs[1])
    if indices.size == 0:
        return Kernel("")
    axis, c_type = _axis(node, data.shape), element(data)[0]
    body = f"(({c_type} *){{{{y0}}}}){{other}} = (({c_type} *){{{{x0}}}}){{place}};"
    return elements_loop(node, indices.shape, contiguous(data.shape), axis, data.shape[axis], indices, "{x1}", body)


# --- GatherND ---


def _infer_gather_nd(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    data, indices = typing.input(node), index_type(node, typing, 1)
    batch = int(node.attributes.get("batch_dims", 0))
    depth = indices.shape[-1] if indices.shape else 0
    if (
        not 0 <= batch < min(len(data.shape), len(indices.shape))
        or data.shape[:batch] != indices.shape[:batch]
        or not 1 <= depth <= len(data.shape) - batch
    ):
        raise node.cannot(f"indices {indices} do not fit {data}", "Check the model with onnx.checker")
    require_elements(node, data.shape[batch : batch + depth], indices)
    return (TensorType(data.dtype, (*indices.shape[:-1], *data.shape[batch + depth :])),)


def places_loop(node: Node, shape: tuple[int, ...], indices: TensorType, batch: int, at: str, body: str) -> Kernel:
    """C that runs `body` for each run of elements that a list of indices names: {place} is its first element, {number} which run it is.
    `shape`: of the data; `at`: the address of the indices."""
    depth = indices.shape[-1]
    steps = contiguous(shape)
    batches, count = math.prod(shape[:batch]), math.prod(indices.shape[batch:-1])
    text = failure(node, _OUTSIDE)
    taken = [
        f"place(index_at((const void *){at}, {depth} * number + {i}, {is_wide(indices)}), {shape[batch + i]}, {text}) * {steps[batch + i]}"
        for i in range(depth)
    ]
    each_batch = math.prod(shape[batch:])
    lines = [
        f"const unsigned number = {address('n1', 0, (count,) if batches > 1 else ())};",
        f"const unsigned at = {' + '.join([*taken, *([f'{each_batch} * n0'] if batches > 1 else [])])};",
        body.format(place="at", number="number"),
    ]
    return Kernel(nest((batches, count), lines), data_bytes=len(text))


def _lower_gather_nd(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    data, indices, out = graph.type(node.inputs[0]), graph.type(node.inputs[1]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    batch = int(node.attributes.get("batch_dims", 0))
    size = element(data)[1]
    run = math.prod(data.shape[batch + indices.shape[-1] :]) * size
    body = f"copy_run(U8({{{{y0}}}}) + {run} * {{number}}, U8({{{{x0}}}}) + {size} * {{place}}, {run});"
    return places_loop(node, data.shape, indices, batch, "{x1}", body)


# --- Compress ---


def _kept(node: Node, typing: Typing) -> tuple[TensorType, int, list[int]]:
    """The data (as a row when no axis is named), the axis and the places that are kept."""
    data = typing.input(node)
    condition = typing.value(node, 1)
    if condition is None:
        raise node.cannot("it has no condition", "Check the model with onnx.checker")
    seen = TensorType(data.dtype, (data.size,)) if "axis" not in node.attributes else data
    axis = _axis(node, seen.shape)
    kept = [int(i) for i in np.flatnonzero(condition)]
    if kept and kept[-1] >= seen.shape[axis]:
        raise node.cannot(f"its condition is longer than axis {axis} of {seen}", "Check the model with onnx.checker")
    return seen, axis, kept


def _infer_compress(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    seen, axis, kept = _kept(node, typing)
    return (TensorType(seen.dtype, (*seen.shape[:axis], len(kept), *seen.shape[axis + 1 :])),)


def _lower_compress(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    seen, axis, kept = _kept(node, Typing(graph.types, graph.constants, 0))
    if graph.type(node.outputs[0]).size == 0:
        return Kernel("")
    run = math.prod(seen.shape[axis + 1 :]) * element(seen)[1]
    sizes = math.prod(seen.shape[:axis]), seen.shape[axis], len(kept), run
    text = failure(node, _OUTSIDE)
    return Kernel(
        f"gather_runs(U8({{x0}}), (const void *){{w_kept}}, U8({{y0}}), false, {', '.join(map(str, sizes))}, {text});",
        {"kept": np.array(kept, np.int32).tobytes()},
        data_bytes=len(text),
    )


operator("Gather", infer=_infer_gather, lower=_lower_gather, types=ANY)
operator("GatherElements", since=11, infer=_infer_gather_elements, lower=_lower_gather_elements, types=ANY)
operator("GatherND", since=11, infer=_infer_gather_nd, lower=_lower_gather_nd, types=ANY)
operator("Compress", infer=_infer_compress, lower=_lower_compress, types=ANY)
