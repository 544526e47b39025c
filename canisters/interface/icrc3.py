"""ICRC-3 values: the form of every block in every log here, and its representation-independent hash.

Values are Candid variants in Python's form: {"Nat": n}, {"Int": i}, {"Text": s}, {"Blob": b}, {"Array": [...]}, {"Map": [(key, value)]}.
`to_value` maps plain records to them as the canisters do. Source: ICRC-3, "Value", "hash".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from . import leb128
from .principal import Principal

Value = dict[str, Any]


class MalformedValue(ValueError):
    """Not an ICRC-3 value."""


def value_hash(value: Value) -> bytes:
    """32 bytes. Maps hash by sorted key hashes, so the order in which fields were written does not matter."""
    match value:
        case {"Nat": int(n)}:
            return hashlib.sha256(leb128.encode_unsigned(n)).digest()
        case {"Int": int(n)}:
            return hashlib.sha256(leb128.encode_signed(n)).digest()
        case {"Text": str(s)}:
            return hashlib.sha256(s.encode()).digest()
        case {"Blob": bytes(b)}:
            return hashlib.sha256(b).digest()
        case {"Array": list(items)}:
            return hashlib.sha256(b"".join(value_hash(item) for item in items)).digest()
        case {"Map": list(pairs)}:
            hashed = sorted(hashlib.sha256(key.encode()).digest() + value_hash(item) for key, item in pairs)
            return hashlib.sha256(b"".join(hashed)).digest()
    raise MalformedValue(f"not an ICRC-3 value: {str(value)[:80]}")


def to_value(data: Any) -> Value:
    """A record as a canister logs it: text Text, whole numbers Nat (negative ones Int), bytes and principals Blob, lists Array, dicts Map
    without the fields that are None, True and False as 1 and 0. A field that may be negative must be given as {"Int": n} itself."""
    if isinstance(data, bool):
        return {"Nat": int(data)}
    if isinstance(data, int):
        return {"Nat": data} if data >= 0 else {"Int": data}
    if isinstance(data, str):
        return {"Text": data}
    if isinstance(data, bytes | bytearray):
        return {"Blob": bytes(data)}
    if isinstance(data, Principal):
        return {"Blob": data.raw}
    if isinstance(data, Mapping):
        if len(data) == 1 and isinstance(data.get("Int"), int):
            return {"Int": data["Int"]}
        if len(data) == 1 and next(iter(data.values())) is None and next(iter(data))[:1].isupper():
            return {"Text": next(iter(data))}  # a variant without payload
        return {"Map": [(key, to_value(item)) for key, item in data.items() if item is not None]}
    if isinstance(data, Sequence):
        return {"Array": [to_value(item) for item in data]}
    raise MalformedValue(f"nothing in ICRC-3 stands for a {type(data).__name__}")


def from_value(value: Value) -> Any:
    """The plain form: Map becomes dict, Array list; what was a principal or a variant is for the reader to know."""
    match value:
        case {"Map": list(pairs)}:
            return {key: from_value(item) for key, item in pairs}
        case {"Array": list(items)}:
            return [from_value(item) for item in items]
        case {"Nat": x} | {"Int": x} | {"Text": x} | {"Blob": x}:
            return x
    raise MalformedValue(f"not an ICRC-3 value: {str(value)[:80]}")
