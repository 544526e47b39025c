"""The cycles ledger and the cycles minting canister, as far as the `icp` tool needs them: for canisters, transfers, and cycles for ICP.

This network gives cycles away: every account begins with START_CYCLES, the anonymous principal's with enough for everybody's. What is spent
and paid in is kept, so balances are true. ICP has one price here for ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canisters.interface.principal import Principal

from . import tokens
from .builtin import Builtin, Call, Refusal
from .management import settings

START_CYCLES = 1_000 * 10**12
TREASURY_CYCLES = 10**9 * 10**12
FEE_CYCLES = 100_000_000
SUBACCOUNT_BYTES = 32
LEDGER_ID = Principal.from_text("um5iw-rqaaa-aaaaq-qaaba-cai")
MINTING_ID = Principal.from_text("rkp4c-7iaaa-aaaaa-aaaca-cai")
_CONTRACTS = Path(__file__).parent / "contracts"
LEDGER = Builtin.of_contract("Cycles ledger", _CONTRACTS / "cycles_ledger.did")
LEDGER.only_canisters = frozenset({"deposit"})
MINTING = Builtin.of_contract("Cycles minting canister", _CONTRACTS / "cycles_minting.did")
CANISTERS = {LEDGER_ID.raw: LEDGER, MINTING_ID.raw: MINTING, tokens.LEDGER_ID.raw: tokens.LEDGER}
XDR_PERMYRIAD_PER_ICP = 50_000  # five XDR for an ICP
CYCLES_PER_XDR = 10**12


@MINTING.method
def get_icp_xdr_conversion_rate(call: Call, _argument: None) -> Any:
    data = {
        "timestamp_seconds": call.executor.network.time_ns // 10**9,
        "xdr_permyriad_per_icp": XDR_PERMYRIAD_PER_ICP,
    }
    return {"data": data, "hash_tree": b"", "certificate": b""}


@MINTING.method
def notify_mint_cycles(call: Call, argument: dict[str, Any]) -> Any:
    """Cycles for the ICP that the caller has sent to this canister's subaccount of the caller's own; once for each transfer."""
    network, index = call.executor.network, argument["block_index"]
    own = bytes([len(call.caller)]) + call.caller
    expected = tokens.account_id(MINTING_ID.raw, own + bytes(SUBACCOUNT_BYTES - len(own)))
    if index >= len(network.icp_blocks) or network.icp_blocks[index][1] != expected:
        return {"Err": {"InvalidTransaction": f"block {index} is no transfer to your account at the minting canister"}}
    if index in network.minted_blocks:
        return {"Err": {"InvalidTransaction": f"cycles were given for block {index} already"}}
    minted = network.icp_blocks[index][2] * XDR_PERMYRIAD_PER_ICP * CYCLES_PER_XDR // (10_000 * 10**8)
    network.minted_blocks.add(index)
    account = _account(call.caller, argument["to_subaccount"])
    block = _spend(call, account, FEE_CYCLES - minted)
    return {"Ok": {"block_index": block, "minted": minted, "balance": _balance(call, account)}}


@MINTING.method
def get_default_subnets(call: Call, _argument: None) -> Any:
    return [Principal(call.executor.signer.subnet_id)]


def _account(owner: bytes, subaccount: bytes | None) -> bytes:
    if subaccount is not None and len(subaccount) != SUBACCOUNT_BYTES:
        raise Refusal(f"a subaccount has {SUBACCOUNT_BYTES} bytes", "IC0406")
    return owner + (subaccount or bytes(SUBACCOUNT_BYTES))


def _balance(call: Call, account: bytes) -> int:
    start = TREASURY_CYCLES if account == _account(Principal.anonymous().raw, None) else START_CYCLES
    return start - call.executor.network.cycles_spent.get(account, 0)


def _spend(call: Call, account: bytes, amount: int) -> int:
    """Take cycles from an account, or give it some when `amount` is negative. Returns the block's index."""
    network = call.executor.network
    network.cycles_spent[account] = network.cycles_spent.get(account, 0) + amount
    network.cycles_blocks += 1
    return network.cycles_blocks - 1


@LEDGER.method
def create_canister(call: Call, argument: dict[str, Any]) -> Any:
    account = _account(call.caller, argument["from_subaccount"])
    amount: int = argument["amount"]
    if amount + FEE_CYCLES > _balance(call, account):
        return {"Err": {"InsufficientFunds": {"balance": _balance(call, account)}}}
    creation = argument["creation_args"] or {}
    if amount < settings.CREATION_FEE:
        error = f"creating a canister needs {settings.CREATION_FEE} cycles"
        return {"Err": {"FailedToCreate": {"fee_block": None, "refund_block": None, "error": error}}}
    selection = creation.get("subnet_selection") or {}
    subnet = selection.get("Subnet", {}).get("subnet")
    if subnet is not None and subnet.raw != call.executor.signer.subnet_id:
        error = f"there is no subnet {subnet} on this network"
        return {"Err": {"FailedToCreate": {"fee_block": None, "refund_block": None, "error": error}}}
    made = settings.create(call, creation, amount - settings.CREATION_FEE)
    return {"Ok": {"block_id": _spend(call, account, amount + FEE_CYCLES), "canister_id": made["canister_id"]}}


@LEDGER.method
def icrc1_transfer(call: Call, argument: dict[str, Any]) -> Any:
    account = _account(call.caller, argument["from_subaccount"])
    to = _account(argument["to"]["owner"].raw, argument["to"]["subaccount"])
    if argument["fee"] not in (None, FEE_CYCLES):
        return {"Err": {"BadFee": {"expected_fee": FEE_CYCLES}}}
    if argument["amount"] + FEE_CYCLES > _balance(call, account):
        return {"Err": {"InsufficientFunds": {"balance": _balance(call, account)}}}
    _spend(call, account, argument["amount"] + FEE_CYCLES)
    network = call.executor.network
    network.cycles_spent[to] = network.cycles_spent.get(to, 0) - argument["amount"]
    return {"Ok": network.cycles_blocks - 1}


@LEDGER.method
def withdraw(call: Call, argument: dict[str, Any]) -> Any:
    """Cycles of an account into a canister."""
    account, receiver = _account(call.caller, argument["from_subaccount"]), argument["to"]
    canister = call.executor.network.canisters.get(receiver.raw)
    if canister is None:
        return {"Err": {"InvalidReceiver": {"receiver": receiver}}}
    if argument["amount"] + FEE_CYCLES > _balance(call, account):
        return {"Err": {"InsufficientFunds": {"balance": _balance(call, account)}}}
    canister.cycles += argument["amount"]
    call.executor.touch(canister)
    return {"Ok": _spend(call, account, argument["amount"] + FEE_CYCLES)}


@LEDGER.method
def deposit(call: Call, argument: dict[str, Any]) -> Any:
    to = argument["to"]
    account = _account(to["owner"].raw, to["subaccount"])
    if call.available < FEE_CYCLES:
        raise Refusal(f"a deposit must be at least {FEE_CYCLES} cycles, the fee", "IC0406")
    index = _spend(call, account, FEE_CYCLES - call.available)
    call.taken = call.request.cycles
    return {"block_index": index, "balance": _balance(call, account)}


@LEDGER.method
def icrc1_balance_of(call: Call, argument: dict[str, Any]) -> Any:
    return _balance(call, _account(argument["owner"].raw, argument["subaccount"]))


@LEDGER.method
def icrc1_fee(_call: Call, _argument: None) -> Any:
    return FEE_CYCLES


@LEDGER.method
def icrc1_decimals(_call: Call, _argument: None) -> Any:
    return 12


@LEDGER.method
def icrc1_symbol(_call: Call, _argument: None) -> Any:
    return "TCYCLES"


@LEDGER.method
def icrc1_name(_call: Call, _argument: None) -> Any:
    return "Trillion Cycles"
