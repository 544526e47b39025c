"""Sealed files arrive in chunks, in any order, over any number of tries; only the bytes that the manifest names are kept."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from canisters.client import KeyIdentity
from marketplace.client.sealing import CHUNK_BYTES, Sealed, open_sealed, seal
from marketplace.core.blobs import FileBlobStore, store
from marketplace.core.errors import WrongState
from marketplace.datasets.models import SealedUpload
from marketplace.datasets.selectors import sealed_chunks, sealed_manifest
from tests.marketplace.builders import Blocks, person
from tests.marketplace.conftest import Api, SignedIn


@pytest.fixture(scope="module")
def sealed() -> Sealed:
    """Three chunks, the last of which is short."""
    return seal(b"a,b\n" + b"1,2\n" * (CHUNK_BYTES // 2))


def manifest_of(sealed: Sealed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sealed.manifest.to_json())
    return found


def declared(api: Api, sealed: Sealed) -> dict[str, Any]:
    answer = api.post("uploads", {"manifest": manifest_of(sealed)})
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def chunk_address(sealed: Sealed, index: int) -> str:
    return f"uploads/{sealed.manifest.hash.hex()}/chunks/{index}"


def test_a_file_arrives_chunk_by_chunk_and_opens(signed_in: SignedIn, sealed: Sealed, blocks: Blocks) -> None:
    api = signed_in()
    begun = declared(api, sealed)

    left = [api.put(chunk_address(sealed, index), raw=sealed.chunks[index]).json()["missing"] for index in (2, 0, 1)]

    assert begun == {
        "manifest_hash": sealed.manifest.hash.hex(),
        "missing": [0, 1, 2],
        "size_bytes": sealed.manifest.size_bytes,
    }
    assert left == [[0, 1], [1], []]
    manifest = sealed_manifest(begun["manifest_hash"])
    assert manifest is not None
    assert open_sealed(manifest, sealed_chunks(manifest), sealed.key).startswith(b"a,b\n1,2\n")


def test_the_dataset_says_how_much_of_its_file_is_here(signed_in: SignedIn, sealed: Sealed, blocks: Blocks) -> None:
    api = signed_in()
    blocks.dataset(person(), manifest_hash=sealed.manifest.hash, size_bytes=sealed.manifest.size_bytes)

    def version() -> tuple[int, bool]:
        found = api.get("datasets/1").json()["versions"][0]
        return found["stored_bytes"], found["complete"]

    before = version()
    declared(api, sealed)
    api.put(chunk_address(sealed, 0), raw=sealed.chunks[0])
    half = version()
    for index in (1, 2):
        api.put(chunk_address(sealed, index), raw=sealed.chunks[index])

    assert (before, half) == ((0, False), (len(sealed.chunks[0]), False))
    assert version() == (sealed.manifest.size_bytes, True)


def test_an_interrupted_upload_goes_on_where_it_stood(signed_in: SignedIn, sealed: Sealed) -> None:
    owner = KeyIdentity()
    api = signed_in(owner)
    declared(api, sealed)
    api.put(chunk_address(sealed, 1), raw=sealed.chunks[1])

    assert declared(signed_in(owner), sealed)["missing"] == [0, 2]
    assert api.get(f"uploads/{sealed.manifest.hash.hex()}").json()["missing"] == [0, 2]


def test_a_chunk_that_the_store_has_lost_is_asked_for_again(signed_in: SignedIn, sealed: Sealed) -> None:
    api = signed_in()
    declared(api, sealed)
    api.put(chunk_address(sealed, 1), raw=sealed.chunks[1])
    store().held.clear()  # type: ignore[attr-defined]  # the store of tests

    assert declared(api, sealed)["missing"] == [0, 1, 2]
    assert api.put(chunk_address(sealed, 1), raw=sealed.chunks[1]).json()["missing"] == [0, 2]


def test_the_same_chunk_twice_changes_nothing(signed_in: SignedIn, sealed: Sealed) -> None:
    api = signed_in()
    declared(api, sealed)

    answers = [api.put(chunk_address(sealed, 0), raw=sealed.chunks[0]) for _ in range(2)]

    assert [answer.json() for answer in answers] == [{"missing": [1, 2]}] * 2


def test_a_worker_is_told_when_a_chunk_is_missing(signed_in: SignedIn, sealed: Sealed) -> None:
    declared(signed_in(), sealed)

    with pytest.raises(WrongState, match="Chunk 0 .* has not been uploaded yet"):
        list(sealed_chunks(sealed.manifest))


# --- refused ---


@pytest.mark.parametrize("change", ["altered", "another", "short", "long", "empty"])
def test_bytes_that_the_manifest_does_not_name_are_refused(signed_in: SignedIn, sealed: Sealed, change: str) -> None:
    api = signed_in()
    declared(api, sealed)
    chunk = sealed.chunks[0]
    wrong = {
        "altered": chunk[:-1] + bytes([chunk[-1] ^ 1]), "another": sealed.chunks[1], "short": chunk[:-1], "long": chunk + b"x", "empty": b"",
    }[change]  # fmt: skip

    answer = api.put(chunk_address(sealed, 0), raw=wrong)

    assert answer.status_code == (413 if change == "long" else 400)
    assert answer.json()["error"]["message"]
    assert api.get(f"uploads/{sealed.manifest.hash.hex()}").json()["missing"] == [0, 1, 2]
    assert not any(folder == "sealed" for folder, _ in store().held)  # type: ignore[attr-defined]  # the store of tests


@pytest.mark.parametrize("index", ["3", "99999999999", "999999999999999"])
def test_a_chunk_beyond_the_manifest_is_not_found(signed_in: SignedIn, sealed: Sealed, index: str) -> None:
    api = signed_in()
    declared(api, sealed)

    assert api.put(f"uploads/{sealed.manifest.hash.hex()}/chunks/{index}", raw=b"x").status_code == 404


def test_a_chunk_of_an_upload_nobody_declared_is_not_found(signed_in: SignedIn) -> None:
    api = signed_in()

    assert api.put(f"uploads/{'ab' * 32}/chunks/0", raw=b"x").status_code == 404
    assert api.get(f"uploads/{'ab' * 32}").status_code == 404
    assert api.get("uploads/nonsense").status_code == 400


def test_nobody_uploads_without_signing_in(api: Api, sealed: Sealed) -> None:
    answers = [
        api.post("uploads", {"manifest": manifest_of(sealed)}),
        api.put(chunk_address(sealed, 0), raw=sealed.chunks[0]),
        api.post("blobs", raw=b"x"),
    ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert not SealedUpload.objects.exists()


def test_a_manifest_that_is_none_is_refused_naming_what_is_wrong(signed_in: SignedIn, sealed: Sealed) -> None:
    api = signed_in()
    good = manifest_of(sealed)
    bad = [
        {**good, "format": "zip"},
        {**good, "chunks": good["chunks"][:2]},
        {**good, "plaintext_bytes": 0},
        {**good, "plaintext_bytes": True},
        {**good, "plaintext_bytes": 10**30},
        {**good, "chunks": [{**good["chunks"][0], "sha256": "XYZ"}, *good["chunks"][1:]]},
        {**good, "ciphertext_root": good["ciphertext_root"].upper()},
        {**good, "extra": 1},
        {},
    ]

    answers = [api.post("uploads", {"manifest": manifest}) for manifest in bad] + [
        api.post("uploads", {"manifest": 5}),
        api.post("uploads", {}),
    ]

    assert {answer.status_code for answer in answers} == {400}
    assert all(answer.json()["error"]["message"] for answer in answers)
    assert not SealedUpload.objects.exists()


def test_a_file_above_the_limit_is_refused(signed_in: SignedIn, sealed: Sealed, settings: Any) -> None:
    settings.MAX_SEALED_BYTES = sealed.manifest.size_bytes - 1

    assert signed_in().post("uploads", {"manifest": manifest_of(sealed)}).status_code == 413


def test_a_person_can_declare_only_so_much_in_all(signed_in: SignedIn, settings: Any) -> None:
    one, other = seal(b"x" * 1000), seal(b"y" * 1000)
    settings.MAX_UPLOADS_BYTES = 1500
    owner = signed_in()
    declared(owner, one)

    assert owner.post("uploads", {"manifest": manifest_of(other)}).status_code == 413
    assert declared(owner, one)["missing"] == [0]
    assert declared(signed_in(), other)["missing"] == [0]


def test_somebody_who_declares_it_first_cannot_keep_the_owner_out(signed_in: SignedIn, sealed: Sealed) -> None:
    declared(signed_in(), sealed)
    owner = signed_in()

    begun = declared(owner, sealed)

    assert begun["missing"] == [0, 1, 2]
    assert owner.put(chunk_address(sealed, 0), raw=sealed.chunks[0]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_same_file_sent_by_several_at_once_arrives_once(signed_in: SignedIn, sealed: Sealed) -> None:
    clients = [signed_in() for _ in range(4)]

    def send(api: Api) -> list[int]:
        try:
            declared(api, sealed)
            return [api.put(chunk_address(sealed, index), raw=sealed.chunks[index]).status_code for index in range(3)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(send, clients))

    assert statuses == [[200] * 3] * 4
    assert SealedUpload.objects.get().chunks.filter(is_here=True).count() == 3


# --- public blobs ---


def test_public_bytes_come_back_as_they_were_and_are_never_shown_as_a_page(signed_in: SignedIn, api: Api) -> None:
    data = b"<script>alert(1)</script>"

    name = signed_in().post("blobs", raw=data).json()["sha256"]
    answer = api.get(f"blobs/{name}")

    assert answer.content == data
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "immutable" in answer["Cache-Control"]


def test_a_blob_that_is_empty_or_too_large_is_refused(signed_in: SignedIn, settings: Any) -> None:
    settings.MAX_BLOB_BYTES = 10
    api = signed_in()

    assert api.post("blobs", raw=b"").status_code == 400
    assert api.post("blobs", raw=b"x" * 11).status_code == 413
    assert api.post("blobs", raw=b"x" * 10).status_code == 201


def test_one_person_brings_only_so_many_bytes_and_what_is_here_costs_nothing(
    signed_in: SignedIn, settings: Any
) -> None:
    settings.MAX_BLOBS_BYTES = 10
    api, other = signed_in(), signed_in()

    statuses = [api.post("blobs", raw=data).status_code for data in (b"x" * 6, b"x" * 6, b"y" * 5, b"z" * 4)]

    assert statuses == [201, 201, 413, 201]
    assert other.post("blobs", raw=b"y" * 5).status_code == 201


@pytest.mark.parametrize(
    ("name", "status"),
    [("ab" * 32, 404), ("AB" * 32, 400), ("..%2f..%2fsecret_key", 404), ("x", 400), ("ab" * 31, 400)],
)
def test_a_blob_is_asked_for_by_its_hash_only(api: Api, name: str, status: int) -> None:
    assert api.get(f"blobs/{name}").status_code == status


def test_ciphertext_is_not_given_out_as_a_public_blob(signed_in: SignedIn, api: Api) -> None:
    small = seal(b"secret rows")
    uploader = signed_in()
    declared(uploader, small)
    uploader.put(chunk_address(small, 0), raw=small.chunks[0])

    assert api.get(f"blobs/{small.manifest.chunks[0].sha256.hex()}").status_code == 404


def test_files_are_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FileBlobStore(tmp_path)
    files.put("public", "abcd", b"old")

    def fails(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("marketplace.core.blobs.os.fsync", fails)
    with pytest.raises(OSError, match="no space"):
        files.put("public", "abcd", b"new and longer")

    assert files.get("public", "abcd") == b"old"
    assert [path.name for path in (tmp_path / "public" / "ab").iterdir()] == ["abcd"]
