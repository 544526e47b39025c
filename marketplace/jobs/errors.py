"""Why a job cannot be carried out, as the worker says it.

JobError
|- Deterministic   trying again gives the same: the job is failed on the chain with `kind` and `reason`, and the escrow goes back
|- Waiting         something that others must bring is not here yet: the job keeps its state, and its page says what it waits for
`- Superseded      the job is no longer this run's: it was cancelled, expired, or another run has it
"""

from __future__ import annotations

MAX_REASON = 1_000  # what the jobs canister takes


class JobError(Exception):
    """Root of the worker's errors."""


class Deterministic(JobError):
    """`kind`: one word for programs. `reason`: public and on the chain, so it names places and quotes no data."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason if len(reason) <= MAX_REASON else reason[: MAX_REASON - 3] + "..."


class Waiting(JobError):
    """`str()` says for what."""


class Superseded(JobError):
    """`str()` says by what."""
