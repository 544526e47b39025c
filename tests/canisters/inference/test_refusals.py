"""What infer_blob says to arguments that do not fit: an Err that tells what is expected, and nothing is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from canisters.compiler import BadInput, CompiledModel, compile_model
from canisters.compiler.local import LocalCanister, LocalModel, Rejected, Trapped, tensor_blob
from canisters.interface.candid import encode
from tests.canisters.compiler.cases import node_case

from .conftest import SmallModel

EXPECTED = "input 'features': float32 [1, 6], 24 bytes is expected, not "


@pytest.fixture
def model(small: SmallModel) -> LocalModel:
    return LocalModel(small.compiled.wasm, small.compiled.weight_chunks)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "image"}, "input 'image': 'features' is expected, not this name"),
        ({"name": ""}, "input '': 'features' is expected, not this name"),
        (
            {"name": "features\u00e9\n" + "x" * 100},
            "input 'features???" + "x" * 53 + "...': 'features' is expected, not this name",
        ),
        ({"dtype": "float64"}, f"{EXPECTED}float64 [1, 6], 24 bytes"),
        ({"dtype": "float3"}, f"{EXPECTED}float3 [1, 6], 24 bytes"),
        ({"shape": [6]}, f"{EXPECTED}float32 [6], 24 bytes"),
        ({"shape": [6, 1]}, f"{EXPECTED}float32 [6, 1], 24 bytes"),
        ({"shape": []}, f"{EXPECTED}float32 [], 24 bytes"),
        ({"shape": [1, 6, 1]}, f"{EXPECTED}float32 [1, 6, 1], 24 bytes"),
        ({"shape": [1, 2**64 - 1]}, f"{EXPECTED}float32 [1, 18446744073709551615], 24 bytes"),
        ({"shape": [1, 6 + 2**32]}, f"{EXPECTED}float32 [1, 4294967302], 24 bytes"),
        ({"data": b""}, f"{EXPECTED}float32 [1, 6], 0 bytes"),
        ({"data": bytes(23)}, f"{EXPECTED}float32 [1, 6], 23 bytes"),
        ({"data": bytes(25)}, f"{EXPECTED}float32 [1, 6], 25 bytes"),
        ({"data": bytes(3_000_000)}, f"{EXPECTED}float32 [1, 6], 3000000 bytes"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_what_is_expected(
    model: LocalModel, blob: Any, change: dict[str, Any], reason: str
) -> None:
    assert model.call("infer_blob", {"inputs": [{**blob, **change}]}) == {"Err": reason}


def test_a_missing_and_a_repeated_input_are_refused(model: LocalModel, blob: Any) -> None:
    assert model.call("infer_blob", {"inputs": []}) == {"Err": f"{EXPECTED}nothing"}
    assert model.call("infer_blob", {"inputs": [blob, blob]}) == {"Err": f"{EXPECTED}a second time"}


def test_a_refused_call_changes_no_later_answer(
    model: LocalModel, small: SmallModel, features: np.ndarray, blob: Any
) -> None:
    model.call("infer_blob", {"inputs": [blob, {**blob, "data": bytes(24)}]})
    model.call("infer_blob", {"inputs": [{**blob, "data": bytes(2_000_000)}]})

    assert np.allclose(model.run({"features": features})["probabilities"], small.expected(features), atol=1e-6)


def test_values_that_are_no_numbers_come_out_as_such(model: LocalModel) -> None:
    found = model.run({"features": np.array([[np.nan, 0, 0, 0, 0, 0]], np.float32)})["probabilities"]

    assert np.isnan(found).all()


def test_answers_depend_on_the_message_alone(model: LocalModel, features: np.ndarray) -> None:
    first = model.run({"features": features})["probabilities"]
    model.run({"features": np.full((1, 6), 1e30, np.float32)})

    assert (model.run({"features": features})["probabilities"] == first).all()


@pytest.fixture(scope="module")
def two_inputs() -> CompiledModel:
    case = node_case("Concat", [np.zeros((2, 2), np.float32), np.ones((1, 2), np.float32)], axis=0)
    return compile_model(case.model.SerializeToString())


def test_inputs_are_matched_by_name_in_any_order(two_inputs: CompiledModel) -> None:
    model = LocalModel(two_inputs.wasm, two_inputs.weight_chunks)
    a, b = np.arange(4, dtype=np.float32).reshape(2, 2), np.array([[8, 9]], np.float32)

    one, other = model.run({"x0": a, "x1": b})["y0"], model.run({"x1": b, "x0": a})["y0"]

    assert one.tolist() == other.tolist() == [[0, 1], [2, 3], [8, 9]]
    with pytest.raises(BadInput, match=r"input 'x1': float32 \[1, 2\], 8 bytes is expected, not nothing"):
        model.run({"x0": a})


def test_a_bool_is_a_byte_of_zero_or_one() -> None:
    case = node_case("Cast", [np.array([True, False])], to=1)
    compiled = compile_model(case.model.SerializeToString())
    model = LocalModel(compiled.wasm, compiled.weight_chunks)
    blob = tensor_blob("x0", np.array([True, False]))

    assert model.run({"x0": np.array([True, False])})["y0"].tolist() == [1.0, 0.0]
    assert (
        "not a bool that is neither 0 nor 1"
        in model.call("infer_blob", {"inputs": [{**blob, "data": b"\x01\x02"}]})["Err"]
    )


# --- who is let in ---


def test_another_canister_that_is_no_controller_is_turned_away(small: SmallModel, blob: Any) -> None:
    model = LocalModel(small.compiled.wasm, small.compiled.weight_chunks)
    stranger = bytes(range(10))
    arguments = {
        "infer": ({"inputs": [blob]},),
        "infer_batch": ({"batch": [{"inputs": [blob]}]},),
        "infer_blob": ({"inputs": [blob]},),
        "weights_upload": ({"index": 0, "data": b""},),
        "seal": (),
    }

    for method, values in arguments.items():
        data = encode(model.service.methods[method].arguments, values)
        with pytest.raises(Rejected, match="only a controller"):
            model.canister.call(f"canister_update {method}", data, caller=stranger)


@pytest.mark.parametrize("caller", [b"\x04", bytes(29), b""])
def test_strangers_messages_are_not_even_accepted(small: SmallModel, caller: bytes) -> None:
    canister = LocalModel(small.compiled.wasm, small.compiled.weight_chunks).canister

    def accepts(method: str, who: bytes) -> bool:
        canister.message = type(canister.message)(b"", who, method)
        canister.run("canister_inspect_message")
        return canister.message.accepted

    for method in ("infer", "infer_batch", "infer_blob", "weights_upload", "seal", "describ", "healthy", "", "x" * 500):
        assert not accepts(method, caller)
        assert accepts(method, b"\x01")
    assert accepts("describe", caller)
    assert accepts("health", caller)


def test_a_large_message_takes_memory_behind_everything_else(chunked: SmallModel) -> None:
    model = LocalModel(chunked.compiled.wasm, chunked.compiled.weight_chunks)

    end = chunked.compiled.interface["memory"]["end"]

    assert end < model.canister.memory_bytes <= end + (2 << 20)
    assert model.call("health")["memory_bytes"] == model.canister.memory_bytes


def test_stable_memory_of_another_kind_is_not_taken_for_weights(small: SmallModel) -> None:
    canister = LocalCanister(small.compiled.wasm, stable=b"\xff" * 65536 * 3)

    with pytest.raises(Trapped, match="release_hash"):
        canister.call("canister_post_upgrade", b"")


def test_altered_weights_in_stable_memory_are_not_used(small: SmallModel) -> None:
    model = LocalModel(small.compiled.wasm, small.compiled.weight_chunks)
    kept = bytearray(model.canister.stable)
    kept[65536 + 100] ^= 1

    restored = LocalModel.__new__(LocalModel)
    restored.service, restored.canister = model.service, LocalCanister(small.compiled.wasm, stable=bytes(kept))
    restored.canister.call("canister_post_upgrade", b"")

    assert restored.call("health")["chunks_present"] == 0
    assert "are missing" in restored.call("infer_blob", {"inputs": []})["Err"]
