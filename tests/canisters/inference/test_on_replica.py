"""The whole canister on the embedded network, by the client that everybody uses: install, upload, seal, infer, upgrade; and who may not."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from canisters.client import CallRejected, ChainAgent, RequestRefused
from canisters.client.management import Management
from canisters.client.typed.inference import Inference
from canisters.compiler import compile_model
from canisters.compiler.kinds import TENSORS
from canisters.compiler.local import array_of
from canisters.interface.candid import encode, parse_did
from canisters.interface.principal import Principal

from .conftest import RELEASE_HASH, SmallModel, small_onnx

pytestmark = pytest.mark.slow

REFUSED = (CallRejected, RequestRefused)


def start_argument(did: str, release_hash: bytes = RELEASE_HASH) -> bytes:
    return encode(parse_did(did).init, ({"release_hash": release_hash},))


@pytest.fixture
def did(repository: Any) -> str:
    return (repository / "canisters/candid/inference.did").read_text()


@pytest.fixture
def owner(chain: Any) -> ChainAgent:
    return chain.agent()


def installed(chain: Any, owner: ChainAgent, model: SmallModel, did: str) -> Inference:
    canister_id = chain.install(owner, model.compiled.wasm, start_argument(did))
    return Inference(owner, canister_id)


def sealed(canister: Inference, model: SmallModel) -> Inference:
    for index, data in enumerate(model.compiled.weight_chunks):
        assert canister.weights_upload({"index": index, "data": data}) == {"Ok": {}}
    assert canister.seal() == {"Ok": {}}
    return canister


def test_a_release_is_installed_filled_and_answers_like_onnx_runtime(
    chain: Any, owner: ChainAgent, chunked: SmallModel, did: str, features: np.ndarray, blob: Any
) -> None:
    canister = installed(chain, owner, chunked, did)
    chunks = chunked.compiled.weight_chunks
    assert len(chunks) == 3

    for index in reversed(range(len(chunks))):
        assert canister.weights_upload({"index": index, "data": chunks[index]}) == {"Ok": {}}
    assert canister.seal() == {"Ok": {}}
    answer = canister.infer_blob({"inputs": [blob]})["Ok"]

    assert [output["name"] for output in answer["outputs"]] == ["probabilities"]
    assert np.allclose(array_of(answer["outputs"][0]), chunked.expected(features), atol=1e-6)
    assert 0 < answer["instructions"] < 40_000_000_000


def test_the_replica_counts_what_the_cost_report_says(
    chain: Any, owner: ChainAgent, small: SmallModel, did: str, blob: Any
) -> None:
    canister = sealed(installed(chain, owner, small, did), small)

    counted = canister.infer_blob({"inputs": [blob]})["Ok"]["instructions"]

    # The report leaves out what the System API charges before the counter is read: a fixed part for each of a handful of calls.
    reported = small.compiled.cost.instructions
    assert reported * 0.9 < counted < reported + 10_000


def test_describe_and_health_tell_anybody_what_is_there(
    chain: Any, owner: ChainAgent, small: SmallModel, did: str
) -> None:
    canister = installed(chain, owner, small, did)
    anybody = canister.as_(chain.agent())

    before, description = anybody.health(), anybody.describe()
    sealed(canister, small)

    assert (before["sealed"], before["chunks"], before["chunks_present"]) == (False, 1, 0)
    assert bytes(description["release_hash"]) == RELEASE_HASH
    assert description["inputs"] == [{"name": "features", "dtype": "float32", "shape": [1, 6]}]
    assert description["outputs"] == [{"name": "probabilities", "dtype": "float32", "shape": [1, 3]}]
    assert description["weights_bytes"] == sum(map(len, small.compiled.weight_chunks))
    assert anybody.health()["sealed"]
    assert anybody.describe()["sealed"]


def test_the_interface_is_published_with_the_module(chain: Any, owner: ChainAgent, small: SmallModel, did: str) -> None:
    canister = installed(chain, owner, small, did)

    assert chain.agent().metadata(canister.canister_id, "candid:service") == TENSORS.interface.encode()
    assert owner.module_hash(canister.canister_id) == hashlib.sha256(small.compiled.wasm).digest()


@pytest.mark.parametrize("method", ["infer", "infer_batch", "infer_blob", "weights_upload", "seal"])
def test_nobody_but_a_controller_may_use_or_change_it(
    chain: Any, owner: ChainAgent, small: SmallModel, did: str, blob: Any, method: str
) -> None:
    canister = installed(chain, owner, small, did)
    argument = {
        "infer": ({"inputs": [blob]},),
        "infer_batch": ({"batch": [{"inputs": [blob]}]},),
        "infer_blob": ({"inputs": [blob]},),
        "weights_upload": ({"index": 0, "data": small.compiled.weight_chunks[0]},),
        "seal": (),
    }
    stranger, anonymous = canister.as_(chain.agent()), canister.as_(chain.agent(identity=_anonymous()))

    for caller in (stranger, anonymous):
        with pytest.raises(REFUSED):
            getattr(caller, method)(*argument[method])

    assert canister.health()["chunks_present"] == 0


def _anonymous() -> Any:
    from canisters.client import anonymous

    return anonymous()


def test_weights_that_the_manifest_does_not_name_are_refused(
    chain: Any, owner: ChainAgent, small: SmallModel, did: str
) -> None:
    canister = installed(chain, owner, small, did)
    right = small.compiled.weight_chunks[0]
    wrong = bytes([right[0] ^ 1]) + right[1:]

    assert canister.weights_upload({"index": 0, "data": wrong}) == {
        "Err": {"WrongHash": {"index": 0, "expected": hashlib.sha256(right).digest()}}
    }
    assert canister.weights_upload({"index": 1, "data": right}) == {"Err": {"UnknownChunk": 1}}
    assert canister.weights_upload({"index": 2**32 - 1, "data": right}) == {"Err": {"UnknownChunk": 2**32 - 1}}
    assert canister.weights_upload({"index": 0, "data": right[:-1]}) == {
        "Err": {"WrongSize": {"expected": len(right), "got": len(right) - 1}}
    }
    assert canister.weights_upload({"index": 0, "data": b""}) == {
        "Err": {"WrongSize": {"expected": len(right), "got": 0}}
    }
    assert canister.seal() == {"Err": {"missing": [0]}}


def test_an_upload_may_be_repeated_until_the_weights_are_sealed(
    chain: Any, owner: ChainAgent, small: SmallModel, did: str
) -> None:
    canister = installed(chain, owner, small, did)
    chunk = {"index": 0, "data": small.compiled.weight_chunks[0]}

    assert [canister.weights_upload(chunk), canister.weights_upload(chunk)] == [{"Ok": {}}] * 2
    assert canister.health()["chunks_present"] == 1
    assert [canister.seal(), canister.seal()] == [{"Ok": {}}] * 2
    assert canister.weights_upload(chunk) == {"Err": {"AlreadySealed": None}}


def test_no_answer_before_the_weights_are_sealed(
    chain: Any, owner: ChainAgent, chunked: SmallModel, did: str, blob: Any
) -> None:
    canister = installed(chain, owner, chunked, did)

    canister.weights_upload({"index": 1, "data": chunked.compiled.weight_chunks[1]})
    answer = canister.infer_blob({"inputs": [blob]})

    assert answer == {"Err": "2 of 3 chunks of the weights are missing: upload them, then call seal"}
    assert canister.seal() == {"Err": {"missing": [0, 2]}}


def test_weights_survive_an_upgrade(
    chain: Any, owner: ChainAgent, chunked: SmallModel, did: str, features: np.ndarray, blob: Any
) -> None:
    canister = sealed(installed(chain, owner, chunked, did), chunked)

    Management(owner).install(canister.canister_id, chunked.compiled.wasm, b"", mode="upgrade")
    kept = canister.describe()
    answer = canister.infer_blob({"inputs": [blob]})["Ok"]
    Management(owner).install(
        canister.canister_id, chunked.compiled.wasm, start_argument(did, bytes(32)), mode="upgrade"
    )

    assert (kept["sealed"], bytes(kept["release_hash"])) == (True, RELEASE_HASH)
    assert np.allclose(array_of(answer["outputs"][0]), chunked.expected(features), atol=1e-6)
    assert bytes(canister.describe()["release_hash"]) == bytes(32)
    assert canister.health()["sealed"]


def test_an_upgrade_to_other_weights_waits_for_them(
    chain: Any, owner: ChainAgent, small: SmallModel, did: str, features: np.ndarray, blob: Any
) -> None:
    canister = sealed(installed(chain, owner, small, did), small)
    data = small_onnx(seed=1)
    other = SmallModel(data, compile_model(data))

    Management(owner).install(canister.canister_id, other.compiled.wasm, start_argument(did), mode="upgrade")
    between = canister.infer_blob({"inputs": [blob]})
    sealed(canister, other)

    assert "are missing" in between["Err"]
    answer = canister.infer_blob({"inputs": [blob]})["Ok"]
    assert np.allclose(array_of(answer["outputs"][0]), other.expected(features), atol=1e-6)


def test_a_start_without_a_release_hash_is_refused(chain: Any, owner: ChainAgent, small: SmallModel) -> None:
    for argument in (
        b"",
        b"DIDL\x00\x00",
        start_argument("service : (record { release_hash : blob }) -> {}", b"short"),
    ):
        with pytest.raises(CallRejected, match="release_hash"):
            chain.install(owner, small.compiled.wasm, argument)


def test_the_same_wasm_serves_many_canisters(chain: Any, owner: ChainAgent, small: SmallModel, did: str) -> None:
    first, second = (installed(chain, owner, small, did) for _ in range(2))

    sealed(first, small)

    assert isinstance(second.canister_id, Principal)
    assert not second.health()["sealed"]
