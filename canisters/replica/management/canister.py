"""The management canister itself, who may ask it what, and the history that it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canisters.interface.principal import Principal
from canisters.replica.builtin import Builtin, Call, Refusal
from canisters.replica.state import CANISTER_ERROR, DESTINATION_INVALID, Canister, Visibility

MAX_CHANGES = 20
CANISTER = Builtin.of_contract("Management canister", Path(__file__).parents[2] / "candid" / "management.did")
CANISTER.only_canisters = frozenset({"create_canister", "deposit_cycles", "raw_rand", "canister_info", "http_request"})
CANISTER.queries_as_updates = False


def canister_of(call: Call, argument: dict[str, Any], field: str = "canister_id") -> Canister:
    principal: Principal = argument[field]
    canister = call.executor.network.canisters.get(principal.raw)
    if canister is None:
        raise Refusal(f"Canister {principal} not found.", "IC0301", DESTINATION_INVALID)
    return canister


def controlled(call: Call, argument: dict[str, Any], field: str = "canister_id", *, or_self: bool = False) -> Canister:
    canister = canister_of(call, argument, field)
    if call.caller not in canister.settings.controllers and not (or_self and call.caller == canister.id):
        allowed = " ".join(str(Principal(c)) for c in canister.settings.controllers)
        raise Refusal(
            f"Only controllers of canister {Principal(canister.id)} can call ic00 method {call.request.method}; "
            f"{Principal(call.caller)} is none of: {allowed}",
            "IC0512",
            CANISTER_ERROR,
        )
    call.executor.touch(canister)
    return canister


def may_see(canister: Canister, caller: bytes, visibility: Visibility) -> bool:
    """Controllers always; everybody, or those who are named, when the setting says so."""
    named = isinstance(visibility, list) and caller in visibility
    return named or visibility == "public" or caller in canister.settings.controllers


def visible(call: Call, argument: dict[str, Any], visibility: str, *, or_self: bool = False) -> Canister:
    """The canister, to be looked at only. `visibility`: the setting that says who may beside its controllers. Raises Refusal."""
    canister = canister_of(call, argument)
    if may_see(canister, call.caller, getattr(canister.settings, visibility)):
        return canister
    return controlled(call, argument, or_self=or_self)


def record(call: Call, canister: Canister, details: dict[str, Any], argument: dict[str, Any]) -> None:
    """One more line of the canister's history. `argument`: of the call, in which a canister may tell its own version."""
    canister.changes.append(
        {
            "timestamp_nanos": call.executor.network.time_ns,
            "canister_version": canister.version,
            "user": call.from_user,
            "by": call.caller,
            "by_version": argument.get("sender_canister_version"),
            "details": details,
        }
    )
    canister.total_changes += 1
    del canister.changes[:-MAX_CHANGES]
    call.executor.touch(canister)
