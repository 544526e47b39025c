"""A Motoko canister with 320 MiB on its heap and a timer that goes on: used, upgraded, and found again after a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canisters.client.management import Management
from canisters.interface.candid import decode, encode
from canisters.interface.candid.types import Prim

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parent / "standin" / "Heap.mo"
NAT, NAT64 = Prim("nat"), Prim("nat64")
BLOCKS, BLOCK_BYTES = 40, 8 << 20


class Heap:
    def __init__(self, agent: Any, canister: Any) -> None:
        self.agent, self.id = agent, canister

    def fill(self, blocks: int) -> int:
        return int(decode(self.agent.update_raw(self.id, "fill", encode([NAT], [blocks])), [NAT])[0])

    def change(self, index: int, value: int) -> None:
        self.agent.update_raw(self.id, "change", encode([NAT, NAT64], [index, value]))

    def sampled(self, index: int) -> tuple[int, ...]:
        return tuple(decode(self.agent.query_raw(self.id, "sampled", encode([NAT], [index])), [NAT64, NAT64]))

    def ticked(self) -> int:
        return int(decode(self.agent.query_raw(self.id, "ticked", encode([], [])), [NAT])[0])

    def await_ticks(self, more: int) -> None:
        wanted, until = self.ticked() + more, time.monotonic() + 20
        while self.ticked() < wanted:
            assert time.monotonic() < until, "the timer stands still"
            time.sleep(0.1)


def test_a_large_heap_and_its_timer_live_through_an_upgrade_and_a_restart(
    start_replica: Any, chain_on: Any, motoko_module: Callable[[Path], bytes]
) -> None:
    running = start_replica()
    chain = chain_on(running)
    module = motoko_module(SOURCE)
    heap = Heap(chain.agent(), None)
    heap.id = chain.install(heap.agent, module)
    for _ in range(BLOCKS // 10):
        held = heap.fill(10)
    heap.change(3, 99)
    heap.await_ticks(1)

    Management(heap.agent).install(heap.id, module, encode([], []), mode="upgrade", keep_heap=True)
    heap.await_ticks(1)
    running.restart()
    heap.await_ticks(1)

    assert held == BLOCKS
    metrics = Management(heap.agent).status(heap.id)["memory_metrics"]
    assert metrics["wasm_memory_size"] >= BLOCKS * BLOCK_BYTES
    assert [heap.sampled(index) for index in (0, 3, BLOCKS - 1)] == [(7, 11), (99, 11), (7, 11)]
    heap.change(0, 5)
    assert heap.sampled(0) == (5, 11)
    assert running.log_text() == ""
