"""What the network's prices and limits make of a cost report: cycles a call, and how many inferences a message holds.

Source: Internet Computer documentation, "Cycles costs" (13-node subnet) and "Resource limits"; the design notes' ic-limits 2.2 to 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cost import CostReport

MAX_QUERY = 5_000_000_000
MAX_UPDATE = 40_000_000_000
MAX_SLICE = 2_000_000_000  # of a message that runs over several rounds
UPDATE_CYCLES = 5_000_000
CYCLES_PER_INSTRUCTION = 1
INGRESS_CYCLES, INGRESS_CYCLES_PER_BYTE = 1_200_000, 2_000
CALL_CYCLES, CALL_CYCLES_PER_BYTE = 260_000, 1_000
CYCLES_PER_GIB_SECOND = 127_000
SECONDS_PER_YEAR = 365 * 24 * 3600
CREATION_CYCLES = 500_000_000_000
# A request or reply between canisters of different subnets, and any ingress message.
MAX_MESSAGE_BYTES = 2 << 20


@dataclass(frozen=True)
class Charges:
    """`first`: instructions of an inference that is alone in its message. `further`: of each more in the same message, which finds the pages
    touched. `in_query`, `in_update`: how many fit, 0 when not even one does. Cycles of one update call with one inference: asked from
    outside (`ingress_cycles`), or by another canister, its request and reply included (`call_cycles`)."""

    first: int
    further: int
    in_query: int
    in_update: int
    slices: int
    ingress_cycles: int
    call_cycles: int
    upload_cycles: int
    storage_cycles_per_year: int

    @classmethod
    def of(cls, cost: CostReport, interface: Mapping[str, Any]) -> Charges:
        asked, answered = tensors_bytes(interface["inputs"]), tensors_bytes(interface["outputs"])
        first, further = cost.total, cost.instructions
        run = UPDATE_CYCLES + first * CYCLES_PER_INSTRUCTION
        return cls(
            first=first,
            further=further,
            in_query=_fitting(MAX_QUERY, first, further),
            in_update=_fitting(MAX_UPDATE, first, further),
            slices=-(-first // MAX_SLICE),
            ingress_cycles=run + INGRESS_CYCLES + INGRESS_CYCLES_PER_BYTE * asked,
            call_cycles=run + CALL_CYCLES + CALL_CYCLES_PER_BYTE * (asked + answered),
            upload_cycles=INGRESS_CYCLES_PER_BYTE * (cost.weights_bytes + cost.module_bytes),
            storage_cycles_per_year=int(_stored_bytes(cost) / 2**30 * CYCLES_PER_GIB_SECOND * SECONDS_PER_YEAR),
        )


def _fitting(limit: int, first: int, further: int) -> int:
    return 0 if first > limit else 1 + (limit - first) // further


def _stored_bytes(cost: CostReport) -> int:
    """The heap, and the weights once more in stable memory, where they outlive an upgrade."""
    return cost.memory_bytes + cost.weights_bytes + cost.module_bytes


def tensors_bytes(tensors: Sequence[Mapping[str, Any]]) -> int:
    """`tensors`: name, dtype, shape, as in interface.json."""
    return sum(int(np.prod(t["shape"], dtype=np.int64)) * np.dtype(t["dtype"]).itemsize for t in tensors)
