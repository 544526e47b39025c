"""Transpose, Concat, Slice, Split, Pad, Expand: elements moved, none changed. All are copies of blocks with steps.

Source: ONNX Operators, Transpose-1, Concat-4, Slice-1 and -10, Split-2..., Pad-2 and -11, Expand-8. Any element type.
"""

from __future__ import annotations

from canisters.compiler.ir import C_TYPES, Graph, Node, TensorType

from .binary import broadcast
from .loops import contiguous, copy, strides_of
from .registry import Kernel, Mode, Typing, axis_of, c_float, operator


def _element(type_: TensorType) -> tuple[str, int]:
    return C_TYPES[type_.dtype], TensorType(type_.dtype, ()).size_bytes


# --- Transpose ---


def _permutation(node: Node, rank: int) -> tuple[int, ...]:
    given = tuple(int(axis) for axis in node.attributes.get("perm", reversed(range(rank))))
    if sorted(given) != list(range(rank)):
        raise node.cannot(f"perm {list(given)} is no order of {rank} axes", "Check the model with onnx.checker")
    return given


def _infer_transpose(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    return (TensorType(found.dtype, tuple(found.shape[axis] for axis in _permutation(node, len(found.shape)))),)


def _lower_transpose(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    steps = contiguous(found.shape)
    from_steps = tuple(steps[axis] for axis in _permutation(node, len(found.shape)))
    return Kernel(copy(*_element(found), out.shape, "{x0}", 0, from_steps, "{y0}", 0, contiguous(out.shape)))


# --- Concat and Split ---


def _infer_concat(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = [typing.input(node, index) for index in range(len(node.inputs))]
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(found[0].shape))
    rest = {(type_.dtype, type_.shape[:axis], type_.shape[axis + 1 :]) for type_ in found}
    if len(rest) != 1:
        raise node.cannot(
            f"{', '.join(map(str, found))} differ in more than axis {axis}", "Fix the symbolic axes to sizes that fit"
        )
    size = sum(type_.shape[axis] for type_ in found)
    return (TensorType(found[0].dtype, (*found[0].shape[:axis], size, *found[0].shape[axis + 1 :])),)


def _lower_concat(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out = graph.type(node.outputs[0])
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(out.shape))
    steps, at, parts = contiguous(out.shape), 0, []
    for index, name in enumerate(node.inputs):
        part = graph.type(name)
        parts.append(
            copy(
                *_element(part), part.shape, f"{{x{index}}}", 0, contiguous(part.shape), "{y0}", at * steps[axis], steps
            )
        )
        at += part.shape[axis]
    return Kernel("\n".join(filter(None, parts)))


def _infer_split(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(found.shape))
    sizes = typing.integers(node, "split", 1)
    if sizes is None:
        count = int(node.attributes.get("num_outputs", len(node.outputs)))
        each = -(-found.shape[axis] // count)
        sizes = tuple(max(0, min(each, found.shape[axis] - each * i)) for i in range(count))
    if sum(sizes) != found.shape[axis] or len(sizes) != len(node.outputs):
        raise node.cannot(
            f"the parts {list(sizes)} do not make up axis {axis} of {found}", "Fix the symbolic axes to sizes that fit"
        )
    return tuple(TensorType(found.dtype, (*found.shape[:axis], size, *found.shape[axis + 1 :])) for size in sizes)


def _lower_split(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    axis = axis_of(node, int(node.attributes.get("axis", 0)), len(found.shape))
    steps, at, parts = contiguous(found.shape), 0, []
    for index, name in enumerate(node.outputs):
        part = graph.type(name)
        parts.append(
            copy(
                *_element(part), part.shape, "{x0}", at * steps[axis], steps, f"{{y{index}}}", 0, contiguous(part.shape)
            )
        )
        at += part.shape[axis]
    return Kernel("\n".join(filter(None, parts)))


# --- Slice ---


def _slices(node: Node, typing: Typing, shape: tuple[int, ...]) -> list[range]:
    starts, ends = typing.integers(node, "starts", 1), typing.integers(node, "ends", 2)
    if starts is None or ends is None:
        raise node.cannot("it has no starts or ends", "Check the model with onnx.checker")
    axes = typing.integers(node, "axes", 3) or tuple(range(len(starts)))
    steps = typing.integers(node, "steps", 4) or (1,) * len(starts)
    found = [range(size) for size in shape]
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise node.cannot(
            "its starts, ends, axes and steps do not belong together", "Check the model with onnx.checker"
        )
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(node, axis, len(shape))
        # Python's slices mean the same, but for the end of a backward slice: there, below -size means "to the very start".
        stop = None if step < 0 and end < -shape[axis] else end
        found[axis] = range(shape[axis])[slice(start, stop, step)]
    return found


def _infer_slice(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    return (TensorType(found.dtype, tuple(len(taken) for taken in _slices(node, typing, found.shape))),)


def _lower_slice(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    taken = _slices(node, Typing(graph.types, graph.constants, 0), found.shape)
    steps = contiguous(found.shape)
    start = sum(step * (r.start if len(r) else 0) for step, r in zip(steps, taken, strict=True))
    from_steps = tuple(step * r.step for step, r in zip(steps, taken, strict=True))
    return Kernel(copy(*_element(found), out.shape, "{x0}", start, from_steps, "{y0}", 0, contiguous(out.shape)))


# --- Pad ---


def _pads(node: Node, typing: Typing, rank: int) -> tuple[list[int], list[int], float]:
    """Elements added before and after each axis, and their value."""
    if node.attributes.get("mode", "constant") != "constant":
        raise node.cannot(f"its mode is {node.attributes['mode']!r}", "Pad with a constant")
    pads = typing.integers(node, "pads", 1)
    if pads is None:
        raise node.cannot("it has no pads", "Check the model with onnx.checker")
    fill = typing.value(node, 2) if len(node.inputs) > 2 else None
    value = float(node.attributes.get("value", 0.0)) if fill is None else float(fill.ravel()[0])
    axes = typing.integers(node, "axes", 3) if len(node.inputs) > 3 else None
    axes = tuple(range(rank)) if axes is None else tuple(axis_of(node, axis, rank) for axis in axes)
    if len(pads) != 2 * len(axes):
        raise node.cannot(f"{len(pads)} pads do not fit {len(axes)} axes", "Check the model with onnx.checker")
    before, after = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        before[axis], after[axis] = pads[index], pads[index + len(axes)]
    return before, after, value


def _infer_pad(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    before, after, _ = _pads(node, typing, len(found.shape))
    shape = tuple(b + size + a for b, size, a in zip(before, found.shape, after, strict=True))
    if min(shape, default=0) < 0:
        raise node.cannot(f"it cuts more than there is of {found}", "Check the model with onnx.checker")
    return (TensorType(found.dtype, shape),)


def _lower_pad(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    before, after, value = _pads(node, Typing(graph.types, graph.constants, 0), len(found.shape))
    kept = tuple(size + min(0, b) + min(0, a) for b, size, a in zip(before, found.shape, after, strict=True))
    from_steps, to_steps = contiguous(found.shape), contiguous(out.shape)
    cut = sum(step * max(0, -b) for step, b in zip(from_steps, before, strict=True))
    shifted = sum(step * max(0, b) for step, b in zip(to_steps, before, strict=True))
    c_type = C_TYPES[out.dtype]
    if out.dtype == "float32":
        fill = f"fill_f32(F32({{y0}}), {c_float(value)}, {out.size});"
    else:
        fill = f"EACH(({c_type} *){{y0}}, {out.size}, ({c_type}){int(value)});"
    moved = (
        copy(*_element(found), kept, "{x0}", cut, from_steps, "{y0}", shifted, to_steps)
        if min(kept, default=1) > 0
        else ""
    )
    return Kernel("\n".join(filter(None, [fill, moved])))


# --- Expand ---


def _infer_expand(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    wanted = typing.value(node, 1)
    shape = broadcast(node, found.shape, tuple(int(size) for size in (wanted.ravel() if wanted is not None else ())))
    return (TensorType(found.dtype, shape),)


def _lower_expand(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    return Kernel(
        copy(
            *_element(found), out.shape, "{x0}", 0, strides_of(found.shape, out.shape), "{y0}", 0, contiguous(out.shape)
        )
    )


operator("Transpose", infer=_infer_transpose, lower=_lower_transpose)
operator("Concat", infer=_infer_concat, lower=_lower_concat)
operator("Split", infer=_infer_split, lower=_lower_split)
operator("Slice", infer=_infer_slice, lower=_lower_slice)
operator("Pad", infer=_infer_pad, lower=_lower_pad)
operator("Expand", infer=_infer_expand, lower=_lower_expand)
