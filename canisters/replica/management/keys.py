"""Keys that the network holds for canisters: signatures by ECDSA and Schnorr, and vetKD. Here one process has every secret: they derive from the seed.

Only canisters may ask. Source: interface specification, "IC method ecdsa_public_key" to "vetkd_derive_key"; fees of ic-limits, 2.4.
"""

from __future__ import annotations

import hashlib
from typing import Any

from canisters.interface import vetkd
from canisters.interface.bls import ORDER
from canisters.interface.signing import (
    DerivedKey,
    derive_ed25519,
    derive_secp256k1,
    sign_bip340,
    sign_ecdsa,
    sign_ed25519,
)
from canisters.replica.builtin import Call, Refusal
from canisters.replica.engine.contract import KEY_FEES
from canisters.replica.state import CANISTER_REJECT, DESTINATION_INVALID, FromCanister

from .canister import CANISTER

MAX_PATH = 255
MAX_MESSAGE_BYTES = 2 << 20


@CANISTER.method
def ecdsa_public_key(call: Call, argument: dict[str, Any]) -> Any:
    return _public(_secp256k1(call, argument, "ecdsa:Secp256k1"))


@CANISTER.method
def sign_with_ecdsa(call: Call, argument: dict[str, Any]) -> Any:
    key = _secp256k1(call, {**argument, "canister_id": None}, "ecdsa:Secp256k1")
    if len(argument["message_hash"]) != 32:
        raise Refusal(f"message_hash must be 32 bytes, and has {len(argument['message_hash'])}", "IC0406")
    _take_fee(call, argument)
    return {"signature": sign_ecdsa(key.secret, argument["message_hash"])}


@CANISTER.method
def schnorr_public_key(call: Call, argument: dict[str, Any]) -> Any:
    return _public(_schnorr(call, argument)[0])


@CANISTER.method
def sign_with_schnorr(call: Call, argument: dict[str, Any]) -> Any:
    key, algorithm = _schnorr(call, {**argument, "canister_id": None})
    root = None if argument["aux"] is None else argument["aux"]["bip341"]["merkle_root_hash"]
    if root is not None and (algorithm != "bip340secp256k1" or len(root) not in (0, 32)):
        raise Refusal("A merkle root of 32 bytes, or none, is for bip340secp256k1 alone", "IC0406")
    if len(argument["message"]) > MAX_MESSAGE_BYTES:
        raise Refusal(f"A message has at most {MAX_MESSAGE_BYTES} bytes", "IC0406")
    _take_fee(call, argument)
    if algorithm == "ed25519":
        return {"signature": sign_ed25519(key, argument["message"])}
    return {"signature": sign_bip340(key.secret, argument["message"], root)}


@CANISTER.method
def vetkd_public_key(call: Call, argument: dict[str, Any]) -> Any:
    master = _master(call, argument)
    return {"public_key": master.derived(_whose(call, argument), argument["context"])[1]}


@CANISTER.method
def vetkd_derive_key(call: Call, argument: dict[str, Any]) -> Any:
    master = _master(call, argument)
    try:
        vetkd.g1_point(argument["transport_public_key"])
    except vetkd.MalformedPoint as error:
        raise Refusal("The provided transport public key is invalid.", "IC0406") from error
    _take_fee(call, argument)
    key = master.encrypted_key(
        call.caller, argument["context"], argument["input"], argument["transport_public_key"], _nonce(call)
    )
    return {"encrypted_key": key}


CANISTER.only_canisters |= {
    "ecdsa_public_key",
    "sign_with_ecdsa",
    "schnorr_public_key",
    "sign_with_schnorr",
    "vetkd_public_key",
    "vetkd_derive_key",
}


# --- helpers ---


def _secret(call: Call, kind: str, name: str) -> bytes:
    """64 bytes that nobody without the network's seed can tell: the root of one key."""
    return hashlib.sha512(
        b"commonweight-key" + call.executor.network.seed + kind.encode() + b":" + name.encode()
    ).digest()


def _named(call: Call, argument: dict[str, Any], kind: str) -> bytes:
    """The root of the key that is asked for. Raises Refusal when there is none of that name."""
    name = argument["key_id"]["name"]
    if name not in KEY_FEES:
        existing = ", ".join(f"{kind}:{known}" for known in KEY_FEES)
        text = (
            f"Unable to route management canister request {call.request.method}: "
            f'ChainKeyError("Requested unknown threshold key: {kind}:{name[:60]}, existing keys: [{existing}]")'
        )
        raise Refusal(text, "IC0406", DESTINATION_INVALID)
    return _secret(call, kind, name)


def _whose(call: Call, argument: dict[str, Any]) -> bytes:
    named = argument.get("canister_id")
    return call.caller if named is None else bytes(named.raw)


def _path(call: Call, argument: dict[str, Any]) -> list[bytes]:
    if len(argument["derivation_path"]) > MAX_PATH:
        raise Refusal(f"A derivation path has at most {MAX_PATH} elements", "IC0406")
    return [_whose(call, argument), *argument["derivation_path"]]


def _secp256k1(call: Call, argument: dict[str, Any], kind: str) -> DerivedKey:
    root = (
        int.from_bytes(_named(call, argument, kind), "big") % (2**255) + 1
    )  # below the order, which is close to 2^256
    return derive_secp256k1(root, _path(call, argument))


def _schnorr(call: Call, argument: dict[str, Any]) -> tuple[DerivedKey, str]:
    ((algorithm, _),) = argument["key_id"]["algorithm"].items()
    if algorithm == "bip340secp256k1":
        return _secp256k1(call, argument, "schnorr:Bip340Secp256k1"), algorithm
    root = int.from_bytes(_named(call, argument, "schnorr:Ed25519"), "big")
    return derive_ed25519(root, _path(call, argument)), algorithm


def _master(call: Call, argument: dict[str, Any]) -> vetkd.Master:
    root = _named(call, argument, "vetkd:Bls12_381_G2")
    return vetkd.Master(vetkd.hash_to_scalar(root, b"commonweight-vetkd-master"))


def _nonce(call: Call) -> int:
    """A scalar for one answer: from the secret seed, the call's own number and everything asked, so that it serves for nothing else."""
    origin = call.request.origin
    number = origin.callback if isinstance(origin, FromCanister) else 0
    asked = number.to_bytes(8, "big") + call.caller + call.request.argument
    secret = _secret(call, "vetkd", "nonce")
    return vetkd.hash_to_scalar(secret + asked, b"commonweight-vetkd-nonce") % (ORDER - 1) + 1


def _take_fee(call: Call, argument: dict[str, Any]) -> None:
    fee = KEY_FEES[argument["key_id"]["name"]]
    if call.available < fee:
        text = f"{call.request.method} request sent with {call.available} cycles, but {fee} cycles are required."
        raise Refusal(text, "IC0406", CANISTER_REJECT)
    call.taken += fee


def _public(key: DerivedKey) -> dict[str, bytes]:
    return {"public_key": key.public_key, "chain_code": key.chain_code}
