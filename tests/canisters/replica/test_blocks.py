"""Blocks and their clock: timers fire when they are due, calls wait little, and what blocks leave behind can be written and read again."""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from canisters.client import CallRejected
from canisters.replica.scheduler import Scheduler
from canisters.replica.state import Network
from canisters.replica.store import Store, StoreUnreadable


@pytest.fixture
def manual(start_replica, chain_on):
    """A network whose clock stands still, its helper, and the way to move the clock."""
    running = start_replica(None, "--time", "manual", "--seed", "07" * 32)

    def move(by_ns: int) -> int:
        request = urllib.request.Request(
            f"http://localhost:{running.port}/_/time", json.dumps({"advance_ns": by_ns}).encode()
        )
        with urllib.request.urlopen(request) as response:
            return int(json.load(response)["time_ns"])

    return running, chain_on(running, clock=lambda: move(0)), move


def fired(agent: Any, canister: Any) -> int:
    return int.from_bytes(agent.query_raw(canister, "fired", b""), "little")


def test_a_timer_fires_once_when_it_is_due_and_not_before(manual, probe):
    _, chain, move = manual
    agent = chain.agent()
    canister = chain.install(agent, probe)
    agent.update_raw(canister, "timer_in", (60 * 10**9).to_bytes(8, "little"))

    move(59 * 10**9)
    assert fired(agent, canister) == 0
    move(2 * 10**9)
    assert fired(agent, canister) == 1
    move(600 * 10**9)
    assert fired(agent, canister) == 1


@pytest.mark.slow
def test_requests_are_forgotten_some_time_after_they_expired_and_cannot_come_again(manual, probe):
    running, chain, move = manual
    agent = chain.agent()
    canister = chain.install(agent, probe)
    receipt = agent.update_with_receipt(canister, "inc", b"")
    path = [b"request_status", receipt.request_id]
    assert agent.read_state(canister, [path]).lookup(*path, b"status") == b"replied"

    move(20 * 60 * 10**9)

    assert agent.read_state(canister, [path]).lookup(*path, b"status") is None
    running.restart()
    assert agent.read_state(canister, [path]).lookup(*path, b"status") is None


def test_time_cannot_be_moved_back_nor_by_nonsense(manual):
    running, _, move = manual
    before = move(0)
    for body in (b'{"advance_ns": -1}', b"{}", b"nonsense", b'{"advance_ns": 1e30}'):
        request = urllib.request.Request(f"http://localhost:{running.port}/_/time", body)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        refused.value.close()
        assert refused.value.code == 400

    assert before <= move(0) < before + 10**9


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(start_replica):
    one = start_replica(None, "--seed", "07" * 32)
    other = start_replica(None, "--seed", "07" * 32)
    third = start_replica()

    assert one.root_key == other.root_key != third.root_key


def test_a_timer_in_real_time_fires_close_to_its_moment(canister):
    began = time.monotonic()
    canister.update("timer_in", 300 * 10**6)
    while canister.query("fired") == bytes(8) and time.monotonic() < began + 5:
        time.sleep(0.01)

    assert 0.2 < time.monotonic() - began < 2.5
    assert canister.query("fired") != bytes(8)


def test_an_update_waits_for_its_block_only_a_few_milliseconds(canister):
    """Not a benchmark: an update that waited for the next idle block would take a second."""
    took = []
    for _ in range(20):
        began = time.monotonic()
        canister.update("inc")
        took.append(time.monotonic() - began)

    assert statistics.median(took) < 0.3


@pytest.mark.slow
def test_queries_of_other_canisters_go_on_during_a_long_update(make_probe, chain):
    busy, idle = make_probe(), make_probe()
    import threading

    def call() -> None:
        with pytest.raises(CallRejected):
            chain.agent(busy.agent.identity).update_raw(busy.id, "endless", b"")

    worker = threading.Thread(target=call)
    worker.start()
    time.sleep(0.3)
    began = time.monotonic()
    idle.query("get")
    took = time.monotonic() - began
    worker.join()

    assert took < 2


# --- what is written ---


def test_an_idle_block_in_real_time_writes_nothing(tmp_path):
    store = Store(tmp_path / "state")
    scheduler = Scheduler(Network(seed=bytes(32), time_ns=1), store, real_time=True)
    scheduler.run_block([])
    written = []
    store.write_block = lambda *_: written.append(1)  # type: ignore[method-assign]

    scheduler.run_block([])
    scheduler.run_block([])

    assert written == []
    store.close()


def test_a_block_that_cannot_be_written_ends_in_one_clear_error(tmp_path):
    from canisters.replica.store import StoreUnwritable

    store = Store(tmp_path / "state")
    scheduler = Scheduler(Network(seed=bytes(32), time_ns=1), store, real_time=False)
    scheduler.run_block([])
    store._db.execute("PRAGMA query_only=1")

    with pytest.raises(StoreUnwritable, match="cannot be written"):
        scheduler.run_block([])

    store.close()


@pytest.mark.slow
def test_a_replica_whose_disk_fails_stops_and_says_why(start_replica, chain_on, probe):
    """The file is taken away under it: it must not go on as if blocks were still kept."""
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent(timeout_s=5.0)
    canister = chain.install(agent, probe)
    database = running.state / "network.sqlite"
    size = database.stat().st_size
    import resource

    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (size // 4, size // 4))

    for _ in range(200):
        try:
            agent.update_raw(canister, "large", (1 << 20).to_bytes(8, "little"))
        except Exception:
            break
    code = running.process.wait(20)

    assert code == 1
    assert "The embedded network stops: " in running.log_text()
    assert "Traceback" not in running.log_text()
    running.restart()
    assert agent.query_raw(canister, "get", b"") == bytes(8)


def test_a_state_of_another_version_is_refused(tmp_path):
    import cbor2

    store = Store(tmp_path / "state")
    Scheduler(Network(seed=bytes(32), time_ns=1), store, real_time=False).run_block([])
    (row,) = store._db.execute("SELECT value FROM meta").fetchone()
    fields = cbor2.loads(row)
    store._db.execute("UPDATE meta SET value=?", (cbor2.dumps({**fields, "format": 999}),))

    with pytest.raises(StoreUnreadable, match="another version"):
        store.read()

    store.close()


def test_a_network_reads_back_as_it_was_written(tmp_path: Path):
    from canisters.replica import state
    from canisters.replica.engine.contract import Closure

    network = Network(seed=b"s" * 32, time_ns=5, height=7, random_counter=3)
    network.contexts[4] = state.CallContext(4, b"c", state.FromIngress(b"r"), 10, 11, True, 2, 13, b"caller")
    network.contexts[5] = state.CallContext(5, b"c", state.FromSystem(), 0)
    network.callbacks[6] = state.Callback(6, b"c", 4, Closure(1, 2), Closure(3, 4), None, 9, 8)
    network.callbacks[7] = state.Callback(7, b"c", 4, Closure(1, 2), Closure(3, 4), Closure(5, 1 << 63), 1 << 100)
    network.queue.append(state.Request(b"to", "method", b"arg", b"from", 1 << 90, state.FromCanister(6), 77))
    network.queue.append(state.Response(6, state.Reply(b"data"), 5))
    network.queue.append(state.Response(7, state.Reject(4, "no", "IC0406"), 0))
    network.stop_waiters.append(state.StopWaiter(b"c", state.FromIngress(b"r"), 3))
    network.cycles_spent[b"account"] = -(1 << 80)
    network.ingress[b"r"] = state.IngressStatus("rejected", b"me", b"c", 99, None, state.Reject(5, "trap", "IC0503"))
    settings = state.Settings([b"a", b"b"], log_visibility=[b"v"], environment_variables=[("A", "1")])
    canister = state.Canister(b"\x01" * 10, settings, 1 << 100, chunks={b"h" * 32: b"chunk"})
    canister.log(3, "a line")
    network.canisters[canister.id] = canister
    store = Store(tmp_path / "state")

    store.write_block(network, {canister.id}, [], {b"r"})

    assert store.read() == network
    store.close()
