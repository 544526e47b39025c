"""Wrapped keys: the owner hands one over for each worker; nobody else puts, replaces or lists them."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import KeyIdentity
from marketplace.core.blobs import FileBlobStore
from marketplace.datasets.selectors import wrapped_key
from tests.marketplace.accounts.test_tokens import activated
from tests.marketplace.builders import Blocks
from tests.marketplace.conftest import Api, SignedIn

KEY = b"k" * 113


@pytest.fixture
def owner() -> KeyIdentity:
    return KeyIdentity()


@pytest.fixture
def mine(blocks: Blocks, signed_in: SignedIn, owner: KeyIdentity) -> Api:
    blocks.dataset(owner)
    return signed_in(owner)


@pytest.fixture
def worker() -> str:
    return str(KeyIdentity().principal)


def test_the_owner_hands_a_key_over_for_a_worker(mine: Api, worker: str) -> None:
    answer = mine.put(f"datasets/1/versions/1/keys/{worker}", raw=KEY)

    assert answer.status_code == 204
    assert wrapped_key(1, 1, worker) == KEY
    assert mine.get("datasets/1/keys").json() == [{"version": 1, "worker": worker}]


def test_a_key_sent_again_replaces_the_one_before(mine: Api, worker: str) -> None:
    mine.put(f"datasets/1/versions/1/keys/{worker}", raw=KEY)
    mine.put(f"datasets/1/versions/1/keys/{worker}", raw=b"n" * 113)

    assert wrapped_key(1, 1, worker) == b"n" * 113


def test_keys_of_one_dataset_are_not_those_of_another(
    mine: Api, blocks: Blocks, owner: KeyIdentity, worker: str
) -> None:
    blocks.dataset(owner, 11)
    mine.put(f"datasets/11/versions/1/keys/{worker}", raw=KEY)

    assert mine.get("datasets/1/keys").json() == []
    assert wrapped_key(1, 1, worker) is None


def test_nobody_else_puts_or_lists_keys(mine: Api, signed_in: SignedIn, api: Api, worker: str) -> None:
    stranger = signed_in()
    address = f"datasets/1/versions/1/keys/{worker}"

    assert stranger.put(address, raw=KEY).status_code == 403
    assert stranger.get("datasets/1/keys").status_code == 403
    assert api.put(address, raw=KEY).status_code == 401
    assert api.get("datasets/1/keys").status_code == 401
    assert wrapped_key(1, 1, worker) is None


def test_an_api_token_puts_no_keys(mine: Api, no_chain: Any, owner: KeyIdentity, worker: str) -> None:
    token = activated(mine, owner)

    assert Api(token["secret"]).put(f"datasets/1/versions/1/keys/{worker}", raw=KEY).status_code == 403


@pytest.mark.parametrize(
    ("address", "data", "status"),
    [
        ("datasets/1/versions/1/keys/{worker}", b"k" * 112, 400),
        ("datasets/1/versions/1/keys/{worker}", b"k" * 114, 413),
        ("datasets/1/versions/1/keys/{worker}", b"", 400),
        ("datasets/1/versions/2/keys/{worker}", KEY, 404),
        ("datasets/2/versions/1/keys/{worker}", KEY, 404),
        ("datasets/1/versions/1/keys/somebody", KEY, 400),
        ("datasets/1/versions/999999999999/keys/{worker}", KEY, 404),
    ],
)
def test_what_is_no_key_or_belongs_nowhere_is_refused(
    mine: Api, worker: str, address: str, data: bytes, status: int
) -> None:
    answer = mine.put(address.format(worker=worker), raw=data)

    assert answer.status_code == status, answer.content
    assert mine.get("datasets/1/keys").json() == []


def test_one_dataset_has_a_limited_number_of_keys(mine: Api, worker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.datasets.services.MAX_KEYS", 1)
    mine.put(f"datasets/1/versions/1/keys/{worker}", raw=KEY)

    another = mine.put(f"datasets/1/versions/1/keys/{KeyIdentity().principal}", raw=KEY)
    again = mine.put(f"datasets/1/versions/1/keys/{worker}", raw=KEY)

    assert (another.status_code, again.status_code) == (409, 204)


def test_keys_are_kept_in_files_too(mine: Api, worker: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FileBlobStore(tmp_path)
    monkeypatch.setattr("marketplace.datasets.services.store", lambda: files)
    monkeypatch.setattr("marketplace.datasets.selectors.store", lambda: files)
    mine.put(f"datasets/1/versions/1/keys/{worker}", raw=KEY)

    assert mine.get("datasets/1/keys").json() == [{"version": 1, "worker": worker}]
