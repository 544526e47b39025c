"""QuantizeLinear and DequantizeLinear: one step and zero point for a tensor, for each index of an axis, or for each block along one.

Source: ONNX Operators, QuantizeLinear-10, -13, -19, -21, -23, -24, -25; DequantizeLinear the same. Halves of a step are rounded to even, what is out
of range is cut off, and NaN becomes the type's least magnitude, 0. 8-bit floats and integers of fewer bits go one by one, others by fours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx

from canisters.compiler.ir import C_TYPES, CODES, PLAIN, Graph, Node, TensorType

from .casts import code_of, values_of
from .loops import nest
from .registry import Kernel, Mode, Typing, axis_of, c_float, operator

# Loads of four lanes as float32 and the bytes of an element.
_LOADS = {
    "float32": "load",
    "int32": "load_i32",
    "int16": "load_i16",
    "uint16": "load_u16",
    "int8": "load_i8",
    "uint8": "load_u8",
}
_SMALL = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
_TARGETS = ("uint8", "int8", "uint16", "int16", *CODES)
_SOURCES = ("int8", "uint8", "int16", "uint16", "int32", *CODES)
_CHECK = "Check the model with onnx.checker"


@dataclass(frozen=True)
class _Runs:
    """Elements in runs that share a step, or whose steps lie one after another. `loops`: sizes of n0, n1; `count`, `start`, `step`: C of the
    run's length, of its first element and of its first step."""

    loops: tuple[int, ...]
    count: str
    start: str
    step: str
    each: bool


def _runs(node: Node, found: TensorType, scale: TensorType) -> _Runs:
    if scale.size == 1 and not int(node.attributes.get("block_size", 0)):
        return _Runs((), str(found.size), "0", "0", each=False)
    axis = axis_of(node, int(node.attributes.get("axis", 1)), len(found.shape))
    outer, size, inner = math.prod(found.shape[:axis]), found.shape[axis], math.prod(found.shape[axis + 1 :])
    block = int(node.attributes.get("block_size", 0))
    if not block:
        if inner == 1:
            return _Runs((outer,), str(size), f"n0 * {size}", "0", each=True)
        return _Runs((outer, size), str(inner), f"(n0 * {size} + n1) * {inner}", "n1", each=False)
    blocks = -(-size // block)
    if inner > 1:
        step = f"(n0 * {blocks} + n1 / {block}) * {inner}"
        return _Runs((outer, size), str(inner), f"(n0 * {size} + n1) * {inner}", step, each=True)
    count = str(block) if size % block == 0 else f"(n1 == {blocks - 1} ? {size % block}u : {block}u)"
    return _Runs((outer, blocks), count, f"n0 * {size} + n1 * {block}", f"n0 * {blocks} + n1", each=False)


def _require_steps(node: Node, found: TensorType, scale: TensorType, zero: TensorType | None) -> None:
    block = int(node.attributes.get("block_size", 0))
    shape = scale.shape
    if zero is not None and zero.size != scale.size:
        raise node.cannot(f"it has {scale} for steps and {zero} for zero points", _CHECK)
    if scale.size == 1 and not block:
        return
    axis = axis_of(node, int(node.attributes.get("axis", 1)), len(found.shape))
    if block < 0 or (
        block and shape != (*found.shape[:axis], -(-found.shape[axis] // block), *found.shape[axis + 1 :])
    ):
        raise node.cannot(f"steps of {scale} in blocks of {block} along axis {axis} do not fit {found}", _CHECK)
    if not block and shape != (found.shape[axis],):
        raise node.cannot(f"steps of {scale} do not fit axis {axis} of {found}", _CHECK)


def _dtype(node: Node, default: str) -> str:
    given = int(node.attributes.get("output_dtype", 0))
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(given)).name if given else default


# --- QuantizeLinear ---


def _infer_quantize(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, scale = typing.floats(node, 0, ("float32", "int32")), typing.floats(node, 1)
    zero = typing.input(node, 2) if node.input(2) else None
    _require_steps(node, found, scale, zero)
    target = zero.dtype if zero is not None else _dtype(node, "uint8")
    if target not in _TARGETS:
        raise node.cannot(f"it makes {target}", f"Make one of {', '.join(_TARGETS)}")
    return (TensorType(target, found.shape),)


def _lower_quantize(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    if out.size == 0:
        return Kernel("")
    runs = _runs(node, found, graph.type(node.inputs[1]))
    source, target = C_TYPES[found.dtype], C_TYPES[out.dtype]
    lines = [
        f"const {source} *x = ({source} *){{x0}} + {runs.start};",
        f"{target} *y = ({target} *){{y0}} + {runs.start};",
        f"const float *scale = F32({{x1}}) + {runs.step};",
    ]
    table: dict[str, bytes] = {}
    if node.input(2):
        lines.append(f"const {target} *zero = ({target} *){{x2}} + {runs.step};")
    if out.dtype in CODES:
        at = "i" if runs.each else "0"
        value = f"((float)x[i] / scale[{at}])"
        if node.input(2):
            table["table"] = values_of(out.dtype).tobytes()
        zero = f" + F32({{w_table}})[zero[{at}]]" if node.input(2) else ""
        if out.dtype in _SMALL:
            low, high = _SMALL[out.dtype]
            value = f"limited(__builtin_rintf{value}{zero}, {low}, {high})"
        else:
            value = f"({value}{zero})"
        lines.append(f"EACH(y, {runs.count}, {code_of(out.dtype, value, node)});")
        return Kernel(nest(runs.loops, lines), table)
    limits = np.iinfo(out.dtype)
    steps, zeros = _by_fours(node, runs, out.dtype, 2)
    value = f"wasm_f32x4_nearest(divide({_LOADS[found.dtype]}(x + i), {steps}))"
    value = f"add({value}, {zeros})" if zeros else value
    value = f"at_most(at_least({value}, splat({c_float(limits.min)})), splat({c_float(limits.max)}))"
    lines.append(f"EACH_INTEGER((uint8_t *)y, {runs.count}, {out.size_bytes // out.size}, {value});")
    return Kernel(_braced(runs, lines))


def _by_fours(node: Node, runs: _Runs, zero_type: str, zero: int) -> tuple[str, str]:
    """Vectors of the steps and of the zero points, "" when there are none."""
    load = _LOADS[zero_type]
    steps = "load(scale + i)" if runs.each else "splat(scale[0])"
    zeros = f"{load}(zero + i)" if runs.each else "splat((float)zero[0])"
    return steps, zeros if node.input(zero) else ""


def _braced(runs: _Runs, lines: list[str]) -> str:
    return nest(runs.loops or (1,), lines)


# --- DequantizeLinear ---


def _infer_dequantize(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, scale = typing.floats(node, 0, _SOURCES), typing.floats(node, 1)
    zero = typing.input(node, 2) if node.input(2) else None
    _require_steps(node, found, scale, zero)
    if zero is not None and zero.dtype != found.dtype:
        raise node.cannot(f"its input is {found} and its zero point {zero}", _CHECK)
    if _dtype(node, "float32") != "float32":
        raise node.cannot(f"it makes {_dtype(node, 'float32')}", "Make float32, and cast that")
    return (TensorType("float32", found.shape),)


def _lower_dequantize(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    if found.size == 0:
        return Kernel("")
    runs = _runs(node, found, graph.type(node.inputs[1]))
    source = C_TYPES[found.dtype]
    lines = [
        f"const {source} *x = ({source} *){{x0}} + {runs.start};",
        f"float *y = F32({{y0}}) + {runs.start};",
        f"const float *scale = F32({{x1}}) + {runs.step};",
    ]
    if node.input(2):
        lines.append(f"const {source} *zero = ({source} *){{x2}} + {runs.step};")
    if found.dtype in CODES:
        at = "i" if runs.each else "0"
        zero = f" - F32({{w_table}})[zero[{at}]]" if node.input(2) else ""
        lines.append(f"EACH(y, {runs.count}, (F32({{w_table}})[x[i]]{zero}) * scale[{at}]);")
        return Kernel(_braced(runs, lines), {"table": values_of(found.dtype).tobytes()})
    steps, zeros = _by_fours(node, runs, found.dtype, 2)
    value = f"{_LOADS[found.dtype]}(x + i)"
    value = f"sub({value}, {zeros})" if zeros else value
    lines.append(f"EACH_F32(y, {runs.count}, mul({value}, {steps}));")
    return Kernel(_braced(runs, lines))


operator("QuantizeLinear", since=10, infer=_infer_quantize, lower=_lower_quantize, types=(*PLAIN, *CODES))
operator("DequantizeLinear", since=10, infer=_infer_dequantize, lower=_lower_dequantize, types=(*PLAIN, *CODES))
