"""Snapshots of canisters: taken, loaded, listed, deleted, read out and put in piece by piece, by whoever controls the canister.

The memory of a snapshot lies in the store alone, under the snapshot's id; the block that takes it copies it there. What a block has done to a
snapshot can be read from the next block on. Source: interface specification, "IC method take_canister_snapshot" and those after it.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from canisters.interface.principal import Principal
from canisters.replica.builtin import Call, Refusal, no_module
from canisters.replica.engine import Module, Sandbox
from canisters.replica.engine.contract import WASM_PAGE_BYTES, InvalidModule, Pages
from canisters.replica.state import (
    CANISTER_ERROR,
    CANISTER_ID_BYTES,
    DESTINATION_INVALID,
    SYS_TRANSIENT,
    Canister,
    Snapshot,
)
from canisters.replica.store import HEAP, STABLE, WASM, Copied, Dropped, Spliced

from .canister import CANISTER, controlled, record, visible
from .code import uninstall

MAX_SNAPSHOTS = 10
MAX_SLICE_BYTES = 2_000_000
MAX_WASM_BYTES = 100 << 20
MAX_HEAP_BYTES, MAX_STABLE_BYTES = 6 << 30, 64 << 30
_KINDS = {"wasm_memory": HEAP, "stable_memory": STABLE, "wasm_module": WASM}
_GLOBALS = ("i32", "i64", "f32", "f64")  # by the engine's number of the kind
_FLOATS = {"f32": ("<f", "<i"), "f64": ("<d", "<q")}


@CANISTER.method
def take_canister_snapshot(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument, or_self=True)
    if canister.sandbox is None or canister.module is None or canister.wasm_hash is None:
        empty = no_module(canister)
        raise Refusal(empty.message, empty.error_code, DESTINATION_INVALID)
    fresh = _fresh_id(call, canister, argument["replace_snapshot"])
    snapshot = Snapshot(
        id=fresh,
        taken_at_ns=call.executor.network.time_ns,
        canister_version=canister.version,
        wasm_hash=canister.wasm_hash,
        wasm_bytes=canister.module.size_bytes,
        heap_bytes=canister.sandbox.heap_bytes,
        stable_bytes=canister.sandbox.stable_bytes,
        globals_=canister.sandbox.committed_globals,
        certified_data=canister.certified_data,
        global_timer_ns=canister.global_timer_ns,
        low_memory=canister.low_memory,
        chunks=dict(canister.chunks),
    )
    _keep(call, canister, snapshot, argument["replace_snapshot"])
    call.executor.changes.steps.append(Copied(canister.id, snapshot.id))
    if argument["uninstall_code"]:
        uninstall(call, canister, argument)
    return _shown(snapshot)


@CANISTER.method
def load_canister_snapshot(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument, or_self=True)
    snapshot = _settled(call, _controlled_snapshot(call, canister, argument["snapshot_id"]))
    executor, store = call.executor, call.executor.store
    wasm = (
        store.read_wasm(snapshot.wasm_hash)
        if snapshot.wasm_hash
        else store.read_memory(snapshot.id, WASM, 0, snapshot.wasm_bytes)
    )
    try:
        module = Module.prepare(wasm, store.cache)
        sandbox = Sandbox.restore(module, _pages(call, snapshot))
    except InvalidModule as error:
        text = f"Snapshot {snapshot.id.hex()} cannot be loaded: {error}"
        raise Refusal(text, "IC0505", CANISTER_ERROR) from error
    store.write_wasm(module.wasm_hash, wasm)
    executor.changes.steps += [Copied(snapshot.id, canister.id), (canister.id, sandbox.commit())]
    executor.replace_sandbox(canister, sandbox)
    canister.module, canister.wasm_hash = module, module.wasm_hash
    canister.certified_data, canister.chunks = snapshot.certified_data, dict(snapshot.chunks)
    if snapshot.is_uploaded:
        canister.global_timer_ns, canister.low_memory = snapshot.global_timer_ns, snapshot.low_memory
    canister.version += 1
    details = {
        "canister_version": snapshot.canister_version,
        "snapshot_id": snapshot.id,
        "taken_at_timestamp": snapshot.taken_at_ns,
        "source": _source(snapshot),
        "from_canister_id": None if snapshot.id in canister.snapshots else snapshot.id[-CANISTER_ID_BYTES:],
    }
    record(call, canister, {"load_snapshot": details}, argument)


@CANISTER.method
def list_canister_snapshots(call: Call, argument: dict[str, Any]) -> Any:
    canister = visible(call, argument, "snapshot_visibility", or_self=True)
    return [_shown(snapshot) for snapshot in canister.snapshots.values()]


@CANISTER.method
def delete_canister_snapshot(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument, or_self=True)
    forget(call, canister, _snapshot(canister, argument["snapshot_id"]).id)


def forget(call: Call, canister: Canister, snapshot_id: bytes) -> None:
    """Drop a snapshot and its memory."""
    snapshot = canister.snapshots[snapshot_id]
    snapshot.chunks.clear()
    call.executor.changes.steps.append(Dropped(snapshot_id))
    del canister.snapshots[snapshot_id]


# --- out and in, piece by piece ---


@CANISTER.method
def read_canister_snapshot_metadata(call: Call, argument: dict[str, Any]) -> Any:
    snapshot = _snapshot(visible(call, argument, "snapshot_visibility"), argument["snapshot_id"])
    timer = {"active": snapshot.global_timer_ns} if snapshot.global_timer_ns else {"inactive": None}
    return {
        "source": {_source(snapshot): None},
        "taken_at_timestamp": snapshot.taken_at_ns,
        "wasm_module_size": snapshot.wasm_bytes,
        "globals": [_global_shown(kind, bits) for kind, bits in snapshot.globals_],
        "wasm_memory_size": snapshot.heap_bytes,
        "stable_memory_size": snapshot.stable_bytes,
        "wasm_chunk_store": [{"hash": digest} for digest in sorted(snapshot.chunks)],
        "canister_version": snapshot.canister_version,
        "certified_data": snapshot.certified_data,
        "global_timer": timer,
        "on_low_wasm_memory_hook_status": {snapshot.low_memory: None},
    }


@CANISTER.method
def read_canister_snapshot_data(call: Call, argument: dict[str, Any]) -> Any:
    snapshot = _settled(call, _snapshot(visible(call, argument, "snapshot_visibility"), argument["snapshot_id"]))
    ((kind, wanted),) = argument["kind"].items()
    if kind == "wasm_chunk":
        chunk = snapshot.chunks.get(wanted["hash"])
        if chunk is None:
            raise Refusal(f"The snapshot has no chunk {wanted['hash'].hex()}")
        return {"chunk": chunk}
    offset, size = wanted["offset"], wanted["size"]
    _require_range(snapshot, kind, offset, size)
    if kind == "wasm_module" and snapshot.wasm_hash:
        return {"chunk": call.executor.store.read_wasm(snapshot.wasm_hash)[offset : offset + size]}
    return {"chunk": call.executor.store.read_memory(snapshot.id, _KINDS[kind], offset, size) if size else b""}


@CANISTER.method
def upload_canister_snapshot_metadata(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument)
    sizes = {
        "wasm_module_size": MAX_WASM_BYTES,
        "wasm_memory_size": MAX_HEAP_BYTES,
        "stable_memory_size": MAX_STABLE_BYTES,
    }
    for name, most in sizes.items():
        if argument[name] > most:
            raise Refusal(f"{name} is {argument[name]}; at most {most} is allowed")
    for name in ("wasm_memory_size", "stable_memory_size"):
        if argument[name] % WASM_PAGE_BYTES:
            raise Refusal(f"{name} is no whole number of WebAssembly pages of {WASM_PAGE_BYTES} bytes")
    if len(argument["certified_data"]) > 32:
        raise Refusal("certified_data has at most 32 bytes")
    ((timer, due_ns),) = (argument["global_timer"] or {"inactive": None}).items()
    snapshot = Snapshot(
        id=_fresh_id(call, canister, argument["replace_snapshot"]),
        taken_at_ns=call.executor.network.time_ns,
        canister_version=canister.version,
        wasm_hash=None,
        wasm_bytes=argument["wasm_module_size"],
        heap_bytes=argument["wasm_memory_size"],
        stable_bytes=argument["stable_memory_size"],
        globals_=tuple(_global_given(value) for value in argument["globals"]),
        certified_data=argument["certified_data"],
        global_timer_ns=due_ns if timer == "active" else 0,
        low_memory=next(iter(argument["on_low_wasm_memory_hook_status"] or {"condition_not_satisfied": None})),
        is_uploaded=True,
    )
    _keep(call, canister, snapshot, argument["replace_snapshot"])
    return {"snapshot_id": snapshot.id}


@CANISTER.method
def upload_canister_snapshot_data(call: Call, argument: dict[str, Any]) -> Any:
    snapshot = _snapshot(controlled(call, argument), argument["snapshot_id"])
    if not snapshot.is_uploaded:
        raise Refusal(f"Snapshot {snapshot.id.hex()} was taken from a canister and cannot be changed")
    ((kind, wanted),) = argument["kind"].items()
    chunk: bytes = argument["chunk"]
    if kind == "wasm_chunk":
        if len(chunk) > 1 << 20 or len(snapshot.chunks) >= 100:
            raise Refusal("A chunk has at most 1 MiB, and a chunk store at most 100 of them")
        snapshot.chunks[hashlib.sha256(chunk).digest()] = chunk
        return
    _require_range(snapshot, kind, wanted["offset"], len(chunk))
    if chunk:
        call.executor.changes.steps.append(Spliced(snapshot.id, _KINDS[kind], wanted["offset"], chunk))
        call.executor.changes.snapshots.add(snapshot.id)


# --- helpers ---


def _fresh_id(call: Call, canister: Canister, replaced: bytes | None) -> bytes:
    """An id for one more snapshot. Raises Refusal when there are too many, or there is none to replace."""
    if replaced is not None:
        _snapshot(canister, replaced)
    elif len(canister.snapshots) >= MAX_SNAPSHOTS:
        raise Refusal(f"Canister {Principal(canister.id)} has {MAX_SNAPSHOTS} snapshots already: delete or replace one")
    return canister.next_snapshot.to_bytes(8, "big") + canister.id


def _keep(call: Call, canister: Canister, snapshot: Snapshot, replaced: bytes | None) -> None:
    if replaced is not None:
        forget(call, canister, replaced)
    canister.next_snapshot += 1
    canister.snapshots[snapshot.id] = snapshot
    call.executor.changes.snapshots.add(snapshot.id)
    call.executor.touch(canister)


def _snapshot(canister: Canister, snapshot_id: bytes) -> Snapshot:
    found = canister.snapshots.get(snapshot_id)
    if found is None:
        raise Refusal(f"Could not find the snapshot ID {snapshot_id.hex()} for canister {Principal(canister.id)}.")
    return found


def _controlled_snapshot(call: Call, canister: Canister, snapshot_id: bytes) -> Snapshot:
    """Of this canister, or of another that the caller controls too: its id ends with that canister's."""
    owner = call.executor.network.canisters.get(snapshot_id[-CANISTER_ID_BYTES:])
    if owner is None or owner is canister or call.caller not in owner.settings.controllers:
        owner = canister
    return _snapshot(owner, snapshot_id)


def _settled(call: Call, snapshot: Snapshot) -> Snapshot:
    if snapshot.id in call.executor.changes.snapshots:
        raise Refusal(f"Snapshot {snapshot.id.hex()} is being written: ask again", "IC0209", SYS_TRANSIENT)
    return snapshot


def _pages(call: Call, snapshot: Snapshot) -> Pages:
    """Its memory."""
    if not snapshot.is_uploaded:
        return call.executor.store.read_pages(snapshot.id)
    return call.executor.store.read_uploaded(snapshot.id, snapshot.heap_bytes, snapshot.stable_bytes, snapshot.globals_)


def _require_range(snapshot: Snapshot, kind: str, offset: int, size: int) -> None:
    whole = {
        "wasm_module": snapshot.wasm_bytes,
        "wasm_memory": snapshot.heap_bytes,
        "stable_memory": snapshot.stable_bytes,
    }
    if size > MAX_SLICE_BYTES:
        raise Refusal(f"A piece has at most {MAX_SLICE_BYTES} bytes; {size} were asked")
    if offset + size > whole[kind]:
        raise Refusal(f"The range {offset}+{size} is outside the {whole[kind]} bytes of {kind}")


def _shown(snapshot: Snapshot) -> dict[str, Any]:
    return {"id": snapshot.id, "taken_at_timestamp": snapshot.taken_at_ns, "total_size": snapshot.size_bytes}


def _source(snapshot: Snapshot) -> str:
    return "metadata_upload" if snapshot.is_uploaded else "taken_from_canister"


def _global_shown(kind: int, bits: int) -> dict[str, Any]:
    name = _GLOBALS[kind]
    if name in _FLOATS:
        as_float, as_bits = _FLOATS[name]
        return {name: struct.unpack(as_float, struct.pack(as_bits, bits))[0]}
    return {name: bits}


def _global_given(value: dict[str, Any]) -> tuple[int, int]:
    ((name, number),) = value.items()
    if name not in _GLOBALS:
        raise Refusal("A global of the type v128 is not offered by the embedded network")
    if name in _FLOATS:
        as_float, as_bits = _FLOATS[name]
        number = struct.unpack(as_bits, struct.pack(as_float, number))[0]
    return _GLOBALS.index(name), int(number)
