"""The index on a real chain: what people do there is in the API at once, and the index made anew says the same."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from django.core.management import call_command

from canisters.client import ChainAgent, KeyIdentity
from marketplace.chain.canisters import ok, registry
from marketplace.chain.follower import follow_now, look
from marketplace.chain.models import LogCursor
from tests.marketplace.builders import policy_terms, version_args
from tests.marketplace.conftest import Api, Chain, SignedIn

pytestmark = pytest.mark.slow


def register(agent: ChainAgent, title: str = "Breast tissue") -> int:
    version = version_args()
    made = registry(agent).dataset_register({"key": secrets.token_bytes(16), "title": title, "version": version})
    return int(ok(made)["dataset_id"])


def set_policy(agent: ChainAgent, dataset_id: int, **terms: Any) -> None:
    variants = {name: {value: None} for name, value in policy_terms(**terms).items() if isinstance(value, str)}
    ok(
        registry(agent).policy_set(
            {"dataset_id": dataset_id, "expected_version": 0, "terms": {**policy_terms(**terms), **variants}}
        )
    )


def test_what_is_done_on_the_chain_is_in_the_api_at_once(chain: Chain, api: Api) -> None:
    owner = KeyIdentity()
    agent = chain.agent(owner)

    dataset_id = register(agent)
    set_policy(agent, dataset_id)
    follow_now("registry")

    shown = api.get(f"datasets/{dataset_id}").json()
    assert shown["owner"] == str(owner.principal)
    assert shown["policy"]["decision"] == "AutoApprove"
    assert [event["btype"] for event in shown["history"]] == ["dataset_registered", "policy_set"]


def test_a_key_is_taken_for_a_dataset_that_was_registered_a_moment_ago(chain: Chain, signed_in: SignedIn) -> None:
    owner, worker = KeyIdentity(), KeyIdentity().principal
    follow_now()
    dataset_id = register(chain.agent(owner))

    answer = signed_in(owner).put(f"datasets/{dataset_id}/versions/1/keys/{worker}", raw=b"k" * 113)
    missing = signed_in(owner).put(f"datasets/{dataset_id + 1}/versions/1/keys/{worker}", raw=b"k" * 113)

    assert (answer.status_code, missing.status_code) == (204, 404)


def test_the_index_made_anew_gives_the_same_answers_byte_for_byte(chain: Chain, api: Api) -> None:
    agent = chain.agent()
    dataset_id = register(agent)
    set_policy(agent, dataset_id, decision="Ask")
    look()
    addresses = [f"datasets/{dataset_id}", "datasets?page_size=100", "activity?page_size=100"]
    before = [api.get(address).content for address in addresses]

    call_command("reindex")

    assert [api.get(address).content for address in addresses] == before
    assert LogCursor.objects.get(kind="registry").next_index > 0
