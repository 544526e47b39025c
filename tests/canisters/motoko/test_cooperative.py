"""A cooperative is its holders': votes count shares once, parameters have bounds, the treasury pays once."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import ChainAgent
from tests.canisters.motoko.world import CWT, FEE, HOUR, MINUTE, Model, World, err, ok, together

pytestmark = pytest.mark.slow  # what attackers try is quick: test_attackers.py

SHARES = {"first": 2_667, "second": 5_333, "builder": 1_500, "worker": 500}


@pytest.fixture
def model(world: World) -> Model:
    """Four holders, in the order of SHARES, and no release."""
    return world.model(manners=())


def parameters(world: World, **changes: Any) -> dict[str, Any]:
    return {"Parameters": world.parameters(**changes)}


def proposal(model: Model, proposal_id: int) -> dict[str, Any]:
    found: dict[str, Any] = model.as_(model.builder).proposal_get(proposal_id)
    return found


def state_of(model: Model, proposal_id: int) -> str:
    return next(iter(model.state(proposal_id)))


def give_shares(model: Model, who: ChainAgent, to: Any, amount: int, **changes: Any) -> dict[str, Any]:
    args = {
        "from_subaccount": None, "to": {"owner": to, "subaccount": None}, "amount": amount, "fee": None, "memo": None, "created_at_time": None,
    }  # fmt: skip
    answer: dict[str, Any] = model.as_(who).icrc1_transfer({**args, **changes})
    return answer


def test_its_shares_are_those_of_the_settled_job(world: World, model: Model) -> None:
    holders = {h["owner"]: h["shares"] for h in model.info()["holders"]}

    assert holders == dict(zip([h.principal for h in model.holders], SHARES.values(), strict=True))
    assert model.as_(world.person()).icrc1_total_supply() == 10_000
    assert world.cooperatives(world.person()).cooperative_get({"job_id": model.entry["job_id"]}) == model.entry


def test_a_job_has_one_cooperative(world: World) -> None:
    owners = [world.person() for _ in range(3)]
    job_id = world.settled(world.rich(), {world.dataset(owner): 1 for owner in owners})
    args = {"job_id": job_id, "name": "The only one", "parameters": world.parameters()}

    answers = together(*[lambda o=o: world.cooperatives(o).cooperative_create(args) for o in owners])
    later = world.cooperatives(owners[0]).cooperative_create(args)

    assert sum("Ok" in a for a in answers) == 1
    assert {err(a)[0] for a in answers if "Err" in a} <= {"Busy", "AlreadyExists"}
    assert err(later)[0] == "AlreadyExists"


def test_the_chain_says_that_it_controls_itself_and_its_inference_canister(world: World, model: Model) -> None:
    stranger = world.person()

    assert stranger.controllers(model.canister) == [model.canister]
    assert stranger.controllers(model.entry["inference"]) == [model.canister]


# --- votes ---


def test_more_than_half_of_all_shares_decide_at_once(world: World, model: Model) -> None:
    proposal_id = model.propose(parameters(world, price_e8s=7))

    model.vote(proposal_id, True, model.owners[1])

    assert state_of(model, proposal_id) == "Executed"
    assert model.info()["parameters"]["price_e8s"] == 7


def test_half_of_all_shares_against_reject_at_once(world: World, model: Model) -> None:
    proposal_id = model.propose(parameters(world, price_e8s=7))

    model.vote(proposal_id, False, model.owners[1])

    assert state_of(model, proposal_id) == "Rejected"
    assert model.info()["parameters"]["price_e8s"] == 1_000_003


def test_three_percent_in_favour_are_enough_when_nobody_objects_until_the_deadline(world: World, model: Model) -> None:
    proposal_id = model.propose(parameters(world, price_e8s=7))
    model.vote(proposal_id, True, world.worker)

    early = state_of(model, proposal_id)
    world.advance(HOUR)

    assert (early, state_of(model, proposal_id)) == ("Voting", "Executed")


def test_a_vote_that_nobody_takes_part_in_fails(world: World, model: Model) -> None:
    proposal_id = model.propose(parameters(world, price_e8s=7))

    world.advance(HOUR)

    assert state_of(model, proposal_id) == "Rejected"


def test_the_deadline_decides_by_itself_without_anybodys_call(world: World, model: Model) -> None:
    proposal_id = model.propose(parameters(world, price_e8s=7))
    model.vote(proposal_id, True, world.worker)

    world.advance(HOUR)

    world.eventually(lambda: proposal(model, proposal_id)["state"], lambda state: state == {"Executed": None})


def test_who_turns_the_outcome_late_gives_the_others_time_to_answer(world: World, model: Model) -> None:
    proposal_id = model.propose(parameters(world, price_e8s=7))
    deadline = proposal(model, proposal_id)["deadline_ns"]
    world.advance(HOUR - MINUTE)

    model.vote(proposal_id, True, world.worker)
    extended = proposal(model, proposal_id)["deadline_ns"]
    world.advance(5 * MINUTE)
    model.vote(proposal_id, False, model.builder)
    again = proposal(model, proposal_id)["deadline_ns"]
    model.vote(proposal_id, False, model.owners[0])
    world.advance(10 * MINUTE)

    assert deadline < extended < again
    assert proposal(model, proposal_id)["deadline_ns"] == again
    assert state_of(model, proposal_id) == "Rejected"


def test_a_critical_decision_needs_two_thirds_of_what_is_cast(world: World, model: Model) -> None:
    transfer = {"TreasuryTransfer": {"to": world.person().principal, "amount_e8s": 1}}
    contested, agreed, few = model.propose(transfer), model.propose(transfer), model.propose(transfer)

    model.vote(contested, True, model.owners[1])  # 53 %
    model.vote(contested, False, model.owners[0])  # 27 %: 66.66 % of the cast are in favour
    model.vote(agreed, True, model.owners[0])  # 27 %
    model.vote(few, True, model.builder)  # 15 %
    open_still = [state_of(model, p) for p in (contested, agreed, few)]
    world.advance(HOUR)

    assert open_still == ["Voting"] * 3
    assert state_of(model, contested) == "Rejected"
    assert state_of(model, few) == "Rejected"
    assert state_of(model, agreed) == "Failed"  # adopted; and the treasury is empty
    assert proposal(model, agreed)["critical"]


def test_shares_that_change_hands_during_a_vote_count_once_where_they_were(world: World, model: Model) -> None:
    buyer, seller = world.person(), model.owners[1]
    proposal_id = model.propose(parameters(world, price_e8s=7))

    ok(give_shares(model, seller, buyer.principal, 5_333))
    bought = model.as_(buyer).proposal_vote({"proposal_id": proposal_id, "yes": False})
    ok(model.as_(seller).proposal_vote({"proposal_id": proposal_id, "yes": True}))
    next_one = model.propose(parameters(world, price_e8s=8))
    sold = model.as_(seller).proposal_vote({"proposal_id": next_one, "yes": False})

    assert err(bought)[0] == err(sold)[0] == "NoShares"
    assert proposal(model, proposal_id)["yes"] == 5_333
    assert {b["owner"]: b["shares"] for b in proposal(model, next_one)["ballots"]}[buyer.principal] == 5_333


def test_votes_cast_at_once_by_one_holder_count_once(world: World, model: Model) -> None:
    proposal_id = model.propose(parameters(world))

    ballot = {"proposal_id": proposal_id, "yes": True}
    answers = together(*[lambda: model.as_(world.again(world.worker)).proposal_vote(ballot)] * 4)

    assert sum("Ok" in a for a in answers) == 1
    assert proposal(model, proposal_id)["yes"] == 500


def test_one_holder_cannot_keep_the_others_from_proposing(world: World, model: Model) -> None:
    for _ in range(5):
        model.propose(parameters(world), world.worker)
    args = {"title": "One more", "summary": "", "kind": parameters(world)}

    refused = model.as_(world.worker).proposal_submit(args)

    assert err(refused)[0] == "Closed"
    ok(model.as_(model.builder).proposal_submit(args))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price_e8s", 10**12 + 1),
        ("treasury_bps", 2_001),
        ("voting_period_ns", MINUTE - 1),
        ("voting_period_ns", 31 * 24 * HOUR),
        ("quiet_period_ns", HOUR + 1),
    ],
)
def test_no_vote_and_no_founder_can_leave_the_bounds(world: World, model: Model, field: str, value: int) -> None:
    beyond = world.parameters(**{field: value})
    owner = world.person()
    job_id = world.settled(world.rich(), {world.dataset(owner): 1})

    voted = model.as_(model.builder).proposal_submit({"title": "More", "summary": "", "kind": {"Parameters": beyond}})
    founded = world.cooperatives(owner).cooperative_create({"job_id": job_id, "name": "More", "parameters": beyond})

    assert field in err(voted)[1]
    assert field in err(founded)[1]


# --- shares ---


def test_shares_are_transferred_without_loss_and_no_more_than_are_held(world: World, model: Model) -> None:
    receiver = world.person().principal

    ok(give_shares(model, world.worker, receiver, 200))
    too_many = give_shares(model, world.worker, receiver, 301)

    assert "you hold 300 shares" in err(too_many)[1]
    assert model.as_(model.builder).icrc1_balance_of({"owner": receiver, "subaccount": None}) == 200
    assert sum(h["shares"] for h in model.info()["holders"]) == 10_000


@pytest.mark.parametrize(
    "changes",
    [{"amount": 0}, {"fee": 1}, {"memo": b"for you"}, {"created_at_time": 1}, {"from_subaccount": bytes(32)}],
)
def test_a_transfer_of_shares_that_would_not_do_what_it_says_is_refused(
    world: World, model: Model, changes: dict[str, Any]
) -> None:
    assert err(give_shares(model, model.builder, world.person().principal, **{"amount": 1, **changes}))[0] == "Invalid"
    assert err(give_shares(model, model.builder, model.canister, 1))[0] == "Invalid"
    assert err(give_shares(model, model.builder, model.builder.principal, 1))[0] == "Invalid"


# --- money ---


def test_the_treasury_pays_once_what_was_voted_and_no_more_than_it_holds(world: World) -> None:
    model = world.model(price_e8s=CWT, treasury_bps=2_000)
    model.release()
    assert next(iter(ok(model.ask(model.payer(1)))["outputs"]))["name"] == "features"
    shop = world.person()

    paid = model.adopt({"TreasuryTransfer": {"to": shop.principal, "amount_e8s": CWT // 10}})
    together(*[lambda: model.as_(world.person()).proposal_execute(paid)] * 3)
    too_much = model.adopt({"TreasuryTransfer": {"to": shop.principal, "amount_e8s": CWT}})

    assert state_of(model, paid) == "Executed"
    assert "the treasury holds" in model.state(too_much)["Failed"]
    assert world.balance(shop.principal) == CWT // 10 - FEE
    assert model.info()["treasury_e8s"] == CWT // 5 - CWT // 10
    owed = sum(model.as_(h).claimable(h.principal) for h in model.holders)
    assert owed + model.info()["treasury_e8s"] == world.balance(model.canister)
