"""Keys and signatures: BLS against an independent implementation, request keys of every kind that the network takes, certificates."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.interface import bls, cbor, certificate, hash_tree, keys
from canisters.interface.certificate import CertificateRefused, Delegation
from canisters.interface.keys import BadSignature
from canisters.interface.leb128 import encode_unsigned
from canisters.interface.principal import Principal

SECRET = bls.secret_from_seed(b"a seed of thirty-two bytes, padded")
KEY = bls.public_key_der(SECRET)
NOW = 1_700_000_000 * 10**9


# --- BLS ---


@pytest.fixture
def recursion_limit_kept() -> Iterator[None]:
    """py_ecc lifts the process's limit to 100,000, where deeply nested JSON ends the process instead of raising."""
    limit = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.slow
def test_bls_signatures_are_what_py_ecc_makes_of_them(recursion_limit_kept: None):
    from py_ecc.bls.hash_to_curve import hash_to_G1
    from py_ecc.bls.point_compression import compress_G1, compress_G2
    from py_ecc.optimized_bls12_381 import G2, multiply

    message = b"\x0dic-state-root" + bytes(range(32))
    hashed = hash_to_G1(message, bls.DST, hashlib.sha256)
    x, y = compress_G2(multiply(G2, SECRET))

    assert bls.sign(SECRET, message) == compress_G1(multiply(hashed, SECRET)).to_bytes(48, "big")
    assert KEY[-96:] == x.to_bytes(48, "big") + y.to_bytes(48, "big")


def test_a_bls_signature_holds_for_its_message_and_key_only():
    signature = bls.sign(SECRET, b"message")
    other = bls.public_key_der(bls.secret_from_seed(b"another seed, another key, no less"))

    assert bls.verify(KEY, b"message", signature)
    assert not bls.verify(KEY, b"messagE", signature)
    assert not bls.verify(other, b"message", signature)
    assert not bls.verify(KEY, b"message", bls.sign(SECRET, b"other"))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 47), st.integers(1, 255))
def test_a_bent_bls_signature_does_not_hold(at, change):
    signature = bytearray(bls.sign(SECRET, b"message"))
    signature[at] ^= change

    assert not bls.verify(KEY, b"message", bytes(signature))


@pytest.mark.parametrize("signature", [b"", bytes(47), bytes(48), b"\xc0" + bytes(47), bytes(96), b"\xff" * 48])
def test_what_is_no_bls_signature_does_not_hold(signature):
    assert not bls.verify(KEY, b"message", signature)


@pytest.mark.parametrize(
    "key", [b"", KEY[:-1], KEY + b"\x00", bytes(133), KEY[:37] + b"\xff" * 96, KEY[:37] + b"\xc0" + bytes(95)]
)
def test_what_is_no_bls_key_is_refused(key):
    with pytest.raises(bls.MalformedBlsKey):
        bls.verify(key, b"message", bls.sign(SECRET, b"message"))


# --- keys of requests ---


def ecdsa(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def wrapped(cose: dict[int, Any]) -> bytes:
    """A COSE key as the network wraps it: SubjectPublicKeyInfo with DFINITY's own algorithm."""
    content = b"\x00" + cbor.dumps(cose)[3:]
    bits = b"\x03" + der_length(len(content)) + content
    algorithm = bytes.fromhex("300c060a2b0601040183b8430101")
    return b"\x30" + der_length(len(algorithm + bits)) + algorithm + bits


def der_length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    return bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")


def web_authentication(sign: Any, message: bytes, **client: Any) -> bytes:
    """What a passkey makes of a challenge."""
    challenge = base64.urlsafe_b64encode(message).rstrip(b"=").decode()
    client_data = json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": "http://localhost", **client})
    authenticator_data = hashlib.sha256(b"localhost").digest() + b"\x05\x00\x00\x00\x01"
    signature = sign(authenticator_data + hashlib.sha256(client_data.encode()).digest())
    return cbor.dumps(
        {"authenticator_data": authenticator_data, "client_data_json": client_data, "signature": signature}
    )


def passkey(kind: str) -> tuple[bytes, Any]:
    if kind == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        return wrapped(cose), lambda message: web_authentication(
            lambda data: key.sign(data, ec.ECDSA(hashes.SHA256())), message
        )
    if kind == "EdDSA":
        own = ed25519.Ed25519PrivateKey.generate()
        cose = {1: 1, 3: -8, -1: 6, -2: own.public_key().public_bytes_raw()}
        return wrapped(cose), lambda message: web_authentication(own.sign, message)
    long = rsa.generate_private_key(65537, 2048)
    numbers = long.public_key().public_numbers()
    cose = {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: b"\x01\x00\x01"}
    return wrapped(cose), lambda message: web_authentication(
        lambda data: long.sign(data, padding.PKCS1v15(), hashes.SHA256()), message
    )


def signer(kind: str) -> tuple[bytes, Any]:
    if kind == "ed25519":
        own = ed25519.Ed25519PrivateKey.generate()
        return keys.public_key_der(own.public_key()), own.sign
    if kind in ("P-256", "secp256k1"):
        key = ec.generate_private_key(ec.SECP256R1() if kind == "P-256" else ec.SECP256K1())
        return keys.public_key_der(key.public_key()), lambda message: ecdsa(key, message)
    return passkey(kind)


@lru_cache
def one_signer(kind: str) -> tuple[bytes, Any]:
    return signer(kind)


@lru_cache
def one_signature(kind: str) -> bytes:
    signature: bytes = one_signer(kind)[1](b"message")
    return signature


KINDS = ["ed25519", "P-256", "secp256k1", "ES256", "EdDSA", "RS256"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_every_kind_holds_for_its_message_only(kind):
    key, sign = one_signer(kind)
    other, _ = signer(kind)
    signature = sign(b"\x0aic-request" + bytes(32))

    keys.verify_signature(key, b"\x0aic-request" + bytes(32), signature)
    for wrong in (
        (key, b"\x0aic-request" + bytes(31) + b"\x01", signature),
        (other, b"\x0aic-request" + bytes(32), signature),
    ):
        with pytest.raises(BadSignature):
            keys.verify_signature(*wrong)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_bent_keys_and_signatures_are_refused_and_never_a_fault_of_ours(kind, data):
    key, sign = one_signer(kind)
    signature = bytearray(one_signature(kind))
    bent = bytearray(key)
    target = data.draw(st.sampled_from([signature, bent]))
    target[data.draw(st.integers(0, len(target) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        keys.verify_signature(bytes(bent), b"message", bytes(signature))
    except BadSignature:
        return
    # What may change without harm: the envelope of a passkey's signature, where the signed parts stay as they were.
    assert kind in ("ES256", "EdDSA", "RS256")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        cbor.dumps(None),
        cbor.dumps([]),
        cbor.dumps({}),
        cbor.dumps({"authenticator_data": "text", "client_data_json": "{}", "signature": b""}),
        cbor.dumps({"authenticator_data": b"", "client_data_json": 5, "signature": b""}),
        cbor.dumps({"authenticator_data": b"", "client_data_json": "[]", "signature": b""}),
        cbor.dumps({"authenticator_data": b"", "client_data_json": '{"challenge": 5}', "signature": b""}),
        cbor.dumps({"authenticator_data": "x", "client_data_json": '{"challenge": "bWVzc2FnZQ"}', "signature": b""}),
        cbor.dumps({"authenticator_data": b"", "client_data_json": '{"challenge": "bWVzc2FnZQ"}', "signature": 5}),
        cbor.dumps({"authenticator_data": b"", "client_data_json": b"\xff\xfe", "signature": b""}),
        cbor.dumps({"authenticator_data": b"", "client_data_json": "[" * 100_000, "signature": b""}),
    ],
)
@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256"])
def test_a_malformed_passkey_signature_is_refused(kind, signature):
    key, _ = one_signer(kind)

    with pytest.raises(BadSignature):
        keys.verify_signature(key, b"message", signature)


@pytest.mark.parametrize(
    "cose",
    [
        {},
        [],
        5,
        {1: 2, 3: -7, -1: 1, -2: b"x", -3: b"y"},
        {1: 2, 3: -7, -1: 1, -2: 5, -3: 6},
        {1: 1, 3: -8, -1: 6, -2: b"short"},
        {1: 1, 3: -8, -1: 6, -2: "text"},
        {1: 3, 3: -257, -1: b"\x01", -2: b"\x03"},
        {1: 3, 3: -257, -1: b"", -2: b""},
        {1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)},
    ],
)
def test_a_passkey_of_a_wrong_form_is_refused(cose):
    with pytest.raises(BadSignature):
        keys.verify_signature(wrapped(cose), b"message", web_authentication(lambda data: data, b"message"))


def test_a_passkey_signature_for_another_challenge_is_refused():
    key, sign = passkey("EdDSA")

    with pytest.raises(BadSignature, match="another challenge"):
        keys.verify_signature(key, b"message", sign(b"other message"))


def test_client_data_may_come_as_bytes_and_hold_more_keys():
    key, sign = passkey("EdDSA")
    fields = cbor.loads(sign(b"message"))
    fields["client_data_json"] = fields["client_data_json"].encode()

    keys.verify_signature(key, b"message", cbor.dumps(fields))


def test_keys_that_are_not_in_strict_der_are_refused():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    strict = keys.public_key_der(key)
    point = strict[-65:]
    compressed = (
        bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
        + bytes([2 + (point[-1] & 1)])
        + point[1:33]
    )

    for bad in (strict + b"\x00", compressed, b"", b"\x30", wrapped({1: 1})[:-1]):
        with pytest.raises(BadSignature):
            keys.verify_signature(bad, b"message", bytes(64))


def test_rsa_keys_sign_only_as_passkeys():
    key = rsa.generate_private_key(65537, 2048)

    with pytest.raises(BadSignature):
        keys.verify_signature(
            keys.public_key_der(key.public_key()), b"m", key.sign(b"m", padding.PKCS1v15(), hashes.SHA256())
        )


# --- certificates ---


def signed(tree: Any, secret: int = SECRET, delegation: Delegation | None = None) -> bytes:
    fields = {"tree": hash_tree.to_cbor_value(tree), "signature": bls.sign(secret, keys.IC_STATE_ROOT + tree.digest)}
    if delegation is not None:
        fields["delegation"] = {"subnet_id": delegation.subnet_id, "certificate": delegation.certificate}
    return cbor.dumps(fields)


def state(time_ns: int = NOW, **more: Any) -> Any:
    return hash_tree.build(
        {b"time": encode_unsigned(time_ns), **{name.encode(): value for name, value in more.items()}}
    )


def test_a_certificate_under_the_root_key_is_believed():
    proven = certificate.verify(signed(state(answer=b"42")), root_key=KEY, now_ns=NOW)

    assert proven.require(b"answer") == b"42"
    assert proven.lookup(b"nothing") is None
    assert proven.time_ns == NOW


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 16), st.integers(1, 255))
def test_a_bent_certificate_is_refused_or_says_the_same(at, change):
    good = signed(state(answer=b"42"))
    bent = bytearray(good)
    bent[at % len(bent)] ^= change

    try:
        proven = certificate.verify(bytes(bent), root_key=KEY, now_ns=NOW)
    except CertificateRefused:
        return
    assert proven.require(b"answer") == b"42"


@pytest.mark.parametrize("age_ns", [-6 * 60 * 10**9, 6 * 60 * 10**9])
def test_a_certificate_from_another_time_is_refused(age_ns):
    with pytest.raises(CertificateRefused, match="seconds away"):
        certificate.verify(signed(state(NOW + age_ns)), root_key=KEY, now_ns=NOW)


SUBNET_SECRET = bls.secret_from_seed(b"the seed of a subnet, not the root's")
SUBNET_KEY = bls.public_key_der(SUBNET_SECRET)
SUBNET = Principal.self_authenticating(SUBNET_KEY).raw
INSIDE, OUTSIDE = Principal(b"\x05\x01\x01"), Principal(b"\x09\x01\x01")


def delegated(by: int = SECRET, subnet: bytes = SUBNET, **fields: Any) -> bytes:
    content = {
        SUBNET: {b"public_key": SUBNET_KEY, b"canister_ranges": cbor.dumps([[b"\x04\x01\x01", b"\x06\x01\x01"]])}
    }
    above = signed(state(subnet=content), by, fields.get("above"))
    return signed(state(answer=b"42"), fields.get("signer", SUBNET_SECRET), Delegation(subnet, above))


def test_a_subnet_speaks_for_the_canisters_that_it_hosts():
    assert certificate.verify(delegated(), root_key=KEY, canister_id=INSIDE).require(b"answer") == b"42"
    with pytest.raises(CertificateRefused, match="does not host"):
        certificate.verify(delegated(), root_key=KEY, canister_id=OUTSIDE)


def test_delegations_that_the_root_did_not_give_are_refused():
    cases = [
        delegated(by=SUBNET_SECRET),
        delegated(subnet=b"another subnet"),
        delegated(signer=bls.secret_from_seed(b"somebody else's seed, of no subnet")),
        delegated(above=Delegation(SUBNET, signed(state()))),
    ]

    for data in cases:
        with pytest.raises(CertificateRefused):
            certificate.verify(data, root_key=KEY, canister_id=INSIDE)
