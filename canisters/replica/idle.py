"""What a canister pays while it does nothing, and when it is frozen: it must keep enough to pay its idle cost for the time of its threshold.

A frozen canister answers nothing and sends nothing until somebody tops it up; one that cannot pay its idle cost any more loses its code.
Source: interface specification, "Cycles" and canister_settings; `ic-limits` of the design notes, 2.4, for the prices of a 13-node subnet.
"""

from __future__ import annotations

from .state import Canister, Network

STORAGE_CYCLES = 127_000  # for a GiB and a second
COMPUTE_CYCLES = 10_000_000  # for a percent and a second
CHARGED_EVERY_NS = 3600 * 10**9
_DAY_S = 24 * 3600
_GIB = 1 << 30


def used_bytes(canister: Canister) -> int:
    """All that the canister occupies: memories, module, chunks, log, snapshots."""
    sandbox, module = canister.sandbox, canister.module
    found = sum(map(len, canister.chunks.values())) + sum(len(line.content) for line in canister.logs)
    found += sum(snapshot.size_bytes for snapshot in canister.snapshots.values())
    if sandbox is not None and module is not None:
        found += sandbox.heap_bytes + sandbox.stable_bytes + module.size_bytes
    return found


def cost(canister: Canister, seconds: float) -> int:
    """Cycles for so long a time. What is allocated costs as if it were used."""
    settings = canister.settings
    occupied = max(used_bytes(canister), settings.memory_allocation)
    a_second = occupied * STORAGE_CYCLES / _GIB + settings.compute_allocation * COMPUTE_CYCLES
    return int(a_second * seconds)


def cost_per_day(canister: Canister) -> int:
    return cost(canister, _DAY_S)


def freezing_limit(canister: Canister) -> int:
    """Cycles below which the canister is frozen."""
    return cost(canister, canister.settings.freezing_threshold_s)


def is_frozen(canister: Canister, needs: int = 0) -> bool:
    """Whether spending `needs` would leave less than the limit."""
    return canister.cycles - needs < freezing_limit(canister)


def charge(network: Network) -> list[Canister]:
    """Take what the time since the last charge costs. Returns whom it was taken from; those with nothing left are to lose their code."""
    since_ns = network.time_ns - network.charged_ns
    if network.charged_ns and since_ns < CHARGED_EVERY_NS:
        return []
    network.charged_ns, before = network.time_ns, network.charged_ns
    if not before:
        return []
    charged = []
    for canister in network.canisters.values():
        due = cost(canister, since_ns / 1e9)
        if due:
            canister.cycles = max(0, canister.cycles - due)
            charged.append(canister)
    return charged
