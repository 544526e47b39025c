"""Cycles: balance, what came with the call, what is taken, what is given up, what things would cost."""

from __future__ import annotations

from canisters.replica.engine.contract import KEY_FEES, Mode
from canisters.replica.engine.execution import Execution, Trap

from .registry import ANY, ANY_AND_START, REPLICATED, ic0

_WITH_CALL = Mode.UPDATE | Mode.REPLICATED_QUERY | Mode.REPLY | Mode.REJECT
_RESPONSES = Mode.REPLY | Mode.REJECT
_U64 = (1 << 64) - 1

# Cycles, 13-node subnet. Source: developer documentation, "Cycles cost"; `ic-limits` of the design notes.
COST_CALL, COST_CALL_BYTE, COST_CREATE = 260_000, 1_000, 500_000_000_000
COST_HTTP_BASE, COST_HTTP_NODE, COST_HTTP_REQUEST_BYTE, COST_HTTP_RESPONSE_BYTE, NODES = 3_000_000, 60_000, 400, 800, 13


def _available(execution: Execution) -> int:
    """What came with the call and was neither taken yet nor, with the answer, sent back."""
    left = execution.environment.cycles_available - execution.outcome.cycles_accepted
    return 0 if execution.replied else left


def _as_u64(value: int, name: str) -> int:
    if value > _U64:
        raise Trap(f"ic0.{name}: the amount does not fit in 64 bits; use the 128-bit function")
    return value


@ic0(">L", ANY)
def canister_cycle_balance(execution: Execution) -> int:
    return _as_u64(execution.balance, "canister_cycle_balance")


@ic0("I>", ANY)
def canister_cycle_balance128(execution: Execution, destination: int) -> None:
    execution.write_u128(destination, execution.balance)


@ic0("I>", ANY)
def canister_liquid_cycle_balance128(execution: Execution, destination: int) -> None:
    execution.write_u128(destination, execution.liquid_cycles)


@ic0(">L", _WITH_CALL)
def msg_cycles_available(execution: Execution) -> int:
    return _as_u64(_available(execution), "msg_cycles_available")


@ic0("I>", _WITH_CALL)
def msg_cycles_available128(execution: Execution, destination: int) -> None:
    execution.write_u128(destination, _available(execution))


@ic0(">L", _RESPONSES)
def msg_cycles_refunded(execution: Execution) -> int:
    return _as_u64(execution.environment.cycles_refunded, "msg_cycles_refunded")


@ic0("I>", _RESPONSES)
def msg_cycles_refunded128(execution: Execution, destination: int) -> None:
    execution.write_u128(destination, execution.environment.cycles_refunded)


def _accept(execution: Execution, most: int) -> int:
    taken = min(most, _available(execution))
    execution.outcome.cycles_accepted += taken
    return taken


@ic0("L>L", _WITH_CALL)
def msg_cycles_accept(execution: Execution, most: int) -> int:
    return _accept(execution, most)


@ic0("LLI>", _WITH_CALL)
def msg_cycles_accept128(execution: Execution, high: int, low: int, destination: int) -> None:
    execution.write_u128(destination, _accept(execution, high << 64 | low))


@ic0("LLI>", REPLICATED | Mode.REPLICATED_QUERY | Mode.CLEANUP)
def cycles_burn128(execution: Execution, high: int, low: int, destination: int) -> None:
    burned = max(0, min(high << 64 | low, execution.liquid_cycles))
    execution.outcome.cycles_burned += burned
    execution.write_u128(destination, burned)


@ic0("LLI>", ANY_AND_START)
def cost_call(execution: Execution, name_size: int, argument_size: int, destination: int) -> None:
    execution.write_u128(destination, COST_CALL + COST_CALL_BYTE * (name_size + argument_size))


@ic0("I>", ANY_AND_START)
def cost_create_canister(execution: Execution, destination: int) -> None:
    execution.write_u128(destination, COST_CREATE)


@ic0("LLI>", ANY_AND_START)
def cost_http_request(execution: Execution, request_size: int, max_response: int, destination: int) -> None:
    per_node = COST_HTTP_NODE * NODES + COST_HTTP_REQUEST_BYTE * request_size + COST_HTTP_RESPONSE_BYTE * max_response
    execution.write_u128(destination, (COST_HTTP_BASE + per_node) * NODES)


@ic0("IIiI>i", ANY_AND_START)
def cost_sign_with_ecdsa(execution: Execution, name: int, size: int, curve: int, destination: int) -> int:
    return _key_fee(execution, name, size, destination) if curve == 0 else 1


@ic0("IIiI>i", ANY_AND_START)
def cost_sign_with_schnorr(execution: Execution, name: int, size: int, algorithm: int, destination: int) -> int:
    return _key_fee(execution, name, size, destination) if algorithm in (0, 1) else 1


@ic0("IIiI>i", ANY_AND_START)
def cost_vetkd_derive_key(execution: Execution, name: int, size: int, curve: int, destination: int) -> int:
    return _key_fee(execution, name, size, destination) if curve == 0 else 1


def _key_fee(execution: Execution, name: int, size: int, destination: int) -> int:
    """0 and the fee, or 2 when the network has no key of that name."""
    fee = KEY_FEES.get(execution.read(name, size).decode("utf-8", "replace"))
    if fee is None:
        return 2
    execution.write_u128(destination, fee)
    return 0
