"""A canister signs for identities of its own, as an identity service does for its users; nobody else can."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest

from canisters.client import KeyIdentity
from canisters.interface import cbor, hash_tree, keys
from canisters.interface.canister_signature import public_key_der
from canisters.interface.certificate import Certificate
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map, request_id

from .conftest import Probe, Wire

pytestmark = pytest.mark.slow

SEED = b"user 1"


def signature(service: Probe, message: bytes, seed: bytes = SEED) -> bytes:
    """The service certifies the message's hash, and the network the service's word."""
    path = hashlib.sha256(message).digest()
    tree = hash_tree.build({b"sig": {hashlib.sha256(seed).digest(): {path: b""}}})
    service.update("certify", data=tree.digest)
    return cbor.dumps({"certificate": service.query("certificate"), "tree": hash_tree.to_cbor_value(tree)})


def sender(service: Probe, seed: bytes = SEED) -> tuple[bytes, Principal]:
    key = public_key_der(service.id, seed)
    return key, Principal.self_authenticating(key)


def delegated(service: Probe, session: KeyIdentity, **fields: Any) -> dict[str, Any]:
    delegation = {"pubkey": session.der_pubkey, "expiration": time.time_ns() + 60 * 10**9, **fields}
    signed = signature(service, keys.IC_DELEGATION + hash_of_map(delegation))
    return {"delegation": delegation, "signature": signed}


def as_user(
    wire: Wire,
    canister: Probe,
    service: Probe,
    session: KeyIdentity,
    delegation: dict[str, Any],
    method: str = "caller",
) -> Any:
    key, user = sender(service)
    content = {**wire.call(canister.id, session, method), "sender": user.raw}
    envelope = {
        "content": content,
        "sender_pubkey": key,
        "sender_delegation": [delegation],
        "sender_sig": session.sign(keys.IC_REQUEST + request_id(content))[1],
    }
    return wire.send("call", canister.id, cbor.dumps(envelope))


def answer_of(body: bytes) -> bytes:
    """The reply that the certificate in a v3 answer proves."""
    certificate = Certificate.parse(cbor.loads(body)["certificate"])
    status = hash_tree.subtree(certificate.tree, [b"request_status"])
    assert status is not None
    (request,) = [
        label for label in hash_tree.labels_of(status) if certificate.lookup(b"request_status", label, b"status")
    ]
    reply = certificate.lookup(b"request_status", request, b"reply")
    assert reply is not None
    return reply


@pytest.fixture
def service(make_probe: Any) -> Probe:
    return make_probe()


def test_a_session_that_a_canister_signed_for_acts_for_its_user(wire: Wire, canister: Probe, service: Probe) -> None:
    session = KeyIdentity()

    status, body = as_user(wire, canister, service, session, delegated(service, session))

    assert status == 200, body
    assert answer_of(body) == sender(service)[1].raw


def test_a_canister_signs_a_request_itself(wire: Wire, canister: Probe, service: Probe) -> None:
    key, user = sender(service)
    content = {**wire.call(canister.id, None, "caller"), "sender": user.raw}
    signed = signature(service, keys.IC_REQUEST + request_id(content))

    status, body = wire.send(
        "call", canister.id, cbor.dumps({"content": content, "sender_pubkey": key, "sender_sig": signed})
    )

    assert status == 200, body
    assert answer_of(body) == user.raw


def test_a_session_that_was_not_signed_for_is_refused(wire: Wire, canister: Probe, service: Probe) -> None:
    session, other = KeyIdentity(), KeyIdentity()
    stolen = delegated(service, other)
    stolen["delegation"]["pubkey"] = session.der_pubkey

    status, body = as_user(wire, canister, service, session, stolen)

    assert status == 400
    assert b"has not signed this message" in body


def test_another_canister_cannot_sign_for_a_user(wire: Wire, canister: Probe, service: Probe, make_probe: Any) -> None:
    session, impostor = KeyIdentity(), make_probe()
    forged = delegated(impostor, session)

    status, body = as_user(wire, canister, service, session, forged)

    assert status == 400
    assert b"certificate" in body or b"certified" in body


def test_another_user_of_the_same_canister_is_not_signed_for(wire: Wire, canister: Probe, service: Probe) -> None:
    session = KeyIdentity()
    delegation = {"pubkey": session.der_pubkey, "expiration": time.time_ns() + 60 * 10**9}
    signed = signature(service, keys.IC_DELEGATION + hash_of_map(delegation), seed=b"user 2")

    status, body = as_user(wire, canister, service, session, {"delegation": delegation, "signature": signed})

    assert status == 400
    assert b"has not signed this message" in body


def test_a_tree_that_was_not_certified_is_refused(wire: Wire, canister: Probe, service: Probe) -> None:
    session = KeyIdentity()
    signed = delegated(service, session)
    service.update("certify", data=bytes(32))
    fields = cbor.loads(signed["signature"])
    signed["signature"] = cbor.dumps({**fields, "certificate": service.query("certificate")})

    status, body = as_user(wire, canister, service, session, signed)

    assert status == 400
    assert b"not what the canister has certified" in body


@pytest.mark.parametrize(
    "made",
    [
        b"",
        b"\xa0",
        cbor.dumps({"certificate": b"", "tree": [0]}),
        cbor.dumps({"certificate": 1, "tree": 2}),
        b"\xff" * 40,
    ],
)
def test_what_is_no_canister_signature_is_refused(wire: Wire, canister: Probe, service: Probe, made: bytes) -> None:
    session = KeyIdentity()
    delegation = {"pubkey": session.der_pubkey, "expiration": time.time_ns() + 60 * 10**9}

    status, body = as_user(wire, canister, service, session, {"delegation": delegation, "signature": made})

    assert status == 400
    assert b"Invalid signature" in body


def test_an_expired_delegation_of_a_canister_is_refused(wire: Wire, canister: Probe, service: Probe) -> None:
    session = KeyIdentity()

    status, body = as_user(wire, canister, service, session, delegated(service, session, expiration=1))

    assert status == 400
    assert b"expired" in body
