"""What a builder does by REST, on the real chain: propose, fund, cancel; what is refused, and what is safe to repeat."""

from __future__ import annotations

import time
from typing import Any

import pytest

from canisters.client import KeyIdentity
from canisters.client.typed import Ledger
from marketplace.accounts.models import ApiToken
from tests.marketplace.conftest import Api
from tests.marketplace.jobs.scene import Scene, table

pytestmark = pytest.mark.slow


def test_a_proposal_is_the_builders_own_and_repeated_it_is_the_same(scene: Scene) -> None:
    builder, part = scene.builder(), scene.contribute(table(0))
    given = scene.proposal([part], key="ab" * 16)

    first = builder.api.post("jobs", given)
    second = builder.api.post("jobs", given)

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    job = first.json()
    assert (job["builder"], job["state"], job["seed"]) == (str(builder.identity.principal), "approved", "7")
    assert [step["btype"] for step in job["timeline"]] == ["job_proposed", "job_approved"]
    assert job["config"]["epochs"] == 3


def test_funding_draws_the_budget_once_however_often_it_is_asked(scene: Scene) -> None:
    builder, part = scene.builder(), scene.contribute(table(0))
    ledger = Ledger(scene.chain.agent(), scene.canisters["ledger"])
    account = {"owner": builder.identity.principal, "subaccount": None}
    job_id = builder.api.post("jobs", scene.proposal([part])).json()["id"]
    before = ledger.icrc1_balance_of(account)

    first = builder.api.post(f"jobs/{job_id}/fund")
    second = builder.api.post(f"jobs/{job_id}/fund")

    assert (first.status_code, second.status_code) == (200, 200), first.content
    assert first.json()["state"] == second.json()["state"] == "funded"
    assert first.json()["escrow_e8s"] == "10000000"
    assert before - ledger.icrc1_balance_of(account) == 10_000_000 + 2 * 10_000


def test_too_little_money_says_how_much_is_missing_and_where_it_comes_from(scene: Scene) -> None:
    builder, part = scene.builder(rich=False), scene.contribute(table(0))
    job_id = builder.api.post("jobs", scene.proposal([part])).json()["id"]

    answer = builder.api.post(f"jobs/{job_id}/fund")

    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "not_enough_balance"
    assert "10020000 e8s are missing" in error["message"]
    assert "faucet" in error["message"]
    assert scene.on_chain(job_id)["state"] == "approved"


def test_a_job_that_waits_for_an_owner_cannot_be_funded_yet(scene: Scene) -> None:
    builder, part = scene.builder(), scene.contribute(table(0), decision="Ask")
    job_id = builder.api.post("jobs", scene.proposal([part])).json()["id"]

    answer = builder.api.post(f"jobs/{job_id}/fund")

    assert answer.status_code == 409
    assert f"owners of dataset {part.dataset_id}" in answer.json()["error"]["message"]


def test_a_job_that_a_policy_denies_says_so_and_cannot_be_funded(scene: Scene) -> None:
    builder, part = scene.builder(), scene.contribute(table(0), decision="Deny")

    made = builder.api.post("jobs", scene.proposal([part])).json()
    answer = builder.api.post(f"jobs/{made['id']}/fund")

    assert made["state"] == "denied"
    assert made["reason"] == f"dataset {part.dataset_id}: the policy denies every request"
    assert answer.status_code == 409
    assert "denied" in answer.json()["error"]["message"]


def test_a_cancelled_job_gives_the_escrow_back_and_stays_cancelled(scene: Scene) -> None:
    builder, part = scene.builder(), scene.contribute(table(0))
    job_id = scene.funded(builder, [part])

    first = builder.api.post(f"jobs/{job_id}/cancel")
    second = builder.api.post(f"jobs/{job_id}/cancel")

    assert (first.status_code, second.status_code) == (200, 200), second.content
    assert second.json()["state"] == "cancelled"
    assert [(p["kind"], p["amount_e8s"]) for p in second.json()["payouts"]] == [("refund", "10000000")]


@pytest.mark.parametrize("deed", ["fund", "cancel"])
def test_somebody_elses_job_is_left_alone(scene: Scene, deed: str) -> None:
    builder, thief, part = scene.builder(), scene.builder(), scene.contribute(table(0))
    job_id = builder.api.post("jobs", scene.proposal([part])).json()["id"]

    answer = thief.api.post(f"jobs/{job_id}/{deed}")

    assert answer.status_code == 403
    assert scene.on_chain(job_id)["state"] == "approved"


@pytest.mark.parametrize("deed", ["fund", "cancel"])
def test_a_job_that_is_not_is_not_found(scene: Scene, deed: str) -> None:
    assert scene.builder(rich=False).api.post(f"jobs/99999/{deed}").status_code == 404


def test_a_token_that_has_expired_proposes_nothing(scene: Scene) -> None:
    identity, part = KeyIdentity(), scene.contribute(table(0))
    secret = scene.token(identity, ("jobs", "ledger"), lasts_s=2)
    ApiToken.objects.update(expires_at_ns=time.time_ns() - 1)

    answer = Api(secret).post("jobs", scene.proposal([part]))

    assert answer.status_code == 401
    assert scene.jobs().jobs_list({"start": 0, "length": 1})["total"] == _indexed_jobs(scene)


def test_a_delegation_that_lapses_while_the_token_lives_is_refused_too(scene: Scene) -> None:
    identity, part = KeyIdentity(), scene.contribute(table(0))
    secret = scene.token(identity, ("jobs", "ledger"), lasts_s=1)
    ApiToken.objects.update(expires_at_ns=time.time_ns() + 10**12)
    time.sleep(1.1)

    answer = Api(secret).post("jobs", scene.proposal([part]))

    assert answer.status_code == 403, answer.content


def test_a_token_for_the_jobs_canister_alone_cannot_touch_money(scene: Scene) -> None:
    builder, part = scene.builder(targets=("jobs",)), scene.contribute(table(0))
    job_id = builder.api.post("jobs", scene.proposal([part])).json()["id"]

    answer = builder.api.post(f"jobs/{job_id}/fund")

    assert answer.status_code == 403
    assert "targets" in answer.json()["error"]["message"]
    assert scene.on_chain(job_id)["state"] == "approved"


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"budget_e8s": "2000001"}, 400, "budget_e8s"),
        (
            {"terms": {"contributors_bps": 10, "builder_bps": 9_990, "worker_bps": 0, "valuation": "shapley"}},
            400,
            "contributors_bps",
        ),
        ({"approve_within_s": 100, "finish_within_s": 50}, 400, "finish_by_ns"),
        ({"datasets": [{"dataset_id": 10**14, "version": 1}]}, 400, "datasets"),
        ({"config": {"target": "diagnosis", "evaluation_sha256": "00" * 32}}, 400, "POST blobs"),
    ],
)
def test_what_the_chain_refuses_is_said_in_its_words(
    scene: Scene, changed: dict[str, Any], status: int, words: str
) -> None:
    builder, part = scene.builder(rich=False), scene.contribute(table(0))

    answer = builder.api.post("jobs", scene.proposal([part], **changed))

    assert answer.status_code == status, answer.content
    assert words in answer.json()["error"]["message"]


def _indexed_jobs(scene: Scene) -> int:
    return int(Api().get("jobs").json()["count"])
