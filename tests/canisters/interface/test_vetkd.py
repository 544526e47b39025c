"""vetKD by a vector that the npm package accepts, and by what it must refuse."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.interface.bls import ORDER
from canisters.interface.vetkd import (
    KeyRefused,
    MalformedPoint,
    Master,
    TransportKey,
    g1_point,
    hash_to_scalar,
    symmetric_key,
)

MASTER = Master(hash_to_scalar(b"vetkd feasibility vector", b"vector-master"))
CANISTER, CONTEXT, DATA = bytes.fromhex("80000000001000000101"), b"ctx", b"dataset-1"
TRANSPORT, NONCE = TransportKey(7), 11
IDENTITY = b"\xc0" + bytes(47)


def encrypted(data: bytes = DATA, transport: bytes = TRANSPORT.public_key, context: bytes = CONTEXT) -> bytes:
    return MASTER.encrypted_key(CANISTER, context, data, transport, NONCE)


def test_a_known_key_comes_out() -> None:
    public = MASTER.derived(CANISTER, CONTEXT)[1]
    vet_key = TRANSPORT.decrypted(encrypted(), public, DATA)

    assert MASTER.secret == 0x0A01CD61BBF2A63E8FB101DEFD63950444A0E88CE80DF0C5E0B023096F8AC55E
    assert public.hex().startswith("ab6efb1ab51eca8c34c6a5a168ed500d")
    assert public.hex().endswith(
        "0e894098b623673efa85c81644b98f76ee3c7689613"
    )
    assert TRANSPORT.public_key.hex().startswith("b928f3beb93519eecf0145da903b40a4")
    assert hashlib.sha256(encrypted()).hexdigest() == "f1737f389dcbb158557acd7043ec5cf6f78750603d59dd37b4a4693ca1efefa2"
    assert vet_key.hex().startswith("a9504bfa22369df4f60ff522766e859f")
    assert symmetric_key(vet_key, b"ds").hex() == "e97baee434fdcce441a805ff7165181f860d11ab9065eec331c4e6c845ccc988"


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
@settings(max_examples=10, deadline=None)
def test_whoever_asked_gets_the_key_of_what_was_asked_whatever_the_nonce(
    context: bytes, data: bytes, secret: int, nonce: int
) -> None:
    transport, public = TransportKey(secret), MASTER.derived(CANISTER, context)[1]

    key = transport.decrypted(MASTER.encrypted_key(CANISTER, context, data, transport.public_key, nonce), public, data)

    again = TRANSPORT.decrypted(MASTER.encrypted_key(CANISTER, context, data, TRANSPORT.public_key, 5), public, data)
    assert key == again


@pytest.mark.parametrize(
    ("given", "public", "data", "transport"),
    [
        (encrypted(b"dataset-2"), CONTEXT, DATA, TRANSPORT),
        (encrypted(), b"another", DATA, TRANSPORT),
        (encrypted(), CONTEXT, b"dataset-2", TRANSPORT),
        (encrypted(), CONTEXT, DATA, TransportKey(8)),
        (encrypted()[:-1], CONTEXT, DATA, TRANSPORT),
        (encrypted(context=b""), CONTEXT, DATA, TRANSPORT),
        (encrypted()[144:] + encrypted()[48:144] + encrypted()[:48], CONTEXT, DATA, TRANSPORT),
        (bytes(192), CONTEXT, DATA, TRANSPORT),
    ],
)
def test_another_key_is_refused(given: bytes, public: bytes, data: bytes, transport: TransportKey) -> None:
    with pytest.raises(KeyRefused):
        transport.decrypted(given, MASTER.derived(CANISTER, public)[1], data)


@pytest.mark.parametrize(
    "spelled", [b"\xc0" + bytes(46) + b"\1", b"\xe0" + bytes(47), b"", bytes(48), TRANSPORT.public_key[:-1]]
)
def test_a_point_has_one_spelling(spelled: bytes) -> None:
    with pytest.raises(MalformedPoint):
        g1_point(spelled)


def test_the_identity_is_a_transport_key_that_hides_nothing() -> None:
    assert encrypted(transport=IDENTITY)[144:] == TRANSPORT.decrypted(
        encrypted(), MASTER.derived(CANISTER, CONTEXT)[1], DATA
    )
