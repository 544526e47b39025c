"""Sealed files: what is sealed opens, and nothing else does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.client import sealing
from marketplace.client.sealing import CHUNK_BYTES, Manifest, SealBroken, open_sealed, seal, unwrap_key, wrap_key

ROOT = b"r" * 32
WORKER = b"worker principal"


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=1, max_size=3000))
def test_what_is_sealed_opens_to_the_same_bytes(plaintext: bytes) -> None:
    sealed = seal(plaintext)

    assert open_sealed(sealed.manifest, sealed.chunks, sealed.key, commitment=sealed.plaintext_commitment) == plaintext


@pytest.mark.parametrize("size", [CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_files_around_the_chunk_size_open(size: int) -> None:
    plaintext = bytes(i % 251 for i in range(size))
    sealed = seal(plaintext)

    assert len(sealed.chunks) == -(-size // CHUNK_BYTES)
    assert open_sealed(sealed.manifest, sealed.chunks, sealed.key) == plaintext


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(SealBroken, match="empty"):
        seal(b"")


def test_exchanged_altered_or_missing_chunks_are_refused() -> None:
    sealed = seal(b"x" * (2 * CHUNK_BYTES))
    first, second = sealed.chunks

    with pytest.raises(SealBroken, match="Chunk 0"):
        open_sealed(sealed.manifest, [second, first], sealed.key)
    with pytest.raises(SealBroken, match="Chunk 1"):
        open_sealed(sealed.manifest, [first, second[:-1] + b"!"], sealed.key)
    with pytest.raises(SealBroken, match="2 chunks"):
        open_sealed(sealed.manifest, [first], sealed.key)


def test_a_manifest_rewritten_to_fit_exchanged_chunks_still_does_not_open() -> None:
    sealed = seal(b"x" * (2 * CHUNK_BYTES))
    exchanged = tuple(reversed(sealed.chunks))
    forged = dataclasses.replace(
        sealed.manifest,
        chunks=tuple(reversed(sealed.manifest.chunks)),
        ciphertext_root=sealing.merkle_root(exchanged),
    )

    with pytest.raises(SealBroken, match="does not open under this key"):
        open_sealed(forged, exchanged, sealed.key)


def test_another_file_under_the_same_key_breaks_the_commitment() -> None:
    promised, given_instead = seal(b"promised", key=b"k" * 32), seal(b"instead!", key=b"k" * 32)

    with pytest.raises(SealBroken, match="committed"):
        open_sealed(given_instead.manifest, given_instead.chunks, b"k" * 32, commitment=promised.plaintext_commitment)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "zip"}, "format"),
        ({"plaintext_bytes": 0}, "plaintext_bytes"),
        ({"plaintext_bytes": True}, "plaintext_bytes"),
        ({"plaintext_bytes": 10**18}, "too large"),
        ({"chunks": []}, "1 chunks"),
        ({"chunks": [{"sha256": "00", "size_bytes": 21}]}, "32 bytes"),
        ({"chunks": [{"sha256": "00" * 32, "size_bytes": 20}]}, "size_bytes"),
        ({"file_id": "zz"}, "file_id"),
        ({"extra": 1}, "exactly"),
    ],
)
def test_a_malformed_manifest_is_refused_by_the_field_that_is_wrong(change: dict[str, object], said: str) -> None:
    value = json.loads(seal(b"hello").manifest.to_json()) | change

    with pytest.raises(SealBroken, match=said):
        Manifest.from_value(value)


def test_a_manifest_survives_json() -> None:
    manifest = seal(b"hello").manifest

    assert Manifest.from_value(json.loads(manifest.to_json())) == manifest


def test_a_wrapped_key_opens_for_its_worker_and_file_only() -> None:
    private_key = ec.generate_private_key(ec.SECP256R1())
    point = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    wrapped = wrap_key(b"k" * 32, encryption_key=point, ciphertext_root=ROOT, worker=WORKER)

    assert unwrap_key(wrapped, private_key=private_key, ciphertext_root=ROOT, worker=WORKER) == b"k" * 32
    other = ec.generate_private_key(ec.SECP256R1())
    for attempt in (
        {"private_key": other, "ciphertext_root": ROOT, "worker": WORKER},
        {"private_key": private_key, "ciphertext_root": b"s" * 32, "worker": WORKER},
        {"private_key": private_key, "ciphertext_root": ROOT, "worker": b"another"},
    ):
        with pytest.raises(SealBroken, match="does not open"):
            unwrap_key(wrapped, **attempt)
    with pytest.raises(SealBroken, match="does not open"):
        unwrap_key(b"short", private_key=private_key, ciphertext_root=ROOT, worker=WORKER)


def test_a_worker_whose_key_is_no_point_is_refused() -> None:
    with pytest.raises(SealBroken, match="P-256"):
        wrap_key(b"k" * 32, encryption_key=b"\x04" + b"\x01" * 64, ciphertext_root=ROOT, worker=WORKER)


def test_the_vectors_that_the_browser_follows_too(repository: Path) -> None:
    vectors = json.loads((repository / "tests/fixtures/sealing.json").read_text())
    plaintext = vectors["plaintext_repeated"].encode() * vectors["repeats"]
    sealed = seal(plaintext, key=bytes.fromhex(vectors["key"]), file_id=bytes.fromhex(vectors["file_id"]))

    assert sealed.manifest.to_json().decode() == vectors["manifest"]
    assert sealed.manifest.hash.hex() == vectors["manifest_hash"]
    assert sealed.plaintext_commitment.hex() == vectors["plaintext_commitment"]
    private_key = ec.derive_private_key(int(vectors["worker_private_key"], 16), ec.SECP256R1())
    assert (
        unwrap_key(
            bytes.fromhex(vectors["wrapped"]),
            private_key=private_key,
            ciphertext_root=sealed.manifest.ciphertext_root,
            worker=bytes.fromhex(vectors["worker"]),
        )
        == sealed.key
    )
