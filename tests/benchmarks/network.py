"""The embedded network under load: how many messages a second, how long one takes, what large memories, restarts and idling cost.

Client and server share the machine, so figures of time are this machine's: `docs/performance.md` says how many cores it had. A generator in
a process of its own sends requests that were signed before the clock started; `canisters.client` and the sandbox are timed here.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import wasmtime

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.identities import envelope
from canisters.client.management import Management
from canisters.interface.principal import Principal
from canisters.replica.engine import Module, Sandbox
from canisters.replica.engine.contract import Entry, Environment, Kind
from tests.canisters.conftest import RunningReplica

from .figure import Figure

ROOT = Path(__file__).parents[2]
SCATTERED_PAGES, PAGE_BYTES, WASM_PAGE_BYTES = 1000, 4096, 65536
CANISTERS = 50
IDLE_S = 5.0
EXPIRY_NS = 240 * 10**9


def counter(heap_pages: int, salt: int = 0) -> bytes:
    """`inc` counts and `get` tells; `scatter` writes one byte in every second page, `touch` reads one in each. `salt`: makes another module."""
    text = f"""(module
      (import "ic0" "msg_reply" (func $reply))
      (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
      (memory {heap_pages})
      (func (export "canister_update inc")
        (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
        (call $append (i32.const 0) (i32.const 8)) (call $reply))
      (func (export "canister_query get") (call $append (i32.const 0) (i32.const 8)) (call $reply))
      (func (export "canister_update scatter") (local $at i32)
        (loop $next
          (i32.store8 (local.get $at) (i32.add (i32.load8_u (local.get $at)) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const {2 * PAGE_BYTES})))
          (br_if $next (i32.lt_u (local.get $at) (i32.const {2 * PAGE_BYTES * SCATTERED_PAGES}))))
        (call $reply))
      (func (export "canister_update touch") (local $at i32)
        (loop $next
          (drop (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const {PAGE_BYTES})))
          (br_if $next (i32.lt_u (local.get $at) (i32.const {heap_pages * WASM_PAGE_BYTES}))))
        (call $reply))
      (func (export "canister_query salt") (drop (i32.const {salt})) (call $reply)))"""
    return bytes(wasmtime.wat2wasm(text))


# --- the load generator, in a process of its own ---


def signed(kind: str, canister_id: Principal, method: str, count: int) -> list[bytes]:
    """`count` different requests of one caller."""
    identity, now_ns = KeyIdentity(), time.time_ns()
    content = {
        "request_type": kind, "sender": identity.principal.raw, "canister_id": canister_id.raw, "method_name": method, "arg": b"",
        "ingress_expiry": now_ns + EXPIRY_NS,
    }  # fmt: skip
    return [envelope({**content, "nonce": number.to_bytes(8, "big")}, identity, now_ns)[1] for number in range(count)]


def load(url: str, raw_id: bytes, kind: str, method: str, count: int, connections: int) -> tuple[float, list[float]]:
    """Requests a second, and the seconds that each took. Raises AssertionError when one is not answered."""
    canister_id = Principal(raw_id)
    return asyncio.run(
        _send(f"{url}/api/v3/canister/{canister_id}/{kind}", signed(kind, canister_id, method, count), connections)
    )


async def _send(url: str, bodies: list[bytes], connections: int) -> tuple[float, list[float]]:
    taken: list[float] = []
    left = iter(bodies)

    async def one_after_another(session: aiohttp.ClientSession) -> None:
        for body in left:
            begun = time.perf_counter()
            async with session.post(url, data=body) as response:
                answer = await response.read()
            assert response.status == 200, (response.status, answer[:200])
            assert b"replied" in answer, answer[:200]
            taken.append(time.perf_counter() - begun)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections), headers={"Content-Type": "application/cbor"}
    ) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(one_after_another(session) for _ in range(connections)))
        return len(bodies) / (time.perf_counter() - begun), taken


# --- figures ---


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        replica = RunningReplica(ROOT, Path(folder) / "state")
        try:
            with ChainAgent(replica.url, replica.root_key, KeyIdentity()) as agent:
                yield from _idle(replica)
                yield from _on(replica, agent)
                yield from _restarted(replica, agent)
        finally:
            replica.stop()
    yield from _memory()


def installed(agent: ChainAgent, wasm: bytes) -> Principal:
    canister_id = Management(agent).create()
    Management(agent).install(canister_id, wasm, b"")
    return canister_id


def _on(replica: RunningReplica, agent: ChainAgent) -> Iterator[Figure]:
    canister_id = installed(agent, counter(1))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:

        def loaded(kind: str, method: str, count: int, connections: int) -> tuple[float, list[float], float]:
            before = cpu_seconds(replica.process.pid)
            rate, taken = process.submit(load, replica.url, canister_id.raw, kind, method, count, connections).result()
            return rate, taken, (cpu_seconds(replica.process.pid) - before) / count * 1000

        loaded("query", "get", 200, 8)
        for kind, method, goal in (("call", "inc", 1500), ("query", "get", 4000)):
            name = "updates" if kind == "call" else "queries"
            rate, _, cpu_ms = loaded(kind, method, 3000, 32)
            yield Figure(f"replica.load_32.{name}", round(rate), "a second", goal, "higher")
            yield Figure(f"replica.load_32.{name}.server_cpu", round(cpu_ms, 3), "ms each", None)
        _, taken, _ = loaded("call", "inc", 3000, 128)
        yield Figure("replica.load_128.update_p99", round(statistics.quantiles(taken, n=100)[98], 3), "seconds", 0.3)
    yield Figure(
        "replica.client.update", round(median_ms(lambda: agent.update_raw(canister_id, "inc", b""), 100), 2), "ms", 5
    )
    yield Figure(
        "replica.client.query", round(median_ms(lambda: agent.query_raw(canister_id, "get", b""), 300), 2), "ms", 1.5
    )


def _restarted(replica: RunningReplica, agent: ChainAgent) -> Iterator[Figure]:
    for salt in range(CANISTERS):
        installed(agent, counter(1, salt))
    replica.stop()
    begun = time.perf_counter()
    replica.start()
    yield Figure(f"replica.restart_{CANISTERS}_canisters", round(time.perf_counter() - begun, 2), "seconds", 2)


def _idle(replica: RunningReplica) -> Iterator[Figure]:
    before = cpu_seconds(replica.process.pid)
    time.sleep(IDLE_S)
    yield Figure("replica.idle.cpu", round((cpu_seconds(replica.process.pid) - before) / IDLE_S * 100, 2), "percent", 1)
    resident = int(Path(f"/proc/{replica.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    yield Figure("replica.idle.memory", round(resident / 2**20), "MiB", 200)


def _memory() -> Iterator[Figure]:
    """In the engine alone: what a message costs beside its way there."""
    query_ms = {}
    for name, pages in (("16_mib", 256), ("1_gib", 16384)):
        sandbox = Sandbox.create(Module.prepare(counter(pages)))
        sandbox.commit()
        ran(sandbox, Kind.UPDATE, "touch")
        sandbox.commit()
        query_ms[name] = median_ms(lambda held=sandbox: held.run_query(Entry(Kind.QUERY, "get"), environment()), 100)  # type: ignore[misc]
        yield Figure(f"replica.query.{name}", round(query_ms[name], 3), "ms", None)
        if name == "16_mib":
            yield Figure("replica.commit_1000_pages", round(statistics.median(commits(sandbox, 20)), 2), "ms", 5)
        sandbox.close()
    yield Figure("replica.query.1_gib_over_16_mib", round(query_ms["1_gib"] / query_ms["16_mib"], 2), "times", 2)


def commits(sandbox: Sandbox, count: int) -> Iterator[float]:
    """Milliseconds of each commit."""
    for _ in range(count):
        ran(sandbox, Kind.UPDATE, "scatter")
        begun = time.perf_counter()
        changed = sandbox.commit()
        yield (time.perf_counter() - begun) * 1000
        assert len(changed.heap) == SCATTERED_PAGES


def environment() -> Environment:
    return Environment(time_ns=time.time_ns(), canister_id=b"\x07\x01\x01", caller=b"\x04")


def ran(sandbox: Sandbox, kind: Kind, method: str) -> None:
    outcome = sandbox.run(Entry(kind, method), environment())
    assert outcome.trapped is None, outcome.trapped


def median_ms(run: Callable[[], Any], count: int) -> float:
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        run()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process. Source: Linux, proc_pid_stat(5), fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
