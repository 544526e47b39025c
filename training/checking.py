"""Checks a config against its recipe's schema: complete, nothing unknown, each complaint under the name of its field."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # ships no types

from .errors import BadConfig

_NEEDED = {"evaluation_sha256": "name the evaluation set by its SHA-256, 64 lower-case hex digits"}

_MAX_DEPTH = 4
_KINDS = {
    "array": "a list",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "an object",
    "string": "text",
}


def checked_config(config: Any, schema: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """`config` over `defaults`, with whole numbers as integers. Raises: BadConfig."""
    if not isinstance(config, dict):
        raise BadConfig({"config": "must be an object"})
    fields = dict(_unusable(config, ()))
    if fields:
        raise BadConfig(fields)
    complete = {**defaults, **config}
    if isinstance(config.get("valuation"), dict):
        complete["valuation"] = {**defaults["valuation"], **config["valuation"]}
    for error in Draft202012Validator(schema).iter_errors(complete):
        for name, text in _complaints(error):
            fields.setdefault(name, text)
    if not fields:
        complete = _normal(complete)
        fields = _contradictions(complete)
    if fields:
        raise BadConfig(fields)
    return complete


def _unusable(value: Any, path: tuple[str, ...]) -> list[tuple[str, str]]:
    """What JSON Schema lets through and canonical JSON, a database or a terminal would not."""
    if len(path) > _MAX_DEPTH:
        return [(".".join(path), "is nested too deeply")]
    if isinstance(value, dict):
        return [
            found
            for key, inner in value.items()
            for found in [*_unusable(key, path), *_unusable(inner, (*path, _shown(key)))]
        ]
    if isinstance(value, list):
        return [found for index, inner in enumerate(value) for found in _unusable(inner, (*path, str(index)))]
    name = ".".join(path) or "config"
    if isinstance(value, float) and not math.isfinite(value):
        return [(name, "must be a finite number")]
    if isinstance(value, str) and any(unicodedata.category(sign) in ("Cc", "Cs") for sign in value):
        return [(name, "holds a control character or half a character")]
    return []


def _shown(key: Any) -> str:
    """A key as it can be named in an answer: short, and valid text."""
    return str(key)[:60].encode("utf-8", "replace").decode("utf-8")


def _complaints(error: ValidationError) -> list[tuple[str, str]]:
    path = [str(step) for step in error.absolute_path]
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        unknown = sorted(key for key in error.instance if key not in known)
        text = f"there is no such field; there are {', '.join(sorted(known))}"
        return [(".".join([*path, _shown(key)]), text) for key in unknown]
    name = ".".join(path)
    return [(name, _NEEDED.get(name) or _in_words(error))]


def _in_words(error: ValidationError) -> str:
    limit = error.validator_value
    match error.validator:
        case "type":
            kinds = [limit] if isinstance(limit, str) else limit
            return f"must be {' or '.join(_KINDS[kind] for kind in kinds)}"
        case "enum":
            return f"must be one of {', '.join(limit)}"
        case "minimum":
            return f"must be at least {limit}"
        case "maximum":
            return f"must be at most {limit}"
        case "exclusiveMinimum":
            return f"must be more than {limit}"
        case "minItems":
            return f"needs at least {limit} entries"
        case "maxItems":
            return f"takes at most {limit} entries"
        case "uniqueItems":
            return "has an entry twice"
        case "minLength":
            return "must not be empty"
        case "maxLength":
            return f"must be at most {limit} characters long"
    return str(error.message)


def _normal(value: Any) -> Any:
    """60.0 is a whole number to JSON Schema; what uses it wants 60."""
    if isinstance(value, dict):
        return {key: _normal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_normal(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _contradictions(config: dict[str, Any]) -> dict[str, str]:
    """What no single field shows."""
    fields: dict[str, str] = {}
    if config["target"] in (config.get("features") or []):
        fields["features"] = "holds the target column: the answer must not be among the questions"
    labels, positive = config["labels"], config["positive"]
    if labels is not None and positive is not None and positive not in labels:
        fields["positive"] = "must be one of the labels"
    if labels is not None and positive is not None and len(labels) != 2:
        fields["positive"] = "has a meaning with two classes only"
    return fields
