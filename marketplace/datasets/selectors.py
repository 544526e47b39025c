"""Reading datasets: lists, one with all that belongs to it, sealed files and wrapped keys. Public descriptions are joined by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Prefetch, Q, QuerySet, Sum

from marketplace.chain.projection import proof
from marketplace.chain.selectors import blocks_about
from marketplace.client.sealing import Manifest, SealBroken
from marketplace.core.blobs import blob_json, blob_read, store
from marketplace.core.errors import WrongState

from .models import Dataset, DatasetVersion, Policy, SealedUpload
from .policy import policy_sentence

WRAPPED_KEY_BYTES = 113
MAX_READ = 4096
_read: dict[tuple[str, str], tuple[int | None, str | None]] = {}


# --- lists ---


def datasets(*, search: str = "", owner: str = "", state: str = "", decision: str = "") -> QuerySet[Dataset]:
    """Newest first, with what `summaries` needs."""
    rows = Dataset.objects.order_by("-id")
    for word in search.lower().split():
        rows = rows.filter(searched__contains=word)
    given = {"owner": owner, "state": state, "decision": decision}
    return rows.filter(**{name: value for name, value in given.items() if value})


def dataset_count(owner: str) -> int:
    return Dataset.objects.filter(owner=owner).count()


def dataset_titles(ids: Iterable[int]) -> dict[int, str]:
    return dict(Dataset.objects.filter(id__in=set(ids)).values_list("id", "title"))


def dataset_version(dataset_id: int, version: int) -> DatasetVersion | None:
    return DatasetVersion.objects.filter(dataset_id=dataset_id, version=version).first()


def summaries(rows: list[Dataset]) -> list[dict[str, Any]]:
    """DatasetSummary for each row, in three queries whatever their number."""
    ids = [row.id for row in rows]
    newest = Q()
    for row in rows:
        newest |= Q(dataset_id=row.id, version=row.version)
    versions = {v.dataset_id: v for v in DatasetVersion.objects.filter(newest)} if rows else {}
    policies: dict[int, Policy] = {}
    for policy in Policy.objects.filter(dataset_id__in=ids).order_by("version"):
        policies[policy.dataset_id] = policy
    return [_summary(row, versions[row.id], policies.get(row.id)) for row in rows]


def _summary(row: Dataset, newest: DatasetVersion, policy: Policy | None) -> dict[str, Any]:
    columns, task = _said(newest.schema_hash, newest.card_hash)
    return {
        "id": row.id,
        "owner": row.owner,
        "title": row.title,
        "state": row.state,
        "version": row.version,
        "row_count": row.row_count,
        "size_bytes": row.size_bytes,
        "columns": columns,
        "task": task,
        "policy": None if policy is None else policy_json(policy, row.canister),
        "uses": row.uses,
        "registered_at_ns": str(row.registered_at_ns),
        "proof": proof(row.canister, row.block),
    }


def policy_json(policy: Policy, canister: str) -> dict[str, Any]:
    return {
        "version": policy.version,
        **policy.terms,
        "set_at_ns": str(policy.set_at_ns),
        "sentence": policy_sentence(policy.terms),
        "proof": proof(canister, policy.block),
    }


def _said(schema_hash: str, card_hash: str) -> tuple[int | None, str | None]:
    """How many columns, and what the data is for, as its owner's blobs say. Read once they are here: they never change."""
    if (schema_hash, card_hash) in _read:
        return _read[(schema_hash, card_hash)]
    schema, card = _object(schema_hash), _object(card_hash)
    columns = schema.get("columns") if schema else None
    task = card.get("task") if card else None
    found = (len(columns) if isinstance(columns, list) else None, task if isinstance(task, str) else None)
    if schema is not None and card is not None:
        if len(_read) >= MAX_READ:
            _read.clear()
        _read[(schema_hash, card_hash)] = found
    return found


def _object(blob_hash: str) -> dict[str, Any] | None:
    """What its owner says about a dataset; None while the blob is not here, or is no JSON object that can be shown."""
    found = blob_json(blob_hash)
    return found if isinstance(found, dict) else None


# --- one dataset ---


def dataset_json(dataset_id: int) -> dict[str, Any] | None:
    rows = Dataset.objects.filter(id=dataset_id).prefetch_related(
        Prefetch("versions", DatasetVersion.objects.order_by("version")),
        Prefetch("policies", Policy.objects.order_by("-version")),
    )
    row = rows.first()
    if row is None:
        return None
    versions = list(row.versions.all())
    policies = list(row.policies.all())
    newest = versions[-1]
    stored = _stored(version.manifest_hash for version in versions)
    return {
        **_summary(row, newest, policies[0] if policies else None),
        "versions": [_version_json(version, row.canister, stored) for version in versions],
        "card": _object(newest.card_hash),
        "schema": _object(newest.schema_hash),
        "profile": _object(newest.profile_hash),
        "mock": _object(newest.mock_hash),
        "history": [
            block.timeline() for block in blocks_about("dataset", row.id) if block.fact.kind in ("registry", "jobs")
        ],
        "policies": [policy_json(policy, row.canister) for policy in policies],
    }


def _stored(manifest_hashes: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Of each sealed file: bytes that are here, and bytes that it has."""
    wanted = set(manifest_hashes)
    uploads = SealedUpload.objects.filter(manifest_hash__in=wanted)
    counted = uploads.annotate(here=Sum("chunks__size_bytes", filter=Q(chunks__is_here=True)))
    found = {upload.manifest_hash: (upload.here or 0, upload.size_bytes) for upload in counted}
    # A database that was made anew knows no uploads: what is in the store counts.
    return found | {name: _kept(name) for name in wanted - found.keys()}


def _kept(manifest_hash: str) -> tuple[int, int]:
    manifest = sealed_manifest(manifest_hash)
    if manifest is None:
        return 0, -1
    return sum(c.size_bytes for c in manifest.chunks if store().has("sealed", c.sha256.hex())), manifest.size_bytes


def _version_json(version: DatasetVersion, canister: str, stored: dict[str, tuple[int, int]]) -> dict[str, Any]:
    here, size_bytes = stored[version.manifest_hash]
    return {
        "version": version.version,
        "ciphertext_root": version.ciphertext_root,
        "plaintext_commitment": version.plaintext_commitment,
        "manifest_hash": version.manifest_hash,
        "schema_hash": version.schema_hash,
        "card_hash": version.card_hash,
        "profile_hash": version.profile_hash,
        "mock_hash": version.mock_hash,
        "row_count": version.row_count,
        "size_bytes": version.size_bytes,
        "registered_at_ns": str(version.registered_at_ns),
        "stored_bytes": here,
        "complete": here == size_bytes,
        "proof": proof(canister, version.block),
    }


# --- sealed files ---


def upload_json(upload: SealedUpload) -> dict[str, Any]:
    return {"manifest_hash": upload.manifest_hash, "missing": missing_chunks(upload), "size_bytes": upload.size_bytes}


def upload_of(manifest_hash: str) -> SealedUpload | None:
    return SealedUpload.objects.filter(manifest_hash=manifest_hash).first()


def missing_chunks(upload: SealedUpload) -> list[int]:
    return list(upload.chunks.filter(is_here=False).order_by("index").values_list("index", flat=True))


def sealed_manifest(manifest_hash: str) -> Manifest | None:
    """The manifest of a sealed file, checked; None when nobody has declared it."""
    data = blob_json(manifest_hash, most_bytes=None)
    try:
        return None if data is None else Manifest.from_value(data)
    except SealBroken:
        return None


def sealed_chunks(manifest: Manifest) -> Iterator[bytes]:
    """The ciphertext, chunk by chunk. Raises WrongState when one is not here (yet)."""
    for index, chunk in enumerate(manifest.chunks):
        data = blob_read(chunk.sha256.hex(), "sealed")
        if data is None:
            raise WrongState(
                f"Chunk {index} of the sealed file has not been uploaded yet. Its owner can resume the upload.",
                code="upload_incomplete",
            )
        yield data


# --- wrapped keys ---


def wrapped_key_name(dataset_id: int, version: int, worker: str) -> str:
    return f"{_wrapped_prefix(dataset_id)}{version}-{worker}"


def _wrapped_prefix(dataset_id: int) -> str:
    """Begins with a hash, so that folders stay small."""
    return f"{hashlib.sha256(str(dataset_id).encode()).hexdigest()[:8]}-{dataset_id}-"


def wrapped_key(dataset_id: int, version: int, worker: str) -> bytes | None:
    """The content key of a version, wrapped for a worker (113 bytes); None when its owner has not wrapped it for that worker."""
    return blob_read(wrapped_key_name(dataset_id, version, worker), "keys")


def wrapped_keys(dataset_id: int) -> list[dict[str, Any]]:
    """For whom keys are here: [{"version", "worker"}]."""
    prefix = _wrapped_prefix(dataset_id)
    found = [name.removeprefix(prefix).split("-", 1) for name in store().names("keys", prefix)]
    return [
        {"version": int(version), "worker": worker}
        for version, worker in sorted(found, key=lambda f: (int(f[0]), f[1]))
    ]
