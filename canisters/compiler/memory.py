"""Where everything lies: stack, data, activations, weights, each at an address that is a constant of the module.

    0        stack 16 KiB, growing down: an overflow runs into address 0 and traps
    16 KiB   the module's own data, checked against the linker's figure afterwards
             activations: inputs, outputs, tensors and scratch, each for as long as it is needed; a small message shares their room
    64 KiB*  weights, in the order in which they are read
             64 bytes of slack, then whatever a large message needs

The network charges a message for every 64 KiB page that it touches, and twice for one that it writes, so a small network keeps stack,
data and activations on one page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import CannotCompile
from .ir import Graph, Node
from .operators import Kernel

STACK_BYTES = 16 << 10
PAGE_BYTES = 64 << 10
ALIGNMENT = 16
SLACK_BYTES = 64
CHUNK_BYTES = 1 << 20
# A canister's heap ends at 3 GiB unless its controller raises the limit; a message of 10 MiB must still fit behind.
MAX_MEMORY_BYTES = (3 << 30) - (16 << 20)
MAX_MESSAGE_BYTES = 1 << 20
MESSAGE_OVERHEAD_BYTES = 512  # Candid's type table, names and shapes


@dataclass(frozen=True)
class Block:
    """A tensor's or scratch's place. `first` and `last`: the nodes during which it is needed, -1 being the arrival of the inputs."""

    name: str
    size_bytes: int
    first: int
    last: int
    address: int = 0


@dataclass(frozen=True)
class Plan:
    """`tensors`, `scratch` and `weights` give addresses by name; scratch and packed weights by (node, name)."""

    tensors: Mapping[str, int]
    scratch: Mapping[tuple[str, str], int]
    weights: Mapping[tuple[str, str], int]
    blocks: tuple[Block, ...]
    arena: tuple[int, int]  # start, end
    weights_base: int
    weights_data: bytes
    message: tuple[int, int]  # address, bytes
    end: int

    @property
    def pages(self) -> int:
        return -(-self.end // PAGE_BYTES)


def aligned(address: int, to: int = ALIGNMENT) -> int:
    return -(-address // to) * to


def roots(graph: Graph) -> dict[str, str]:
    """For each tensor the one whose bytes it shows: views are the same bytes under another shape."""
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.op == "View":
            found[node.outputs[0]] = found.get(node.inputs[0], node.inputs[0])
    return found


def plan_memory(graph: Graph, kernels: Mapping[str, Kernel], data_bytes: int) -> Plan:
    """Raises CannotCompile when the whole does not fit a canister's memory."""
    shown = roots(graph)
    blocks = _lifetimes(graph, kernels, shown)
    start = aligned(STACK_BYTES + data_bytes, 64)
    placed = _placed(blocks, start)
    arena_end = max([start, *(block.address + block.size_bytes for block in placed)]) + SLACK_BYTES
    base = aligned(arena_end, PAGE_BYTES)
    weights, data = _weights(graph, kernels, base, shown)
    end = base + len(data) + SLACK_BYTES
    if end > MAX_MEMORY_BYTES:
        raise CannotCompile(
            "the model",
            f"it needs {end >> 20} MiB of memory",
            "A canister has 3 GiB; use int8 weights or a smaller network",
        )
    addresses = {block.name: block.address for block in placed}
    tensors = {name: addresses[f"tensor {name}"] for name in graph.types if f"tensor {name}" in addresses}
    tensors |= {name: weights["", name] for name in graph.constants if ("", name) in weights}
    tensors |= {view: tensors[root] for view, root in shown.items() if root in tensors}
    scratch = {
        (node.name, key): addresses[f"scratch {node.name} {key}"]
        for node in graph.nodes
        for key in kernels[node.name].scratch
    }
    message = next(block for block in placed if block.name == "message")
    return Plan(
        tensors,
        scratch,
        weights,
        tuple(placed),
        (start, arena_end),
        base,
        data,
        (message.address, message.size_bytes),
        end,
    )


def _lifetimes(graph: Graph, kernels: Mapping[str, Kernel], shown: Mapping[str, str]) -> list[Block]:
    first: dict[str, int] = dict.fromkeys(graph.inputs, -1)
    last: dict[str, int] = dict.fromkeys(graph.inputs, -1)
    blocks: list[Block] = []
    for index, node in enumerate(graph.nodes):
        if node.op == "View":
            continue
        for name in node.outputs:
            if name:
                first[name] = last[name] = index
        for name in node.inputs:
            root = shown.get(name, name)
            if root in first:
                last[root] = index
        for key, size in kernels[node.name].scratch.items():
            blocks.append(Block(f"scratch {node.name} {key}", size, index, index))
    for name in graph.outputs:
        root = shown.get(name, name)
        if root in first:
            last[root] = len(graph.nodes)
    blocks += [Block(f"tensor {name}", max(1, graph.type(name).size_bytes), first[name], last[name]) for name in first]
    message = sum(graph.type(name).size_bytes + MESSAGE_OVERHEAD_BYTES for name in graph.inputs)
    blocks.append(Block("message", min(message, MAX_MESSAGE_BYTES), -1, -1))
    return blocks


def _placed(blocks: list[Block], start: int) -> list[Block]:
    """Largest first, each at the lowest address that is free for as long as it lives."""
    placed: list[Block] = []
    for block in sorted(blocks, key=lambda b: (-b.size_bytes, b.first, b.name)):
        at = start
        rivals = (other for other in placed if other.first <= block.last and block.first <= other.last)
        for other in sorted(rivals, key=lambda b: b.address):
            if at + block.size_bytes <= other.address:
                break
            at = max(at, aligned(other.address + other.size_bytes))
        placed.append(Block(block.name, block.size_bytes, block.first, block.last, at))
    return placed


def _read_raw(graph: Graph, node: Node, kernel: Kernel, shown: Mapping[str, str]) -> list[str]:
    """Constants that a node's code reads as they are, not packed."""
    names = [shown.get(name, name) for index, name in enumerate(node.inputs) if f"{{x{index}}}" in kernel.code]
    return [name for name in names if name in graph.constants]


def _weights(
    graph: Graph, kernels: Mapping[str, Kernel], base: int, shown: Mapping[str, str]
) -> tuple[dict[tuple[str, str], int], bytes]:
    found: dict[tuple[str, str], int] = {}
    data = bytearray()

    def keep(key: tuple[str, str], value: bytes) -> None:
        if key not in found:
            data.extend(bytes(aligned(len(data)) - len(data)))
            found[key] = base + len(data)
            data.extend(value)

    for node in graph.nodes:
        kernel = kernels[node.name]
        for key, value in kernel.weights.items():
            keep((node.name, key), value)
        for name in _read_raw(graph, node, kernel, shown):
            keep(("", name), graph.constants[name].tobytes())
    for name in graph.outputs:
        root = shown.get(name, name)
        if root in graph.constants:
            keep(("", root), graph.constants[root].tobytes())
    return found, bytes(data)


def chunks(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))
