"""Functions of each element alone, with or without parameters: activations, roots, signs, trigonometry, tests for NaN.

Source: ONNX Operators, Relu-6, -14; LeakyRelu-6, -16; Sigmoid, Tanh-6, -13; Gelu-20; Erf-9, -13; Exp, Log, Sqrt, Reciprocal, Neg, Abs, Floor, Ceil-6,
-13; Sign-9, -13; Round-11; Sin ... Atanh-7, -9, -22; Elu-6, -22; Selu-6, -22; Celu-12; Mish-18; Softplus, Softsign-1, -22; ThresholdedRelu-10, -22;
Swish-24; Shrink-9; HardSigmoid-6, -22; HardSwish-14; IsNaN-9, -13; IsInf-10, -20. float32 and float64; integers where ONNX has them. The sign of
NaN is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from canisters.compiler.ir import C_TYPES, INTEGERS, SIGNED, Graph, Node, TensorType

from .dialects import Dialect, Rule
from .elementwise import COMPARED_WORDS, ELEMENTS, each
from .registry import Kernel, Mode, Typing, c_float, operator

NUMBERS = ("float32", "float64", *INTEGERS)

# Cheap ones are repeated in an unrolled loop, long ones are not.
_SHORT: dict[str, Rule] = {
    "Relu": lambda d, x: d.at_least(x, d.k(0.0)),
    "Sqrt": lambda d, x: d.sqrt(x),
    "Reciprocal": lambda d, x: d.divide(d.k(1.0), x),
    "Neg": lambda d, x: d.neg(x),
    "Abs": lambda d, x: d.abs(x),
    "Floor": lambda d, x: d.floor(x),
    "Ceil": lambda d, x: d.ceil(x),
    "Round": lambda d, x: d.nearest(x),
    "Sign": lambda d, x: d.choose(d.gt(x, d.k(0.0)), d.k(1.0), d.choose(d.lt(x, d.k(0.0)), d.k(-1.0), x)),
    "Softsign": lambda d, x: d.divide(x, d.add(d.k(1.0), d.abs(x))),
}
_LONG: dict[str, Rule] = {
    "Sigmoid": lambda d, x: d.sigmoid(x),
    "Tanh": lambda d, x: d.tanh(x),
    "Erf": lambda d, x: d.erf(x),
    "Exp": lambda d, x: d.exp(x),
    "Log": lambda d, x: d.log(x),
    "Sin": lambda d, x: d.sin(x),
    "Cos": lambda d, x: d.cos(x),
    "Tan": lambda d, x: d.tan(x),
    "Asin": lambda d, x: d.asin(x),
    "Acos": lambda d, x: d.acos(x),
    "Atan": lambda d, x: d.atan(x),
    "Sinh": lambda d, x: d.sinh(x),
    "Cosh": lambda d, x: d.cosh(x),
    "Asinh": lambda d, x: d.asinh(x),
    "Acosh": lambda d, x: d.acosh(x),
    "Atanh": lambda d, x: d.atanh(x),
    "Softplus": lambda d, x: d.softplus(x),
    "Mish": lambda d, x: d.mul(x, d.tanh(d.softplus(x))),
}
_INTEGER = {
    "Neg": "-{a}",
    "Abs": "({a} < 0 ? -{a} : {a})",
    "Relu": "({a} < 0 ? 0 : {a})",
    "Sign": "(({a} > 0) - ({a} < 0))",
}
# Parameters by attribute, with ONNX's defaults.
_DEFAULTS = {
    "Elu": {"alpha": 1.0}, "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, "Celu": {"alpha": 1.0},
    "ThresholdedRelu": {"alpha": 1.0}, "Swish": {"alpha": 1.0}, "Shrink": {"lambd": 0.5, "bias": 0.0}, "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "HardSwish": {}, "LeakyRelu": {"alpha": 0.01},
}  # fmt: skip
_LONG_PARAMETERS = ("Elu", "Selu", "Celu", "Swish")


@dataclass(frozen=True)
class Activation:
    """What a fused kernel does to its results: a constant of functions.h's `enum activation` and two parameters."""

    kind: str = "NONE"
    p: float = 0.0
    q: float = 0.0

    @property
    def arguments(self) -> str:
        return f"{self.kind}, {c_float(self.p)}, {c_float(self.q)}"


def bounds(node: Node, graph: Graph) -> tuple[float, float] | None:
    """Clip's limits, when they are known and are no NaN."""
    found = []
    for index, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        if name in node.attributes:
            found.append(float(node.attributes[name]))
        elif not node.input(index):
            found.append(float(default))
        else:
            constant = graph.constant(node.input(index))
            if constant is None or constant.size != 1:
                return None
            found.append(float(constant.ravel()[0]))
    return None if any(np.isnan(limit) for limit in found) else (found[0], found[1])


def activation_of(node: Node, graph: Graph) -> Activation | None:
    """The activation that a node is, or None when it is none that kernels can take in."""
    match node.op:
        case "Relu":
            return Activation("RELU")
        case "LeakyRelu":
            return Activation("LEAKY_RELU", float(node.attributes.get("alpha", 0.01)))
        case "Sigmoid":
            return Activation("SIGMOID")
        case "Tanh":
            return Activation("TANH")
        case "Gelu":
            return Activation("GELU_TANH" if node.attributes.get("approximate") == "tanh" else "GELU")
        case "Clip":
            limits = bounds(node, graph)
            return None if limits is None or limits[0] > limits[1] else Activation("CLIP", *limits)
    return None


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    is_offered = node.op in _INTEGER and typing.input(node).dtype in INTEGERS
    return (typing.input(node) if is_offered else typing.floats(node, 0, ("float32", "float64")),)


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    out = graph.type(node.outputs[0])
    if out.dtype in INTEGERS:
        unsigned = "uint64_t" if "64" in out.dtype else "uint32_t"
        rule = (
            _INTEGER[node.op].replace("-{a}", f"0 - ({unsigned}){{a}}") if out.dtype in SIGNED else _UNSIGNED[node.op]
        )
        return each(out, [out], f"({C_TYPES[out.dtype]})({rule})", ELEMENTS)
    d = Dialect(out.dtype)
    is_long = node.op in _LONG
    return each(out, [out], (_LONG if is_long else _SHORT)[node.op](d, "{a}"), d.lanes(is_long=is_long))


def activate(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """What fused kernels do, as a kernel of its own. float32."""
    out, fused = graph.type(node.outputs[0]), activation_of(node, graph)
    if fused is None:
        raise node.cannot("its parameters are not known", "Make them constants of the model")
    lanes = Dialect(out.dtype).lanes(is_long=fused.kind.startswith("GELU"))
    return each(out, [out], f"activate({{a}}, {fused.arguments})", lanes)


def _infer_float32(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (typing.floats(node),)


# --- with parameters ---


def _infer_floats(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (typing.floats(node, 0, NUMBERS if node.op == "Shrink" else ("float32", "float64")),)


def _rule(node: Node, d: Dialect, x: str) -> str:
    # An attribute is a float32, its default too.
    given = {name: float(np.float32(node.attributes.get(name, value))) for name, value in _DEFAULTS[node.op].items()}
    alpha, zero = given.get("alpha", 0.0), d.k(0.0)
    match node.op:
        case "LeakyRelu":
            return d.choose(d.lt(x, zero), d.mul(x, d.k(alpha)), x)
        case "Elu":
            return d.choose(d.lt(x, zero), d.mul(d.expm1(x), d.k(alpha)), x)
        case "Selu":
            return d.mul(d.choose(d.gt(x, zero), x, d.mul(d.expm1(x), d.k(alpha))), d.k(given["gamma"]))
        case "Celu":
            return d.choose(d.lt(x, zero), d.mul(d.expm1(d.divide(x, d.k(alpha))), d.k(alpha)), x)
        case "ThresholdedRelu":
            return d.both(x, d.gt(x, d.k(alpha)))
        case "Swish":
            return d.mul(x, d.sigmoid(d.mul(x, d.k(alpha))))
        case "Shrink":
            above = d.both(d.sub(x, d.k(given["bias"])), d.gt(x, d.k(given["lambd"])))
            return d.choose(d.lt(x, d.k(-given["lambd"])), d.add(x, d.k(given["bias"])), above)
        case "HardSwish":
            return d.mul(x, _hard(d, x, 1 / 6, 0.5))
    return _hard(d, x, alpha, given["beta"])


def _hard(d: Dialect, x: str, alpha: float, beta: float) -> str:
    return d.at_most(d.at_least(d.add(d.mul(x, d.k(alpha)), d.k(beta)), d.k(0.0)), d.k(1.0))


def _lower_parameters(node: Node, graph: Graph, mode: Mode) -> Kernel:
    out = graph.type(node.outputs[0])
    if node.op == "LeakyRelu" and out.dtype == "float32":
        return activate(node, graph, mode)
    if out.dtype in INTEGERS:  # Shrink, computed as ONNX's reference does: in the floats that attributes are
        limit, bias = (float(node.attributes.get(name, value)) for name, value in _DEFAULTS["Shrink"].items())
        x = "(double){a}"
        rule = f"({x} < {-limit} ? {x} + {bias} : {x} > {limit} ? {x} - {bias} : 0.0)"
        convert = "int_of" if out.dtype in SIGNED else "natural_of"
        return each(out, [out], f"({C_TYPES[out.dtype]}){convert}({rule})", ELEMENTS)
    d = Dialect(out.dtype)
    return each(out, [out], _rule(node, d, "{a}"), d.lanes(is_long=node.op in _LONG_PARAMETERS))


# --- IsNaN and IsInf ---


def _infer_test(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    return (TensorType("bool", typing.floats(node, 0, ("float32", "float64")).shape),)


def _lower_test(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found, out = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    wanted = [sign for sign in ("positive", "negative") if node.attributes.get(f"detect_{sign}", 1)]
    infinity = {"positive": float("inf"), "negative": -float("inf")}
    if found.dtype == "float64":
        tests = [f"{{a}} == {'-' if sign == 'negative' else ''}__builtin_inf()" for sign in wanted]
        return each(out, [found], "({a} != {a})" if node.op == "IsNaN" else f"({' || '.join(tests) or '0'})", ELEMENTS)
    d = Dialect("float32")
    if node.op == "IsNaN":
        return each(out, [found], d.ne("{a}", "{a}"), COMPARED_WORDS)
    if len(wanted) == 2:
        return each(out, [found], d.eq(d.abs("{a}"), d.k(float("inf"))), COMPARED_WORDS)
    return each(out, [found], d.eq("{a}", d.k(infinity[wanted[0]])) if wanted else d.k(0.0), COMPARED_WORDS)


_UNSIGNED = {"Abs": "{a}", "Relu": "{a}", "Sign": "({a} > 0)", "Neg": "0 - {a}"}

for _name in (*_SHORT, *_LONG):
    operator(
        _name,
        since=11 if _name == "Round" else 6,
        infer=_infer,
        lower=_lower,
        types=NUMBERS if _name in _INTEGER else ("float32", "float64"),
    )
operator("Gelu", since=20, infer=_infer_float32, lower=activate)
for _name in _DEFAULTS:
    operator(_name, infer=_infer_floats, lower=_lower_parameters, types=NUMBERS)
for _name in ("IsNaN", "IsInf"):
    operator(_name, infer=_infer_test, lower=_lower_test, types=("float32", "float64"))
