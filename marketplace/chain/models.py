"""The index's own tables: how far each log has been followed, and every block of it. All of it can be made anew from the chain."""

from __future__ import annotations

from django.db import models

from marketplace.core.json_field import JsonText


class ChainIndex(models.Model):
    """One row: the chain that this index is of. `looked_at_ns`: when the follower last came round."""

    id = models.IntegerField(primary_key=True)
    root_key = models.TextField()
    canisters = JsonText()
    looked_at_ns = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"index of the chain {self.root_key[-16:]}"


class LogCursor(models.Model):
    """How far one canister's log is indexed. `next_index`: number of blocks that are here. `tip_hash`: of the last one, hex."""

    canister = models.CharField(max_length=80, primary_key=True)
    kind = models.CharField(max_length=20)
    position = models.IntegerField(default=0)
    name = JsonText()
    next_index = models.BigIntegerField(default=0)
    tip_hash = models.CharField(max_length=64, default="")
    log_length = models.BigIntegerField(default=0)
    problem = models.TextField(default="")

    def __str__(self) -> str:
        return f"{self.kind} {self.canister}: {self.next_index}"


class Block(models.Model):
    """A block that holds, as the canister has it. `value`: tagged JSON (see `values`)."""

    canister = models.CharField(max_length=80)
    kind = models.CharField(max_length=20)
    index = models.BigIntegerField()
    btype = models.CharField(max_length=60)
    at_ns = models.BigIntegerField()
    hash = models.CharField(max_length=64)
    value = JsonText()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["canister", "index"], name="block_once")]
        indexes = [models.Index(fields=["-at_ns", "canister", "-index"], name="block_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.index}: {self.btype}"


class BlockSubject(models.Model):
    """What a block is about. `kind`: dataset, job, proposal or principal; `key`: its id on the chain."""

    block = models.ForeignKey(Block, models.CASCADE, related_name="subjects")
    kind = models.CharField(max_length=10)
    key = models.CharField(max_length=80)

    class Meta:
        indexes = [models.Index(fields=["kind", "key"], name="subject")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
