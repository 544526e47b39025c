"""Upgrades in the middle of the story: all state and the log stay, and the certified tip holds at once afterwards."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canisters.client import CallRejected
from canisters.client.contracts import service
from canisters.client.management import Management
from canisters.interface.candid import encode
from tests.canisters.motoko.world import CWT, DAY, FEE, Model, World, btypes, err, ok, proven_log

pytestmark = pytest.mark.slow


def upgraded(world: World, name: str, *reads: Callable[[], Any]) -> None:
    """The canister says the same before and after, and its log ends in the same certified tip."""
    log = getattr(world, name)(world.person())
    before = [read() for read in reads], proven_log(log)

    world.upgrade(name)

    assert ([read() for read in reads], proven_log(log)) == before


def test_the_story_goes_on_over_an_upgrade_of_each_canister(world: World) -> None:
    owner, builder = world.person(), world.rich()
    dataset_id = world.dataset(owner, max_uses=1)
    upgraded(world, "registry", lambda: world.registry(owner).dataset_get(dataset_id))

    job_id = world.proposed(builder, [dataset_id])
    world.allow(builder, world.ids["jobs"], 10 * CWT + FEE)
    grant = {
        "account": {"owner": builder.principal, "subaccount": None},
        "spender": {"owner": world.ids["jobs"], "subaccount": None},
    }
    upgraded(
        world, "ledger", lambda: world.balance(builder.principal), lambda: world.ledger(builder).icrc2_allowance(grant)
    )
    ok(world.jobs(builder).job_fund(job_id))
    ok(world.jobs(world.worker).job_claim(job_id))
    upgraded(world, "jobs", lambda: world.job(job_id), lambda: world.jobs(builder).workers_list())

    ok(world.jobs(world.worker).job_start(job_id))
    ok(world.jobs(world.worker).job_submit({"job_id": job_id, "result": world.result({dataset_id: 3})}))
    upgraded(world, "registry", lambda: world.registry(owner).dataset_get(dataset_id)["uses"])
    upgraded(world, "jobs", lambda: world.job(job_id))
    ok(world.jobs(owner).job_settle(job_id))
    upgraded(world, "ledger", lambda: world.escrow(job_id))

    assert ok(world.jobs(owner).payout_claim(job_id))["amount_e8s"] == CWT - FEE
    created = {"job_id": job_id, "name": "Still here", "parameters": world.parameters()}
    entry = ok(world.cooperatives(owner).cooperative_create(created))
    upgraded(world, "cooperatives", lambda: world.cooperatives(owner).cooperative_get({"job_id": job_id}))
    assert err(world.cooperatives(owner).cooperative_create(created))[0] == "AlreadyExists"
    assert world.cooperative(owner, entry["canister"]).info()["name"] == "Still here"


def test_what_was_sent_once_is_not_sent_again_after_an_upgrade_of_the_ledger(world: World) -> None:
    sender, receiver = world.rich(), world.person()
    args = {
        "from_subaccount": None, "to": {"owner": receiver.principal, "subaccount": None}, "amount": CWT, "fee": None, "memo": None,
        "created_at_time": world.time_ns,
    }  # fmt: skip
    block = ok(world.ledger(sender).icrc1_transfer(args))

    world.upgrade("ledger")

    assert err(world.ledger(sender).icrc1_transfer(args)) == ("Duplicate", {"duplicate_of": block})


def test_the_init_arguments_of_an_upgrade_change_nothing(world: World) -> None:
    """Who controls the canister can upgrade it, but not by the way name another jobs canister."""
    forged = encode(service("registry").init, [{"jobs": world.operator.principal}])
    management = Management(world.operator)

    management.install(world.ids["registry"], world.modules("registry"), forged, mode="upgrade", keep_heap=True)

    take = {"job_id": 10**6, "uses": []}
    assert "only the jobs canister" in world.registry(world.operator).uses_take(take)["Err"]["reason"]


# --- a cooperative, whose owners alone can upgrade it ---


@pytest.fixture(scope="session")
def next_modules(repository: Path) -> Path:
    """cooperative.wasm and cooperatives.wasm of a source with one more method; compiled anew only when the sources change."""
    sources = sorted((repository / "canisters/motoko").rglob("*.m[oj]*"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    out = repository / "build" / "tests" / f"next-{digest}"
    if not out.exists():
        folder = out.parent / f"next-{digest}.source"
        shutil.copytree(repository / "canisters/motoko", folder / "canisters/motoko", dirs_exist_ok=True)
        main = folder / "canisters/motoko/cooperative/main.mo"
        method = "  public query func release_count() : async Nat { if (state.live == null) 0 else 1 };\n\n  // --- questions ---\n"
        main.write_text(main.read_text().replace("  // --- questions ---\n", method))
        draft = out.parent / f"next-{digest}.draft"
        for name in ("cooperative", "cooperatives"):
            command = ["node", str(folder / "canisters/motoko/build.mjs"), "--out", str(draft), "--only", name]
            subprocess.run(command, cwd=repository, check=True)
        shutil.rmtree(folder)
        draft.replace(out)
    return out


def give_next_factory(world: World, modules: Path) -> None:
    argument = world.init_argument("cooperatives")
    wasm = (modules / "cooperatives.wasm").read_bytes()
    Management(world.operator).install(world.ids["cooperatives"], wasm, argument, mode="upgrade", keep_heap=True)


def state_in_time(model: Model, proposal_id: int) -> dict[str, Any]:
    """Once the factory's timer, the stop, the upgrade, the start and the cooperative's own look at itself are through."""

    def look() -> dict[str, Any]:
        state: dict[str, Any] = model.as_(model.builder).proposal_get(proposal_id)["state"]
        return state

    return model.world.eventually(look, lambda state: next(iter(state)) not in ("Voting", "Adopted", "Installing"))


def test_a_cooperative_is_upgraded_by_its_owners_vote_and_goes_on(world: World, next_modules: Path) -> None:
    model = world.model(manners=("echo", "echo"), price_e8s=CWT)
    model.release(0)
    payer = model.payer()
    ok(model.ask(payer))
    open_vote = model.propose({"Parameters": world.parameters(price_e8s=5)})
    model.vote(open_vote, True, world.worker)
    wanted = hashlib.sha256((next_modules / "cooperative.wasm").read_bytes()).digest()
    info, claimable = model.info(), model.as_(model.builder).claimable(model.builder.principal)
    log = proven_log(model.as_(model.builder))

    try:
        give_next_factory(world, next_modules)
        assert world.cooperatives(model.builder).class_hash() == wanted
        proposal_id = model.propose({"Upgrade": {"module_hash": wanted}})
        model.vote(proposal_id, True, *model.owners)  # 80 %: it is stopped and upgraded as soon as that is cast
        state = state_in_time(model, proposal_id)
    finally:
        world.upgrade("cooperatives")

    assert state == {"Executed": None}
    assert model.builder.module_hash(model.canister) == wanted
    assert model.builder.controllers(model.canister) == [model.canister]
    assert {**model.info(), "proposals": 0} == {**info, "proposals": 0}
    assert model.as_(model.builder).claimable(model.builder.principal) == claimable
    after = proven_log(model.as_(model.builder))
    assert after[: len(log)] == log
    assert btypes(after)[-2:] == ["upgrade_asked", "proposal_executed"]
    # And it lives on: a vote begun before, an answer, a release, a claim.
    model.vote(open_vote, True, *model.owners)
    assert model.state(open_vote) == {"Executed": None}
    assert ok(model.ask(payer))["price_e8s"] == 5
    assert model.state(model.release(1)) == {"Live": None}
    assert ok(model.as_(model.builder).revenue_claim())["amount_e8s"] > 0


def test_a_module_that_is_not_the_one_voted_for_is_not_installed(world: World) -> None:
    model = world.model(manners=())
    before = model.builder.module_hash(model.canister)

    proposal_id = model.adopt({"Upgrade": {"module_hash": bytes(32)}})

    assert "another than the one voted for" in state_in_time(model, proposal_id)["Failed"]
    assert model.builder.module_hash(model.canister) == before
    assert model.builder.controllers(model.canister) == [model.canister]


def test_a_vote_for_an_upgrade_that_fails_changes_nothing(world: World) -> None:
    model = world.model(manners=())
    proposal_id = model.propose({"Upgrade": {"module_hash": world.cooperatives(model.builder).class_hash()}})

    model.vote(proposal_id, True, model.owners[1])
    model.vote(proposal_id, False, model.owners[0], model.builder)
    world.advance(DAY)

    assert model.state(proposal_id) == {"Rejected": None}


def test_the_factory_holds_the_cooperatives_module_byte_for_byte(world: World, repository: Path) -> None:
    cooperative = (repository / "build/canisters/cooperative.wasm").read_bytes()
    model = world.model(manners=())

    assert (
        world.cooperatives(model.builder).class_hash()
        == hashlib.sha256(cooperative).digest()
        == model.builder.module_hash(model.canister)
    )


@pytest.mark.parametrize("name", ["registry", "jobs", "ledger", "cooperatives"])
def test_an_upgrade_that_would_forget_the_state_is_refused_by_the_network(world: World, name: str) -> None:
    log = proven_log(getattr(world, name)(world.person()))

    with pytest.raises(CallRejected, match="wasm_memory_persistence"):
        Management(world.operator).install(
            world.ids[name], world.modules(name), world.init_argument(name), mode="upgrade"
        )

    assert proven_log(getattr(world, name)(world.person())) == log
