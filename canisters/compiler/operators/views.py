"""Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout: the same bytes under another shape. No code: the output is an alias.

Source: ONNX Operators, Reshape-5..., Flatten-9..., Squeeze-1..., Unsqueeze-1..., Identity-1..., Dropout-7.... After `passes.views`, all
of them are `View`.
"""

from __future__ import annotations

import math

from canisters.compiler.ir import ANY, Graph, Node, TensorType

from .registry import Kernel, Mode, Typing, axes_of, operator, same_as_input

VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout")


def _reshape(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    wanted = typing.value(node, 1)
    if wanted is None:
        raise node.cannot("it has no target shape", "Check the model with onnx.checker")
    keeps_zero = bool(node.attributes.get("allowzero", 0))
    shape = [int(size) for size in wanted.ravel()]
    for axis, size in enumerate(shape):
        if size == 0 and not keeps_zero:
            if axis >= len(found.shape):
                raise node.cannot(
                    f"axis {axis} copies a size that the input does not have", "Check the model with onnx.checker"
                )
            shape[axis] = found.shape[axis]
    if shape.count(-1) == 1:
        rest = math.prod(size for size in shape if size != -1)
        if rest == 0 or found.size % rest:
            raise node.cannot(f"{found} does not fit the shape {shape}", "Fix the symbolic axes to sizes that fit")
        shape[shape.index(-1)] = found.size // rest
    if min(shape, default=1) < 0 or math.prod(shape) != found.size:
        raise node.cannot(f"{found} does not fit the shape {shape}", "Fix the symbolic axes to sizes that fit")
    return (TensorType(found.dtype, tuple(shape)),)


def _flatten(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    axis = int(node.attributes.get("axis", 1))
    if not -len(found.shape) <= axis <= len(found.shape):
        raise node.cannot(
            f"axis {axis} is outside a tensor of rank {len(found.shape)}", "Check the model with onnx.checker"
        )
    axis += len(found.shape) if axis < 0 else 0
    return (TensorType(found.dtype, (math.prod(found.shape[:axis]), math.prod(found.shape[axis:]))),)


def _squeeze(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    given = typing.integers(node, "axes", 1)
    axes = (
        axes_of(node, given, len(found.shape))
        if given is not None
        else tuple(i for i, s in enumerate(found.shape) if s == 1)
    )
    if any(found.shape[axis] != 1 for axis in axes):
        raise node.cannot(
            f"the axes {list(axes)} of {found} are not all of size 1", "Fix the symbolic axes to sizes that fit"
        )
    return (TensorType(found.dtype, tuple(s for i, s in enumerate(found.shape) if i not in axes)),)


def _unsqueeze(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    found = typing.input(node)
    given = typing.integers(node, "axes", 1)
    if given is None:
        raise node.cannot("it names no axes", "Check the model with onnx.checker")
    rank = len(found.shape) + len(given)
    axes = axes_of(node, given, rank)
    sizes = iter(found.shape)
    return (TensorType(found.dtype, tuple(1 if axis in axes else next(sizes) for axis in range(rank))),)


def _dropout(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    training = typing.value(node, 2)
    if training is not None and bool(training):
        raise node.cannot("it is in training mode", "Export the network in evaluation mode (network.eval())")
    if len(node.outputs) > 1 and node.outputs[1]:
        raise node.cannot("its mask is used", "Export the network in evaluation mode (network.eval())")
    return (typing.input(node),)


def _alias(_node: Node, _graph: Graph, _mode: Mode) -> Kernel:
    return Kernel("")


operator("Reshape", infer=_reshape, lower=None, types=ANY)
operator("Flatten", infer=_flatten, lower=None, types=ANY)
operator("Squeeze", infer=_squeeze, lower=None, types=ANY)
operator("Unsqueeze", infer=_unsqueeze, lower=None, types=ANY)
operator("Identity", infer=same_as_input, lower=None, types=ANY)
operator("Dropout", infer=_dropout, lower=None, types=ANY)
operator("View", infer=same_as_input, lower=_alias, types=ANY)
