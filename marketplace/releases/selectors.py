"""Reads the release that a job's result carries, out of its public artifacts."""

from __future__ import annotations

from typing import Any

from marketplace.client.forms import MalformedForm, manifest_from_json, manifest_hash
from marketplace.core.errors import NotFound
from marketplace.jobs.selectors import artifact_hash, artifact_json, job_row


def release_of(job_id: int) -> dict[str, Any]:
    """Raises NotFound: the job is not settled, or has no release that holds."""
    record = job_row(job_id).record
    if record["state"] != "settled":
        raise NotFound(f"Job {job_id} is {record['state']}: a release comes with a settled result.")
    manifest = artifact_json(record, "manifest.json")
    hashed = artifact_hash(record, "release")
    if manifest is None or hashed is None or not _is_recorded(manifest, hashed):
        raise NotFound(
            f"The result of job {job_id} has no release: its manifest is not here, or is not the one on record."
        )
    return {
        "manifest": manifest,
        "manifest_hash": hashed,
        "interface": artifact_json(record, "interface.json"),
        "cost": artifact_json(record, "cost.json"),
        "equality": artifact_json(record, "equality.json"),
    }


def _is_recorded(manifest: dict[str, Any], hashed: str) -> bool:
    """Whether the file, which is whatever the worker had hashed, is the manifest whose hash a cooperative will look for."""
    try:
        return manifest_hash(manifest_from_json(manifest)).hex() == hashed
    except MalformedForm:
        return False
