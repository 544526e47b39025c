"""A small network for the shell's tests, made without training: two dense layers on 6 features, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from canisters.compiler import CompiledModel, compile_model
from canisters.compiler.equality import reference_outputs
from canisters.compiler.local import tensor_blob

FEATURES, HIDDEN, CLASSES = 6, 300, 3
RELEASE_HASH = bytes(range(32))


@dataclass(frozen=True)
class SmallModel:
    onnx_bytes: bytes
    compiled: CompiledModel

    def expected(self, features: np.ndarray) -> np.ndarray:
        return reference_outputs(self.onnx_bytes, [{"features": features}])[0]["probabilities"]


def small_onnx(hidden: int = HIDDEN, seed: int = 0) -> bytes:
    """features (1, 6) -> Dense, Relu, Dense, Softmax -> probabilities (1, 3)."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": rng.standard_normal((FEATURES, hidden)).astype(np.float32),
        "b1": rng.standard_normal(hidden).astype(np.float32),
        "w2": (rng.standard_normal((hidden, CLASSES)) / hidden).astype(np.float32),
        "b2": rng.standard_normal(CLASSES).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w2", "b2"], ["c"]),
        helper.make_node("Softmax", ["c"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, (1, FEATURES))],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, (1, CLASSES))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def small() -> SmallModel:
    data = small_onnx()
    return SmallModel(data, compile_model(data))


@pytest.fixture(scope="session")
def chunked() -> SmallModel:
    """A network whose weights take three chunks."""
    data = small_onnx(hidden=60_000)
    return SmallModel(data, compile_model(data))


@pytest.fixture
def features() -> np.ndarray:
    return np.linspace(-1, 1, FEATURES, dtype=np.float32).reshape(1, FEATURES)


@pytest.fixture
def blob(features: np.ndarray) -> dict[str, Any]:
    return tensor_blob("features", features)
