"""What may enter: the envelope of a request, its signature and delegations, its expiry.

Source: interface specification, "Request: Call", "Authentication", "Request delegations". Refusals carry the HTTP status and the words
that clients look for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canisters.interface import canister_signature, cbor, keys
from canisters.interface.principal import MAX_BYTES, Principal
from canisters.interface.request_id import hash_of_map, request_id

MAX_INGRESS_BYTES = 2 << 20
MAX_BODY_BYTES = 4 << 20
MAX_INGRESS_TTL_NS = 5 * 60 * 10**9
PERMITTED_DRIFT_NS = 60 * 10**9
MAX_DELEGATIONS = 20
MAX_TARGETS = 1000
MAX_NONCE_BYTES = 32


class RequestRefused(ValueError):
    """Not let in. `status` is the HTTP status to answer with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Authenticated:
    """A request that was let in."""

    request_id: bytes
    kind: str
    sender: Principal
    content: dict[str, Any]
    expiry_ns: int
    targets: frozenset[bytes] | None = None  # the canisters that its delegations allow; None for all

    @property
    def canister_id(self) -> bytes:
        return bytes(self.content["canister_id"])


def authenticate(body: bytes, *, kind: str, now_ns: int, root_key: bytes) -> Authenticated:
    """Check an envelope. `kind`: call, query or read_state. `root_key`: under which canisters sign. Raises RequestRefused."""
    if len(body) > MAX_BODY_BYTES:
        raise RequestRefused(f"Request body is larger than {MAX_BODY_BYTES} bytes", 413)
    try:
        envelope = cbor.loads(body)
    except cbor.MalformedCbor as error:
        raise RequestRefused(f"Could not parse body as a request: {error}") from error
    content = envelope.get("content") if isinstance(envelope, dict) else None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise RequestRefused("Could not parse body as a request: an envelope is a map with the map `content`")
    if content.get("request_type") != kind:
        raise RequestRefused(f"Expected request_type {kind}")
    sender, expiry = _header(content)
    _require_fields(content, kind)
    if kind == "call" and len(body) > MAX_INGRESS_BYTES:
        raise RequestRefused(f"Call of {len(body)} bytes is larger than {MAX_INGRESS_BYTES} bytes", 413)
    try:
        identifier = request_id(content)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RequestRefused(f"Malformed request content: {error}") from error
    # The network does not check the expiry of anonymous reads: they carry no authority that could be replayed.
    if not (sender.is_anonymous and kind != "call"):
        _require_timely(expiry, now_ns)
    moment = _Moment(now_ns, kind, root_key)
    targets = _authenticate_sender(envelope, sender, identifier, moment)
    if targets is not None and not _targets_cover(content, targets):
        raise RequestRefused(
            "Invalid delegation: the canister is not among the delegation's targets",
            403 if kind == "read_state" else 400,
        )
    return Authenticated(identifier, kind, sender, content, expiry, None if targets is None else frozenset(targets))


def _header(content: dict[str, Any]) -> tuple[Principal, int]:
    sender, expiry, nonce = content.get("sender"), content.get("ingress_expiry"), content.get("nonce", b"")
    if not isinstance(sender, bytes) or len(sender) > MAX_BYTES:
        raise RequestRefused("Malformed sender")
    if type(expiry) is not int or not 0 <= expiry < 1 << 64:
        raise RequestRefused("Malformed ingress_expiry")
    if not isinstance(nonce, bytes) or len(nonce) > MAX_NONCE_BYTES:
        raise RequestRefused(f"Malformed nonce: at most {MAX_NONCE_BYTES} bytes")
    return Principal(sender), expiry


def _require_fields(content: dict[str, Any], kind: str) -> None:
    if kind in ("call", "query"):
        for name, type_ in (("canister_id", bytes), ("method_name", str), ("arg", bytes)):
            if not isinstance(content.get(name), type_):
                raise RequestRefused(f"Malformed {name}")
        if len(content["canister_id"]) > MAX_BYTES:
            raise RequestRefused("Malformed canister_id")
    else:
        paths = content.get("paths")
        if not isinstance(paths, list) or len(paths) > 1000 or not all(_is_path(path) for path in paths):
            raise RequestRefused("Malformed paths")


def _is_path(path: object) -> bool:
    return isinstance(path, list) and len(path) <= 127 and all(isinstance(label, bytes) for label in path)


def _require_timely(expiry: int, now_ns: int) -> None:
    if expiry < now_ns:
        raise RequestRefused(
            f"Invalid request expiry: Specified ingress_expiry not within expected range: expired {(now_ns - expiry) // 10**9} s ago"
        )
    if expiry > now_ns + MAX_INGRESS_TTL_NS + PERMITTED_DRIFT_NS:
        raise RequestRefused(
            "Invalid request expiry: Specified ingress_expiry not within expected range: more than 5 minutes ahead"
        )


@dataclass(frozen=True)
class _Moment:
    """What a signature is checked against."""

    now_ns: int
    kind: str
    root_key: bytes


def _authenticate_sender(
    envelope: dict[str, Any], sender: Principal, identifier: bytes, moment: _Moment
) -> set[bytes] | None:
    """The targets that all delegations leave, or None when they leave every canister."""
    public_key, signature = envelope.get("sender_pubkey"), envelope.get("sender_sig")
    chain = envelope.get("sender_delegation") or []
    if sender.is_anonymous:
        if public_key is not None or signature is not None or chain:
            raise RequestRefused("Got a signature or key for the anonymous sender")
        return None
    if not isinstance(public_key, bytes) or not isinstance(signature, bytes):
        raise RequestRefused("Missing signature from user")
    if Principal.self_authenticating(public_key) != sender:
        raise RequestRefused("Sender does not match the public key")
    if not isinstance(chain, list) or len(chain) > MAX_DELEGATIONS:
        raise RequestRefused(f"Chain of delegations is longer than {MAX_DELEGATIONS}")
    targets: set[bytes] | None = None
    seen = {public_key}
    for signed in chain:
        public_key, narrowed = _follow(public_key, signed, moment)
        if public_key in seen:
            raise RequestRefused("Chain of delegations contains a cycle")
        seen.add(public_key)
        if narrowed is not None:
            targets = narrowed if targets is None else targets & narrowed
    _require_signature(public_key, keys.IC_REQUEST + identifier, signature, moment.root_key)
    return targets


def _follow(public_key: bytes, signed: Any, moment: _Moment) -> tuple[bytes, set[bytes] | None]:
    try:
        delegation, signature = signed["delegation"], signed["signature"]
        delegate, expiration = delegation["pubkey"], delegation["expiration"]
        targets = delegation.get("targets")
        permissions = delegation.get("permissions")
        digest = hash_of_map({name: value for name, value in delegation.items() if value is not None})
        if not isinstance(delegate, bytes) or type(expiration) is not int or not isinstance(signature, bytes):
            raise TypeError("a field has the wrong type")
        if targets is not None and (len(targets) > MAX_TARGETS or not all(isinstance(t, bytes) for t in targets)):
            raise ValueError(f"at most {MAX_TARGETS} targets, each a canister id")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RequestRefused(f"Malformed delegation: {error}") from error
    _require_signature(public_key, keys.IC_DELEGATION + digest, signature, moment.root_key)
    if expiration < moment.now_ns:
        raise RequestRefused("Invalid delegation expiry: the delegation has expired")
    # A permission this network does not know must not widen anything: only reads pass under `queries`, nothing under others.
    if permissions is not None and not (permissions == "queries" and moment.kind != "call"):
        raise RequestRefused("Invalid delegation: its permissions do not cover this request")
    return delegate, None if targets is None else set(targets)


def _require_signature(public_key: bytes, message: bytes, signature: bytes, root_key: bytes) -> None:
    try:
        if canister_signature.is_key(public_key):
            canister_signature.verify(public_key, message, signature, root_key)
        else:
            keys.verify_signature(public_key, message, signature)
    except keys.BadSignature as error:
        raise RequestRefused(f"Invalid signature: {error}") from error


def _targets_cover(content: dict[str, Any], targets: set[bytes]) -> bool:
    if content["request_type"] in ("call", "query"):
        return content["canister_id"] in targets
    named = {path[1] for path in content["paths"] if len(path) > 1 and path[0] == b"canister"}
    return named <= targets
