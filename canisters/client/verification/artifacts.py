"""A result's artifacts, when their bytes are at hand: each has the hash on record, and the transcript gives the recorded attribution."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .fields import Fields, Malformed
from .jobs import Job, Jobs
from .registry import Registry
from .report import Findings, Topic
from .shapley import CannotValue, Valued, recomputed

Blobs = Mapping[str, bytes]  # SHA-256 in hex -> bytes
FORMAT = "commonweight/transcript/v1"
ROUNDING = 1e-9  # of floating-point sums in another order, in units of the utility
# Not a file: the hash of the manifest as the cooperative computes it.
HASH_ONLY = "release"


def check_artifacts(jobs: Jobs, registry: Registry, blobs: Blobs, findings: Findings) -> None:
    for job in jobs.jobs.values():
        if job.result is None:
            continue
        files = findings.topic(f"job {job.id} artifacts", job.id)
        with files.reading():
            _check_files(job.result, blobs, files)
        transcript = findings.topic(f"job {job.id} transcript", job.id)
        data = _found(blobs, job.result.blob("transcript_hash"))
        if not transcript.require(data is not None, "it is not at hand, or is not what was recorded") or data is None:
            continue
        try:
            with transcript.reading():
                _check_transcript(json.loads(data), job, job.result, registry, transcript)
        except (CannotValue, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            transcript.require(False, f"it cannot be read: {type(error).__name__}: {error}")


def _found(blobs: Blobs, sha256: bytes) -> bytes | None:
    data = blobs.get(sha256.hex())
    return data if data is not None and hashlib.sha256(data).digest() == sha256 else None


def _check_files(result: Fields, blobs: Blobs, topic: Topic) -> None:
    size_bytes = number = 0
    for artifact in result.records("artifacts"):
        name, sha256 = artifact.text("name"), artifact.blob("sha256")
        if name.startswith(HASH_ONLY):
            continue
        data = blobs.get(sha256.hex())
        if data is None:
            topic.require(False, f"{name} is not at hand ({sha256.hex()})")
            continue
        topic.require(
            hashlib.sha256(data).digest() == sha256, f"{name} is not what was recorded: its SHA-256 is another"
        )
        topic.require(len(data) == artifact.nat("size_bytes"), f"{name} has {len(data)} bytes")
        number, size_bytes = number + 1, size_bytes + len(data)
    topic.fact(f"{number} files, {size_bytes} bytes, each with the hash on record")


def _check_transcript(transcript: dict[str, Any], job: Job, result: Fields, registry: Registry, topic: Topic) -> None:
    topic.require(transcript["format"] == FORMAT, f"its format is not {FORMAT}")
    args = job.args
    topic.require(transcript["code_hash"] == args.blob("code_hash").hex(), "another code ran than was approved")
    topic.require(
        transcript["config_hash"] == args.blob("config_hash").hex(), "another config was used than was approved"
    )
    topic.require(transcript["recipe"] == args.text("recipe"), "another recipe ran than was approved")
    topic.require(transcript["seed"] == str(args.nat("seed")), "another seed was used than was proposed")
    for name in ("code", "config"):
        hashed = hashlib.sha256(_canonical(transcript[name])).hexdigest()
        topic.require(hashed == transcript[f"{name}_hash"], f"its {name} does not have the hash it states")
    onnx = job.artifacts().get("model.onnx")
    topic.require(onnx is None or transcript["onnx_sha256"] == onnx.hex(), "it is of another network than model.onnx")
    metrics = {metric.text("name"): metric.integer("value_ppm") for metric in result.records("metrics")}
    for name, ppm in metrics.items():
        stated = transcript["metrics"].get(name)
        topic.require(
            stated is not None and _is_ppm(stated, ppm), f"the metric {name} is {stated} in it, and {ppm} ppm on record"
        )
    _check_parts(transcript["parts"], job, registry, topic)
    _check_values(transcript, job, result, topic)


def _check_parts(parts: list[dict[str, Any]], job: Job, registry: Registry, topic: Topic) -> None:
    """It was trained on these datasets and no others; the commitments are those that their owners registered."""
    topic.require(
        sorted(part["dataset_id"] for part in parts) == sorted(a.dataset_id for a in job.approvals),
        "it was trained on other datasets than were approved",
    )
    for part in parts:
        approval, dataset = job.approval(part["dataset_id"]), registry.datasets.get(part["dataset_id"])
        if approval is None or dataset is None or not 1 <= approval.version <= len(dataset.versions):
            raise Malformed(f"dataset {part['dataset_id']} is not one of the job's")
        registered = dataset.versions[approval.version - 1].args.blob("plaintext_commitment").hex()
        same = part["commitment"] in (None, registered)
        topic.require(same, f"dataset {dataset.id}: other data was used than its owner registered")


def _check_values(transcript: dict[str, Any], job: Job, result: Fields, topic: Topic) -> None:
    players = [approval.dataset_id for approval in job.approvals]
    values = recomputed(players, transcript["valuation"])
    stated = {
        entry["dataset_id"]: Valued(entry["value"], entry["low"], entry["high"]) for entry in transcript["attribution"]
    }
    for entry in result.records("attribution"):
        id_ = entry.nat("dataset_id")
        value, said = values.get(id_), stated.get(id_)
        if value is None or said is None:
            raise Malformed(f"dataset {id_} has no value in it")
        near = all(abs(getattr(value, part) - getattr(said, part)) <= ROUNDING for part in ("value", "low", "high"))
        topic.require(
            near, f"dataset {id_}: the recorded utilities give {value.value:.9f}, and it states {said.value:.9f}"
        )
        same = (
            _is_ppm(value.value, entry.integer("value_ppm"))
            and _is_ppm(value.low, entry.integer("low_ppm"))
            and _is_ppm(value.high, entry.integer("high_ppm"))
        )
        topic.require(
            same,
            f"dataset {id_}: the recorded utilities give {value.value:.6f}, and the chain has {entry.integer('value_ppm')} ppm",
        )
    topic.fact(f"{len(players)} values recomputed from {_games(transcript['valuation'])} are those on the chain")


def _games(valuation: dict[str, Any]) -> str:
    if valuation["method"] == "exact":
        return f"{len(valuation['coalitions'])} coalitions, {valuation['repetitions']} times"
    return f"{len(valuation['walks'])} walks"


def _is_ppm(value: float, ppm: int) -> bool:
    """Rounded to the next millionth, whichever way a tie went."""
    return abs(value * 1_000_000 - ppm) <= 0.5 + ROUNDING * 1_000_000


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
