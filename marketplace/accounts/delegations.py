"""Chains of delegations as a browser hands them over (agent-js's JSON form): read, bounded and verified, before anything rests on them.

Source: interface specification, "Authentication"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canisters.interface import keys
from canisters.interface.principal import MAX_BYTES, Principal
from canisters.interface.request_id import hash_of_map
from marketplace.core.errors import Invalid, NotSignedIn

MAX_DELEGATIONS = 20
MAX_TARGETS = 1_000
MAX_KEY_BYTES = 2_048
MAX_SIGNATURE_BYTES = 8_192
_FORM = "as agent-js's DelegationChain.toJSON gives it"


@dataclass(frozen=True)
class Delegation:
    """What a verified chain allows. `targets`: the canisters every hop allows; None: any. `narrowed`: a hop limits it in another way."""

    principal: str
    expires_at_ns: int
    targets: frozenset[str] | None
    narrowed: bool


def delegation_verify(delegations: Any, *, root_key: bytes, leaf_key: bytes, now_ns: int) -> Delegation:
    """Check a chain from `root_key` to `leaf_key` (both DER).

    Raises: Invalid (it cannot be read); NotSignedIn (a signature does not hold, it ends at another key, or it has expired)."""
    if not isinstance(delegations, list) or not 1 <= len(delegations) <= MAX_DELEGATIONS:
        raise Invalid(f"A chain has 1 to {MAX_DELEGATIONS} delegations.", fields={"delegations": _FORM})
    signer, hops = root_key, []
    for entry in delegations:
        hop, signature = _read(entry)
        try:
            keys.verify_signature(signer, keys.IC_DELEGATION + hash_of_map(hop), signature)
        except keys.BadSignature as error:
            raise NotSignedIn(f"A delegation's signature does not hold: {error}.", code="bad_delegation") from error
        hops.append(hop)
        signer = hop["pubkey"]
    if signer != leaf_key:
        raise NotSignedIn("The delegation is to another key than the one it is used with.", code="bad_delegation")
    expires_at_ns = min(hop["expiration"] for hop in hops)
    if expires_at_ns <= now_ns:
        raise NotSignedIn("The delegation has expired: make a new one.", code="bad_delegation")
    named = [frozenset(str(Principal(target)) for target in hop["targets"]) for hop in hops if "targets" in hop]
    return Delegation(
        principal=str(Principal.self_authenticating(root_key)),
        expires_at_ns=expires_at_ns,
        targets=frozenset.intersection(*named) if named else None,
        narrowed=any("permissions" in hop for hop in hops),
    )


def _read(entry: Any) -> tuple[dict[str, Any], bytes]:
    """The fields that are signed, and the signature. Everything is bounded first: hashing an endless number would take for ever."""
    try:
        given = entry["delegation"]
        hop: dict[str, Any] = {
            "pubkey": _bytes(given["pubkey"], MAX_KEY_BYTES),
            "expiration": int.from_bytes(_bytes(given["expiration"].rjust(16, "0"), 8), "big"),
        }
        if given.get("targets") is not None:
            if len(given["targets"]) > MAX_TARGETS:
                raise ValueError
            hop["targets"] = [_bytes(target, MAX_BYTES) for target in given["targets"]]
        if given.get("permissions") is not None:
            if given["permissions"] not in ("queries", "all"):
                raise ValueError
            hop["permissions"] = given["permissions"]
        return hop, _bytes(entry["signature"], MAX_SIGNATURE_BYTES)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid("The delegations are not in the form expected.", fields={"delegations": _FORM}) from error


def _bytes(text: str, most: int) -> bytes:
    if len(text) > 2 * most:
        raise ValueError("too long")
    return bytes.fromhex(text)
