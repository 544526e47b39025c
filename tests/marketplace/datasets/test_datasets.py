"""What the API says of datasets is what the registry's log says, joined with what their owners published, whatever that is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from marketplace.core.blobs import blob_keep, store
from marketplace.datasets.policy import policy_sentence, terms_json
from tests.marketplace.builders import PLATFORM, Blocks, person, policy_terms, version_args
from tests.marketplace.conftest import Api

SCHEMA = {"columns": [{"name": "radius", "type": "number"}, {"name": "benign", "type": "boolean"}]}
CARD = {"title": "Breast tissue", "task": "classification", "target": "benign"}


def kept(value: Any) -> bytes:
    """A public blob; returns its hash."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return bytes.fromhex(blob_keep(data))


def test_a_registered_dataset_is_shown_with_its_policy_in_plain_words(blocks: Blocks, api: Api) -> None:
    owner = person()
    blocks.dataset(owner, schema_hash=kept(SCHEMA), card_hash=kept(CARD))
    block = blocks.policy(price_e8s=150_000_000)

    shown = api.get("datasets/1").json()

    assert shown["owner"] == str(owner.principal)
    assert shown["proof"] == {"canister": str(PLATFORM["registry"]), "block": block}
    assert (shown["columns"], shown["task"], shown["card"]) == (2, "classification", CARD)
    assert shown["policy"]["sentence"] == (
        "Anyone may train on all columns for any purpose, with any code, on the worker's machine, for 1.5 CWT a job; "
        "fitting requests are approved at once. The key goes to 1 named worker and nobody else."
    )


def test_a_dataset_without_a_policy_says_so(blocks: Blocks, api: Api) -> None:
    blocks.dataset(person())

    assert api.get("datasets/1").json()["policy"] is None
    assert api.get("datasets").json()["results"][0]["policy"] is None


def test_the_newest_version_and_policy_are_in_force_and_the_old_ones_stay(blocks: Blocks, api: Api) -> None:
    blocks.dataset(person())
    blocks.policy(version=1)
    blocks.policy(version=2, decision="Deny", workers=[])
    last = blocks.append(
        "registry", "dataset_versioned", {"dataset_id": 1, "version": 2, "args": version_args(row_count=7)}
    )

    shown = api.get("datasets/1").json()

    assert (shown["version"], shown["row_count"], shown["proof"]["block"]) == (2, 7, last)
    assert [policy["version"] for policy in shown["policies"]] == [2, 1]
    assert [version["version"] for version in shown["versions"]] == [1, 2]
    assert shown["policy"]["sentence"] == "Nobody may train on this: every request is denied."


def test_withdrawing_and_uses_are_seen(blocks: Blocks, api: Api) -> None:
    blocks.dataset(person())
    blocks.append(
        "registry", "uses_taken", {"job_id": 4, "uses": [{"dataset_id": 1, "version": 1, "policy_version": 1}]}
    )
    blocks.append("registry", "dataset_withdrawn", {"dataset_id": 1})
    withdrawn = api.get("datasets/1").json()
    blocks.append("registry", "dataset_restored", {"dataset_id": 1})

    assert (withdrawn["state"], withdrawn["uses"]) == ("withdrawn", 1)
    assert api.get("datasets/1").json()["state"] == "active"


def test_the_history_tells_in_words_what_happened(blocks: Blocks, api: Api) -> None:
    blocks.dataset(person(), title="Breast tissue")
    blocks.policy(decision="Ask")
    blocks.append(
        "registry", "uses_taken", {"job_id": 4, "uses": [{"dataset_id": 1, "version": 1, "policy_version": 1}]}
    )

    history = api.get("datasets/1").json()["history"]

    assert [event["title"] for event in history] == [
        "Dataset 1 registered: Breast tissue",
        "Policy 1 of dataset 1: the owner decides on each request",
        "Job 4 used dataset 1",
    ]
    assert [event["proof"]["block"] for event in history] == [0, 1, 2]


def test_a_policy_is_shown_whole_and_exact(blocks: Blocks, api: Api) -> None:
    builder, worker = person().principal, person().principal
    blocks.dataset(person())
    blocks.policy(
        audience={"Principals": [builder]},
        purposes={"Listed": ["research", "teaching"]},
        code={"Listed": [b"\x0a" * 32]},
        compute="Either",
        columns=["radius"],
        price_e8s=1,
        max_uses=3,
        expires_at_ns=2**64 - 1,
        max_epsilon_micros=1_500_000,
        decision="Ask",
        workers=[worker],
    )

    policy = api.get("datasets/1").json()["policy"]

    assert {key: policy[key] for key in ("audience", "purposes", "code", "compute", "columns", "price_e8s")} == {
        "audience": {"Principals": [str(builder)]},
        "purposes": {"Listed": ["research", "teaching"]},
        "code": {"Listed": ["0a" * 32]},
        "compute": "Either",
        "columns": ["radius"],
        "price_e8s": "1",
    }
    assert (policy["max_uses"], policy["expires_at_ns"], policy["max_epsilon_micros"]) == (3, str(2**64 - 1), 1_500_000)
    assert policy["sentence"] == (
        "1 named builder may train on 1 column for “research” or “teaching”, with 1 listed program only, "
        "centrally or where the data is, for 0.00000001 CWT a job; the owner decides on each request. At most 3 uses. "
        "It ends on 2554-07-21. Only with differential privacy, epsilon at most 1.5. The key goes to 1 named worker and nobody else."
    )


@pytest.mark.parametrize(
    "bad",
    [b"not json", b"[1, 2]", b'"text"', b"null", b'{"columns": 1e999}', b'{"a": "\\ud800"}', b"\xff\xfe", b'{"a": NaN}',
     b"[" * 100_000, b'{"a": "' + b"x" * (1 << 20) + b'"}', b"", b'{"columns": 7, "task": []}'],
    ids=lambda data: repr(data[:16]),
)  # fmt: skip
def test_whatever_an_owner_published_the_pages_still_answer(blocks: Blocks, api: Api, bad: bytes) -> None:
    digest = kept(bad)
    blocks.dataset(person(), schema_hash=digest, card_hash=digest, profile_hash=digest, mock_hash=digest)

    listed, shown = api.get("datasets"), api.get("datasets/1")

    assert (listed.status_code, shown.status_code) == (200, 200)
    assert (shown.json()["columns"], shown.json()["task"]) == (None, None)
    if b"columns" not in bad or b"999" in bad:
        assert [shown.json()[part] for part in ("card", "schema", "profile", "mock")] == [None] * 4


def test_a_description_that_comes_later_is_shown_then(blocks: Blocks, api: Api) -> None:
    data = json.dumps(CARD).encode()
    digest = kept(data)
    store().held.clear()  # type: ignore[attr-defined]  # the store of tests
    blocks.dataset(person(), card_hash=digest)
    before = api.get("datasets").json()["results"][0]["task"]

    kept(data)

    assert (before, api.get("datasets").json()["results"][0]["task"]) == (None, "classification")


def test_datasets_are_found_by_words_owner_state_and_decision(blocks: Blocks, api: Api) -> None:
    one, other = person(), person()
    blocks.dataset(one, 1, "Breast tissue, part A")
    blocks.dataset(other, 2, "Handwritten digits")
    blocks.policy(2, decision="Ask")
    blocks.append("registry", "dataset_withdrawn", {"dataset_id": 1})

    def found(**query: Any) -> list[int]:
        return [row["id"] for row in api.get("datasets", **query).json()["results"]]

    assert found() == [2, 1]
    assert found(search="PART breast") == [1]
    assert found(search="part digits") == []
    assert found(owner=str(other.principal)) == [2]
    assert found(state="withdrawn") == [1]
    assert found(decision="Ask") == [2]


@pytest.mark.parametrize(
    "query",
    [{"state": "gone"}, {"decision": "ask"}, {"owner": "me"}, {"page": "0"}, {"page": "x"}, {"page_size": "101"}, {"page_size": "-1"},
     {"search": "a\x00b"}, {"search": "x" * 1001}, {"page": "9" * 30}],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused_naming_the_field(api: Api, query: dict[str, str]) -> None:
    answer = api.get("datasets", **query)

    assert answer.status_code == 400
    assert answer.json()["error"]["fields"]


@pytest.mark.parametrize(
    "address", ["datasets/1", "datasets/999999999999999", "datasets/0", "datasets/x", "datasets/1/keys/2"]
)
def test_what_does_not_exist_is_not_found(api: Api, address: str) -> None:
    answer = api.get(address)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_percent_signs_and_quotes_are_searched_for_as_they_are(blocks: Blocks, api: Api) -> None:
    blocks.dataset(person(), 1, "100% of 'it'")

    assert api.get("datasets", search="%").json()["count"] == 1
    assert api.get("datasets", search="_").json()["count"] == 0


def test_a_list_takes_the_same_queries_for_one_as_for_many(
    blocks: Blocks, api: Api, django_assert_num_queries: Any
) -> None:
    for number in range(1, 31):
        blocks.dataset(person(), number)
        blocks.policy(number)

    with django_assert_num_queries(4):
        assert len(api.get("datasets", page_size="30").json()["results"]) == 30


def test_one_dataset_takes_few_queries_however_long_its_history(
    blocks: Blocks, api: Api, django_assert_num_queries: Any
) -> None:
    blocks.dataset(person())
    for version in range(1, 21):
        blocks.policy(version=version)

    with django_assert_num_queries(5):
        assert len(api.get("datasets/1").json()["policies"]) == 20


def test_pages_follow_each_other_and_keep_the_filter(blocks: Blocks, api: Api) -> None:
    owner = person()
    for number in range(1, 6):
        blocks.dataset(owner, number)

    first = api.get("datasets", owner=str(owner.principal), page_size="2").json()
    second = api.get(first["next"]).json()

    assert first["count"] == 5
    assert [row["id"] for row in first["results"] + second["results"]] == [5, 4, 3, 2]
    assert str(owner.principal) in first["next"]


def test_terms_of_every_variant_have_a_sentence() -> None:
    for decision in ("AutoApprove", "Ask", "Deny"):
        for compute in ("Central", "Federated", "Either"):
            terms = terms_json({**policy_terms(decision=decision, compute=compute, price_e8s=0), "workers": []})
            assert policy_sentence(terms).endswith(".")
