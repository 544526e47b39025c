"""LayerNormalization, RMSNormalization, InstanceNormalization, BatchNormalization, LRN.

Source: ONNX Operators, LayerNormalization-17, RMSNormalization-23, InstanceNormalization-6, -22, BatchNormalization-9, -14, -15, LRN-1, -13.
A batch normalisation is a scale and a shift for each channel, known when compiling: `passes.batch_norm` makes it an `Affine`, which
convolutions and dense layers take in. What stands here in other forms is written out: with `definitions.py` (training, weights at run time),
or as ONNX itself does (GroupNormalization, LayerNormalization with its mean).
"""

from __future__ import annotations

import math

from canisters.compiler.ir import Graph, Node, TensorType, without_ones

from .registry import Kernel, Mode, Typing, axis_of, c_float, float_like_input, operator


def _infer_layer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(found.shape))
    if int(node.attributes.get("stash_type", 1)) != 1:
        raise node.cannot("it computes in another type than float32", "Export it with stash_type 1")
    for index in (1, 2):
        if node.input(index) and typing.input(node, index).size != math.prod(found.shape[axis:]):
            raise node.cannot(
                f"input {index} is {typing.input(node, index)}, to be broadcast", "Give it the normalised shape itself"
            )
    if any(node.outputs[1:]):
        raise node.cannot("its mean or deviation is used", "Export the network in evaluation mode (network.eval())")
    return (found,)


def _lower_layer(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape = graph.type(node.inputs[0]).shape
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(shape))
    shift = "F32({x2})" if node.input(2) else "0"
    epsilon = c_float(float(node.attributes.get("epsilon", 1e-5)))
    rows, size = math.prod(shape[:axis]), math.prod(shape[axis:])
    return Kernel(f"layer_norm_f32(F32({{x0}}), F32({{x1}}), {shift}, F32({{y0}}), {rows}, {size}, {epsilon});")


def _infer_batch(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    if node.attributes.get("training_mode", 0) or any(node.outputs[1:]):
        raise node.cannot("it is in training mode", "Export the network in evaluation mode (network.eval())")
    if len(found.shape) < 2:
        raise node.cannot(f"its input {found} has no channels", "Check the model with onnx.checker")
    for index in range(1, 5):
        if typing.value(node, index) is None:
            raise node.cannot(f"input {index} is missing", "Check the model with onnx.checker")
    return (found,)


def _lower_affine(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    """x (batch, channels, ...) * scale (channels) + shift (channels)."""
    shape = graph.type(node.inputs[0]).shape
    batch, channels, inner = shape[0], shape[1], math.prod(shape[2:])
    if inner == 1:
        value = f"add(mul(load(F32({{x0}}) + n0 * {channels} + i), load(F32({{x1}}) + i)), load(F32({{x2}}) + i))"
        body = f"EACH_F32(F32({{y0}}) + n0 * {channels}, {channels}, {value});"
        return Kernel(f"ROLLED for (unsigned n0 = 0; n0 < {batch}; n0++) {{{{\n  {body}\n}}}}")
    at = f"(n0 * {channels} + n1) * {inner}"
    value = f"add(mul(load(F32({{x0}}) + {at} + i), scale), shift)"
    return Kernel(
        f"ROLLED for (unsigned n0 = 0; n0 < {batch}; n0++)\n"
        f"  ROLLED for (unsigned n1 = 0; n1 < {channels}; n1++) {{{{\n"
        "    const f32x4 scale = load_splat(F32({x1}) + n1), shift = load_splat(F32({x2}) + n1);\n"
        f"    EACH_F32(F32({{y0}}) + {at}, {inner}, {value});\n"
        "  }}"
    )


def _infer_rms(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found, scale = typing.floats(node, 0), typing.floats(node, 1)
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(found.shape))
    if int(node.attributes.get("stash_type", 1)) != 1:
        raise node.cannot("it computes in another type than float32", "Export it with stash_type 1")
    if scale.size != 1 and without_ones(scale.shape) != without_ones(found.shape[axis:]):
        raise node.cannot(f"input 1 is {scale}, to be broadcast", "Give it the normalised shape itself")
    return (found,)


def _lower_rms(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape = graph.type(node.inputs[0]).shape
    axis = axis_of(node, int(node.attributes.get("axis", -1)), len(shape))
    rows, size = math.prod(shape[:axis]), math.prod(shape[axis:])
    if rows * size == 0:
        return Kernel("")
    steps = "true" if graph.type(node.inputs[1]).size > 1 else "false"
    epsilon = c_float(float(node.attributes.get("epsilon", 1e-5)))
    return Kernel(f"rms_norm_f32(F32({{x0}}), F32({{x1}}), {steps}, F32({{y0}}), {rows}, {size}, {epsilon});")


def _infer_instance(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    if len(found.shape) < 3 or any(typing.floats(node, index).shape != found.shape[1:2] for index in (1, 2)):
        raise node.cannot(
            f"its scale or shift does not fit the channels of {found}", "Check the model with onnx.checker"
        )
    return (found,)


def _lower_instance(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    found = graph.type(node.inputs[0])
    if found.size == 0:
        return Kernel("")
    batch, channels, inner = found.shape[0], found.shape[1], math.prod(found.shape[2:])
    epsilon = c_float(float(node.attributes.get("epsilon", 1e-5)))
    return Kernel(
        f"instance_norm_f32(F32({{x0}}), F32({{x1}}), F32({{x2}}), F32({{y0}}), {batch * channels}, {channels}, {inner}, {epsilon});"
    )


def _infer_lrn(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.floats(node)
    if len(found.shape) < 2 or int(node.attributes.get("size", 0)) < 1:
        raise node.cannot(
            f"it looks at {node.attributes.get('size', 0)} channels of {found}", "Check the model with onnx.checker"
        )
    return (found,)


def _lower_lrn(node: Node, graph: Graph, _mode: Mode) -> Kernel:
    shape, size = graph.type(node.inputs[0]).shape, int(node.attributes["size"])
    alpha = float(node.attributes.get("alpha", 1e-4)) / size
    beta, bias = float(node.attributes.get("beta", 0.75)), float(node.attributes.get("bias", 1.0))
    before = (size - 1) // 2
    return Kernel(
        f"local_response_norm_f32(F32({{x0}}), F32({{y0}}), {shape[0]}, {shape[1]}, {math.prod(shape[2:])}, {before}, {size - 1 - before}, "
        f"{c_float(alpha)}, {c_float(beta)}, {c_float(bias)});"
    )


operator("RMSNormalization", since=23, infer=_infer_rms, lower=_lower_rms)
operator("InstanceNormalization", infer=_infer_instance, lower=_lower_instance)
operator("LRN", infer=_infer_lrn, lower=_lower_lrn)
operator("LayerNormalization", since=17, infer=_infer_layer, lower=_lower_layer)
operator("BatchNormalization", infer=_infer_batch, lower=None)
operator("Affine", infer=float_like_input, lower=_lower_affine)
