"""Who earned what, and what is still to be taken out: payouts of jobs, revenue of models and the ledger, joined when read.

A job's price goes to its dataset. Of a model's revenue, a dataset brought its owner the part that its shares have of all the shares the
owner held at that time; what was held beyond that (bought, or earned as a worker) belongs to no dataset."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Q, QuerySet, Sum

from marketplace.chain.canisters import deployment
from marketplace.chain.projection import proof
from marketplace.datasets.selectors import dataset_count, dataset_titles
from marketplace.governance.selectors import claim_rows, income_rows, model_count, model_jobs, model_names
from marketplace.jobs.selectors import contributor_shares, job_count, job_titles, payout_rows

from .models import Balance, Transfer
from .rounding import split

MAX_ENTRIES = 100


def account_shown(principal: str) -> dict[str, Any]:
    return {
        "principal": principal,
        "datasets": dataset_count(principal),
        "models": model_count(principal),
        "jobs": job_count(principal),
        "balance_e8s": str(balance_of(principal)),
    }


def balance_of(principal: str) -> int:
    """Of the principal's default account."""
    row = Balance.objects.filter(owner=principal, subaccount="").first()
    return row.amount_e8s if row else 0


def transfer_rows(principal: str) -> QuerySet[Transfer]:
    """Newest first."""
    return Transfer.objects.filter(Q(giver=principal) | Q(taker=principal))


def transfers_shown(rows: list[Transfer]) -> list[dict[str, Any]]:
    canister = str(deployment().canisters["ledger"])
    return [{**row.record, "proof": proof(canister, row.block)} for row in rows]


def earnings_shown(principal: str) -> dict[str, Any]:
    payouts, incomes, claims = payout_rows(principal), income_rows(principal), claim_rows(principal)
    by_job = _sums(payouts.filter(claimed_block=None), "job_id")
    credited, taken = _sums(incomes, "cooperative_id"), _sums(claims, "cooperative_id")
    revenue = _sums(incomes.filter(kind="revenue"), "cooperative_id")
    names, titles = model_names(set(credited)), job_titles(set(by_job))
    return {
        "principal": principal,
        "balance_e8s": str(balance_of(principal)),
        "claimable": [
            *(
                _claimable("job", amount, job_id=job, name=titles.get(job, ""))
                for job, amount in sorted(by_job.items())
            ),
            *(
                _claimable("model", amount - taken.get(model, 0), model=model, name=names.get(model, ""))
                for model, amount in sorted(credited.items())
                if amount > taken.get(model, 0)
            ),
        ],
        "earned_e8s": str(_sum(payouts.exclude(kind="refund")) + sum(revenue.values())),
        "claimed_e8s": str(_sum(payouts.exclude(claimed_block=None)) + sum(taken.values())),
        "by_model": [
            {"model": model, "name": names.get(model, ""), "amount_e8s": str(amount)}
            for model, amount in sorted(revenue.items(), key=lambda entry: (-entry[1], entry[0]))
        ],
        "by_dataset": _by_dataset(principal),
        "entries": _entries(principal),
    }


def _claimable(
    kind: str, amount: int, *, name: str, job_id: int | None = None, model: str | None = None
) -> dict[str, Any]:
    return {"kind": kind, "job_id": job_id, "model": model, "name": name, "amount_e8s": str(amount)}


def _by_dataset(principal: str) -> list[dict[str, Any]]:
    found: dict[int, int] = defaultdict(int)
    for dataset_id, amount in _sums(payout_rows(principal).filter(kind="price"), "dataset_id").items():
        found[dataset_id] += amount
    rows = (
        income_rows(principal).filter(kind="revenue").values("cooperative_id", "shares").annotate(sum=Sum("amount_e8s"))
    )
    jobs = model_jobs({row["cooperative_id"] for row in rows})
    shares = contributor_shares(set(jobs.values()))
    for row in rows:
        brought = shares.get((jobs.get(row["cooperative_id"], 0), principal), {})
        weights = [*brought.values(), max(0, row["shares"] - sum(brought.values()))]
        if sum(weights):
            for dataset_id, amount in zip(brought, split(row["sum"], weights), strict=False):
                found[dataset_id] += amount
    titles = dataset_titles(set(found))
    listed = sorted(((d, amount) for d, amount in found.items() if amount), key=lambda entry: (-entry[1], entry[0]))
    return [{"dataset_id": d, "title": titles.get(d, ""), "amount_e8s": str(amount)} for d, amount in listed]


def _entries(principal: str) -> list[dict[str, Any]]:
    """The last ones of every kind, newest first."""
    jobs_canister = str(deployment().canisters["jobs"])
    entries = [
        {
            "kind": payout.kind,
            "amount_e8s": str(payout.amount_e8s),
            "at_ns": str(payout.at_ns),
            "job_id": payout.job_id,
            "model": None,
            "dataset_id": payout.dataset_id,
            "proof": proof(jobs_canister, payout.block),
        }
        for payout in payout_rows(principal).order_by("-at_ns", "-block", "position")[:MAX_ENTRIES]
    ]
    entries += [
        {
            "kind": income.kind,
            "amount_e8s": str(income.amount_e8s),
            "at_ns": str(income.at_ns),
            "job_id": None,
            "model": income.cooperative_id,
            "dataset_id": None,
            "proof": proof(income.cooperative_id, income.block),
        }
        for income in income_rows(principal).order_by("-at_ns", "cooperative_id", "-block")[:MAX_ENTRIES]
    ]
    return sorted(entries, key=lambda entry: -int(str(entry["at_ns"])))[:MAX_ENTRIES]


def _sums(rows: QuerySet[Any], by: str) -> dict[Any, int]:
    return dict(rows.order_by().values_list(by).annotate(Sum("amount_e8s")))


def _sum(rows: QuerySet[Any]) -> int:
    return rows.aggregate(sum=Sum("amount_e8s"))["sum"] or 0
