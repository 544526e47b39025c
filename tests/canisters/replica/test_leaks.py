"""A long life: what canisters used is given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from canisters.client.management import Management

pytestmark = pytest.mark.slow


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def status_kib(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise KeyError(name)


def test_a_hundred_reinstallations_leak_neither_files_nor_memory(start_replica, chain_on, compiled, probe):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    canister = chain.install(agent, probe)
    pid = running.process.pid

    def again(times: int) -> None:
        for _ in range(times):
            Management(agent).install(canister, probe, b"", mode="reinstall")
            agent.update_raw(canister, "inc", b"")

    again(20)
    before = descriptors(pid), status_kib(pid, "VmSize"), status_kib(pid, "VmRSS")
    again(100)
    after = descriptors(pid), status_kib(pid, "VmSize"), status_kib(pid, "VmRSS")

    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + (8 << 20)  # of address space, one instance reserves about 70 GiB
    assert after[2] <= before[2] + (40 << 10)


def test_queries_that_grow_the_heap_leak_nothing(start_replica, chain_on, probe):
    """Each is undone by making the instance anew."""
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    canister = chain.install(agent, probe)
    pid = running.process.pid

    def trap(times: int) -> None:
        for _ in range(times):
            with pytest.raises(Exception, match="the probe traps"):
                agent.update_raw(canister, "write_and_trap", b"")

    trap(20)
    before = descriptors(pid), status_kib(pid, "VmSize"), status_kib(pid, "VmRSS")
    trap(150)
    after = descriptors(pid), status_kib(pid, "VmSize"), status_kib(pid, "VmRSS")

    assert after[0] <= before[0] + 2
    assert after[1] <= before[1] + (8 << 20)
    assert after[2] <= before[2] + (40 << 10)


def test_creating_and_deleting_canisters_leaves_the_state_small(start_replica, chain_on, probe):
    running = start_replica()
    chain = chain_on(running)
    agent = chain.agent()
    management = Management(agent)
    for _ in range(30):
        canister = chain.install(agent, probe)
        management.stop(canister)
        management.delete(canister)

    assert descriptors(running.process.pid) < 60
    running.restart()

    assert (running.state / "network.sqlite").stat().st_size < 8 << 20
    assert running.log_text() == ""
