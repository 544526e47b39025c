"""Cast and CastLike between all element types that a model may hold; BitCast between those of one size.

Source: ONNX Operators, Cast-6 ... -28, CastLike-15 ... -28, BitCast-26. Floats are cut off to integers; what is out of an integer's range wraps as a
64-bit integer does (32 bits: the nearest end), and NaN is 0, which ONNX leaves open. Anything but zero is true. Halves and 8-bit floats are
rounded to the nearest even one; 8-bit floats saturate unless `saturate` is 0. They are read through a table of 256 numbers.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx

from canisters.compiler.ir import ANY, C_TYPES, CODES, HALVES, SIGNED, Graph, Node, TensorType

from .elementwise import COMPARED_WORDS, ELEMENTS, WORDS, Lanes, each
from .registry import Kernel, Mode, Typing, operator

# Loads of four lanes as float32.
_WIDE = {
    "float32": "load", "float16": "load_f16", "bfloat16": "load_bf16", "int32": "load_i32", "int16": "load_i16", "uint16": "load_u16",
    "int8": "load_i8", "uint8": "load_u8", "bool": "load_u8",
}  # fmt: skip
_LOOPS = {"float32": "EACH_F32", "float16": "EACH_F16", "bfloat16": "EACH_BF16"}
_SMALL_FLOATS = tuple(name for name in CODES if name.startswith("float"))
_BITS = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2}


def _target(node: Node, typing: Typing) -> str:
    if node.op == "CastLike":
        return typing.input(node, 1).dtype
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(int(node.attributes["to"]))).name


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    target = _target(node, typing)
    if target not in C_TYPES:
        raise node.cannot(f"it casts to {target}", f"Cast to one of {', '.join(C_TYPES)}")
    if target == "float8_e8m0fnu" and node.attributes.get("round_mode", "up") not in _ROUNDINGS:
        raise node.cannot(f"its round_mode is {node.attributes['round_mode']!r}", f"Use one of {', '.join(_ROUNDINGS)}")
    return (TensorType(target, typing.input(node).shape),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    source, target = found.dtype, out.dtype
    if out.size == 0:
        return Kernel("")
    if source == target:
        return Kernel(f"copy_bytes(U8({{y0}}), U8({{x0}}), {out.size_bytes});")
    table = {"table": values_of(source).tobytes()} if source in CODES else {}
    if target in CODES:
        code = code_of(target, _element(source), node)
        return Kernel(each(out, [found], code, ELEMENTS).code, table)
    if target == "bool":
        return Kernel(_to_bool(found, out).code, table)
    if target in _LOOPS and source in _WIDE:
        return each(
            out,
            [found],
            "{a}",
            Lanes(_LOOPS[target], C_TYPES[source], f"{_WIDE[source]}({{p}} + i)"),
            target=C_TYPES[target],
        )
    if source == "float32" and target == "int32":
        return each(out, [found], "wasm_i32x4_trunc_sat_f32x4({a})", WORDS)
    return Kernel(each(out, [found], _converted(source, target), ELEMENTS).code, table)


def _to_bool(found: TensorType, out: TensorType) -> Kernel:
    if found.dtype == "float32":
        return each(out, [found], "wasm_f32x4_ne({a}, splat(0.0f))", COMPARED_WORDS)
    return each(out, [found], f"({_element(found.dtype)} != 0)", ELEMENTS)


def _element(dtype: str) -> str:
    """One element as a number of C."""
    if dtype in HALVES:
        return f"{'f16' if dtype == 'float16' else 'bf16'}_of_bits({{a}})"
    if dtype in CODES:
        return "F32({w_table})[{a}]"
    return "{a}"


def _converted(source: str, target: str) -> str:
    value = _element(source)
    is_float = source.startswith(("float", "bfloat")) or source in CODES
    if target in HALVES:
        name = "f16_of" if target == "float16" else "bf16_of"
        return f"{name}({f'odd_float({value})' if source == 'float64' else f'(float){value}'})"
    if is_float and target not in ("float32", "float64"):
        return f"({C_TYPES[target]}){'int_of' if target in SIGNED else 'natural_of'}({value})"
    return f"({C_TYPES[target]}){value}"


# --- a byte a number ---


def values_of(dtype: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """What each byte means, as float32; of bytes that are no code, their low bits."""
    bits = _BITS.get(dtype, 4 if dtype == "float4_e2m1fn" else 8)
    codes = (np.arange(256) & ((1 << bits) - 1)).astype(np.uint8)
    return codes.view(np.dtype(dtype)).astype(np.float32)


_ROUNDINGS = ("up", "down", "nearest")


def code_of(target: str, value: str, node: Node) -> str:
    if target in _BITS:
        return f"(uint8_t)((int64_t)int_of((double){value}) & {(1 << _BITS[target]) - 1})"
    if target == "float8_e8m0fnu":
        mode = _ROUNDINGS.index(str(node.attributes.get("round_mode", "up")))
        return f"power_code((float){value}, {mode}, {_boolean(node)})"
    shape = ml_dtypes.finfo(np.dtype(target))  # type: ignore[no-untyped-call]
    largest = int(np.asarray(shape.max).view(np.uint8))
    is_fnuz = target.endswith("fnuz")
    is_saturated = _boolean(node) if target != "float4_e2m1fn" else "true"
    sign = 0x08 if target == "float4_e2m1fn" else 0x80
    # A format without NaN makes it zero.
    nan = {"float8_e4m3fn": 0x7F, "float8_e5m2": 0x7E, "float4_e2m1fn": 0x08}.get(target, 0x80)
    beyond = 0x7C if target == "float8_e5m2" else nan
    bias = 1 - int(shape.minexp)
    return (
        f"float_code((float){value}, {shape.nmant}, {bias}, {sign}, {largest}, {nan}, {beyond}, "
        f"{'true' if is_fnuz else 'false'}, {is_saturated})"
    )


def _boolean(node: Node) -> str:
    return "true" if node.attributes.get("saturate", 1) else "false"


# --- the same bytes as another type ---


def _infer_bits(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, target = typing.input(node), _target(node, typing)
    # Any byte is a number, but only two are bools.
    is_whole = found.dtype not in CODES and target in C_TYPES and target not in (*CODES, "bool")
    if not is_whole or TensorType(target, ()).size_bytes != TensorType(found.dtype, ()).size_bytes:
        raise node.cannot(f"it reads {found.dtype} as {target}", "Use two types of 1, 2, 4 or 8 bytes each")
    return (TensorType(target, found.shape),)


def _lower_bits(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    return Kernel(f"copy_bytes(U8({{y0}}), U8({{x0}}), {graph.type(node.outputs[0]).size_bytes});")


operator("BitCast", since=26, infer=_infer_bits, lower=_lower_bits, types=ANY)
for _name in ("Cast", "CastLike"):
    operator(_name, infer=_infer, lower=_lower, types=ANY)
