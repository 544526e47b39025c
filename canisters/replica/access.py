"""Which part of the state a request may be sent to, and who may read what of it.

Source: interface specification, "Request: Read state" and "Effective canister id"."""

from __future__ import annotations

from canisters.interface.candid import CandidError, decode
from canisters.interface.principal import Principal

from .ingress import Authenticated, RequestRefused
from .management import CANISTER
from .scheduler import Scheduler
from .state import MANAGEMENT, Canister

Path = tuple[bytes, ...]
_ANYWHERE = ("provisional_create_canister_with_cycles", "create_canister", "raw_rand")


def require_effective_id(effective: Principal, asked: Authenticated) -> None:
    """The id in the URL must be the canister that the request concerns, since it decides where a request goes. Raises RequestRefused."""
    if asked.kind == "read_state":
        for path in asked.content["paths"]:
            if len(path) > 1 and path[0] == b"canister" and path[1] != effective.raw:
                raise _mismatch(path[1], effective)
        return
    concerned = asked.canister_id
    if concerned == MANAGEMENT:
        target = _target(asked)
        if target is None:
            return
        concerned = target
    if effective.raw != concerned:
        raise _mismatch(concerned, effective)


def _mismatch(concerned: bytes, effective: Principal) -> RequestRefused:
    named = Principal(concerned[:29])
    return RequestRefused(f"Specified CanisterId {named} does not match effective canister id in URL {effective}")


def _target(asked: Authenticated) -> bytes | None:
    """The canister that a call of the management canister is about; None when it is about none, or cannot be read."""
    method = asked.content["method_name"]
    signature = CANISTER.service.methods.get(method)
    if signature is None or method in _ANYWHERE or not signature.arguments:
        return None
    try:
        (argument,) = decode(asked.content["arg"], signature.arguments)
    except CandidError:
        return None  # the execution says what is wrong with it
    principal: Principal | None = argument.get("target_canister") or argument.get("canister_id")
    return None if principal is None else principal.raw


def require_readable(scheduler: Scheduler, paths: list[Path], asked: Authenticated) -> None:
    """Raises RequestRefused, 403 or 404."""
    requests = {path[1] for path in paths if len(path) > 1 and path[0] == b"request_status"}
    if len(requests) > 1:
        raise RequestRefused("Can only request a single request ID in request_status paths.")
    for path in paths:
        _require_path(scheduler, path, asked)


def _require_path(scheduler: Scheduler, path: Path, asked: Authenticated) -> None:
    match path:
        case (b"time",) | (b"subnet", *_) | (b"canister_ranges", *_):
            return
        case (b"request_status", request_id, *_):
            _require_own(scheduler, request_id, asked)
            return
        case (b"canister", canister_id, b"metadata", name):
            _require_metadata(scheduler.network.canisters.get(canister_id), name, asked)
            return
        case (b"canister", _, b"controllers" | b"module_hash" | b"certified_data"):
            return
    raise RequestRefused("Invalid path requested.", 404)


def _require_own(scheduler: Scheduler, request_id: bytes, asked: Authenticated) -> None:
    status = scheduler.known(request_id)
    if status is None:
        return
    if status.sender != asked.sender.raw:
        raise RequestRefused("The user tries to access Request ID not signed by the caller.", 403)
    if asked.targets is not None and status.canister_id not in asked.targets:
        raise RequestRefused(
            "The user tries to access request IDs for canisters not belonging to sender delegation targets.", 403
        )


def _require_metadata(canister: Canister | None, name: bytes, asked: Authenticated) -> None:
    if canister is None or canister.module is None:
        return
    text = name.decode("utf-8", "replace")
    visibility, _ = canister.module.metadata.get(text, ("public", b""))
    if visibility == "private" and asked.sender.raw not in canister.settings.controllers:
        raise RequestRefused(f"Custom section {text} can only be requested by the controllers of the canister.", 403)
