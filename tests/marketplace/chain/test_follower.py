"""The index follows what is proven, once, whole blocks only; what is wrong with one log is said and does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from canisters.client import ChainUnavailable
from canisters.client.deployment import Deployment
from canisters.interface import icrc3
from canisters.interface.principal import Principal
from marketplace.chain import follower, projection
from marketplace.chain.errors import LogBroken, OtherChain
from marketplace.chain.follower import look
from marketplace.chain.management.commands.follow import follow
from marketplace.chain.models import Block, LogCursor
from marketplace.core.health import health
from marketplace.datasets.models import Dataset
from tests.marketplace.builders import canister_id, person, policy_terms, version_args
from tests.marketplace.chain.networks import FakeLog, platform
from tests.marketplace.conftest import Api

pytestmark = pytest.mark.django_db
Logs = dict[str, FakeLog]


@pytest.fixture
def logs(no_chain: Deployment, monkeypatch: pytest.MonkeyPatch) -> Logs:
    """The logs that the follower reads, by kind."""
    made = platform()
    monkeypatch.setattr(follower, "_reader", lambda kind, canister: _log_of(made, canister))
    return made


def _log_of(logs: Logs, canister: str) -> FakeLog:
    return next(log for log in logs.values() if str(log.canister_id) == canister)


@pytest.fixture
def failing() -> Iterator[Callable[[str], None]]:
    """failing("btype") makes a projection that cannot take that block of the registry."""
    broken = projection.Projection("zz_broken", tables=())

    def fail(btype: str) -> None:
        @broken.on("registry", btype)
        def handler(_fact: projection.Fact) -> None:
            raise RuntimeError("a fault of the program")

    yield fail
    del projection.PROJECTIONS["zz_broken"]


def registered(log: FakeLog, dataset_id: int = 1, title: str = "Breast tissue", **args: Any) -> None:
    tx = {"dataset_id": dataset_id, "owner": person().principal, "title": title, "key": b"k" * 16, "version": 1}
    log.append("dataset_registered", {**tx, "args": version_args(**args)})


def test_a_block_is_applied_once_however_often_one_looks(logs: Logs) -> None:
    registered(logs["registry"])

    applied = [look().applied for _ in range(3)]

    assert applied == [1, 0, 0]
    assert Block.objects.count() == 1


def test_two_followers_at_once_apply_a_block_once(logs: Logs) -> None:
    registered(logs["registry"])
    look()
    block = follower._read(
        LogCursor(canister=str(logs["registry"].canister_id), kind="registry", tip_hash=""), follower.Look(), False
    )[0]

    assert follower.apply_block(str(logs["registry"].canister_id), "registry", block) is False
    assert Dataset.objects.count() == 1


def test_a_broken_log_is_reported_and_the_others_are_followed(logs: Logs) -> None:
    logs["ledger"].grow(2)
    logs["ledger"].values[0] = icrc3.to_value({"btype": "forged"})
    registered(logs["registry"])

    done = look()

    assert "does not follow" in done.problems[str(logs["ledger"].canister_id)]
    assert Dataset.objects.count() == 1
    assert not Block.objects.filter(kind="ledger").exists()


def test_a_block_that_cannot_be_applied_leaves_nothing_half_done(logs: Logs, failing: Callable[[str], None]) -> None:
    registered(logs["registry"])
    failing("policy_set")
    logs["registry"].append("policy_set", {"dataset_id": 1, "version": 1, "terms": policy_terms()})
    logs["jobs"].grow(1)

    done = look()

    assert "cannot be applied: RuntimeError" in done.problems[str(logs["registry"].canister_id)]
    assert Dataset.objects.get().decision == ""
    assert Block.objects.filter(kind="registry").count() == 1
    assert Block.objects.filter(kind="jobs").count() == 1


def test_a_problem_is_shown_until_it_is_over(logs: Logs, broker: str) -> None:
    logs["ledger"].grow(2)
    true_block = logs["ledger"].values[0]
    logs["ledger"].values[0] = icrc3.to_value({"btype": "forged"})
    look()
    shown_while_broken = health()[1]["index"]
    logs["ledger"].values[0] = true_block

    look()

    assert shown_while_broken.startswith("ledger: Block 1 does not follow")
    assert health()[1]["index"] == "ok"


def test_a_chain_that_went_back_in_time_changes_nothing_and_is_said(logs: Logs, api: Api) -> None:
    registered(logs["registry"], 1)
    registered(logs["registry"], 2)
    look()
    before = api.get("datasets").content
    del logs["registry"].values[1:]

    done = look()

    assert "put back to an older state" in done.problems[str(logs["registry"].canister_id)]
    assert api.get("datasets").content == before


def test_after_the_chain_went_back_the_index_is_made_anew_on_command(logs: Logs) -> None:
    registered(logs["registry"], 1)
    registered(logs["registry"], 2)
    look()
    del logs["registry"].values[1:]

    call_command("reindex")

    assert list(Dataset.objects.values_list("id", flat=True)) == [1]
    assert look().problems == {}


def test_another_chain_is_not_mixed_into_the_index(
    logs: Logs, no_chain: Deployment, settings: Any, tmp_path: Any, broker: str
) -> None:
    registered(logs["registry"])
    look()
    other = Deployment("embedded", no_chain.url, b"\x31" * 133, no_chain.canisters, no_chain.deployer)
    other.save(tmp_path / "other.json")
    settings.DEPLOYMENT = tmp_path / "other.json"

    with pytest.raises(OtherChain, match="manage.py reindex"):
        look()

    assert Dataset.objects.count() == 1
    assert "another chain" in health()[1]["index"]


def test_making_the_index_anew_from_a_chain_that_does_not_prove_itself_keeps_the_old_one(logs: Logs, api: Api) -> None:
    registered(logs["registry"])
    look()
    before = api.get("datasets/1").content
    logs["jobs"].grow(1)
    logs["jobs"].certified = b"\x00" * 32

    with pytest.raises(CommandError, match=r"index is as it was"):
        call_command("reindex")

    assert api.get("datasets/1").content == before


def test_a_cooperative_is_followed_from_the_round_that_finds_it(logs: Logs) -> None:
    canister = canister_id(50)
    logs["cooperative"] = FakeLog(canister)
    logs["cooperative"].append("thing")
    logs["cooperatives"].append(
        "cooperative_created",
        {
            "job_id": 1, "name": "Tissue model", "canister": canister, "inference": canister_id(51), "creator": person().principal,
            "holders": [{"owner": person().principal, "shares": 10_000}],
            "parameters": {"price_e8s": 1, "treasury_bps": 0, "voting_period_ns": 1, "quiet_period_ns": 1},
        },
    )  # fmt: skip

    look()

    assert LogCursor.objects.get(canister=str(canister)).next_index == 1
    assert LogCursor.objects.get(canister=str(canister)).name == "Tissue model"


def test_numbers_and_text_that_no_database_holds_do_not_stop_the_index(logs: Logs, api: Api) -> None:
    absurd = 2**28_000
    logs["ledger"].append("2approve", {"amt": absurd, "from": [person().principal], "spender": [person().principal]})
    registered(logs["registry"], title="a\x00title ☃")

    done = look()

    assert done.problems == {}
    assert api.get("datasets/1").json()["title"] == "a\x00title ☃"
    assert str(absurd) in api.get(f"blocks/{logs['ledger'].canister_id}/0").content.decode()


def test_a_block_of_a_form_nobody_knows_is_kept_as_it_is(logs: Logs, api: Api) -> None:
    logs["jobs"].values.append({"Array": [{"Nat": 1}, {"Text": "x"}]})
    logs["jobs"].values[0] = {"Map": [("weird", {"Int": -5}), ("btype", {"Nat": 3}), ("tx", {"Text": "no map"})]}

    done = look()

    assert done.problems == {}
    shown = api.get(f"blocks/{logs['jobs'].canister_id}/0").json()
    assert shown["block"] == {"Map": [["weird", {"Int": "-5"}], ["btype", {"Nat": "3"}], ["tx", {"Text": "no map"}]]}
    assert api.get("activity").json()["results"][0]["title"] == "Block"


def test_the_order_in_which_logs_are_read_makes_no_difference(logs: Logs, api: Api) -> None:
    registered(logs["registry"])
    logs["registry"].append("policy_set", {"dataset_id": 1, "version": 1, "terms": policy_terms()})
    logs["jobs"].append("job_started", {"job_id": 1})
    logs["registry"].append("uses_taken", {"job_id": 1, "uses": [{"dataset_id": 1, "version": 1, "policy_version": 1}]})
    for kind in ("jobs", "registry", "ledger", "cooperatives"):
        look(only=[kind])
    addresses = ["datasets", "datasets/1", "activity"]
    one_way = [api.get(address).content for address in addresses]

    follower.reindex()

    assert [api.get(address).content for address in addresses] == one_way


def test_after_an_outage_the_follower_goes_on(logs: Logs, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    stop, rounds = threading.Event(), []

    def looking(**_: Any) -> follower.Look:
        rounds.append(1)
        if len(rounds) < 3:
            raise ChainUnavailable("http://127.0.0.1:9 does not answer")
        stop.set()
        return follower.Look()

    monkeypatch.setattr("marketplace.chain.management.commands.follow.look", looking)

    with caplog.at_level("INFO"):
        follow(stop, 0.001)

    said = [record.message for record in caplog.records]
    assert said == ["http://127.0.0.1:9 does not answer", "following the chain again"]


def test_following_once_fails_where_a_log_cannot_be_followed(logs: Logs) -> None:
    logs["jobs"].grow(1)
    logs["jobs"].certified = b"\x00" * 32

    with pytest.raises(CommandError, match="had certified"):
        call_command("follow", once=True)


def test_a_service_is_never_failed_by_an_index_that_is_behind(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(kind: str, canister: str) -> FakeLog:
        raise ChainUnavailable("away")

    monkeypatch.setattr(follower, "_reader", away)

    follower.follow_now("jobs")

    with pytest.raises(ChainUnavailable):
        look()


def test_nothing_is_followed_before_the_log_proves_itself_on_making_it_anew(logs: Logs) -> None:
    logs["jobs"].grow(3)
    logs["jobs"].signed = 0

    with pytest.raises(LogBroken):
        follower.reindex()


def test_principals_in_subaccounts_are_not_taken_for_people(logs: Logs, api: Api) -> None:
    one = person()
    logs["ledger"].append("1xfer", {"amt": 1, "from": [one.principal, b"\x01" * 32], "to": [Principal(b"\x02" * 29)]})

    look()

    row = api.get("activity", principal=str(one.principal)).json()["results"][0]
    assert row["principals"] == [str(one.principal), str(Principal(b"\x02" * 29))]
