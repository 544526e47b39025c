"""Calls to other canisters: built piece by piece, sent when the execution ends well."""

from __future__ import annotations

from canisters.replica.engine.contract import Closure, Mode
from canisters.replica.engine.execution import MAX_CALL_BYTES, Execution, PendingCall, Trap

from .registry import CALLERS, ic0

_MAX_NAME_BYTES = 20_000
_BEST_EFFORT_MAX_S = 300  # longer timeouts are cut to this


def _pending(execution: Execution, name: str) -> PendingCall:
    if execution.pending is None:
        raise Trap(f"ic0.{name} without ic0.call_new before it", "IC0504")
    return execution.pending


@ic0("IIIIIIII>", CALLERS)
def call_new(
    execution: Execution, callee: int, callee_size: int, name: int, name_size: int,
    reply_function: int, reply_environment: int, reject_function: int, reject_environment: int,
) -> None:  # fmt: skip
    execution.pending = None  # a call that was begun and not performed is given up; its cycles were never taken
    if callee_size > 29:
        raise Trap("the callee is not a principal: it has more than 29 bytes")
    if name_size > _MAX_NAME_BYTES:
        raise Trap("the method's name is too long")
    try:
        method = execution.read(name, name_size).decode()
    except UnicodeDecodeError as error:
        raise Trap("the method's name is not UTF-8") from error
    execution.pending = PendingCall(
        execution.read(callee, callee_size),
        method,
        Closure(reply_function, reply_environment),
        Closure(reject_function, reject_environment),
    )


@ic0("II>", CALLERS)
def call_on_cleanup(execution: Execution, function: int, environment: int) -> None:
    call = _pending(execution, "call_on_cleanup")
    if call.on_cleanup is not None:
        raise Trap("call_on_cleanup was called twice", "IC0504")
    call.on_cleanup = Closure(function, environment)


@ic0("II>", CALLERS)
def call_data_append(execution: Execution, source: int, size: int) -> None:
    call = _pending(execution, "call_data_append")
    if len(call.argument) + size > MAX_CALL_BYTES:
        raise Trap(f"the call's argument is larger than {MAX_CALL_BYTES} bytes", "IC0504")
    call.argument += execution.read(source, size)


@ic0("i>", CALLERS)
def call_with_best_effort_response(execution: Execution, timeout_s: int) -> None:
    call = _pending(execution, "call_with_best_effort_response")
    if call.timeout_s is not None:
        raise Trap("call_with_best_effort_response was called twice", "IC0504")
    call.timeout_s = min(timeout_s, _BEST_EFFORT_MAX_S)


def _add_cycles(execution: Execution, amount: int, name: str) -> None:
    call = _pending(execution, name)
    if amount > execution.liquid_cycles:
        raise Trap(f"{amount} cycles cannot be attached: the balance is {execution.liquid_cycles}", "IC0504")
    call.cycles += amount


@ic0("L>", Mode.UPDATE | Mode.REPLY | Mode.REJECT | Mode.TIMER)
def call_cycles_add(execution: Execution, amount: int) -> None:
    _add_cycles(execution, amount, "call_cycles_add")


@ic0("LL>", Mode.UPDATE | Mode.REPLY | Mode.REJECT | Mode.TIMER)
def call_cycles_add128(execution: Execution, high: int, low: int) -> None:
    _add_cycles(execution, high << 64 | low, "call_cycles_add128")


@ic0(">i", CALLERS)
def call_perform(execution: Execution) -> int:
    execution.perform()
    return 0
