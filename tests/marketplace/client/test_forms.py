"""A release's manifest survives its JSON form, and hashes as the chain hashes it."""

from __future__ import annotations

import pytest

from canisters.client.typed.cooperative import ReleaseManifest
from marketplace.client.forms import MalformedForm, manifest_from_json, manifest_hash, manifest_to_json


def manifest(**changes: object) -> ReleaseManifest:
    tensor = {"name": "features", "dtype": "float32", "shape": [1, 2], "data": b"\0\0\x80?\0\0\0@"}
    return {  # type: ignore[return-value]
        "job_id": 3,
        "title": "First release",
        "wasm_sha256": b"\1" * 32,
        "wasm_chunks": [{"sha256": b"\1" * 32, "size_bytes": 5000}],
        "weight_chunks": [],
        "onnx_sha256": b"\2" * 32,
        "transcript_hash": b"\3" * 32,
        "card_hash": b"\4" * 32,
        "metrics": [{"name": "accuracy", "value_ppm": 965_000}, {"name": "gain", "value_ppm": -3}],
        "equality": [{"inputs": [tensor], "outputs": [{**tensor, "name": "probabilities"}]}],
        "tolerance_e9": 100_000,
        "estimated_instructions": 2**63 + 1,
        **changes,
    }


def test_the_json_form_gives_the_same_manifest_back() -> None:
    assert manifest_from_json(manifest_to_json(manifest())) == manifest()


def test_every_field_counts_in_the_hash() -> None:
    hashes = {manifest_hash(manifest())}

    for name, value in {"job_id": 4, "title": "x", "wasm_sha256": b"\5" * 32, "weight_chunks": [{"sha256": b"\1" * 32, "size_bytes": 1}],
                        "metrics": [], "equality": [], "tolerance_e9": 1, "estimated_instructions": 1}.items():  # fmt: skip
        hashes.add(manifest_hash(manifest(**{name: value})))

    assert len(hashes) == 9


@pytest.mark.parametrize("form", [{}, {"job_id": "x"}, {**manifest_to_json(manifest()), "wasm_sha256": "zz"}, {**manifest_to_json(manifest()), "equality": 3}])
def test_what_is_no_manifest_is_refused(form: dict[str, object]) -> None:
    with pytest.raises(MalformedForm):
        manifest_from_json(form)
