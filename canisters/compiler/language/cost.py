"""What a step of a language model costs: a bound that the canister stops by, and, for reports, measured counts with their page charges.

Counts are measured in a module that runs under the network's metering; charges for pages follow from the memory plan (compiler/cost.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from canisters.compiler.cost import PAGE_READ, PAGE_WRITTEN
from canisters.compiler.memory import PAGE_BYTES

from .layout import BLOCK_POSITIONS, Memory, Shape, buffers_of, dense_of

# Instructions a multiply-accumulate of a single row takes, generously: 0.66 and 1.83 measured (kernels/dense_row.h).
PER_MAC = {"int8": 0.8, "f32": 2.1}
PER_ELEMENT = 60  # of a row's width and hidden size, for norms, quantising, activations, sums
PER_LOGIT = 40  # of sampling
PER_SCORE = 40  # of a position in a head: softmax and loops
PER_CACHE_MAC = 2.5


@dataclass(frozen=True)
class Bounds:
    """Instructions that a step cannot pass which is not a message's first: for each row, for each row and position before it, for logits.
    Pages of weights are charged for in the first step; those of the cache are counted in."""

    row: int
    position: int
    head: int


def bounds_of(shape: Shape) -> Bounds:
    decoder, dense = shape.decoder, dense_of(shape.decoder)
    rate = PER_MAC[shape.mode]
    layer_macs = sum(dense[name].k * dense[name].columns for name in ("qkv", "output", "up", "down"))
    layer_row = rate * layer_macs + PER_ELEMENT * (4 * decoder.width + decoder.hidden + dense["qkv"].columns) + 20_000
    each_position = shape.count * decoder.heads * (2 * PER_CACHE_MAC * decoder.head_size + PER_SCORE)
    head = rate * dense["head"].k * dense["head"].columns + PER_LOGIT * decoder.vocabulary if shape.is_last else 0
    cache_pages = shape.block_floats * 4 // PAGE_BYTES + 2
    return Bounds(
        row=int(shape.count * layer_row + PER_ELEMENT * decoder.width + cache_pages * (PAGE_READ + PAGE_WRITTEN)),
        position=int(each_position),
        head=int(head) + (dense["head"].columns * 4 // PAGE_BYTES + 2) * (PAGE_READ + PAGE_WRITTEN),
    )


def page_charges(shape: Shape, memory: Memory, first: int, last: int, *, wants_logits: bool) -> int:
    """Of a message that runs positions first <= p < last of the session in the first slot, alone."""
    written = _pages(0, memory.arena[0])
    for name, size in buffers_of(shape).items():
        if name != "logits" or wants_logits:
            written |= _pages(memory.buffers[name], size)
    block_bytes = shape.block_floats * 4
    blocks = [memory.slots + p // BLOCK_POSITIONS * block_bytes for p in (first, last - 1)]
    written |= _pages(blocks[0], blocks[1] + block_bytes - blocks[0])
    written |= _pages(memory.slots + shape.cache_bytes + 4 * first, 4 * (last - first) + 4)
    read = _pages(memory.slots, blocks[1] + block_bytes - memory.slots) | written
    places = [*shape.places.values(), shape.weights_bytes]
    for name, start, end in zip(shape.places, places, places[1:], strict=False):
        if name in ("embedding", "positions", "rotary"):  # rows of a table: about a page, whichever tokens they are
            read |= _pages(memory.weights + start, 1 + (last - first) * PAGE_BYTES if name == "embedding" else 1)
        elif wants_logits or name == "layers":
            read |= _pages(memory.weights + start, end - start)
    return len(read) * PAGE_READ + len(written) * PAGE_WRITTEN


def _pages(start: int, size: int) -> set[int]:
    return set(range(start // PAGE_BYTES, (start + size - 1) // PAGE_BYTES + 1)) if size else set()
