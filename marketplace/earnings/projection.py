"""Keeps what the ledger logs: every transfer, mint, burn and approval, and the balances that follow from them."""

from __future__ import annotations

from typing import Any

from marketplace.chain.projection import Fact, Projection, account_of
from marketplace.jobs.amounts import bounded

from .accounts import account_text
from .models import Balance, Transfer

projection = Projection("earnings", tables=(Transfer, Balance))

_TITLES = {
    "1xfer": "A transfer",
    "2xfer": "A transfer by an allowance",
    "1mint": "Tokens created",
    "1burn": "Tokens destroyed",
    "2approve": "An allowance given",
}


def ledger_changed(fact: Fact) -> None:
    """A repeated block changes nothing. The fee leaves the giver and goes to nobody."""
    tx = fact.tx
    if Transfer.objects.filter(block=fact.index).exists():
        return
    giver = account_of(tx["from"]) if "from" in tx else None
    taker = account_of(tx["to"]) if "to" in tx else None
    fee = fact.block.get("fee", tx.get("fee", 0))
    moved = 0 if fact.btype == "2approve" else tx["amt"]
    if giver is not None:
        _add(giver, -(moved + fee))
    if taker is not None:
        _add(taker, moved)
    shown = taker if fact.btype != "2approve" else account_of(tx["spender"])
    Transfer.objects.create(
        block=fact.index,
        giver=giver[0] if giver else "",
        taker=shown[0] if shown else "",
        record=_record(fact, giver, shown, fee),
    )


for _btype, _title in _TITLES.items():
    projection.on("ledger", _btype, title=_title)(ledger_changed)


def _record(fact: Fact, giver: tuple[str, str] | None, taker: tuple[str, str] | None, fee: int) -> dict[str, Any]:
    memo = fact.tx.get("memo")
    return {
        "index": fact.index,
        "btype": fact.btype,
        "from": account_text(*giver) if giver else None,
        "to": account_text(*taker) if taker else None,
        "amount_e8s": str(bounded(fact.tx["amt"])),
        "fee_e8s": str(bounded(fee)),
        "at_ns": str(fact.at_ns),
        "memo": memo.hex() if memo is not None else None,
    }


def _add(account: tuple[str, str], change: int) -> None:
    owner, subaccount = account
    balance, _ = Balance.objects.get_or_create(owner=owner, subaccount=subaccount, defaults={"amount_e8s": 0})
    balance.amount_e8s += change
    balance.save()
