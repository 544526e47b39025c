"""BLS12-381 signatures of the network: signatures in G1, keys in G2, messages hashed to G1 (RFC 9380).

The curve arithmetic is py-arkworks-bls12381's. Source: interface specification, "Certification"; draft-irtf-cfrg-bls-signature-04."""

from __future__ import annotations

import functools
import hashlib

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
# SubjectPublicKeyInfo up to the 96-byte point: id dfinity.1.3.5.3.1 (BLS) with curve 1.3.5.3.2.1 (G2).
DER_PREFIX = bytes.fromhex("308182301d060d2b0601040182dc7c0503010201060c2b0601040182dc7c05030201036100")


class MalformedBlsKey(ValueError):
    """Not a DER-wrapped BLS12-381 key of 133 bytes."""


def secret_from_seed(seed: bytes) -> int:
    """A signing scalar from at least 32 bytes of entropy: 512 bits are reduced, so the bias is negligible."""
    return int.from_bytes(hashlib.sha512(b"commonweight-bls-v1" + seed).digest(), "big") % (ORDER - 1) + 1


def public_key_der(secret: int) -> bytes:
    """133 bytes of DER."""
    return DER_PREFIX + bytes((G2Point() * Scalar(secret)).to_compressed_bytes())


def sign(secret: int, message: bytes) -> bytes:
    """48 bytes, compressed G1."""
    return bytes((G1Point.hash_to_curve(message, DST) * Scalar(secret)).to_compressed_bytes())


def verify(key_der: bytes, message: bytes, signature: bytes) -> bool:
    """Raises MalformedBlsKey for a key of another form; False for a signature that does not hold or is no point."""
    key = _key_point(bytes(key_der))
    try:
        point = G1Point.from_compressed_bytes(signature)
    except Exception:
        return False
    if bytes(point.to_compressed_bytes()) != signature or point == G1Point.identity():
        return False
    hashed = G1Point.hash_to_curve(message, DST)
    return bool(GT.pairing_check([point, -hashed], [G2Point(), key]))


@functools.lru_cache(maxsize=64)  # one root key signs nearly everything that a process reads
def _key_point(key_der: bytes) -> G2Point:
    """Raises MalformedBlsKey."""
    if len(key_der) != len(DER_PREFIX) + 96 or key_der[: len(DER_PREFIX)] != DER_PREFIX:
        raise MalformedBlsKey("a root key is 133 bytes of DER with a BLS12-381 key inside")
    raw_key = key_der[len(DER_PREFIX) :]
    try:
        key = G2Point.from_compressed_bytes(raw_key)
    except Exception as error:
        raise MalformedBlsKey("the key is not a point of the curve") from error
    # The library reads several spellings of the point at infinity, under which anybody could sign.
    if bytes(key.to_compressed_bytes()) != raw_key or key == G2Point.identity():
        raise MalformedBlsKey("the key is not a point that can be a key")
    return key
