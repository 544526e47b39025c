"""Jobs: nothing starts without every owner's consent and a full escrow; every exit gives the escrow out exactly."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canisters.client import ChainAgent
from tests.canisters.motoko.world import (
    CWT,
    DAY,
    ENCRYPTION_KEY,
    FEE,
    HOUR,
    MINUTE,
    World,
    err,
    ok,
    sha,
    split,
    together,
)

pytestmark = pytest.mark.slow


def state_of(world: World, job_id: int) -> str:
    return next(iter(world.job(job_id)["state"]))


def due(world: World, job_id: int) -> int:
    total: int = sum(p["amount_e8s"] for p in world.job(job_id)["payouts"])
    return total


# --- consent ---


def test_policies_that_approve_by_themselves_approve_at_once(world: World) -> None:
    datasets = [world.dataset(world.person()) for _ in range(2)]

    job_id = world.proposed(world.person(), datasets)

    assert state_of(world, job_id) == "Approved"


def test_a_job_that_names_a_denied_dataset_cannot_start(world: World) -> None:
    allowed, denied = world.dataset(world.person()), world.dataset(world.person(), decision={"Deny": None})
    builder = world.rich()

    job_id = world.proposed(builder, [allowed, denied])
    world.allow(builder, world.ids["jobs"], 100 * CWT)
    funding = world.jobs(builder).job_fund(job_id)
    claim = world.jobs(world.worker).job_claim(job_id)

    assert state_of(world, job_id) == "Denied"
    assert f"dataset {denied}" in world.job(job_id)["reason"]
    assert err(funding)[0] == "WrongState"
    assert err(claim)[0] == "WrongState"
    assert world.escrow(job_id) == 0


def test_a_job_waits_for_the_owner_who_wants_to_be_asked(world: World) -> None:
    owner = world.person()
    job_id = world.proposed(
        world.person(), [world.dataset(owner, decision={"Ask": None}), world.dataset(world.person())]
    )
    (dataset_id, policy) = (world.job(job_id)["args"]["datasets"][0]["dataset_id"], 1)
    waiting = [job["id"] for job in world.jobs(owner).requests_for(owner.principal)]
    answer = {"job_id": job_id, "dataset_id": dataset_id, "policy_version": policy, "workers": [world.worker.principal]}

    before = state_of(world, job_id)
    ok(world.jobs(owner).job_approve(answer))

    assert (before, state_of(world, job_id)) == ("Proposed", "Approved")
    assert waiting == [job_id]
    assert world.jobs(owner).requests_for(owner.principal) == []


def test_an_owner_who_denies_ends_the_job_with_the_reason(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner, decision={"Ask": None})
    job_id = world.proposed(world.person(), [dataset_id])

    ok(world.jobs(owner).job_deny({"job_id": job_id, "dataset_id": dataset_id, "reason": "not for this"}))

    assert state_of(world, job_id) == "Denied"
    assert "not for this" in world.job(job_id)["reason"]


def test_an_approval_names_the_policy_it_was_asked_under_and_registered_workers(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner, decision={"Ask": None})
    job_id = world.proposed(world.person(), [dataset_id])
    answer = {"job_id": job_id, "dataset_id": dataset_id, "policy_version": 1, "workers": [world.worker.principal]}

    other_policy = world.jobs(owner).job_approve({**answer, "policy_version": 2})
    no_worker = world.jobs(owner).job_approve({**answer, "workers": []})
    stranger = world.jobs(owner).job_approve({**answer, "workers": [world.person().principal]})

    assert "policy version 1" in err(other_policy)[1]
    assert "workers" in err(no_worker)[1]
    assert "not a registered worker" in err(stranger)[1]
    assert state_of(world, job_id) == "Proposed"


def test_an_approval_can_be_taken_back_until_the_job_is_claimed_and_the_escrow_goes_back(world: World) -> None:
    owner, builder = world.person(), world.rich()
    dataset_id = world.dataset(owner)
    job_id = world.funded(builder, [dataset_id])
    claimed = world.funded(builder, [dataset_id])
    ok(world.jobs(world.worker).job_claim(claimed))
    reason = {"dataset_id": dataset_id, "reason": "changed my mind"}

    ok(world.jobs(owner).job_revoke({"job_id": job_id, **reason}))
    late = world.jobs(owner).job_revoke({"job_id": claimed, **reason})

    assert state_of(world, job_id) == "Denied"
    assert [(p["kind"], p["amount_e8s"]) for p in world.job(job_id)["payouts"]] == [({"Refund": None}, 10 * CWT)]
    assert err(late)[0] == "WrongState"


def test_a_request_whose_time_is_over_is_no_longer_in_the_inbox(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner, decision={"Ask": None})
    job_id = world.proposed(world.person(), [dataset_id], approve_by_ns=world.time_ns + MINUTE)

    world.advance(MINUTE)
    answer = world.jobs(owner).job_approve(
        {"job_id": job_id, "dataset_id": dataset_id, "policy_version": 1, "workers": [world.worker.principal]}
    )

    assert world.jobs(owner).requests_for(owner.principal) == []
    assert "over" in err(answer)[1]


def test_a_policy_replaced_after_the_approval_stops_the_claim(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner)
    job_id = world.funded(world.rich(), [dataset_id])
    ok(
        world.registry(owner).policy_set(
            {"dataset_id": dataset_id, "expected_version": 1, "terms": world.terms(price_e8s=5 * CWT)}
        )
    )

    kind, says = err(world.jobs(world.worker).job_claim(job_id))

    assert kind == "Refused"
    assert "replaced by version 2" in says
    assert state_of(world, job_id) == "Funded"


def test_the_uses_that_a_policy_allows_are_counted_by_claims(world: World) -> None:
    dataset_id = world.dataset(world.person(), max_uses=1)
    builder = world.rich()
    first, second = world.funded(builder, [dataset_id]), world.funded(builder, [dataset_id])

    ok(world.jobs(world.worker).job_claim(first))
    refused = world.jobs(world.worker).job_claim(second)

    assert "no further use" in err(refused)[1]
    assert world.registry(builder).dataset_get(dataset_id)["uses"] == 1


# --- money ---


def test_a_job_proposed_twice_with_one_key_is_one_job(world: World) -> None:
    builder = world.person()
    args = world.job_args([world.dataset(world.person())])

    answers = together(*[lambda: world.jobs(world.again(builder)).job_propose(args)] * 4)

    assert len({ok(answer)["id"] for answer in answers}) == 1


def test_funding_moves_the_budget_into_the_escrow_of_the_job_once(world: World) -> None:
    builder = world.rich()
    job_id = world.proposed(builder, [world.dataset(world.person())])
    world.allow(builder, world.ids["jobs"], 50 * CWT)

    answers = together(*[lambda: world.jobs(world.again(builder)).job_fund(job_id)] * 4)

    assert sum("Ok" in answer for answer in answers) == 1
    assert {err(answer)[0] for answer in answers if "Err" in answer} <= {"Busy", "WrongState"}
    assert world.escrow(job_id) == world.job(job_id)["escrow_e8s"] == 10 * CWT


def test_funding_without_allowance_or_balance_says_what_is_missing(world: World) -> None:
    poor, rich = world.person(), world.rich()
    dataset_id = world.dataset(world.person())
    mine, theirs = world.proposed(poor, [dataset_id]), world.proposed(rich, [dataset_id], budget_e8s=2_000 * CWT)
    world.allow(rich, world.ids["jobs"], 3_000 * CWT)

    no_allowance = err(world.jobs(poor).job_fund(mine))
    no_balance = err(world.jobs(rich).job_fund(theirs))

    assert no_allowance[0] == no_balance[0] == "NotFunded"
    assert "approve the budget and the ledger's fee" in no_allowance[1]["reason"]
    assert "your balance is" in no_balance[1]["reason"]
    assert state_of(world, mine) == state_of(world, theirs) == "Approved"


def test_a_job_whose_time_to_be_funded_is_over_takes_no_money(world: World) -> None:
    builder = world.rich()
    job_id = world.proposed(builder, [world.dataset(world.person())], approve_by_ns=world.time_ns + MINUTE)
    world.allow(builder, world.ids["jobs"], 50 * CWT)

    world.advance(MINUTE)

    assert "over" in err(world.jobs(builder).job_fund(job_id))[1]
    assert world.escrow(job_id) == 0


@pytest.mark.parametrize("how", ["cancel", "expire funded", "expire running", "fail"])
def test_every_exit_gives_the_whole_escrow_back(world: World, how: str) -> None:
    builder = world.rich()
    before = world.balance(builder.principal)
    dataset_id = world.dataset(world.person())
    job_id = (world.running if how in ("expire running", "fail") else world.funded)(builder, [dataset_id])

    if how == "cancel":
        ok(world.jobs(builder).job_cancel(job_id))
    elif how == "fail":
        ok(world.jobs(world.worker).job_fail({"job_id": job_id, "kind": "data", "reason": "a column is missing"}))
    else:
        early = world.jobs(builder).job_expire(job_id)
        assert "not over" in err(early)[1]
        world.advance(DAY)
        ok(world.jobs(world.person()).job_expire(job_id))
    ok(world.jobs(builder).payout_claim(job_id))

    # Two fees to approve and fund, one to be paid back.
    assert world.balance(builder.principal) == before - 3 * FEE
    assert world.escrow(job_id) == world.job(job_id)["escrow_e8s"] == 0


def test_an_unfunded_job_that_ends_owes_nothing(world: World) -> None:
    builder = world.person()
    job_id = world.proposed(builder, [world.dataset(world.person())])

    ok(world.jobs(builder).job_cancel(job_id))

    assert world.job(job_id)["payouts"] == []
    assert err(world.jobs(builder).payout_claim(job_id))[0] == "NotFound"


def test_settlement_pays_prices_the_workers_fee_and_the_rest_back(world: World) -> None:
    owners = [world.person(), world.person()]
    datasets = [world.dataset(owners[0], price_e8s=2 * CWT), world.dataset(owners[1], price_e8s=3 * CWT)]
    builder, worker = world.rich(), world.worker
    job_id = world.settled(builder, {datasets[0]: 300, datasets[1]: 100})
    worker_before = world.balance(worker.principal)

    paid = [ok(world.jobs(who).payout_claim(job_id))["amount_e8s"] for who in (*owners, worker, builder)]

    assert paid == [2 * CWT - FEE, 3 * CWT - FEE, CWT - FEE, 4 * CWT - FEE]
    assert world.balance(worker.principal) == worker_before + CWT - FEE
    assert world.escrow(job_id) == world.job(job_id)["escrow_e8s"] == 0
    assert [s["share_bps"] for s in world.job(job_id)["shares"]] == [6_000, 2_000, 1_500, 500]


def test_who_is_owed_for_several_reasons_is_paid_once_for_all(world: World) -> None:
    owner = world.rich()
    datasets = [world.dataset(owner), world.dataset(owner)]
    job_id = world.settled(owner, dict.fromkeys(datasets, 1))

    answers = together(*[lambda: world.jobs(world.again(owner)).payout_claim(job_id)] * 4)

    assert [ok(a)["amount_e8s"] for a in answers if "Ok" in a] == [9 * CWT - FEE]
    assert {err(a)[0] for a in answers if "Err" in a} <= {"Busy", "NotFound"}
    assert world.escrow(job_id) == CWT
    assert len({p["claimed_block"] for p in world.job(job_id)["payouts"] if p["owner"] == owner.principal}) == 1


def test_a_payout_that_does_not_cover_the_ledgers_fee_stays_due(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner, price_e8s=FEE)
    job_id = world.settled(world.rich(), {dataset_id: 1})

    kind, says = err(world.jobs(owner).payout_claim(job_id))

    assert kind == "Invalid"
    assert "does not cover the ledger's fee" in says
    assert world.escrow(job_id) == 10 * CWT


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=9), bps=st.integers(1_000, 10_000))
def test_whatever_the_attribution_shares_and_payouts_sum_to_the_whole(
    world: World, values: list[int], bps: int
) -> None:
    owner, builder = world.person(), world.rich()
    datasets = [world.dataset(owner, price_e8s=1 + i * 777_777) for i in range(len(values))]
    builder_bps = (10_000 - bps) // 3
    terms = {
        "contributors_bps": bps,
        "builder_bps": builder_bps,
        "worker_bps": 10_000 - bps - builder_bps,
        "valuation": "shapley",
    }

    job_id = world.settled(builder, dict(zip(datasets, values, strict=True)), terms=terms, budget_e8s=10 * CWT + 7)

    job = world.job(job_id)
    contributed = [s["share_bps"] for s in job["shares"] if "Contributor" in s["role"]]
    assert sum(s["share_bps"] for s in job["shares"]) == 10_000
    assert sum(contributed) == bps
    assert sum(p["amount_e8s"] for p in job["payouts"]) == job["escrow_e8s"] == world.escrow(job_id)
    weights = [max(0, v) for v in values] if any(v > 0 for v in values) else [1] * len(values)
    assert contributed == split(bps, weights)


# --- work ---


def other_worker(world: World) -> ChainAgent:
    worker = world.person()
    ok(world.jobs(worker).worker_register({"name": f"worker {world.number()}", "encryption_key": ENCRYPTION_KEY}))
    return worker


def test_a_worker_that_was_restarted_goes_on_with_its_own_claim(world: World) -> None:
    job_id = world.running(world.rich(), [world.dataset(world.person())])
    world.advance(5 * MINUTE)

    again = ok(world.jobs(world.worker).job_claim(job_id))

    assert again["state"] == {"Running": None}
    assert again["lease_until_ns"] > world.time_ns + 9 * MINUTE


def test_another_worker_may_claim_only_when_the_lease_has_lapsed(world: World) -> None:
    second = other_worker(world)
    dataset_id = world.dataset(world.person(), workers=[world.worker.principal, second.principal], max_uses=1)
    job_id = world.running(world.rich(), [dataset_id])

    early = world.jobs(second).job_claim(job_id)
    world.advance(11 * MINUTE)
    late = ok(world.jobs(second).job_claim(job_id))
    former = world.jobs(world.worker).job_submit({"job_id": job_id, "result": world.result({dataset_id: 1})})

    assert err(early)[0] == "WrongState"
    assert (late["state"], late["worker"]) == ({"Claimed": None}, second.principal)
    assert err(former)[0] == "NotWorker"
    assert world.registry(second).dataset_get(dataset_id)["uses"] == 1


def test_a_job_is_not_claimed_anew_when_an_owner_has_withdrawn_meanwhile(world: World) -> None:
    second, owner = other_worker(world), world.person()
    dataset_id = world.dataset(owner, workers=[world.worker.principal, second.principal])
    job_id = world.running(world.rich(), [dataset_id])
    ok(world.registry(owner).dataset_withdraw(dataset_id))

    world.advance(11 * MINUTE)

    assert "withdrawn" in err(world.jobs(second).job_claim(job_id))[1]


def test_a_result_after_the_time_to_finish_is_refused(world: World) -> None:
    dataset_id = world.dataset(world.person())
    job_id = world.running(world.rich(), [dataset_id], finish_by_ns=world.time_ns + 2 * HOUR)

    world.advance(2 * HOUR)

    assert (
        "over"
        in err(world.jobs(world.worker).job_submit({"job_id": job_id, "result": world.result({dataset_id: 1})}))[1]
    )


def test_claim_and_cancel_and_revocation_at_once_end_in_one_of_them(world: World) -> None:
    owner, builder = world.person(), world.rich()
    dataset_id = world.dataset(owner)
    for _ in range(8):
        job_id = world.funded(builder, [dataset_id])
        reason = {"job_id": job_id, "dataset_id": dataset_id, "reason": "no"}

        together(
            partial(world.jobs(world.worker).job_claim, job_id),
            partial(world.jobs(builder).job_cancel, job_id),
            partial(world.jobs(owner).job_revoke, reason),
        )

        state = state_of(world, job_id)
        assert state in ("Claimed", "Cancelled", "Denied")
        assert world.escrow(job_id) == 10 * CWT
        assert due(world, job_id) == (0 if state == "Claimed" else 10 * CWT)


def test_two_workers_that_claim_at_once_do_not_both_get_the_job(world: World) -> None:
    second = other_worker(world)
    dataset_id = world.dataset(world.person(), workers=[world.worker.principal, second.principal], max_uses=5)
    for used in range(1, 6):
        job_id = world.funded(world.rich(), [dataset_id])

        answers = together(*[partial(world.jobs(w).job_claim, job_id) for w in (world.worker, second)])

        assert sum("Ok" in answer for answer in answers) == 1
        assert world.registry(second).dataset_get(dataset_id)["uses"] == used


# --- what cannot be ---


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key": bytes(15)}, "key"),
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"purpose": "x" * 61}, "purpose"),
        ({"code_hash": bytes(31)}, "code_hash"),
        ({"compute": {"Federated": None}}, "compute"),
        (
            {"terms": {"contributors_bps": 500, "builder_bps": 9_500, "worker_bps": 0, "valuation": "shapley"}},
            "contributors_bps",
        ),
        (
            {"terms": {"contributors_bps": 8_000, "builder_bps": 8_000, "worker_bps": 0, "valuation": "shapley"}},
            "sum to 10000",
        ),
        (
            {"terms": {"contributors_bps": 10_000, "builder_bps": 0, "worker_bps": 0, "valuation": "by eye"}},
            "valuation",
        ),
        ({"budget_e8s": 10**18 + 1}, "budget_e8s"),
        ({"budget_e8s": CWT // 2}, "budget_e8s"),
        ({"budget_e8s": CWT}, "the worker's fee and the prices come to"),
        ({"epsilon_micros": 10**40}, "epsilon_micros"),
        ({"approve_by_ns": 1}, "approve_by_ns"),
        ({"finish_by_ns": 2}, "finish_by_ns"),
        ({"finish_by_ns": 2**63}, "finish_by_ns"),
    ],
)
def test_a_proposal_that_cannot_work_is_refused_by_name(world: World, changes: dict[str, Any], says: str) -> None:
    args = world.job_args([world.dataset(world.person())], **changes)

    kind, reason = err(world.jobs(world.person()).job_propose(args))

    assert kind == "Invalid"
    assert says in reason


def test_datasets_that_do_not_exist_or_are_named_twice_are_refused(world: World) -> None:
    dataset_id, builder = world.dataset(world.person()), world.person()

    assert err(world.jobs(builder).job_propose(world.job_args([10**9])))[0] == "NotFound"
    assert "once" in err(world.jobs(builder).job_propose(world.job_args([dataset_id, dataset_id])))[1]
    assert "1 to 64" in err(world.jobs(builder).job_propose(world.job_args([])))[1]


def changed_results(world: World, dataset_id: int) -> list[tuple[str, dict[str, Any]]]:
    twice = {"name": "transcript.json", "sha256": sha("another"), "size_bytes": 1}
    return [
        ("not the hash of these artifacts", world.result({dataset_id: 1}, manifest_hash=sha("other artifacts"))),
        ("not among the artifacts", world.result({dataset_id: 1}, transcript_hash=sha("another run"))),
        ("is there twice", world.result({dataset_id: 1}, [twice])),
        ("one entry for each dataset", world.result({})),
        ("exactly one entry", world.result({dataset_id + 10**6: 1})),
        (
            "low <= value <= high",
            world.result(
                {dataset_id: 1}, attribution=[{"dataset_id": dataset_id, "value_ppm": 1, "low_ppm": 2, "high_ppm": 3}]
            ),
        ),
        ("out of range", world.result({dataset_id: 10**13})),
        ("utility", world.result({dataset_id: 1}, utility="x" * 61)),
        ("metrics", world.result({dataset_id: 1}, metrics=[{"name": "x", "value_ppm": 10**40}])),
    ]


def test_a_result_that_contradicts_itself_is_refused_and_the_job_goes_on(world: World) -> None:
    dataset_id = world.dataset(world.person())
    job_id = world.running(world.rich(), [dataset_id])

    for says, result in changed_results(world, dataset_id):
        kind, reason = err(world.jobs(world.worker).job_submit({"job_id": job_id, "result": result}))
        assert kind == "Invalid"
        assert says in reason

    assert state_of(world, job_id) == "Running"
    ok(world.jobs(world.worker).job_submit({"job_id": job_id, "result": world.result({dataset_id: 1})}))


def test_a_workers_key_cannot_change_since_owners_have_wrapped_for_it(world: World) -> None:
    worker = other_worker(world)
    other_key = b"\x04" + bytes(63) + b"\x01"

    changed = world.jobs(worker).worker_register({"name": "the same", "encryption_key": other_key})
    taken = world.jobs(world.person()).worker_register(
        {"name": world.jobs(worker).workers_list()[0]["name"], "encryption_key": other_key}
    )
    no_point = world.jobs(world.person()).worker_register({"name": "no point", "encryption_key": bytes(65)})

    assert "cannot change" in err(changed)[1]
    assert "another worker has it" in err(taken)[1]
    assert "65 bytes" in err(no_point)[1]
