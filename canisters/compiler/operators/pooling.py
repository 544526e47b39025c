"""MaxPool, AveragePool, LpPool, GlobalLpPool over one to three spatial axes, and MaxUnpool.

Source: ONNX Operators, MaxPool-8, -10, -11, -12, -22; AveragePool-7, -10, -11, -19, -22; LpPool-2, -11, -18, -22; GlobalLpPool-2, -22;
MaxUnpool-9, -11, -22. Over float32 with one or two axes borders are filled in and rows pooled four outputs at a time (kernels/pool.h);
all else looks at each window by itself (kernels/spaces.h). How many elements count in each window of an average is worked out when compiling.
"""

from __future__ import annotations

import math

import numpy as np

from canisters.compiler.ir import C_TYPES, Array, Graph, Node, TensorType

from .convolution import bordered, over_batch
from .loops import contiguous
from .registry import Kernel, Mode, Typing, c_float, operator
from .spaces import Space, numbers, space, spatial_shape
from .windows import MAX_TAPS, Window, window

_LOWEST = {"float32": "-__builtin_inff()", "int8": "-128", "uint8": "0"}


def _kernel(node: Node) -> tuple[int, ...]:
    return tuple(int(v) for v in node.attributes["kernel_shape"])


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node, 0, tuple(_LOWEST) if node.op == "MaxPool" else ("float32",))
    if len(found.shape) < 3:
        raise node.cannot(f"its input {found} has no spatial axes", "Check the model with onnx.checker")
    out = space(node, found.shape[2:], _kernel(node)).out
    shape = (*found.shape[:2], *spatial_shape(out, len(found.shape) - 2))
    return (TensorType(found.dtype, shape), TensorType("int64", shape))[: 2 if node.op == "MaxPool" else 1]


def _infer_global(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    if len(found.shape) < 3:
        raise node.cannot(f"its input {found} has no spatial axes", "Check the model with onnx.checker")
    return (TensorType("float32", (*found.shape[:2], *(1 for _ in found.shape[2:]))),)


def _is_plain(node: Node, graph: Graph) -> bool:
    """Whether the kernels for bordered planes do: float32, one or two axes, no indices, borders that are none or more."""
    found = graph.type(node.inputs[0])
    return (
        found.dtype == "float32"
        and len(found.shape) <= 4
        and not any(node.outputs[1:])
        and math.prod(_kernel(node)) <= MAX_TAPS
        and min(node.attributes.get("pads", (0,)), default=0) >= 0
    )


def _lower_general(node: Node, graph: Graph) -> Kernel:
    found = graph.type(node.inputs[0])
    s = space(node, found.shape[2:], _kernel(node))
    planes, c_type = found.shape[0] * found.shape[1], C_TYPES[found.dtype]
    weights: dict[str, bytes] = {}
    if node.op == "MaxPool":
        lines = [
            f"{c_type} best = {_LOWEST[found.dtype]};",
            "int where = -1;",
            "LARGEST_OF_WINDOW(x, s, p, best, where);",
            "y[p] = best;",
        ]
        if len(node.outputs) > 1 and node.outputs[1]:
            lines.append(
                f"I64({{y1}})[c * {s.outs} + p] = where < 0 ? -1 : {_index(s, columns_first=bool(node.attributes.get('storage_order', 0)))};"
            )
    elif node.op == "AveragePool":
        weights["shares"] = _shares_of_space(
            s, counts_border=bool(node.attributes.get("count_include_pad", 0))
        ).tobytes()
        lines = ["y[p] = sum_of_window(x, s, p, 0.0f) * F32({w_shares})[p];"]
    else:
        power = c_float(float(node.attributes.get("p", 2)))
        lines = [f"y[p] = root_of(sum_of_window(x, s, p, {power}), {power});"]
    body = "\n".join(f"    {line}" for line in lines)
    return Kernel(
        f"const struct space s = {s.literal};\n"
        f"ROLLED for (unsigned c = 0; c < {planes}; c++) {{{{\n"
        f"  const {c_type} *x = ({c_type} *){{x0}} + c * {s.plane};\n"
        f"  {c_type} *y = ({c_type} *){{y0}} + c * {s.outs};\n"
        f"  ROLLED for (unsigned p = 0; p < {s.outs}; p++) {{{{\n{body}\n  }}}}\n}}}}",
        weights,
        note="each window by itself",
    )


def _index(s: Space, *, columns_first: bool) -> str:
    """Where the element is in the whole input; ONNX's storage order 1 counts the first spatial axis fastest."""
    if not columns_first:
        return f"(int64_t)c * {s.plane} + where"
    _, rows, columns = s.size
    z, y, x = f"where / {rows * columns}", f"where / {columns} % {rows}", f"where % {columns}"
    return f"(int64_t)c * {s.plane} + {z} + {s.size[0]} * ({y} + {rows} * ({x}))"


def _shares_of_space(s: Space, *, counts_border: bool) -> Array:
    """(outs): one over the number of elements that each window counts."""
    counts = np.ones((1, 1, 1))
    for axis in range(3):
        low = -s.before[axis] if counts_border else 0
        high = s.size[axis] + (s.after[axis] if counts_border else 0)
        starts = np.arange(s.out[axis])[:, None] * s.strides[axis] - s.before[axis]
        at = starts + np.arange(s.kernel[axis])[None, :] * s.dilations[axis]
        shape = [1, 1, 1]
        shape[axis] = s.out[axis]
        counts = counts * ((at >= low) & (at < high)).sum(axis=1).reshape(shape)
    return np.asarray(1.0 / np.maximum(1, counts), np.float32)


def _shares(w: Window, *, counts_border: bool) -> Array:
    """(oh, ow): one over the number of elements that each window counts."""
    counts = []
    for axis in (0, 1):
        low = -w.before[axis] if counts_border else 0
        high = w.size[axis] + (w.after[axis] if counts_border else 0)
        starts = np.arange(w.out[axis])[:, None] * w.strides[axis] - w.before[axis]
        at = starts + np.arange(w.kernel[axis])[None, :] * w.dilations[axis]
        counts.append(((at >= low) & (at < high)).sum(axis=1))
    return np.asarray(1.0 / np.maximum(1, np.outer(*counts)), np.float32)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    if graph.type(node.outputs[0]).size == 0:
        return Kernel("")
    if node.op == "LpPool" or not _is_plain(node, graph):
        return _lower_general(node, graph)
    shape = graph.type(node.inputs[0]).shape
    w = window(node, shape[2:], _kernel(node))
    planes, is_max = shape[0] * shape[1], node.op == "MaxPool"
    rows, pitch = bordered(w)
    # The last vector of a row may read three steps past it: two vectors with a stride of up to 2 stay within the slack.
    in_place = (rows, pitch) == w.size and w.strides[1] <= 2
    numbers = (planes, *w.out, *w.kernel, *w.strides, *w.dilations, rows * pitch, pitch)
    struct = f"(struct pool){{{{{', '.join(map(str, numbers))}}}}}"
    lines, scratch, source = [], {}, "x"
    if not in_place:
        scratch["planes"] = (planes * rows * pitch + 4 * w.strides[1] + 16) * 4
        source = "F32({s_planes})"
        border = "-__builtin_inff()" if is_max else "0.0f"
        lines.append(
            f"split_phases_f32(x, {source}, {planes}, {w.size[0]}, {w.size[1]}, {w.before[0]}, {w.before[1]}, 1, 1, {rows}, {pitch}, {border});"
        )
    if is_max:
        lines.append(f"max_pool_f32({source}, y, {struct});")
        return Kernel(over_batch(1, 0, 0, lines), {}, scratch)
    lines.append(f"average_pool_f32({source}, F32({{w_shares}}), y, {struct});")
    shares = _shares(w, counts_border=bool(node.attributes.get("count_include_pad", 0)))
    return Kernel(over_batch(1, 0, 0, lines), {"shares": shares.tobytes()}, scratch)


def _lower_global(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape = graph.type(node.inputs[0]).shape
    size, power = math.prod(shape[2:]), c_float(float(node.attributes.get("p", 2)))
    whole = Space((1, 1, size), (1, 1, size), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1))
    value = f"root_of(sum_of_window(F32({{x0}}) + i * {size}, s, 0, {power}), {power})"
    return Kernel(f"const struct space s = {whole.literal};\nEACH(F32({{y0}}), {shape[0] * shape[1]}, {value});")


# --- MaxUnpool ---


def _unpooled(node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What the kernel, strides and pads say that was pooled."""
    rank = len(shape) - 2
    kernel, strides, pads = _kernel(node), numbers(node, "strides", rank, 1), numbers(node, "pads", 2 * rank, 0)
    return (
        *shape[:2],
        *((shape[i + 2] - 1) * strides[i] - pads[i] - pads[i + rank] + kernel[i] for i in range(rank)),
    )


def _infer_unpool(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    if len(found.shape) < 3 or typing.input(node, 1) != TensorType("int64", found.shape):
        raise node.cannot(f"its inputs are {found} and {typing.input(node, 1)}", "Check the model with onnx.checker")
    whole = _unpooled(node, found.shape)
    given = typing.value(node, 2)
    shape = whole if given is None else tuple(int(size) for size in np.ravel(given))
    if (
        len(shape) != len(whole)
        or any(size < least for size, least in zip(shape, whole, strict=True))
        or min(whole) < 0
    ):
        raise node.cannot(
            f"its output {list(shape)} is smaller than {list(whole)}", "Check the model with onnx.checker"
        )
    return (TensorType("float32", shape),)


def _lower_unpool(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    whole = _unpooled(node, found.shape)
    place = "(unsigned)at"
    if whole != out.shape:
        steps, place = contiguous(out.shape), ""
        for size, step, inner in zip(whole, steps, contiguous(whole), strict=True):
            place += f"{' + ' if place else ''}(unsigned)at / {inner} % {size} * {step}"
    # An index may be anything: what lies outside is left out.
    return Kernel(
        f"fill_f32(F32({{y0}}), 0.0f, {out.size});\n"
        f"ROLLED for (unsigned i = 0; i < {found.size}; i++) {{{{\n"
        "  const int64_t at = I64({x1})[i];\n"
        f"  if (at >= 0 && at < {math.prod(whole)}) F32({{y0}})[{place}] = F32({{x0}})[i];\n}}}}"
    )


for _name in ("MaxPool", "AveragePool", "LpPool"):
    operator(_name, infer=_infer, lower=_lower)
operator("GlobalLpPool", infer=_infer_global, lower=_lower_global)
operator("MaxUnpool", infer=_infer_unpool, lower=_lower_unpool)
