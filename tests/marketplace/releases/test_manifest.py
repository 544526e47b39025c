"""The manifest's hash is the cooperative's, its JSON can be read back, and a file that is not the recorded one is no release."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.interface.icrc3 import value_hash
from canisters.interface.leb128 import encode_signed, encode_unsigned
from marketplace.client.forms import manifest_bytes, manifest_from_json, manifest_hash, manifest_to_json
from marketplace.core import blobs
from tests.marketplace.builders import Blocks, person
from tests.marketplace.governance.cooperative_log import manifest as logged
from tests.marketplace.jobs.job_log import HASH, JobLog


def a_manifest(**changed: Any) -> Any:
    return {
        **logged(),
        "metrics": [{"name": "accuracy", "value_ppm": 64}, {"name": "gain", "value_ppm": -5}],
        **changed,
    }


def test_the_hash_is_of_the_value_that_the_cooperative_builds() -> None:
    """Spelled out as `Blocks.manifest` has it, tag by tag."""
    given = a_manifest()

    def tensor(t: dict[str, Any]) -> dict[str, Any]:
        shape = {"Array": [{"Nat": n} for n in t["shape"]]}
        return {
            "Map": [
                ("name", {"Text": t["name"]}),
                ("dtype", {"Text": t["dtype"]}),
                ("shape", shape),
                ("data", {"Blob": t["data"]}),
            ]
        }

    def chunks(cs: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "Array": [
                {"Map": [("sha256", {"Blob": c["sha256"]}), ("size_bytes", {"Nat": c["size_bytes"]})]} for c in cs
            ]
        }

    expected = {
        "Map": [
            ("job_id", {"Nat": 1}),
            ("title", {"Text": "First release"}),
            ("wasm_sha256", {"Blob": HASH}),
            ("wasm_chunks", chunks(given["wasm_chunks"])),
            ("weight_chunks", chunks(given["weight_chunks"])),
            ("onnx_sha256", {"Blob": HASH}),
            ("transcript_hash", {"Blob": HASH}),
            ("card_hash", {"Blob": HASH}),
            (
                "metrics",
                {
                    "Array": [
                        {"Map": [("name", {"Text": m["name"]}), ("value_ppm", {"Int": m["value_ppm"]})]}
                        for m in given["metrics"]
                    ]
                },
            ),
            (
                "equality",
                {
                    "Array": [
                        {
                            "Map": [
                                (side, {"Array": [tensor(t) for t in vector[side]]}) for side in ("inputs", "outputs")
                            ]
                        }
                        for vector in given["equality"]
                    ]
                },
            ),
            ("tolerance_e9", {"Nat": 100_000}),
            ("estimated_instructions", {"Nat": 5_000}),
        ]
    }

    assert manifest_hash(given) == value_hash(expected)
    assert encode_signed(64) != encode_unsigned(64)  # an Int and a Nat of one number do not hash alike


def test_a_manifest_survives_its_json() -> None:
    given = a_manifest()

    assert manifest_from_json(manifest_to_json(given)) == given
    assert b" " not in manifest_bytes(given).replace(b"First release", b"")


def settled(blocks: Blocks, shown: bytes, hashed: bytes) -> None:
    name = bytes.fromhex(blobs.blob_keep(shown))
    artifacts = [
        {"name": "manifest.json", "sha256": name, "size_bytes": len(shown)},
        {"name": "release", "sha256": hashed, "size_bytes": len(shown)},
        {"name": "interface.json", "sha256": bytes.fromhex(blobs.blob_keep(b'{"inputs":[]}')), "size_bytes": 13},
        {"name": "cost.json", "sha256": bytes.fromhex(blobs.blob_keep(b"[NaN]")), "size_bytes": 5},
    ]
    JobLog(blocks, [person()]).run_to_the_end(values=[1], bps=[9_000], artifacts=artifacts)


def test_a_settled_job_shows_its_release(api: Any, blocks: Blocks, no_chain: Any) -> None:
    given = a_manifest()
    settled(blocks, manifest_bytes(given), manifest_hash(given))

    answer = api.get("jobs/1/release")

    assert answer.status_code == 200
    assert answer.json() == {
        "manifest": manifest_to_json(given),
        "manifest_hash": manifest_hash(given).hex(),
        "interface": {"inputs": []},
        "cost": None,
        "equality": None,
    }


@pytest.mark.parametrize(
    "shown", [b"{}", b"[]", b'{"job_id":"x"}', b"not json", manifest_bytes(a_manifest(title="Another"))]
)
def test_a_file_that_is_not_the_recorded_manifest_is_no_release(
    api: Any, blocks: Blocks, no_chain: Any, shown: bytes
) -> None:
    settled(blocks, shown, manifest_hash(a_manifest()))

    answer = api.get("jobs/1/release")

    assert answer.status_code == 404
    assert "not the one on record" in answer.json()["error"]["message"]


def test_before_the_settlement_there_is_no_release(api: Any, blocks: Blocks, no_chain: Any) -> None:
    JobLog(blocks, [person()]).propose()

    assert api.get("jobs/1/release").status_code == 404
