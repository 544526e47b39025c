"""Reading the index: activity, single blocks, and what was ever said about one dataset, job, proposal or person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from . import values
from .models import Block, LogCursor
from .projection import Fact, Proof, fact_of, proof, subjects_of, title_of

__all__ = ["BlockShown", "activity", "block_json", "blocks_about", "cooperative_ids", "logs", "proof"]


@dataclass(frozen=True)
class BlockShown:
    """A block with its words. `title`: plain words."""

    fact: Fact
    title: str

    @property
    def btype(self) -> str:
        return self.fact.btype

    @property
    def at_ns(self) -> int:
        return self.fact.at_ns

    @property
    def canister(self) -> str:
        return self.fact.canister

    @property
    def index(self) -> int:
        return self.fact.index

    @property
    def tx(self) -> dict[str, Any]:
        return self.fact.tx

    @property
    def proof(self) -> Proof:
        return self.fact.proof

    def subjects(self, kind: str) -> list[str]:
        return [key for found, key in subjects_of(self.fact.block) if found == kind]

    @property
    def principals(self) -> list[str]:
        return self.subjects("principal")

    def number(self, kind: str) -> int | None:
        found = self.subjects(kind)
        return int(found[0]) if found else None

    def timeline(self) -> dict[str, Any]:
        return {"btype": self.btype, "title": self.title, "at_ns": str(self.at_ns), "proof": self.proof}


def shown(block: Block) -> BlockShown:
    fact = fact_of(block.canister, block.kind, block.index, values.from_json(block.value))
    return BlockShown(fact, title_of(fact))


def blocks_about(subject: str, key: int | str, *, kind: str = "", canister: str = "") -> list[BlockShown]:
    """Every block that names a subject (dataset, job, proposal, principal), oldest first. `kind`, `canister`: of the log."""
    rows = _about(Block.objects.all(), subject, str(key))
    rows = rows.filter(kind=kind) if kind else rows
    rows = rows.filter(canister=canister) if canister else rows
    return [shown(row) for row in rows.order_by("at_ns", "canister", "index")]


def _about(rows: QuerySet[Block], subject: str, key: str) -> QuerySet[Block]:
    return rows.filter(subjects__kind=subject, subjects__key=key)


def activity(*, canister: str = "", principal: str = "") -> QuerySet[Block]:
    """Newest first."""
    rows = Block.objects.order_by("-at_ns", "canister", "-index")
    rows = rows.filter(canister=canister) if canister else rows
    return _about(rows, "principal", principal) if principal else rows


def activity_json(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    names = log_names()
    return [_activity(shown(block), names) for block in blocks]


def _activity(block: BlockShown, names: dict[str, str]) -> dict[str, Any]:
    model = block.canister if block.fact.kind == "cooperative" else None
    if model is None and block.btype == "cooperative_created":
        model = block.fact.principal("canister")
    return {
        "canister": block.canister,
        "name": names.get(block.canister, block.fact.kind),
        "index": block.index,
        "btype": block.btype,
        "at_ns": str(block.at_ns),
        "title": block.title,
        "principals": block.principals,
        "dataset_id": block.number("dataset"),
        "job_id": block.number("job"),
        "model": model,
        "proposal_id": block.number("proposal"),
    }


def block_json(canister: str, index: int) -> dict[str, Any] | None:
    """One block, so that it can be hashed again; None when it is not indexed."""
    block = Block.objects.filter(canister=canister, index=index).first()
    if block is None:
        return None
    fields = dict(block.value["Map"]) if "Map" in block.value else {}
    return {
        "canister": block.canister,
        "name": log_names().get(block.canister, block.kind),
        "index": block.index,
        "btype": block.btype,
        "at_ns": str(block.at_ns),
        "hash": block.hash,
        "phash": fields.get("phash", {}).get("Blob"),
        "block": block.value,
    }


def log_names() -> dict[str, str]:
    return {cursor.canister: cursor.name for cursor in LogCursor.objects.all()}


def logs() -> list[LogCursor]:
    """Every log that is followed, the platform's own first."""
    return list(LogCursor.objects.order_by("position", "canister"))


def cooperative_ids() -> list[str]:
    """Principals of the cooperatives found so far, oldest first."""
    rows = LogCursor.objects.filter(kind="cooperative").order_by("position", "canister")
    return list(rows.values_list("canister", flat=True))
