"""Transpose, Concat, Slice, Split, Expand: elements moved, none changed. All are copies of blocks with steps.

Source: ONNX Operators, Transpose-1, Concat-4, Slice-1 and -10, Split-2..., Expand-8. Any element type.
"""

from __future__ import annotations

from canisters.compiler.ir import ANY, Graph, Node, TensorType

from .elementwise import broadcast
from .gather import element
from .loops import contiguous, copy, strides_of
from .registry import Kernel, Mode, Typing, axis_of, operator

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
    return Kernel(copy(*element(found), out.shape, "{x0}", 0, from_steps, "{y0}", 0, contiguous(out.shape)))


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
                *element(part), part.shape, f"{{x{index}}}", 0, contiguous(part.shape), "{y0}", at * steps[axis], steps
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
        if count != len(node.outputs):
            raise node.cannot(f"it has {len(node.outputs)} outputs, not {count}", "Check the model with onnx.checker")
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
                *element(part), part.shape, "{x0}", at * steps[axis], steps, f"{{y{index}}}", 0, contiguous(part.shape)
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
    return Kernel(copy(*element(found), out.shape, "{x0}", start, from_steps, "{y0}", 0, contiguous(out.shape)))


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
            *element(found), out.shape, "{x0}", 0, strides_of(found.shape, out.shape), "{y0}", 0, contiguous(out.shape)
        )
    )


operator("Transpose", infer=_infer_transpose, lower=_lower_transpose, types=ANY)
operator("Concat", infer=_infer_concat, lower=_lower_concat, types=ANY)
operator("Split", infer=_infer_split, lower=_lower_split, types=ANY)
operator("Slice", infer=_infer_slice, lower=_lower_slice, types=ANY)
operator("Expand", infer=_infer_expand, lower=_lower_expand, types=ANY)
