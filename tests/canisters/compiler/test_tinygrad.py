"""tinygrad's own kernels in our canister: equal to numpy, to ONNX Runtime, and to the way through our operators, of which they use none."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest

from canisters.compiler import CannotCompile, build_model
from canisters.compiler.equality import reference_outputs
from canisters.compiler.local import LocalModel
from canisters.compiler.memory import chunks
from canisters.compiler.pipeline import Built, build_graph

from .networks import NETWORKS

F = np.float32
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def front() -> Iterator[Any]:
    """The front end; Tensors live on tinygrad's interpreter, which every machine has."""
    before = os.environ.get("DEV")
    os.environ["DEV"] = "PYTHON"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pytest.importorskip("tinygrad")
        from canisters.compiler.frontends import tinygrad

        yield tinygrad
    finally:
        if before is None:
            del os.environ["DEV"]
        else:
            os.environ["DEV"] = before


def answers(built: Built, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return LocalModel(built.module.wasm, chunks(built.plan.weights_data)).run(inputs)


def test_a_function_answers_as_numpy_does_and_leaves_its_tensors_alone(front: Any) -> None:
    from tinygrad import Tensor

    rng = np.random.default_rng(0)
    weights, x, y = (
        rng.standard_normal((6, 8)).astype(F),
        rng.standard_normal((3, 6)).astype(F),
        rng.standard_normal((3, 8)).astype(F),
    )
    captured = Tensor(weights)
    lazy = captured * 2

    def function(a: Any, b: Any) -> dict[str, Any]:
        hidden = (a @ captured + b).relu()
        return {"hidden": hidden, "total": (hidden * lazy.sum()).sum(axis=1), "label": hidden.argmax(axis=1), "same": a}

    found = answers(build_graph(front.graph_of(function, {"a": x, "b": y})), {"a": x, "b": y})

    hidden = np.maximum(x @ weights + y, 0)
    np.testing.assert_allclose(found["hidden"], hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["total"], (hidden * (2 * weights.sum())).sum(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(found["label"], hidden.argmax(axis=1))
    np.testing.assert_array_equal(found["same"], x)
    np.testing.assert_array_equal(captured.numpy(), weights)
    np.testing.assert_array_equal(lazy.numpy(), 2 * weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_network_by_both_ways_answers_the_same(front: Any, name: str) -> None:
    model: onnx.ModelProto = NETWORKS[name]()
    data = model.SerializeToString()
    rng = np.random.default_rng(1)
    inputs = {
        i.name: rng.standard_normal([d.dim_value for d in i.type.tensor_type.shape.dim]).astype(F)
        for i in model.graph.input
    }

    theirs = answers(build_graph(front.graph_of_onnx(data, inputs)), inputs)

    ours, expected = answers(build_model(data), inputs), reference_outputs(data, [inputs])[0]
    for output, array in expected.items():
        np.testing.assert_allclose(theirs[output].astype(array.dtype), array, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ours[output], array, rtol=1e-5, atol=1e-6)


def test_two_builds_are_the_same_bytes(front: Any) -> None:
    x = {"x": np.zeros((2, 5), F)}

    first, second = (build_graph(front.graph_of(lambda a: (a * 3).softmax(), x)).module.wasm for _ in range(2))

    assert first == second


def refusal(front: Any, function: Any, **examples: np.ndarray) -> CannotCompile:
    with pytest.raises(CannotCompile) as caught:
        front.graph_of(function, examples or {"x": np.zeros((1, 4), F)})
    assert caught.value.what_to_do
    return caught.value


def test_what_has_no_place_in_a_canister_is_refused(front: Any) -> None:
    from tinygrad import Tensor, dtypes

    kept = Tensor.zeros(1, 4).contiguous().realize()

    assert "it is a int" in refusal(front, lambda x: 3).reason
    assert "an input has its name" in refusal(front, lambda x: {"x": x + 1}).reason
    assert "float16" in refusal(front, lambda x: x, x=np.zeros((1, 4), np.float16)).reason
    assert (
        "half" in refusal(front, lambda x: x.cast(dtypes.half)).reason
        or "float16" in refusal(front, lambda x: x.cast(dtypes.half)).reason
    )
    assert refusal(front, lambda x: kept.assign(kept + x))
    with pytest.raises(CannotCompile, match="tinygrad cannot read it"):
        front.graph_of_onnx(b"no model", {"x": np.zeros(1, F)})
