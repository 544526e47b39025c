"""The keys that the network signs with for canisters: secp256k1 by ECDSA or BIP 340, Ed25519, each derived by canister and path.

secp256k1 keys derive as BIP 32 does without hardening, with indices of any length; Ed25519 keys in the same manner by HKDF. Curve
arithmetic is the package ecdsa's. Source: interface specification, "IC method sign_with_ecdsa", "sign_with_schnorr"; BIP 32, 340, 341; RFC 8032.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from ecdsa import SECP256k1
from ecdsa.eddsa import generator_ed25519

_N = int(SECP256k1.order)
_L = int(generator_ed25519.order())


@dataclass(frozen=True)
class DerivedKey:
    """`public_key`: SEC 1 compressed (33 bytes), or 32 bytes of Ed25519. `chain_code`: 32 bytes, from which whoever knows both derives on."""

    secret: int
    public_key: bytes
    chain_code: bytes


# --- secp256k1 ---


def _point(secret: int) -> bytes:
    return bytes((SECP256k1.generator * secret).to_bytes("compressed"))


def derive_secp256k1(master: int, path: Sequence[bytes]) -> DerivedKey:
    """`path`: the canister's id, then what it chose."""
    secret, chain_code = master, bytes(32)
    for index in path:
        data = _point(secret) + index
        while True:
            digest = hmac.digest(chain_code, data, "sha512")
            offset = int.from_bytes(digest[:32], "big")
            if offset < _N and (secret + offset) % _N:
                break
            data = b"\x01" + digest[32:] + index  # BIP 32 skips such an index; here every one has a key
        secret, chain_code = (secret + offset) % _N, digest[32:]
    return DerivedKey(secret, _point(secret), chain_code)


def sign_ecdsa(secret: int, digest: bytes) -> bytes:
    """64 bytes, r and s, s in the lower half; the same for the same digest (RFC 6979). `digest`: 32 bytes."""
    key = ec.derive_private_key(secret, ec.SECP256K1())
    der = key.sign(digest, ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True))
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + min(s, _N - s).to_bytes(32, "big")


def _tagged(tag: str, *parts: bytes) -> bytes:
    prefix = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(prefix + prefix + b"".join(parts)).digest()


def _even(secret: int) -> tuple[int, bytes]:
    """The secret whose point has an even y, and that point's x."""
    point = _point(secret)
    return (secret if point[0] == 2 else _N - secret), point[1:]


def sign_bip340(secret: int, message: bytes, merkle_root: bytes | None = None) -> bytes:
    """64 bytes. With `merkle_root` (empty or 32 bytes) by the key that BIP 341 tweaks with it."""
    secret, x = _even(secret)
    if merkle_root is not None:
        tweak = int.from_bytes(_tagged("TapTweak", x, merkle_root), "big") % _N
        secret, x = _even((secret + tweak) % _N)
    masked = bytes(a ^ b for a, b in zip(secret.to_bytes(32, "big"), _tagged("BIP0340/aux", bytes(32)), strict=True))
    nonce, r = _even(int.from_bytes(_tagged("BIP0340/nonce", masked, x, message), "big") % _N)
    challenge = int.from_bytes(_tagged("BIP0340/challenge", r, x, message), "big") % _N
    return r + ((nonce + challenge * secret) % _N).to_bytes(32, "big")


# --- Ed25519 ---


def derive_ed25519(master: int, path: Sequence[bytes]) -> DerivedKey:
    secret, chain_code = master % _L, bytes(32)
    for index in path:
        public = bytes((generator_ed25519 * secret).to_bytes())
        material = HKDF(SHA512(), 96, chain_code, b"Ed25519").derive(public + index)
        secret = (secret + int.from_bytes(material[:64], "big")) % _L
        chain_code = material[64:]
    return DerivedKey(secret, bytes((generator_ed25519 * secret).to_bytes()), chain_code)


def sign_ed25519(key: DerivedKey, message: bytes) -> bytes:
    """64 bytes as RFC 8032 has them; the nonce comes from the secret and the message alone."""
    prefix = hashlib.sha512(b"commonweight-ed25519-nonce" + key.secret.to_bytes(32, "little")).digest()
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % _L
    r = bytes((generator_ed25519 * nonce).to_bytes())
    challenge = int.from_bytes(hashlib.sha512(r + key.public_key + message).digest(), "little") % _L
    return r + ((nonce + challenge * key.secret) % _L).to_bytes(32, "little")
