"""An API token is a delegation: exactly for the canisters that were asked for, from its owner and nobody else, and gone when revoked."""

from __future__ import annotations

import time
from typing import Any

import pytest

from canisters.client import KeyIdentity
from canisters.client.deployment import Deployment
from marketplace.accounts.key_sealing import KeySealBroken, key_open, key_seal
from marketplace.accounts.models import ApiToken
from marketplace.accounts.services import acting_agent
from marketplace.core.caller import Caller
from marketplace.core.errors import NotAllowed
from tests.marketplace.accounts.signing import HOUR_NS, Signer, delegation, ic_key, signer_of
from tests.marketplace.conftest import Api, SignedIn

pytestmark = pytest.mark.usefixtures("no_chain")
DAY_NS = 24 * HOUR_NS


@pytest.fixture
def owner() -> KeyIdentity:
    return KeyIdentity()


@pytest.fixture
def mine(signed_in: SignedIn, owner: KeyIdentity) -> Api:
    return signed_in(owner)


def asked(api: Api, **changed: Any) -> dict[str, Any]:
    answer = api.post("tokens", {"name": "my notebook", "targets": ["jobs", "ledger"], **changed})
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def chain_for(token: dict[str, Any], by: Signer, **changed: Any) -> dict[str, Any]:
    request = token["delegation_request"]
    hop = delegation(
        by,
        changed.pop("to", None) or bytes.fromhex(request["public_key"]),
        **{"targets": request["targets"], **changed},
    )
    return {"delegations": [hop], "publicKey": by.der.hex()}


def activated(api: Api, owner: KeyIdentity, **changed: Any) -> dict[str, Any]:
    token = asked(api)
    answer = api.post(f"tokens/{token['id']}/activate", {"delegation": chain_for(token, signer_of(owner), **changed)})
    assert answer.status_code == 200, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_token_is_made_by_a_delegation_and_speaks_for_its_owner(
    mine: Api, owner: KeyIdentity, no_chain: Deployment
) -> None:
    expires_at_ns = time.time_ns() + DAY_NS

    token = activated(mine, owner, expires_at_ns=expires_at_ns)

    assert token["state"] == "active"
    assert token["targets"] == sorted(str(no_chain.canisters[kind]) for kind in ("jobs", "ledger"))
    assert Api(token["secret"]).get("me").json() == {
        "principal": str(owner.principal), "token_id": token["id"], "expires_at_ns": str(expires_at_ns),
    }  # fmt: skip


def test_the_list_of_tokens_shows_no_secret(mine: Api, owner: KeyIdentity) -> None:
    token = activated(mine, owner)
    Api(token["secret"]).get("me")

    row = mine.get("tokens").json()["results"][0]

    assert set(row) == {
        "id",
        "name",
        "public_key",
        "targets",
        "expires_at_ns",
        "created_at_ns",
        "last_used_at_ns",
        "state",
    }
    assert row["last_used_at_ns"] is not None


def test_neither_the_secret_nor_the_key_stands_in_the_database(mine: Api, owner: KeyIdentity) -> None:
    token = activated(mine, owner)

    row = ApiToken.objects.get()
    key = key_open(bytes(row.sealed_key), bytes.fromhex(row.public_key))

    assert KeyIdentity(key).der_pubkey.hex() == token["public_key"]
    kept = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in vars(row).values())
    assert token["secret"].encode() not in kept
    assert key not in kept
    assert key.hex().encode() not in kept


def test_a_sealed_key_opens_for_its_own_token_and_server_only(settings: Any) -> None:
    sealed = key_seal(b"k" * 32, b"one token")

    with pytest.raises(KeySealBroken):
        key_open(sealed, b"another token")
    settings.SECRET_KEY = "another server's"
    with pytest.raises(KeySealBroken):
        key_open(sealed, b"one token")


def test_a_revoked_token_is_refused_and_its_key_is_gone(mine: Api, owner: KeyIdentity) -> None:
    token = activated(mine, owner)
    caller = Caller(str(owner.principal), token["id"])
    acting_agent(caller)

    assert mine.delete(f"tokens/{token['id']}").status_code == 204

    row = ApiToken.objects.get()
    assert (bytes(row.sealed_key), row.chain, row.secret_hash, row.state) == (b"", None, None, "revoked")
    assert Api(token["secret"]).get("me").status_code == 401
    with pytest.raises(NotAllowed, match="revoked"):
        acting_agent(caller)


def test_an_expired_token_is_refused(mine: Api, owner: KeyIdentity) -> None:
    token = activated(mine, owner)
    ApiToken.objects.update(expires_at_ns=time.time_ns() - 1)

    assert Api(token["secret"]).get("me").status_code == 401
    assert mine.get("tokens").json()["results"][0]["state"] == "expired"
    with pytest.raises(NotAllowed, match="expired"):
        acting_agent(Caller(str(owner.principal), token["id"]))


def test_the_server_acts_as_the_owner_and_not_as_itself(mine: Api, owner: KeyIdentity) -> None:
    token = activated(mine, owner)

    agent = acting_agent(Caller(str(owner.principal), token["id"]))

    assert agent.principal == owner.principal
    assert acting_agent(Caller(str(owner.principal), token["id"])) is agent


def test_a_session_does_not_let_the_server_act(owner: KeyIdentity, db: None) -> None:
    with pytest.raises(NotAllowed, match="Only an API token"):
        acting_agent(Caller(str(owner.principal)))


def test_another_persons_token_id_does_not_act(mine: Api, owner: KeyIdentity) -> None:
    token = activated(mine, owner)

    with pytest.raises(NotAllowed):
        acting_agent(Caller(str(KeyIdentity().principal), token["id"]))


# --- attacks on the delegation ---


def refused(api: Api, token: dict[str, Any], chain: Any, said: str, status: int = 400) -> None:
    answer = api.post(f"tokens/{token['id']}/activate", {"delegation": chain})
    assert answer.status_code == status, answer.content
    assert said in answer.json()["error"]["message"]
    assert ApiToken.objects.get(id=token["id"]).state == "pending"


def test_a_delegation_by_somebody_else_is_refused(mine: Api) -> None:
    token = asked(mine)

    refused(mine, token, chain_for(token, ic_key()), "somebody else's")


def test_a_delegation_to_another_key_is_refused(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)

    refused(mine, token, chain_for(token, signer_of(owner), to=ic_key().der), "another key", 401)


def test_a_delegation_for_more_canisters_is_refused(mine: Api, owner: KeyIdentity, no_chain: Deployment) -> None:
    token = asked(mine)
    targets = [*token["targets"], str(no_chain.canisters["registry"])]

    refused(mine, token, chain_for(token, signer_of(owner), targets=targets), "other canisters")


def test_a_delegation_for_fewer_canisters_is_refused(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)

    refused(mine, token, chain_for(token, signer_of(owner), targets=token["targets"][:1]), "other canisters")


def test_a_delegation_without_targets_is_refused(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)

    refused(mine, token, chain_for(token, signer_of(owner), targets=None), "other canisters")


def test_a_delegation_that_lasts_too_long_is_refused(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)

    refused(mine, token, chain_for(token, signer_of(owner), expires_at_ns=time.time_ns() + 31 * DAY_NS), "too long")


def test_an_expired_delegation_is_refused(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)

    refused(mine, token, chain_for(token, signer_of(owner), expires_at_ns=time.time_ns() - 1), "expired", 401)


def test_a_delegation_with_permissions_is_refused(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)

    refused(mine, token, chain_for(token, signer_of(owner), permissions="queries"), "permissions")


def test_targets_that_were_widened_after_signing_are_refused(
    mine: Api, owner: KeyIdentity, no_chain: Deployment
) -> None:
    token = asked(mine)
    chain = chain_for(token, signer_of(owner), targets=[str(no_chain.canisters["registry"])])
    honest = chain_for(token, signer_of(owner))
    chain["delegations"][0]["delegation"] = honest["delegations"][0]["delegation"]

    refused(mine, token, chain, "does not hold", 401)


@pytest.mark.parametrize(
    "chain", [{}, {"publicKey": 5, "delegations": []}, {"publicKey": "00", "delegations": {}}, {"publicKey": "zz"}]
)
def test_a_chain_of_another_form_is_refused_in_words(mine: Api, chain: Any) -> None:
    token = asked(mine)

    refused(mine, token, chain, "delegation")


def test_a_token_is_activated_once(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)
    chain = chain_for(token, signer_of(owner))
    mine.post(f"tokens/{token['id']}/activate", {"delegation": chain})

    again = mine.post(f"tokens/{token['id']}/activate", {"delegation": chain})

    assert again.status_code == 409
    assert "secret" not in again.json()


def test_a_revoked_token_cannot_be_activated(mine: Api, owner: KeyIdentity) -> None:
    token = asked(mine)
    mine.delete(f"tokens/{token['id']}")

    answer = mine.post(f"tokens/{token['id']}/activate", {"delegation": chain_for(token, signer_of(owner))})

    assert answer.status_code == 409


# --- who may what ---


def test_anybody_elses_token_is_as_good_as_none(mine: Api, owner: KeyIdentity, signed_in: SignedIn) -> None:
    token = asked(mine)
    stranger = signed_in()

    activate = stranger.post(f"tokens/{token['id']}/activate", {"delegation": chain_for(token, signer_of(owner))})

    assert activate.status_code == 404
    assert stranger.delete(f"tokens/{token['id']}").status_code == 404
    assert stranger.get("tokens").json()["count"] == 0


def test_nobody_has_tokens_without_signing_in(api: Api) -> None:
    answers = [
        api.get("tokens"),
        api.post("tokens", {}),
        api.delete("tokens/1"),
        api.post("tokens/1/activate", {}),
        api.get("me"),
    ]

    assert [answer.status_code for answer in answers] == [401] * 5


def test_a_token_can_make_no_tokens(mine: Api, owner: KeyIdentity) -> None:
    token = activated(mine, owner)
    with_token = Api(token["secret"])

    answers = [
        with_token.get("tokens"),
        with_token.post("tokens", {"name": "more", "targets": ["jobs"]}),
        with_token.delete(f"tokens/{token['id']}"),
        with_token.post("auth/sign-out"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x"}, {"name": "", "targets": ["jobs"]}, {"name": "x", "targets": []}, {"name": "x", "targets": ["aaaaa-aa"]},
     {"name": "x", "targets": ["rwlgt-iiaaa-aaaaa-aaaaa-cai"]}, {"name": "x" * 101, "targets": ["jobs"]}, {"name": "x", "targets": "jobs"},
     {"name": "x", "targets": [["jobs"]]}, {"name": "x", "targets": ["jobs"] * 21}],
)  # fmt: skip
def test_a_token_for_nothing_or_for_strange_canisters_is_refused(mine: Api, body: dict[str, Any]) -> None:
    answer = mine.post("tokens", body)

    assert answer.status_code == 400
    assert answer.json()["error"]["fields"]
    assert not ApiToken.objects.exists()


def test_one_person_has_a_limited_number_of_tokens(mine: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.accounts.services.MAX_TOKENS", 2)
    first = asked(mine)
    asked(mine)

    too_many = mine.post("tokens", {"name": "third", "targets": ["jobs"]})
    mine.delete(f"tokens/{first['id']}")

    assert too_many.status_code == 409
    assert mine.post("tokens", {"name": "third", "targets": ["jobs"]}).status_code == 201


def test_the_list_of_tokens_takes_the_same_few_queries_for_one_as_for_many(
    mine: Api, django_assert_max_num_queries: Any
) -> None:
    for _ in range(15):
        asked(mine)

    with django_assert_max_num_queries(4):
        assert len(mine.get("tokens").json()["results"]) == 15
