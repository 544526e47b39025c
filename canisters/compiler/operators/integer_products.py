"""MatMulInteger and ConvInteger: exact products of bytes, each less its zero point, in int32.

Source: ONNX Operators, MatMulInteger-10, ConvInteger-10. Both factors become int16 and are multiplied in pairs (kernels/integer_products.h); constant
weights that fit stay int8. QLinearMatMul and QLinearConv are written with these (`definitions.py`).
"""

from __future__ import annotations

import math

import numpy as np

from canisters.compiler.ir import Array, Graph, Node, TensorType

from .elementwise import broadcast
from .loops import address, nest, strides_of
from .registry import Kernel, Mode, Typing, operator
from .spaces import PANEL, infer_conv, over_samples, space

BYTES = ("uint8", "int8")
_CHECK = "Check the model with onnx.checker"


def _require_zero(node: Node, typing: Typing, index: int, of: int, sizes: tuple[int, ...]) -> None:
    """A zero point is one value, or one for each of `sizes`."""
    if not node.input(index):
        return
    zero, found = typing.input(node, index), typing.input(node, of)
    if (
        zero.dtype != found.dtype
        or zero.size not in (1, *sizes)
        or (zero.size > 1 and len([s for s in zero.shape if s != 1]) > 1)
    ):
        raise node.cannot(
            f"zero points {zero} do not fit {found}", "Give one for the tensor, or one for each row or column"
        )


def _is_signed(type_: TensorType) -> str:
    return "true" if type_.dtype == "int8" else "false"


def _zero(node: Node, graph: Graph, index: int) -> tuple[str, str]:
    """C of a zero point's address, 0 when there is none, and whether there are several."""
    if not node.input(index):
        return "0", "false"
    return f"U8({{x{index}}})", "true" if graph.type(node.inputs[index]).size > 1 else "false"


# --- MatMulInteger ---


def _infer_matmul(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    a, b = typing.floats(node, 0, BYTES), typing.floats(node, 1, BYTES)
    if not a.shape or not b.shape or a.shape[-1] != (b.shape[-2] if len(b.shape) > 1 else b.shape[0]):
        raise node.cannot(f"{a} and {b} do not multiply", "Fix the symbolic axes to sizes that fit")
    rows, columns = a.shape[-2:-1], b.shape[-1:] if len(b.shape) > 1 else ()
    _require_zero(node, typing, 2, 0, rows)
    _require_zero(node, typing, 3, 1, columns)
    return (TensorType("int32", (*broadcast(node, a.shape[:-2], b.shape[:-2]), *rows, *columns)),)


def _lower_matmul(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    a, b = graph.type(node.inputs[0]), graph.type(node.inputs[1])
    m, k = (1, a.shape[0]) if len(a.shape) == 1 else a.shape[-2:]
    n = 1 if len(b.shape) == 1 else b.shape[-1]
    batch = tuple(int(size) for size in np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    if 0 in (*batch, m, n):
        return Kernel("")
    pitch = -(-k // 2) * 2
    scratch, weights = {"rows": m * pitch * 2}, {}
    a_steps = tuple(step * m * k for step in strides_of(a.shape[:-2], batch))
    b_steps = tuple(step * k * n for step in strides_of(b.shape[:-2], batch))
    y_steps = tuple(step * m * n for step in strides_of(batch, batch))
    zero, each = _zero(node, graph, 2)
    body = [
        f"widen_rows({address('U8({x0})', 0, a_steps)}, {_is_signed(a)}, {zero}, {each}, I16({{s_rows}}), {m}, {k}, {pitch});"
    ]
    values = _known_columns(node, graph, k, n)
    if values is not None:
        is_narrow = bool(values.size) and values.min() >= -128 and values.max() <= 127
        weights["panels"] = _panels(values, np.int8 if is_narrow else np.int16)
        panels, narrow = "U8({w_panels})", "true" if is_narrow else "false"
    else:
        scratch["panels"] = pitch * -(-n // 4) * 4 * 2
        zero, each = _zero(node, graph, 3)
        panels, narrow = "I16({s_panels})", "false"
        body.append(
            f"pack_bytes({address('U8({x1})', 0, b_steps)}, {_is_signed(b)}, {zero}, {each}, I16({{s_panels}}), {k}, {n});"
        )
    body.append(
        f"integer_products(I16({{s_rows}}), {pitch}, {panels}, {address('I32({y0})', 0, y_steps)}, {m}, {n}, {k}, {narrow});"
    )
    return Kernel(nest(batch, body), weights, scratch, math.prod(batch) * m * n * k, "int8, exact")


def _known_columns(node: Node, graph: Graph, k: int, n: int) -> Array | None:
    """The second factor (k, n) less its zero points as int16, when it is one matrix and all that is known."""
    values, zeros = graph.constant(node.inputs[1]), graph.constant(node.input(3))
    if values is None or values.size != k * n or (node.input(3) and zeros is None):
        return None
    less = np.zeros(1, np.int16) if zeros is None else zeros.astype(np.int16).reshape(-1)
    return values.astype(np.int16).reshape(k, n) - less


def _panels(values: Array, dtype: type[np.generic]) -> bytes:
    """(k, n) as kernels/integer_products.h reads it."""
    k, n = values.shape
    even = np.pad(values, [(0, k % 2), (0, -n % 4)]).astype(dtype)
    pairs = even.reshape(-1, 2, even.shape[1]).transpose(0, 2, 1)
    return b"".join(
        np.ascontiguousarray(pairs[:, first : first + PANEL]).tobytes() for first in range(0, pairs.shape[1], PANEL)
    )


# --- ConvInteger ---


def _infer_conv(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, weights = typing.floats(node, 0, BYTES), typing.floats(node, 1, BYTES)
    _require_zero(node, typing, 2, 0, ())
    _require_zero(node, typing, 3, 1, weights.shape[:1])
    return infer_conv(node, found, weights, "int32")


def _lower_conv(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, weights = graph.type(node.inputs[0]), graph.type(node.inputs[1])
    if graph.type(node.outputs[0]).size == 0:
        return Kernel("")
    groups = int(node.attributes.get("group", 1))
    s = space(node, found.shape[2:], weights.shape[2:])
    ic, total, oc = weights.shape[1], weights.shape[0], weights.shape[0] // groups
    k = ic * s.taps
    pitch = -(-k // 2) * 2
    scratch, packed, before = {"panel": pitch * PANEL * 2}, {}, ""
    constant, zeros = graph.constant(node.inputs[1]), graph.constant(node.input(3))
    if constant is not None and (zeros is not None or not node.input(3)):
        less = np.zeros((1, 1), np.int16) if zeros is None else zeros.astype(np.int16).reshape(-1, 1)
        rows = np.pad(constant.astype(np.int16).reshape(total, k) - less, [(0, 0), (0, pitch - k)])
        packed["rows"] = np.ascontiguousarray(rows).tobytes()
    else:
        scratch["rows"] = total * pitch * 2
        zero, each = _zero(node, graph, 3)
        before = (
            f"widen_rows(U8({{x1}}), {_is_signed(weights)}, {zero}, {each}, I16({{s_rows}}), {total}, {k}, {pitch});\n"
        )
    source = "I16({w_rows})" if packed else "I16({s_rows})"
    kind = "int8_t" if found.dtype == "int8" else "uint8_t"
    zero = f"(({kind} *){{x2}})[0]" if node.input(2) else "0"
    line = f"conv_space_bytes((const uint8_t *)x, {_is_signed(found)}, {zero}, {source}, {pitch}, y, I16({{s_panel}}), {s.literal}, {groups}, {ic}, {oc});"
    code = before + over_samples(found.shape[0], [line], groups * ic * s.plane, total * s.outs, kind, "int32_t")
    return Kernel(code, packed, scratch, found.shape[0] * total * k * s.outs, "int8, exact")


operator("MatMulInteger", since=10, infer=_infer_matmul, lower=_lower_matmul)
operator("ConvInteger", since=10, infer=_infer_conv, lower=_lower_conv)
