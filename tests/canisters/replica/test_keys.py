"""Keys that the network holds for canisters: what they sign verifies, what they derive decrypts, and only the canister gets it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from canisters.client import CallRejected
from canisters.interface import signing
from canisters.interface.candid import Service, decode, encode, parse_did
from canisters.interface.principal import Principal
from canisters.interface.vetkd import TransportKey, symmetric_key

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parent / "standin" / "Keys.mo"
DID = """
type Schnorr = record { algorithm : variant { bip340secp256k1; ed25519 }; name : text };
type Public = record { public_key : blob; chain_code : blob };
service : {
  ecdsa_public : (text, vec blob, opt principal) -> (Public);
  ecdsa_sign : (text, vec blob, blob, nat) -> (blob);
  schnorr_public : (Schnorr, vec blob) -> (Public);
  schnorr_sign : (Schnorr, vec blob, blob, opt variant { bip341 : record { merkle_root_hash : blob } }, nat) -> (blob);
  vetkd_public : (text, blob, opt principal) -> (blob);
  vetkd_derive : (text, blob, blob, blob, nat) -> (blob);
}
"""
NAME, PATH, FEE = "test_key_1", [b"wallet", b"\x00\x01"], 10_000_000_000
MESSAGE = b"to be signed"
DIGEST = hashlib.sha256(MESSAGE).digest()
ED25519 = {"algorithm": {"ed25519": None}, "name": NAME}
BIP340 = {"algorithm": {"bip340secp256k1": None}, "name": NAME}
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def module(motoko_module: Callable[[Path], bytes]) -> bytes:
    return motoko_module(SOURCE)


class Keys:
    """A canister that hands on what the network says."""

    service: Service = parse_did(DID)

    def __init__(self, chain: Any, module: bytes) -> None:
        self.agent = chain.agent()
        self.id: Principal = chain.install(self.agent, module)

    def __call__(self, method: str, *arguments: Any) -> Any:
        found = self.service.methods[method]
        answer = self.agent.update_raw(self.id, method, encode(found.arguments, arguments))
        return decode(answer, found.results)[0]


@pytest.fixture
def keys(chain: Any, module: bytes) -> Keys:
    return Keys(chain, module)


def verify_ecdsa(public_key: bytes, signature: bytes) -> None:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), DIGEST, ec.ECDSA(Prehashed(SHA256())))


def test_an_ecdsa_signature_holds_under_the_canisters_key(keys: Keys) -> None:
    public = keys("ecdsa_public", NAME, PATH, None)
    signature = keys("ecdsa_sign", NAME, PATH, DIGEST, FEE)

    verify_ecdsa(public["public_key"], signature)
    with pytest.raises(InvalidSignature):
        verify_ecdsa(keys("ecdsa_public", NAME, [b"another"], None)["public_key"], signature)
    assert int.from_bytes(signature[32:], "big") <= signing._N // 2
    assert keys("ecdsa_sign", NAME, PATH, DIGEST, FEE) == signature


def test_an_ed25519_signature_holds_under_the_canisters_key(keys: Keys) -> None:
    public = keys("schnorr_public", ED25519, PATH)["public_key"]
    signature = keys("schnorr_sign", ED25519, PATH, MESSAGE, None, FEE)

    Ed25519PublicKey.from_public_bytes(public).verify(signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public).verify(signature, MESSAGE + b".")


def test_a_bip340_signature_holds_under_the_canisters_key(keys: Keys) -> None:
    public = keys("schnorr_public", BIP340, PATH)["public_key"]
    signature = keys("schnorr_sign", BIP340, PATH, DIGEST, None, FEE)

    assert bip340_holds(public[1:], DIGEST, signature)
    assert not bip340_holds(public[1:], MESSAGE, signature)


def bip340_holds(x: bytes, message: bytes, signature: bytes) -> bool:
    """The verification of BIP 340, written from the document alone."""
    curve, generator = signing.SECP256k1.curve, signing.SECP256k1.generator
    public = signing.SECP256k1.generator.from_bytes(curve, b"\x02" + x)
    tag = hashlib.sha256(b"BIP0340/challenge").digest()
    challenge = int.from_bytes(hashlib.sha256(tag + tag + signature[:32] + x + message).digest(), "big")
    point = generator * int.from_bytes(signature[32:], "big") + public * (signing._N - challenge % signing._N)
    return int(point.x()) == int.from_bytes(signature[:32], "big") and int(point.y()) % 2 == 0


def test_bip340_gives_the_documents_own_vector() -> None:
    signature = signing.sign_bip340(3, bytes(32))

    assert signature.hex() == (
        "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0"
    )


def test_two_canisters_and_two_paths_have_different_keys(keys: Keys, chain: Any, module: bytes) -> None:
    other = Keys(chain, module)

    found = {
        bytes(keys("ecdsa_public", name, path, None)["public_key"]) for name in (NAME, "key_1") for path in (PATH, [])
    }
    found.add(bytes(other("ecdsa_public", NAME, PATH, None)["public_key"]))

    assert len(found) == 5
    assert other("ecdsa_public", NAME, PATH, keys.id) == keys("ecdsa_public", NAME, PATH, None)


def test_the_npm_package_accepts_a_derived_key(keys: Keys, repository: Path) -> None:
    transport, context, asked = TransportKey.fresh(), b"files", b"dataset 7"
    public = keys("vetkd_public", NAME, context, None)
    encrypted = keys("vetkd_derive", NAME, context, asked, transport.public_key, FEE)
    told = {
        "input": asked.hex(),
        "transportSecret": transport.secret.to_bytes(32, "big").hex(),
        "publicKey": public.hex(),
        "encryptedKey": encrypted.hex(),
        "domain": "chunks",
    }

    judge = repository / "tests/canisters/judges/vetkeys.mjs"
    ran = subprocess.run(
        ["node", str(judge), json.dumps(told)], capture_output=True, text=True, timeout=60, check=False
    )

    ours = transport.decrypted(encrypted, public, asked)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"vetKey": ours.hex(), "symmetric": symmetric_key(ours, b"chunks").hex()}


def test_a_derived_key_is_the_same_whoever_carries_it_and_encrypted_anew_each_time(keys: Keys) -> None:
    first, second = TransportKey.fresh(), TransportKey.fresh()
    public = keys("vetkd_public", NAME, b"files", None)

    answers = [keys("vetkd_derive", NAME, b"files", b"7", t.public_key, FEE) for t in (first, first, second)]
    opened = {t.decrypted(a, public, b"7") for t, a in zip((first, first, second), answers, strict=True)}

    assert len(set(answers)) == 3
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("ecdsa_sign", (NAME, PATH, DIGEST, FEE - 1), "cycles are required"),
        ("ecdsa_sign", (NAME, PATH, DIGEST + b"x", FEE), "32 bytes"),
        ("ecdsa_sign", ("no_key", PATH, DIGEST, FEE), "unknown threshold key"),
        ("ecdsa_public", (NAME, [b""] * 256, None), "at most 255"),
        ("schnorr_sign", (ED25519, PATH, MESSAGE, {"bip341": {"merkle_root_hash": b""}}, FEE), "bip340secp256k1 alone"),
        ("vetkd_derive", (NAME, b"", b"", b"\xc0" + bytes(46) + b"\x01", FEE), "transport public key is invalid"),
        ("vetkd_derive", (NAME, b"", b"", TransportKey(7).public_key, 0), "cycles are required"),
        ("vetkd_public", ("no_key", b"", None), "unknown threshold key"),
    ],
)
def test_what_cannot_be_done_is_refused(keys: Keys, method: str, arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(CallRejected, match=words):
        keys(method, *arguments)


@pytest.mark.parametrize("method", ["sign_with_ecdsa", "sign_with_schnorr", "vetkd_derive_key", "vetkd_public_key"])
def test_nobody_outside_asks_for_a_canisters_keys(chain: Any, method: str) -> None:
    with pytest.raises(CallRejected, match="Only canisters"):
        chain.agent().update_raw(Principal.management(), method, encode([], []))
