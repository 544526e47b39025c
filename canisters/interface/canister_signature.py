"""Signatures by canisters: a canister vouches for a message by putting its hash into the data that the network certifies for it.

That is how an identity service signs a user's session keys. Source: interface specification, "Canister signatures".
"""

from __future__ import annotations

import hashlib
from typing import Any

from . import cbor, certificate, hash_tree
from .hash_tree import Found
from .keys import BadSignature, der_item
from .principal import Principal

_ALGORITHM = bytes.fromhex("300c060a2b0601040183b8430102")  # 1.3.6.1.4.1.56387.1.2, no parameters


def public_key_der(canister_id: Principal, seed: bytes) -> bytes:
    """The key of one identity (`seed`) of a canister, as the network takes it."""
    bits = b"\x00" + bytes([len(canister_id.raw)]) + canister_id.raw + seed
    body = _ALGORITHM + _item(0x03, bits)
    return _item(0x30, body)


def _item(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + content


def is_key(key_der: bytes) -> bool:
    return _ALGORITHM in key_der[:24]


def verify(key_der: bytes, message: bytes, signature: bytes, root_key: bytes) -> None:
    """`message` carries its domain separator. Raises BadSignature with what is wrong."""
    canister_id, seed = _parsed(key_der)
    try:
        fields: dict[str, Any] = cbor.loads(signature)
        proof, tree = fields["certificate"], hash_tree.from_cbor_value(fields["tree"])
        proven = certificate.verify(proof, root_key=root_key, canister_id=canister_id)
        certified = proven.lookup(b"canister", canister_id.raw, b"certified_data")
    except (cbor.MalformedCbor, hash_tree.MalformedTree, LookupError, TypeError, AttributeError) as error:
        raise BadSignature("the canister signature is malformed") from error
    except certificate.CertificateRefused as error:
        raise BadSignature(f"the canister signature's certificate is refused: {error}") from error
    if certified != tree.digest:
        raise BadSignature("the canister signature's tree is not what the canister has certified")
    path = (b"sig", hashlib.sha256(seed).digest(), hashlib.sha256(message).digest())
    found = hash_tree.lookup(tree, path)
    if not isinstance(found, Found) or found.value != b"":
        raise BadSignature("the canister has not signed this message")


def _parsed(key_der: bytes) -> tuple[Principal, bytes]:
    tag, body, end = der_item(key_der, 0)
    if tag != 0x30 or end != len(key_der) or body[: len(_ALGORITHM)] != _ALGORITHM:
        raise BadSignature("the canister's key is not in strict DER")
    tag, bits, end = der_item(body, len(_ALGORITHM))
    if tag != 0x03 or end != len(body) or bits[:1] != b"\x00" or len(bits) < 2 or not 0 < bits[1] <= 29:
        raise BadSignature("the canister's key is not in strict DER")
    if len(bits) < 2 + bits[1]:
        raise BadSignature("the canister's key is cut off")
    return Principal(bits[2 : 2 + bits[1]]), bits[2 + bits[1] :]
