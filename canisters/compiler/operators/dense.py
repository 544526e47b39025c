"""Gemm and MatMul. With constant weights both become `Dense` (`passes.dense`): rows times packed panels, bias and activation included.

Source: ONNX Operators, Gemm-7, -9, -11, -13; MatMul-1, -9, -13 (the rules of numpy.matmul). A product of two tensors that are both only
known at run time packs the second one into panels first.
"""

from __future__ import annotations

import math

import numpy as np

from canisters.compiler.ir import Graph, Node, TensorType

from . import packing
from .activations import Activation
from .elementwise import broadcast
from .loops import address, nest, strides_of
from .registry import Kernel, Mode, Typing, c_float, operator

# A single row spreads each load of x over more columns (kernels/dense_row.h); many rows reuse the weights instead.
ROW_WIDTH, LEAKY_ROW_WIDTH, PANEL_WIDTH = 64, 32, 16
# Up to this many weights a row is computed by the kernel whose code is smallest: its turns are nothing beside a single page's charge.
SMALL_ROW = 1024
ROW_STEPS_INT8 = 32  # int8 rows are padded to this many weights: whole turns of the loop
# What a bound becomes where there is none: NaN and infinities pass.
_LIMITS = {"NONE": (-math.inf, math.inf), "RELU": (0.0, math.inf)}


def _infer_gemm(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    a, b = typing.floats(node, 0), typing.floats(node, 1)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise node.cannot(f"its inputs are {a} and {b}", "Gemm takes two matrices")
    m, k = reversed(a.shape) if node.attributes.get("transA", 0) else a.shape
    k2, n = reversed(b.shape) if node.attributes.get("transB", 0) else b.shape
    if k != k2:
        raise node.cannot(f"{a} and {b} do not multiply", "Fix the symbolic axes to sizes that fit")
    if node.input(2):
        broadcast(node, typing.floats(node, 2).shape, (m, n))
    return (TensorType("float32", (m, n)),)


def _infer_matmul(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    a, b = typing.floats(node, 0), typing.floats(node, 1)
    if not a.shape or not b.shape:
        raise node.cannot(f"its inputs are {a} and {b}", "MatMul takes vectors, matrices and stacks of matrices")
    rows = a.shape[-2:-1]
    columns = b.shape[-1:] if len(b.shape) > 1 else ()
    if a.shape[-1] != (b.shape[-2] if len(b.shape) > 1 else b.shape[0]):
        raise node.cannot(f"{a} and {b} do not multiply", "Fix the symbolic axes to sizes that fit")
    batch = broadcast(node, a.shape[:-2], b.shape[:-2])
    return (TensorType("float32", (*batch, *rows, *columns)),)


def _lower_matmul(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    a, b = graph.type(node.inputs[0]).shape, graph.type(node.inputs[1]).shape
    m, k = (1, a[0]) if len(a) == 1 else a[-2:]
    n = 1 if len(b) == 1 else b[-1]
    batch = tuple(int(size) for size in np.broadcast_shapes(a[:-2], b[:-2]))
    a_steps = tuple(step * m * k for step in strides_of(a[:-2], batch))
    b_steps = tuple(step * k * n for step in strides_of(b[:-2], batch))
    y_steps = tuple(step * m * n for step in strides_of(batch, batch))
    if 0 in (*batch, m, n):
        return Kernel("")
    body = [
        f"pack_panels_f32({address('F32({x1})', 0, b_steps)}, {n}, 1, F32({{s_panels}}), {k}, {n});",
        f"dense_f32({address('F32({x0})', 0, a_steps)}, F32({{s_panels}}), {address('F32({y0})', 0, y_steps)}, {m}, {n}, {k}, "
        f"{PANEL_WIDTH}, NONE, 0, 0);",
    ]
    return Kernel(
        nest(batch, body), scratch={"panels": (k + 1) * (-(-n // 4) * 4) * 4}, macs=math.prod(batch) * m * n * k
    )


def lower_dense(node: Node, graph: Graph, mode: Mode) -> Kernel:
    """x (..., k) * w (k, n) + bias (n), w and bias constants; attribute `activation`."""
    shape = graph.type(node.inputs[0]).shape
    weights = graph.constants[node.inputs[1]].astype(np.float32)
    k, n = weights.shape
    m = math.prod(shape) // k if k else math.prod(shape[:-1])
    bias = graph.constants[node.inputs[2]].astype(np.float32) if node.input(2) else np.zeros(n, np.float32)
    activation: Activation = node.attributes.get("activation", Activation())
    if m == 0 or n == 0:
        return Kernel("")
    is_finite = bool(np.isfinite(weights).all() and np.isfinite(bias).all())
    if mode == "int4" and is_finite and k >= packing.INT4_GROUP and int4_cost(m, k, n) < f32_cost(m, k, n):
        return _int4(weights, bias, activation, m)
    in_int8 = mode != "f32" and is_finite and int8_cost(m, k, n) < f32_cost(m, k, n)
    if m == 1 and activation.kind in ("NONE", "RELU", "CLIP"):
        return _row(weights, bias, activation, in_int8=in_int8)
    if in_int8:
        return _rows_int8(weights, bias, activation, m)
    width = _width(m, n)
    code = f"dense_f32(F32({{x0}}), F32({{w_panels}}), F32({{y0}}), {m}, {n}, {k}, {width}, {activation.arguments});"
    return Kernel(code, {"panels": packing.dense_f32(weights, bias, width)}, {}, m * n * k, "f32")


def _width(m: int, n: int) -> int:
    """Columns of a panel. Where they divide evenly, many rows read the panels of a single one: variants of a model share them."""
    return LEAKY_ROW_WIDTH if m == 1 else ROW_WIDTH if n % ROW_WIDTH == 0 else PANEL_WIDTH


def _rows_int8(weights: packing.Floats, bias: packing.Floats, activation: Activation, m: int) -> Kernel:
    k, n = weights.shape
    width = _width(m, n)
    step = ROW_STEPS_INT8 if width == ROW_WIDTH else 2
    padded = -(-k // step) * step
    code = (
        f"dense_int8_of_pairs(F32({{x0}}), U8({{w_panels}}), F32({{y0}}), I16({{s_rows}}), F32({{s_steps}}), {m}, {n}, {k}, {padded // 2}, "
        f"{width}, {c_float(packing.int16_limit(k))}, {activation.arguments});"
    )
    scratch = {"rows": m * (-(-padded // 8) * 8) * 2, "steps": m * 4}
    return Kernel(code, {"panels": packing.dense_int8(weights, bias, width, padded)}, scratch, m * n * k, "int8")


def _row(weights: packing.Floats, bias: packing.Floats, activation: Activation, *, in_int8: bool) -> Kernel:
    k, n = weights.shape
    low, high = _LIMITS.get(activation.kind, (activation.p, activation.q))
    limits = f"{c_float(low)}, {c_float(high)}"
    if not in_int8:
        kernel = "small_row_f32" if n * k <= SMALL_ROW and n < ROW_WIDTH else "dense_row_f32"
        code = f"{kernel}(F32({{x0}}), F32({{w_panels}}), F32({{y0}}), {n}, {k}, {limits});"
        return Kernel(code, {"panels": packing.dense_f32(weights, bias, ROW_WIDTH)}, {}, n * k, "f32")
    code = (
        f"dense_row_int8(F32({{x0}}), U8({{w_panels}}), F32({{y0}}), I16({{s_row}}), {n}, {k}, "
        f"{c_float(packing.int16_limit(k))}, {limits});"
    )
    padded = -(-k // ROW_STEPS_INT8) * ROW_STEPS_INT8
    return Kernel(
        code, {"panels": packing.dense_int8(weights, bias, ROW_WIDTH, padded)}, {"row": padded * 2}, n * k, "int8"
    )


def _int4(weights: packing.Floats, bias: packing.Floats, activation: Activation, m: int) -> Kernel:
    k, n = weights.shape
    low, high = (
        (activation.p, activation.q) if activation.kind == "CLIP" else _LIMITS.get(activation.kind, _LIMITS["NONE"])
    )
    code = (
        f"dense_int4(F32({{x0}}), U8({{w_panels}}), F32({{y0}}), I16({{s_row}}), F32({{s_last}}), {m}, {n}, {k}, "
        f"{c_float(low)}, {c_float(high)});"
    )
    if activation.kind not in ("NONE", "RELU", "CLIP"):
        code += f"\nEACH_F32_LONG(F32({{y0}}), {m * n}, activate(load(F32({{y0}}) + i), {activation.arguments}));"
    scratch = {"row": -(-k // packing.INT4_GROUP) * packing.INT4_GROUP * 2, "last": ROW_WIDTH * 4}
    return Kernel(code, {"panels": packing.dense_int4(weights, bias)}, scratch, m * n * k, "int4")


def f32_cost(m: int, k: int, n: int) -> float:
    """Instructions by the network's table, and the charge for the weights' pages."""
    return m * n * (1.8 * k + 4) + packing.page_charge(4 * k * n)


def int8_cost(m: int, k: int, n: int) -> float:
    if m == 1 and k * n <= SMALL_ROW:
        return math.inf
    step = ROW_STEPS_INT8 if m == 1 or _width(m, n) == ROW_WIDTH else 2
    padded = -(-k // step) * step
    return m * n * (0.65 * padded + 6) + m * (60 + 5 * k) + packing.page_charge(padded * n)


def int4_cost(m: int, k: int, n: int) -> float:
    padded_k, padded_n = -(-k // packing.INT4_GROUP) * packing.INT4_GROUP, -(-n // ROW_WIDTH) * ROW_WIDTH
    return m * padded_n * (padded_k + 6) + m * (60 + 5 * k) + packing.page_charge(padded_k * padded_n * 9 // 16)


operator("Gemm", infer=_infer_gemm, lower=None)
operator("MatMul", infer=_infer_matmul, lower=_lower_matmul)
operator("Dense", infer=_infer_matmul, lower=lower_dense)
