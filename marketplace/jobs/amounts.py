"""Numbers from the chain that have no upper end there, made fit to be kept and shown.

Python refuses to write whole numbers of thousands of digits, and a log may hold them. Nothing that means something is this large."""

from __future__ import annotations

from typing import TypeVar

MOST = 10**40 - 1
Kept = TypeVar("Kept")


def bounded(value: Kept) -> Kept:
    """A whole number brought between -MOST and MOST; anything else as it is."""
    if isinstance(value, int):
        return max(-MOST, min(MOST, value))  # type: ignore[return-value]  # an int again
    return value
