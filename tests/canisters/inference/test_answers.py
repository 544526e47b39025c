"""`infer` and `infer_batch`: typed errors, several sets of inputs in one message, and what makes a reply a receipt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from canisters.compiler import CompiledModel, compile_model
from canisters.compiler.local import LocalCanister, LocalModel, array_of, tensor_blob
from canisters.interface.candid import encode
from tests.canisters.compiler.cases import node_case

from .conftest import RELEASE_HASH, SmallModel

EXPECTED = {"name": "features", "expected": "float32 [1, 6], 24 bytes"}


@pytest.fixture
def model(small: SmallModel) -> LocalModel:
    return LocalModel(small.compiled.wasm, small.compiled.weight_chunks)


def started(compiled: CompiledModel) -> LocalModel:
    """Installed for RELEASE_HASH, without its weights."""
    model = LocalModel(compiled.wasm, compiled.weight_chunks)
    model.canister = LocalCanister(compiled.wasm)
    model.canister.call("canister_init", encode(model.service.init, ({"release_hash": RELEASE_HASH},)))
    return model


def test_an_answer_names_its_release_and_says_what_infer_blob_says(small: SmallModel, blob: Any) -> None:
    model = started(small.compiled)
    model.call("weights_upload", {"index": 0, "data": small.compiled.weight_chunks[0]})
    model.call("seal")

    typed, plain = (model.call(method, {"inputs": [blob]})["Ok"] for method in ("infer", "infer_blob"))

    assert bytes(typed["release_hash"]) == bytes(plain["release_hash"]) == RELEASE_HASH
    assert typed["outputs"] == plain["outputs"]
    assert abs(typed["instructions"] - plain["instructions"]) < 1000


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ({"dtype": "int32"}, "int32 [1, 6], 24 bytes"),
        ({"shape": [2, 6]}, "float32 [2, 6], 24 bytes"),
        ({"data": b"1"}, "float32 [1, 6], 1 bytes"),
        ({"shape": [7] * 4000}, None),
    ],
)
def test_a_wrong_input_is_named_with_what_is_expected_and_what_came(
    model: LocalModel, blob: Any, change: dict[str, Any], got: str | None
) -> None:
    error = model.call("infer", {"inputs": [{**blob, **change}]})["Err"]["WrongInput"]

    assert {key: error[key] for key in EXPECTED} == EXPECTED
    assert error["got"] == got or (got is None and len(error["got"]) < 1024)


def test_missing_repeated_and_unknown_inputs_are_told_apart(model: LocalModel, blob: Any) -> None:
    missing = model.call("infer", {"inputs": []})["Err"]["WrongInput"]
    repeated = model.call("infer", {"inputs": [blob, blob]})["Err"]["WrongInput"]
    unknown = model.call("infer", {"inputs": [{**blob, "name": "x"}]})["Err"]["WrongInput"]

    assert missing == {**EXPECTED, "got": "nothing"}
    assert repeated == {**EXPECTED, "got": "a second time"}
    assert unknown == {"name": "x", "expected": "'features'", "got": "this name"}


def test_before_the_weights_are_sealed_the_error_counts_what_is_missing(chunked: SmallModel, blob: Any) -> None:
    model = started(chunked.compiled)
    model.call("weights_upload", {"index": 1, "data": chunked.compiled.weight_chunks[1]})

    assert model.call("infer", {"inputs": [blob]}) == {"Err": {"NotSealed": 2}}
    assert model.call("infer_batch", {"batch": [{"inputs": [blob]}] * 2}) == [{"Err": {"NotSealed": 2}}] * 2


def test_each_set_of_a_batch_is_answered_by_itself(model: LocalModel, small: SmallModel, features: np.ndarray) -> None:
    rows = [features * scale for scale in (1, -2, 0.5)]
    batch: list[Any] = [{"inputs": [tensor_blob("features", row)]} for row in rows]
    batch.insert(1, {"inputs": [tensor_blob("features", features.astype(np.float64))]})

    answers = model.call("infer_batch", {"batch": batch})

    assert answers[1]["Err"]["WrongInput"] == {**EXPECTED, "got": "float64 [1, 6], 48 bytes"}
    for row, answer in zip(rows, [answers[0], *answers[2:]], strict=True):
        assert np.allclose(array_of(answer["Ok"]["outputs"][0]), small.expected(row), atol=1e-6)
    counts = [answers[i]["Ok"]["instructions"] for i in (0, 2, 3)]
    assert counts == sorted(counts)


def test_an_empty_batch_has_no_answers(model: LocalModel) -> None:
    assert model.call("infer_batch", {"batch": []}) == []


def test_a_batch_costs_hardly_more_than_its_parts(model: LocalModel, blob: Any) -> None:
    model.call("infer", {"inputs": [blob]})
    alone = model.canister.used()
    model.call("infer_batch", {"batch": [{"inputs": [blob]}] * 10})

    assert model.canister.used() < 10.2 * alone


def test_values_that_the_network_cannot_compute_with_fail_in_words() -> None:
    case = node_case("Gather", [np.arange(6, dtype=np.float32), np.array([1, 2], np.int64)], axis=0)
    compiled = compile_model(case.model.SerializeToString())
    model = LocalModel(compiled.wasm, compiled.weight_chunks)

    def inputs(index: int) -> dict[str, Any]:
        return {"inputs": [tensor_blob("x0", case.inputs["x0"]), tensor_blob("x1", np.array([0, index], np.int64))]}

    batch = model.call("infer_batch", {"batch": [inputs(5), inputs(6), inputs(1)]})

    assert "gather" in batch[1]["Err"]["Failed"].lower()
    assert [array_of(batch[i]["Ok"]["outputs"][0]).tolist() for i in (0, 2)] == [[0, 5], [0, 1]]
    assert model.call("infer_blob", inputs(-7)) == {"Err": batch[1]["Err"]["Failed"]}
