"""Who may not, cannot: every door tried by those it is not for. Each is refused in words, and nothing has changed afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import CallRejected, ChainAgent, anonymous
from canisters.client.management import Management
from tests.canisters.motoko.world import CWT, ENCRYPTION_KEY, FEE, Model, World, err, ok, sha

pytestmark = pytest.mark.slow


def height(world: World, name: str) -> int:
    length: int = getattr(world, name)(world.operator).icrc3_get_blocks([])["log_length"]
    return length


@pytest.fixture(scope="module")
def model(world: World) -> Model:
    return world.model(manners=())


# --- nobody in particular ---


def anonymous_calls(world: World, model: Model, who: ChainAgent) -> list[tuple[str, Any]]:
    """Every update that is somebody's own, well-formed, and asked by nobody."""
    account = {"owner": world.operator.principal, "subaccount": None}
    dated = {"fee": None, "memo": None, "created_at_time": None}
    spender = {
        "spender": account,
        "expected_allowance": None,
        "expires_at": None,
        "from_subaccount": None,
        "amount": 1,
        **dated,
    }
    registry, jobs, ledger, factory = world.registry(who), world.jobs(who), world.ledger(who), world.cooperatives(who)
    coop, job = model.as_(who), model.entry["job_id"]
    proposal = {"title": "x", "summary": "", "kind": {"Parameters": world.parameters()}}
    return [
        ("dataset_register", lambda: registry.dataset_register(world.register_args())),
        (
            "dataset_add_version",
            lambda: registry.dataset_add_version({"dataset_id": 1, "version": world.version_args()}),
        ),
        ("policy_set", lambda: registry.policy_set({"dataset_id": 1, "expected_version": 1, "terms": world.terms()})),
        ("dataset_withdraw", lambda: registry.dataset_withdraw(1)),
        ("dataset_restore", lambda: registry.dataset_restore(1)),
        ("worker_register", lambda: jobs.worker_register({"name": "nobody", "encryption_key": ENCRYPTION_KEY})),
        ("job_propose", lambda: jobs.job_propose(world.job_args([1]))),
        ("job_approve", lambda: jobs.job_approve({"job_id": job, "dataset_id": 1, "policy_version": 1, "workers": []})),
        ("job_deny", lambda: jobs.job_deny({"job_id": job, "dataset_id": 1, "reason": "x"})),
        ("job_revoke", lambda: jobs.job_revoke({"job_id": job, "dataset_id": 1, "reason": "x"})),
        ("job_fund", lambda: jobs.job_fund(job)),
        ("job_cancel", lambda: jobs.job_cancel(job)),
        ("job_expire", lambda: jobs.job_expire(job)),
        ("job_claim", lambda: jobs.job_claim(job)),
        ("job_renew", lambda: jobs.job_renew(job)),
        ("job_start", lambda: jobs.job_start(job)),
        ("job_submit", lambda: jobs.job_submit({"job_id": job, "result": world.result({})})),
        ("job_fail", lambda: jobs.job_fail({"job_id": job, "kind": "x", "reason": "x"})),
        ("job_settle", lambda: jobs.job_settle(job)),
        ("payout_claim", lambda: jobs.payout_claim(job)),
        (
            "icrc1_transfer",
            lambda: ledger.icrc1_transfer({"from_subaccount": None, "to": account, "amount": 1, **dated}),
        ),
        ("icrc2_approve", lambda: ledger.icrc2_approve(spender)),
        (
            "icrc2_transfer_from",
            lambda: ledger.icrc2_transfer_from(
                {"spender_subaccount": None, "from": account, "to": account, "amount": 1, **dated}
            ),
        ),
        ("faucet_claim", ledger.faucet_claim),
        (
            "cooperative_create",
            lambda: factory.cooperative_create({"job_id": job, "name": "x", "parameters": world.parameters()}),
        ),
        ("cooperative_upgrade", lambda: factory.cooperative_upgrade({"module_hash": factory.class_hash()})),
        ("proposal_submit", lambda: coop.proposal_submit(proposal)),
        ("proposal_vote", lambda: coop.proposal_vote({"proposal_id": 1, "yes": True})),
        ("infer", lambda: coop.infer({"inputs": [], "max_price_e8s": 10**12})),
        ("revenue_claim", coop.revenue_claim),
        ("shares", lambda: coop.icrc1_transfer({"from_subaccount": None, "to": account, "amount": 1, **dated})),
    ]


def test_without_signing_in_nothing_can_be_changed(world: World, model: Model) -> None:
    nobody = world.person(anonymous())
    names = ("registry", "jobs", "ledger", "cooperatives")
    before = [height(world, name) for name in names], model.as_(model.builder).icrc3_get_blocks([])["log_length"]

    answers = {name: call() for name, call in anonymous_calls(world, model, nobody)}

    assert [name for name, answer in answers.items() if "Err" not in answer] == []
    refusals = [
        str(next(iter(a["Err"].values())) if isinstance(a["Err"], dict) else a["Err"]) for a in answers.values()
    ]
    assert all("sign in" in text or "only a cooperative" in text for text in refusals), refusals
    after = [height(world, name) for name in names], model.as_(model.builder).icrc3_get_blocks([])["log_length"]
    assert after == before


# --- another's data ---


@pytest.mark.parametrize("who", ["a stranger", "the operator"])
def test_nobody_else_changes_a_dataset_or_its_policy(world: World, who: str) -> None:
    owner = world.person()
    attacker = world.operator if who == "the operator" else world.person()
    dataset_id = world.dataset(owner, decision={"Deny": None})
    before, log = world.registry(owner).dataset_get(dataset_id), height(world, "registry")
    registry = world.registry(attacker)

    answers = [
        registry.policy_set({"dataset_id": dataset_id, "expected_version": 1, "terms": world.terms()}),
        registry.dataset_add_version({"dataset_id": dataset_id, "version": world.version_args()}),
        registry.dataset_withdraw(dataset_id),
        registry.dataset_restore(dataset_id),
    ]

    assert [err(a) for a in answers] == [("NotOwner", {"owner": owner.principal})] * 4
    assert (world.registry(owner).dataset_get(dataset_id), height(world, "registry")) == (before, log)


def test_nobody_else_approves_denies_or_revokes(world: World) -> None:
    owner, builder = world.person(), world.person()
    asked, approved = world.dataset(owner, decision={"Ask": None}), world.dataset(owner)
    job_id = world.proposed(builder, [asked, approved])
    before = world.job(job_id)

    for attacker in (builder, world.worker, world.operator, world.person()):
        jobs = world.jobs(attacker)
        approve = {"job_id": job_id, "dataset_id": asked, "policy_version": 1, "workers": [world.worker.principal]}
        answers = [
            jobs.job_approve(approve),
            jobs.job_deny({"job_id": job_id, "dataset_id": asked, "reason": "x"}),
            jobs.job_revoke({"job_id": job_id, "dataset_id": approved, "reason": "x"}),
        ]
        assert [err(a) for a in answers] == [("NotOwner", {"owner": owner.principal})] * 3

    assert world.job(job_id) == before


def test_only_the_jobs_canister_takes_uses_and_asks_for_decisions(world: World) -> None:
    owner = world.person()
    dataset_id = world.dataset(owner)
    use = {"dataset_id": dataset_id, "version": 1, "policy_version": 1}

    for attacker in (owner, world.operator, world.worker):
        assert (
            "only the jobs canister"
            in world.registry(attacker).uses_take({"job_id": 10**9, "uses": [use]})["Err"]["reason"]
        )
        with pytest.raises(CallRejected, match="only the jobs canister"):
            world.registry(attacker).policy_decide([])

    assert world.registry(owner).dataset_get(dataset_id)["uses"] == 0


# --- another's job ---


def test_nobody_else_funds_or_cancels_a_job(world: World) -> None:
    builder, stranger = world.rich(), world.rich()
    job_id = world.funded(builder, [world.dataset(world.person())])
    approved = world.proposed(builder, [world.dataset(world.person())])

    assert err(world.jobs(stranger).job_cancel(job_id)) == ("NotBuilder", {"builder": builder.principal})
    assert err(world.jobs(stranger).job_fund(approved)) == ("NotBuilder", {"builder": builder.principal})
    assert world.escrow(job_id) == 10 * CWT


def test_an_unapproved_or_unfunded_job_cannot_be_claimed(world: World) -> None:
    builder = world.rich()
    unapproved = world.proposed(builder, [world.dataset(world.person(), decision={"Ask": None})])
    unfunded = world.proposed(builder, [world.dataset(world.person())])

    for job_id in (unapproved, unfunded):
        before = world.job(job_id)
        assert err(world.jobs(world.worker).job_claim(job_id))[0] == "WrongState"
        assert world.job(job_id) == before


def test_only_a_worker_that_every_owner_named_and_the_builder_did_not_exclude_can_claim(world: World) -> None:
    unnamed, stranger = world.person(), world.person()
    ok(world.jobs(unnamed).worker_register({"name": f"worker {world.number()}", "encryption_key": ENCRYPTION_KEY}))
    dataset_id = world.dataset(world.person())
    job_id = world.funded(world.rich(), [dataset_id])
    chosen = world.funded(world.rich(), [dataset_id], worker=unnamed.principal)

    assert "register as a worker" in err(world.jobs(stranger).job_claim(job_id))[1]
    assert "does not let this worker have the key" in err(world.jobs(unnamed).job_claim(job_id))[1]
    assert "chose another worker" in err(world.jobs(world.worker).job_claim(chosen))[1]
    assert world.job(job_id)["worker"] is None
    assert world.registry(stranger).dataset_get(dataset_id)["uses"] == 0


def test_a_worker_submits_only_for_a_job_it_has_claimed_and_once(world: World) -> None:
    other = world.person()
    ok(world.jobs(other).worker_register({"name": f"worker {world.number()}", "encryption_key": ENCRYPTION_KEY}))
    dataset_id = world.dataset(world.person())
    job_id = world.running(world.rich(), [dataset_id])
    given = {"job_id": job_id, "result": world.result({dataset_id: 1})}

    others = [
        world.jobs(other).job_submit(given),
        world.jobs(other).job_start(job_id),
        world.jobs(other).job_renew(job_id),
        world.jobs(other).job_fail({"job_id": job_id, "kind": "x", "reason": "x"}),
    ]
    ok(world.jobs(world.worker).job_submit(given))
    again = world.jobs(world.worker).job_submit({"job_id": job_id, "result": world.result({dataset_id: 999})})
    failed = world.jobs(world.worker).job_fail({"job_id": job_id, "kind": "x", "reason": "x"})

    assert [err(a)[0] for a in others] == ["NotWorker"] * 4
    assert err(again)[0] == err(failed)[0] == "WrongState"
    assert world.job(job_id)["result"]["attribution"][0]["value_ppm"] == 1


def test_a_result_whose_manifest_does_not_match_its_artifacts_is_refused(world: World) -> None:
    dataset_id = world.dataset(world.person())
    job_id = world.running(world.rich(), [dataset_id])
    honest = world.result({dataset_id: 1})
    swapped = [{**honest["artifacts"][0], "size_bytes": 13}]

    refused = world.jobs(world.worker).job_submit({"job_id": job_id, "result": {**honest, "artifacts": swapped}})

    assert err(refused) == ("Invalid", "manifest_hash: it is not the hash of these artifacts")
    assert world.job(job_id)["state"] == {"Running": None}
    assert world.job(job_id)["result"] is None


def test_nobody_claims_a_payout_that_is_anothers(world: World) -> None:
    owner = world.person()
    job_id = world.settled(world.rich(), {world.dataset(owner): 1})

    for attacker in (world.rich(), world.operator):
        assert err(world.jobs(attacker).payout_claim(job_id))[0] == "NotFound"

    assert world.escrow(job_id) == 10 * CWT
    assert err(world.jobs(owner).job_cancel(job_id))[0] == "NotBuilder"


# --- another's money ---


def test_nobody_draws_what_was_not_allowed_to_them(world: World) -> None:
    victim, thief = world.rich(), world.person()
    world.allow(victim, world.ids["jobs"], 100 * CWT)
    me = {"owner": thief.principal, "subaccount": None}
    args = {
        "spender_subaccount": None,
        "from": {"owner": victim.principal, "subaccount": None},
        "to": me,
        "amount": CWT,
    }
    dated = {"fee": None, "memo": None, "created_at_time": None}
    before = world.balance(victim.principal)

    refused = world.ledger(thief).icrc2_transfer_from({**args, **dated})

    assert err(refused) == ("InsufficientAllowance", {"allowance": 0})
    assert world.balance(victim.principal) == before


def test_more_than_the_balance_cannot_be_transferred(world: World) -> None:
    thief, receiver = world.rich(), world.person()
    args = {"from_subaccount": None, "to": {"owner": receiver.principal, "subaccount": None}, "amount": 10**15}

    refused = world.ledger(thief).icrc1_transfer({**args, "fee": None, "memo": None, "created_at_time": None})

    assert err(refused) == ("InsufficientFunds", {"balance": 1_000 * CWT})
    assert world.balance(receiver.principal) == 0


def test_only_the_minting_account_mints(world: World) -> None:
    thief = world.person()
    supply = world.ledger(thief).icrc1_total_supply()
    args = {"from_subaccount": None, "to": {"owner": thief.principal, "subaccount": None}, "amount": 1, "fee": None}

    assert (
        err(world.ledger(thief).icrc1_transfer({**args, "memo": None, "created_at_time": None}))[0]
        == "InsufficientFunds"
    )
    assert world.ledger(thief).icrc1_total_supply() == supply


# --- another's model ---


def test_only_who_holds_a_share_founds_the_cooperative_and_only_of_a_settled_job(world: World) -> None:
    owner, builder = world.person(), world.rich()
    running = world.running(builder, [world.dataset(owner)])
    job_id = world.settled(builder, {world.dataset(owner): 1})
    args = {"job_id": job_id, "name": "Mine", "parameters": world.parameters()}

    for attacker in (world.person(), world.operator):
        assert err(world.cooperatives(attacker).cooperative_create(args))[0] == "NotAllowed"
    assert "not settled" in err(world.cooperatives(owner).cooperative_create({**args, "job_id": running}))[1]
    assert world.cooperatives(owner).cooperative_get({"job_id": job_id}) is None


def test_nobody_without_shares_proposes_or_votes_and_nobody_votes_twice(world: World, model: Model) -> None:
    proposal_id = model.propose({"Parameters": world.parameters()}, model.owners[0])
    ballot = {"proposal_id": proposal_id, "yes": True}
    proposal = {"title": "x", "summary": "", "kind": {"Parameters": world.parameters()}}

    for attacker in (world.person(), world.operator):
        assert err(model.as_(attacker).proposal_vote(ballot)) == ("NoShares", None)
        assert err(model.as_(attacker).proposal_submit(proposal)) == ("NoShares", None)
    ok(model.as_(world.worker).proposal_vote(ballot))

    assert err(model.as_(world.worker).proposal_vote(ballot)) == ("AlreadyVoted", None)
    assert err(model.as_(world.worker).proposal_vote({**ballot, "yes": False})) == ("AlreadyVoted", None)
    assert model.as_(world.worker).proposal_get(proposal_id)["yes"] == 500


def test_nobody_transfers_shares_or_claims_revenue_that_is_anothers(world: World, model: Model) -> None:
    thief = world.person()
    args = {
        "from_subaccount": None,
        "to": {"owner": world.operator.principal, "subaccount": None},
        "amount": 1,
        "fee": None,
        "memo": None,
    }

    assert "you hold 0 shares" in err(model.as_(thief).icrc1_transfer({**args, "created_at_time": None}))[1]
    assert err(model.as_(thief).revenue_claim())[0] == "NotFound"


@pytest.mark.parametrize("who", ["the operator", "who founded it", "a stranger"])
@pytest.mark.parametrize("what", ["the inference canister", "the cooperative"])
def test_nobody_installs_code_or_changes_settings_in_what_is_the_owners(
    world: World, model: Model, who: str, what: str
) -> None:
    attacker = {"the operator": world.operator, "who founded it": model.owners[0]}.get(who) or world.person()
    target = model.entry["inference"] if what == "the inference canister" else model.canister
    before = attacker.module_hash(target), attacker.controllers(target)
    management = Management(attacker)

    attempts = [
        lambda: management.install(target, world.modules("ledger"), world.init_argument("ledger"), mode="reinstall"),
        lambda: management.install(
            target, world.modules("ledger"), world.init_argument("ledger"), mode="upgrade", keep_heap=True
        ),
        lambda: management.set_controllers(target, [attacker.principal]),
        lambda: management.uninstall(target),
        lambda: management.stop(target),
        lambda: management.delete(target),
    ]
    for attempt in attempts:
        with pytest.raises(CallRejected, match="(?i)controller"):
            attempt()

    assert (attacker.module_hash(target), attacker.controllers(target)) == before
    assert before[1] == [model.canister]


def test_nobody_but_a_cooperative_of_the_factory_asks_it_for_an_upgrade(world: World, model: Model) -> None:
    for attacker in (model.owners[0], world.operator):
        answer = world.cooperatives(attacker).cooperative_upgrade(
            {"module_hash": world.cooperatives(attacker).class_hash()}
        )
        assert answer == {"Err": "only a cooperative of this factory can ask"}


def test_a_chunk_that_the_manifest_does_not_name_is_refused(world: World) -> None:
    live = world.model()
    proposal_id = live.propose({"Release": live.releases[0][0]})
    size = live.releases[0][0]["weight_chunks"][0]["size_bytes"]

    def upload(index: int, data: bytes) -> dict[str, Any]:
        args = {"proposal_id": proposal_id, "part": {"Weights": None}, "index": index, "data": data}
        answer: dict[str, Any] = live.as_(world.operator).chunk_upload(args)
        return answer

    assert err(upload(0, bytes(size))) == (
        "WrongHash",
        {"expected": sha(live.releases[0][2][0]), "got": sha(bytes(size))},
    )
    assert err(upload(2, b"more")) == ("UnknownChunk", None)
    assert live.as_(world.operator).proposal_get(proposal_id)["weights_staged"] == []


def test_nobody_asks_the_inference_canister_past_the_cooperative(world: World) -> None:
    live = world.model()
    live.release()
    payer = live.payer(1)
    question = {"inputs": [world.tensor(1.0)]}

    for attacker in (world.operator, live.owners[0], payer):
        answer = world.inference(attacker, live.info()["inference"]).infer_blob(question)
        assert "cooperative" in answer["Err"]

    assert world.balance(payer.principal) == 1_000 * CWT - FEE
