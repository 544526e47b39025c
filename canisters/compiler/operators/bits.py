"""And, Or, Xor, Not of bools; BitwiseAnd, -Or, -Xor, -Not and BitShift of integers.

Source: ONNX Operators, And-7, Or-7, Xor-7, Not-1, BitwiseAnd-18, BitwiseOr-18, BitwiseXor-18, BitwiseNot-18, BitShift-11, -28. A shift by
less than nothing, or by the width of the type or more, leaves what its sign leaves: -1 for a negative number to the right, 0 otherwise.
"""

from __future__ import annotations

from canisters.compiler.ir import C_TYPES, INTEGERS, SIGNED, Graph, Node, TensorType

from .binary import same_types, two
from .elementwise import BYTES, ELEMENTS, each
from .registry import Kernel, Mode, Typing, operator

_SIGNS = {"And": "&", "Or": "|", "Xor": "^"}


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (TensorType(*same_types(node, typing, INTEGERS if node.op.startswith("Bit") else ("bool",))),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = two(node, graph)
    name = node.op.removeprefix("Bitwise")
    if TensorType(out.dtype, ()).size_bytes == 1:
        return each(out, inputs, f"wasm_v128_{name.lower()}({{a}}, {{b}})", BYTES)
    return each(out, inputs, f"({C_TYPES[out.dtype]})({{a}} {_SIGNS[name]} {{b}})", ELEMENTS)


def _lower_not(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out = graph.type(node.outputs[0])
    if out.dtype == "bool":
        return each(out, [out], "wasm_v128_xor({a}, wasm_u8x16_const_splat(1))", BYTES)
    return each(out, [out], f"({C_TYPES[out.dtype]})~{{a}}", ELEMENTS)


def _infer_shift(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    if node.attributes.get("direction") not in ("LEFT", "RIGHT"):
        raise node.cannot("its direction is neither LEFT nor RIGHT", "Check the model with onnx.checker")
    return _infer(node, typing)


def _lower_shift(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = two(node, graph)
    c_type, width = C_TYPES[out.dtype], 8 * TensorType(out.dtype, ()).size_bytes
    wide = "int64_t" if out.dtype in SIGNED else "uint64_t"
    beyond = "({a} < 0 ? -1 : 0)" if out.dtype in SIGNED and node.attributes["direction"] == "RIGHT" else "0"
    shifted = "(uint64_t){a} << {b}" if node.attributes["direction"] == "LEFT" else f"({wide}){{a}} >> {{b}}"
    return each(out, inputs, f"({c_type})((uint64_t){{b}} < {width} ? {shifted} : {beyond})", ELEMENTS)


for _name in ("And", "Or", "Xor"):
    operator(_name, since=7, infer=_infer, lower=_lower)
    operator(f"Bitwise{_name}", since=18, infer=_infer, lower=_lower)
operator("Not", since=1, infer=_infer, lower=_lower_not)
operator("BitwiseNot", since=18, infer=_infer, lower=_lower_not)
operator("BitShift", since=11, infer=_infer_shift, lower=_lower_shift)
