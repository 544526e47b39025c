"""Signing in proves a principal and nothing less: every other signature, key, chain or challenge is refused, and no session is made."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from marketplace.accounts.models import Challenge, Session
from tests.marketplace.accounts.signing import HOUR_NS, KINDS, challenge_for, delegation, ic_key, signed, web_crypto_key
from tests.marketplace.conftest import Api


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_every_kind_signs_in(api: Api, kind: str) -> None:
    signer = KINDS[kind]()

    answer = api.post("auth/sign-in", signed(api, signer))

    assert answer.status_code == 200, answer.content
    assert Api(answer.json()["session"]).get("me").json()["principal"] == signer.principal


def test_a_session_key_that_the_person_delegated_to_signs_in_as_the_person(api: Api) -> None:
    root, session_key = ic_key(), web_crypto_key()
    expires_at_ns = time.time_ns() + HOUR_NS
    hop = delegation(root, session_key.der, expires_at_ns=expires_at_ns)

    body = signed(api, session_key, root.principal, delegations=[hop], root_public_key=root.der.hex())
    answer = api.post("auth/sign-in", body)

    assert answer.json()["principal"] == root.principal
    assert answer.json()["expires_at_ns"] == str(expires_at_ns)


def test_signing_out_ends_the_session(api: Api) -> None:
    secret = api.post("auth/sign-in", signed(api, ic_key())).json()["session"]

    assert Api(secret).post("auth/sign-out").status_code == 204

    refused = Api(secret).get("me")
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == "Bearer"
    assert refused.json()["error"]["code"] == "secret_refused"


def test_the_secret_of_a_session_is_kept_nowhere(api: Api) -> None:
    secret = api.post("auth/sign-in", signed(api, ic_key())).json()["session"]

    row = Session.objects.get()

    assert all(secret not in str(value) for value in vars(row).values())


def test_a_session_ends_by_itself(api: Api) -> None:
    secret = api.post("auth/sign-in", signed(api, ic_key())).json()["session"]
    Session.objects.update(expires_at_ns=time.time_ns() - 1)

    assert Api(secret).get("me").status_code == 401


# --- attacks ---


def refused(api: Api, body: dict[str, Any], code: str, status: int = 401) -> None:
    answer = api.post("auth/sign-in", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.content
    assert not Session.objects.exists()


def test_a_challenge_works_once(api: Api) -> None:
    body = signed(api, ic_key())
    api.post("auth/sign-in", body)
    Session.objects.all().delete()

    refused(api, body, "challenge_refused")


@pytest.mark.django_db(transaction=True)
def test_a_challenge_sent_several_times_at_once_works_once(api: Api) -> None:
    body = signed(api, ic_key())

    def send(_: int) -> int:
        try:
            return int(Api().post("auth/sign-in", body).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(send, range(4)))

    assert statuses == [200, 401, 401, 401]
    assert Session.objects.count() == 1


def test_a_challenge_is_used_up_by_a_wrong_signature_too(api: Api) -> None:
    signer = ic_key()
    body = signed(api, signer)

    refused(api, {**body, "signature": "00" * 64}, "bad_signature")
    refused(api, body, "challenge_refused")


def test_another_persons_challenge_is_refused(api: Api) -> None:
    one, other = ic_key(), ic_key()
    challenge = challenge_for(api, one.principal)
    signature = other.sign(bytes.fromhex(challenge["message"])).hex()

    refused(
        api,
        {
            "principal": other.principal,
            "challenge": challenge["challenge"],
            "public_key": other.der.hex(),
            "signature": signature,
        },
        "challenge_refused",
    )


def test_somebody_elses_principal_cannot_be_taken(api: Api) -> None:
    victim, thief = ic_key(), ic_key()

    refused(api, signed(api, thief, victim.principal), "wrong_key")


def test_an_old_challenge_is_refused(api: Api) -> None:
    body = signed(api, ic_key())
    Challenge.objects.update(expires_at_ns=time.time_ns() - 1)

    refused(api, body, "challenge_refused")


def test_a_challenge_that_was_never_given_is_refused(api: Api) -> None:
    refused(api, signed(api, ic_key(), challenge="ab" * 32), "challenge_refused")


def test_a_signature_of_the_bare_challenge_is_refused(api: Api) -> None:
    signer = ic_key()
    challenge = challenge_for(api, signer.principal)
    body = {
        "principal": signer.principal,
        "challenge": challenge["challenge"],
        "public_key": signer.der.hex(),
        "signature": signer.sign(bytes.fromhex(challenge["challenge"])).hex(),
    }

    refused(api, body, "bad_signature")


@pytest.mark.parametrize("flip", [0, 31, 63])
def test_an_altered_signature_is_refused(api: Api, flip: int) -> None:
    body = signed(api, ic_key())
    signature = bytearray.fromhex(body["signature"])
    signature[flip] ^= 1

    refused(api, {**body, "signature": signature.hex()}, "bad_signature")


def test_a_delegation_to_another_key_is_refused(api: Api) -> None:
    root, thief, other = ic_key(), ic_key(), ic_key()
    hop = delegation(root, other.der)

    refused(
        api, signed(api, thief, root.principal, delegations=[hop], root_public_key=root.der.hex()), "bad_delegation"
    )


def test_a_delegation_signed_by_somebody_else_is_refused(api: Api) -> None:
    root, thief = ic_key(), ic_key()
    hop = delegation(thief, thief.der)

    refused(
        api, signed(api, thief, root.principal, delegations=[hop], root_public_key=root.der.hex()), "bad_delegation"
    )


def test_an_expired_delegation_is_refused(api: Api) -> None:
    root, session_key = ic_key(), ic_key()
    hop = delegation(root, session_key.der, expires_at_ns=time.time_ns() - 1)

    refused(
        api,
        signed(api, session_key, root.principal, delegations=[hop], root_public_key=root.der.hex()),
        "bad_delegation",
    )


def test_a_chain_is_as_short_as_its_shortest_hop(api: Api) -> None:
    root, middle, leaf = ic_key(), ic_key(), ic_key()
    chain = [delegation(root, middle.der, expires_at_ns=time.time_ns() - 1), delegation(middle, leaf.der)]

    refused(api, signed(api, leaf, root.principal, delegations=chain, root_public_key=root.der.hex()), "bad_delegation")


@pytest.mark.parametrize("narrow", [{"targets": ["aaaaa-aa"]}, {"permissions": "queries"}])
def test_a_delegation_for_less_than_everything_cannot_sign_in(api: Api, narrow: dict[str, Any]) -> None:
    root, held_by_another_server = ic_key(), ic_key()
    hop = delegation(root, held_by_another_server.der, **narrow)

    body = signed(api, held_by_another_server, root.principal, delegations=[hop], root_public_key=root.der.hex())

    refused(api, body, "delegation_narrow")


def test_an_expiry_without_end_is_refused_before_it_is_hashed(api: Api) -> None:
    root, leaf = ic_key(), ic_key()
    hop = delegation(root, leaf.der)
    hop["delegation"]["expiration"] = "f" * 1_000_000
    began = time.monotonic()

    refused(api, signed(api, leaf, root.principal, delegations=[hop], root_public_key=root.der.hex()), "invalid", 400)

    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "delegations",
    [
        [{}],
        ["x"],
        [{"delegation": None, "signature": ""}],
        [{"delegation": {"pubkey": "zz", "expiration": "1"}, "signature": ""}],
        [[]],
    ],
)
def test_delegations_of_another_form_are_refused_in_words(api: Api, delegations: list[Any]) -> None:
    root, leaf = ic_key(), ic_key()

    answer = api.post(
        "auth/sign-in", signed(api, leaf, root.principal, delegations=delegations, root_public_key=root.der.hex())
    )

    assert answer.status_code == 400
    assert "message" in answer.json()["error"]


@pytest.mark.parametrize(
    ("principal", "said"),
    [("2vxsx-fae", "belongs to a key"), ("aaaaa-aa", "belongs to a key"), ("rwlgt-iiaaa-aaaaa-aaaaa-cai", "belongs to a key"),
     ("nonsense", "is not a principal"), ("", "principal")],
)  # fmt: skip
def test_who_has_no_key_gets_no_challenge(api: Api, principal: str, said: str) -> None:
    answer = api.post("auth/challenge", {"principal": principal})

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"principal": 1e999}', b'{"principal": "\\ud800"}', b"\xff", b'"x"']
)
def test_a_malformed_body_is_refused_in_words(api: Api, body: bytes) -> None:
    answer = api.client.generic("POST", "/api/market/auth/challenge", body, "application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_one_address_can_begin_only_so_many_sign_ins(api: Api, settings: Any) -> None:
    settings.CHALLENGES_A_MINUTE = 3
    answers = [api.post("auth/challenge", {"principal": ic_key().principal}).status_code for _ in range(4)]

    assert answers == [200, 200, 200, 429]
    assert int(api.post("auth/challenge", {"principal": ic_key().principal})["Retry-After"]) in range(1, 61)


def test_a_forwarded_address_does_not_lift_the_limit(api: Api, settings: Any) -> None:
    settings.CHALLENGES_A_MINUTE = 1
    body = {"principal": ic_key().principal}
    api.post("auth/challenge", body)

    answer = api.client.post(
        "/api/market/auth/challenge", body, "application/json", headers={"X-Forwarded-For": "10.0.0.9"}
    )

    assert answer.status_code == 429


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "Bearer cws_x", "Bearer " + "x" * 5000, "cws_x"])
def test_an_authorization_that_is_none_is_refused_even_where_none_is_needed(api: Api, header: str) -> None:
    answer = api.client.get("/api/market/datasets", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


def test_old_challenges_and_sessions_are_swept_away(api: Api) -> None:
    api.post("auth/sign-in", signed(api, ic_key()))
    challenge_for(api, ic_key().principal)
    Challenge.objects.update(expires_at_ns=1)
    Session.objects.update(expires_at_ns=1)

    challenge_for(api, ic_key().principal)

    assert Challenge.objects.count() == 1
    assert not Session.objects.exists()
