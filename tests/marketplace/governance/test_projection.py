"""Models and proposals as the API shows them, out of blocks that mirror the canisters'."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.core import blobs
from tests.marketplace.builders import Blocks, canister_id, person
from tests.marketplace.governance.cooperative_log import HASH, CooperativeLog, manifest, parameters

TREASURY = {"TreasuryTransfer": {"to": person().principal, "amount_e8s": 5}}


@pytest.fixture
def model(blocks: Blocks, no_chain: Any) -> CooperativeLog:
    made = CooperativeLog(blocks, [(person(), 6_000), (person(), 3_000), (person(), 1_000)])
    made.found()
    return made


@pytest.mark.parametrize("own_first", [True, False])
def test_a_model_is_the_same_whichever_log_was_read_first(
    api: Any, blocks: Blocks, no_chain: Any, own_first: bool
) -> None:
    made = CooperativeLog(blocks, [(person(), 4_000), (person(), 6_000)])

    made.found(own_first=own_first)

    (shown,) = api.get("models").json()["results"]
    assert shown["canister"] == str(made.canister)
    assert (shown["state"], shown["live"], shown["holders"], shown["price_e8s"]) == ("no_release", None, 2, "100")
    assert shown["inference"] == str(made.inference)
    assert shown["creator"] == str(made.creator.principal)
    whole = api.get(f"models/{made.canister}").json()
    assert [holder["shares"] for holder in whole["holders"]] == [6_000, 4_000]
    assert whole["parameters"]["voting_period_ns"] == "60000000000"


def test_a_model_of_which_only_one_log_was_read_is_not_shown_yet(api: Any, blocks: Blocks, no_chain: Any) -> None:
    made = CooperativeLog(blocks, [(person(), 10_000)])
    made.factory_entry()

    assert api.get("models").json()["count"] == 0
    assert api.get(f"models/{made.canister}").status_code == 404


def test_votes_are_counted_and_a_ballot_is_used_up(api: Any, signed_in: Any, model: CooperativeLog) -> None:
    model.submit()
    before = signed_in(model.holders[1][0]).get("votes").json()

    model.vote(0, yes=True)
    last = model.vote(1, yes=False)

    shown = api.get(f"models/{model.canister}/proposals/1").json()
    assert (shown["yes"], shown["no"], shown["total"], shown["state"]) == (6_000, 3_000, 10_000, "voting")
    assert [ballot["vote"] for ballot in shown["ballots"]] == ["yes", "no", None]
    assert shown["proof"] == {"canister": str(model.canister), "block": last}
    assert [entry["title"] for entry in shown["log"]] == [
        "Submitted: the vote is open",
        "6000 shares said yes",
        "3000 shares said no",
    ]
    assert [(vote["id"], vote["shares"], vote["model_name"]) for vote in before["results"]] == [(1, 3_000, "Tumours")]
    assert signed_in(model.holders[1][0]).get("votes").json()["count"] == 0
    assert signed_in(model.holders[2][0]).get("votes").json()["count"] == 1


def test_votes_stand_by_their_deadlines_and_those_that_are_over_do_not(signed_in: Any, model: CooperativeLog) -> None:
    model.submit(1, deadline_ns=2_100_000_000 * 10**9)
    model.submit(2, deadline_ns=2_000_000_000 * 10**9)
    model.submit(3, deadline_ns=10**9)

    found = signed_in(model.holders[0][0]).get("votes").json()["results"]

    assert [vote["id"] for vote in found] == [2, 1]


def test_a_stranger_has_nothing_to_vote_on(signed_in: Any, api: Any, model: CooperativeLog) -> None:
    model.submit()

    assert signed_in(person()).get("votes").json()["results"] == []
    assert api.get("votes").status_code == 401


def test_a_late_majority_moves_the_deadline(api: Any, model: CooperativeLog) -> None:
    model.submit()

    model.append("deadline_extended", proposal_id=1, deadline_ns=2_000_000_001 * 10**9)

    assert api.get(f"models/{model.canister}/proposals/1").json()["deadline_ns"] == str(2_000_000_001 * 10**9)


def test_an_adopted_release_goes_live_and_the_next_one_replaces_it(api: Any, model: CooperativeLog) -> None:
    other = canister_id(77)
    model.submit(1)
    model.adopt(1)
    model.go_live(1)
    model.submit(
        2, {"Release": manifest(title="Second release", metrics=[{"name": "accuracy", "value_ppm": {"Int": -1}}])}
    )
    model.adopt(2)
    block = model.go_live(2, inference=other)
    model.append("release_superseded", proposal_id=1, by=2)

    shown = api.get(f"models/{model.canister}").json()
    assert shown["state"] == "live"
    assert shown["live"] == {
        "proposal_id": 2,
        "title": "Second release",
        "manifest_hash": HASH.hex(),
        "wasm_sha256": HASH.hex(),
        "max_abs_error_e9": 15,
        "live_at_ns": shown["live"]["live_at_ns"],
        "proof": {"canister": str(model.canister), "block": block},
    }
    assert shown["inference"] == str(other)
    assert [(release["id"], release["state"]) for release in shown["releases"]] == [(2, "live"), (1, "superseded")]
    proposal = api.get(f"models/{model.canister}/proposals/1").json()
    assert proposal["live_metrics"] == [{"name": "accuracy", "value_ppm": -1}]
    assert proposal["payload"]["equality"][0]["inputs"][0]["data"] == "00" * 8
    assert proposal["log"][-1]["title"] == "Replaced by the release of proposal 2"


def test_a_release_that_failed_says_why_and_the_old_one_stays(api: Any, model: CooperativeLog) -> None:
    model.submit(1)
    model.adopt(1)
    model.go_live(1)
    model.submit(2)
    model.adopt(2)

    model.append("proposal_failed", proposal_id=2, reason="the equality test failed: {0}")

    failed = api.get(f"models/{model.canister}/proposals/2").json()
    assert (failed["state"], failed["reason"]) == ("failed", "the equality test failed: {0}")
    assert failed["log"][-1]["title"] == "Failed: the equality test failed: {0}"
    assert api.get(f"models/{model.canister}").json()["live"]["proposal_id"] == 1


def test_new_terms_and_payments_of_the_treasury_show_on_the_model(api: Any, model: CooperativeLog) -> None:
    payer = person()
    model.pay(payer, [54, 27, 9])
    model.pay(payer, [54, 27, 9])
    model.submit(1, {"Parameters": parameters(price_e8s=7)})
    model.append("parameters_changed", proposal_id=1, parameters=parameters(price_e8s=7))
    model.append("proposal_executed", proposal_id=1)
    model.submit(2, TREASURY, critical=True)
    model.append("treasury_paid", proposal_id=2, to=TREASURY["TreasuryTransfer"]["to"], amount_e8s=5, ledger_block=4)
    model.append("proposal_executed", proposal_id=2)

    shown = api.get(f"models/{model.canister}").json()
    assert (shown["price_e8s"], shown["treasury_e8s"], shown["revenue_e8s"], shown["paid_calls"]) == (
        "7",
        "15",
        "200",
        2,
    )
    assert shown["calls"][0]["payer"] == str(payer.principal)
    assert [part["amount_e8s"] for part in shown["calls"][0]["parts"]] == ["54", "27", "9"]
    proposal = api.get(f"models/{model.canister}/proposals/2").json()
    assert (proposal["kind"], proposal["critical"], proposal["state"]) == ("treasury_transfer", True, "executed")
    assert proposal["payload"] == {"to": str(TREASURY["TreasuryTransfer"]["to"]), "amount_e8s": "5"}


def test_an_upgrade_is_told_step_by_step(api: Any, model: CooperativeLog) -> None:
    model.submit(1, {"Upgrade": {"module_hash": HASH}}, critical=True)
    model.adopt(1)
    model.append("upgrade_asked", proposal_id=1, module_hash=HASH)
    model.append("proposal_executed", proposal_id=1)

    shown = api.get(f"models/{model.canister}/proposals/1").json()
    assert (shown["kind"], shown["payload"], shown["manifest_hash"]) == ("upgrade", {"module_hash": HASH.hex()}, None)


def test_shares_change_hands_and_an_empty_hand_is_no_owner(api: Any, model: CooperativeLog) -> None:
    seller, newcomer = model.holders[2][0], person()

    model.append("shares_transferred", **{"from": seller.principal, "to": newcomer.principal, "amount": 1_000})

    owners = {h["owner"]: h["shares"] for h in api.get(f"models/{model.canister}").json()["holders"]}
    assert str(seller.principal) not in owners
    assert owners[str(newcomer.principal)] == 1_000
    assert [m["canister"] for m in api.get("models", owner=str(newcomer.principal)).json()["results"]] == [
        str(model.canister)
    ]
    assert api.get("models", owner=str(seller.principal)).json()["count"] == 0


def test_the_card_of_the_live_release_describes_the_model(api: Any, blocks: Blocks, no_chain: Any) -> None:
    made = CooperativeLog(blocks, [(person(), 10_000)])
    made.found()
    card = blobs.blob_keep(b'{"title":"Tumours"}')
    made.submit(1, {"Release": manifest(card_hash=bytes.fromhex(card))})
    made.adopt()
    made.go_live()

    shown = api.get(f"models/{made.canister}").json()

    assert shown["card"] == {"title": "Tumours"}
    assert shown["interface"] is None


def test_models_are_listed_newest_first_at_one_price(
    api: Any, blocks: Blocks, no_chain: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        CooperativeLog(blocks, [(person(), 10_000)], number=50 + 2 * number, job_id=number + 1).found()

    with django_assert_max_num_queries(3):
        found = api.get("models").json()

    assert [model["job_id"] for model in found["results"]] == [5, 4, 3, 2, 1]
    assert api.get("models", job_id=3).json()["count"] == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("models/nobody", 400),
        ("models/aaaaa-aa", 404),
        ("models/aaaaa-aa/proposals", 404),
        ("models/aaaaa-aa/proposals/1", 404),
        ("models?owner=x", 400),
        ("models?job_id=one", 400),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_clearly(api: Any, path: str, status: int) -> None:
    answer = api.get(path)

    assert answer.status_code == status
    assert answer.json()["error"]["message"]
