"""A network too long for one message: the canister goes on by calling itself, progress is polled, and what goes wrong ends one job alone."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from canisters.client import CallRejected, ChainAgent, KeyIdentity, RequestRefused
from canisters.client.management import Management
from canisters.client.typed.inference import Inference
from canisters.compiler import CannotCompile, CompiledModel, compile_model, slicing
from canisters.compiler.build import build_module
from canisters.compiler.kinds import SLICED
from canisters.compiler.local import LocalCanister, LocalModel, Rejected, array_of, tensor_blob
from canisters.interface.candid import encode

from .conftest import FEATURES, RELEASE_HASH, SmallModel, small_onnx

pytestmark = pytest.mark.slow
LIMIT = 10_500_000  # of a message; the network below takes more, none of its nodes does
UNLUCKY = 1234.0  # a first feature at which the altered network traps


@pytest.fixture(scope="module")
def data() -> bytes:
    return small_onnx(hidden=120_000)


@pytest.fixture(scope="module")
def long(data: bytes) -> SmallModel:
    """A network that traps half-way when the first feature is UNLUCKY, and otherwise computes what it should."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slicing, "build_module", with_a_trap)
        return SmallModel(data, compile_model(data, slice_instructions=LIMIT))


@pytest.fixture(scope="module")
def whole(data: bytes) -> CompiledModel:
    """The same network for one message."""
    return compile_model(data)


def with_a_trap(source: str, interface: str, plan: Any, kind: Any) -> Any:
    features = re.search(r"(T_features) ", source)
    nodes = list(re.finditer(r"NODE void node_\w+\(void\) \{\n", source))
    first = f"static int is_unlucky;\nNODE void note(void) {{ is_unlucky = *(float *){features[1]} == {UNLUCKY}f; }}\n"  # type: ignore[index]
    at, last = nodes[0], nodes[-1]
    altered = source[: at.start()] + first + source[at.start() : at.end()] + "  note();\n"
    altered += source[at.end() : last.end()] + "  if (is_unlucky) __builtin_trap();\n" + source[last.end() :]
    return build_module(altered, interface, plan, kind)


def inputs(first: float = 0.5) -> np.ndarray:
    return np.array([[first, *np.linspace(-1, 1, FEATURES - 1)]], np.float32)


def argument(features: np.ndarray) -> dict[str, Any]:
    return {"inputs": [tensor_blob("features", features)]}


def sliced_model(model: SmallModel) -> LocalModel:
    found = LocalModel(model.compiled.wasm, model.compiled.weight_chunks)
    found.service = SLICED.service
    return found


# --- in wasmtime ---


def test_all_slices_together_give_the_answer_of_one_message(long: SmallModel, whole: CompiledModel) -> None:
    model = sliced_model(long)

    assert whole.cost.total > LIMIT
    assert (model.run({"features": inputs()})["probabilities"] == run(whole, inputs())).all()
    assert np.allclose(run(whole, inputs()), long.expected(inputs()), atol=1e-5)
    assert whole.weight_chunks == long.compiled.weight_chunks


def run(compiled: CompiledModel, features: np.ndarray) -> np.ndarray:
    return LocalModel(compiled.wasm, compiled.weight_chunks).run({"features": features})["probabilities"]


def test_a_network_that_fits_one_message_carries_nothing_of_this(whole: CompiledModel) -> None:
    assert b"run_slice" not in whole.wasm
    assert b"infer_poll" not in whole.wasm


def test_a_node_that_alone_exceeds_a_message_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(
        CannotCompile, match=r"Gemm.* a message with nothing else takes [\d,]+ instructions, and may take 2,500,000"
    ):
        compile_model(data, slice_instructions=2_500_000)


def test_a_computation_is_started_and_polled(long: SmallModel) -> None:
    model = sliced_model(long)

    number = model.call("infer_start", argument(inputs()))["Ok"]
    answer = model.call("infer_poll", {"id": number})["Done"]

    assert np.allclose(array_of(answer["outputs"][0]), long.expected(inputs()), atol=1e-5)
    assert "Unknown" in model.call("infer_poll", {"id": number + 1})


def test_nobody_else_sees_a_computation(long: SmallModel) -> None:
    model = sliced_model(long)
    number = model.call("infer_start", argument(inputs()))["Ok"]
    other = bytes([2])
    model.canister.controllers.add(other)

    question = encode(model.service.methods["infer_poll"].arguments, ({"id": number},))

    assert b"Done" not in model.canister.call("canister_query infer_poll", question, caller=other)
    assert "Done" in model.call("infer_poll", {"id": number})
    seen = model.canister.call("canister_query infer_poll", question, caller=b"\x04")
    assert b"another caller" in seen


def test_wrong_inputs_and_missing_weights_are_refused_before_anything_starts(long: SmallModel) -> None:
    model = sliced_model(long)
    bare = sliced_model(long)
    bare.canister = LocalCanister(long.compiled.wasm)
    bare.canister.call("canister_init", encode(bare.service.init, ({"release_hash": RELEASE_HASH},)))

    wrong = model.call("infer_start", argument(inputs()[:, :5]))["Err"]["WrongInput"]

    assert wrong["got"] == "float32 [1, 5], 20 bytes"
    assert "is expected, not float32 [1, 5]" in model.call("infer_blob", argument(inputs()[:, :5]))["Err"]
    assert "NotSealed" in bare.call("infer_start", argument(inputs()))["Err"]


def test_a_trap_in_a_slice_fails_that_computation_and_no_other(long: SmallModel) -> None:
    model = sliced_model(long)

    unlucky = model.call("infer_start", argument(inputs(UNLUCKY)))["Ok"]
    told = model.call("infer_blob", argument(inputs(UNLUCKY)))
    good = model.call("infer_start", argument(inputs()))["Ok"]

    assert "unreachable" in model.call("infer_poll", {"id": unlucky})["Failed"]
    assert "unreachable" in told["Err"]
    assert "Done" in model.call("infer_poll", {"id": good})


def test_results_are_kept_for_their_owner_until_they_make_room_for_newer_ones(long: SmallModel) -> None:
    model = sliced_model(long)
    other = bytes([2])
    model.canister.controllers.add(other)
    call = encode(model.service.methods["infer_start"].arguments, (argument(inputs()),))

    mine = [model.call("infer_start", argument(inputs()))["Ok"] for _ in range(5)]
    crowded = model.canister.call("canister_update infer_start", call, caller=other)
    model.canister.time_ns += 601 * 10**9
    later = model.canister.call("canister_update infer_start", call, caller=other)

    assert len(set(mine)) == 5
    assert "Unknown" in model.call("infer_poll", {"id": mine[0]})
    assert b"other computations are waiting" in crowded
    assert b"other computations are waiting" not in later


@pytest.mark.parametrize("caller", [b"\x01", b"\x04", bytes(29)])
def test_nobody_runs_a_slice_from_outside(long: SmallModel, caller: bytes) -> None:
    model = sliced_model(long)

    with pytest.raises(Rejected, match="only this canister"):
        model.canister.call("canister_update run_slice", bytes(16), caller=caller)


# --- on the network ---


@pytest.fixture
def owner(chain: Any) -> ChainAgent:
    return chain.agent()


def installed(chain: Any, owner: ChainAgent, model: SmallModel) -> Inference:
    start = encode(SLICED.service.init, ({"release_hash": RELEASE_HASH},))
    canister = Inference(owner, chain.install(owner, model.compiled.wasm, start))
    for index, chunk in enumerate(model.compiled.weight_chunks):
        assert canister.weights_upload({"index": index, "data": chunk}) == {"Ok": {}}
    assert canister.seal() == {"Ok": {}}
    return canister


def polled(canister: Inference, number: int) -> dict[str, Any]:
    until = time.monotonic() + 60
    while "Running" in (found := canister.infer_poll({"id": number})):
        assert 0 <= found["Running"]["done"] <= found["Running"]["total"]
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_the_network_runs_all_slices_and_the_answer_is_right(chain: Any, owner: ChainAgent, long: SmallModel) -> None:
    canister = installed(chain, owner, long)

    numbers = [canister.infer_start(argument(inputs(value)))["Ok"] for value in (0.1, UNLUCKY, 0.3)]
    first, trapped, third = (polled(canister, number) for number in numbers)
    whole = canister.infer_blob(argument(inputs(0.7)))["Ok"]

    for found, value in ((first["Done"], 0.1), (third["Done"], 0.3), (whole, 0.7)):
        assert np.allclose(array_of(found["outputs"][0]), long.expected(inputs(value)), atol=1e-5)
        assert bytes(found["release_hash"]) == RELEASE_HASH
    assert "trapped" in trapped["Failed"] or "unreachable" in trapped["Failed"]
    stranger = canister.as_(chain.agent())
    assert "Unknown" in stranger.infer_poll({"id": numbers[0]})
    with pytest.raises((CallRejected, RequestRefused)):
        stranger.infer_start(argument(inputs()))


def test_callers_at_the_same_time_each_get_their_own_answer(chain: Any, long: SmallModel) -> None:
    identity = KeyIdentity()
    canister = installed(chain, chain.agent(identity), long)
    values = (0.2, UNLUCKY, 0.6, -0.4)
    handles = [canister.as_(chain.agent(identity)) for _ in values]

    with ThreadPoolExecutor(len(values)) as pool:
        asked = [pool.submit(h.infer_blob, argument(inputs(v))) for h, v in zip(handles, values, strict=True)]
        answers = [one.result(timeout=60) for one in asked]

    assert "unreachable" in answers[1]["Err"] or "trapped" in answers[1]["Err"]
    for value, answer in zip(values, answers, strict=True):
        if value != UNLUCKY:
            assert np.allclose(array_of(answer["Ok"]["outputs"][0]), long.expected(inputs(value)), atol=1e-5)


def test_an_upgrade_ends_computations_and_says_so(chain: Any, owner: ChainAgent, long: SmallModel) -> None:
    canister = installed(chain, owner, long)
    number = canister.infer_start(argument(inputs()))["Ok"]

    Management(owner).install(canister.canister_id, long.compiled.wasm, b"", mode="upgrade")
    after = canister.infer_poll({"id": number})
    again = canister.infer_blob(argument(inputs()))["Ok"]

    assert "an upgrade has ended it" in after["Unknown"]
    assert np.allclose(array_of(again["outputs"][0]), long.expected(inputs()), atol=1e-5)
