"""Public keys as the network takes them (DER, SubjectPublicKeyInfo) and the signatures that hold under them.

Ed25519, ECDSA on P-256 and secp256k1, and COSE keys of passkeys (WebAuthn: ES256, EdDSA, RS256).
Source: interface specification, "Signatures", "Web Authentication".
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from . import cbor

IC_REQUEST = b"\x0aic-request"
IC_DELEGATION = b"\x1aic-request-auth-delegation"
IC_STATE_ROOT = b"\x0dic-state-root"
IC_RESPONSE = b"\x0bic-response"

_ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")
_COSE_ALGORITHM = bytes.fromhex("300c060a2b0601040183b8430101")  # 1.3.6.1.4.1.56387.1.1, no parameters

MAX_KEPT_KEY_BYTES = 128  # Ed25519 and ECDSA keys have less; no key that a stranger sends may fill the memory
MAX_CLIENT_DATA_BYTES = 4096  # browsers write some hundred; deeply nested JSON could exhaust the stack

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class BadSignature(ValueError):
    """The signature does not hold, or the key is of a kind or form that the network does not take."""


def wrap_ed25519(raw: bytes) -> bytes:
    """32 bytes of key as 44 bytes of DER."""
    return _ED25519_PREFIX + raw


def public_key_der(key: PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def verify_signature(key_der: bytes, message: bytes, signature: bytes) -> None:
    """`message` carries its domain separator. Raises BadSignature with what is wrong."""
    cose = _cose_content(key_der)
    if cose is not None:
        _verify_web_authentication(cose, message, signature)
        return
    key = _loaded_before(key_der) if len(key_der) <= MAX_KEPT_KEY_BYTES else _loaded(key_der)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            if key_der != wrap_ed25519(key.public_bytes_raw()):
                raise BadSignature("the Ed25519 key is not in strict DER")
            key.verify(signature, message)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256K1 | ec.SECP256R1):
            if public_key_der(key) != key_der:
                raise BadSignature("the ECDSA key is not in strict DER with an uncompressed point")
            if len(signature) != 64:
                raise BadSignature("an ECDSA signature is 64 bytes, r and s")
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        else:
            raise BadSignature("keys of this kind cannot sign requests")
    except InvalidSignature as error:
        raise BadSignature("the signature does not hold under the public key") from error


def _loaded(key_der: bytes) -> Any:
    try:
        return serialization.load_der_public_key(key_der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSignature("the public key is not DER of a supported kind") from error


_loaded_before = functools.lru_cache(maxsize=1024)(_loaded)  # a caller's key comes with each of its requests


def der_item(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and the offset behind one DER item. Raises BadSignature."""
    if at + 2 > len(data):
        raise BadSignature("the key's DER is cut off")
    tag, length = data[at], data[at + 1]
    at += 2
    if length & 0x80:
        width = length & 0x7F
        if not 1 <= width <= 2 or at + width > len(data):
            raise BadSignature("the key's DER has a bad length")
        length = int.from_bytes(data[at : at + width], "big")
        if length < 0x80 or (width == 2 and length < 0x100):
            raise BadSignature("the key's DER is not in the shortest form")
        at += width
    if at + length > len(data):
        raise BadSignature("the key's DER is cut off")
    return tag, data[at : at + length], at + length


def _cose_content(key_der: bytes) -> bytes | None:
    """The COSE map inside a WebAuthn key, or None when the key is of another kind. Raises BadSignature for malformed DER."""
    if _COSE_ALGORITHM not in key_der[:24]:
        return None
    tag, body, end = der_item(key_der, 0)
    if tag != 0x30 or end != len(key_der) or body[: len(_COSE_ALGORITHM)] != _COSE_ALGORITHM:
        raise BadSignature("the WebAuthn key is not in strict DER")
    tag, bits, end = der_item(body, len(_COSE_ALGORITHM))
    if tag != 0x03 or end != len(body) or bits[:1] != b"\x00":
        raise BadSignature("the WebAuthn key is not in strict DER")
    return bits[1:]


def _cose_key(cose: bytes) -> PublicKey:
    try:
        fields: dict[int, Any] = cbor.loads(cose)
        match (fields[1], fields[3]):
            case (2, -7) if fields[-1] == 1:
                numbers = ec.EllipticCurvePublicNumbers(
                    int.from_bytes(fields[-2], "big"), int.from_bytes(fields[-3], "big"), ec.SECP256R1()
                )
                return numbers.public_key()
            case (1, -8) if fields[-1] == 6:
                return ed25519.Ed25519PublicKey.from_public_bytes(fields[-2])
            case (3, -257):
                modulus, exponent = (int.from_bytes(fields[n], "big") for n in (-1, -2))
                return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (cbor.MalformedCbor, LookupError, TypeError, ValueError, OverflowError, UnsupportedAlgorithm) as error:
        raise BadSignature("the WebAuthn key is not a COSE key") from error
    raise BadSignature("the WebAuthn key's algorithm is none of ES256, EdDSA, RS256")


def _assertion(signature: bytes) -> tuple[bytes, bytes, bytes]:
    """Authenticator data, client data (bytes or text on the wire) and the signature over both."""
    try:
        fields = cbor.loads(signature)
        authenticator_data, client_data, inner = (
            fields[name] for name in ("authenticator_data", "client_data_json", "signature")
        )
    except (cbor.MalformedCbor, LookupError, TypeError) as error:
        raise BadSignature("the WebAuthn signature is malformed") from error
    client_data = client_data.encode("utf-8", "replace") if isinstance(client_data, str) else client_data
    if not all(isinstance(part, bytes) for part in (authenticator_data, client_data, inner)):
        raise BadSignature("the WebAuthn signature is malformed")
    if len(client_data) > MAX_CLIENT_DATA_BYTES:
        raise BadSignature(f"the WebAuthn client data has more than {MAX_CLIENT_DATA_BYTES} bytes")
    return authenticator_data, client_data, inner


def _verify_web_authentication(cose: bytes, message: bytes, signature: bytes) -> None:
    key = _cose_key(cose)
    authenticator_data, client_data, inner = _assertion(signature)
    try:
        encoded = json.loads(client_data)["challenge"]
        challenge = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise BadSignature("the WebAuthn client data is malformed") from error
    if challenge != message:
        raise BadSignature("the WebAuthn signature is for another challenge")
    signed = authenticator_data + hashlib.sha256(client_data).digest()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(inner, signed, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(inner, signed)
        else:
            key.verify(inner, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise BadSignature("the WebAuthn signature does not hold under the public key") from error
