"""Certified data, the timer, and speaking up."""

from __future__ import annotations

from canisters.replica.engine.contract import Mode
from canisters.replica.engine.execution import Execution, Trap

from .registry import ANY_AND_START, REPLICATED, ic0

MAX_CERTIFIED_BYTES = 32
MAX_LOG_BYTES = 32 << 10  # of one line; the log keeps its own total


@ic0("II>", REPLICATED)
def certified_data_set(execution: Execution, source: int, size: int) -> None:
    if size > MAX_CERTIFIED_BYTES:
        raise Trap(f"certified data has at most {MAX_CERTIFIED_BYTES} bytes")
    execution.outcome.certified_data = execution.read(source, size)


@ic0("L>L", REPLICATED | Mode.CLEANUP)
def global_timer_set(execution: Execution, at_ns: int) -> int:
    before = execution.outcome.global_timer_ns
    execution.outcome.global_timer_ns = at_ns
    return execution.environment.global_timer_ns if before is None else before


@ic0("II>", ANY_AND_START, 100)
def debug_print(execution: Execution, source: int, size: int) -> None:
    execution.outcome.logs.append(execution.read(source, min(size, MAX_LOG_BYTES)).decode("utf-8", "replace"))


@ic0("II>", ANY_AND_START)
def trap(execution: Execution, source: int, size: int) -> None:
    message = execution.read(source, min(size, MAX_LOG_BYTES)).decode("utf-8", "replace")
    raise Trap(message, "IC0503")
