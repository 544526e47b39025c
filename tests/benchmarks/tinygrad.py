"""tinygrad's own kernels beside ours: the same ONNX models scheduled and written as C by tinygrad, built and metered alike."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from onnx import ModelProto

from canisters.compiler import build_graph, compile_model
from canisters.compiler.compiled import compiled_model
from tests.canisters.compiler.networks import cnn, mlp

from .figure import Figure
from .kernels import product, wide

MODELS = (
    ("gemm_48x768x768", product(48)),
    ("gemv_768x768", product(1)),
    ("mlp", mlp()),
    ("mlp_784", wide()),
    ("cnn_28", cnn(size=28)),
)


def figures() -> Iterator[Figure]:
    """Instructions of the network alone in f32, and how many times ours that is."""
    for name, model in MODELS:
        data = model.SerializeToString()
        ours = compile_model(data).cost.kernel_instructions
        theirs = kernel_instructions(model)
        yield Figure(f"compiler.tinygrad.{name}.kernels", theirs, "instructions", None)
        yield Figure(f"compiler.tinygrad.{name}.over_ours", round(theirs / ours, 2), "ratio", None)


def kernel_instructions(model: ModelProto) -> int:
    os.environ.setdefault("DEV", "PYTHON")  # tinygrad wants a device for its own tensors; nothing is computed on it
    from canisters.compiler.frontends.tinygrad import graph_of_onnx

    examples = {
        value.name: np.zeros([size.dim_value for size in value.type.tensor_type.shape.dim], np.float32) for value in model.graph.input
    }
    built = build_graph(graph_of_onnx(model.SerializeToString(), examples))
    return compiled_model(built, "f32", {}).cost.kernel_instructions
