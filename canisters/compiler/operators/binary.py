"""Add, Sub, Mul, Div, Min, Max, Pow by a constant: two tensors, broadcast against each other.

Source: ONNX Operators, Add-7, Sub-7, Mul-7, Div-7, Min-8, Max-8, Pow-7; "Broadcasting in ONNX", multidirectional. Axes along which both
inputs run the same way are merged first, so that the innermost loop is as long as it can be. Division of integers truncates.
"""

from __future__ import annotations

import numpy as np

from canisters.compiler.ir import C_TYPES, Graph, Node, TensorType

from .loops import merged, nest, strides_of
from .registry import Kernel, Mode, Typing, operator

_VECTOR = {"Add": "add({a}, {b})", "Sub": "sub({a}, {b})", "Mul": "mul({a}, {b})", "Div": "divide({a}, {b})",
           "Max": "larger({a}, {b})", "Min": "smaller({a}, {b})"}  # fmt: skip
_SCALAR = {"Add": "({a} + {b})", "Sub": "({a} - {b})", "Mul": "({a} * {b})", "Div": "({b} == 0 ? 0 : {a} / {b})",
           "Max": "({a} < {b} ? {b} : {a})", "Min": "({b} < {a} ? {b} : {a})"}  # fmt: skip
_POWERS = {
    2.0: "mul({x}, {x})",
    3.0: "mul(mul({x}, {x}), {x})",
    0.5: "wasm_f32x4_sqrt({x})",
    1.0: "{x}",
    -1.0: "divide(splat(1.0f), {x})",
}


def broadcast(node: Node, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in np.broadcast_shapes(*shapes))
    except ValueError:
        raise node.cannot(
            f"the shapes {', '.join(map(str, shapes))} do not broadcast", "Fix the symbolic axes to sizes that fit"
        ) from None


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = [typing.input(node, index) for index in range(len(node.inputs))]
    if len({type_.dtype for type_ in found}) != 1 or found[0].dtype == "bool":
        raise node.cannot(f"its inputs are {', '.join(map(str, found))}", "Give both the same numeric type with Cast")
    return (TensorType(found[0].dtype, broadcast(node, *(type_.shape for type_ in found))),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out = graph.type(node.outputs[0])
    if len(node.inputs) == 1:
        return Kernel(f"copy_bytes(U8({{y0}}), U8({{x0}}), {out.size_bytes});")
    ways = [strides_of(graph.type(name).shape, out.shape) for name in node.inputs]
    shape, (a, b) = merged(out.shape, ways)
    c_type = C_TYPES[out.dtype]
    is_float = out.dtype == "float32"
    inner, lines = shape[-1], []
    values = {}
    for letter, steps, index in (("a", a, 0), ("b", b, 1)):
        start = f"({c_type} *){{x{index}}}" + "".join(
            f" + {step} * n{axis}" for axis, step in enumerate(steps[:-1]) if step
        )
        lines.append(f"const {c_type} *{letter} = {start};")
        if is_float and steps[-1] == 0:
            lines.append(f"const f32x4 {letter}4 = load_splat({letter});")
            values[letter] = f"{letter}4"
        else:
            values[letter] = (f"load({letter} + i)" if is_float else f"{letter}[i]") if steps[-1] else f"{letter}[0]"
    rule = (_VECTOR if is_float else _SCALAR)[node.op].format(**values)
    to = f"({c_type} *){{y0}}" + "".join(
        f" + {step} * n{axis}" for axis, step in enumerate(strides_of(shape, shape)[:-1])
    )
    lines.append(f"{'EACH_F32' if is_float else 'EACH'}({to}, {inner}, {rule});")
    return Kernel(nest(shape[:-1], lines))


def _infer_pow(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    exponent = typing.value(node, 1)
    if exponent is None or exponent.size != 1 or float(exponent.ravel()[0]) not in _POWERS:
        raise node.cannot("its exponent is not one of -1, 0.5, 1, 2, 3", "Write the power with Mul, Sqrt, Exp and Log")
    return (TensorType("float32", broadcast(node, found.shape, exponent.shape)),)


def _lower_pow(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    exponent = graph.constants[node.inputs[1]]
    rule = _POWERS[float(exponent.ravel()[0])].format(x="load(F32({x0}) + i)")
    return Kernel(f"EACH_F32(F32({{y0}}), {graph.type(node.outputs[0]).size}, {rule});")


for _name in ("Add", "Sub", "Mul", "Div", "Min", "Max"):
    operator(_name, infer=_infer, lower=_lower)
operator("Pow", infer=_infer_pow, lower=_lower_pow)
