"""Operators whose result has a shape, or a number of elements, that depends on values: they are computed while compiling, when everything that
they read is constant, and are refused otherwise.

Source: ONNX Operators, ConstantOfShape-9, Range-11, NonZero-9, Unique-11, NonMaxSuppression-10, HannWindow, HammingWindow, BlackmanWindow-17,
MelWeightMatrix-17. The values themselves are ONNX's own reference's (`frontend`).
"""

from __future__ import annotations

from canisters.compiler.ir import ANY, Node, TensorType

from .registry import Typing, operator

NAMES = ("ConstantOfShape", "Range", "NonZero", "Unique", "NonMaxSuppression", "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix")  # fmt: skip


def _infer(node: Node, typing: Typing) -> tuple[TensorType, ...]:
    for index in range(len(node.inputs)):
        typing.value(node, index)
    raise node.cannot("it has more elements than are computed while compiling", "Export with smaller sizes")


for _name in NAMES:
    operator(_name, infer=_infer, lower=None, types=ANY)
