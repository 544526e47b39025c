"""The ICP ledger, as far as the `icp` tool and a wallet need it: balances by account identifier, transfers, what the token is called, and the
block that the minting canister looks up.

Nobody's ICP is worth anything here. The anonymous principal begins with all of it, as on a local network of the official tools, so that they
can hand it out. Source: ICP ledger, "Account identifiers"; ICRC-1.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import Any

from canisters.interface.principal import Principal

from .builtin import Builtin, Call, Refusal

START_E8S = 10**9 * 10**8
FEE_E8S = 10_000
NAME, SYMBOL, DECIMALS = "Internet Computer", "ICP", 8
SUBACCOUNT_BYTES = 32
ACCOUNT_BYTES = 32
LEDGER_ID = Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai")
LEDGER = Builtin.of_contract("ICP ledger", Path(__file__).parent / "contracts" / "icp_ledger.did")


def account_id(owner: bytes, subaccount: bytes | None = None) -> bytes:
    """32 bytes: a checksum, then a hash of owner and subaccount. Raises Refusal."""
    if subaccount is not None and len(subaccount) != SUBACCOUNT_BYTES:
        raise Refusal(f"a subaccount has {SUBACCOUNT_BYTES} bytes", "IC0406")
    digest = hashlib.sha224(b"\x0aaccount-id" + owner + (subaccount or bytes(SUBACCOUNT_BYTES))).digest()
    return zlib.crc32(digest).to_bytes(4, "big") + digest


_TREASURY = account_id(Principal.anonymous().raw)


def balance(call: Call, account: bytes) -> int:
    return call.executor.network.icp_e8s.get(account, START_E8S if account == _TREASURY else 0)


def _moved(call: Call, source: bytes, to: bytes, amount: int) -> int | None:
    """The transfer's block, or None when the source has too little. The fee is burned."""
    before = balance(call, source)
    if amount + FEE_E8S > before:
        return None
    network = call.executor.network
    network.icp_e8s[source] = before - amount - FEE_E8S
    network.icp_e8s[to] = balance(call, to) + amount
    network.icp_blocks.append((source, to, amount))
    call.executor.changes.others = True
    return len(network.icp_blocks) - 1


@LEDGER.method
def transfer(call: Call, argument: dict[str, Any]) -> Any:
    source, to = account_id(call.caller, argument["from_subaccount"]), argument["to"]
    if len(to) != ACCOUNT_BYTES or zlib.crc32(to[4:]).to_bytes(4, "big") != to[:4]:
        raise Refusal("the account identifier is malformed: its checksum does not fit", "IC0406")
    if argument["fee"]["e8s"] != FEE_E8S:
        return {"Err": {"BadFee": {"expected_fee": {"e8s": FEE_E8S}}}}
    block = _moved(call, source, to, argument["amount"]["e8s"])
    return (
        {"Err": {"InsufficientFunds": {"balance": {"e8s": balance(call, source)}}}} if block is None else {"Ok": block}
    )


@LEDGER.method
def icrc1_transfer(call: Call, argument: dict[str, Any]) -> Any:
    source = account_id(call.caller, argument["from_subaccount"])
    to = account_id(argument["to"]["owner"].raw, argument["to"]["subaccount"])
    if argument["fee"] not in (None, FEE_E8S):
        return {"Err": {"BadFee": {"expected_fee": FEE_E8S}}}
    block = _moved(call, source, to, argument["amount"])
    return {"Err": {"InsufficientFunds": {"balance": balance(call, source)}}} if block is None else {"Ok": block}


@LEDGER.method
def account_balance(call: Call, argument: dict[str, Any]) -> Any:
    return {"e8s": balance(call, argument["account"])}


@LEDGER.method
def icrc1_balance_of(call: Call, argument: dict[str, Any]) -> Any:
    return balance(call, account_id(argument["owner"].raw, argument["subaccount"]))


@LEDGER.method
def icrc1_fee(_call: Call, _argument: None) -> Any:
    return FEE_E8S


@LEDGER.method
def transfer_fee(_call: Call, _argument: dict[str, Any]) -> Any:
    return {"transfer_fee": {"e8s": FEE_E8S}}


@LEDGER.method
def icrc1_decimals(_call: Call, _argument: None) -> Any:
    return DECIMALS


@LEDGER.method
def icrc1_symbol(_call: Call, _argument: None) -> Any:
    return SYMBOL


@LEDGER.method
def icrc1_name(_call: Call, _argument: None) -> Any:
    return NAME


@LEDGER.method
def icrc1_metadata(_call: Call, _argument: None) -> Any:
    return [
        ("icrc1:name", {"Text": NAME}),
        ("icrc1:symbol", {"Text": SYMBOL}),
        ("icrc1:decimals", {"Nat": DECIMALS}),
        ("icrc1:fee", {"Nat": FEE_E8S}),
    ]


@LEDGER.method
def icrc1_supported_standards(_call: Call, _argument: None) -> Any:
    return [{"name": "ICRC-1", "url": "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-1"}]
