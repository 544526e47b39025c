"""Who asks: a principal that proved itself by a signature, never one of Django's users."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """`token_id`: set when an API token was used; only then can the server act on the chain for the caller."""

    principal: str
    token_id: int | None = None

    is_authenticated = True
    is_active = True
