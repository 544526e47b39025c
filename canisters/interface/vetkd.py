"""vetKD: keys that the network derives for a canister, hands out encrypted to whoever asks, and lets anybody verify.

Both ends are here: what the network computes (`Master`), and what the receiver does (`TransportKey`). Keys of BLS12-381, points compressed.
Source: interface specification, "IC method vetkd_derive_key"; ePrint 2023/616; bls12_381/vetkd of the network's replica.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from .bls import ORDER

CANISTER_DOMAIN = b"ic-vetkd-bls12-381-g2-canister-id"
CONTEXT_DOMAIN = b"ic-vetkd-bls12-381-g2-context"
MESSAGE_DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_AUG_"
G1_BYTES, G2_BYTES = 48, 96
ENCRYPTED_KEY_BYTES = 2 * G1_BYTES + G2_BYTES


class MalformedPoint(ValueError):
    """Not the one compressed form of a point of the group."""


class KeyRefused(ValueError):
    """An encrypted key that is not the one asked for."""


def hash_to_scalar(message: bytes, domain: bytes) -> int:
    """48 bytes of expand_message_xmd with SHA-256, modulo the order of the groups. Source: RFC 9380, section 5.3.1."""
    if len(domain) > 255:
        domain = hashlib.sha256(b"H2C-OVERSIZE-DST-" + domain).digest()
    tail = domain + bytes([len(domain)])
    first = hashlib.sha256(bytes(64) + message + (48).to_bytes(2, "big") + b"\0" + tail).digest()
    block = hashlib.sha256(first + b"\1" + tail).digest()
    second = hashlib.sha256(bytes(a ^ b for a, b in zip(first, block, strict=True)) + b"\2" + tail).digest()
    return int.from_bytes((block + second)[:48], "big") % ORDER


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data


def _g2(data: G2Point) -> bytes:
    return bytes(data.to_compressed_bytes())


def _g1(data: G1Point) -> bytes:
    return bytes(data.to_compressed_bytes())


def g1_point(data: bytes) -> G1Point:
    """Raises MalformedPoint; the identity is a point, in its one spelling."""
    try:
        point = G1Point.from_compressed_bytes(data)
    except Exception as error:
        raise MalformedPoint("no point of G1") from error
    if _g1(point) != data:  # the library reads several spellings of the identity
        raise MalformedPoint("no point of G1 as it is written")
    return point


def g2_point(data: bytes) -> G2Point:
    """Raises MalformedPoint."""
    try:
        point = G2Point.from_compressed_bytes(data)
    except Exception as error:
        raise MalformedPoint("no point of G2") from error
    if _g2(point) != data:
        raise MalformedPoint("no point of G2 as it is written")
    return point


@dataclass(frozen=True)
class Master:
    """A secret of the network: whoever has it has every key derived from it."""

    secret: int

    @property
    def public_key(self) -> bytes:
        return _g2(G2Point() * Scalar(self.secret))

    def derived(self, canister_id: bytes, context: bytes) -> tuple[int, bytes]:
        """Secret and public key (96 bytes) of a canister's context; an empty context is the canister's own key."""
        master = self.public_key
        offset = hash_to_scalar(_prefixed(master) + _prefixed(canister_id), CANISTER_DOMAIN)
        public = g2_point(master) + G2Point() * Scalar(offset)
        if context:
            more = hash_to_scalar(_prefixed(_g2(public)) + _prefixed(context), CONTEXT_DOMAIN)
            public = public + G2Point() * Scalar(more)
            offset += more
        return (self.secret + offset) % ORDER, _g2(public)

    def encrypted_key(self, canister_id: bytes, context: bytes, data: bytes, transport_key: bytes, nonce: int) -> bytes:
        """The vetKey of `data`, for the holder of `transport_key` alone: 192 bytes.

        `nonce`: a secret scalar that serves once; whoever knows it reads the key. Raises MalformedPoint."""
        secret, public = self.derived(canister_id, context)
        target = g1_point(transport_key)
        key = G1Point.hash_to_curve(public + data, MESSAGE_DOMAIN) * Scalar(secret)
        rho = Scalar(nonce)
        return _g1(G1Point() * rho) + _g2(G2Point() * rho) + _g1(target * rho + key)


@dataclass(frozen=True)
class TransportKey:
    """What the receiver makes for one request, and forgets afterwards."""

    secret: int

    @classmethod
    def fresh(cls) -> TransportKey:
        return cls(secrets.randbelow(ORDER - 1) + 1)

    @property
    def public_key(self) -> bytes:
        return _g1(G1Point() * Scalar(self.secret))

    def decrypted(self, encrypted_key: bytes, public_key: bytes, data: bytes) -> bytes:
        """The vetKey of `data` under a derived public key (96 bytes): 48 bytes, verified. Raises KeyRefused."""
        if len(encrypted_key) != ENCRYPTED_KEY_BYTES:
            raise KeyRefused(f"an encrypted key has {ENCRYPTED_KEY_BYTES} bytes, not {len(encrypted_key)}")
        try:
            c1 = g1_point(encrypted_key[:G1_BYTES])
            c2 = g2_point(encrypted_key[G1_BYTES : G1_BYTES + G2_BYTES])
            c3 = g1_point(encrypted_key[G1_BYTES + G2_BYTES :])
            derived = g2_point(public_key)
        except MalformedPoint as error:
            raise KeyRefused(f"the encrypted key holds {error}") from error
        key = c3 - c1 * Scalar(self.secret)
        hashed = G1Point.hash_to_curve(public_key + data, MESSAGE_DOMAIN)
        is_one_nonce = GT.pairing_check([c1, -G1Point()], [G2Point(), c2])
        if not is_one_nonce or not GT.pairing_check([key, -hashed], [G2Point(), derived]):
            raise KeyRefused("this is not the key that was asked for, or not encrypted to this transport key")
        return _g1(key)


def symmetric_key(vet_key: bytes, domain: bytes, size: int = 32) -> bytes:
    """Key material for a cipher, as version 0.4 of the npm package derives it."""
    return HKDF(SHA256(), size, None, domain).derive(vet_key)
