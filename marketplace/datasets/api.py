"""HTTP: datasets and what belongs to them; public blobs; sealed files in resumable chunks; keys wrapped for workers."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.accounts.services import session_only
from marketplace.core.api import ApiView, RawParser, body_within, hex_bytes, principal_text
from marketplace.core.blobs import blob_read
from marketplace.core.errors import Invalid, NotFound
from marketplace.core.openapi import described

from . import selectors, services
from .shapes import BlobShape, DatasetShape, DatasetSummaryShape, KeyShape, UploadInput, UploadMissingShape, UploadShape

DECISIONS = ("AutoApprove", "Ask", "Deny")
STATES = ("active", "withdrawn")
MAX_CHUNK_BYTES = (1 << 20) + 16
BYTES = "application/octet-stream"


class DatasetsApi(ApiView):
    @described(
        "Datasets, newest first",
        response=DatasetSummaryShape,
        page=True,
        query={
            "search": "words of the title",
            "owner": "a principal",
            "state": "active or withdrawn",
            "decision": "of the policy: AutoApprove, Ask or Deny",
        },
        errors=(),
    )
    def get(self, request: Request) -> Response:
        rows = selectors.datasets(
            search=self.query("search"),
            owner=self.query_principal("owner"),
            state=self._one_of("state", STATES),
            decision=self._one_of("decision", DECISIONS),
        )
        return self.page(rows, selectors.summaries)

    def _one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.query(name)
        if value and value not in allowed:
            raise Invalid(f"{name} is one of {', '.join(allowed)}.", fields={name: f"one of {', '.join(allowed)}"})
        return value


class DatasetApi(ApiView):
    @described("One dataset with all that belongs to it", response=DatasetShape)
    def get(self, request: Request, dataset_id: int) -> Response:
        found = selectors.dataset_json(dataset_id)
        if found is None:
            raise NotFound(f"There is no dataset {dataset_id}.")
        return Response(found)


class KeysApi(ApiView):
    @described("For which workers a key is here (its owner only)", response=KeyShape, many=True, errors=(403, 404))
    def get(self, request: Request, dataset_id: int) -> Response:
        services.require_owner(dataset_id, self.caller.principal)
        return Response(selectors.wrapped_keys(dataset_id))


class KeyApi(ApiView):
    parser_classes = [RawParser]

    @described(
        "Hand over a content key wrapped for one worker", raw_request=BYTES, status=204, errors=(403, 404, 409, 413)
    )
    def put(self, request: Request, dataset_id: int, version: int, worker: str) -> Response:
        services.wrapped_key_put(
            principal=session_only(self.caller).principal,
            dataset_id=dataset_id,
            version=version,
            worker=principal_text(worker, "worker"),
            data=body_within(request, selectors.WRAPPED_KEY_BYTES),
        )
        return Response(status=204)


class BlobsApi(ApiView):
    parser_classes = [RawParser]

    @described(
        "Keep public bytes under their SHA-256", raw_request=BYTES, response=BlobShape, status=201, errors=(413,)
    )
    def post(self, request: Request) -> Response:
        principal = self.caller.principal
        data = body_within(request, settings.MAX_BLOB_BYTES)
        name = services.blob_give(principal=principal, data=data)
        return Response({"sha256": name, "size_bytes": len(data)}, status=201)


class BlobApi(ApiView):
    @described("Public bytes by their SHA-256", raw=BYTES)
    def get(self, request: Request, sha256: str) -> HttpResponse:
        name = hex_bytes(sha256, "sha256", 32).hex()
        data = blob_read(name)
        if data is None:
            raise NotFound("No such blob is here.")
        # Somebody's bytes on our origin: never to be shown as a page or run, whatever they are.
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "ETag": f'"{name}"',
        }
        return HttpResponse(data, content_type=BYTES, headers=headers)


class UploadsApi(ApiView):
    @described(
        "Declare a sealed file, or take up an upload",
        request=UploadInput,
        response=UploadShape,
        status=201,
        errors=(413, 415),
    )
    def post(self, request: Request) -> Response:
        caller = self.caller
        manifest = self.read(UploadInput)["manifest"]
        return Response(
            selectors.upload_json(services.upload_begin(principal=caller.principal, manifest=manifest)), status=201
        )


class UploadApi(ApiView):
    @described("Which chunks are still missing", response=UploadShape)
    def get(self, request: Request, manifest_hash: str) -> Response:
        upload = selectors.upload_of(hex_bytes(manifest_hash, "manifest_hash", 32).hex())
        if upload is None:
            raise NotFound("No such upload. Declare it first: POST uploads with its manifest.")
        return Response(selectors.upload_json(upload))


class ChunkApi(ApiView):
    parser_classes = [RawParser]

    @described("Send one chunk", raw_request=BYTES, response=UploadMissingShape, errors=(404, 413))
    def put(self, request: Request, manifest_hash: str, index: int) -> Response:
        _ = self.caller
        upload = services.chunk_put(
            manifest_hash=hex_bytes(manifest_hash, "manifest_hash", 32).hex(),
            index=_chunk_index(index),
            data=body_within(request, MAX_CHUNK_BYTES),
        )
        return Response({"missing": selectors.missing_chunks(upload)})


def _chunk_index(index: int) -> int:
    if index >= 1 << 31:
        raise NotFound("No manifest has that many chunks.")
    return index
