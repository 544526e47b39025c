"""One execution in progress: what the System API functions work on, and what they leave behind in the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from .contract import MODES, Closure, Entry, Environment, Mode, Outcome, OutgoingCall, OutOfInstructions

MAX_REPLY_BYTES = 2 << 20
MAX_QUERY_REPLY_BYTES = 3 << 20
MAX_CALL_BYTES = 10 << 20  # to a canister of the same subnet: here, all of them


class Trap(Exception):
    """Ends the execution; `code` is the network's error code."""

    def __init__(self, message: str, code: str = "IC0502") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class LinearMemory(Protocol):
    """Bytes that can be read and written; the ranges were checked."""

    size_bytes: int

    def read(self, offset: int, size: int) -> bytes: ...
    def write(self, offset: int, data: bytes) -> None: ...


class StableMemory(LinearMemory, Protocol):
    def grow(self, size_bytes: int) -> bool: ...


@dataclass
class PendingCall:
    """A call between call_new and call_perform."""

    callee: bytes
    method: str
    on_reply: Closure
    on_reject: Closure
    on_cleanup: Closure | None = None
    argument: bytearray = field(default_factory=bytearray)
    cycles: int = 0
    timeout_s: int | None = None


class Execution:
    def __init__(self, entry: Entry, environment: Environment, memory: LinearMemory, stable: StableMemory) -> None:
        self.mode = MODES[entry.kind]
        self.environment = environment
        self.memory = memory
        self.stable = stable
        self.outcome = Outcome(accepted=False)
        self.reply = bytearray()
        self.replied = environment.already_replied
        self.pending: PendingCall | None = None
        self.extra_instructions = 0  # charged by the host: copies, fixed costs
        self.instructions_used: Callable[[], int] = lambda: 0
        self.trapped: Trap | None = None

    # ALLOWED
    def require(self, allowed: Mode, name: str) -> None:
        if not self.mode & allowed:
            raise Trap(f"ic0.{name} cannot be called in {_mode_name(self.mode)}", "IC0504")

    # COST
    def charge(self, instructions: int) -> None:
        self.extra_instructions += instructions
        if self.extra_instructions > self.environment.instruction_limit:
            raise Trap(OutOfInstructions.words(self.environment.instruction_limit), OutOfInstructions.CODE)

    # EFFECT
    def read(self, offset: int, size: int) -> bytes:
        if offset < 0 or size < 0 or offset + size > self.memory.size_bytes:
            raise Trap(f"the range {offset}+{size} is outside the canister's memory")
        self.charge(size)
        return self.memory.read(offset, size)

    def write(self, offset: int, data: bytes) -> None:
        if offset < 0 or offset + len(data) > self.memory.size_bytes:
            raise Trap(f"the range {offset}+{len(data)} is outside the canister's memory")
        self.charge(len(data))
        self.memory.write(offset, data)

    def copy_out(self, data: bytes, destination: int, offset: int, size: int) -> None:
        """The common ending of all `*_copy` functions."""
        if offset + size > len(data):
            raise Trap(f"the range {offset}+{size} is outside data of {len(data)} bytes")
        self.write(destination, data[offset : offset + size])

    def write_u128(self, destination: int, value: int) -> None:
        self.write(destination, value.to_bytes(16, "little"))

    @property
    def liquid_cycles(self) -> int:
        """What of the balance may be spent: what is above the freezing limit."""
        return max(0, self.balance - self.environment.freezing_limit)

    @property
    def balance(self) -> int:
        """After what this execution accepted, burned and attached."""
        out = self.outcome
        pending = self.pending.cycles if self.pending else 0
        return self.environment.cycle_balance + out.cycles_accepted - out.cycles_burned - out.cycles_sent - pending

    def answer(self, *, reply: bytes | None = None, reject: str | None = None) -> None:
        if self.replied:
            raise Trap("the call has been answered already", "IC0504")
        self.replied = True
        self.outcome.reply, self.outcome.reject = reply, reject

    def perform(self) -> None:
        call = self._pending("call_perform")
        self.pending = None
        self.outcome.cycles_sent += call.cycles
        self.outcome.calls.append(
            OutgoingCall(
                call.callee, call.method, bytes(call.argument), call.cycles,
                call.on_reply, call.on_reject, call.on_cleanup, call.timeout_s,
            )
        )  # fmt: skip

    def _pending(self, name: str) -> PendingCall:
        if self.pending is None:
            raise Trap(f"ic0.{name} without ic0.call_new before it", "IC0504")
        return self.pending


def _mode_name(mode: Mode) -> str:
    names = {
        Mode.QUERY: "a query",
        Mode.UPDATE: "an update",
        Mode.INIT: "canister_init",
        Mode.START: "the start function",
    }
    return names.get(mode, f"{(mode.name or '').lower()} executions")
