"""Starting, stopping and deleting canisters, and what may be known of them."""

from __future__ import annotations

from typing import Any

from canisters.interface.principal import Principal
from canisters.replica.builtin import LATER, Call, Refusal
from canisters.replica.idle import cost_per_day
from canisters.replica.state import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    RUNNING,
    STOPPED,
    STOPPING,
    Reject,
    Settings,
    StopWaiter,
    Visibility,
)

from .canister import CANISTER, MAX_CHANGES, canister_of, controlled, may_see, visible
from .snapshots import forget


@CANISTER.method
def start_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument)
    if canister.status == STOPPING:
        started = Reject(CANISTER_REJECT, "Canister was started again", "IC0406")
        for waiter in call.executor.take_stop_waiters(canister.id):
            call.executor.respond(waiter.origin, started, waiter.refund)
    canister.status = RUNNING


@CANISTER.method
def stop_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument)
    if canister.status == STOPPED:
        return None
    if call.executor.open_contexts(canister.id) == 0:
        canister.status = STOPPED
        return None
    canister.status = STOPPING
    call.executor.network.stop_waiters.append(StopWaiter(canister.id, call.request.origin, call.request.cycles))
    return LATER


@CANISTER.method
def delete_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument)
    if canister.id == call.caller:
        raise Refusal("A canister cannot delete itself.", "IC0514", CANISTER_ERROR)
    if canister.status != STOPPED:
        raise Refusal(
            f"Canister {Principal(canister.id)} must be stopped before it is deleted.", "IC0510", CANISTER_ERROR
        )
    call.executor.replace_sandbox(canister, None)
    for snapshot in list(canister.snapshots):
        forget(call, canister, snapshot)
    del call.executor.network.canisters[canister.id]


# --- information ---


@CANISTER.method
def canister_status(call: Call, argument: dict[str, Any]) -> Any:
    canister = visible(call, argument, "status_visibility", or_self=True)
    settings, sandbox, module = canister.settings, canister.sandbox, canister.module
    metrics = {
        "wasm_memory_size": sandbox.heap_bytes if sandbox else 0,
        "stable_memory_size": sandbox.stable_bytes if sandbox else 0,
        "global_memory_size": 0,
        "wasm_binary_size": module.size_bytes if module else 0,
        "custom_sections_size": sum(len(data) for _, data in module.metadata.values()) if module else 0,
        "canister_history_size": 0,
        "wasm_chunk_store_size": sum(map(len, canister.chunks.values())),
        "snapshots_size": sum(snapshot.size_bytes for snapshot in canister.snapshots.values()),
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
        "idle_cycles_burned_per_day": cost_per_day(canister),
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
    return {
        "controllers": [Principal(c) for c in settings.controllers],
        "compute_allocation": settings.compute_allocation,
        "memory_allocation": settings.memory_allocation,
        "freezing_threshold": settings.freezing_threshold_s,
        "reserved_cycles_limit": settings.reserved_cycles_limit,
        "log_visibility": _visibility(settings.log_visibility),
        "log_memory_limit": 4096,
        "wasm_memory_limit": settings.wasm_memory_limit_bytes,
        "wasm_memory_threshold": settings.wasm_memory_threshold_bytes,
        "environment_variables": [{"name": n, "value": v} for n, v in settings.environment_variables],
        "minimum_incoming_canister_call_cycles": 0,
        "snapshot_visibility": _visibility(settings.snapshot_visibility),
        "status_visibility": _visibility(settings.status_visibility),
    }


def _visibility(kept: Visibility) -> dict[str, Any]:
    return {"allowed_viewers": [Principal(viewer) for viewer in kept]} if isinstance(kept, list) else {kept: None}


CANISTER.queries |= {"canister_status", "list_canister_snapshots"}  # these answer updates and queries alike


@CANISTER.method
def canister_info(call: Call, argument: dict[str, Any]) -> Any:
    canister = canister_of(call, argument)
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
        details = {**details, "controllers": [Principal(c) for c in details["controllers"]]}
    elif kind == "load_snapshot":
        other = details.get("from_canister_id")
        origin = {"source": {details["source"]: None}, "from_canister_id": Principal(other) if other else None}
        details = {**details, **origin}
    elif kind == "code_deployment":
        details = {"mode": {details["mode"]: None}, "module_hash": details["module_hash"]}
    return {
        "timestamp_nanos": change["timestamp_nanos"],
        "canister_version": change["canister_version"],
        "origin": {"from_user": {"user_id": by}}
        if change["user"]
        else {"from_canister": {"canister_id": by, "canister_version": change.get("by_version")}},
        "details": {kind: details},
    }


@CANISTER.method
def raw_rand(call: Call, _argument: dict[str, Any]) -> Any:
    return call.executor.random_bytes()


@CANISTER.method
def http_request(_call: Call, _argument: dict[str, Any]) -> Any:
    """Refused as on a subnet without the feature: nothing leaves this machine, and an answer that differs each time would end determinism."""
    raise Refusal("This API is not enabled on this subnet", "IC0504", CANISTER_ERROR)


@CANISTER.method
def fetch_canister_logs(call: Call, argument: dict[str, Any]) -> Any:
    canister = canister_of(call, argument)
    if not may_see(canister, call.caller, canister.settings.log_visibility):
        raise Refusal(f"Caller {Principal(call.caller)} is not allowed to access canister logs", "IC0406")
    lines = [
        {"idx": line.index, "timestamp_nanos": line.timestamp_ns, "content": line.content} for line in canister.logs
    ]
    return {"canister_log_records": lines}
