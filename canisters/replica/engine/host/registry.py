"""How a System API function is declared: its signature, where it may be called, what it costs before its effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from canisters.replica.engine.contract import Mode
from canisters.replica.engine.execution import Execution

ANY = ~Mode.START
ANY_AND_START = ANY | Mode.START
ANSWERS = Mode.UPDATE | Mode.QUERY | Mode.REPLICATED_QUERY | Mode.COMPOSITE | Mode.REPLY | Mode.REJECT
ANSWERS |= Mode.COMPOSITE_REPLY | Mode.COMPOSITE_REJECT
REPLICATED = Mode.INIT | Mode.PRE_UPGRADE | Mode.UPDATE | Mode.REPLY | Mode.REJECT | Mode.TIMER
CALLBACKS = Mode.REPLY | Mode.REJECT | Mode.COMPOSITE_REPLY | Mode.COMPOSITE_REJECT
CALLERS = Mode.UPDATE | Mode.COMPOSITE | CALLBACKS | Mode.TIMER

# Whose amounts and offsets are too small for a canister with 64-bit memory.
NARROW_ONLY = {
    "msg_cycles_available", "msg_cycles_refunded", "msg_cycles_accept", "canister_cycle_balance", "call_cycles_add",
    "stable_size", "stable_grow", "stable_write", "stable_read",
}  # fmt: skip
OVERHEAD = 500  # instructions, of almost every function. Source: system_api_complexity.rs
Effect = Callable[..., int | None]


@dataclass(frozen=True)
class SystemFunction:
    """`parameters` and `result`: "I" is a pointer or size (i32 or i64 by the canister's memory), "i" i32, "L" i64, "" nothing."""

    name: str
    parameters: str
    result: str
    allowed: Mode
    cost: int
    effect: Effect

    def accepts(self, params: list[str], results: list[str], *, wide: bool) -> bool:
        """Whether a module whose memory is of 64 bits (`wide`), or of 32, may import it with this type."""
        types = {"I": "i64" if wide else "i32", "i": "i32", "L": "i64"}
        wanted = [types[letter] for letter in self.parameters], [types[letter] for letter in self.result]
        return wanted == (params, results) and not (wide and self.name in NARROW_ONLY)

    def run(self, execution: Execution, arguments: list[int]) -> int | None:
        # ALLOWED
        execution.require(self.allowed, self.name)
        # COST
        execution.charge(self.cost)
        # EFFECT
        return self.effect(execution, *arguments)


FUNCTIONS: dict[str, SystemFunction] = {}


def ic0(signature: str, allowed: Mode, cost: int = OVERHEAD) -> Callable[[Effect], Effect]:
    """Declare `ic0.<function's name>`. `signature`: "parameters>result", as in `SystemFunction`."""
    parameters, result = signature.split(">")

    def declare(effect: Effect) -> Effect:
        name = effect.__name__
        FUNCTIONS[name] = SystemFunction(name, parameters, result, allowed, cost, effect)
        return effect

    return declare
