"""Keys of every kind that people sign in with, and what they sign, as a browser would."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from canisters.client import KeyIdentity
from canisters.interface import cbor, keys
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map
from tests.marketplace.conftest import Api

HOUR_NS = 3600 * 10**9


class Signer:
    """`der`: the public key. `sign(message)`: the signature as the network takes it."""

    def __init__(self, der: bytes, sign: Callable[[bytes], bytes]) -> None:
        self.der, self.sign = der, sign

    @property
    def principal(self) -> str:
        return str(Principal.self_authenticating(self.der))


def ic_key(kind: str = "ed25519") -> Signer:
    identity = KeyIdentity(kind=kind)
    return signer_of(identity)


def signer_of(identity: KeyIdentity) -> Signer:
    return Signer(identity.der_pubkey, lambda message: identity.sign(message)[1])


def web_crypto_key() -> Signer:
    """What a browser makes: P-256, signature r and s."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Signer(
        keys.public_key_der(key.public_key()), lambda message: _raw(key.sign(message, ec.ECDSA(hashes.SHA256())))
    )


def _raw(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def passkey() -> Signer:
    """A WebAuthn authenticator with an ES256 key."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    cose = cbor.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})[3:]
    bits = b"\x00" + cose
    body = bytes.fromhex("300c060a2b0601040183b8430101") + b"\x03" + bytes([len(bits)]) + bits
    der = b"\x30" + bytes([len(body)]) + body

    def sign(message: bytes) -> bytes:
        challenge = base64.urlsafe_b64encode(message).rstrip(b"=").decode()
        client_data = json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": "http://localhost"})
        authenticator = hashlib.sha256(b"localhost").digest() + b"\x05\x00\x00\x00\x01"
        signed = authenticator + hashlib.sha256(client_data.encode()).digest()
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return cbor.dumps(
            {"authenticator_data": authenticator, "client_data_json": client_data, "signature": signature}
        )

    return Signer(der, sign)


KINDS: dict[str, Callable[[], Signer]] = {
    "ed25519": ic_key,
    "secp256k1": lambda: ic_key("secp256k1"),
    "p-256": web_crypto_key,
    "passkey": passkey,
}


def challenge_for(api: Api, principal: str) -> dict[str, Any]:
    answer = api.post("auth/challenge", {"principal": principal})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def signed(api: Api, signer: Signer, principal: str | None = None, **changed: Any) -> dict[str, Any]:
    """The body of a sign-in: a fresh challenge, signed. `changed` replaces fields."""
    who = principal or signer.principal
    challenge = challenge_for(api, who)
    return {
        "principal": who,
        "challenge": challenge["challenge"],
        "public_key": signer.der.hex(),
        "signature": signer.sign(bytes.fromhex(challenge["message"])).hex(),
        **changed,
    }


def delegation(
    by: Signer,
    to_der: bytes,
    *,
    targets: list[str] | None = None,
    expires_at_ns: int | None = None,
    permissions: str | None = None,
) -> dict[str, Any]:
    """One hop of a chain, as agent-js writes it."""
    hop: dict[str, Any] = {"pubkey": to_der, "expiration": expires_at_ns or time.time_ns() + HOUR_NS}
    shown: dict[str, Any] = {"pubkey": to_der.hex(), "expiration": f"{hop['expiration']:x}"}
    if targets is not None:
        hop["targets"] = [Principal.from_text(target).raw for target in targets]
        shown["targets"] = [target.hex() for target in hop["targets"]]
    if permissions is not None:
        hop["permissions"] = shown["permissions"] = permissions
    return {"delegation": shown, "signature": by.sign(keys.IC_DELEGATION + hash_of_map(hop)).hex()}
