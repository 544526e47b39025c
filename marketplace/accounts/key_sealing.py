"""The keys of API tokens at rest: AES-256-GCM under a key derived from SECRET_KEY, bound to the token they belong to.

Who reads the database alone, or a copy of it, has no key; nor does a row moved to another token open. Another SECRET_KEY makes every token
useless, and none dangerous: people make new ones."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

NONCE_BYTES = 12
_CONTEXT = b"commonweight/api-token-key/v1"


class KeySealBroken(ValueError):
    """The key was sealed under another SECRET_KEY or for another token, or is damaged."""


def _cipher() -> AESGCM:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_CONTEXT).derive(settings.SECRET_KEY.encode())
    return AESGCM(derived)


def key_seal(private_key: bytes, public_key_der: bytes) -> bytes:
    """`public_key_der` names the token: no two have the same."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher().encrypt(nonce, private_key, public_key_der)


def key_open(sealed: bytes, public_key_der: bytes) -> bytes:
    """Raises KeySealBroken."""
    try:
        return _cipher().decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], public_key_der)
    except (InvalidTag, ValueError) as error:
        raise KeySealBroken("the token's key does not open") from error
