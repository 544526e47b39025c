"""Seeds for each use, derived from the job's one seed, so that no two uses share a stream of random numbers."""

from __future__ import annotations

import hashlib

MAX_SEED = 2**64 - 1


def derived_seed(seed: int, use: str, repetition: int = 0) -> int:
    """63 bits of SHA-256 over seed, use and repetition. The same on every machine."""
    digest = hashlib.sha256(f"commonweight/seed/v1|{seed}|{use}|{repetition}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
