"""Balances, transfers and earnings, out of blocks of the ledger, of jobs and of cooperatives."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import KeyIdentity
from marketplace.earnings.accounts import account_text
from marketplace.earnings.rounding import split
from tests.marketplace.builders import Blocks, person
from tests.marketplace.governance.cooperative_log import CooperativeLog
from tests.marketplace.jobs.job_log import JobLog

SUB = bytes(31) + b"\x01"


def mint(blocks: Blocks, to: KeyIdentity, amount: int) -> int:
    return blocks.append("ledger", "1mint", {"amt": amount, "to": [to.principal], "memo": b"faucet"})


def balance(api: Any, of: KeyIdentity) -> int:
    return int(api.get(f"accounts/{of.principal}").json()["balance_e8s"])


def test_a_transfer_moves_the_amount_and_burns_the_fee(api: Any, blocks: Blocks, no_chain: Any) -> None:
    giver, taker = person(), person()
    mint(blocks, giver, 1_000)

    blocks.append("ledger", "1xfer", {"amt": 300, "from": [giver.principal], "to": [taker.principal]}, fee=10)
    blocks.append("ledger", "1xfer", {"amt": 100, "from": [giver.principal], "to": [taker.principal], "fee": 10})

    assert (balance(api, giver), balance(api, taker)) == (580, 400)


def test_an_allowance_costs_its_fee_and_what_is_drawn_by_it_comes_from_its_giver(
    api: Any, blocks: Blocks, no_chain: Any
) -> None:
    giver, spender, taker = person(), person(), person()
    mint(blocks, giver, 1_000)

    blocks.append(
        "ledger", "2approve", {"amt": 10**5_000, "from": [giver.principal], "spender": [spender.principal]}, fee=10
    )
    drawn = {"amt": 200, "from": [giver.principal], "to": [taker.principal], "spender": [spender.principal]}
    blocks.append("ledger", "2xfer", drawn, fee=10)
    blocks.append("ledger", "1burn", {"amt": 80, "from": [giver.principal]})

    assert (balance(api, giver), balance(api, spender), balance(api, taker)) == (700, 0, 200)
    listed = api.get(f"accounts/{giver.principal}/transfers").json()
    assert [row["btype"] for row in listed["results"]] == ["1burn", "2xfer", "2approve", "1mint"]
    assert listed["results"][2]["to"] == str(spender.principal)
    assert listed["results"][2]["amount_e8s"] == "9" * 40
    assert listed["results"][0]["to"] is None
    assert listed["results"][3]["memo"] == b"faucet".hex()
    assert listed["results"][1]["fee_e8s"] == "10"
    assert listed["results"][3]["from"] is None


def test_a_subaccount_is_another_account_of_the_same_owner(api: Any, blocks: Blocks, no_chain: Any) -> None:
    owner = person()

    blocks.append("ledger", "1mint", {"amt": 50, "to": [owner.principal, SUB]})

    assert balance(api, owner) == 0
    (row,) = api.get(f"accounts/{owner.principal}/transfers").json()["results"]
    assert row["to"].startswith(f"{owner.principal}-")
    assert row["to"].endswith(".1")


def test_an_account_is_written_as_the_standard_says() -> None:
    """The example of ICRC-1."""
    owner = "k2t6j-2nvnp-4zjm3-25dtz-6xhaa-c7boj-5gayf-oj3xs-i43lp-teztq-6ae"

    assert account_text(owner, "") == owner
    assert account_text(owner, "00" * 32) == owner
    assert account_text(owner, SUB.hex()) == f"{owner}-6cc627i.1"
    assert (
        account_text(owner, bytes(range(1, 33)).hex())
        == f"{owner}-dfxgiyy.102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
    )


def test_prices_and_fees_are_earned_and_refunds_are_not(api: Any, blocks: Blocks, no_chain: Any) -> None:
    owner = person()
    blocks.dataset(owner, 1, "North")
    job = JobLog(blocks, [owner, person()])
    job.run_to_the_end(values=[2, 1], bps=[6_000, 3_000])
    job.pay_out(owner, 100)

    contributor = api.get(f"accounts/{owner.principal}/earnings").json()
    builder = api.get(f"accounts/{job.builder.principal}/earnings").json()
    worker = api.get(f"accounts/{job.worker.principal}/earnings").json()

    assert (contributor["earned_e8s"], contributor["claimed_e8s"], contributor["claimable"]) == ("100", "100", [])
    assert contributor["by_dataset"] == [{"dataset_id": 1, "title": "North", "amount_e8s": "100"}]
    assert [(entry["kind"], entry["job_id"], entry["dataset_id"]) for entry in contributor["entries"]] == [
        ("price", 1, 1)
    ]
    assert (builder["earned_e8s"], builder["entries"][0]["kind"]) == ("0", "refund")
    assert builder["claimable"] == [
        {"kind": "job", "job_id": 1, "model": None, "name": "Tumours, together", "amount_e8s": "750"}
    ]
    assert (worker["earned_e8s"], worker["entries"][0]["kind"]) == ("50", "worker_fee")


def test_revenue_is_earned_by_share_and_taken_out_once(api: Any, blocks: Blocks, no_chain: Any) -> None:
    owner = person()
    model = CooperativeLog(blocks, [(owner, 6_000), (person(), 4_000)])
    model.found()
    model.pay(person(), [54, 36])
    model.pay(person(), [54, 36])
    model.append("revenue_claimed", owner=owner.principal, amount_e8s=54, ledger_block=5)

    shown = api.get(f"accounts/{owner.principal}/earnings").json()

    assert (shown["earned_e8s"], shown["claimed_e8s"]) == ("108", "54")
    assert shown["claimable"] == [
        {"kind": "model", "job_id": None, "model": str(model.canister), "name": "Tumours", "amount_e8s": "54"}
    ]
    assert shown["by_model"] == [{"model": str(model.canister), "name": "Tumours", "amount_e8s": "108"}]
    assert [entry["kind"] for entry in shown["entries"]] == ["revenue", "revenue"]


def test_an_answer_that_failed_gives_its_price_back(api: Any, blocks: Blocks, no_chain: Any) -> None:
    payer = person()
    model = CooperativeLog(blocks, [(person(), 10_000)])
    model.found()

    model.append("inference_refunded", payer=payer.principal, amount_e8s=100, ledger_block=5, reason="wrong shape")

    shown = api.get(f"accounts/{payer.principal}/earnings").json()
    assert (shown["earned_e8s"], shown["claimable"][0]["amount_e8s"], shown["entries"][0]["kind"]) == (
        "0",
        "100",
        "refund",
    )
    assert shown["by_model"] == []


@pytest.mark.parametrize("model_first", [True, False])
def test_a_dataset_brings_its_part_of_the_revenue_and_bought_shares_bring_none(
    api: Any, blocks: Blocks, no_chain: Any, model_first: bool
) -> None:
    """Datasets 1 and 2 earned 3000 and 1000 of the 8000 shares that their owner holds by now."""
    owner = person()
    model = CooperativeLog(blocks, [(owner, 8_000), (person(), 2_000)])
    job = JobLog(blocks, [owner, owner, person()])

    def of_the_model() -> None:
        model.found()
        model.pay(person(), [80, 10])

    def of_the_job() -> None:
        job.propose(price_e8s=0)
        for step in (job.fund, job.claim, job.start):
            step()
        job.submit(values=[3, 1, 5])
        job.settle(bps=[3_000, 1_000, 5_000], price_e8s=0)

    for step in (of_the_model, of_the_job) if model_first else (of_the_job, of_the_model):
        step()

    shown = api.get(f"accounts/{owner.principal}/earnings").json()
    assert [(entry["dataset_id"], entry["amount_e8s"]) for entry in shown["by_dataset"]] == [(1, "30"), (2, "10")]
    assert shown["earned_e8s"] == "80"


def test_an_account_counts_what_somebody_has_here(api: Any, blocks: Blocks, no_chain: Any) -> None:
    owner = person()
    blocks.dataset(owner, 1)
    JobLog(blocks, [owner], builder=owner).propose()
    CooperativeLog(blocks, [(owner, 10_000)]).found()
    mint(blocks, owner, 7)

    shown = api.get(f"accounts/{owner.principal}").json()

    assert shown == {"principal": str(owner.principal), "datasets": 1, "models": 1, "jobs": 1, "balance_e8s": "7"}


def test_somebody_unknown_has_nothing(api: Any, blocks: Blocks, no_chain: Any) -> None:
    shown = api.get(f"accounts/{person().principal}/earnings").json()

    assert (shown["balance_e8s"], shown["claimable"], shown["entries"], shown["by_dataset"]) == ("0", [], [], [])


@pytest.mark.parametrize("path", ["accounts/x", "accounts/x/earnings", "accounts/x/transfers"])
def test_what_is_no_principal_is_refused(api: Any, path: str) -> None:
    assert api.get(path).status_code == 400


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (0, [1, 2], [0, 0]),
        (7, [0, 1], [0, 7]),
        (10, [3_297, 3_297, 2_406, 500, 500], [3, 3, 2, 1, 1]),
    ],
)
def test_parts_sum_to_the_whole(total: int, weights: list[int], parts: list[int]) -> None:
    assert split(total, weights) == parts
