"""A language model's folder in, a canister that makes tokens out: `compile_language_model`. Same files in, same bytes out.

    config.json (config)  ->  tensors by name (checkpoint, names)  ->  places and packed weights (layout)  ->  C (emit)  ->  wasm

`LocalLanguageModel` runs the result in wasmtime. Families: gpt2, llama, qwen2, qwen3; weights in float32, float16 or bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from canisters.compiler.build import build_module
from canisters.compiler.errors import BadInput, CannotCompile
from canisters.compiler.kinds import Kind
from canisters.compiler.memory import CHUNK_BYTES

from . import layout, shell
from .checkpoint import opened
from .config import Decoder, read_decoder, refused
from .emit import emit_c
from .layout import Memory, Shape
from .local import LocalLanguageModel, SessionRefused
from .names import names_of
from .shell import Limits

__all__ = [
    "BadInput",
    "CannotCompile",
    "CompiledLanguageModel",
    "LocalLanguageModel",
    "SessionRefused",
    "compile_language_model",
    "compile_language_stages",
]

MODES = ("f32", "int8")
DEFAULT_CONTEXT = 1024
MAX_SLOTS = 4096
MAX_CONTEXT = 1 << 18  # all tokens of a session fit in a reply


@dataclass(frozen=True)
class CompiledLanguageModel:
    """`wasm`: the whole canister. `weight_chunks`: its weights, uploaded by index after it is installed. `c_source`: model.c. `shape`, `memory`
    and `named`, the module with its functions' names, are for reports."""

    wasm: bytes = field(repr=False)
    wasm_chunks: tuple[bytes, ...] = field(repr=False)
    weight_chunks: tuple[bytes, ...] = field(repr=False)
    interface: dict[str, Any]
    c_source: str = field(repr=False)
    shape: Shape = field(repr=False)
    memory: Memory = field(repr=False)
    named: bytes = field(repr=False)


def unwatched(_step: str) -> None:
    """Tells nobody what begins."""


def compile_language_model(
    folder: Path,
    *,
    mode: Literal["f32", "int8"] = "int8",
    context: int | None = None,
    slots: int = 4,
    sessions_per_caller: int | None = None,
    idle_seconds: int = 600,
    is_open: bool = False,
    begin: Callable[[str], None] = unwatched,
) -> CompiledLanguageModel:
    """`context`: tokens that a session holds, by default the model's own limit up to 1,024. `slots`: sessions at a time, each with room for a
    whole context. Only controllers may hold sessions, by default as many as there are; when `is_open` anybody who signs, by default one each.
    `begin(step)` is called before each part.

    Raises: CannotCompile (the model's fault, or what is asked of it: says which tensor or option, why, what to do), BuildFailed (ours).
    """
    limits = _limits(slots, sessions_per_caller, idle_seconds, is_open)
    (made,) = _compiled(folder, mode, context, limits, 1, begin)
    return made


def compile_language_stages(
    folder: Path,
    stages: int,
    *,
    mode: Literal["f32", "int8"] = "int8",
    context: int | None = None,
    slots: int = 4,
    sessions_per_caller: int | None = None,
    idle_seconds: int = 600,
    is_open: bool = False,
    begin: Callable[[str], None] = unwatched,
) -> tuple[CompiledLanguageModel, ...]:
    """For what one canister cannot hold: each stage has a run of the layers and their caches. The first takes the calls; `stage_connect` tells each
    which canister is next and which may call it. Options and errors are those of `compile_language_model`; `slots` holds for every stage."""
    return tuple(
        _compiled(folder, mode, context, _limits(slots, sessions_per_caller, idle_seconds, is_open), stages, begin)
    )


def _compiled(
    folder: Path, mode: str, context: int | None, limits: Limits, stages: int, begin: Callable[[str], None]
) -> Iterator[CompiledLanguageModel]:
    if mode not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}, not {mode}")
    decoder = read_decoder(folder)
    held = _context(decoder, context)
    if not 1 <= stages <= decoder.layers:
        raise refused("stages", f"there are {stages}", f"Give 1 to the model's {decoder.layers} layers")
    shapes = [layout.shape_of(decoder, mode, held, layers) for layers in layout.cut(decoder, mode, stages)]
    memories = [_planned(shape, limits) for shape in shapes]
    with opened(folder) as checkpoint:
        names = names_of(decoder, checkpoint)
        for number, (shape, memory) in enumerate(zip(shapes, memories, strict=True), 1):
            chunks = layout.weight_chunks(shape, names, checkpoint, begin)
            begin("build")
            yield _built(shape, memory, limits, chunks, shell.kind_of(number, stages))


def _planned(shape: Shape, limits: Limits) -> Memory:
    count = -(-shape.weights_bytes // CHUNK_BYTES)
    return layout.planned(shape, limits.slots, shell.data_bytes(limits, count), shell.MESSAGE_BYTES)


def _built(
    shape: Shape, memory: Memory, limits: Limits, chunks: tuple[bytes, ...], kind: Kind
) -> CompiledLanguageModel:
    source = emit_c(shape, memory)
    interface = shell.interface_h(shape, memory, limits, chunks, kind)
    module = build_module(source, interface, shell.plan_of(memory), kind)
    return CompiledLanguageModel(
        wasm=module.wasm,
        wasm_chunks=tuple(module.wasm[at : at + CHUNK_BYTES] for at in range(0, len(module.wasm), CHUNK_BYTES)),
        weight_chunks=chunks,
        interface=_interface(shape, memory, limits, chunks),
        c_source=source,
        shape=shape,
        memory=memory,
        named=module.named,
    )


def _context(decoder: Decoder, asked: int | None) -> int:
    """A multiple of a cache's block."""
    step = layout.BLOCK_POSITIONS
    most = min(decoder.positions, MAX_CONTEXT) // step * step
    context = min(DEFAULT_CONTEXT, most) if asked is None else layout.padded(asked, step)
    if not step <= context <= most:
        raise refused(
            "context",
            f"it is {asked or context}",
            f"Give {step} to {most}, which is the model's own limit, in steps of {step}",
        )
    return context


def _limits(slots: int, sessions_per_caller: int | None, idle_seconds: int, is_open: bool) -> Limits:
    if not 1 <= slots <= MAX_SLOTS:
        raise refused("slots", f"there are {slots}", f"Give 1 to {MAX_SLOTS}")
    each = (1 if is_open else slots) if sessions_per_caller is None else sessions_per_caller
    if not 1 <= each <= slots:
        raise refused("sessions_per_caller", f"it is {each}", f"Give 1 to the {slots} slots there are")
    if not 0 <= idle_seconds <= 10**8:
        raise refused("idle_seconds", f"it is {idle_seconds}", "Give 0 to 100,000,000")
    return Limits(slots, each, idle_seconds, is_open)


def _interface(shape: Shape, memory: Memory, limits: Limits, chunks: tuple[bytes, ...]) -> dict[str, Any]:
    described = shell.description(shape, limits, chunks)
    return {
        **{name: value for name, value in described.items() if name not in ("release_hash", "sealed")},
        "memory": {
            "activations": list(memory.arena),
            "weights": [memory.weights, memory.weights + shape.weights_bytes],
            "slots": [memory.slots, memory.slots + memory.slot_count * shape.slot_bytes],
            "end": memory.end,
        },
    }
