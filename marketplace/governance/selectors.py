"""Reads models and proposals in the API's form. What comes from the factory's log, the cooperatives' and the job's is joined here."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import Count, Q, QuerySet

from marketplace.chain.canisters import deployment
from marketplace.chain.projection import proof
from marketplace.core import blobs
from marketplace.core.errors import NotFound
from marketplace.jobs.models import Job
from marketplace.jobs.selectors import artifact_hash, artifact_json, attribution_of

from .models import Claim, Cooperative, Founding, Holder, Income, Proposal
from .record import title_of

SHOWN_CALLS = 20
_PROPOSAL = (
    "id", "title", "kind", "proposer", "state", "yes", "no", "total", "deadline_ns", "submitted_at_ns", "decided_at_ns", "critical",
)  # fmt: skip


# --- models ---


def model_rows(*, owner: str = "", job_id: int | None = None) -> QuerySet[Founding]:
    """Newest first; those whose own log has been read too. `owner`: holds shares."""
    rows = Founding.objects.filter(canister__in=Cooperative.objects.values("canister")).order_by("-block")
    if owner:
        rows = rows.filter(canister__in=Holder.objects.filter(owner=owner).values("cooperative_id"))
    if job_id is not None:
        rows = rows.filter(job_id=job_id)
    return rows


def models_shown(rows: list[Founding]) -> list[dict[str, Any]]:
    known = Cooperative.objects.annotate(owners=Count("holders")).in_bulk([row.canister for row in rows])
    return [_summary(row, known[row.canister].record, known[row.canister].owners) for row in rows]


def model_shown(canister: str) -> dict[str, Any]:
    """Raises NotFound."""
    founding = model_rows().filter(canister=canister).first()
    if founding is None:
        raise NotFound("There is no such model. See the list at models.")
    cooperative = Cooperative.objects.get(canister=canister)
    record = cooperative.record
    holders = cooperative.holders.order_by("-shares", "owner")
    releases = cooperative.proposals.filter(kind="release").order_by("-number").defer("payload")
    calls = cooperative.calls.order_by("-block")[:SHOWN_CALLS]
    return {
        **_summary(founding, record, len(holders)),
        "parameters": record["parameters"],
        "holders": [{"owner": holder.owner, "shares": holder.shares} for holder in holders],
        "treasury_e8s": str(record["treasury_e8s"]),
        "releases": [proposal_summary(release) for release in releases],
        **_about(founding.job_id, _live_manifest(cooperative)),
        "attribution": attribution_of(founding.job_id),
        "calls": [{**call.record, "proof": proof(canister, call.block)} for call in calls],
    }


def _summary(founding: Founding, record: dict[str, Any], holders: int) -> dict[str, Any]:
    return {
        "canister": founding.canister,
        "name": record["name"],
        "job_id": founding.job_id,
        "inference": record["live"]["inference"] if record["live"] else founding.inference,
        "creator": founding.creator,
        "state": "live" if record["live"] else "no_release",
        "live": _live(founding.canister, record),
        "holders": holders,
        "price_e8s": record["parameters"]["price_e8s"],
        "paid_calls": record["paid_calls"],
        "revenue_e8s": str(record["revenue_e8s"]),
        "created_at_ns": str(founding.created_at_ns),
        "proof": proof(str(deployment().canisters["cooperatives"]), founding.block),
    }


def _live(canister: str, record: dict[str, Any]) -> dict[str, Any] | None:
    live = record["live"]
    if live is None:
        return None
    return {**{name: value for name, value in live.items() if name not in ("block", "inference")}, "proof": proof(canister, live["block"])}


def _live_manifest(cooperative: Cooperative) -> dict[str, Any] | None:
    live = cooperative.record["live"]
    if live is None:
        return None
    proposal = cooperative.proposals.filter(number=live["proposal_id"]).first()
    return dict(proposal.payload) if proposal else None


def _about(job_id: int, manifest: dict[str, Any] | None) -> dict[str, Any]:
    """Interface and card: of the live release, and before there is one, of the job that the model was founded on."""
    job = Job.objects.filter(id=manifest["job_id"] if manifest else job_id).first()
    card_hash = manifest["card_hash"] if manifest else artifact_hash(job.record, "card.json") if job else None
    return {
        "interface": artifact_json(job.record, "interface.json") if job else None,
        "card": blobs.blob_json(card_hash) if card_hash else None,
    }


def model_names(canisters: set[str]) -> dict[str, str]:
    return {row.canister: str(row.record["name"]) for row in Cooperative.objects.filter(canister__in=canisters)}


def model_jobs(canisters: set[str]) -> dict[str, int]:
    return dict(Founding.objects.filter(canister__in=canisters).values_list("canister", "job_id"))


def model_count(owner: str) -> int:
    """Models that the principal holds a share of."""
    return model_rows(owner=owner).count()


# --- proposals ---


def proposal_rows(canister: str) -> QuerySet[Proposal]:
    """Of one model, newest first. Raises NotFound."""
    if not model_rows().filter(canister=canister).exists():
        raise NotFound("There is no such model. See the list at models.")
    return Proposal.objects.filter(cooperative_id=canister).order_by("-number").defer("payload")


def votes_of(owner: str) -> QuerySet[Proposal]:
    """Open proposals in which this person still has a voice, nearest deadline first."""
    mine = Q(ballots__owner=owner, ballots__voted=False)
    rows = Proposal.objects.filter(mine, state="voting", deadline_ns__gt=time.time_ns())
    return rows.order_by("deadline_ns", "cooperative_id", "number").defer("payload").select_related("cooperative")


def votes_shown(rows: list[Proposal], owner: str) -> list[dict[str, Any]]:
    return [
        {
            **proposal_summary(row),
            "model_name": row.cooperative.record["name"],
            "shares": sum(ballot["shares"] for ballot in row.record["ballots"] if ballot["owner"] == owner),
        }
        for row in rows
    ]


def proposals_shown(rows: list[Proposal]) -> list[dict[str, Any]]:
    return [proposal_summary(row) for row in rows]


def proposal_summary(row: Proposal) -> dict[str, Any]:
    return {
        **{name: row.record[name] for name in _PROPOSAL},
        "model": row.cooperative_id,
        "proof": proof(row.cooperative_id, row.record["block"]),
    }


def proposal_shown(canister: str, number: int) -> dict[str, Any]:
    """Raises NotFound."""
    row = Proposal.objects.filter(cooperative_id=canister, number=number).select_related("cooperative").first()
    if row is None:
        raise NotFound("There is no such proposal. See the list at models/{canister}/proposals.")
    manifest = _live_manifest(row.cooperative)
    return {
        **proposal_summary(row),
        "summary": row.record["summary"],
        "reason": row.record["reason"],
        "payload": row.payload,
        "manifest_hash": row.record["manifest_hash"],
        "ballots": row.record["ballots"],
        "log": [
            {"btype": e["btype"], "title": title_of(e), "at_ns": e["at_ns"], "proof": proof(canister, e["block"])}
            for e in row.record["log"]
        ],
        "live_metrics": manifest["metrics"] if manifest else None,
    }


# --- income ---


def income_rows(owner: str) -> QuerySet[Income]:
    return Income.objects.filter(owner=owner)


def claim_rows(owner: str) -> QuerySet[Claim]:
    return Claim.objects.filter(owner=owner)
