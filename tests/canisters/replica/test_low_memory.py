"""The hook for low memory: called once when less than the threshold is left, and again after more was left in between."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from canisters.client import ChainAgent
from canisters.client.agent import MANAGEMENT
from canisters.client.typed import Management as Calls
from canisters.interface.principal import Principal

PAGE = 65536
MODULE = """
(module
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (memory 1)
  (func $count (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1))))
  (func (export "canister_on_low_wasm_memory") (call $count))
  (func (export "canister_update grow") (drop (memory.grow (i32.const 10))) (call $reply))
  (func (export "canister_query called") (call $append (i32.const 0) (i32.const 1)) (call $reply)))
"""


@pytest.fixture
def agent(chain: Any) -> ChainAgent:
    return chain.agent()


@pytest.fixture
def watched(chain: Any, agent: ChainAgent) -> Principal:
    """May grow to 100 pages, and wants to hear when fewer than 50 are left."""
    canister = chain.install(agent, bytes(wasmtime.wat2wasm(MODULE)), b"")
    settings(agent, canister, 100, 50)
    return canister


def settings(agent: ChainAgent, canister: Principal, limit: int, threshold: int) -> None:
    changed = {"wasm_memory_limit": limit * PAGE, "wasm_memory_threshold": threshold * PAGE}
    Calls(agent, MANAGEMENT).update_settings(
        {"canister_id": canister, "settings": changed}, effective_canister_id=canister
    )


def called(agent: ChainAgent, canister: Principal) -> int:
    return agent.query_raw(canister, "called", b"")[0]


def test_it_is_called_once_when_less_than_the_threshold_is_left(agent: ChainAgent, watched: Principal) -> None:
    counts = []
    for _ in range(7):
        agent.update_raw(watched, "grow", b"")
        counts.append(called(agent, watched))

    assert counts == [0, 0, 0, 0, 1, 1, 1]


def test_it_is_called_again_after_more_was_left(agent: ChainAgent, watched: Principal) -> None:
    for _ in range(5):
        agent.update_raw(watched, "grow", b"")
    settings(agent, watched, 200, 50)
    agent.update_raw(watched, "grow", b"")
    before = called(agent, watched)
    settings(agent, watched, 100, 50)
    agent.update_raw(watched, "grow", b"")

    assert (before, called(agent, watched)) == (1, 2)


def test_without_a_threshold_it_is_never_called(agent: ChainAgent, watched: Principal) -> None:
    settings(agent, watched, 100, 0)
    for _ in range(9):
        agent.update_raw(watched, "grow", b"")

    assert called(agent, watched) == 0
