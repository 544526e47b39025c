"""ICRC-3 values as JSON: each is one tag and its content, `{"Nat": "5"}`, `{"Map": [["key", ...]]}`; blobs hex, numbers decimal strings.

The order of a Map's fields is kept, so that the block can be hashed again from what the API shows."""

from __future__ import annotations

from typing import Any

from canisters.interface.icrc3 import MalformedValue, Value


def to_json(value: Value) -> dict[str, Any]:
    match value:
        case {"Nat": int(n)}:
            return {"Nat": str(n)}
        case {"Int": int(n)}:
            return {"Int": str(n)}
        case {"Text": str(s)}:
            return {"Text": s}
        case {"Blob": bytes(b)}:
            return {"Blob": b.hex()}
        case {"Array": list(items)}:
            return {"Array": [to_json(item) for item in items]}
        case {"Map": list(pairs)}:
            return {"Map": [[key, to_json(item)] for key, item in pairs]}
    raise MalformedValue(f"not an ICRC-3 value: {str(value)[:80]}")


def from_json(value: dict[str, Any]) -> Value:
    match value:
        case {"Nat": str(n)}:
            return {"Nat": int(n)}
        case {"Int": str(n)}:
            return {"Int": int(n)}
        case {"Text": str(s)}:
            return {"Text": s}
        case {"Blob": str(b)}:
            return {"Blob": bytes.fromhex(b)}
        case {"Array": list(items)}:
            return {"Array": [from_json(item) for item in items]}
        case {"Map": list(pairs)}:
            return {"Map": [(key, from_json(item)) for key, item in pairs]}
    raise MalformedValue(f"not a value in JSON: {str(value)[:80]}")
