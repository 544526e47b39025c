"""Request ids: the representation-independent hash of a request's content.

Source: interface specification, "Representation-independent hashing of structured data"."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from . import leb128
from .principal import Principal


def hash_of_map(content: Mapping[str, Any]) -> bytes:
    """32 bytes. Values: bytes, text, natural numbers, lists, nested maps, principals."""
    pairs = sorted(hashlib.sha256(key.encode()).digest() + _hash_value(value) for key, value in content.items())
    return hashlib.sha256(b"".join(pairs)).digest()


def request_id(content: Mapping[str, Any]) -> bytes:
    return hash_of_map(content)


def _hash_value(value: Any) -> bytes:
    return hashlib.sha256(_encoded(value)).digest() if not isinstance(value, Mapping) else hash_of_map(value)


def _encoded(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        raise TypeError("the specification gives no hash for booleans")
    if isinstance(value, int):
        return leb128.encode_unsigned(value)
    if isinstance(value, Principal):
        return value.raw
    if isinstance(value, list | tuple):
        return b"".join(_hash_value(item) for item in value)
    raise TypeError(f"the specification gives no hash for {type(value).__name__}")
