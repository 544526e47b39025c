"""Keeps what the jobs canister's log says: one record a job (`record`), and rows to search by; and which model was founded on which job."""

from __future__ import annotations

from marketplace.chain.projection import Fact, Projection

from .models import Approval, Job, JobModel, Payout, Worker
from .record import Record, applied

projection = Projection("jobs", tables=(Payout, Approval, Job, Worker, JobModel))

_TITLES = {
    "job_proposed": "Job {job_id} proposed",
    "dataset_approved": "Dataset {dataset_id} approved for job {job_id} by its owner",
    "dataset_denied": "Dataset {dataset_id} denied to job {job_id} by its owner",
    "approval_revoked": "Approval of dataset {dataset_id} for job {job_id} taken back",
    "job_approved": "Every dataset of job {job_id} has agreed",
    "job_denied": "Job {job_id} denied",
    "job_funded": "Job {job_id} funded",
    "job_claimed": "Job {job_id} claimed by a worker",
    "job_started": "Training of job {job_id} started",
    "job_submitted": "Result of job {job_id} submitted",
    "job_settled": "Job {job_id} settled",
    "job_failed": "Job {job_id} failed",
    "job_cancelled": "Job {job_id} cancelled by its builder",
    "job_expired": "Job {job_id} expired",
    "payout_claimed": "A payout of job {job_id} taken out",
}


def job_changed(fact: Fact) -> None:
    row = Job.objects.filter(id=fact.tx["job_id"]).first()
    record = applied(row.record if row else None, btype=fact.btype, index=fact.index, at_ns=fact.at_ns, tx=fact.tx)
    if record is not None:
        _keep(record, fact)


for _btype, _title in _TITLES.items():
    projection.on("jobs", _btype, title=_title)(job_changed)


@projection.on("jobs", "worker_registered", title="Worker {name} registered")
def worker_registered(fact: Fact) -> None:
    """A worker's key never changes, its name may."""
    Worker.objects.update_or_create(
        principal=fact.principal("worker"),
        defaults={"name": fact.tx["name"].replace("\x00", " "), "block": fact.index},
        create_defaults={
            "name": fact.tx["name"].replace("\x00", " "),
            "encryption_key": fact.tx["encryption_key"].hex(),
            "registered_at_ns": fact.at_ns,
            "block": fact.index,
        },
    )


@projection.on("cooperatives", "cooperative_created")
def model_founded(fact: Fact) -> None:
    JobModel.objects.update_or_create(job_id=fact.tx["job_id"], defaults={"canister": fact.principal("canister")})


def _keep(record: Record, fact: Fact) -> None:
    job, _ = Job.objects.update_or_create(
        id=record["id"],
        defaults={
            "state": record["state"],
            "builder": record["builder"],
            "worker": record["worker"] or "",
            "record": record,
        },
    )
    for approval in record["approvals"]:
        Approval.objects.update_or_create(
            job=job,
            dataset_id=approval["dataset_id"],
            defaults={"owner": approval["owner"], "state": approval["state"]},
        )
    for position, payout in enumerate(record["payouts"]):
        Payout.objects.update_or_create(
            job=job,
            position=position,
            defaults={"claimed_block": payout["claimed_block"]},
            create_defaults={
                "owner": payout["owner"],
                "kind": payout["kind"],
                "dataset_id": payout["dataset_id"],
                "amount_e8s": int(payout["amount_e8s"]),
                "claimed_block": payout["claimed_block"],
                "at_ns": fact.at_ns,
                "block": fact.index,
            },
        )
