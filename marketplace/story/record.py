"""What came of the story, read back from the chain: certified answers of the canisters and certificates of their state.

Nothing here is kept from the run but the ids to ask for, the receipts of the paid answers (which are checked) and the seconds it took.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import onnxruntime as ort

from canisters.client.contracts import contract
from canisters.client.typed.jobs import Job
from canisters.client.verification import collect, verify_bundle
from canisters.interface.principal import Principal

from .play import PARAMETERS, Story, StoryBroken

Json = dict[str, Any]


def record(story: Story) -> Json:
    """The content of story.json. Raises StoryBroken when the chain does not have what the story should have left."""
    asker = story.people["builder"]
    job = _there(asker.jobs.job_get(story.job, certified=True), "the job")
    denied = asker.jobs.job_get(story.denied_job, certified=True)
    cooperative = asker.cooperative(story.canister)
    info = cooperative.info(certified=True)
    release = _there(cooperative.proposal_get(1, certified=True), "the release")
    rejected = _there(cooperative.proposal_get(2, certified=True), "the rejected release")
    inference = _there(info.get("inference"), "the inference canister")
    live = info.get("live")
    network = story.market.network()
    paid = _payouts(story)
    bundle = collect(asker.agent, {name: Principal.from_text(text) for name, text in network["canisters"].items()})
    report = verify_bundle(bundle, story.root_key, blobs=_blobs(story))
    return {
        "network": {"url": asker.agent.url, "root_key": story.root_key.hex()},
        "canisters": network["canisters"],
        "contributors": [
            {"name": c.name, "principal": str(story.people[c.name].principal), "dataset_id": story.datasets[c.name]}
            for c in story.cast.contributors
        ],
        "denied_job": {"id": denied["id"], "state": _tag(denied["state"]), "reason": denied["reason"]} if denied else None,
        "job": {
            "id": job["id"],
            "state": _tag(job["state"]),
            "metrics": {m["name"]: m["value_ppm"] / 1e6 for m in _result(job)["metrics"]},
            "transcript_hash": _result(job)["transcript_hash"].hex(),
        },
        "attribution": _attribution(job),
        "cooperative": {
            "canister": str(story.canister),
            "holders": [{"principal": str(h["owner"]), "shares": h["shares"]} for h in info["holders"]],
        },
        "release": {
            "state": _tag(release["state"]),
            "wasm_sha256": release["kind"]["Release"]["wasm_sha256"].hex(),
            "manifest_hash": _there(release.get("manifest_hash"), "the manifest's hash").hex(),
        },
        "inference": {
            "canister": str(inference),
            "controllers": [str(p) for p in asker.agent.controllers(inference)],
            "module_hash": _there(asker.agent.module_hash(inference), "the module").hex(),
            "max_abs_error": _largest_error(story, job),
            "instructions": max(answer["instructions"] for answer in paid),
        },
        "payout": {
            "calls": len(paid),
            "total_e8s": sum(answer["price_e8s"] for answer in paid),
            "treasury_e8s": info["treasury_e8s"],
            "parts": _parts(paid),
        },
        "balances": {name: person.balance_e8s() for name, person in story.people.items()},
        "failed_vote": {
            "proposal_id": rejected["id"],
            "state": _tag(rejected["state"]),
            "live_release_unchanged": live is not None and live["proposal_id"] == release["id"],
        },
        "verified": report.ok,
        "checks": len(report.checks),
        "failed_checks": [f"{check.name}: {check.detail}" for check in report.checks if not check.ok],
        "seconds": story.kept.get("seconds", {}),
    }


def _there(value: Any, what: str) -> Any:
    if value is None:
        raise StoryBroken(f"the chain does not have {what}")
    return value


def _tag(variant: Any) -> str:
    return str(next(iter(variant))).lower()


def _result(job: Job) -> Any:
    return _there(job.get("result"), "the job's result")


def _attribution(job: Job) -> list[Json]:
    shares = {s["role"]["Contributor"]["dataset_id"]: s for s in job["shares"] if "Contributor" in s["role"]}
    return [
        {
            "principal": str(shares[a["dataset_id"]]["owner"]),
            "dataset_id": a["dataset_id"],
            "value": a["value_ppm"] / 1e6,
            "low": a["low_ppm"] / 1e6,
            "high": a["high_ppm"] / 1e6,
            "share_bps": shares[a["dataset_id"]]["share_bps"],
        }
        for a in _result(job)["attribution"]
    ]


def _payouts(story: Story) -> list[Any]:
    """The paid answers, out of their receipts, each checked against the root key alone."""
    decoder = contract("cooperative", story.people["builder"].agent, story.canister).bound("infer")
    answers = []
    for receipt in story.receipts():
        receipt.verify(story.root_key)
        answers.append(decoder.decode(receipt.reply)["Ok"])
    if not answers or any(answer["price_e8s"] != PARAMETERS["price_e8s"] for answer in answers):
        raise StoryBroken("the paid answers are not there, or were sold at another price")
    return answers


def _parts(paid: list[Any]) -> list[Json]:
    sums: dict[str, int] = {}
    for answer in paid:
        for part in answer["parts"]:
            sums[str(part["owner"])] = sums.get(str(part["owner"]), 0) + part["amount_e8s"]
    return [{"principal": owner, "amount_e8s": amount} for owner, amount in sorted(sums.items())]


def _largest_error(story: Story, job: Job) -> float:
    """Largest |on chain - ONNX Runtime| over the paid answers, for the network that the job has on record."""
    onnx = next(a for a in _result(job)["artifacts"] if a["name"] == "model.onnx")
    session = ort.InferenceSession(io.BytesIO(story.market.blob(onnx["sha256"].hex())).read(), providers=["CPUExecutionProvider"])
    worst = 0.0
    paid = _payouts(story)
    for question, answer in zip(story.cast.questions(len(paid)), paid, strict=True):
        features = np.frombuffer(question["data"], "<f4").reshape(question["shape"])
        expected = session.run(["probabilities"], {question["name"]: features})[0]
        got = np.frombuffer(answer["outputs"][0]["data"], "<f4").reshape(answer["outputs"][0]["shape"])
        worst = max(worst, float(np.abs(expected - got).max()))
    return worst


def _blobs(story: Story) -> dict[str, bytes]:
    """The public artifacts of every job by their SHA-256, so that the verifier recomputes from them too."""
    found: dict[str, bytes] = {}
    jobs = story.people["builder"].jobs
    for summary in story.market.jobs():
        job = jobs.job_get(summary["id"])
        result = job.get("result") if job else None
        for artifact in result["artifacts"] if result else []:
            if artifact["name"] != "release":  # its hash is of the manifest's value, not of a file
                name = artifact["sha256"].hex()
                found[name] = story.market.blob(name)
    return found
