"""What was answered is never lost, and nothing is half done: not after a restart, not after kill -9 at any moment."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from canisters.client import ChainUnavailable, KeyIdentity, contract
from canisters.client.management import Management
from canisters.interface.candid import encode
from canisters.interface.principal import Principal

pytestmark = pytest.mark.slow

MANAGEMENT = Principal.management()


def count(agent: Any, canister: Principal) -> int:
    return int.from_bytes(agent.query_raw(canister, "get", b""), "little")


def call_argument(callee: Principal, method: bytes) -> bytes:
    return bytes(9) + bytes([len(callee.raw)]) + callee.raw + bytes([len(method)]) + method


def test_everything_survives_a_restart(start_replica, chain_on, probe):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    canister, empty = chain.install(agent, probe), chain.create(agent)
    agent.update_raw(canister, "set", (12).to_bytes(8, "little"))
    agent.update_raw(canister, "stable_write", bytes(8) + b"in stable memory")
    agent.update_raw(canister, "certify", b"certified")
    agent.update_raw(canister, "grow_heap", (5).to_bytes(8, "little"))
    contract("management", agent, MANAGEMENT).upload_chunk(
        {"canister_id": empty, "chunk": b"a chunk"}, effective_canister_id=empty
    )
    Management(agent).stop(empty)
    status, root_key = Management(agent).status(canister), running.root_key

    running.restart()

    assert running.root_key == root_key
    assert count(agent, canister) == 12
    assert agent.query_raw(canister, "stable_read", bytes(8) + (16).to_bytes(8, "little")) == b"in stable memory"
    path = [b"canister", canister.raw, b"certified_data"]
    assert agent.read_state(canister, [path]).require(*path) == b"certified"
    after = Management(agent).status(canister)
    assert {**after, "cycles": 0, "memory_metrics": 0, "memory_size": 0} == {
        **status,
        "cycles": 0,
        "memory_metrics": 0,
        "memory_size": 0,
    }
    assert after["memory_metrics"]["wasm_memory_size"] == status["memory_metrics"]["wasm_memory_size"]
    assert len(Management(agent).stored_chunks(empty)) == 1
    assert Management(agent).status(empty)["status"] == {"stopped": None}
    agent.update_raw(canister, "inc", b"")
    assert count(agent, canister) == 13
    assert running.log_text() == ""


def test_a_motoko_canister_survives_restarts_and_upgrades(start_replica, chain_on, compiled):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    init = {"name": "T", "symbol": "T", "fee_e8s": 10_000, "minting_account": None, "faucet_e8s": 10**8}
    ledger = contract("ledger", agent, chain.create(agent))
    argument = encode(ledger._service.init, [init])
    Management(agent).install(ledger.canister_id, compiled("ledger"), argument)
    ledger.faucet_claim()

    running.kill()
    running.restart()
    Management(agent).install(ledger.canister_id, compiled("ledger"), argument, mode="upgrade", keep_heap=True)
    running.kill()
    running.restart()

    assert ledger.icrc1_balance_of({"owner": agent.principal}) == 10**8
    assert "Ok" in ledger.icrc1_transfer({"to": {"owner": Principal.anonymous()}, "amount": 1})


def test_a_timer_that_was_set_fires_after_a_restart(start_replica, chain_on, probe):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    canister = chain.install(agent, probe)
    agent.update_raw(canister, "timer_in", (2 * 10**9).to_bytes(8, "little"))

    running.kill()
    time.sleep(2)
    running.restart()

    until = time.monotonic() + 10
    while agent.query_raw(canister, "fired", b"") == bytes(8) and time.monotonic() < until:
        time.sleep(0.1)
    assert int.from_bytes(agent.query_raw(canister, "fired", b""), "little") == 1


def test_a_request_sent_again_after_a_restart_runs_once(start_replica, chain_on, probe):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    canister = chain.install(agent, probe)
    sent: list[bytes] = []
    call = agent.client.call
    agent.client.call = lambda where, identifier, body, deadline=None: (
        sent.append(body) or call(where, identifier, body, deadline)
    )
    agent.update_raw(canister, "inc", b"")
    agent.client.call = call

    running.kill()
    running.restart()
    again = agent.client.call(canister, b"", sent[0])

    assert b"certificate" in again
    assert count(agent, canister) == 1


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_a_random_moment_loses_no_answer_and_leaves_nothing_half_done(start_replica, chain_on, probe, seed):
    """Four clients make one canister call another, which writes in both; the process is killed again and again meanwhile."""
    running = start_replica()
    chain = chain_on(running)
    owner = chain.agent()
    caller, callee = chain.install(owner, probe), chain.install(owner, probe)
    dice = random.Random(seed)
    answered: list[bytes] = []
    receipts: list[Any] = []
    sure_to_run = threading.Event()

    def work() -> None:
        agent = chain.agent(KeyIdentity(), timeout_s=60.0)
        while not sure_to_run.is_set():
            try:
                receipt = agent.update_with_receipt(caller, "call", call_argument(callee, b"inc"))
            except ChainUnavailable:
                continue
            answered.append(receipt.reply)
            receipts.append((agent, receipt))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        time.sleep(dice.uniform(0.05, 0.7))
        running.kill()
        running.restart()
    sure_to_run.set()
    for worker in workers:
        worker.join(90)

    until = time.monotonic() + 20
    while count(owner, caller) != 1001 * count(owner, callee) and time.monotonic() < until:
        time.sleep(0.2)
    done = count(owner, callee)
    assert count(owner, caller) == 1001 * done
    assert 0 < len(answered) <= done
    assert len(set(answered)) == len(answered)  # each call saw its own count: none ran twice
    for agent, receipt in receipts[-20:]:
        path = (b"request_status", receipt.request_id, b"reply")
        assert agent.read_state(caller, [path[:2]]).require(*path) == receipt.reply
    assert running.log_text() == ""


def test_kill_9_during_installations_leaves_the_old_module_or_the_new_one(start_replica, chain_on, probe):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    canister = chain.install(agent, probe)
    agent.update_raw(canister, "set", (5).to_bytes(8, "little"))
    modules = [probe + b"\x00\x02\x01" + bytes([97 + n]) for n in range(4)]
    dice = random.Random(1)

    for wasm in modules:
        killer = threading.Timer(dice.uniform(0.0, 0.1), running.kill)
        killer.start()
        installing = threading.Thread(
            target=lambda code=wasm: Management(agent).install(canister, code, b"", mode="upgrade"), daemon=True
        )
        installing.start()
        killer.join()
        running.restart()
        installing.join(60)  # the client sends the same request until somebody answers

        assert count(agent, canister) == 5
        agent.update_raw(canister, "inc", b"")
        agent.update_raw(canister, "set", (5).to_bytes(8, "little"))


def test_two_replicas_on_one_folder_are_refused(start_replica, repository):
    running = start_replica()

    second = subprocess.run(
        [sys.executable, "-m", "canisters.replica", "--port", "0", "--state", str(running.state)],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 1
    assert second.stdout == ""
    assert "in use by another replica" in second.stderr
    assert "Traceback" not in second.stderr
    assert running.process.poll() is None


def test_a_damaged_state_is_refused_in_words(start_replica, repository, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "network.sqlite").write_bytes(b"this is no database, whatever else it may be" * 100)

    ran = subprocess.run(
        [sys.executable, "-m", "canisters.replica", "--port", "0", "--state", str(state)],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ran.returncode == 1
    assert "move it away" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_folder_is_readable_by_its_owner_only(start_replica):
    running = start_replica()

    assert running.state.stat().st_mode & 0o077 == 0
    assert (running.state / "network.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_it_is_asked_to_even_in_the_middle_of_a_long_message(start_replica, chain_on, probe, how):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    canister = chain.install(agent, probe)
    agent.update_raw(canister, "inc", b"")

    def call_without_end() -> None:
        with pytest.raises(ChainUnavailable):
            chain.agent(timeout_s=1.0).update_raw(canister, "endless", b"")

    long_call = threading.Thread(target=call_without_end)
    long_call.start()
    time.sleep(0.7)
    began = time.monotonic()

    code = running.end(how)

    assert code == 0
    assert time.monotonic() - began < 6
    long_call.join()
    assert running.log_text() == ""
    running.restart()
    assert count(agent, canister) == 1
