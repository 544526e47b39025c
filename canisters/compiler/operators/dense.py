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
from .binary import broadcast
from .loops import address, nest, strides_of
from .registry import Kernel, Mode, Typing, c_float, operator

# A single row spreads each load of x over more columns; many rows reuse the weights instead.
ROW_WIDTH, PANEL_WIDTH = 32, 16
# Below this many weights, int8 saves nothing: rounding the row costs what it spares.
INT8_MIN_WEIGHTS = 256


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
    width = ROW_WIDTH if m == 1 else PANEL_WIDTH
    if m == 0 or n == 0:
        return Kernel("")
    if mode == "int8" and k * n >= INT8_MIN_WEIGHTS and n >= 4 and np.isfinite(weights).all():
        code = (
            f"dense_int8(F32({{x0}}), U8({{w_panels}}), F32({{y0}}), I16({{s_rows}}), F32({{s_steps}}), {m}, {n}, {k}, {width}, "
            f"{c_float(packing.int16_limit(k))}, {activation.arguments});"
        )
        scratch = {"rows": m * (-(-k // 8) * 8) * 2, "steps": m * 4}
        return Kernel(code, {"panels": packing.dense_int8(weights, bias, width)}, scratch, m * n * k, "int8")
    code = f"dense_f32(F32({{x0}}), F32({{w_panels}}), F32({{y0}}), {m}, {n}, {k}, {width}, {activation.arguments});"
    return Kernel(code, {"panels": packing.dense_f32(weights, bias, width)}, {}, m * n * k, "f32")


operator("Gemm", infer=_infer_gemm, lower=None)
operator("MatMul", infer=_infer_matmul, lower=_lower_matmul)
operator("Dense", infer=_infer_matmul, lower=lower_dense)
