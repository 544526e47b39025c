"""The chain's part of the API: what network this is, what happened, and blocks that can be hashed again from what is shown."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client.deployment import Deployment
from canisters.interface import icrc3
from marketplace.chain import network
from marketplace.chain.models import Block
from marketplace.chain.values import from_json
from tests.marketplace.builders import PLATFORM, Blocks, canister_id, person
from tests.marketplace.conftest import Api


def test_a_block_is_shown_so_that_it_can_be_hashed_again(blocks: Blocks, api: Api) -> None:
    blocks.dataset(person(), 1)
    blocks.dataset(person(), 2)

    first = api.get(f"blocks/{PLATFORM['registry']}/0").json()
    second = api.get(f"blocks/{PLATFORM['registry']}/1").json()

    assert first["phash"] is None
    assert second["phash"] == first["hash"]
    assert icrc3.value_hash(from_json(second["block"])).hex() == second["hash"]


def test_activity_is_newest_first_and_says_in_words_what_happened(blocks: Blocks, api: Api) -> None:
    owner = person()
    blocks.dataset(owner, 1, "Breast tissue")
    blocks.policy(1, decision="Deny", workers=[])

    rows = api.get("activity").json()["results"]

    assert [row["title"] for row in rows] == [
        "Policy 1 of dataset 1: every request is denied", "Dataset 1 registered: Breast tissue",
    ]  # fmt: skip
    assert rows[1]["principals"] == [str(owner.principal)]
    assert (rows[1]["dataset_id"], rows[1]["job_id"], rows[1]["model"], rows[1]["proposal_id"]) == (1, None, None, None)


def test_activity_can_be_narrowed_to_a_log_or_a_person(blocks: Blocks, api: Api) -> None:
    one = person()
    blocks.dataset(one, 1)
    blocks.dataset(person(), 2)
    blocks.append("ledger", "1mint", {"amt": 5, "to": [one.principal], "memo": b"faucet"})

    of_one = api.get("activity", principal=str(one.principal)).json()
    of_ledger = api.get("activity", canister=str(PLATFORM["ledger"])).json()
    of_both = api.get("activity", principal=str(one.principal), canister=str(PLATFORM["ledger"])).json()

    assert [of_one["count"], of_ledger["count"], of_both["count"]] == [2, 1, 1]


def test_a_cooperatives_blocks_name_their_model(blocks: Blocks, api: Api) -> None:
    blocks.append("cooperative", "thing", {"proposal_id": 3}, canister=canister_id(77))

    row = api.get("activity").json()["results"][0]

    assert (row["model"], row["proposal_id"]) == (str(canister_id(77)), 3)


def test_the_list_of_activity_takes_the_same_few_queries_for_one_as_for_many(
    blocks: Blocks, api: Api, django_assert_num_queries: Any
) -> None:
    for number in range(1, 31):
        blocks.dataset(person(), number)

    with django_assert_num_queries(3):
        assert len(api.get("activity", page_size="30").json()["results"]) == 30


@pytest.mark.parametrize(
    ("address", "status"),
    [("blocks/nonsense/0", 400), (f"blocks/{PLATFORM['registry']}/9", 404), (f"blocks/{PLATFORM['registry']}/-1", 404),
     (f"blocks/{PLATFORM['registry']}/999999999999999", 404), ("activity?principal=x", 400), ("activity?canister=%00", 400)],
)  # fmt: skip
def test_what_makes_no_sense_or_is_not_there_is_refused_in_words(api: Api, address: str, status: int) -> None:
    answer = api.get(address)

    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_while_the_chain_is_away_the_network_is_still_named(
    no_chain: Deployment, blocks: Blocks, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks.dataset(person())
    token = {"name": "Test token", "symbol": "CWT", "decimals": 8, "fee_e8s": "1", "faucet_e8s": None}
    monkeypatch.setattr(network, "_tokens", {(no_chain.root_key, str(PLATFORM["ledger"])): token})  # asked for before

    shown = api.get("network").json()

    assert (shown["network"], shown["height"], shown["block_time_ns"], shown["token"]) == (
        "embedded",
        None,
        None,
        token,
    )
    assert shown["root_key"] == no_chain.root_key.hex()
    assert shown["logs"] == [{"canister": str(PLATFORM["registry"]), "name": "registry", "length": 1, "indexed": 1}]


def test_before_anything_is_deployed_one_is_told_so(api: Api, settings: Any, tmp_path: Any, broker: str) -> None:
    settings.DEPLOYMENT = tmp_path / "nothing.json"

    answer = api.get("network")
    health = api.get("health").json()

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_deployed"
    assert health["checks"]["chain"].startswith("The chain is not set up yet")
    assert health["checks"]["index"] == "Nothing is indexed yet: start `manage.py follow`."


def test_a_deployment_file_that_is_damaged_is_said(api: Api, settings: Any, tmp_path: Any) -> None:
    settings.DEPLOYMENT = tmp_path / "deployment.json"
    settings.DEPLOYMENT.write_text('{"network": "embedded"')

    assert api.get("network").status_code == 503


def test_values_of_every_kind_survive_the_way_to_json_and_back(blocks: Blocks) -> None:
    tx = {
        "n": 2**70,
        "i": {"Int": -(2**70)},
        "t": "a\x00ü",
        "b": b"\x00\xff",
        "a": [1, "x", [b""]],
        "m": {"k": {"z": 1, "a": 2}},
    }
    blocks.append("jobs", "thing", tx)

    row = Block.objects.get()

    assert icrc3.value_hash(from_json(row.value)).hex() == row.hash
