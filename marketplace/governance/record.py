"""A cooperative and its proposals as blocks tell them: pure steps from one record, in the form of the API, to the next.

`projection` keeps what comes out. Ballots and holders have tables too, because they are searched by person; what is shown comes from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marketplace.chain.projection import principal_of
from marketplace.client.forms import manifest_to_json
from marketplace.jobs.amounts import bounded

Record = dict[str, Any]
Tx = dict[str, Any]

KINDS = {
    "Release": "release",
    "Parameters": "parameters",
    "TreasuryTransfer": "treasury_transfer",
    "Upgrade": "upgrade",
}
OPEN = ("voting", "adopted", "installing")
STATES = (*OPEN, "rejected", "live", "executed", "superseded", "failed")


# --- the cooperative ---


def founded(index: int, at_ns: int, tx: Tx) -> Record:
    return {
        "name": tx["name"],
        "job_id": tx["job_id"],
        "parameters": parameters_json(tx["parameters"]),
        "founded_at_ns": str(at_ns),
        "live": None,
        "treasury_e8s": 0,
        "revenue_e8s": 0,
        "paid_calls": 0,
        "block": index,
    }


def paid(record: Record, index: int, tx: Tx) -> Record:
    return {
        **record,
        "treasury_e8s": record["treasury_e8s"] + tx["treasury_e8s"],
        "revenue_e8s": record["revenue_e8s"] + tx["price_e8s"],
        "paid_calls": record["paid_calls"] + 1,
        "block": index,
    }


def parameters_json(parameters: Tx) -> dict[str, Any]:
    return {
        "price_e8s": str(parameters["price_e8s"]),
        "treasury_bps": parameters["treasury_bps"],
        "voting_period_ns": str(parameters["voting_period_ns"]),
        "quiet_period_ns": str(parameters["quiet_period_ns"]),
    }


# --- a proposal ---


def submitted(index: int, at_ns: int, tx: Tx) -> tuple[str, Record, dict[str, Any]]:
    """Kind, record and payload of a new proposal."""
    tag, said = next(iter(tx["kind"].items()))
    ballots = [
        {"owner": principal_of(b["owner"]), "shares": b["shares"], "vote": None, "at_ns": None} for b in tx["ballots"]
    ]
    record = {
        "id": tx["proposal_id"],
        "title": tx["title"],
        "summary": tx["summary"],
        "kind": KINDS[tag],
        "proposer": principal_of(tx["proposer"]),
        "state": "voting",
        "reason": "",
        "yes": 0,
        "no": 0,
        "total": sum(ballot["shares"] for ballot in ballots),
        "deadline_ns": str(tx["deadline_ns"]),
        "submitted_at_ns": str(at_ns),
        "decided_at_ns": None,
        "critical": bool(tx["critical"]),
        "manifest_hash": tx["manifest_hash"].hex() if "manifest_hash" in tx else None,
        "ballots": ballots,
        "staged": False,
        "log": [_entry("proposal_submitted", index, at_ns, tx)],
        "block": index,
    }
    return KINDS[tag], record, _PAYLOADS[tag](said)


def changed(record: Record, *, btype: str, index: int, at_ns: int, tx: Tx) -> Record:
    """The proposal after a block that names it. A block that was applied before changes nothing."""
    if index <= record["block"]:
        return record
    after = {**record, "block": index, "log": [*record["log"], _entry(btype, index, at_ns, tx)]}
    _STEPS[btype](after, at_ns, tx)
    return after


def _vote_cast(record: Record, at_ns: int, tx: Tx) -> None:
    owner, vote = principal_of(tx["owner"]), "yes" if tx["yes"] else "no"
    record[vote] = record[vote] + tx["shares"]
    record["ballots"] = [
        {**ballot, "vote": vote, "at_ns": str(at_ns)} if ballot["owner"] == owner else ballot
        for ballot in record["ballots"]
    ]


def _extended(record: Record, at_ns: int, tx: Tx) -> None:
    record["deadline_ns"] = str(tx["deadline_ns"])


def _decided(state: str) -> Callable[[Record, int, Tx], None]:
    def step(record: Record, at_ns: int, tx: Tx) -> None:
        record["state"], record["decided_at_ns"] = state, str(at_ns)

    return step


def _became(state: str) -> Callable[[Record, int, Tx], None]:
    def step(record: Record, at_ns: int, tx: Tx) -> None:
        record["state"] = state
        record["reason"] = tx.get("reason", "")

    return step


def _staged(record: Record, at_ns: int, tx: Tx) -> None:
    record["staged"] = True


def _noted(record: Record, at_ns: int, tx: Tx) -> None:
    """In the log, without another effect on the proposal."""


_STEPS: dict[str, Callable[[Record, int, Tx], None]] = {
    "vote_cast": _vote_cast,
    "deadline_extended": _extended,
    "proposal_adopted": _decided("adopted"),
    "proposal_rejected": _decided("rejected"),
    "release_staged": _staged,
    "release_installing": _became("installing"),
    "release_live": _became("live"),
    "release_superseded": _became("superseded"),
    "proposal_failed": _became("failed"),
    "proposal_executed": _became("executed"),
    "parameters_changed": _noted,
    "treasury_paid": _noted,
    "upgrade_asked": _noted,
}


def _release_payload(manifest: Tx) -> dict[str, Any]:
    metrics = [{**metric, "value_ppm": bounded(metric["value_ppm"])} for metric in manifest["metrics"]]
    return manifest_to_json({**manifest, "metrics": metrics})


_PAYLOADS: dict[str, Callable[[Tx], dict[str, Any]]] = {
    "Release": _release_payload,
    "Parameters": parameters_json,
    "TreasuryTransfer": lambda said: {"to": principal_of(said["to"]), "amount_e8s": str(bounded(said["amount_e8s"]))},
    "Upgrade": lambda said: {"module_hash": said["module_hash"].hex()},
}


def _entry(btype: str, index: int, at_ns: int, tx: Tx) -> dict[str, Any]:
    said = {name: tx[name] for name in ("yes", "no", "reason", "shares", "max_abs_error_e9", "by") if name in tx}
    return {"btype": btype, "at_ns": str(at_ns), "block": index, "said": {k: bounded(v) for k, v in said.items()}}


def title_of(entry: dict[str, Any]) -> str:
    """A line of a proposal's log in plain words: made when read."""
    said = entry["said"]
    if entry["btype"] == "vote_cast":
        return f"{said['shares']} shares said {'yes' if said['yes'] else 'no'}"
    return _TITLES[entry["btype"]].format(**said)


_TITLES = {
    "proposal_submitted": "Submitted: the vote is open",
    "deadline_extended": "The majority turned late: the vote is open longer",
    "proposal_adopted": "Adopted with {yes} shares for and {no} against",
    "proposal_rejected": "Rejected with {yes} shares for and {no} against",
    "release_staged": "Every part of the release is here",
    "release_installing": "Being installed",
    "release_live": "Live: its answers differ from the trained network's by at most {max_abs_error_e9}e-9",
    "release_superseded": "Replaced by the release of proposal {by}",
    "proposal_failed": "Failed: {reason}",
    "proposal_executed": "Carried out",
    "parameters_changed": "The new terms are in force",
    "treasury_paid": "Paid from the treasury",
    "upgrade_asked": "The factory is asked to install the new code",
}
