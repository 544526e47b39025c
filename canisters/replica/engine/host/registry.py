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
REPLICATED = Mode.INIT | Mode.UPGRADE | Mode.UPDATE | Mode.REPLY | Mode.REJECT | Mode.TIMER
CALLBACKS = Mode.REPLY | Mode.REJECT | Mode.COMPOSITE_REPLY | Mode.COMPOSITE_REJECT
CALLERS = Mode.UPDATE | Mode.COMPOSITE | CALLBACKS | Mode.TIMER

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

    def accepts(self, params: list[str], results: list[str]) -> bool:
        wanted = [*self.parameters, *self.result]
        given = [*params, *results]
        if len(params) != len(self.parameters) or len(results) != len(self.result):
            return False
        pointers = {g for w, g in zip(wanted, given, strict=True) if w == "I"}
        fixed = all(g == {"i": "i32", "L": "i64"}.get(w, g) for w, g in zip(wanted, given, strict=True))
        return fixed and len(pointers) <= 1 and pointers <= {"i32", "i64"}

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
