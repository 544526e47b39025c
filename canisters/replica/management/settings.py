"""Creating canisters, giving them cycles, and their settings."""

from __future__ import annotations

from typing import Any

from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map
from canisters.replica.builtin import Call, Refusal
from canisters.replica.state import CANISTER_ID_BYTES, CANISTER_ID_END, DEFAULT_CYCLES, Canister, Settings

from .canister import CANISTER, canister_of, controlled, record

MAX_CONTROLLERS = 10
MAX_VIEWERS = 10
_VISIBILITIES = {"log_visibility": "log", "snapshot_visibility": "snapshots", "status_visibility": "status"}
CREATION_FEE = 500_000_000_000


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
    for name, shown in _VISIBILITIES.items():
        if name in given:
            ((tag, viewers),) = given[name].items()
            if tag == "allowed_viewers" and len(viewers) > MAX_VIEWERS:
                raise Refusal(f"Settings: at most {MAX_VIEWERS} viewers of the {shown}", "IC0406")
            setattr(settings, name, [p.raw for p in viewers] if tag == "allowed_viewers" else tag)
    if "environment_variables" in given:
        variables = [(v["name"], v["value"]) for v in given["environment_variables"]]
        if len(variables) > 20 or any(len(n.encode()) > 128 or len(v.encode()) > 128 for n, v in variables):
            raise Refusal("Settings: at most 20 environment variables, names and values of at most 128 bytes", "IC0406")
        if len({name for name, _ in variables}) < len(variables):
            raise Refusal("Settings: two environment variables have the same name", "IC0406")
        settings.environment_variables = sorted(variables)
    return settings


def _hash_of(variables: list[tuple[str, str]]) -> bytes:
    """32 bytes over the variables, whatever the order they were given in. Source: interface specification, "IC method canister_info"."""
    return hash_of_map(dict(variables))


def _require_free(call: Call, specified: Principal) -> None:
    raw = specified.raw
    if len(raw) != CANISTER_ID_BYTES or not raw.endswith(CANISTER_ID_END) or raw in call.executor.reserved_ids:
        raise Refusal(f"{specified} cannot be a canister's id on this network", "IC0406")
    if raw in call.executor.network.canisters:
        raise Refusal(f"Canister {specified} already exists", "IC0406")


def create(call: Call, argument: dict[str, Any], cycles: int, canister_id: bytes | None = None) -> dict[str, Any]:
    network = call.executor.network
    given = argument.get("settings") or {}
    settings = _settings(given, [call.caller])
    canister = Canister(canister_id or network.fresh_canister_id(), settings, cycles)
    network.canisters[canister.id] = canister
    hashed = None if given.get("environment_variables") is None else _hash_of(settings.environment_variables)
    created = {"controllers": settings.controllers, "environment_variables_hash": hashed}
    record(call, canister, {"creation": created}, argument)
    return {"canister_id": Principal(canister.id)}


@CANISTER.method
def create_canister(call: Call, argument: dict[str, Any]) -> Any:
    if call.available < CREATION_FEE:
        raise Refusal(f"Creating a canister needs {CREATION_FEE} cycles, {call.available} came with the call", "IC0301")
    cycles = call.available - CREATION_FEE
    call.taken = call.available
    return create(call, argument, cycles)


@CANISTER.method
def provisional_create_canister_with_cycles(call: Call, argument: dict[str, Any]) -> Any:
    specified: Principal | None = argument["specified_id"]
    if specified is not None:
        _require_free(call, specified)
    amount = argument["amount"]
    return create(call, argument, DEFAULT_CYCLES if amount is None else amount, specified.raw if specified else None)


@CANISTER.method
def provisional_top_up_canister(call: Call, argument: dict[str, Any]) -> Any:
    canister = canister_of(call, argument)
    canister.cycles += argument["amount"]
    call.executor.touch(canister)


@CANISTER.method
def deposit_cycles(call: Call, argument: dict[str, Any]) -> Any:
    canister = canister_of(call, argument)
    canister.cycles += call.available
    call.taken = call.request.cycles
    call.executor.touch(canister)


@CANISTER.method
def update_settings(call: Call, argument: dict[str, Any]) -> Any:
    canister = controlled(call, argument)
    before = canister.settings.controllers
    canister.settings = _settings(argument["settings"], [], canister.settings)
    canister.version += 1
    if canister.settings.controllers != before:
        record(call, canister, {"controllers_change": {"controllers": canister.settings.controllers}}, argument)
