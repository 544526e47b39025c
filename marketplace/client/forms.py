"""Chain values in the API's JSON, and back: hashes and blobs in hex, amounts and times as decimal strings, principals as text.

A release's manifest is the one value that travels both ways: the worker writes it as JSON, an owner proposes it to the cooperative.
"""

from __future__ import annotations

from typing import Any

from canisters.client.typed.cooperative import EqualityVector, ReleaseManifest, TensorBlob
from canisters.interface.icrc3 import Value, value_hash

Json = dict[str, Any]


class MalformedForm(ValueError):
    """JSON that is not the form of the value it should be."""


def manifest_from_json(form: Json) -> ReleaseManifest:
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
            "equality": [_vector(v) for v in form["equality"]],
            "tolerance_e9": int(form["tolerance_e9"]),
            "estimated_instructions": int(form["estimated_instructions"]),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedForm(f"not a release's manifest: {error}") from error


def manifest_to_json(manifest: ReleaseManifest) -> Json:
    return {
        "job_id": manifest["job_id"],
        "title": manifest["title"],
        "wasm_sha256": manifest["wasm_sha256"].hex(),
        "wasm_chunks": [{"sha256": c["sha256"].hex(), "size_bytes": c["size_bytes"]} for c in manifest["wasm_chunks"]],
        "weight_chunks": [{"sha256": c["sha256"].hex(), "size_bytes": c["size_bytes"]} for c in manifest["weight_chunks"]],
        "onnx_sha256": manifest["onnx_sha256"].hex(),
        "transcript_hash": manifest["transcript_hash"].hex(),
        "card_hash": manifest["card_hash"].hex(),
        "metrics": [{"name": m["name"], "value_ppm": m["value_ppm"]} for m in manifest["metrics"]],
        "equality": [
            {"inputs": [tensor_to_json(t) for t in v["inputs"]], "outputs": [tensor_to_json(t) for t in v["outputs"]]}
            for v in manifest["equality"]
        ],
        "tolerance_e9": str(manifest["tolerance_e9"]),
        "estimated_instructions": str(manifest["estimated_instructions"]),
    }


def manifest_hash(manifest: ReleaseManifest) -> bytes:
    """32 bytes, as the cooperative computes it from what is proposed (`Cooperative.manifestValue`)."""
    return value_hash(_manifest_value(manifest))


def tensor_to_json(tensor: TensorBlob) -> Json:
    return {"name": tensor["name"], "dtype": tensor["dtype"], "shape": list(tensor["shape"]), "data": tensor["data"].hex()}


def tensor_from_json(form: Json) -> TensorBlob:
    return {
        "name": str(form["name"]),
        "dtype": str(form["dtype"]),
        "shape": [int(n) for n in form["shape"]],
        "data": bytes.fromhex(form["data"]),
    }


def _chunk(form: Json) -> Any:
    return {"sha256": bytes.fromhex(form["sha256"]), "size_bytes": int(form["size_bytes"])}


def _vector(form: Json) -> EqualityVector:
    return {
        "inputs": [tensor_from_json(t) for t in form["inputs"]],
        "outputs": [tensor_from_json(t) for t in form["outputs"]],
    }


def _map(**fields: Value) -> Value:
    return {"Map": list(fields.items())}


def _tensors(tensors: list[TensorBlob]) -> Value:
    return {
        "Array": [
            _map(
                name={"Text": t["name"]},
                dtype={"Text": t["dtype"]},
                shape={"Array": [{"Nat": n} for n in t["shape"]]},
                data={"Blob": t["data"]},
            )
            for t in tensors
        ]
    }


def _chunks(chunks: list[Any]) -> Value:
    return {"Array": [_map(sha256={"Blob": c["sha256"]}, size_bytes={"Nat": c["size_bytes"]}) for c in chunks]}


def _manifest_value(m: ReleaseManifest) -> Value:
    return _map(
        job_id={"Nat": m["job_id"]},
        title={"Text": m["title"]},
        wasm_sha256={"Blob": m["wasm_sha256"]},
        wasm_chunks=_chunks(list(m["wasm_chunks"])),
        weight_chunks=_chunks(list(m["weight_chunks"])),
        onnx_sha256={"Blob": m["onnx_sha256"]},
        transcript_hash={"Blob": m["transcript_hash"]},
        card_hash={"Blob": m["card_hash"]},
        metrics={"Array": [_map(name={"Text": x["name"]}, value_ppm={"Int": x["value_ppm"]}) for x in m["metrics"]]},
        equality={"Array": [_map(inputs=_tensors(v["inputs"]), outputs=_tensors(v["outputs"])) for v in m["equality"]]},
        tolerance_e9={"Nat": m["tolerance_e9"]},
        estimated_instructions={"Nat": m["estimated_instructions"]},
    )
