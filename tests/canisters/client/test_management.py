"""Installing and looking after canisters: large modules in chunks, interrupted uploads, and who is let through."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from canisters.client import CallRejected, ChainAgent, RequestRefused
from canisters.client.management import CHUNK_BYTES, MAX_SINGLE_BYTES, Management
from canisters.interface import leb128
from canisters.interface.principal import Principal


def padded(wasm: bytes, size_bytes: int) -> bytes:
    """The module with a custom section that makes it large."""
    content = b"\x03pad" + bytes(size_bytes)
    return wasm + b"\x00" + leb128.encode_unsigned(len(content)) + content


def test_a_module_larger_than_a_message_goes_in_chunks(agent: ChainAgent, counter_wasm: bytes) -> None:
    management, seen = Management(agent), list[tuple[int, int]]()
    canister_id = management.create()
    wasm = padded(counter_wasm, MAX_SINGLE_BYTES + 1)

    management.install(canister_id, wasm, b"", on_chunk=lambda done, total: seen.append((done, total)))

    assert agent.module_hash(canister_id) == hashlib.sha256(wasm).digest()
    assert seen == [(1, 2), (2, 2)]
    assert management.stored_chunks(canister_id) == []


def test_an_interrupted_upload_goes_on_where_it_was(proxy: Any, through: ChainAgent, counter_wasm: bytes) -> None:
    through.timeout_s = 60
    management = Management(through)
    canister_id = management.create()
    wasm = padded(counter_wasm, 2 * CHUNK_BYTES)

    class Interrupted(Exception):
        pass

    def interrupt(_done: int, _total: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        management.install(canister_id, wasm, b"", on_chunk=interrupt)
    assert len(management.stored_chunks(canister_id)) == 1
    proxy.seen.clear()
    management.install(canister_id, wasm, b"")

    large = [body for _, body in proxy.seen if len(body) > CHUNK_BYTES // 2]
    assert len(large) == 1  # of three chunks: one was there, and one is small
    assert through.module_hash(canister_id) == hashlib.sha256(wasm).digest()


def test_only_controllers_are_let_through(agent: ChainAgent, counter: Principal, counter_wasm: bytes) -> None:
    management = Management(agent)  # not the one that made the counter
    before = agent.module_hash(counter)

    for attempt in (
        lambda: management.install(counter, padded(counter_wasm, 1), b"", mode="reinstall"),
        lambda: management.set_controllers(counter, [agent.principal]),
        lambda: management.uninstall(counter),
        lambda: management.stop(counter),
        lambda: management.delete(counter),
        lambda: management.status(counter),
        lambda: management.stored_chunks(counter),
    ):
        with pytest.raises((CallRejected, RequestRefused), match="(?i)controller"):
            attempt()
    assert agent.module_hash(counter) == before
    assert agent.principal not in agent.controllers(counter)


def test_a_canister_is_stopped_started_emptied_and_deleted(agent: ChainAgent, counter_wasm: bytes) -> None:
    management = Management(agent)
    canister_id = management.create(controllers=[agent.principal], cycles=10**12)
    management.install(canister_id, counter_wasm, b"")

    management.stop(canister_id)
    with pytest.raises(CallRejected, match="(?i)stopped"):
        agent.update_raw(canister_id, "inc", b"")
    management.start(canister_id)
    agent.update_raw(canister_id, "inc", b"")
    assert management.status(canister_id)["status"] == {"running": None}
    management.uninstall(canister_id)
    assert agent.module_hash(canister_id) is None
    management.stop(canister_id)
    management.delete(canister_id)
    with pytest.raises((CallRejected, RequestRefused)):
        management.status(canister_id)


def test_a_mode_that_is_none_is_refused(agent: ChainAgent) -> None:
    with pytest.raises(ValueError, match="mode is one of"):
        Management(agent).install(Principal.management(), b"", b"", mode="replace")
