"""CBOR as the HTTPS interface wraps it: every body carries the self-describing tag 55799.

cbor2 does the work; here are the tag, one error, and plain dicts and lists whatever the library's version makes of tagged data."""

from __future__ import annotations

import io
from typing import Any

import cbor2

_SELF_DESCRIBED = b"\xd9\xd9\xf7"


class MalformedCbor(ValueError):
    """The bytes are not one CBOR value."""


def dumps(value: Any) -> bytes:
    return _SELF_DESCRIBED + cbor2.dumps(value)


def loads(data: bytes) -> Any:
    """Decode exactly one value, tagged or not. Raises MalformedCbor, also for bytes after the value."""
    body = data[3:] if data[:3] == _SELF_DESCRIBED else data
    stream = io.BytesIO(body)
    try:
        value = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORError, ValueError, RecursionError, OverflowError, MemoryError, EOFError, TypeError) as error:
        raise MalformedCbor(f"not a CBOR value: {error}") from error
    if stream.read(1):
        raise MalformedCbor("bytes follow the CBOR value")
    return value
