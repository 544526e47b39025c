"""The ledger's log replayed: every balance and allowance, and the block behind each payment that another log names.

Source: ICRC-1, ICRC-2, ICRC-3 (block types 1mint, 1burn, 1xfer, 2approve, 2xfer).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from canisters.interface.principal import Principal

from .fields import Fields, Malformed
from .logs import Block, Log
from .report import Findings

NO_SUBACCOUNT = bytes(32)
FAUCET = b"faucet"


@dataclass(frozen=True, order=True)
class Account:
    owner: Principal
    subaccount: bytes = NO_SUBACCOUNT

    def __str__(self) -> str:
        return (
            str(self.owner) if self.subaccount == NO_SUBACCOUNT else f"{self.owner}.{self.subaccount.hex().lstrip('0')}"
        )


@dataclass(frozen=True)
class Transfer:
    """`source` or `to` is None for tokens made or destroyed. `spender`: who moved another's tokens by an allowance."""

    block: int
    ts_ns: int
    source: Account | None
    to: Account | None
    spender: Account | None
    amount_e8s: int
    fee_e8s: int


class Ledger:
    """`transfers`: by block. `balances`: as the log leaves them."""

    def __init__(self, log: Log, findings: Findings) -> None:
        self.transfers: dict[int, Transfer] = {}
        self.balances: dict[Account, int] = defaultdict(int)
        self.tip_ns = log.tip_ns
        self._allowances: dict[tuple[Account, Account], tuple[int, int | None]] = {}
        self._faucet: set[Account] = set()
        self._topic = findings.topic("ledger balances")
        for block in log:
            with self._topic.reading():
                self._apply(block)
        supply = sum(self.balances.values())
        self._topic.fact(f"{len(self.transfers)} movements, no balance below zero, {supply} e8s in all")

    def outflows(self, account: Account) -> list[Transfer]:
        return [transfer for transfer in self.transfers.values() if transfer.source == account]

    def inflows(self, account: Account) -> list[Transfer]:
        return [transfer for transfer in self.transfers.values() if transfer.to == account]

    def _apply(self, block: Block) -> None:
        tx = block.tx
        if block.btype not in ("1mint", "1burn", "1xfer", "2approve", "2xfer"):
            raise Malformed(f"{block.where}: nothing is known of blocks of type {block.btype}")
        fee = self._fee(block)
        if block.btype == "2approve":
            self._approve(block, fee)
            return
        source = None if block.btype == "1mint" else _account(tx, "from")
        to = None if block.btype == "1burn" else _account(tx, "to")
        spender = _account(tx, "spender") if block.btype == "2xfer" else None
        transfer = Transfer(block.index, block.ts_ns, source, to, spender, tx.nat("amt"), fee)
        if spender is not None:
            self._spend(transfer)
        self.transfers[block.index] = transfer
        if source is not None:
            self._take(source, transfer.amount_e8s + fee, block)
        elif to is not None:
            self._made(tx, to, block)
        if to is not None:
            self.balances[to] += transfer.amount_e8s

    def _fee(self, block: Block) -> int:
        if block.btype in ("1mint", "1burn"):
            return 0
        outer = block.outer.nat_or_none("fee")
        return outer if outer is not None else block.tx.nat("fee")

    def _take(self, account: Account, amount_e8s: int, block: Block) -> None:
        self.balances[account] -= amount_e8s
        held = self.balances[account]
        self._topic.require(held >= 0, f"{block.where}: {account} gives {-held} e8s more than it has")

    def _made(self, tx: Fields, to: Account, block: Block) -> None:
        """On a test network each principal may make an amount for itself, once."""
        if "memo" in tx and tx.blob("memo") == FAUCET and "from" not in tx:
            self._topic.require(to not in self._faucet, f"{block.where}: {to} drew from the faucet twice")
            self._faucet.add(to)

    def _approve(self, block: Block, fee: int) -> None:
        source = _account(block.tx, "from")
        self._take(source, fee, block)
        granted = (block.tx.nat("amt"), block.tx.nat_or_none("expires_at"))
        self._allowances[source, _account(block.tx, "spender")] = granted

    def _spend(self, transfer: Transfer) -> None:
        assert transfer.source is not None
        assert transfer.spender is not None
        if transfer.source == transfer.spender:
            return
        key = (transfer.source, transfer.spender)
        granted, expires_at_ns = self._allowances.get(key, (0, None))
        needed = transfer.amount_e8s + transfer.fee_e8s
        open_ = expires_at_ns is None or transfer.ts_ns < expires_at_ns
        self._topic.require(
            open_ and granted >= needed,
            f"block {transfer.block} of ledger: {transfer.spender} spends {needed} e8s of {transfer.source} without its leave",
        )
        self._allowances[key] = (granted - needed, expires_at_ns)


def _account(tx: Fields, name: str) -> Account:
    raw = tx.blobs(name)
    if not 1 <= len(raw) <= 2 or (len(raw) == 2 and len(raw[1]) != 32):
        raise Malformed(f"{tx.where}: {name} is no account")
    try:
        return Account(Principal(raw[0]), raw[1] if len(raw) == 2 else NO_SUBACCOUNT)
    except ValueError as error:
        raise Malformed(f"{tx.where}: {name} is no account") from error
