"""Tile, DepthToSpace, SpaceToDepth, ReverseSequence, Trilu, EyeLike, OneHot, CenterCropPad: elements repeated, reordered, blanked, marked.

Source: ONNX Operators, Tile-6, -13; DepthToSpace-1, -11, -13; SpaceToDepth-1, -13; ReverseSequence-10, Trilu-14, EyeLike-9, -22; OneHot-9, -11;
CenterCropPad-18. Any element type.
"""

from __future__ import annotations

import math

import numpy as np
import onnx

from canisters.compiler.ir import ANY, C_TYPES, CODES, HALVES, Graph, Node, TensorType

from .gather import element
from .indices import failure
from .loops import contiguous, copy
from .registry import Kernel, Mode, Typing, axes_of, axis_of, c_constant, operator

# --- Tile ---


def _infer_tile(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, repeats = typing.input(node), typing.integers(node, "repeats", 1)
    if repeats is None or len(repeats) != len(found.shape) or min(repeats, default=0) < 0:
        raise node.cannot(f"its repeats {repeats} do not fit {found}", "Check the model with onnx.checker")
    return (TensorType(found.dtype, tuple(size * count for size, count in zip(found.shape, repeats, strict=True))),)


def _lower_tile(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    shape, from_steps = [], []
    for size, whole, step in zip(found.shape, out.shape, contiguous(found.shape), strict=True):
        shape += [whole // size if size else 0, size]
        from_steps += [0, step]
    return Kernel(copy(*element(found), shape, "{x0}", 0, tuple(from_steps), "{y0}", 0, contiguous(shape)))


# --- depth and space ---


def _block(node: Node, typing: Typing) -> tuple[TensorType, int]:
    found, size = typing.input(node), int(node.attributes.get("blocksize", 0))
    if len(found.shape) != 4 or size < 1:
        raise node.cannot(f"its input is {found} and its blocksize {size}", "Check the model with onnx.checker")
    if node.attributes.get("mode", "DCR") not in ("DCR", "CRD"):
        raise node.cannot(f"its mode is {node.attributes['mode']!r}", "One of DCR and CRD is offered")
    return found, size


def _infer_to_space(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, size = _block(node, typing)
    n, c, h, w = found.shape
    if c % size**2:
        raise node.cannot(f"{c} channels are no multiple of {size**2}", "Check the model with onnx.checker")
    return (TensorType(found.dtype, (n, c // size**2, h * size, w * size)),)


def _infer_to_depth(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, size = _block(node, typing)
    n, c, h, w = found.shape
    if h % size or w % size:
        raise node.cannot(
            f"{h} x {w} is no multiple of its blocksize {size}", "Fix the symbolic axes to sizes that fit"
        )
    return (TensorType(found.dtype, (n, c * size**2, h // size, w // size)),)


def _reordered(type_: TensorType, seen: tuple[int, ...], order: tuple[int, ...]) -> Kernel:
    """The input seen under another shape, its axes in another order."""
    steps = contiguous(seen)
    shape = tuple(seen[axis] for axis in order)
    return Kernel(
        copy(*element(type_), shape, "{x0}", 0, tuple(steps[axis] for axis in order), "{y0}", 0, contiguous(shape))
    )


def _lower_to_space(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, size = graph.type(node.inputs[0]), int(node.attributes["blocksize"])
    n, c, h, w = found.shape
    if node.attributes.get("mode", "DCR") == "DCR":
        return _reordered(found, (n, size, size, c // size**2, h, w), (0, 3, 4, 1, 5, 2))
    return _reordered(found, (n, c // size**2, size, size, h, w), (0, 1, 4, 2, 5, 3))


def _lower_to_depth(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, size = graph.type(node.inputs[0]), int(node.attributes["blocksize"])
    n, c, h, w = found.shape
    order = (0, 3, 5, 1, 2, 4) if node.attributes.get("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return _reordered(found, (n, c, h // size, size, w // size, size), order)


# --- ReverseSequence ---


def _infer_reverse(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, lengths = typing.input(node), typing.input(node, 1)
    batch, time = int(node.attributes.get("batch_axis", 1)), int(node.attributes.get("time_axis", 0))
    if len(found.shape) < 2 or {batch, time} != {0, 1} or lengths != TensorType("int64", (found.shape[batch],)):
        raise node.cannot(f"its lengths are {lengths} and its input {found}", "Check the model with onnx.checker")
    return (found,)


def _lower_reverse(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    if found.size == 0:
        return Kernel("")
    batch_first = int(node.attributes.get("batch_axis", 1)) == 0
    steps, (batches, times) = contiguous(found.shape), found.shape[:2] if batch_first else found.shape[1::-1]
    per_batch, per_time = (steps[0], steps[1]) if batch_first else (steps[1], steps[0])
    size = element(found)[1]
    text = failure(node, "a length is longer than the sequence")
    code = f"""\
ROLLED for (unsigned b = 0; b < {batches}; b++) {{{{
  const int64_t given = I64({{x1}})[b];
  const unsigned count = place(given < 0 ? -{times + 2} : given, {times + 1}, {text});
  ROLLED for (unsigned t = 0; t < {times}; t++)
    copy_run(U8({{y0}}) + ({per_batch} * b + {per_time} * t) * {size},
             U8({{x0}}) + ({per_batch} * b + {per_time} * (t < count ? count - 1 - t : t)) * {size}, {math.prod(found.shape[2:]) * size});
}}}}"""
    return Kernel(code, data_bytes=len(text))


# --- Trilu and EyeLike ---


def _infer_trilu(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    if len(found.shape) < 2:
        raise node.cannot(f"its input is {found}, no matrix", "Check the model with onnx.checker")
    if node.input(1) and (typing.input(node, 1).dtype, typing.input(node, 1).size) != ("int64", 1):
        raise node.cannot(f"its diagonal is {typing.input(node, 1)}", "Check the model with onnx.checker")
    return (found,)


def _lower_trilu(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """Each row is cut where the diagonal meets it: one side is copied, the other is 0. The diagonal may be known only at run time."""
    found = graph.type(node.inputs[0])
    if found.size == 0:
        return Kernel("")
    rows, columns = found.shape[-2:]
    size = element(found)[1]
    known = graph.constant(node.input(1)) if node.input(1) else np.array(0)
    far = rows + columns
    diagonal = (
        str(max(-far, min(far, int(known.ravel()[0]))))
        if known is not None
        else f"k < -{far} ? -{far} : k > {far} ? {far} : k"
    )
    upper = bool(node.attributes.get("upper", 1))
    kept = "copy_bytes(y + {at}, x + {at}, {count});"
    blank = "fill_bytes(y + {at}, 0, {count});"
    left, right = (blank, kept) if upper else (kept, blank)
    given = "const int64_t k = I64({x1})[0];\n" if known is None else ""
    return Kernel(f"""\
{given}const int64_t diagonal = {diagonal};
const uint8_t *x = U8({{x0}});
uint8_t *y = U8({{y0}});
ROLLED for (unsigned m = 0; m < {math.prod(found.shape[:-2])}; m++)
  ROLLED for (unsigned r = 0; r < {rows}; r++, x += {columns * size}, y += {columns * size}) {{{{
    const int64_t edge = (int64_t)r + diagonal{"" if upper else " + 1"};
    const unsigned cut = edge < 0 ? 0 : edge > {columns} ? {columns * size} : {size} * (unsigned)edge;
    {left.format(at="0", count="cut")}
    {right.format(at="cut", count=f"{columns * size} - cut")}
  }}}}""")


def _infer_eye(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    if len(found.shape) != 2:
        raise node.cannot(f"its input is {found}, no matrix", "Check the model with onnx.checker")
    wanted = node.attributes.get("dtype")
    dtype = found.dtype if wanted is None else np.dtype(onnx.helper.tensor_dtype_to_np_dtype(int(wanted))).name
    return (TensorType(dtype, found.shape),)


def _lower_eye(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out = graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    rows, columns = out.shape
    k = int(node.attributes.get("k", 0))
    first, last = max(0, -k), min(rows, columns - k)
    lines = [f"fill_bytes(U8({{y0}}), 0, {out.size_bytes});"]
    if first < last:
        at = f"(({C_TYPES[out.dtype]} *){{y0}})[{first * columns + first + k} + {columns + 1} * i]"
        lines.append(f"ROLLED for (unsigned i = 0; i < {last - first}; i++) {at} = {c_constant(1, out.dtype)};")
    return Kernel("\n".join(lines))


# --- OneHot ---


def _infer_one_hot(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    indices, values = typing.input(node), typing.input(node, 2)
    depth = typing.value(node, 1)
    if depth is None or depth.size != 1 or int(depth.ravel()[0]) < 0 or values.shape != (2,):
        raise node.cannot(f"its values are {values}", "Check the model with onnx.checker")
    if indices.dtype in HALVES or indices.dtype in CODES:
        raise node.cannot(f"its indices are {indices.dtype}", "Cast them to int64 in the model")
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(indices.shape) + 1)
    return (TensorType(values.dtype, (*indices.shape[:axis], int(depth.ravel()[0]), *indices.shape[axis:])),)


def _lower_one_hot(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """Places outside are on nowhere."""
    indices, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(out.shape))
    depth, inner = out.shape[axis], math.prod(out.shape[axis + 1 :])
    c_type, index = C_TYPES[out.dtype], f"(({C_TYPES[indices.dtype]} *){{x0}})[i]"
    wanted = f"int_of({index})" if indices.dtype in ("float32", "float64") else f"(int64_t){index}"
    return Kernel(f"""\
const {c_type} *values = ({c_type} *){{x2}};
EACH(({c_type} *){{y0}}, {out.size}, values[0]);
ROLLED for (unsigned i = 0; i < {indices.size}; i++) {{{{
  const int64_t wanted = {wanted}, at = wanted < 0 ? wanted + {depth} : wanted;
  if ((uint64_t)at < {depth}) (({c_type} *){{y0}})[(i / {inner} * {depth} + (unsigned)at) * {inner} + i % {inner}] = values[1];
}}}}""")


# --- CenterCropPad ---


def _infer_center(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, wanted = typing.input(node), typing.integers(node, "", 1)
    given = node.attributes.get("axes")
    axes = (
        tuple(range(len(found.shape)))
        if given is None
        else tuple(axis_of(node, int(axis), len(found.shape)) for axis in given)
    )
    if (
        wanted is None
        or len(wanted) != len(axes)
        or min(wanted, default=0) < 0
        or len(axes_of(node, axes, len(found.shape))) != len(axes)
    ):
        raise node.cannot(f"the shape {wanted} does not fit the axes {list(axes)}", "Check the model with onnx.checker")
    sizes = dict(zip(axes, wanted, strict=True))
    return (TensorType(found.dtype, tuple(sizes.get(axis, size) for axis, size in enumerate(found.shape))),)


def _lower_center(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    kept = tuple(min(a, b) for a, b in zip(found.shape, out.shape, strict=True))
    from_steps, to_steps = contiguous(found.shape), contiguous(out.shape)
    start = sum(step * ((size - keep) // 2) for step, size, keep in zip(from_steps, found.shape, kept, strict=True))
    target = sum(step * ((size - keep) // 2) for step, size, keep in zip(to_steps, out.shape, kept, strict=True))
    blank = f"fill_bytes(U8({{y0}}), 0, {out.size_bytes});" if kept != out.shape else ""
    moved = copy(*element(found), kept, "{x0}", start, from_steps, "{y0}", target, to_steps)
    return Kernel("\n".join(filter(None, [blank, moved])))


operator("Tile", infer=_infer_tile, lower=_lower_tile, types=ANY)
operator("DepthToSpace", infer=_infer_to_space, lower=_lower_to_space, types=ANY)
operator("SpaceToDepth", infer=_infer_to_depth, lower=_lower_to_depth, types=ANY)
operator("ReverseSequence", since=10, infer=_infer_reverse, lower=_lower_reverse, types=ANY)
operator("Trilu", since=14, infer=_infer_trilu, lower=_lower_trilu, types=ANY)
operator("EyeLike", infer=_infer_eye, lower=_lower_eye, types=ANY)
operator("OneHot", infer=_infer_one_hot, lower=_lower_one_hot, types=ANY)
operator("CenterCropPad", since=18, infer=_infer_center, lower=_lower_center, types=ANY)
