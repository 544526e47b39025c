"""Keys in files, and delegations in the form that a browser makes."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from canisters.client import DelegatedIdentity, IdentityUnreadable, KeyIdentity, delegate
from canisters.client.identities import chain_from_json
from canisters.interface.principal import Principal

TARGET, OTHER = Principal(b"\x00\x01\x01\x01"), Principal(b"\x00\x02\x01\x01")
LATER_NS = 4 * 10**18


@pytest.mark.parametrize("kind", ["ed25519", "secp256k1"])
def test_a_saved_key_is_the_same_key_again_and_nobody_elses(tmp_path: Path, kind: str) -> None:
    identity = KeyIdentity(kind=kind)

    identity.save(tmp_path / "keys" / "me.pem")

    assert KeyIdentity.load(tmp_path / "keys" / "me.pem").principal == identity.principal
    assert (tmp_path / "keys" / "me.pem").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["me.pem"]


@pytest.mark.parametrize("make", [ed25519.Ed25519PrivateKey.generate, lambda: ec.generate_private_key(ec.SECP256K1())])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_keys_made_by_other_tools_are_read(tmp_path: Path, make: Any, form: PrivateFormat) -> None:
    key = make()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        form = PrivateFormat.PKCS8  # the only form there is
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))

    assert KeyIdentity.load(tmp_path / "key.pem").principal


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = KeyIdentity()
    first.save(tmp_path / "me.pem")

    with pytest.raises(FileExistsError):
        KeyIdentity().save(tmp_path / "me.pem")
    assert KeyIdentity.load(tmp_path / "me.pem").principal == first.principal


def test_who_comes_at_the_same_time_gets_the_same_key(tmp_path: Path) -> None:
    found: list[Principal] = []
    threads = [
        threading.Thread(target=lambda: found.append(KeyIdentity.load_or_create(tmp_path / "me.pem").principal))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "me.pem").write_text(text)

    with pytest.raises(IdentityUnreadable, match="me.pem"):
        KeyIdentity.load(tmp_path / "me.pem")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    (tmp_path / "me.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    with pytest.raises(IdentityUnreadable, match="another kind"):
        KeyIdentity.load(tmp_path / "me.pem")


@pytest.mark.parametrize(("private_key", "kind"), [(b"short", "ed25519"), (b"", "rsa")])
def test_what_cannot_be_a_key_is_refused(private_key: bytes, kind: str) -> None:
    with pytest.raises(IdentityUnreadable):
        KeyIdentity(private_key, kind)


def test_a_private_key_is_not_printed() -> None:
    identity = KeyIdentity()

    assert identity.privkey not in f"{identity} {identity!r}"


# --- delegations ---


def test_a_chain_survives_json_and_says_what_it_allows() -> None:
    root, session = KeyIdentity(), KeyIdentity()
    chain = delegate(root, session.der_pubkey, expires_at_ns=LATER_NS, targets=[TARGET, OTHER], permissions="queries")

    read = DelegatedIdentity(session, chain_from_json(json.dumps(chain)))

    read.verify_chain()
    assert read.principal == root.principal
    assert read.targets == {TARGET, OTHER}
    assert read.expires_at_ns == LATER_NS
    assert read.reads_only
    assert chain["delegations"][0]["delegation"]["expiration"] == f"{LATER_NS:x}"


def test_targets_and_expiry_are_the_narrowest_of_all_hops() -> None:
    root, session, server = KeyIdentity(), KeyIdentity(), KeyIdentity()
    first = DelegatedIdentity(
        session, delegate(root, session.der_pubkey, expires_at_ns=LATER_NS, targets=[TARGET, OTHER])
    )
    second = DelegatedIdentity(server, delegate(first, server.der_pubkey, expires_at_ns=LATER_NS - 1, targets=[TARGET]))

    second.verify_chain()
    assert second.targets == {TARGET}
    assert second.expires_at_ns == LATER_NS - 1
    assert second.principal == root.principal


@pytest.mark.parametrize("change", ["pubkey", "expiration", "targets", "signature", "permissions"])
def test_a_chain_that_was_altered_does_not_hold(change: str) -> None:
    root, session = KeyIdentity(), KeyIdentity()
    chain = delegate(root, session.der_pubkey, expires_at_ns=LATER_NS, targets=[TARGET])
    entry = chain["delegations"][0]
    if change == "signature":
        entry["signature"] = (
            "00" + entry["signature"][2:] if entry["signature"][:2] != "00" else "01" + entry["signature"][2:]
        )
    else:
        entry["delegation"][change] = {
            "pubkey": KeyIdentity().der_pubkey.hex(),
            "expiration": f"{LATER_NS + 1:x}",
            "targets": [OTHER.raw.hex()],
            "permissions": "all",
        }[change]

    with pytest.raises(IdentityUnreadable):
        DelegatedIdentity(session, chain).verify_chain()


def test_a_chain_for_another_key_or_out_of_time_does_not_hold() -> None:
    root, session = KeyIdentity(), KeyIdentity()
    chain = delegate(root, session.der_pubkey, expires_at_ns=1_000, targets=None)

    with pytest.raises(IdentityUnreadable, match="another session key"):
        DelegatedIdentity(KeyIdentity(), chain)
    with pytest.raises(IdentityUnreadable, match="expired"):
        DelegatedIdentity(session, chain).verify_chain()


@pytest.mark.parametrize(
    "chain",
    [
        {},
        {"delegations": [], "publicKey": "00"},
        {"delegations": "none", "publicKey": "00"},
        {"delegations": [{}], "publicKey": "00"},
        {"delegations": [{"delegation": {"pubkey": "zz", "expiration": "1"}, "signature": ""}], "publicKey": "00"},
        {
            "delegations": [{"delegation": {"pubkey": "", "expiration": "1", "targets": [5]}, "signature": ""}],
            "publicKey": "",
        },
        {
            "delegations": [{"delegation": {"pubkey": "", "expiration": "1", "targets": ["00" * 40]}, "signature": ""}],
            "publicKey": "",
        },
    ],
)
def test_what_is_no_chain_is_called_so(chain: dict[str, Any]) -> None:
    with pytest.raises(IdentityUnreadable):
        DelegatedIdentity(KeyIdentity(), chain)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"delegations": []}'])
def test_what_is_no_json_of_a_chain_is_called_so(text: str) -> None:
    with pytest.raises(IdentityUnreadable):
        chain_from_json(text)


def test_a_chain_of_too_many_hops_is_refused() -> None:
    root, session = KeyIdentity(), KeyIdentity()
    chain = delegate(root, session.der_pubkey, expires_at_ns=LATER_NS, targets=None)
    chain["delegations"] *= 21

    with pytest.raises(IdentityUnreadable, match="1 to 20"):
        DelegatedIdentity(session, chain)
