"""What goes on in the network, for a person who looks: the page `/_/dashboard` and the figures that it asks for.

Counted in memory since the process started; nothing of it is part of the network's state."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .builtin import text_of
from .state import Canister

MAX_TRAPS = 20
PAGE = Path(__file__).parent / "dashboard.html"
# The page is of one piece, asks nobody else, and is shown in nobody's frame.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"


@dataclass
class Figures:
    """`messages`, `queries`: executions by canister id. Written by whoever executes, under the lock of the canister's sandbox."""

    messages: Counter[bytes] = field(default_factory=Counter)
    queries: Counter[bytes] = field(default_factory=Counter)
    traps: deque[tuple[int, bytes, str]] = field(default_factory=lambda: deque(maxlen=MAX_TRAPS))

    def trapped(self, canister_id: bytes, text: str) -> None:
        self.traps.appendleft((time.time_ns(), canister_id, text))

    def shown(self, height: int, canisters: Iterable[Canister]) -> dict[str, Any]:
        """As JSON takes it; cycles as text, since they may not fit a number."""
        return {
            "at_ns": time.time_ns(),
            "height": height,
            "messages": self.messages.total(),
            "queries": self.queries.total(),
            "canisters": [self._canister(canister) for canister in canisters],
            "traps": [{"at_ns": at, "canister": text_of(who), "text": text} for at, who, text in list(self.traps)],
        }

    def _canister(self, canister: Canister) -> dict[str, Any]:
        sandbox = canister.sandbox
        return {
            "id": text_of(canister.id),
            "status": canister.status if sandbox else f"{canister.status}, empty",
            "heap_bytes": sandbox.heap_bytes if sandbox else 0,
            "stable_bytes": sandbox.stable_bytes if sandbox else 0,
            "cycles": str(canister.cycles),
            "messages": self.messages[canister.id],
            "queries": self.queries[canister.id],
        }
