"""The management canister `aaaaa-aa`: creates, installs, upgrades, stops and deletes canisters, for those who control them.

Each method is a function from the caller and the decoded argument to the reply's value; `Refusal` carries the network's codes.
Source: interface specification, "The IC management canister".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canisters.interface.candid import CandidError, decode, encode, parse_did
from canisters.interface.principal import Principal

from .engine import Module, Sandbox
from .engine.contract import INSTALL_INSTRUCTION_LIMIT, Entry, InvalidModule, Kind, Outcome
from .state import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    DEFAULT_CYCLES,
    DESTINATION_INVALID,
    RUNNING,
    STOPPED,
    STOPPING,
    SYS_FATAL,
    Answer,
    Canister,
    FromIngress,
    Reject,
    Reply,
    Request,
    Settings,
    StopWaiter,
)  # fmt: skip

if TYPE_CHECKING:
    from .ingress import Authenticated
    from .scheduler import Scheduler

_DID = Path(__file__).parent.parent / "candid" / "management.did"
_SERVICE = parse_did(_DID.read_text())
NOTHING = encode([], [])
MAX_CHUNK_BYTES = 1 << 20
MAX_CHUNKS = 100
MAX_CONTROLLERS = 10
MAX_CHANGES = 20
CREATION_FEE = 500_000_000_000


class Refusal(Exception):
    def __init__(self, message: str, error_code: str = "IC0408", code: int = CANISTER_REJECT) -> None:
        super().__init__(message)
        self.reject = Reject(code, message, error_code)


@dataclass
class Call:
    """A management call being served. `cycles` is what came with it; `taken` what was kept."""

    network: Scheduler
    caller: bytes
    request: Request
    taken: int = 0

    @property
    def from_user(self) -> bool:
        return isinstance(self.request.origin, FromIngress)

    @property
    def available(self) -> int:
        return self.request.cycles - self.taken


Method = Callable[[Call, dict[str, Any]], Any]
_METHODS: dict[str, Method] = {}


class _Later:
    """The answer comes when something else has happened."""


LATER = _Later()


def _method(function: Method) -> Method:
    _METHODS[function.__name__] = function
    return function


def handle(network: Scheduler, request: Request) -> None:
    """Serve one call and answer it."""
    call = Call(network, request.caller, request)
    try:
        answer = _serve(call)
    except Refusal as refusal:
        answer = refusal.reject
        call.taken = 0
    if answer is not None:
        network.respond(request.origin, answer, call.available)


def _serve(call: Call) -> Answer | None:
    name = call.request.method
    signature = _SERVICE.methods.get(name)
    if signature is None or name not in _METHODS:
        raise Refusal(f"Management canister has no method '{name}'", "IC0536", DESTINATION_INVALID)
    try:
        arguments = decode(call.request.argument, signature.arguments)
    except CandidError as error:
        raise Refusal(f"Error decoding candid: {error}", "IC0402") from error
    result = _METHODS[name](call, arguments[0] if arguments else {})
    if isinstance(result, _Later):
        return None
    return Reply(encode(signature.results, [result] if signature.results else []))


_QUERIES = ("fetch_canister_logs",)
_BY_CONTROLLERS_OR_SELF = ("canister_status",)


def inspect(network: Scheduler, arrived: Authenticated) -> Reject | None:
    """Refuse at the door what cannot succeed, as the network does for messages from outside."""
    name = arrived.content["method_name"]
    if name not in _METHODS or name in _QUERIES:
        return Reject(DESTINATION_INVALID, f"Management canister has no update method '{name}'", "IC0536")
    if name in ("create_canister", "deposit_cycles", "raw_rand", "canister_info"):
        return Reject(CANISTER_REJECT, f"Only canisters can call ic00 method {name}", "IC0516")
    return None


def query(network: Scheduler, asked: Authenticated) -> Answer:
    name = asked.content["method_name"]
    if name not in _QUERIES:
        return Reject(DESTINATION_INVALID, f"Management canister has no query method '{name}'", "IC0536")
    request = Request(b"", name, asked.content["arg"], asked.sender.raw, 0, FromIngress(asked.request_id))
    try:
        answer = _serve(Call(network, asked.sender.raw, request))
    except Refusal as refusal:
        return refusal.reject
    assert answer is not None
    return answer


# --- who may ---


def _canister(call: Call, argument: dict[str, Any], field: str = "canister_id") -> Canister:
    principal: Principal = argument[field]
    canister = call.network.network.canisters.get(principal.raw)
    if canister is None:
        raise Refusal(f"Canister {principal} not found.", "IC0301", DESTINATION_INVALID)
    return canister


def _controlled(call: Call, argument: dict[str, Any], field: str = "canister_id", *, or_self: bool = False) -> Canister:
    canister = _canister(call, argument, field)
    if call.caller not in canister.settings.controllers and not (or_self and call.caller == canister.id):
        allowed = " ".join(str(Principal(c)) for c in canister.settings.controllers)
        raise Refusal(
            f"Only controllers of canister {Principal(canister.id)} can call ic00 method {call.request.method}; "
            f"{Principal(call.caller)} is none of: {allowed}",
            "IC0512",
            CANISTER_ERROR,
        )
    call.network.touch(canister)
    return canister


# --- creation and settings ---


def _settings(given: dict[str, Any] | None, default_controllers: list[bytes], old: Settings | None = None) -> Settings:
    settings = Settings(controllers=default_controllers) if old is None else Settings(**vars(old))
    given = {name: value for name, value in (given or {}).items() if value is not None}
    limits = {
        "compute_allocation": 100,
        "memory_allocation": 1 << 48,
        "freezing_threshold": 1 << 64,
        "wasm_memory_limit": 1 << 48,
    }
    for name, most in limits.items():
        if given.get(name, 0) > most:
            raise Refusal(f"Settings: {name} must be at most {most}", "IC0406")
    if "controllers" in given:
        if len(given["controllers"]) > MAX_CONTROLLERS:
            raise Refusal(f"Settings: at most {MAX_CONTROLLERS} controllers", "IC0406")
        settings.controllers = sorted({principal.raw for principal in given["controllers"]})
    plain = {
        "compute_allocation": "compute_allocation", "memory_allocation": "memory_allocation", "freezing_threshold": "freezing_threshold_s",
        "reserved_cycles_limit": "reserved_cycles_limit", "wasm_memory_limit": "wasm_memory_limit_bytes",
        "wasm_memory_threshold": "wasm_memory_threshold_bytes",
    }  # fmt: skip
    for name, attribute in plain.items():
        if name in given:
            setattr(settings, attribute, given[name])
    if "log_visibility" in given:
        ((tag, viewers),) = given["log_visibility"].items()
        settings.log_visibility = [p.raw for p in viewers] if tag == "allowed_viewers" else tag
    if "environment_variables" in given:
        variables = [(v["name"], v["value"]) for v in given["environment_variables"]]
        if len(variables) > 20 or any(len(n.encode()) > 128 or len(v.encode()) > 128 for n, v in variables):
            raise Refusal("Settings: at most 20 environment variables, names and values of at most 128 bytes", "IC0406")
        if len({name for name, _ in variables}) < len(variables):
            raise Refusal("Settings: two environment variables have the same name", "IC0406")
        settings.environment_variables = sorted(variables)
    return settings


def _create(call: Call, argument: dict[str, Any], cycles: int, canister_id: bytes | None = None) -> dict[str, Any]:
    network = call.network.network
    settings = _settings(argument.get("settings"), [call.caller])
    canister = Canister(canister_id or network.fresh_canister_id(), settings, cycles)
    network.canisters[canister.id] = canister
    _record(call, canister, {"creation": {"controllers": settings.controllers}})
    return {"canister_id": Principal(canister.id)}


@_method
def create_canister(call: Call, argument: dict[str, Any]) -> Any:
    if call.from_user:
        raise Refusal("Only canisters can call ic00 method create_canister", "IC0516")
    if call.available < CREATION_FEE:
        raise Refusal(f"Creating a canister needs {CREATION_FEE} cycles, {call.available} came with the call", "IC0301")
    cycles = call.available - CREATION_FEE
    call.taken = call.available
    return _create(call, argument, cycles)


@_method
def provisional_create_canister_with_cycles(call: Call, argument: dict[str, Any]) -> Any:
    specified: Principal | None = argument["specified_id"]
    if specified is not None and specified.raw in call.network.network.canisters:
        raise Refusal(f"Canister {specified} already exists", "IC0406")
    amount = argument["amount"]
    return _create(call, argument, DEFAULT_CYCLES if amount is None else amount, specified.raw if specified else None)


@_method
def provisional_top_up_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = _canister(call, argument)
    canister.cycles += argument["amount"]
    call.network.touch(canister)


@_method
def deposit_cycles(call: Call, argument: dict[str, Any]) -> Any:
    canister = _canister(call, argument)
    canister.cycles += call.available
    call.taken = call.request.cycles
    call.network.touch(canister)


@_method
def update_settings(call: Call, argument: dict[str, Any]) -> Any:
    canister = _controlled(call, argument)
    before = canister.settings.controllers
    canister.settings = _settings(argument["settings"], [], canister.settings)
    canister.version += 1
    if canister.settings.controllers != before:
        _record(call, canister, {"controllers_change": {"controllers": canister.settings.controllers}})


def _record(call: Call, canister: Canister, details: dict[str, Any]) -> None:
    canister.changes.append(
        {
            "timestamp_nanos": call.network.network.time_ns,
            "canister_version": canister.version,
            "user": call.from_user,
            "by": call.caller,
            "details": details,
        }
    )
    canister.total_changes += 1
    del canister.changes[:-MAX_CHANGES]
    call.network.touch(canister)


# --- code ---


@_method
def upload_chunk(call: Call, argument: dict[str, Any]) -> Any:
    canister = _controlled(call, argument, or_self=True)
    chunk: bytes = argument["chunk"]
    if len(chunk) > MAX_CHUNK_BYTES:
        raise Refusal(f"Wasm chunk size {len(chunk)} exceeds the maximum chunk size of {MAX_CHUNK_BYTES}", "IC0406")
    digest = hashlib.sha256(chunk).digest()
    if digest not in canister.chunks and len(canister.chunks) >= MAX_CHUNKS:
        raise Refusal(f"Wasm chunk store has reached maximum capacity of {MAX_CHUNKS} chunks", "IC0406")
    canister.chunks[digest] = chunk
    return {"hash": digest}


@_method
def clear_chunk_store(call: Call, argument: dict[str, Any]) -> Any:
    _controlled(call, argument, or_self=True).chunks.clear()


@_method
def stored_chunks(call: Call, argument: dict[str, Any]) -> Any:
    return [{"hash": digest} for digest in sorted(_controlled(call, argument, or_self=True).chunks)]


@_method
def install_code(call: Call, argument: dict[str, Any]) -> Any:
    _install(call, _controlled(call, argument), argument["mode"], argument["wasm_module"], argument["arg"])


@_method
def install_chunked_code(call: Call, argument: dict[str, Any]) -> Any:
    target = _controlled(call, argument, "target_canister")
    stored_in = target
    if argument["store_canister"] is not None:
        stored_in = _controlled(call, argument, "store_canister", or_self=True)
    parts = []
    for entry in argument["chunk_hashes_list"]:
        chunk = stored_in.chunks.get(entry["hash"])
        if chunk is None:
            raise Refusal(f"Error from Wasm chunk store: Chunk hash {entry['hash'].hex()} was not found", "IC0406")
        parts.append(chunk)
    wasm = b"".join(parts)
    if hashlib.sha256(wasm).digest() != argument["wasm_module_hash"]:
        raise Refusal("Error from Wasm chunk store: Wasm module hash does not match the chunks", "IC0406")
    _install(call, target, argument["mode"], wasm, argument["arg"])


def _install(call: Call, canister: Canister, mode: dict[str, Any], wasm: bytes, argument: bytes) -> None:
    ((name, options),) = mode.items()
    if name == "install" and canister.sandbox is not None:
        raise Refusal(
            f"Canister {Principal(canister.id)} cannot be installed because the canister is not empty. Try installing with mode='reinstall' instead.",
            "IC0538",
        )
    if name == "upgrade" and canister.sandbox is None:
        raise Refusal(
            f"Error from Canister {Principal(canister.id)}: Attempted to execute a message, but the canister contains no Wasm module.",
            "IC0537",
            DESTINATION_INVALID,
        )
    try:
        module = Module.prepare(wasm, call.network.store.cache)
    except InvalidModule as error:
        raise Refusal(
            f"Error from Canister {Principal(canister.id)}: Canister's Wasm module is not valid: {error}",
            "IC0505",
            CANISTER_ERROR,
        ) from error
    call.network.store.write_wasm(module.wasm_hash, wasm)
    if name == "upgrade":
        fresh = _upgraded(call, canister, module, options or {}, argument)
    else:
        fresh = Sandbox.create(module)
        _execute(call, canister, fresh, (Kind.START, Kind.INIT), argument)
        canister.certified_data = b""
    pages = fresh.commit()
    call.network.replace_sandbox(canister, fresh)
    call.network.keep_pages(canister, pages)
    canister.module, canister.wasm_hash = module, module.wasm_hash
    canister.version += 1
    _record(call, canister, {"code_deployment": {"mode": name, "module_hash": module.wasm_hash}})


def _upgraded(call: Call, canister: Canister, module: Module, options: dict[str, Any], argument: bytes) -> Sandbox:
    """A sandbox of the new module with the state carried over; the old one is untouched when this raises."""
    old = canister.sandbox
    assert old is not None
    assert canister.module is not None
    ((persistence, _),) = (options.get("wasm_memory_persistence") or {"": None}).items()
    # Refused before pre_upgrade runs: it would leave an orthogonally persistent canister stuck.
    if canister.module.keeps_heap and persistence == "":
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
    with old.lock:
        try:
            if not options.get("skip_pre_upgrade") and old.has(Entry(Kind.PRE_UPGRADE)):
                _execute(call, canister, old, (Kind.PRE_UPGRADE,), b"")
            fresh = old.upgraded(module, keep_heap=persistence == "keep")
        finally:
            old.rollback()
    canister.global_timer_ns = 0
    _execute(call, canister, fresh, (Kind.START, Kind.POST_UPGRADE), argument)
    return fresh


def _execute(call: Call, canister: Canister, sandbox: Sandbox, kinds: tuple[Kind, ...], argument: bytes) -> None:
    """Run entry points that exist, in order, on an uncommitted sandbox. Raises Refusal for a trap, closing what is new."""
    network = call.network
    for kind in kinds:
        entry = Entry(kind)
        if not sandbox.has(entry):
            continue
        environment = network.environment(canister, call.caller, argument)
        environment.instruction_limit = INSTALL_INSTRUCTION_LIMIT
        outcome: Outcome = sandbox.run(entry, environment)
        for line in outcome.logs:
            canister.log(network.network.time_ns, line)
        if outcome.trapped is not None:
            if sandbox is not canister.sandbox:
                sandbox.close()
            raise Refusal(network.explain(canister, outcome.trapped), outcome.trapped.code, CANISTER_ERROR)
        canister.cycles -= min(canister.cycles, outcome.instructions + outcome.cycles_burned)
        if outcome.certified_data is not None:
            canister.certified_data = outcome.certified_data
        if outcome.global_timer_ns is not None:
            canister.global_timer_ns = outcome.global_timer_ns


@_method
def uninstall_code(call: Call, argument: dict[str, Any]) -> Any:
    canister = _controlled(call, argument)
    for context in [c for c in call.network.network.contexts.values() if c.canister_id == canister.id]:
        if not context.replied:
            answer = Reject(CANISTER_REJECT, "Canister has been uninstalled.", "IC0406")
            call.network.respond(context.origin, answer, context.cycles_available)
        del call.network.network.contexts[context.id]
    call.network.replace_sandbox(canister, None)
    canister.module = canister.wasm_hash = None
    canister.certified_data = b""
    canister.global_timer_ns = 0
    canister.version += 1
    _record(call, canister, {"code_uninstall": None})


# --- running ---


@_method
def start_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = _controlled(call, argument)
    if canister.status == STOPPING:
        waiting = [w for w in call.network.network.stop_waiters if w.canister_id == canister.id]
        call.network.network.stop_waiters = [
            w for w in call.network.network.stop_waiters if w.canister_id != canister.id
        ]
        for waiter in waiting:
            call.network.respond(
                waiter.origin, Reject(CANISTER_REJECT, "Canister was started again", "IC0406"), waiter.refund
            )
    canister.status = RUNNING


@_method
def stop_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = _controlled(call, argument)
    if canister.status == STOPPED:
        return None
    if call.network.open_contexts(canister.id) == 0:
        canister.status = STOPPED
        return None
    canister.status = STOPPING
    call.network.network.stop_waiters.append(StopWaiter(canister.id, call.request.origin, call.request.cycles))
    return LATER


@_method
def delete_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = _controlled(call, argument)
    if canister.id == call.caller:
        raise Refusal("A canister cannot delete itself.", "IC0514", CANISTER_ERROR)
    if canister.status != STOPPED:
        raise Refusal(
            f"Canister {Principal(canister.id)} must be stopped before it is deleted.", "IC0510", CANISTER_ERROR
        )
    call.network.replace_sandbox(canister, None)
    del call.network.network.canisters[canister.id]


# --- information ---


@_method
def canister_status(call: Call, argument: dict[str, Any]) -> Any:
    canister = _controlled(call, argument, or_self=True)
    settings, sandbox, module = canister.settings, canister.sandbox, canister.module
    binary = len(call.network.store.read_wasm(canister.wasm_hash)) if canister.wasm_hash else 0
    metrics = {
        "wasm_memory_size": sandbox.heap_bytes if sandbox else 0,
        "stable_memory_size": sandbox.stable_bytes if sandbox else 0,
        "global_memory_size": 0,
        "wasm_binary_size": binary,
        "custom_sections_size": sum(len(data) for _, data in module.metadata.values()) if module else 0,
        "canister_history_size": 0,
        "wasm_chunk_store_size": sum(map(len, canister.chunks.values())),
        "snapshots_size": 0,
        "log_memory_store_size": sum(len(line.content) for line in canister.logs),
    }
    return {
        "status": {canister.status: None},
        "ready_for_migration": False,
        "version": canister.version,
        "settings": _definite(settings),
        "module_hash": canister.wasm_hash,
        "memory_size": sum(metrics.values()),
        "memory_metrics": metrics,
        "cycles": canister.cycles,
        "reserved_cycles": 0,
        "idle_cycles_burned_per_day": 0,
        "query_stats": dict.fromkeys(
            (
                "num_calls_total",
                "num_instructions_total",
                "request_payload_bytes_total",
                "response_payload_bytes_total",
            ),
            0,
        ),
    }


def _definite(settings: Settings) -> dict[str, Any]:
    visibility: dict[str, Any] = (
        {"allowed_viewers": [Principal(p) for p in settings.log_visibility]}
        if isinstance(settings.log_visibility, list)
        else {settings.log_visibility: None}
    )
    return {
        "controllers": [Principal(c) for c in settings.controllers],
        "compute_allocation": settings.compute_allocation,
        "memory_allocation": settings.memory_allocation,
        "freezing_threshold": settings.freezing_threshold_s,
        "reserved_cycles_limit": settings.reserved_cycles_limit,
        "log_visibility": visibility,
        "log_memory_limit": 4096,
        "wasm_memory_limit": settings.wasm_memory_limit_bytes,
        "wasm_memory_threshold": settings.wasm_memory_threshold_bytes,
        "environment_variables": [{"name": n, "value": v} for n, v in settings.environment_variables],
        "minimum_incoming_canister_call_cycles": 0,
        "snapshot_visibility": {"controllers": None},
        "status_visibility": {"controllers": None},
    }


@_method
def canister_info(call: Call, argument: dict[str, Any]) -> Any:
    canister = _canister(call, argument)
    wanted = min(argument["num_requested_changes"] or 0, MAX_CHANGES)
    return {
        "total_num_changes": canister.total_changes,
        "recent_changes": [_change(change) for change in (canister.changes[-wanted:] if wanted else [])],
        "module_hash": canister.wasm_hash,
        "controllers": [Principal(c) for c in canister.settings.controllers],
    }


def _change(change: dict[str, Any]) -> dict[str, Any]:
    by = Principal(change["by"])
    ((kind, details),) = change["details"].items()
    if kind in ("creation", "controllers_change"):
        details = {"controllers": [Principal(c) for c in details["controllers"]]}
    elif kind == "code_deployment":
        details = {"mode": {details["mode"]: None}, "module_hash": details["module_hash"]}
    return {
        "timestamp_nanos": change["timestamp_nanos"],
        "canister_version": change["canister_version"],
        "origin": {"from_user": {"user_id": by}}
        if change["user"]
        else {"from_canister": {"canister_id": by, "canister_version": None}},
        "details": {kind: details},
    }


@_method
def raw_rand(call: Call, _argument: dict[str, Any]) -> Any:
    if call.from_user:
        raise Refusal("Only canisters can call ic00 method raw_rand", "IC0516")
    return call.network.random_bytes()


@_method
def fetch_canister_logs(call: Call, argument: dict[str, Any]) -> Any:
    canister = _canister(call, argument)
    visible = canister.settings.log_visibility
    allowed = (
        visible == "public"
        or call.caller in canister.settings.controllers
        or (isinstance(visible, list) and call.caller in visible)
    )
    if not allowed:
        raise Refusal(f"Caller {Principal(call.caller)} is not allowed to access canister logs", "IC0406")
    lines = [
        {"idx": line.index, "timestamp_nanos": line.timestamp_ns, "content": line.content} for line in canister.logs
    ]
    return {"canister_log_records": lines}


__all__ = ["NOTHING", "SYS_FATAL", "handle", "inspect", "query"]
