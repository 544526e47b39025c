"""Reads jobs in the API's form. What comes from other logs (titles of datasets, the model founded on a job) is joined here."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from marketplace.chain.canisters import deployment
from marketplace.chain.projection import proof
from marketplace.core import blobs, events
from marketplace.core.api import principal_text
from marketplace.core.errors import Invalid, NotFound
from marketplace.datasets.selectors import dataset_titles

from .models import Approval, Job, JobModel, Payout, Worker
from .progress import channel_of, events_of
from .record import LIVE, OVER, Record, title_of
from .waiting import waits_for

MAX_PROGRESS = 2_000
_SUMMARY = (
    "id", "title", "purpose", "recipe", "builder", "state", "reason", "datasets", "budget_e8s", "worker", "proposed_at_ns",
    "updated_at_ns",
)  # fmt: skip
_DETAIL = (
    "code_hash", "config_hash", "seed", "compute", "terms", "worker_fee_e8s", "escrow_e8s", "approve_by_ns", "finish_by_ns",
    "shares", "payouts",
)  # fmt: skip


def job_row(job_id: int) -> Job:
    """Raises NotFound."""
    row = Job.objects.filter(id=job_id).first()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return row


def job_rows(
    *, state: str = "", builder: str = "", worker: str = "", owner: str = "", dataset_id: int | None = None
) -> QuerySet[Job]:
    """Newest first. `owner`: of a dataset that the job names. Raises Invalid for a state that there is not."""
    rows = Job.objects.all()
    if state:
        if state not in (*LIVE, *OVER):
            raise Invalid("There is no such state.", fields={"state": f"one of {', '.join((*LIVE, *OVER))}"})
        rows = rows.filter(state=state)
    if builder:
        rows = rows.filter(builder=builder)
    if worker:
        rows = rows.filter(worker=worker)
    if owner:
        rows = rows.filter(id__in=Approval.objects.filter(owner=owner).values("job_id"))
    if dataset_id is not None:
        rows = rows.filter(id__in=Approval.objects.filter(dataset_id=dataset_id).values("job_id"))
    return rows


def requests_of(owner: str) -> QuerySet[Job]:
    """Jobs that wait for this owner's word, newest first."""
    waiting = Approval.objects.filter(owner=owner, state="pending").values("job_id")
    return Job.objects.filter(state="proposed", id__in=waiting)


def jobs_shown(rows: list[Job]) -> list[dict[str, Any]]:
    models = dict(JobModel.objects.filter(job_id__in=[row.id for row in rows]).values_list("job_id", "canister"))
    waits = waits_for([row.id for row in rows if row.state in LIVE])
    return [{**summary_of(row.record, models.get(row.id)), "waits_for": waits.get(row.id)} for row in rows]


def requests_shown(rows: list[Job], owner: str) -> list[dict[str, Any]]:
    titles = dataset_titles({a["dataset_id"] for row in rows for a in row.record["approvals"]})
    return [
        {
            **shown,
            "waiting": [
                approval
                for approval in _approvals(row.record, titles)
                if approval["owner"] == owner and approval["state"] == "pending"
            ],
        }
        for row, shown in zip(rows, jobs_shown(rows), strict=True)
    ]


def summary_of(record: Record, model: str | None) -> dict[str, Any]:
    return {
        **{name: record[name] for name in _SUMMARY},
        "metrics": record["result"]["metrics"] if record["result"] else [],
        "model": model,
        "proof": proof(_canister(), record["block"]),
    }


def job_shown(row: Job) -> dict[str, Any]:
    """The whole job: everything that its page shows."""
    record = row.record
    titles = dataset_titles({approval["dataset_id"] for approval in record["approvals"]})
    return {
        **jobs_shown([row])[0],
        **{name: record[name] for name in _DETAIL},
        "config": blobs.blob_json(record["config_hash"]),
        "approvals": _approvals(record, titles),
        "timeline": [
            {
                "btype": e["btype"],
                "title": title_of(e),
                "at_ns": e["at_ns"],
                "by": e["by"],
                "proof": proof(_canister(), e["block"]),
            }
            for e in record["timeline"]
        ],
        "result": _result(record, titles),
    }


def progress_of(row: Job) -> list[dict[str, Any]]:
    """The last events of training: as they come while it runs, and from the job's public log once it has a result.

    Raises RedisError, while the job runs and the broker does not answer."""
    if row.record["result"] is not None:
        return events_of(artifact(row.record, "log.jsonl") or b"", MAX_PROGRESS)
    return events.recent(channel_of(row.id), limit=MAX_PROGRESS)


def artifact(record: Record, name: str) -> bytes | None:
    """The bytes of an artifact of a job's result; None when the result does not name it or the blob is not here."""
    sha256 = artifact_hash(record, name)
    return blobs.blob_read(sha256) if sha256 is not None else None


def artifact_hash(record: Record, name: str) -> str | None:
    found = [a["sha256"] for a in (record["result"] or {"artifacts": []})["artifacts"] if a["name"] == name]
    return str(found[0]) if found else None


def artifact_json(record: Record, name: str) -> dict[str, Any] | None:
    sha256 = artifact_hash(record, name)
    value = blobs.blob_json(sha256) if sha256 is not None else None
    return value if isinstance(value, dict) else None


def attribution_of(job_id: int) -> list[dict[str, Any]]:
    """Of a job with a result: what each dataset was worth, and the share that it brought its owner."""
    row = Job.objects.filter(id=job_id).first()
    if row is None or row.record["result"] is None:
        return []
    titles = dataset_titles({approval["dataset_id"] for approval in row.record["approvals"]})
    return _attribution(row.record, titles)


def contributor_shares(job_ids: set[int]) -> dict[tuple[int, str], dict[int, int]]:
    """(job, owner) -> dataset -> basis points, of settled jobs."""
    found: dict[tuple[int, str], dict[int, int]] = {}
    for row in Job.objects.filter(id__in=job_ids, state="settled"):
        for share in row.record["shares"]:
            if share["role"] == "contributor":
                found.setdefault((row.id, share["owner"]), {})[share["dataset_id"]] = share["share_bps"]
    return found


def job_titles(job_ids: set[int]) -> dict[int, str]:
    return {row.id: row.record["title"] for row in Job.objects.filter(id__in=job_ids)}


def job_count(principal: str) -> int:
    """Jobs that the principal proposed."""
    return Job.objects.filter(builder=principal).count()


def payout_rows(owner: str) -> QuerySet[Payout]:
    return Payout.objects.filter(owner=owner)


def workers_shown() -> list[dict[str, Any]]:
    return [
        {
            "principal": worker.principal,
            "name": worker.name,
            "encryption_key": worker.encryption_key,
            "registered_at_ns": str(worker.registered_at_ns),
            "proof": proof(_canister(), worker.block),
        }
        for worker in Worker.objects.all()
    ]


def named_worker(value: str) -> str:
    """A worker's principal from its principal or its name. Raises Invalid."""
    found = Worker.objects.filter(name=value).first()
    return found.principal if found else principal_text(value, "worker")


# --- within ---


def _canister() -> str:
    return str(deployment().canisters["jobs"])


def _approvals(record: Record, titles: dict[int, str]) -> list[dict[str, Any]]:
    return [
        {
            **{k: v for k, v in approval.items() if k != "block"},
            "dataset_title": titles.get(approval["dataset_id"], ""),
            "proof": proof(_canister(), approval["block"]),
        }
        for approval in record["approvals"]
    ]


def _result(record: Record, titles: dict[int, str]) -> dict[str, Any] | None:
    if record["result"] is None:
        return None
    return {**record["result"], "attribution": _attribution(record, titles)}


def _attribution(record: Record, titles: dict[int, str]) -> list[dict[str, Any]]:
    owners = {approval["dataset_id"]: approval["owner"] for approval in record["approvals"]}
    bps = {share["dataset_id"]: share["share_bps"] for share in record["shares"] if share["role"] == "contributor"}
    return [
        {
            **entry,
            "dataset_title": titles.get(entry["dataset_id"], ""),
            "owner": owners.get(entry["dataset_id"], ""),
            "share_bps": bps.get(entry["dataset_id"], 0),
        }
        for entry in record["result"]["attribution"]
    ]
