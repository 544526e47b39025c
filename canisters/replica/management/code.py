"""Chunks of modules, and putting modules into canisters: install, reinstall, upgrade, uninstall.

A new instance is made beside the old one and replaces it only when everything ran; an installation that fails changes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from canisters.interface.principal import Principal
from canisters.replica.builtin import Call, Refusal, no_module
from canisters.replica.engine import Module, Sandbox
from canisters.replica.engine.contract import INSTALL_INSTRUCTION_LIMIT, Entry, InvalidModule, Kind
from canisters.replica.state import CANISTER_ERROR, DESTINATION_INVALID, Canister

from .canister import CANISTER, controlled, record

MAX_CHUNK_BYTES = 1 << 20
MAX_CHUNKS = 100


@CANISTER.method
def upload_chunk(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument, or_self=True)
    chunk: bytes = argument["chunk"]
    if len(chunk) > MAX_CHUNK_BYTES:
        raise Refusal(f"Wasm chunk size {len(chunk)} exceeds the maximum chunk size of {MAX_CHUNK_BYTES}", "IC0406")
    digest = hashlib.sha256(chunk).digest()
    if digest not in canister.chunks and len(canister.chunks) >= MAX_CHUNKS:
        raise Refusal(f"Wasm chunk store has reached maximum capacity of {MAX_CHUNKS} chunks", "IC0406")
    canister.chunks[digest] = chunk
    return {"hash": digest}


@CANISTER.method
def clear_chunk_store(call: Call, argument: dict[str, Any]) -> Any:
    controlled(call, argument, or_self=True).chunks.clear()


@CANISTER.method
def stored_chunks(call: Call, argument: dict[str, Any]) -> Any:
    return [{"hash": digest} for digest in sorted(controlled(call, argument, or_self=True).chunks)]


@CANISTER.method
def install_code(call: Call, argument: dict[str, Any]) -> Any:
    _install(call, controlled(call, argument), argument["wasm_module"], argument)


@CANISTER.method
def install_chunked_code(call: Call, argument: dict[str, Any]) -> Any:
    target = controlled(call, argument, "target_canister")
    stored_in = target
    if argument["store_canister"] is not None:
        stored_in = controlled(call, argument, "store_canister", or_self=True)
    parts = []
    for entry in argument["chunk_hashes_list"]:
        chunk = stored_in.chunks.get(entry["hash"])
        if chunk is None:
            raise Refusal(f"Error from Wasm chunk store: Chunk hash {entry['hash'].hex()} was not found", "IC0406")
        parts.append(chunk)
    if len(parts) > MAX_CHUNKS:
        raise Refusal(f"Error from Wasm chunk store: a module has at most {MAX_CHUNKS} chunks", "IC0406")
    wasm = b"".join(parts)
    if hashlib.sha256(wasm).digest() != argument["wasm_module_hash"]:
        raise Refusal("Error from Wasm chunk store: Wasm module hash does not match the chunks", "IC0406")
    _install(call, target, wasm, argument)


@CANISTER.method
def uninstall_code(call: Call, argument: dict[str, Any]) -> Any:
    uninstall(call, controlled(call, argument), argument)


def uninstall(call: Call, canister: Canister, argument: dict[str, Any]) -> None:
    """Leave the canister without code and memory; whoever waits for its answer is told."""
    call.executor.uninstall(canister)
    record(call, canister, {"code_uninstall": None}, argument)


@dataclass
class _Effects:
    """What the entry points of an installation did, to be applied when all of them ended well."""

    certified_data: bytes
    cycles: int
    global_timer_ns: int = 0


def _install(call: Call, canister: Canister, wasm: bytes, asked: dict[str, Any]) -> None:
    ((name, options),), argument = asked["mode"].items(), asked["arg"]
    if name == "install" and canister.sandbox is not None:
        raise Refusal(
            f"Canister {Principal(canister.id)} cannot be installed because the canister is not empty. Try installing with mode='reinstall' instead.",
            "IC0538",
        )
    if name == "upgrade" and canister.sandbox is None:
        empty = no_module(canister)
        raise Refusal(empty.message, empty.error_code, DESTINATION_INVALID)
    try:
        module = Module.prepare(wasm, call.executor.store.cache)
        if name == "upgrade":
            effects = _Effects(canister.certified_data, canister.cycles)
            fresh = _upgraded(call, canister, module, options or {}, argument, effects)
        else:
            effects = _Effects(b"", canister.cycles)
            fresh = Sandbox.create(module)
            _execute(call, canister, fresh, (Kind.START, Kind.INIT), argument, effects)
    except InvalidModule as error:
        text = f"Error from Canister {Principal(canister.id)}: Canister's Wasm module is not valid: {error}"
        raise Refusal(text, "IC0505", CANISTER_ERROR) from error
    call.executor.store.write_wasm(module.wasm_hash, wasm)
    call.executor.keep_pages(canister, fresh.commit())
    call.executor.replace_sandbox(canister, fresh)
    canister.module, canister.wasm_hash = module, module.wasm_hash
    canister.certified_data, canister.cycles = effects.certified_data, effects.cycles
    canister.global_timer_ns = effects.global_timer_ns
    canister.version += 1
    record(call, canister, {"code_deployment": {"mode": name, "module_hash": module.wasm_hash}}, asked)


def _upgraded(
    call: Call, canister: Canister, module: Module, options: dict[str, Any], argument: bytes, effects: _Effects
) -> Sandbox:
    """A sandbox of the new module with the state carried over; the old one is as it was, whether this raises or not."""
    old = canister.sandbox
    assert old is not None
    persistence = _persistence(canister, module, options)
    with old.lock:
        try:
            if not options.get("skip_pre_upgrade"):
                _execute(call, canister, old, (Kind.PRE_UPGRADE,), b"", effects)
            fresh = old.upgraded(module, keep_heap=persistence == "keep")
        finally:
            old.rollback()
    effects.global_timer_ns = 0  # an upgrade deactivates the timer; post_upgrade may set it again
    _execute(call, canister, fresh, (Kind.START, Kind.POST_UPGRADE), argument, effects)
    return fresh


def _persistence(canister: Canister, module: Module, options: dict[str, Any]) -> str:
    """What becomes of the heap. Refused before pre_upgrade runs: it would leave an orthogonally persistent canister stuck."""
    ((persistence, _),) = (options.get("wasm_memory_persistence") or {"": None}).items()
    if canister.module is not None and canister.module.keeps_heap and persistence == "":
        raise Refusal(
            "Missing upgrade option: Enhanced orthogonal persistence requires the `wasm_memory_persistence` upgrade option.",
            "IC0504",
            CANISTER_ERROR,
        )
    if persistence == "keep" and not module.keeps_heap:
        raise Refusal(
            "Invalid upgrade option: the `wasm_memory_persistence: opt Keep` upgrade option requires that the new canister module supports enhanced orthogonal persistence.",
            "IC0504",
            CANISTER_ERROR,
        )
    return str(persistence)


def _execute(
    call: Call, canister: Canister, sandbox: Sandbox, kinds: tuple[Kind, ...], argument: bytes, effects: _Effects
) -> None:
    """Run the entry points that exist, in order, without committing. Raises Refusal for a trap, and closes what was new."""
    for kind in kinds:
        entry = Entry(kind)
        if not sandbox.has(entry):
            continue
        environment = call.executor.environment(canister, call.caller, argument)
        environment.instruction_limit = INSTALL_INSTRUCTION_LIMIT
        outcome = sandbox.run(entry, environment)
        for line in outcome.logs:
            canister.log(call.executor.network.time_ns, line)
        if outcome.trapped is not None:
            if sandbox is not canister.sandbox:
                sandbox.close()
            raise Refusal(call.executor.explain(canister, outcome.trapped), outcome.trapped.code, CANISTER_ERROR)
        effects.cycles = max(0, effects.cycles - outcome.instructions - outcome.cycles_burned)
        if outcome.certified_data is not None:
            effects.certified_data = outcome.certified_data
        if outcome.global_timer_ns is not None:
            effects.global_timer_ns = outcome.global_timer_ns
