"""The operators that can be compiled, one family a file: where it comes from, its shape rule, its lowering to C.

Importing this package fills `REGISTRY`."""

from . import activations, binary, convolution, dense, movement, normalization, pooling, reduction, softmax, views
from .registry import REGISTRY, Kernel, Mode, Operator, Typing

# Ours, made by passes; a model that brings one of these names means something else.
INTERNAL = {"Dense", "View", "ReduceBlock", "Affine"}
OFFERED = frozenset(REGISTRY) - INTERNAL

__all__ = [
    "OFFERED",
    "REGISTRY",
    "Kernel",
    "Mode",
    "Operator",
    "Typing",
    "activations",
    "binary",
    "convolution",
    "dense",
    "movement",
    "normalization",
    "pooling",
    "reduction",
    "softmax",
    "views",
]
