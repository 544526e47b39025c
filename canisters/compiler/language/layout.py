"""Where everything lies in a language model's memory, and its weights in the order and form in which the kernels read them.

    0        stack, the module's data, activations and scratch as in every module (compiler/memory.py)
    64 KiB*  weights: tables, layers (all of one size, so that one function serves them all), last norm, head
             caches of keys and values, one slot a session
             then whatever a large message needs

Weights are written once, a tensor at a time, into chunks: the largest piece in memory is one matrix of one layer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from canisters.compiler.errors import CannotCompile
from canisters.compiler.memory import CHUNK_BYTES, MAX_MEMORY_BYTES, PAGE_BYTES, SLACK_BYTES, STACK_BYTES, aligned
from canisters.compiler.operators import packing

from .checkpoint import Checkpoint, Floats
from .config import Decoder
from .names import Matrix, Names

PANEL = 64  # columns, as kernels/decoder.h reads them
INT8_STEP = 32  # rows of int8 weights are padded to whole turns of the kernels' loops
HEAD_COLUMNS = 64 * PANEL  # of the head and the embedding, packed at a time
BLOCK_POSITIONS = 4  # of the cache, side by side
PROMPT_ROWS = 16  # positions of a prompt that run together


def padded(size: int, to: int = PANEL) -> int:
    return -(-size // to) * to


@dataclass(frozen=True)
class Dense:
    """A packed matrix: `columns` with padding."""

    k: int
    n: int

    @property
    def columns(self) -> int:
        return padded(self.n)

    def size_bytes(self, mode: str) -> int:
        each = 8 + padded(self.k, INT8_STEP) if mode == "int8" else 4 * (1 + self.k)
        return self.columns * each


@dataclass(frozen=True)
class Shape:
    """What of the weights lies where, in bytes from their start; `layer` from a layer's start. `layers`: which ones this module computes."""

    decoder: Decoder
    mode: str
    context: int
    layers: tuple[int, int]
    places: Mapping[str, int]
    layer: Mapping[str, int]
    layer_bytes: int
    weights_bytes: int

    @property
    def count(self) -> int:
        return self.layers[1] - self.layers[0]

    @property
    def is_first(self) -> bool:
        return self.layers[0] == 0

    @property
    def is_last(self) -> bool:
        return self.layers[1] == self.decoder.layers

    @property
    def block_floats(self) -> int:
        """Of the cache: keys and values of four positions in all layers."""
        return self.count * self.layer_floats

    @property
    def layer_floats(self) -> int:
        return 2 * BLOCK_POSITIONS * self.decoder.kv_size

    @property
    def cache_bytes(self) -> int:
        return self.context // BLOCK_POSITIONS * self.block_floats * 4

    @property
    def slot_bytes(self) -> int:
        """A cache, and behind it the session's tokens."""
        return padded(self.cache_bytes + self.context * 4, PAGE_BYTES)


def dense_of(decoder: Decoder) -> dict[str, Dense]:
    return {
        "qkv": Dense(decoder.width, decoder.q_size + 2 * decoder.kv_size),
        "output": Dense(decoder.q_size, decoder.width),
        "up": Dense(decoder.width, decoder.hidden * (2 if decoder.gated else 1)),
        "down": Dense(decoder.hidden, decoder.width),
        "head": Dense(decoder.width, decoder.vocabulary),
    }


def shape_of(decoder: Decoder, mode: str, context: int, layers: tuple[int, int]) -> Shape:
    dense = dense_of(decoder)
    vectors = {"attention_norm": decoder.width, "mlp_norm": decoder.width}
    if decoder.is_layer_norm:
        vectors |= {"attention_shift": decoder.width, "mlp_shift": decoder.width}
    if decoder.qk_norm:
        vectors |= {"q_head_norm": decoder.head_size, "k_head_norm": decoder.head_size}
    sizes = {name: 4 * size for name, size in vectors.items()}
    sizes |= {name: dense[name].size_bytes(mode) for name in ("qkv", "output", "up", "down")}
    layer, layer_bytes = _places(sizes)
    is_last = layers[1] == decoder.layers
    whole: dict[str, int] = {}
    if layers[0] == 0 and not (decoder.tied and is_last):
        whole["embedding"] = decoder.vocabulary * embedding_row_bytes(decoder, mode)
    if decoder.rotary is None and layers[0] == 0:
        whole["positions"] = context * decoder.width * 4
    elif decoder.rotary is not None:
        whole["rotary"] = context * decoder.head_size * 4
    whole["layers"] = layer_bytes * (layers[1] - layers[0])
    if is_last:
        whole |= dict.fromkeys(("final_norm", *(("final_shift",) if decoder.is_layer_norm else ())), decoder.width * 4)
        whole["head"] = dense["head"].size_bytes(mode)
    places, total = _places(whole)
    return Shape(decoder, mode, context, layers, places, layer, layer_bytes, total)


def cut(decoder: Decoder, mode: str, stages: int) -> list[tuple[int, int]]:
    """The layers of each stage, so that the stage with most weights has as few as can be: the last one has the head as well."""
    whole = shape_of(decoder, mode, BLOCK_POSITIONS, (0, decoder.layers))
    head = dense_of(decoder)["head"].size_bytes(mode)

    def most_bytes(count: int) -> int:
        """The most weights of a stage when the last one has `count` layers."""
        before = -(-(decoder.layers - count) // (stages - 1))
        return max(before * whole.layer_bytes, count * whole.layer_bytes + head)

    if stages == 1:
        return [(0, decoder.layers)]
    last = min(range(1, decoder.layers - stages + 2), key=most_bytes)
    rest = decoder.layers - last
    edges = [rest * index // (stages - 1) for index in range(stages)] + [decoder.layers]
    return list(itertools.pairwise(edges))


def embedding_row_bytes(decoder: Decoder, mode: str) -> int:
    """A table of its own: int8 behind one float32 step, or float32."""
    return 4 + decoder.width if mode == "int8" else 4 * decoder.width


def _places(sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    places, at = {}, 0
    for name, size in sizes.items():
        places[name] = at
        at += aligned(size, 64)
    return places, at


# --- memory ---


@dataclass(frozen=True)
class Memory:
    """Addresses: `buffers` by name, `weights`, `slots` (the first of `slot_count`), `message`, `end`."""

    buffers: Mapping[str, int]
    arena: tuple[int, int]
    weights: int
    slots: int
    slot_count: int
    message: tuple[int, int]
    end: int


def buffers_of(shape: Shape) -> dict[str, int]:
    """Bytes of each. Rows of activations are padded to whole panels, since dense layers write whole panels."""
    decoder, dense = shape.decoder, dense_of(shape.decoder)
    rows = 4 * PROMPT_ROWS
    widest = max(d.k for d in dense.values())
    return {
        "x": rows * padded(decoder.width),
        "normed": rows * padded(decoder.width),
        "qkv": rows * dense["qkv"].columns,
        "attended": rows * padded(decoder.q_size),
        "hidden": rows * dense["up"].columns,
        "added": rows * padded(decoder.width),
        "rows": PROMPT_ROWS * 2 * padded(widest, INT8_STEP),
        "steps": rows,
        "scores": 4 * padded(shape.context),
        "logits": 4 * dense["head"].columns if shape.is_last else 4,
    }


def planned(shape: Shape, slot_count: int, data_bytes: int, message_bytes: int) -> Memory:
    """Raises CannotCompile when the whole does not fit a canister."""
    at = start = aligned(STACK_BYTES + data_bytes, 64)
    places = {}
    for name, size in {"message": message_bytes, **buffers_of(shape)}.items():
        places[name] = at
        at = aligned(at + size + SLACK_BYTES)
    weights = aligned(at, PAGE_BYTES)
    slots = aligned(weights + shape.weights_bytes + SLACK_BYTES, PAGE_BYTES)
    end = slots + slot_count * shape.slot_bytes + SLACK_BYTES
    if end > MAX_MEMORY_BYTES:
        raise CannotCompile(
            "the model",
            f"it needs {end >> 20} MiB of memory: {shape.weights_bytes >> 20} MiB of weights and {slot_count} slots of {shape.slot_bytes >> 20} MiB",
            f"A canister has {MAX_MEMORY_BYTES >> 20} MiB for it: use int8, a shorter context, fewer slots, or several stages",
        )
    return Memory(places, (start, at), weights, slots, slot_count, (places["message"], message_bytes), end)


# --- weights ---


class _Chunks:
    """Collects bytes into chunks of 1 MiB, each place checked against the plan."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.size = 0
        self._open = bytearray()

    def at(self, place: int) -> None:
        self.add(bytes(place - self.size))

    def add(self, data: bytes) -> None:
        self.size += len(data)
        self._open += data
        while len(self._open) >= CHUNK_BYTES:
            self.done.append(bytes(self._open[:CHUNK_BYTES]))
            del self._open[:CHUNK_BYTES]

    def whole(self, size: int) -> tuple[bytes, ...]:
        self.at(size)
        return (*self.done, bytes(self._open)) if self._open else tuple(self.done)


def weight_chunks(shape: Shape, names: Names, checkpoint: Checkpoint, tick: Callable[[str], None]) -> tuple[bytes, ...]:
    """`tick(what)` is called before each part. Raises CannotCompile for values that are no numbers."""
    out = _Chunks()
    writers: dict[str, Callable[[], Iterator[bytes]]] = {
        "embedding": lambda: _embedding(shape, names, checkpoint),
        "positions": lambda: iter([checkpoint.rows(names.learned, 0, shape.context).tobytes()]),
        "rotary": lambda: iter([_rotary_table(shape)]),
        "head": lambda: _head(shape, names, checkpoint),
    }
    for name, place in shape.places.items():
        if name == "layers":
            for index in range(*shape.layers):
                tick(f"layer {index}")
                _layer(shape, names, checkpoint, index, out, place + (index - shape.layers[0]) * shape.layer_bytes)
            continue
        tick(name)
        out.at(place)
        for part in writers[name]() if name in writers else [checkpoint.whole(names.final[name]).tobytes()]:
            out.add(part)
    return out.whole(shape.weights_bytes)


def _layer(shape: Shape, names: Names, checkpoint: Checkpoint, index: int, out: _Chunks, start: int) -> None:
    layer = names.layer(index)
    for name, place in shape.layer.items():
        out.at(start + place)
        if name in layer.vectors:
            out.add(checkpoint.whole(layer.vectors[name]).tobytes())
            continue
        matrix: Matrix = getattr(layer, name)
        out.add(_packed(matrix.weights(checkpoint), matrix.bias(checkpoint), shape.mode))


def _packed(weights: Floats, bias: Floats, mode: str) -> bytes:
    """`weights` (k, n), filled with zero columns up to whole panels."""
    k, n = weights.shape
    extra = padded(n) - n
    weights, bias = np.pad(weights, [(0, 0), (0, extra)]), np.pad(bias, (0, extra))
    if mode == "int8":
        return packing.dense_int8(weights, bias, PANEL, padded(k, INT8_STEP))
    return packing.dense_f32(weights, bias, PANEL)


def _head(shape: Shape, names: Names, checkpoint: Checkpoint) -> Iterator[bytes]:
    for first in range(0, shape.decoder.vocabulary, HEAD_COLUMNS):
        rows = checkpoint.rows(names.head, first, min(first + HEAD_COLUMNS, shape.decoder.vocabulary))
        yield _packed(rows.T, np.zeros(len(rows), np.float32), shape.mode)


def _embedding(shape: Shape, names: Names, checkpoint: Checkpoint) -> Iterator[bytes]:
    for first in range(0, shape.decoder.vocabulary, HEAD_COLUMNS):
        rows = checkpoint.rows(names.embedding, first, min(first + HEAD_COLUMNS, shape.decoder.vocabulary))
        if shape.mode != "int8":
            yield rows.tobytes()
            continue
        values, steps = packing.quantised(rows.T)
        packed = np.concatenate([steps[:, None].view(np.uint8), values.T.view(np.uint8)], axis=1)
        yield np.ascontiguousarray(packed).tobytes()


def _rotary_table(shape: Shape) -> bytes:
    """For each position the cosines and then the sines of half a head."""
    rotary = shape.decoder.rotary
    assert rotary is not None
    angles = np.outer(np.arange(shape.context, dtype=np.float32), rotary.frequencies(shape.decoder.head_size)).tolist()
    table = [[*map(math.cos, row), *map(math.sin, row)] for row in angles]  # numpy's own differ between processors
    return np.array(table, np.float32).tobytes()
