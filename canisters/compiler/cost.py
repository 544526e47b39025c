"""What an inference costs on the network, before it is installed: instructions by the network's table, and the charge for touched pages.

The count is measured, not estimated: the module runs under the metering rewriter (canisters.interface.metering). The same model gives the
same figures on every machine. Page charges follow the design notes (ic-limits, 2.3): a 64 KiB page costs 16 * 5,000 when a message
first reads it and as much again when it first writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from . import wasm as w
from .build import Module
from .emit import node_prefix
from .ir import Graph
from .local import LocalModel
from .memory import PAGE_BYTES, Plan, chunks
from .operators import Kernel

PAGE_READ = PAGE_WRITTEN = 16 * 5_000
MAX_UPDATE = 40_000_000_000


@dataclass(frozen=True)
class FunctionCost:
    """One function of model.c."""

    name: str
    instructions: int
    macs: int


@dataclass(frozen=True)
class CostReport:
    """`instructions`: one inference alone in its message, doors included, without page charges and without what the System API charges.
    `kernel_instructions`: the network itself. `page_charges`: pages of weights, activations, data and stack touched for the first time."""

    instructions: int
    kernel_instructions: int
    page_charges: int
    macs: int
    functions: tuple[FunctionCost, ...]
    pages_read: int
    pages_written: int
    module_bytes: int
    weights_bytes: int
    memory_bytes: int

    @property
    def total(self) -> int:
        return self.instructions + self.page_charges

    @property
    def per_mac(self) -> float:
        """Instructions of the kernels for each multiply-accumulate, without page charges. 0 when there are none."""
        return self.kernel_instructions / self.macs if self.macs else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "instructions": self.instructions, "kernel_instructions": self.kernel_instructions, "page_charges": self.page_charges,
            "total": self.total, "macs": self.macs, "per_mac": round(self.per_mac, 4), "share_of_update_limit": self.total / MAX_UPDATE,
            "pages_read": self.pages_read, "pages_written": self.pages_written, "module_bytes": self.module_bytes,
            "weights_bytes": self.weights_bytes, "memory_bytes": self.memory_bytes,
            "functions": [{"name": f.name, "instructions": f.instructions, "macs": f.macs} for f in self.functions],
        }  # fmt: skip

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> CostReport:
        """What `as_json` gave. Raises KeyError, TypeError."""
        named = {field.name: read[field.name] for field in fields(cls) if field.name != "functions"}
        return cls(**named, functions=tuple(FunctionCost(**entry) for entry in read["functions"]))


def measured(
    module: Module, graph: Graph, kernels: Mapping[str, Kernel], plan: Plan, variant: str = ""
) -> CostReport:
    """`graph`, `kernels`, `plan`: of one network of the module, `variant` its name when there are several."""
    exposed, names = with_nodes_exported(module.named, variant)
    model = LocalModel(exposed, chunks(plan.weights_data))
    model.run({name: np.zeros(graph.type(name).shape, graph.type(name).dtype) for name in graph.inputs})
    total = model.canister.used()
    counted = [node for node in graph.nodes if kernels[node.name].code]
    functions = tuple(
        FunctionCost(name, model.canister.run(name), kernels[node.name].macs)
        for name, node in zip(names, counted, strict=True)
    )
    read, written = touched(plan)
    return CostReport(
        instructions=total,
        kernel_instructions=sum(function.instructions for function in functions),
        page_charges=len(read) * PAGE_READ + len(written) * PAGE_WRITTEN,
        macs=sum(function.macs for function in functions),
        functions=functions,
        pages_read=len(read),
        pages_written=len(written),
        module_bytes=len(module.wasm),
        weights_bytes=len(plan.weights_data),
        memory_bytes=plan.pages * PAGE_BYTES,
    )


def with_nodes_exported(named: bytes, variant: str = "") -> tuple[bytes, list[str]]:
    """The module with the node functions of one network exported, and their names in order."""
    found = {name: index for index, name in w.function_names(named).items() if name.startswith(node_prefix(variant))}
    names = sorted(found)
    entries = [*w.exports(named), *(w.Export(name, w.FUNCTION_KIND, found[name]) for name in names)]
    parts = [w.export_section(entries) if part.number == w.EXPORT else part for part in w.sections(named)]
    return w.assembled(parts), names


def touched(plan: Plan) -> tuple[set[int], set[int]]:
    """64 KiB pages that an inference reads and those that it writes, the first being all of both."""
    written = {0, *range((plan.arena[0] - 1) // PAGE_BYTES + 1)}  # stack and data
    for block in plan.blocks:
        written |= _pages(block.address, block.size_bytes)
    read = set(written)
    for start, end in plan.weights_read:
        read |= _pages(start, end - start)
    return read, written


def _pages(start: int, size: int) -> set[int]:
    return set(range(start // PAGE_BYTES, (start + size - 1) // PAGE_BYTES + 1)) if size else set()
