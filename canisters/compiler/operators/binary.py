"""Add, Sub, Mul, Div, Min, Max, Sum, Mean, Mod, Pow and the comparisons: two tensors, broadcast against each other.

Source: ONNX Operators, Add-7, -14; Sub, Mul, Div the same; Min-8, -12; Max-8, -12; Sum-8; Mean-8; Mod-10, -13; Pow-7, -12, -15; Equal-7, -11, -13;
Less-7, -9; Greater-7, -9; LessOrEqual-12; GreaterOrEqual-12. Sums and products of integers wrap. What ONNX leaves open: a division or a rest by zero is 0
for integers; the smallest integer divided by -1 is itself; a negative power of an integer other than 1 and -1 is 0.
"""

from __future__ import annotations

from canisters.compiler.ir import C_TYPES, INTEGERS, PLAIN, SIGNED, Graph, Node, TensorType

from .elementwise import COMPARED_WORDS, ELEMENTS, PAIRS, WORDS, broadcast, each, wrapping
from .registry import Kernel, Mode, Typing, operator

NUMBERS = ("float32", "float64", *INTEGERS)
_ARITHMETIC = {"Add": "+", "Sub": "-", "Mul": "*"}
# Sums and products of integers are the same bits with or without a sign.
_INTEGER_LANES = {4: (WORDS, "i32x4"), 8: (PAIRS, "i64x2")}
_WORDS = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "divide", "Max": "larger", "Min": "smaller"}
_PAIRS = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Max": "max", "Min": "min"}
_EXTREMES = {"Max": "({a} < {b} ? {b} : {a})", "Min": "({b} < {a} ? {b} : {a})"}
_COMPARISONS = {
    "Equal": ("eq", "=="), "Less": ("lt", "<"), "Greater": ("gt", ">"), "LessOrEqual": ("le", "<="), "GreaterOrEqual": ("ge", ">="),
}  # fmt: skip
_POWERS = {
    2.0: "mul({a}, {a})",
    3.0: "mul(mul({a}, {a}), {a})",
    0.5: "wasm_f32x4_sqrt({a})",
    1.0: "{a}",
    -1.0: "divide(splat(1.0f), {a})",
}


def same_types(node: Node, typing: Typing, allowed: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """The common element type of all inputs, and the shape that they broadcast to. Raises CannotCompile."""
    found = [typing.floats(node, index, allowed) for index in range(len(node.inputs))]
    if len({type_.dtype for type_ in found}) != 1:
        raise node.cannot(f"its inputs are {', '.join(map(str, found))}", "Give both the same numeric type with Cast")
    return found[0].dtype, broadcast(node, *(type_.shape for type_ in found))


def two(node: Node, graph: Graph) -> tuple[TensorType, list[TensorType]]:
    return graph.type(node.outputs[0]), [graph.type(name) for name in node.inputs]


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (TensorType(*same_types(node, typing, NUMBERS)),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = two(node, graph)
    if out.dtype == "float32":
        return each(out, inputs, f"{_WORDS[node.op]}({{a}}, {{b}})", WORDS)
    if out.dtype == "float64":
        return each(out, inputs, f"wasm_f64x2_{_PAIRS[node.op]}({{a}}, {{b}})", PAIRS)
    if node.op in _EXTREMES:
        return each(out, inputs, _EXTREMES[node.op], ELEMENTS)
    if node.op == "Div":
        kind = f"{'s' if out.dtype in SIGNED else 'u'}{'' if '64' in out.dtype else '32'}"
        return each(out, inputs, f"({C_TYPES[out.dtype]})quotient_{kind}({{a}}, {{b}})", ELEMENTS)
    size = TensorType(out.dtype, ()).size_bytes
    if size in _INTEGER_LANES:
        lanes, kind = _INTEGER_LANES[size]
        return each(out, inputs, f"wasm_{kind}_{_WORDS[node.op]}({{a}}, {{b}})", lanes)
    return each(out, inputs, wrapping(C_TYPES[out.dtype], f"{{a}} {_ARITHMETIC[node.op]} {{b}}"), ELEMENTS)


def _infer_comparison(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (TensorType("bool", same_types(node, typing, (*PLAIN, "float64"))[1]),)


def _lower_comparison(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = two(node, graph)
    lanes, sign = _COMPARISONS[node.op]
    if inputs[0].dtype == "float32":
        return each(out, inputs, f"wasm_f32x4_{lanes}({{a}}, {{b}})", COMPARED_WORDS)
    return each(out, inputs, f"({{a}} {sign} {{b}})", ELEMENTS)


def _lower_mod(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = two(node, graph)
    c_type, has_sign_of_a = C_TYPES[out.dtype], bool(node.attributes.get("fmod", 0))
    if out.dtype in ("float32", "float64"):
        return each(out, inputs, f"({c_type}){'rest' if has_sign_of_a else 'modulo'}_f({{a}}, {{b}})", ELEMENTS)
    name = "rest_u" if out.dtype not in SIGNED else "rest_s" if has_sign_of_a else "modulo_s"
    return each(out, inputs, f"({c_type}){name}({{a}}, {{b}})", ELEMENTS)


# --- Pow: the result has the type of the base ---


def _infer_pow(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    base, exponent = (typing.floats(node, index, NUMBERS) for index in (0, 1))
    return (TensorType(base.dtype, broadcast(node, base.shape, exponent.shape)),)


def _lower_pow(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out, inputs = two(node, graph)
    exponent = graph.constant(node.inputs[1])
    if out.dtype == "float32" and exponent is not None and exponent.size == 1 and inputs[0].shape == out.shape:
        rule = _POWERS.get(float(exponent.ravel()[0]))
        if rule:
            return each(out, inputs[:1], rule, WORDS)
    c_type = C_TYPES[out.dtype]
    if out.dtype in INTEGERS and inputs[1].dtype in INTEGERS:
        return each(out, inputs, f"({c_type})power_s((int64_t){{a}}, (int64_t){{b}})", ELEMENTS)
    value = "power_f((double){a}, (double){b})"
    if out.dtype in INTEGERS:
        value = f"{'int_of' if out.dtype in SIGNED else 'natural_of'}({value})"
    return each(out, inputs, f"({c_type}){value}", ELEMENTS)


for _name in _WORDS:
    operator(_name, since=8 if _name in _EXTREMES else 7, infer=_infer, lower=_lower, types=NUMBERS)
for _name in _COMPARISONS:
    operator(_name, since=7, infer=_infer_comparison, lower=_lower_comparison, types=(*PLAIN, "float64"))
for _name in ("Sum", "Mean"):
    operator(_name, since=8, infer=_infer, lower=None, types=NUMBERS)
operator("Mod", since=10, infer=_infer, lower=_lower_mod, types=NUMBERS)
operator("Pow", since=7, infer=_infer_pow, lower=_lower_pow, types=NUMBERS)
