"""Canonical JSON: one text for one value, so that its SHA-256 can stand on the chain.

Sorted keys, no spaces, ASCII only. Browser, worker and server all hash this form."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Encode `value`. Raises ValueError for NaN and infinities, which JSON does not have."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
