"""A language model cut over four canisters of the embedded network: the same tokens as from one, what the cut costs, and what a stage that fails does."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import CallRejected, ChainAgent, RequestRefused
from canisters.client.management import Management
from canisters.client.typed.language import Language
from canisters.compiler.language import (
    CompiledLanguageModel,
    LocalLanguageModel,
    compile_language_model,
    compile_language_stages,
)
from canisters.compiler.language.shell import LANGUAGE
from canisters.interface.candid import encode
from tests.canisters.compiler.language_models import config_of, saved, tensors_of

STAGES = 4
TEXT = [int(token) for token in range(3, 90, 4)]
OPTIONS = {"seed": 9, "temperature": 0.7, "top_k": 20, "top_p": 0.95, "max_tokens": 0}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole_and_stages(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[CompiledLanguageModel, tuple[CompiledLanguageModel, ...]]:
    config = config_of("llama", num_hidden_layers=5)
    folder = saved(tmp_path_factory.mktemp("llama"), config, tensors_of(config))
    return compile_language_model(folder, mode="f32", context=64, slots=2), compile_language_stages(
        folder, STAGES, mode="f32", context=64, slots=2
    )


class OnChain:
    """All stages, each in a canister of its own, connected."""

    def __init__(self, chain: Any, stages: tuple[CompiledLanguageModel, ...]) -> None:
        self.owner: ChainAgent = chain.agent()
        start = encode(LANGUAGE.service.init, ({"release_hash": bytes(32)},))
        self.stages = [Language(self.owner, chain.install(self.owner, stage.wasm, start)) for stage in stages]
        for canister, stage in zip(self.stages, stages, strict=True):
            for index, data in enumerate(stage.weight_chunks):
                assert canister.weights_upload({"index": index, "data": data}) == {"Ok": {}}
            assert canister.seal() == {"Ok": {}}
        ids = [None, *(canister.canister_id for canister in self.stages), None]
        for canister, before, after in zip(self.stages, ids, ids[2:], strict=False):
            canister.stage_connect({"next": after, "accept": before})
        self.first = self.stages[0]

    def begin(self, options: dict[str, Any] = OPTIONS) -> int:
        session = int(self.first.session_open(options)["Ok"]["session"])
        asked = {"session": session, "length": 0, "tokens": TEXT, "max_instructions": 0}
        assert self.first.prompt(asked)["Ok"]["taken"] == len(TEXT)
        return session

    def generate(self, session: int, count: int, length: int = len(TEXT)) -> Any:
        return self.first.generate({"session": session, "length": length, "count": count, "max_instructions": 0})


@pytest.fixture
def on_chain(chain: Any, whole_and_stages: Any) -> OnChain:
    return OnChain(chain, whole_and_stages[1])


def test_four_canisters_give_the_same_tokens_as_one(on_chain: OnChain, whole_and_stages: Any) -> None:
    local = LocalLanguageModel(whole_and_stages[0].wasm, whole_and_stages[0].weight_chunks)
    session = local.open(**OPTIONS)
    local.prompt(session, TEXT)
    wanted = local.generate(session, 100)

    found = on_chain.generate(on_chain.begin(), 100)["Ok"]

    assert found["tokens"] == wanted.tokens
    assert next(iter(found["finish"])) == wanted.finish == "ContextFull"
    assert found["length"] == 64


def test_a_stage_that_is_stopped_or_upgraded_fails_the_call_and_nothing_else(
    on_chain: OnChain, whole_and_stages: Any
) -> None:
    session, third = on_chain.begin(), on_chain.stages[2]
    some = on_chain.generate(session, 2)["Ok"]["tokens"]
    management = Management(on_chain.owner)

    management.stop(third.canister_id)
    stopped = on_chain.generate(session, 2, len(TEXT) + 2)
    management.start(third.canister_id)
    more = on_chain.generate(session, 2, len(TEXT) + 2)["Ok"]["tokens"]
    management.install(third.canister_id, whole_and_stages[1][2].wasm, b"", mode="upgrade")
    lost = on_chain.generate(session, 1, len(TEXT) + 4)
    again = on_chain.generate(on_chain.begin(), 4)["Ok"]["tokens"]

    assert stopped["Err"]["StageFailed"].startswith("stage 2 of 4: stage 3 did not answer")
    assert lost == {"Err": {"StageFailed": "stage 3 of 4: the session's cache is no longer here"}}
    assert on_chain.first.session_read({"session": session})["Ok"]["tokens"] == TEXT + some + more
    assert again == some + more


def test_nobody_but_the_stage_before_and_controllers_runs_a_stage(chain: Any, on_chain: OnChain) -> None:
    stranger = on_chain.stages[1].as_(chain.agent())

    with pytest.raises((CallRejected, RequestRefused)):
        stranger.stage_run({"step": b"\0" * 400})
    with pytest.raises((CallRejected, RequestRefused)):
        stranger.stage_connect({"next": None, "accept": stranger.canister_id})

    assert on_chain.stages[1].stage() == {"next": on_chain.stages[2].canister_id, "accept": on_chain.first.canister_id}
    for step in (b"", b"\0" * 48, b"\xff" * 400):
        assert on_chain.stages[1].stage_run({"step": step})["failure"].startswith("stage 2 of 4: a step ")


def test_a_first_stage_that_is_not_connected_says_so(on_chain: OnChain) -> None:
    on_chain.first.stage_connect({"next": None, "accept": None})
    session = int(on_chain.first.session_open(OPTIONS)["Ok"]["session"])

    answer = on_chain.first.prompt({"session": session, "length": 0, "tokens": TEXT, "max_instructions": 0})

    assert "stage_connect" in answer["Err"]["StageFailed"]
    assert on_chain.first.session_read({"session": session})["Ok"]["tokens"] == []
