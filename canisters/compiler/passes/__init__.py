"""Rewrites of the graph, one a file, each of which leaves a graph that `ir.verify` accepts. `PASSES` is their order."""

from __future__ import annotations

from collections.abc import Callable

from canisters.compiler.ir import Graph

from .batch_norm import batch_norm_to_affine
from .dense import to_dense
from .drop_unused import drop_unused
from .einsum import einsum_to_products
from .fold_affine import fold_affine
from .fuse_activation import fuse_activation
from .fuse_bias import fuse_bias
from .fuse_gelu import fuse_gelu
from .general_conv import general_conv
from .reductions import reductions_to_blocks
from .spectral import spectra_to_products
from .split_variadic import split_variadic
from .views import to_views

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    to_views,
    split_variadic,
    batch_norm_to_affine,
    general_conv,
    einsum_to_products,
    spectra_to_products,
    to_dense,
    fuse_bias,
    fold_affine,
    fuse_bias,
    fuse_gelu,
    fuse_activation,
    reductions_to_blocks,
    drop_unused,
)

__all__ = ["PASSES"]
