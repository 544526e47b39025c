"""The System API: every `ic0` function, one family a file, each in the blocks ALLOWED, COST, EFFECT.

`FUNCTIONS` maps names to functions; `SystemFunction` knows which wasm types an import of it may have (32 or 64-bit pointers).
Source: interface specification, "System API"."""

from __future__ import annotations

from . import arguments, calls, cycles, environment, stable, system
from .registry import FUNCTIONS, SystemFunction

__all__ = ["FUNCTIONS", "SystemFunction", "arguments", "calls", "cycles", "environment", "stable", "system"]
