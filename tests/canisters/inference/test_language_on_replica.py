"""A language model's canister on the embedded network, by the typed client: from an upload to tokens, over an upgrade, and who is let in."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import CallRejected, ChainAgent, RequestRefused
from canisters.client.management import Management
from canisters.client.typed.language import Language
from canisters.compiler.language import CompiledLanguageModel, compile_language_model
from canisters.compiler.language.shell import LANGUAGE
from canisters.interface.candid import encode
from tests.canisters.compiler.language_models import config_of, greedy, saved, tensors_of

REFUSED = (CallRejected, RequestRefused)
TEXT = [5, 3, 8, 90, 1, 7, 7, 2, 41]
GREEDY = {"seed": 0, "temperature": 0.0, "top_k": 0, "top_p": 1.0, "max_tokens": 0}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledLanguageModel:
    folder = saved(tmp_path_factory.mktemp("qwen2"), config_of("qwen2"), tensors_of(config_of("qwen2")))
    return compile_language_model(folder, mode="f32", context=64, slots=2)


@pytest.fixture
def owner(chain: Any) -> ChainAgent:
    return chain.agent()  # type: ignore[no-any-return]


@pytest.fixture
def model(chain: Any, owner: ChainAgent, compiled: CompiledLanguageModel) -> Language:
    start = encode(LANGUAGE.service.init, ({"release_hash": bytes(range(32))},))
    canister = Language(owner, chain.install(owner, compiled.wasm, start))
    for index, data in enumerate(compiled.weight_chunks):
        assert canister.weights_upload({"index": index, "data": data}) == {"Ok": {}}
    assert canister.seal() == {"Ok": {}}
    return canister


def begun(model: Language) -> int:
    session = int(model.session_open(GREEDY)["Ok"]["session"])
    asked = {"session": session, "length": 0, "tokens": TEXT, "max_instructions": 0}
    assert model.prompt(asked)["Ok"]["taken"] == len(TEXT)
    return session


def generated(model: Language, session: int, count: int) -> dict[str, Any]:
    return model.generate({"session": session, "length": len(TEXT), "count": count, "max_instructions": 0})  # type: ignore[no-any-return]


@pytest.mark.slow
def test_tokens_on_the_network_are_those_of_torch_and_sessions_end_with_an_upgrade(
    owner: ChainAgent, model: Language, compiled: CompiledLanguageModel
) -> None:
    config = config_of("qwen2")
    wanted = greedy(config, tensors_of(config), TEXT, 6)
    session = begun(model)

    before = generated(model, session, 6)["Ok"]
    Management(owner).install(model.canister_id, compiled.wasm, b"", mode="upgrade")
    ended = model.session_read({"session": session})
    after = generated(model, begun(model), 6)["Ok"]

    assert before["tokens"] == after["tokens"] == wanted
    assert 0 < before["instructions"] < 100_000_000
    assert ended == {"Err": {"EndedByUpgrade": None}}


@pytest.mark.slow
def test_a_stranger_on_the_network_is_refused_and_sees_no_session(chain: Any, model: Language) -> None:
    session = begun(model)
    stranger = model.as_(chain.agent())

    for call in (
        lambda: stranger.session_open(GREEDY),
        lambda: generated(stranger, session, 1),
        lambda: stranger.session_read({"session": session}),
        lambda: stranger.session_close({"session": session}),
    ):
        with pytest.raises(REFUSED):
            call()

    assert model.sessions() == [session]
    assert stranger.describe()["family"] == "qwen2"
    assert stranger.health()["sealed"]
