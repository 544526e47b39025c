"""LayerNormalization and BatchNormalization.

Source: ONNX Operators, LayerNormalization-17, BatchNormalization-9, -14, -15 (inference only). A batch normalisation is a scale and a
shift for each channel, known when compiling: `passes.batch_norm` makes it an `Affine`, which convolutions and dense layers take in.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import Graph, Node, TensorType

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


operator("LayerNormalization", since=17, infer=_infer_layer, lower=_lower_layer)
operator("BatchNormalization", infer=_infer_batch, lower=None)
operator("Affine", infer=float_like_input, lower=_lower_affine)
