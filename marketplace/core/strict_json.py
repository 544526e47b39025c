"""JSON from strangers, so strict that it can be stored, passed on and shown: no NaN, no infinities (also not as 1e999), no lone
surrogates, no NUL, no bottomless nesting."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 32


class NotStrictJson(ValueError):
    """The text says what is wrong."""


def strict_json(data: bytes) -> Any:
    """Parse. Raises NotStrictJson."""
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise NotStrictJson("The body is not JSON. Send a UTF-8 JSON object.") from error
    _check(value, 0)
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotStrictJson("The body is nested too deeply.")
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise NotStrictJson("The body has text that is not valid Unicode, or a NUL character.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotStrictJson("The body has a number that is too large.")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth + 1)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
