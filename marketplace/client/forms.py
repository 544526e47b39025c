"""Chain values in the API's JSON, and back: hashes and blobs in lower-case hex.

A release's manifest travels both ways: the worker writes it as JSON, the API shows it, an owner proposes it to the cooperative. Its hash stands
among the artifacts of the job's result, and a proposal must hash to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canisters.client.typed.cooperative import ReleaseManifest, TensorBlob
from canisters.interface.icrc3 import to_value, value_hash

from .canonical import canonical_json

Json = dict[str, Any]
_HASHES = ("wasm_sha256", "onnx_sha256", "transcript_hash", "card_hash")


class MalformedForm(ValueError):
    """JSON that is not the form of the value it should be."""


def manifest_hash(manifest: ReleaseManifest) -> bytes:
    """32 bytes, as the cooperative computes it (`Cooperative.manifestValue`): a metric's value is an Int, every other number a Nat."""
    metrics = [{"name": m["name"], "value_ppm": {"Int": m["value_ppm"]}} for m in manifest["metrics"]]
    return value_hash(to_value({**manifest, "metrics": metrics}))


def manifest_to_json(manifest: Mapping[str, Any]) -> Json:
    """Also for a manifest as a log has it, whose fields are the same."""
    return {
        **manifest,
        **{name: manifest[name].hex() for name in _HASHES},
        **{
            part: [{"sha256": chunk["sha256"].hex(), "size_bytes": chunk["size_bytes"]} for chunk in manifest[part]]
            for part in ("wasm_chunks", "weight_chunks")
        },
        "metrics": [dict(metric) for metric in manifest["metrics"]],
        "equality": [
            {side: [{**t, "data": t["data"].hex()} for t in vector[side]] for side in ("inputs", "outputs")}
            for vector in manifest["equality"]
        ],
    }


def manifest_bytes(manifest: ReleaseManifest) -> bytes:
    """The one text of it that is kept as an artifact."""
    return canonical_json(manifest_to_json(manifest))


def manifest_from_json(form: Mapping[str, Any]) -> ReleaseManifest:
    """Raises MalformedForm."""
    try:
        return {
            "job_id": int(form["job_id"]),
            "title": str(form["title"]),
            "wasm_sha256": bytes.fromhex(form["wasm_sha256"]),
            "wasm_chunks": [_chunk(c) for c in form["wasm_chunks"]],
            "weight_chunks": [_chunk(c) for c in form["weight_chunks"]],
            "onnx_sha256": bytes.fromhex(form["onnx_sha256"]),
            "transcript_hash": bytes.fromhex(form["transcript_hash"]),
            "card_hash": bytes.fromhex(form["card_hash"]),
            "metrics": [{"name": str(m["name"]), "value_ppm": int(m["value_ppm"])} for m in form["metrics"]],
            "equality": [
                {"inputs": [_tensor(t) for t in v["inputs"]], "outputs": [_tensor(t) for t in v["outputs"]]}
                for v in form["equality"]
            ],
            "tolerance_e9": int(form["tolerance_e9"]),
            "estimated_instructions": int(form["estimated_instructions"]),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedForm(f"not a release's manifest: {error}") from error


def _chunk(form: Json) -> Any:
    return {"sha256": bytes.fromhex(form["sha256"]), "size_bytes": int(form["size_bytes"])}


def _tensor(form: Json) -> TensorBlob:
    return {
        "name": str(form["name"]),
        "dtype": str(form["dtype"]),
        "shape": [int(n) for n in form["shape"]],
        "data": bytes.fromhex(form["data"]),
    }
