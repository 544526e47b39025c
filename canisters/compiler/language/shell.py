"""interface.h of a language model: what canisters/inference/language.c must know of one model, beside what every kind is told (compiler/shell.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canisters.compiler.doors import array
from canisters.compiler.kinds import Kind
from canisters.compiler.memory import CHUNK_BYTES, Plan
from canisters.compiler.shell import VERSION, head_h, value_with_holes
from canisters.interface.candid import encode

from .cost import bounds_of
from .layout import PROMPT_ROWS, Memory, Shape, padded

_WEIGHTS = ("weights_upload", "seal", "describe", "health")
_SESSIONS = ("session_open", "prompt", "generate", "session_close", "session_read", "sessions")
LANGUAGE = Kind("language.c", did="language.did", methods=(*_SESSIONS, *_WEIGHTS))
MESSAGE_BYTES = 16 << 10
MESSAGE_INSTRUCTIONS = 40_000_000_000
# What a call needs beside its steps: reading its argument, the reply, a full look at all slots.
RESERVED_INSTRUCTIONS = 200_000_000
_SESSION_BYTES, _EVICTED_BYTES = 240, 256 * 40


def kind_of(number: int, count: int) -> Kind:
    """The whole model, or stage `number` (from 1) of `count`."""
    if count == 1:
        return LANGUAGE
    links = ("stage_connect", "stage")
    methods = (*_SESSIONS, *links) if number == 1 else (*links, "stage_run")
    defines = (f"STAGE_NUMBER={number}", f"STAGES_COUNT={count}", f"IS_LAST={int(number == count)}")
    source = "language_first.c" if number == 1 else "language_later.c"
    return Kind(source, did="language.did", methods=(*methods, *_WEIGHTS), defines=defines)


# The argument of stage_run, up to the length of its blob.
_STEP_HEAD = encode(kind_of(2, 2).service.methods["stage_run"].arguments, ({"step": b""},))[:-1]


@dataclass(frozen=True)
class Limits:
    """`slots`: sessions at a time. `idle_seconds`: after which the least recently used one may be evicted. `is_open`: not only controllers,
    but anybody who signs may hold a session."""

    slots: int
    sessions_per_caller: int
    idle_seconds: int
    is_open: bool


def data_bytes(limits: Limits, weight_chunks: int) -> int:
    """Room for the canister's data; the linker's own figure is checked against it after the build."""
    return 16_000 + _EVICTED_BYTES + limits.slots * _SESSION_BYTES + 40 * weight_chunks


def plan_of(memory: Memory) -> Plan:
    """The addresses in the form that the build and the common part of interface.h take. The weights are chunks already."""
    return Plan({}, {}, {}, (), memory.arena, memory.weights, b"", memory.message, memory.end)


def interface_h(
    shape: Shape, memory: Memory, limits: Limits, weight_chunks: Sequence[bytes], kind: Kind = LANGUAGE
) -> str:
    bounds = bounds_of(shape)
    ends = shape.decoder.end_tokens
    lines = [
        *head_h(plan_of(memory), kind, weight_chunks),
        f"#define SLOTS_BASE {memory.slots:#x}u",
        f"#define SLOT_BYTES {shape.slot_bytes}u",
        f"#define CACHE_BYTES {shape.cache_bytes}u",
        f"#define HIDDEN_AT {memory.buffers['x']:#x}u",
        f"#define HIDDEN_ROW_BYTES {4 * shape.decoder.width}u",
        f"#define HIDDEN_PITCH_BYTES {4 * padded(shape.decoder.width)}u",
        array("STEP_HEAD", _STEP_HEAD),
        f"#define LOGITS_AT {memory.buffers['logits']:#x}u",
        f"enum {{ SLOTS = {limits.slots}, SESSIONS_PER_CALLER = {limits.sessions_per_caller}, CONTEXT = {shape.context}, "
        f"VOCABULARY = {shape.decoder.vocabulary}, PROMPT_ROWS = {PROMPT_ROWS} }};",
        f"#define OPEN_TO_ALL {str(limits.is_open).lower()}",
        f"#define IDLE_NS {limits.idle_seconds * 10**9}ull",
        f"static const uint32_t END_TOKENS[] = {{{', '.join(map(str, ends or (0,)))}}};",
        f"enum {{ END_TOKENS_COUNT = {len(ends)} }};",
        "// No step takes more (compiler/language/cost.py).",
        f"#define MESSAGE_INSTRUCTIONS {MESSAGE_INSTRUCTIONS - RESERVED_INSTRUCTIONS}ull",
        f"#define ROW_INSTRUCTIONS {bounds.row}ull",
        f"#define POSITION_INSTRUCTIONS {bounds.position}ull",
        f"#define HEAD_INSTRUCTIONS {bounds.head}ull",
    ]
    described = description(shape, limits, weight_chunks)
    lines += value_with_holes("DESCRIPTION", kind.service.methods["describe"].results[0], described, {
        "RELEASE_HASH": ({**described, "release_hash": b"\xff" * 32}, 32), "SEALED": ({**described, "sealed": True}, 1),
    })  # fmt: skip
    return "\n".join(lines) + "\n"


def description(shape: Shape, limits: Limits, weight_chunks: Sequence[bytes]) -> dict[str, Any]:
    """The Description of language.did, before the weights are sealed."""
    decoder = shape.decoder
    return {
        "release_hash": bytes(32), "compiler": VERSION, "family": decoder.family, "mode": shape.mode, "vocabulary": decoder.vocabulary,
        "context": shape.context, "slots": limits.slots, "sessions_per_caller": limits.sessions_per_caller,
        "idle_seconds": limits.idle_seconds, "is_open": limits.is_open, "end_tokens": list(decoder.end_tokens), "weights_bytes": sum(map(len, weight_chunks)),
        "chunks": len(weight_chunks), "chunk_bytes": CHUNK_BYTES, "sealed": False,
    }  # fmt: skip
