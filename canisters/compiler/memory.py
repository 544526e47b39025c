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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import DoesNotFit
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
    weights_read: tuple[tuple[int, int], ...] = ()  # start and end of what this network reads of the weights

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
    """Raises DoesNotFit when the whole does not fit a canister's memory."""
    return plan_variants([(graph, kernels)], data_bytes)[0]


def plan_variants(parts: Sequence[tuple[Graph, Mapping[str, Kernel]]], data_bytes: int) -> tuple[Plan, ...]:
    """One plan for each of several networks of one module, of which a message runs one: they share the arena's room and the weights,
    where equal bytes are stored once. Raises DoesNotFit when the whole does not fit a canister's memory."""
    start = aligned(STACK_BYTES + data_bytes, 64)
    placed = _with_one_message([_placed(_lifetimes(graph, kernels), start) for graph, kernels in parts])
    arena_end = max([start, *(b.address + b.size_bytes for blocks in placed for b in blocks)]) + SLACK_BYTES
    base = aligned(arena_end, PAGE_BYTES)
    blob = _Blob(base)
    weights = [_weights(graph, kernels, blob) for graph, kernels in parts]
    data = bytes(blob.data)
    end = base + len(data) + SLACK_BYTES
    if end > MAX_MEMORY_BYTES:
        raise DoesNotFit(
            "the model",
            f"it needs {end >> 20} MiB of memory",
            "A canister has 3 GiB; use int8 weights, a smaller network, or several canisters (--stages)",
        )
    plans = []
    for (graph, kernels), blocks, found in zip(parts, placed, weights, strict=True):
        message = next(block for block in blocks if block.name == "message")
        plans.append(
            Plan(
                _tensors(graph, blocks, found),
                _scratch(graph, kernels, blocks),
                found,
                tuple(blocks),
                (start, arena_end),
                base,
                data,
                (message.address, message.size_bytes),
                end,
                blob.ranges(found),
            )
        )
    return tuple(plans)


def _tensors(graph: Graph, blocks: list[Block], weights: Mapping[tuple[str, str], int]) -> dict[str, int]:
    addresses = {block.name: block.address for block in blocks}
    tensors = {name: addresses[f"tensor {name}"] for name in graph.types if f"tensor {name}" in addresses}
    tensors |= {name: weights["", name] for name in graph.constants if ("", name) in weights}
    return tensors | {view: tensors[root] for view, root in roots(graph).items() if root in tensors}


def _scratch(graph: Graph, kernels: Mapping[str, Kernel], blocks: list[Block]) -> dict[tuple[str, str], int]:
    addresses = {block.name: block.address for block in blocks}
    return {
        (node.name, key): addresses[f"scratch {node.name} {key}"]
        for node in graph.nodes
        for key in kernels[node.name].scratch
    }


def _with_one_message(placed: list[list[Block]]) -> list[list[Block]]:
    """A message is read before it is known which network it is for: its place is one, behind the inputs of each."""
    if len(placed) == 1:
        return placed
    messages = [next(block for block in blocks if block.name == "message") for blocks in placed]
    size = max(message.size_bytes for message in messages)
    arriving = [b for blocks in placed for b in blocks if b.first == -1 and b.name != "message"]
    at = aligned(max([min(m.address for m in messages), *(b.address + b.size_bytes for b in arriving)]))
    return [[b if b.name != "message" else Block("message", size, -1, -1, at) for b in blocks] for blocks in placed]


def _lifetimes(graph: Graph, kernels: Mapping[str, Kernel]) -> list[Block]:
    shown = roots(graph)
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


class _Blob:
    """The weights of a module as they are kept: in the order of `keep`, equal bytes once."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.data = bytearray()
        self._places: dict[bytes, int] = {}

    def keep(self, value: bytes) -> int:
        """Its address."""
        if value not in self._places:
            self.data.extend(bytes(aligned(len(self.data)) - len(self.data)))
            self._places[value] = self.base + len(self.data)
            self.data.extend(value)
        return self._places[value]

    def ranges(self, weights: Mapping[tuple[str, str], int]) -> tuple[tuple[int, int], ...]:
        """What a network reads of the blob, neighbours joined."""
        wanted = set(weights.values())
        found: list[tuple[int, int]] = []
        for value, at in self._places.items():
            if at in wanted and found and at - found[-1][1] < ALIGNMENT:
                found[-1] = (found[-1][0], at + len(value))
            elif at in wanted:
                found.append((at, at + len(value)))
        return tuple(found)


def _weights(graph: Graph, kernels: Mapping[str, Kernel], blob: _Blob) -> dict[tuple[str, str], int]:
    shown = roots(graph)
    found: dict[tuple[str, str], int] = {}

    def keep_raw(name: str) -> None:
        if ("", name) not in found:
            found["", name] = blob.keep(graph.constants[name].tobytes())

    for node in graph.nodes:
        kernel = kernels[node.name]
        for key, value in kernel.weights.items():
            found[node.name, key] = blob.keep(value)
        for name in _read_raw(graph, node, kernel, shown):
            keep_raw(name)
    for name in graph.outputs:
        root = shown.get(name, name)
        if root in graph.constants:
            keep_raw(root)
    return found


def chunks(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))
