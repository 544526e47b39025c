"""One job as its blocks tell it: a pure fold from the jobs canister's log to a record in the form of the API.

`projection` keeps the record that comes out; `selectors` shows it. A test compares the fold of a real log with the canister's `job_get`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from canisters.interface.principal import Principal

from .amounts import bounded

Record = dict[str, Any]
Tx = dict[str, Any]

LIVE = ("proposed", "approved", "funded", "claimed", "running", "submitted")
OVER = ("settled", "denied", "expired", "cancelled", "failed")
CANCELLED = "the builder took it back"


def applied(record: Record | None, *, btype: str, index: int, at_ns: int, tx: Tx) -> Record | None:
    """The record after a block; None while there is no such job. A block that was applied before changes nothing."""
    if btype == "job_proposed":
        return record or _proposed(index, at_ns, tx)
    step = _STEPS.get(btype)
    if record is None or step is None or index <= record["block"]:
        return record
    changed = {**record, "block": index, "updated_at_ns": str(at_ns)}
    by = step(changed, tx, at_ns)
    changed["timeline"] = [*record["timeline"], _event(btype, index, at_ns, by, tx)]
    return changed


def from_chain(job: Mapping[str, Any]) -> Record:
    """The record of a job as the canister itself tells it (`job_get`, or the answer to a call): without a timeline, which is in the log."""
    given = _as_logged(job)
    record = _proposed(given["block"], given["proposed_at_ns"], {**given, "job_id": given["id"]})
    tag, said = _variant(given["state"])
    record |= {
        "state": tag.lower(),
        "fail_kind": said.get("kind"),
        "reason": given["reason"],
        "approvals": [_approval(approval, approval["block"], approval["at_ns"]) for approval in given["approvals"]],
        "escrow_e8s": str(given["escrow_e8s"]),
        "worker": text_of(given["worker"]) if "worker" in given else None,
        "lease_until_ns": str(given["lease_until_ns"]),
        "result": _result(given["result"]) if "result" in given else None,
        "shares": [_share(share) for share in given["shares"]],
        "payouts": [{**_payout(due), "claimed_block": due.get("claimed_block")} for due in given["payouts"]],
        "timeline": [],
        "updated_at_ns": str(given["updated_at_ns"]),
    }
    return record


def _as_logged(value: Any) -> Any:
    """Candid's Python form as a log would hold it: principals as bytes, variants without payload as text, absent fields left out."""
    if isinstance(value, Principal):
        return value.raw
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value.values())) is None and next(iter(value))[:1].isupper():
            return next(iter(value))
        return {key: _as_logged(item) for key, item in value.items() if item is not None}
    return [_as_logged(item) for item in value] if isinstance(value, list) else value


# --- within: one function a block type; each returns who acted, when the block says so ---


def _proposed(index: int, at_ns: int, tx: Tx) -> Record:
    args = tx["args"]
    builder = text_of(tx["builder"])
    return {
        "id": tx["job_id"],
        "title": args["title"],
        "purpose": args["purpose"],
        "recipe": args["recipe"],
        "builder": builder,
        "state": "proposed",
        "fail_kind": None,
        "reason": "",
        "datasets": [dict(dataset) for dataset in args["datasets"]],
        "code_hash": args["code_hash"].hex(),
        "config_hash": args["config_hash"].hex(),
        "seed": str(args["seed"]),
        "compute": args["compute"].lower(),
        "terms": dict(args["terms"]),
        "worker_fee_e8s": str(args["worker_fee_e8s"]),
        "budget_e8s": str(args["budget_e8s"]),
        "chosen_worker": text_of(args["worker"]) if "worker" in args else None,
        "approve_by_ns": str(args["approve_by_ns"]),
        "finish_by_ns": str(args["finish_by_ns"]),
        "approvals": [_approval(approval, index, at_ns) for approval in tx["approvals"]],
        "escrow_e8s": "0",
        "funded_at_ns": None,
        "worker": None,
        "lease_until_ns": "0",
        "result": None,
        "shares": [],
        "payouts": [],
        "timeline": [_event("job_proposed", index, at_ns, builder, tx)],
        "proposed_at_ns": str(at_ns),
        "updated_at_ns": str(at_ns),
        "block": index,
    }


def _approval(approval: Tx, index: int, at_ns: int) -> dict[str, Any]:
    tag, said = _variant(approval["state"])
    return {
        "dataset_id": approval["dataset_id"],
        "version": approval["version"],
        "owner": text_of(approval["owner"]),
        "policy_version": approval["policy_version"],
        "price_e8s": str(approval["price_e8s"]),
        "state": tag.lower(),
        "by": said["by"].lower() if "by" in said else "owner" if tag == "Revoked" else None,
        "reason": said.get("reason"),
        "workers": [text_of(worker) for worker in said.get("workers", [])],
        "at_ns": str(at_ns),
        "block": index,
    }


def _decided(state: str) -> Callable[[Record, Tx, int], str | None]:
    def step(record: Record, tx: Tx, at_ns: int) -> str | None:
        decided = {
            "state": state,
            "by": tx.get("by", "owner").lower(),
            "reason": tx.get("reason"),
            "workers": [text_of(worker) for worker in tx.get("workers", [])],
            "at_ns": str(at_ns),
            "block": record["block"],
        }
        record["approvals"] = [
            {**approval, **decided} if approval["dataset_id"] == tx["dataset_id"] else approval
            for approval in record["approvals"]
        ]
        return text_of(tx["owner"])

    return step


def _approved(record: Record, tx: Tx, at_ns: int) -> None:
    record["state"] = "approved"


def _denied(record: Record, tx: Tx, at_ns: int) -> None:
    record["state"], record["reason"] = "denied", tx["reason"]
    record["payouts"] = [_payout(due) for due in tx["payouts"]]  # an approval taken back after the job had been funded


def _funded(record: Record, tx: Tx, at_ns: int) -> str:
    record["state"], record["escrow_e8s"], record["funded_at_ns"] = "funded", str(tx["amount_e8s"]), str(at_ns)
    return str(record["builder"])


def _claimed(record: Record, tx: Tx, at_ns: int) -> str:
    record["state"], record["worker"] = "claimed", text_of(tx["worker"])
    record["lease_until_ns"] = str(tx["lease_until_ns"])
    return str(record["worker"])


def _started(record: Record, tx: Tx, at_ns: int) -> str | None:
    record["state"] = "running"
    worker: str | None = record["worker"]
    return worker


def _submitted(record: Record, tx: Tx, at_ns: int) -> str | None:
    record["state"], record["result"] = "submitted", _result(tx["result"])
    worker: str | None = record["worker"]
    return worker


def _result(given: Tx) -> dict[str, Any]:
    return {
        "metrics": [{"name": m["name"], "value_ppm": bounded(m["value_ppm"])} for m in given["metrics"]],
        "utility": given["utility"],
        "transcript_hash": given["transcript_hash"].hex(),
        "manifest_hash": given["manifest_hash"].hex(),
        "artifacts": [
            {"name": a["name"], "sha256": a["sha256"].hex(), "size_bytes": bounded(a["size_bytes"])}
            for a in given["artifacts"]
        ],
        "attribution": [dict(entry) for entry in given["attribution"]],
    }


def _settled(record: Record, tx: Tx, at_ns: int) -> None:
    record["state"] = "settled"
    record["shares"] = [_share(share) for share in tx["shares"]]
    record["payouts"] = [_payout(paid) for paid in tx["payouts"]]


def _ended(state: str, reason: str | None = None) -> Callable[[Record, Tx, int], str | None]:
    def step(record: Record, tx: Tx, at_ns: int) -> str | None:
        record["state"] = state
        record["reason"] = reason or tx.get("reason", "")
        record["fail_kind"] = tx.get("kind")
        record["payouts"] = [_payout(paid) for paid in tx["payouts"]]
        actor: str | None = {"cancelled": record["builder"], "failed": record["worker"]}.get(state)
        return actor

    return step


def _paid(record: Record, tx: Tx, at_ns: int) -> str:
    owner = text_of(tx["owner"])
    record["payouts"] = [
        {**due, "claimed_block": tx["ledger_block"]} if due["owner"] == owner and due["claimed_block"] is None else due
        for due in record["payouts"]
    ]
    record["escrow_e8s"] = str(int(record["escrow_e8s"]) - tx["amount_e8s"])
    return owner


def _share(share: Tx) -> dict[str, Any]:
    role, said = _variant(share["role"])
    return {
        "owner": text_of(share["owner"]),
        "role": role.lower(),
        "dataset_id": said.get("dataset_id"),
        "share_bps": share["share_bps"],
    }


def _payout(due: Tx) -> dict[str, Any]:
    kind, said = _variant(due["kind"])
    name = {"Price": "price", "WorkerFee": "worker_fee", "Refund": "refund"}[kind]
    return {
        "owner": text_of(due["owner"]),
        "kind": name,
        "dataset_id": said.get("dataset_id"),
        "amount_e8s": str(due["amount_e8s"]),
        "claimed_block": None,
    }


def text_of(raw: bytes) -> str:
    """A principal as a log has it, in text."""
    return str(Principal(raw))


def _variant(value: Any) -> tuple[str, Tx]:
    """A variant as a log has it: text when it has no payload, otherwise a map with one entry."""
    if isinstance(value, str):
        return value, {}
    tag, said = next(iter(value.items()))
    return tag, said


def _event(btype: str, index: int, at_ns: int, by: str | None, tx: Tx) -> dict[str, Any]:
    said = {name: tx[name] for name in ("dataset_id", "reason", "kind") if name in tx}
    return {"btype": btype, "at_ns": str(at_ns), "by": by, "block": index, "said": said}


def title_of(event: dict[str, Any]) -> str:
    """A step of the timeline in plain words: made when read, so that better words need no new index."""
    return _TITLES[event["btype"]].format(**event["said"])


_TITLES = {
    "job_proposed": "Proposed by the builder",
    "dataset_approved": "Dataset {dataset_id} approved by its owner",
    "dataset_denied": "Dataset {dataset_id} denied by its owner: {reason}",
    "approval_revoked": "Approval of dataset {dataset_id} taken back: {reason}",
    "job_approved": "Every dataset has agreed",
    "job_denied": "Denied: {reason}",
    "job_funded": "Budget paid into escrow",
    "job_claimed": "Claimed by a worker",
    "job_started": "Training started",
    "job_submitted": "Result submitted",
    "job_settled": "Settled: shares and payouts are fixed",
    "job_failed": "Failed ({kind}): {reason}",
    "job_cancelled": "Cancelled by the builder",
    "job_expired": "Expired: {reason}",
    "payout_claimed": "A payout was taken out",
}

_STEPS: dict[str, Callable[[Record, Tx, int], str | None]] = {
    "dataset_approved": _decided("approved"),
    "dataset_denied": _decided("denied"),
    "approval_revoked": _decided("revoked"),
    "job_approved": _approved,
    "job_denied": _denied,
    "job_funded": _funded,
    "job_claimed": _claimed,
    "job_started": _started,
    "job_submitted": _submitted,
    "job_settled": _settled,
    "job_failed": _ended("failed"),
    "job_cancelled": _ended("cancelled", CANCELLED),
    "job_expired": _ended("expired"),
    "payout_claimed": _paid,
}
