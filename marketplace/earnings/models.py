"""The ledger as its log has it: what moved, and what everybody holds. Made by `projection` alone."""

from __future__ import annotations

from django.db import models

from marketplace.core.json_field import JsonText
from marketplace.core.nat_field import NatText


class Balance(models.Model):
    """`subaccount`: hex, empty for the default one."""

    owner = models.CharField(max_length=80)
    subaccount = models.CharField(max_length=64, default="")
    amount_e8s = NatText()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "subaccount"], name="balance_once")]

    def __str__(self) -> str:
        return f"{self.owner} {self.subaccount}: {self.amount_e8s}"


class Transfer(models.Model):
    """One block of the ledger. `giver`, `taker`: the principals it is found by, empty where there is none."""

    block = models.BigIntegerField(primary_key=True)
    giver = models.CharField(max_length=80, default="", db_index=True)
    taker = models.CharField(max_length=80, default="", db_index=True)
    record = JsonText()

    class Meta:
        ordering = ["-block"]

    def __str__(self) -> str:
        return f"block {self.block} of the ledger"
