"""Each job against the other logs: consent from the registry's, money from the ledger's, and shares computed anew."""

from __future__ import annotations

from canisters.interface.principal import Principal

from .fields import Fields
from .jobs import Approval, Claim, Job, Jobs
from .ledger import Account, Ledger
from .payments import require_drawn, require_explained, require_sent, split
from .registry import Registry, require_policy, require_policy_approval
from .report import Findings, Topic


def check_jobs(jobs: Jobs, registry: Registry, ledger: Ledger, findings: Findings) -> None:
    for job in jobs.jobs.values():
        with job.topic.reading():
            check_consent(job, jobs, registry)
        money = findings.topic(f"job {job.id} money", job.id)
        with money.reading():
            check_money(job, jobs, ledger, money)
        if job.state == "settled":
            shares = findings.topic(f"job {job.id} shares", job.id)
            with shares.reading():
                check_shares(job, shares)


# --- consent ---


def check_consent(job: Job, jobs: Jobs, registry: Registry) -> None:
    """A claimed job had an approval of every dataset, in force, for this code, version and policy. Anything else cannot start."""
    topic = job.topic
    if job.state == "denied":
        refused = [a.dataset_id for a in job.approvals if a.state in ("Denied", "Revoked")]
        topic.require(bool(refused), "denied, and nobody denied it")
    if not job.claims:
        topic.fact(f"never claimed ({job.state})")
        return
    for claim in job.claims:
        _require_claimable(job, claim, jobs)
    for approval in job.approvals:
        _require_approved(job, approval, registry)
    taken = [dataset.id for dataset in registry.datasets.values() if job.id in dataset.uses]
    named = [approval.dataset_id for approval in job.approvals]
    topic.require(sorted(named) == sorted(taken), f"the registry counted uses of {taken}, and the job names {named}")
    by = {kind: sum(a.by == kind for a in job.approvals) for kind in ("Policy", "Owner")}
    topic.fact(
        f"{len(named)} of {len(named)} datasets approved: {by['Policy']} by policy, {by['Owner']} by their owners"
    )


def _require_claimable(job: Job, claim: Claim, jobs: Jobs) -> None:
    topic, worker = job.topic, claim.worker
    for dataset_id, state in claim.approvals:
        topic.require(state == "Approved", f"claimed (block {claim.block}) while dataset {dataset_id} was {state}")
    registered_at_ns = jobs.workers.get(worker)
    topic.require(
        registered_at_ns is not None and registered_at_ns <= claim.at_ns, f"{worker} claimed without being a worker"
    )
    chosen = job.args.principal_or_none("worker")
    topic.require(chosen in (None, worker), f"{worker} claimed, and the builder chose {chosen}")
    topic.require(claim.at_ns < job.args.nat("finish_by_ns"), "claimed after its time to finish")
    for approval in job.approvals:
        topic.require(
            worker in approval.workers, f"the owner of {approval.dataset_id} did not name the worker {worker}"
        )


def _require_approved(job: Job, approval: Approval, registry: Registry) -> None:
    topic, id_ = job.topic, approval.dataset_id
    dataset = registry.datasets.get(id_)
    if dataset is None:
        topic.require(False, f"dataset {id_} is not in the registry")
        return
    topic.require(approval.owner == dataset.owner, f"dataset {id_} belongs to {dataset.owner}, not to {approval.owner}")
    topic.require(1 <= approval.version <= len(dataset.versions), f"dataset {id_} has no version {approval.version}")
    version, price, at_ns = approval.policy_version, approval.price_e8s, approval.at_ns
    if approval.by == "Policy":
        policy = require_policy_approval(dataset, version, price, job.request, at_ns, topic)
        if policy is not None:
            topic.require(
                approval.workers == policy.terms.principals("workers"),
                f"dataset {id_}: other workers than its policy names",
            )
    else:
        policy = require_policy(dataset, version, price, job.proposed_at_ns, topic)
        if policy is not None:
            asks = policy.decision(job.request, job.proposed_at_ns) == "Ask"
            topic.require(asks, f"dataset {id_}: its policy {version} did not leave such a job to its owner")
    use = dataset.uses.get(job.id)
    if (
        topic.require(use is not None, f"dataset {id_}: the registry counted no use for job {job.id}")
        and use is not None
    ):
        agreed = (use.version, use.policy_version) == (approval.version, version)
        topic.require(
            agreed,
            f"dataset {id_}: used as version {use.version} under policy {use.policy_version}, approved otherwise",
        )
        topic.require(use.at_ns <= job.claims[0].at_ns, f"dataset {id_}: claimed before the registry agreed")


# --- money ---


def check_money(job: Job, jobs: Jobs, ledger: Ledger, topic: Topic) -> None:
    """The escrow is the budget, what was paid out sums to it, and each payment is a block of the ledger."""
    escrow = Account(jobs.canister, job.id.to_bytes(32, "big"))
    if job.funded is None:
        topic.require(not job.claims, "claimed without being funded")
        topic.require(not job.payouts and not job.paid, "paid out without being funded")
        require_explained(ledger.outflows(escrow), set(), jobs.tip_ns, topic, f"escrow of job {job.id}")
        topic.fact("never funded")
        return
    amount_e8s, block = job.funded
    topic.require(amount_e8s == job.budget_e8s, f"funded with {amount_e8s} e8s, and the budget is {job.budget_e8s}")
    require_drawn(ledger, block, job.builder, escrow, amount_e8s, topic, "funding")
    topic.fact(f"{amount_e8s} e8s in escrow")
    if job.payouts:
        _require_payouts(job, amount_e8s, topic)
    _require_paid(job, escrow, ledger, topic)
    named = {paid.ledger_block for paid in job.paid}
    topic.require(len(named) == len(job.paid), "two payouts name the same block of the ledger")
    require_explained(ledger.outflows(escrow), named, jobs.tip_ns, topic, f"escrow of job {job.id}")


def _require_payouts(job: Job, escrow_e8s: int, topic: Topic) -> None:
    due = [(p.principal("owner"), _kind(p), p.nat("amount_e8s")) for p in job.payouts]
    expected: list[tuple[Principal, str, int]] = []
    if job.state == "settled":
        fee = job.args.nat("worker_fee_e8s")
        expected += [(a.owner, f"Price {a.dataset_id}", a.price_e8s) for a in job.approvals if a.price_e8s]
        expected += [(job.worker, "WorkerFee", fee)] if fee and job.worker is not None else []
    rest = escrow_e8s - sum(amount for _, _, amount in expected)
    expected += [(job.builder, "Refund", rest)] if rest > 0 else []
    topic.require(rest >= 0, f"prices and fee come to {-rest} e8s more than the escrow")
    topic.require(due == expected, f"payouts are {_shown(due)}, and should be {_shown(expected)}")
    total = sum(amount for _, _, amount in due)
    topic.require(total == escrow_e8s, f"payouts sum to {total} e8s, and the escrow is {escrow_e8s}")
    topic.fact(f"paid out in {len(due)} parts that sum to it")


def _require_paid(job: Job, escrow: Account, ledger: Ledger, topic: Topic) -> None:
    """Everybody takes all that is due to them at once, once."""
    due: dict[Principal, int] = {}
    for payout in job.payouts:
        owner = payout.principal("owner")
        due[owner] = due.get(owner, 0) + payout.nat("amount_e8s")
    for paid in job.paid:
        left = due.pop(paid.owner, 0)
        topic.require(paid.amount_e8s == left, f"{paid.owner} took {paid.amount_e8s} e8s, and {left} were due")
        require_sent(ledger, paid.ledger_block, escrow, paid.owner, paid.amount_e8s, topic, "payout")
    topic.fact(f"{len(job.paid)} claimed, {sum(due.values())} e8s still to claim")


def _kind(payout: Fields) -> str:
    tag, inside = payout.variant("kind")
    return f"Price {inside.record(tag).nat('dataset_id')}" if tag == "Price" else tag


def _shown(payouts: list[tuple[Principal, str, int]]) -> str:
    return ", ".join(f"{kind} {amount} to {owner}" for owner, kind, amount in payouts) or "none"


# --- shares ---


def check_shares(job: Job, topic: Topic) -> None:
    """Shares in proportion to the recorded attribution, by largest remainder; negative values count as nothing."""
    if not topic.require(job.result is not None, "settled without a result") or job.result is None:
        return
    values = {a.nat("dataset_id"): a.integer("value_ppm") for a in job.result.records("attribution")}
    named = [a.dataset_id for a in job.approvals]
    topic.require(
        sorted(values) == sorted(named), f"the attribution values {sorted(values)}, and the job names {sorted(named)}"
    )
    for entry in job.result.records("attribution"):
        ordered = entry.integer("low_ppm") <= entry.integer("value_ppm") <= entry.integer("high_ppm")
        topic.require(ordered, f"the value of dataset {entry.nat('dataset_id')} is outside its interval")
    terms = job.args.record("terms")
    parts = split(terms.nat("contributors_bps"), [max(0, values.get(id_, 0)) for id_ in named])
    expected = [(a.owner, f"Contributor {a.dataset_id}", part) for a, part in zip(job.approvals, parts, strict=True)]
    for role, holder in (("Builder", job.builder), ("Worker", job.worker)):
        bps = terms.nat(f"{role.lower()}_bps")
        expected += [(holder, role, bps)] if bps and holder is not None else []
    recorded = [(s.principal("owner"), _role(s), s.nat("share_bps")) for s in job.shares]
    topic.require(recorded == expected, f"shares are {_shown(recorded)}, and should be {_shown(expected)}")
    total = sum(bps for _, _, bps in recorded)
    topic.require(total == 10_000, f"shares sum to {total}, not to 10000")
    topic.fact(f"{len(recorded)} shares follow from the attribution and sum to {total}")


def _role(share: Fields) -> str:
    tag, inside = share.variant("role")
    return f"Contributor {inside.record(tag).nat('dataset_id')}" if tag == "Contributor" else tag


def holders_of(job: Job) -> list[tuple[Principal, int]]:
    """One holder for each owner of a share, whatever their roles, in the order of their principals."""
    sums: dict[Principal, int] = {}
    for share in job.shares:
        owner, bps = share.principal("owner"), share.nat("share_bps")
        if bps:
            sums[owner] = sums.get(owner, 0) + bps
    return sorted(sums.items())
