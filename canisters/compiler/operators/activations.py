"""Functions of each element alone: activations, roots, signs, casts.

Source: ONNX Operators, Relu, LeakyRelu, Sigmoid, Tanh, Gelu-20, Erf, Exp, Log, Sqrt, Reciprocal, Neg, Abs, Clip, HardSigmoid,
HardSwish, Cast. Float32 only, but for Neg, Abs, Relu, Clip of integers and Cast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from canisters.compiler.ir import C_TYPES, Graph, Node, TensorType

from .registry import Kernel, Mode, Typing, c_float, operator

# Four lanes x in, four out. Cheap ones are repeated in an unrolled loop, long ones are not.
_SHORT = {
    "Relu": "at_least({x}, splat(0.0f))",
    "Sqrt": "wasm_f32x4_sqrt({x})",
    "Reciprocal": "divide(splat(1.0f), {x})",
    "Neg": "wasm_f32x4_neg({x})",
    "Abs": "wasm_f32x4_abs({x})",
    "Floor": "wasm_f32x4_floor({x})",
    "Ceil": "wasm_f32x4_ceil({x})",
}
_LONG = {"Sigmoid": "sigmoid4({x})", "Tanh": "tanh4({x})", "Erf": "erf4({x})", "Exp": "exp4({x})", "Log": "log4({x})"}
_INTEGER = {"Neg": "-{x}", "Abs": "{x} < 0 ? -{x} : {x}", "Relu": "{x} < 0 ? 0 : {x}"}


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
    found = typing.input(node)
    if found.dtype != "float32" and not (node.op in _INTEGER and found.dtype.startswith("int")):
        return (typing.floats(node),)
    return (found,)


def _infer_clip(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    for index in (1, 2):
        typing.value(node, index)
    if found.dtype == "bool":
        return (typing.floats(node),)
    return (found,)


def _each(size: int, value: str, *, is_long: bool) -> Kernel:
    return Kernel(f"{'EACH_F32_LONG' if is_long else 'EACH_F32'}(F32({{y0}}), {size}, {value});")


def _lower(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    if found.dtype != "float32":
        element = f"(({C_TYPES[found.dtype]} *){{x0}})[i]"
        value = _INTEGER[node.op].format(x=element)
        return Kernel(f"EACH(({C_TYPES[found.dtype]} *){{y0}}, {found.size}, {value});")
    fused = activation_of(node, graph)
    if node.op in _SHORT:
        return _each(found.size, _SHORT[node.op].format(x="load(F32({x0}) + i)"), is_long=False)
    if node.op in _LONG:
        return _each(found.size, _LONG[node.op].format(x="load(F32({x0}) + i)"), is_long=True)
    if fused is None:
        raise node.cannot("its parameters are not known", "Make them constants of the model")
    return _each(
        found.size, f"activate(load(F32({{x0}}) + i), {fused.arguments})", is_long=fused.kind.startswith("GELU")
    )


def _lower_clip(node: Node, graph: Graph, mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    if found.dtype == "float32" and activation_of(node, graph) is not None:
        return _lower(node, graph, mode)
    c_type = C_TYPES[found.dtype]
    value = f"(({c_type} *){{x0}})[i]"
    # As ONNX says: min(max(x, low), high), also when low is above high.
    for index, name, sign in ((1, "min", "<"), (2, "max", ">")):
        if node.input(index) or name in node.attributes:
            constant = graph.constant(node.input(index)) if node.input(index) else np.array(node.attributes[name])
            if constant is None:
                raise node.cannot(f"its {name} is only known at run time", "Make it a constant of the model")
            limit = (
                c_float(float(constant.ravel()[0]))
                if found.dtype == "float32"
                else f"(({c_type}){int(constant.ravel()[0])})"
            )
            value = f"(({value}) {sign} {limit} ? {limit} : ({value}))"
    return Kernel(f"EACH(({c_type} *){{y0}}, {found.size}, {value});")


def _lower_hard(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    alpha, beta = (
        (1 / 6, 0.5)
        if node.op == "HardSwish"
        else (node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5))
    )
    line = f"add(mul(load(F32({{x0}}) + i), splat({c_float(alpha)})), splat({c_float(beta)}))"
    gate = f"at_most(at_least({line}, splat(0.0f)), splat(1.0f))"
    value = f"mul(load(F32({{x0}}) + i), {gate})" if node.op == "HardSwish" else gate
    return _each(graph.type(node.inputs[0]).size, value, is_long=False)


def _infer_cast(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    target = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(int(node.attributes["to"]))).name
    if target not in C_TYPES:
        raise node.cannot(f"it casts to {target}", f"Cast to one of {', '.join(C_TYPES)}")
    return (TensorType(target, typing.input(node).shape),)


def _lower_cast(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    source, target = graph.type(node.inputs[0]), graph.type(node.outputs[0])
    element = f"(({C_TYPES[source.dtype]} *){{x0}})[i]"
    to = f"({C_TYPES[target.dtype]} *){{y0}}"
    if target.dtype == "bool":
        return Kernel(f"EACH({to}, {source.size}, {element} != 0);")
    if source.dtype == "float32" and target.dtype != "float32":
        # Through int64, so that what is out of range wraps as integers do and traps nowhere.
        return Kernel(
            f"EACH({to}, {source.size}, ({C_TYPES[target.dtype]})__builtin_wasm_trunc_saturate_s_i64_f32({element}));"
        )
    return Kernel(f"EACH({to}, {source.size}, ({C_TYPES[target.dtype]}){element});")


for _name in (*_SHORT, *_LONG, "LeakyRelu", "Gelu"):
    operator(_name, since=20 if _name == "Gelu" else 9, infer=_infer, lower=_lower)
for _name in ("HardSigmoid", "HardSwish"):
    operator(_name, infer=_infer, lower=_lower_hard)
operator("Clip", infer=_infer_clip, lower=_lower_clip)
operator("Cast", infer=_infer_cast, lower=_lower_cast)
