"""Uploads of sealed files, and keys wrapped for workers. Whose data is used for what is never decided here: the registry does."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from marketplace.chain.follower import follow_now
from marketplace.client.sealing import Manifest, SealBroken
from marketplace.core.blobs import blob_keep, store
from marketplace.core.errors import Invalid, NotAllowed, NotFound, TooLarge, WrongState

from . import selectors
from .models import BlobsGiven, Dataset, SealedChunk, SealedUpload

MAX_KEYS = 200  # wrapped for one dataset


def blob_give(*, principal: str, data: bytes) -> str:
    """Keep public bytes for anybody to read; returns their SHA-256 in hex. What is here already costs nothing.

    Raises: Invalid (empty); TooLarge (all that this person has brought)."""
    if not data:
        raise Invalid("The body is empty: there is nothing to keep.")
    if not store().has("public", hashlib.sha256(data).hexdigest()):
        with transaction.atomic():
            given, _ = BlobsGiven.objects.select_for_update().get_or_create(principal=principal)
            if given.size_bytes + len(data) > settings.MAX_BLOBS_BYTES:
                raise TooLarge(
                    f"You have brought {given.size_bytes} bytes; {settings.MAX_BLOBS_BYTES} in all are kept for one person."
                )
            given.size_bytes += len(data)
            given.save()
    return blob_keep(data)


def upload_begin(*, principal: str, manifest: Any) -> SealedUpload:
    """Declare a sealed file, or take up an upload that was interrupted.

    `manifest`: as `sealing.Manifest.to_json` writes it, parsed. The same one again, by anybody, is the same upload.
    Raises: Invalid (not a manifest); TooLarge (the file, or all that this person has declared)."""
    try:
        sealed = Manifest.from_value(manifest)
    except SealBroken as error:
        raise Invalid(str(error), fields={"manifest": str(error)}) from error
    if sealed.size_bytes > settings.MAX_SEALED_BYTES:
        raise TooLarge(f"The file has {sealed.size_bytes} bytes; at most {settings.MAX_SEALED_BYTES} are taken.")
    upload = selectors.upload_of(sealed.hash.hex())
    if upload is not None:
        _look_for_lost(upload)
        return upload
    with transaction.atomic():
        declared = SealedUpload.objects.filter(principal=principal).aggregate(Sum("size_bytes"))["size_bytes__sum"] or 0
        if declared + sealed.size_bytes > settings.MAX_UPLOADS_BYTES:
            raise TooLarge(
                f"You have declared {declared} bytes; {settings.MAX_UPLOADS_BYTES} in all are taken from one person."
            )
        blob_keep(sealed.to_json())
        return _declare(principal, sealed)


def _declare(principal: str, sealed: Manifest) -> SealedUpload:
    upload, made = SealedUpload.objects.get_or_create(
        manifest_hash=sealed.hash.hex(),
        defaults={"principal": principal, "size_bytes": sealed.size_bytes, "created_at_ns": time.time_ns()},
    )
    if made:
        SealedChunk.objects.bulk_create(
            (
                SealedChunk(upload=upload, index=index, sha256=chunk.sha256.hex(), size_bytes=chunk.size_bytes)
                for index, chunk in enumerate(sealed.chunks)
            ),
            batch_size=500,
        )
    return upload


def _look_for_lost(upload: SealedUpload) -> None:
    """What the store has lost since is missing again."""
    lost = [chunk.id for chunk in upload.chunks.filter(is_here=True) if not store().has("sealed", chunk.sha256)]
    SealedChunk.objects.filter(id__in=lost).update(is_here=False)


def chunk_put(*, manifest_hash: str, index: int, data: bytes) -> SealedUpload:
    """Keep one chunk of a declared file: safe on disk before it counts. The same chunk again changes nothing.

    Anybody may send it: the manifest says what it must be. Raises: NotFound (not declared); Invalid (not the bytes that belong there)."""
    upload = selectors.upload_of(manifest_hash)
    if upload is None:
        raise NotFound("No such upload. Declare it first: POST uploads with its manifest.")
    chunk = upload.chunks.filter(index=index).first()
    if chunk is None:
        raise NotFound(f"The manifest has no chunk {index}.")
    if len(data) != chunk.size_bytes:
        raise Invalid(
            f"Chunk {index} has {chunk.size_bytes} bytes, and {len(data)} came. Send it again, whole.",
            code="wrong_size",
        )
    if hashlib.sha256(data).hexdigest() != chunk.sha256:
        raise Invalid(f"These are not the bytes that the manifest names for chunk {index}.", code="wrong_hash")
    if not chunk.is_here:
        blob_keep(data, "sealed")
        SealedChunk.objects.filter(id=chunk.id).update(is_here=True)
    return upload


def wrapped_key_put(*, principal: str, dataset_id: int, version: int, worker: str, data: bytes) -> None:
    """Keep a content key that its owner wrapped for one worker. Sent again, it replaces the one before.

    Raises: NotFound, NotAllowed (another's dataset), Invalid (not 113 bytes), WrongState (too many)."""
    if selectors.dataset_version(dataset_id, version) is None:
        follow_now("registry")  # the owner may have signed it a moment ago, past us
    require_owner(dataset_id, principal)
    if selectors.dataset_version(dataset_id, version) is None:
        raise NotFound(f"Dataset {dataset_id} has no version {version}.")
    if len(data) != selectors.WRAPPED_KEY_BYTES:
        raise Invalid(
            f"A wrapped key has {selectors.WRAPPED_KEY_BYTES} bytes, and {len(data)} came.", code="wrong_size"
        )
    name = selectors.wrapped_key_name(dataset_id, version, worker)
    if not store().has("keys", name) and len(selectors.wrapped_keys(dataset_id)) >= MAX_KEYS:
        raise WrongState(f"There are {MAX_KEYS} keys for this dataset already.", code="too_many_keys")
    store().put("keys", name, data)


def require_owner(dataset_id: int, principal: str) -> Dataset:
    """Raises NotFound, NotAllowed."""
    dataset = Dataset.objects.filter(id=dataset_id).first()
    if dataset is None:
        raise NotFound(f"There is no dataset {dataset_id}.")
    if dataset.owner != principal:
        raise NotAllowed("Only the owner of this dataset may do that.", code="not_owner")
    return dataset
