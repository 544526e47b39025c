"""Composite queries ask other canisters' queries, depth first, within limits, and change nothing anywhere."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import wasmtime

from canisters.client import CallRejected, ChainAgent
from canisters.interface.principal import Principal

# `ask` takes a callee (length, bytes), a method (length, bytes) and an argument, calls it, and answers with what came back and how often this
# canister has been entered within the query. `get` answers with the counter, `inc` raises it, `spin` never ends, `fall` traps.
ASKER = """
(module
  (import "ic0" "msg_arg_data_size" (func $size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reject_code" (func $code (result i32)))
  (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_data_append" (func $data (param i32 i32)))
  (import "ic0" "call_perform" (func $perform (result i32)))
  (memory 1)
  (table funcref (elem $on_reply $on_reject $on_reply_trap))
  (func $enter (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1))))
  (func $take (call $copy (i32.const 16) (i32.const 0) (call $size)))
  (func $call (param $callback i32)
    (local $name i32) (local $argument i32)
    (call $take)
    (local.set $name (i32.add (i32.const 17) (i32.load8_u (i32.const 16))))
    (local.set $argument (i32.add (i32.add (local.get $name) (i32.const 1)) (i32.load8_u (local.get $name))))
    (call $new (i32.const 17) (i32.load8_u (i32.const 16))
      (i32.add (local.get $name) (i32.const 1)) (i32.load8_u (local.get $name))
      (local.get $callback) (i32.const 0) (i32.const 1) (i32.const 0))
    (call $data (local.get $argument) (i32.sub (i32.add (i32.const 16) (call $size)) (local.get $argument)))
    (drop (call $perform)))
  (func $on_reply (param i32)
    (call $enter) (call $take)
    (call $append (i32.const 16) (call $size)) (call $append (i32.const 0) (i32.const 1)) (call $reply))
  (func $on_reply_trap (param i32) unreachable)
  (func $on_reject (param i32)
    (i32.store8 (i32.const 8) (call $code))
    (call $append (i32.const 8) (i32.const 1)) (call $reply))
  (func (export "canister_composite_query ask") (call $enter) (call $call (i32.const 0)))
  (func (export "canister_composite_query ask_and_trap") (call $enter) (call $call (i32.const 2)))
  (func (export "canister_composite_query ask_twice") (call $enter) (call $call (i32.const 0)) (call $call (i32.const 1)))
  (func (export "canister_query get") (call $append (i32.const 0) (i32.const 1)) (call $reply))
  (func (export "canister_query spin") (loop $on (br $on)))
  (func (export "canister_query fall") unreachable)
  (func (export "canister_query ask_plainly") (call $call (i32.const 0)))
  (func (export "canister_update inc") (call $enter) (call $reply)))
"""


def asking(callee: Principal, method: str, argument: bytes = b"") -> bytes:
    name = method.encode()
    return bytes([len(callee.raw)]) + callee.raw + bytes([len(name)]) + name + argument


@pytest.fixture
def agent(chain: Any) -> ChainAgent:
    return chain.agent()


@pytest.fixture
def asker(chain: Any, agent: ChainAgent) -> Callable[[], Principal]:
    module = bytes(wasmtime.wat2wasm(ASKER))
    return lambda: chain.install(agent, module, b"")


def test_a_composite_query_answers_with_what_another_canister_said(agent: ChainAgent, asker: Any) -> None:
    first, second = asker(), asker()
    agent.update_raw(second, "inc", b"")

    answer = agent.query_raw(first, "ask", asking(second, "get"))

    assert answer == bytes([1, 2])


def test_what_a_canister_changed_is_there_in_its_callback_and_gone_afterwards(agent: ChainAgent, asker: Any) -> None:
    first, second = asker(), asker()

    answers = [agent.query_raw(first, "ask", asking(second, "get")) for _ in range(3)]

    assert answers == [bytes([0, 2])] * 3
    assert agent.query_raw(first, "get", b"") == agent.query_raw(second, "get", b"") == bytes([0])


def test_composite_queries_ask_composite_queries(agent: ChainAgent, asker: Any) -> None:
    first, second, third = asker(), asker(), asker()

    answer = agent.query_raw(first, "ask", asking(second, "ask", asking(third, "get")))

    assert answer == bytes([0, 2, 2])


@pytest.mark.parametrize(("method", "code"), [("nothing", 3), ("fall", 5), ("inc", 3), ("ask_plainly", 5)])
def test_a_callee_that_cannot_answer_is_told_to_the_callers_reject_callback(
    agent: ChainAgent, asker: Any, method: str, code: int
) -> None:
    first, second = asker(), asker()

    assert agent.query_raw(first, "ask", asking(second, method, asking(first, "get"))) == bytes([code])


def test_a_canister_that_is_not_there_is_told_to_the_callers_reject_callback(agent: ChainAgent, asker: Any) -> None:
    assert agent.query_raw(
        asker(), "ask", asking(Principal(b"\x00\x00\x00\x00\x00\x99\x99\x99\x01\x01"), "get")
    ) == bytes([3])


def test_a_callback_that_traps_fails_the_query(agent: ChainAgent, asker: Any) -> None:
    first, second = asker(), asker()

    with pytest.raises(CallRejected, match="unreachable") as rejected:
        agent.query_raw(first, "ask_and_trap", asking(second, "get"))

    assert rejected.value.error_code == "IC0502"
    assert agent.query_raw(first, "get", b"") == bytes([0])


def test_a_canister_that_has_answered_cannot_answer_again(agent: ChainAgent, asker: Any) -> None:
    first, second = asker(), asker()

    with pytest.raises(CallRejected, match="answered already"):
        agent.query_raw(first, "ask_twice", asking(second, "get"))


def test_a_canister_is_not_asked_while_it_waits(agent: ChainAgent, asker: Any) -> None:
    first, second = asker(), asker()

    with pytest.raises(CallRejected, match="loop") as rejected:
        agent.query_raw(first, "ask", asking(second, "ask", asking(first, "get")))

    assert rejected.value.error_code == "IC0517"


def test_a_chain_that_is_too_long_is_refused(agent: ChainAgent, asker: Any) -> None:
    chain = [asker() for _ in range(8)]
    argument = b""
    for canister in reversed(chain[1:]):
        argument = asking(canister, "ask" if argument else "get", argument)

    with pytest.raises(CallRejected, match="depth") as rejected:
        agent.query_raw(chain[0], "ask", argument)

    assert rejected.value.error_code == "IC0525"


@pytest.mark.slow
def test_instructions_are_counted_over_all_canisters(agent: ChainAgent, asker: Any) -> None:
    with pytest.raises(CallRejected) as rejected:
        agent.query_raw(asker(), "ask", asking(asker(), "ask", asking(asker(), "spin")))

    assert rejected.value.error_code in ("IC0522", "IC0526")


def test_a_composite_query_is_no_update_and_no_plain_query_may_call(agent: ChainAgent, asker: Any) -> None:
    first, second = asker(), asker()

    with pytest.raises(CallRejected) as as_update:
        agent.update_raw(first, "ask", asking(second, "get"))
    with pytest.raises(CallRejected, match="call_new cannot be called in a query"):
        agent.query_raw(first, "ask_plainly", asking(second, "get"))

    assert as_update.value.error_code == "IC0527"


def test_composite_queries_that_cross_and_updates_between_them_all_end(
    chain: Any, agent: ChainAgent, asker: Any
) -> None:
    first, second = asker(), asker()

    def ask(here: Principal, there: Principal) -> None:
        mine = chain.agent()
        for _ in range(10):
            mine.query_raw(here, "ask", asking(there, "get"))
            mine.update_raw(there, "inc", b"")

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(ask, *pair) for pair in ((first, second), (second, first)) * 2]
        for each in done:
            each.result(60)

    assert agent.query_raw(first, "get", b"") == agent.query_raw(second, "get", b"") == bytes([20])
