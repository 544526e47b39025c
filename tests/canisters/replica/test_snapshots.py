"""Snapshots: a canister comes back as it was, for those who control it, also after the process was killed and by way of pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from canisters.client import CallRejected, ChainAgent
from canisters.client.agent import MANAGEMENT
from canisters.client.typed import Management as Calls
from canisters.interface.principal import Principal

from .conftest import Probe, u64

pytestmark = pytest.mark.slow

# What of a snapshot's metadata is uploaded; the rest is the network's to say.
UPLOADED = ("wasm_module_size", "globals", "wasm_memory_size", "stable_memory_size", "certified_data", "global_timer")


def calls(agent: ChainAgent) -> Any:
    """The management canister's methods, each sent to where the canister is that it is about."""

    class Sent:
        def __getattr__(self, method: str) -> Callable[[dict[str, Any]], Any]:
            call = getattr(Calls(agent, MANAGEMENT), method)
            return lambda argument: call(argument, effective_canister_id=argument["canister_id"])

    return Sent()


def take(
    probe: Probe, replaced: bytes | None = None, uninstall: bool = False, agent: ChainAgent | None = None
) -> bytes:
    asked = {"canister_id": probe.id, "replace_snapshot": replaced, "uninstall_code": uninstall}
    return bytes(calls(agent or probe.agent).take_canister_snapshot(asked)["id"])


def load(probe: Probe, snapshot: bytes, agent: ChainAgent | None = None) -> None:
    calls(agent or probe.agent).load_canister_snapshot({"canister_id": probe.id, "snapshot_id": snapshot})


def listed(probe: Probe) -> list[bytes]:
    return [bytes(s["id"]) for s in calls(probe.agent).list_canister_snapshots({"canister_id": probe.id})]


def test_a_canister_comes_back_as_it_was(canister: Probe) -> None:
    canister.update("set", 7)
    canister.update("stable_write", 0, data=b"kept")
    canister.update("certify", data=b"as then")
    snapshot = take(canister)
    canister.update("set", 9)
    canister.update("stable_write", 0, data=b"lost")
    canister.update("grow_heap", 3)
    version = canister.query("version")

    load(canister, snapshot)

    assert canister.count() == 7
    assert canister.query("stable_read", 0, 4) == b"kept"
    assert canister.query("version") > version
    assert canister.update("inc") == u64(8)


def test_a_snapshot_is_not_changed_by_what_comes_after_it(canister: Probe) -> None:
    snapshot = take(canister)

    for value in (3, 4):
        canister.update("set", value)
        load(canister, snapshot)
        assert canister.count() == 0

    assert listed(canister) == [snapshot]


def test_snapshots_survive_the_death_of_the_process(start_replica: Any, chain_on: Any, probe: bytes) -> None:
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    mine = Probe(agent, chain.install(agent, probe, b""))
    mine.update("set", 5)
    mine.update("stable_write", 0, data=b"kept")
    snapshot = take(mine)
    mine.update("set", 6)
    running.kill()
    running.restart()

    load(mine, snapshot)
    running.kill()
    running.restart()

    assert mine.count() == 5
    assert mine.query("stable_read", 0, 4) == b"kept"
    assert listed(mine) == [snapshot]


def test_a_canister_is_uninstalled_with_its_snapshot_and_brought_back_by_it(canister: Probe) -> None:
    canister.update("set", 5)

    snapshot = take(canister, uninstall=True)
    with pytest.raises(CallRejected, match="no Wasm module|no wasm module"):
        canister.count()
    load(canister, snapshot)

    assert canister.count() == 5


def test_a_snapshot_goes_into_another_canister_of_the_same_owner(
    canister: Probe, make_probe: Callable[..., Probe]
) -> None:
    canister.update("set", 5)
    other = make_probe(canister.agent)

    load(other, take(canister))

    assert other.count() == 5


def test_a_snapshot_is_read_out_and_put_in_piece_by_piece(canister: Probe, make_probe: Callable[..., Probe]) -> None:
    canister.update("set", 5)
    canister.update("stable_write", 0, data=b"kept")
    management = calls(canister.agent)
    source = {"canister_id": canister.id, "snapshot_id": take(canister)}
    facts = management.read_canister_snapshot_metadata(source)
    other = make_probe(canister.agent)
    target = {
        "canister_id": other.id,
        "snapshot_id": management.upload_canister_snapshot_metadata(
            {**{name: facts[name] for name in UPLOADED}, "canister_id": other.id}
        )["snapshot_id"],
    }

    kinds = (
        ("wasm_module", "wasm_module_size"),
        ("wasm_memory", "wasm_memory_size"),
        ("stable_memory", "stable_memory_size"),
    )
    for kind, size in kinds:
        for offset in range(0, facts[size], 999_999):
            wanted = {kind: {"offset": offset, "size": min(999_999, facts[size] - offset)}}
            piece = management.read_canister_snapshot_data({**source, "kind": wanted})["chunk"]
            management.upload_canister_snapshot_data({**target, "kind": {kind: {"offset": offset}}, "chunk": piece})
    load(other, bytes(target["snapshot_id"]))

    assert other.count() == 5
    assert other.query("stable_read", 0, 4) == b"kept"
    assert other.update("inc") == u64(6)


def test_an_upload_that_is_not_whole_cannot_be_loaded(canister: Probe) -> None:
    canister.update("set", 5)
    facts = {
        "canister_id": canister.id,
        "replace_snapshot": None,
        "wasm_module_size": 100,
        "globals": [],
        "wasm_memory_size": 65536,
        "stable_memory_size": 0,
        "certified_data": b"",
    }
    snapshot = calls(canister.agent).upload_canister_snapshot_metadata(facts)["snapshot_id"]

    with pytest.raises(CallRejected, match="cannot be loaded"):
        load(canister, bytes(snapshot))

    assert canister.count() == 5


def test_a_canister_has_at_most_ten_and_one_may_take_anothers_place(canister: Probe) -> None:
    kept = [take(canister) for _ in range(10)]

    with pytest.raises(CallRejected, match="delete or replace"):
        take(canister)
    replaced = take(canister, kept[0])
    calls(canister.agent).delete_canister_snapshot({"canister_id": canister.id, "snapshot_id": kept[1]})

    assert listed(canister) == [*kept[2:], replaced]


def test_nobody_else_takes_loads_lists_reads_or_deletes_snapshots(canister: Probe, chain: Any) -> None:
    snapshot = take(canister)
    stranger = calls(chain.agent())
    asked = {"canister_id": canister.id, "snapshot_id": snapshot}
    piece = {"wasm_memory": {"offset": 0, "size": 10}}

    attempts: list[Callable[[], Any]] = [
        lambda: stranger.take_canister_snapshot({"canister_id": canister.id}),
        lambda: stranger.load_canister_snapshot(asked),
        lambda: stranger.list_canister_snapshots({"canister_id": canister.id}),
        lambda: stranger.delete_canister_snapshot(asked),
        lambda: stranger.read_canister_snapshot_metadata(asked),
        lambda: stranger.read_canister_snapshot_data({**asked, "kind": piece}),
    ]
    for attempt in attempts:
        with pytest.raises(CallRejected, match="Only controllers"):
            attempt()

    assert listed(canister) == [snapshot]


def test_anothers_snapshot_goes_into_no_canister_of_mine(canister: Probe, make_probe: Callable[..., Probe]) -> None:
    mine = make_probe()

    with pytest.raises(CallRejected, match="Could not find the snapshot"):
        load(mine, take(canister))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ({"wasm_memory": {"offset": 0, "size": 2_000_001}}, "at most 2000000 bytes"),
        ({"stable_memory": {"offset": 1 << 40, "size": 1}}, "outside"),
        ({"wasm_chunk": {"hash": bytes(32)}}, "no chunk"),
    ],
)
def test_what_a_snapshot_does_not_have_cannot_be_read(canister: Probe, kind: dict[str, Any], words: str) -> None:
    asked = {"canister_id": canister.id, "snapshot_id": take(canister), "kind": kind}

    with pytest.raises(CallRejected, match=words):
        calls(canister.agent).read_canister_snapshot_data(asked)


def test_a_snapshot_that_was_taken_cannot_be_changed(canister: Probe) -> None:
    asked = {
        "canister_id": canister.id,
        "snapshot_id": take(canister),
        "kind": {"wasm_memory": {"offset": 0}},
        "chunk": b"x",
    }

    with pytest.raises(CallRejected, match="cannot be changed"):
        calls(canister.agent).upload_canister_snapshot_data(asked)


def test_there_is_no_snapshot_of_nothing_nor_of_another_id(canister: Probe, chain: Any) -> None:
    empty = chain.create(canister.agent)

    with pytest.raises(CallRejected, match="module"):
        calls(canister.agent).take_canister_snapshot({"canister_id": empty})
    with pytest.raises(CallRejected, match="Could not find the snapshot"):
        load(canister, b"\x00" * 18)
    with pytest.raises(CallRejected, match="Could not find the snapshot"):
        load(canister, b"")
    assert isinstance(empty, Principal)
