"""Operators that we write with others, as ONNX does it with functions where it has one (inlining.py).

QLinearMatMul(a, b) -> QuantizeLinear(MatMulInteger(a, b) * scale of a * scale of b)
QLinearConv(x, w, bias) -> QuantizeLinear((ConvInteger(x, w) + bias) * scale of x * scale of w)

BatchNormalization, where its numbers are only known at run time or it is in training mode -> (x - mean) / sqrt(variance + epsilon) * scale + shift
Dropout that keeps everything and gives its mask -> x, all true

Source: ONNX Operators, QLinearMatMul-10, -21; QLinearConv-10; BatchNormalization-9, -14, -15; Dropout-7 ... -22. The integer sums are exact; a single
rounding follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import TensorProto, helper

from .ir import Array, Node, TensorType

OPSET = 18


def definition(
    node: Node, proto: onnx.NodeProto, types: Mapping[str, TensorType], constants: Mapping[str, Array]
) -> onnx.FunctionProto | None:
    if node.op == "QLinearMatMul" and len(node.inputs) == 8:
        return _matmul(node, types)
    if node.op == "QLinearConv" and len(node.inputs) in (8, 9):
        return _conv(node, proto, types)
    if node.op == "BatchNormalization" and len(node.inputs) == 5:
        return _batch_norm(node, types)
    if node.op == "Dropout" and len(node.outputs) == 2:
        return _dropout(node, types, constants)
    return None


def _function(
    op: str, inputs: Sequence[str], nodes: Sequence[onnx.NodeProto], outputs: Sequence[str] = ("y",)
) -> onnx.FunctionProto:
    imports = [helper.make_opsetid("", OPSET)]
    return helper.make_function("commonweight", op, inputs, outputs, nodes, imports)


def _floats(name: str, shape: Sequence[int]) -> list[onnx.NodeProto]:
    """`name` as float32 of a shape, called `name`_f."""
    value = helper.make_tensor(f"{name}_shape", TensorProto.INT64, [len(shape)], shape)
    return [
        helper.make_node("Constant", [], [f"{name}_shape"], value=value),
        helper.make_node("Cast", [name], [f"{name}_wide"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", [f"{name}_wide", f"{name}_shape"], [f"{name}_f"]),
    ]


def _scaled(total: str, zero: str) -> list[onnx.NodeProto]:
    """From int32 to the quantised answer."""
    return [
        helper.make_node("Cast", [total], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["a_scale_f", "b_scale_f"], ["scale"]),
        helper.make_node("Mul", ["wide", "scale"], ["real"]),
        helper.make_node("QuantizeLinear", ["real", "y_scale_f", zero], ["y"]),
    ]


def _matmul(node: Node, types: Mapping[str, TensorType]) -> onnx.FunctionProto | None:
    a, b, y = (types[node.inputs[index]] for index in (1, 4, 6))
    if (
        y.size != 1
        or a.size not in (1, *types[node.inputs[0]].shape[-2:-1])
        or b.size not in (1, *types[node.inputs[3]].shape[-1:])
    ):
        return None
    nodes = [
        *_floats("a_scale", (a.size, 1) if a.size > 1 else ()),
        *_floats("b_scale", (b.size,) if b.size > 1 else ()),
        *_floats("y_scale", ()),
        helper.make_node("MatMulInteger", ["a", "b", "a_zero", "b_zero"], ["total"]),
        *_scaled("total", "y_zero"),
    ]
    return _function(node.op, ["a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"], nodes)


def _conv(node: Node, proto: onnx.NodeProto, types: Mapping[str, TensorType]) -> onnx.FunctionProto | None:
    x, weights = types[node.inputs[0]], types[node.inputs[3]]
    b_scale = types[node.inputs[4]]
    channels, ones = weights.shape[0], (1,) * (len(x.shape) - 2)
    if types[node.inputs[1]].size != 1 or types[node.inputs[6]].size != 1 or b_scale.size not in (1, channels):
        return None
    conv = helper.make_node("ConvInteger", ["a", "b", "a_zero", "b_zero"], ["product"])
    conv.attribute.extend(proto.attribute)
    nodes = [
        *_floats("a_scale", ()),
        *_floats("b_scale", (channels, *ones) if b_scale.size > 1 else ()),
        *_floats("y_scale", ()),
        conv,
    ]
    inputs = ["a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"]
    total = "product"
    if node.input(8):
        shape = helper.make_tensor("bias_shape", TensorProto.INT64, [1 + len(ones)], (channels, *ones))
        nodes += [
            helper.make_node("Constant", [], ["bias_shape"], value=shape),
            helper.make_node("Reshape", ["bias", "bias_shape"], ["bias_rows"]),
            helper.make_node("Add", ["product", "bias_rows"], ["total"]),
        ]
        inputs.append("bias")
        total = "total"
    return _function(node.op, inputs, [*nodes, *_scaled(total, "y_zero")])


def _batch_norm(node: Node, types: Mapping[str, TensorType]) -> onnx.FunctionProto | None:
    x = types[node.inputs[0]]
    if len(x.shape) < 2 or any(types[name].shape != x.shape[1:2] for name in node.inputs[1:]):
        return None
    rows = (x.shape[1], *(1 for _ in x.shape[2:]))
    epsilon, momentum = float(node.attributes.get("epsilon", 1e-5)), float(node.attributes.get("momentum", 0.9))
    trains = bool(node.attributes.get("training_mode", 0))
    nodes: list[onnx.NodeProto] = []
    for name in ("scale", "shift", "given_mean", "given_variance"):
        nodes += _floats(name, rows)
    nodes += [_number("epsilon", epsilon), _number("momentum", momentum), _number("rest", 1 - momentum)]
    mean, variance = "given_mean_f", "given_variance_f"
    if trains:
        axes = helper.make_tensor("axes", TensorProto.INT64, [len(x.shape) - 1], [0, *range(2, len(x.shape))])
        nodes += [
            helper.make_node("Constant", [], ["axes"], value=axes),
            helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["x", "mean"], ["off"]),
            helper.make_node("Mul", ["off", "off"], ["squares"]),
            helper.make_node("ReduceMean", ["squares", "axes"], ["variance"], keepdims=1),
            *_running("mean"),
            *_running("variance"),
        ]
        mean, variance = "mean", "variance"
    nodes += [
        helper.make_node("Sub", ["x", mean], ["centred"]),
        helper.make_node("Add", [variance, "epsilon"], ["above"]),
        helper.make_node("Sqrt", ["above"], ["deviation"]),
        helper.make_node("Div", ["centred", "deviation"], ["normal"]),
        helper.make_node("Mul", ["normal", "scale_f"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift_f"], ["y"]),
    ]
    outputs = ["y", "running_mean", "running_variance"] if trains else ["y"]
    return _function(node.op, ["x", "scale", "shift", "given_mean", "given_variance"], nodes, outputs)


def _running(name: str) -> list[onnx.NodeProto]:
    """The given one and this batch's, mixed by `momentum`; one value a channel."""
    shape = helper.make_tensor("flat", TensorProto.INT64, [1], [-1])
    return [
        helper.make_node("Constant", [], [f"{name}_flat"], value=shape),
        helper.make_node("Reshape", [name, f"{name}_flat"], [f"{name}_row"]),
        helper.make_node("Mul", [f"given_{name}_wide", "momentum"], [f"{name}_old"]),
        helper.make_node("Mul", [f"{name}_row", "rest"], [f"{name}_new"]),
        helper.make_node("Add", [f"{name}_old", f"{name}_new"], [f"running_{name}"]),
    ]


def _number(name: str, value: float) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, TensorProto.FLOAT, [], [value]))


def _dropout(node: Node, types: Mapping[str, TensorType], constants: Mapping[str, Array]) -> onnx.FunctionProto | None:
    """Nothing is dropped: not in training mode, or with a ratio of 0."""
    ratio, training = (constants.get(node.input(index)) for index in (1, 2))
    if (node.input(2) and training is None) or (
        training is not None and training.any() and (ratio is None or ratio.any())
    ):
        return None
    shape = types[node.inputs[0]].shape
    size = helper.make_tensor("size", TensorProto.INT64, [len(shape)], shape)
    yes = helper.make_tensor("yes", TensorProto.BOOL, [1], [True])
    nodes = [
        helper.make_node("Identity", ["x"], ["y"]),
        helper.make_node("Constant", [], ["size"], value=size),
        helper.make_node("ConstantOfShape", ["size"], ["mask"], value=yes),
    ]
    return _function(node.op, ["x", "ratio", "training"][: len(node.inputs)], nodes, ("y", "mask"))
