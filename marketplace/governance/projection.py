"""Keeps what the factory and the cooperatives log: models, holders, proposals, ballots, paid calls, and who may claim what."""

from __future__ import annotations

from marketplace.chain.projection import Fact, Projection, principal_of

from . import record as records
from .models import Ballot, Call, Claim, Cooperative, Founding, Holder, Income, Proposal

projection = Projection("governance", tables=(Claim, Income, Call, Ballot, Proposal, Holder, Cooperative, Founding))


@projection.on("cooperatives", "cooperative_created", title="Cooperative of job {job_id} founded: {name}")
def cooperative_created(fact: Fact) -> None:
    Founding.objects.update_or_create(
        canister=fact.principal("canister"),
        defaults={
            "job_id": fact.tx["job_id"],
            "inference": fact.principal("inference"),
            "creator": fact.principal("creator"),
            "created_at_ns": fact.at_ns,
            "block": fact.index,
        },
    )


projection.title(
    "cooperatives",
    "cooperative_upgraded",
    lambda fact: "An upgrade of a cooperative failed" if "failure" in fact.tx else "A cooperative was upgraded",
)


# --- the cooperative and its owners ---


@projection.on("cooperative", "founded", title="Founded: {name}")
def founded(fact: Fact) -> None:
    cooperative, _ = Cooperative.objects.update_or_create(
        canister=fact.canister, defaults={"record": records.founded(fact.index, fact.at_ns, fact.tx)}
    )
    for holder in fact.tx["holders"]:
        Holder.objects.update_or_create(
            cooperative=cooperative, owner=principal_of(holder["owner"]), defaults={"shares": holder["shares"]}
        )


projection.title(
    "cooperative", "inference_created", "An inference canister was made, with this cooperative as its only controller"
)


@projection.on("cooperative", "shares_transferred", title="{amount} shares changed hands")
def shares_transferred(fact: Fact) -> None:
    cooperative = _cooperative(fact)
    for owner, change in ((fact.principal("from"), -fact.tx["amount"]), (fact.principal("to"), fact.tx["amount"])):
        holder, _ = Holder.objects.get_or_create(cooperative=cooperative, owner=owner, defaults={"shares": 0})
        holder.shares += change
        holder.save()
        if holder.shares == 0:
            holder.delete()
    _save(cooperative, {**cooperative.record, "block": fact.index})


# --- proposals ---


@projection.on("cooperative", "proposal_submitted", title="Proposal {proposal_id} submitted: {title}")
def proposal_submitted(fact: Fact) -> None:
    kind, record, payload = records.submitted(fact.index, fact.at_ns, fact.tx)
    proposal, _ = Proposal.objects.update_or_create(
        cooperative=_cooperative(fact),
        number=record["id"],
        defaults={
            "kind": kind,
            "state": record["state"],
            "deadline_ns": int(record["deadline_ns"]),
            "record": record,
            "payload": payload,
        },
    )
    for ballot in record["ballots"]:
        Ballot.objects.update_or_create(proposal=proposal, owner=ballot["owner"], defaults={"shares": ballot["shares"]})


def proposal_changed(fact: Fact) -> Proposal:
    proposal = Proposal.objects.get(cooperative=_cooperative(fact), number=fact.tx["proposal_id"])
    proposal.record = records.changed(proposal.record, btype=fact.btype, index=fact.index, at_ns=fact.at_ns, tx=fact.tx)
    proposal.state = proposal.record["state"]
    proposal.deadline_ns = int(proposal.record["deadline_ns"])
    proposal.save()
    return proposal


def _vote_title(fact: Fact) -> str:
    return f"A vote for proposal {fact.tx['proposal_id']}: {'yes' if fact.tx['yes'] else 'no'}"


@projection.on("cooperative", "vote_cast", title=_vote_title)
def vote_cast(fact: Fact) -> None:
    Ballot.objects.filter(proposal=proposal_changed(fact), owner=fact.principal("owner")).update(voted=True)


@projection.on("cooperative", "release_live", title="The release of proposal {proposal_id} went live")
def release_live(fact: Fact) -> None:
    proposal = proposal_changed(fact)
    live = {
        "proposal_id": proposal.number,
        "title": proposal.payload["title"],
        "manifest_hash": fact.tx["manifest_hash"].hex(),
        "wasm_sha256": fact.tx["wasm_sha256"].hex(),
        "max_abs_error_e9": fact.tx["max_abs_error_e9"],
        "inference": fact.principal("inference"),
        "live_at_ns": str(fact.at_ns),
        "block": fact.index,
    }
    cooperative = _cooperative(fact)
    _save(cooperative, {**cooperative.record, "live": live, "block": fact.index})


@projection.on("cooperative", "parameters_changed", title="New terms by proposal {proposal_id}")
def parameters_changed(fact: Fact) -> None:
    proposal_changed(fact)
    cooperative = _cooperative(fact)
    parameters = records.parameters_json(fact.tx["parameters"])
    _save(cooperative, {**cooperative.record, "parameters": parameters, "block": fact.index})


@projection.on("cooperative", "treasury_paid", title="Paid from the treasury by proposal {proposal_id}")
def treasury_paid(fact: Fact) -> None:
    proposal_changed(fact)
    cooperative = _cooperative(fact)
    left = cooperative.record["treasury_e8s"] - fact.tx["amount_e8s"]
    _save(cooperative, {**cooperative.record, "treasury_e8s": left, "block": fact.index})


def _only_changed(fact: Fact) -> None:
    proposal_changed(fact)


for _btype, _title in {
    "deadline_extended": "The vote on proposal {proposal_id} is open longer",
    "proposal_adopted": "Proposal {proposal_id} adopted",
    "proposal_rejected": "Proposal {proposal_id} rejected",
    "release_staged": "Every part of the release of proposal {proposal_id} is here",
    "release_installing": "The release of proposal {proposal_id} is being installed",
    "release_superseded": "The release of proposal {proposal_id} was replaced",
    "proposal_failed": "Proposal {proposal_id} failed",
    "upgrade_asked": "The upgrade of proposal {proposal_id} is asked for",
    "proposal_executed": "Proposal {proposal_id} carried out",
}.items():
    projection.on("cooperative", _btype, title=_title)(_only_changed)


# --- income ---


@projection.on("cooperative", "inference_paid", title="A paid answer: {price_e8s} e8s")
def inference_paid(fact: Fact) -> None:
    cooperative = _cooperative(fact)
    parts = [{"owner": principal_of(p["owner"]), "amount_e8s": p["amount_e8s"]} for p in fact.tx["parts"]]
    shown = {
        "payer": fact.principal("payer"),
        "price_e8s": str(fact.tx["price_e8s"]),
        "treasury_e8s": str(fact.tx["treasury_e8s"]),
        "parts": [{**part, "amount_e8s": str(part["amount_e8s"])} for part in parts],
        "at_ns": str(fact.at_ns),
    }
    Call.objects.update_or_create(cooperative=cooperative, block=fact.index, defaults={"record": shown})
    held = dict(Holder.objects.filter(cooperative=cooperative).values_list("owner", "shares"))
    for part in parts:
        if part["amount_e8s"]:
            _income(cooperative, fact, part["owner"], "revenue", part["amount_e8s"], held.get(part["owner"], 0))
    _save(cooperative, records.paid(cooperative.record, fact.index, fact.tx))


@projection.on("cooperative", "inference_refunded", title="An answer failed, and its price was given back")
def inference_refunded(fact: Fact) -> None:
    _income(_cooperative(fact), fact, fact.principal("payer"), "refund", fact.tx["amount_e8s"], 0)


@projection.on("cooperative", "revenue_claimed", title="Revenue taken out: {amount_e8s} e8s")
def revenue_claimed(fact: Fact) -> None:
    Claim.objects.update_or_create(
        cooperative=_cooperative(fact),
        block=fact.index,
        defaults={"owner": fact.principal("owner"), "amount_e8s": fact.tx["amount_e8s"], "at_ns": fact.at_ns},
    )


def _income(cooperative: Cooperative, fact: Fact, owner: str, kind: str, amount_e8s: int, shares: int) -> None:
    Income.objects.update_or_create(
        cooperative=cooperative,
        block=fact.index,
        owner=owner,
        defaults={"kind": kind, "amount_e8s": amount_e8s, "shares": shares, "at_ns": fact.at_ns},
    )


def _cooperative(fact: Fact) -> Cooperative:
    return Cooperative.objects.get(canister=fact.canister)


def _save(cooperative: Cooperative, record: records.Record) -> None:
    cooperative.record = record
    cooperative.save()
