"""The eight promises on the running marketplace: what each gives, and beside it somebody who tries to break it and is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from canisters.client import CallRejected, CertificateRefused, KeyIdentity, Receipt
from canisters.client.management import Management
from canisters.interface.principal import Principal
from marketplace.client import Market, MarketRefused, Person
from marketplace.client.person import ChainSaidNo, Prepared, prepare
from marketplace.client.profile import card
from training import values_from_transcript

pytestmark = pytest.mark.story

TABLE = b"age,outcome\n31,1\n44,0\n52,1\n"


class World:
    """The story's people, each with their key, and the operator's and the worker's keys for those who would abuse them."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.story = stack.story
        self.root_key = bytes.fromhex(self.story["network"]["root_key"])
        self.model = Principal.from_text(self.story["cooperative"]["canister"])
        self.inference = Principal.from_text(self.story["inference"]["canister"])
        self.job = int(self.story["job"]["id"])
        self.market = Market(stack.url)
        self.people: list[Person] = []

    def person(self, name: str) -> Person:
        return self.holding(KeyIdentity.load(self.stack.state / "story" / "breast-cancer" / "keys" / f"{name}.pem"))

    def stranger(self) -> Person:
        return self.holding(KeyIdentity())

    def operator(self) -> Person:
        return self.holding(KeyIdentity.load(self.stack.state / "deployer.pem"))

    def worker(self) -> Person:
        return self.holding(KeyIdentity.load(self.stack.state / "worker" / "identity.pem"))

    def holding(self, identity: KeyIdentity) -> Person:
        self.people.append(Person(self.market, identity, self.root_key))
        return self.people[-1]

    def close(self) -> None:
        for person in self.people:
            person.close()
        self.market.close()

    def dataset_of(self, name: str) -> int:
        return int(next(c["dataset_id"] for c in self.story["contributors"] if c["name"] == name))

    def fresh_dataset(self) -> tuple[Person, int, Prepared]:
        """Somebody new with a dataset and no policy."""
        owner = self.stranger()
        owner.sign_in()
        public = card(title="Three rows", description="", task="classification", target="outcome", collected="", license="", contact="")
        prepared = prepare(TABLE, title="Three rows", card=public)
        return owner, owner.dataset_register(prepared), prepared


@pytest.fixture(scope="module")
def world(stack: Any) -> Iterator[World]:
    world = World(stack)
    yield world
    world.close()


def allowing(worker: Principal, decision: str = "AutoApprove") -> Any:
    return {
        "audience": {"Anyone": None},
        "purposes": {"Any": None},
        "code": {"Any": None},
        "compute": {"Central": None},
        "price_e8s": 0,
        "decision": {decision: None},
        "workers": [worker],
    }


# --- 1. Yours ---


def test_an_owner_sets_and_replaces_the_policy(world: World) -> None:
    owner, dataset_id, _ = world.fresh_dataset()

    versions = [owner.policy_set(dataset_id, allowing(world.worker().principal, d)) for d in ("Ask", "Deny")]

    assert versions == [1, 2]
    assert owner.registry.dataset_get(dataset_id, certified=True)["policy"]["terms"]["decision"] == {"Deny": None}


@pytest.mark.parametrize("who", ["operator", "worker", "stranger"])
def test_nobody_else_changes_a_dataset(world: World, who: str) -> None:
    attacker, dataset_id = getattr(world, who)(), world.dataset_of("north")
    before = attacker.registry.dataset_get(dataset_id, certified=True)

    with pytest.raises(ChainSaidNo, match="NotOwner"):
        attacker.policy_set(dataset_id, allowing(attacker.principal))
    refused = [
        attacker.registry.dataset_withdraw(dataset_id),
        attacker.registry.dataset_add_version({"dataset_id": dataset_id, "version": before["versions"][0]["args"]}),
    ]

    assert all("NotOwner" in answer["Err"] for answer in refused)
    assert attacker.registry.dataset_get(dataset_id, certified=True) == before


def test_the_operators_server_leaves_no_key_for_anothers_dataset(world: World) -> None:
    operator = world.operator()
    operator.sign_in()

    with pytest.raises(MarketRefused) as refused:
        operator.market.key_put(world.dataset_of("north"), 1, str(world.worker().principal), b"\0" * 113)

    assert refused.value.status == 403


# --- 2. Default deny ---


def test_without_a_policy_nothing_is_allowed(world: World) -> None:
    _, dataset_id, _ = world.fresh_dataset()
    builder = world.person("builder")

    job = builder.market.acting_with(builder_token(world)).job_propose(proposal(world, dataset_id, "no policy"))

    assert job["state"] == "denied"
    assert "no policy" in job["reason"]


def test_a_worker_cannot_claim_what_is_denied_or_not_funded(world: World) -> None:
    worker = world.worker()

    answer = worker.jobs.job_claim(world.story["denied_job"]["id"])

    assert "WrongState" in answer["Err"]


def test_ciphertext_is_nobodys_to_fetch_but_the_workers(world: World) -> None:
    _, _, prepared = world.fresh_dataset()
    chunk = prepared.sealed.manifest.chunks[0].sha256.hex()

    answer = httpx.get(f"{world.stack.api}blobs/{chunk}", trust_env=False)

    assert answer.status_code == 404


# --- 3. Attributed ---


def test_the_attribution_is_recomputed_from_the_record(world: World) -> None:
    job = world.stranger().jobs.job_get(world.job, certified=True)
    transcript = next(a for a in job["result"]["artifacts"] if a["name"] == "transcript.json")
    recorded = world.market.blob(transcript["sha256"].hex())

    recomputed = {a.dataset_id: round(a.value * 1e6) for a in values_from_transcript(recorded)}
    assert recomputed == {a["dataset_id"]: a["value_ppm"] for a in job["result"]["attribution"]}


@pytest.mark.parametrize("who", ["worker", "operator", "stranger"])
def test_a_result_cannot_be_submitted_again_or_by_another(world: World, who: str) -> None:
    attacker = getattr(world, who)()
    before = attacker.jobs.job_get(world.job, certified=True)

    answer = attacker.jobs.job_submit({"job_id": world.job, "result": before["result"]})

    assert next(iter(answer["Err"])) == ("WrongState" if who == "worker" else "NotWorker")
    assert attacker.jobs.job_get(world.job, certified=True) == before


# --- 4. Jointly owned ---


def test_the_inference_canister_has_the_cooperative_and_nobody_else_as_controller(world: World) -> None:
    agent = world.stranger().agent

    assert agent.controllers(world.inference) == [world.model]
    assert agent.controllers(world.model) == [world.model]


@pytest.mark.parametrize("who", ["operator", "worker", "founder"])
def test_no_key_installs_code_in_the_inference_canister(world: World, who: str) -> None:
    attacker = world.person("north") if who == "founder" else getattr(world, who)()
    before = attacker.agent.module_hash(world.inference)

    with pytest.raises(CallRejected, match=r"(?i)controller"):
        Management(attacker.agent).install(world.inference, b"\0asm\1\0\0\0", b"", mode="reinstall")

    assert attacker.agent.module_hash(world.inference) == before


# --- 5. By vote ---


def test_the_live_release_is_the_one_adopted(world: World) -> None:
    cooperative = world.stranger().cooperative(world.model)
    live = cooperative.info(certified=True)["live"]
    proposal = cooperative.proposal_get(live["proposal_id"], certified=True)

    assert proposal["yes"] * 2 > proposal["total"]
    assert live["manifest_hash"] == proposal["manifest_hash"]


def test_votes_are_one_a_holder_and_strangers_have_none(world: World) -> None:
    north, stranger = world.person("north"), world.stranger()
    before = north.cooperative(world.model).info(certified=True)["parameters"]
    kind = {"Parameters": {**before, "price_e8s": before["price_e8s"] * 10}}
    answer = north.cooperative(world.model).proposal_submit({"title": "Ten times the price", "summary": "", "kind": kind})
    number = answer["Ok"]["id"]
    north.vote(world.model, number, yes=True)

    with pytest.raises(ChainSaidNo, match="AlreadyVoted"):
        north.vote(world.model, number, yes=True)
    with pytest.raises(ChainSaidNo, match="NoShares"):
        stranger.vote(world.model, number, yes=True)
    with pytest.raises(ChainSaidNo, match="NoShares"):
        stranger.release_propose(world.model, world.market.job_release(world.job), title="Mine", summary="")

    for name in ("lake", "builder"):
        world.person(name).vote(world.model, number, yes=False)
    assert north.cooperative(world.model).info(certified=True)["parameters"] == before


def test_only_chunks_that_the_manifest_names_are_taken(world: World) -> None:
    north, stranger = world.person("north"), world.stranger()
    release = north.release_propose(world.model, north.market.job_release(world.job), title="Once more", summary="")
    number, cooperative = release["id"], stranger.cooperative(world.model)

    unnamed = cooperative.chunk_upload({"proposal_id": number, "part": {"Weights": None}, "index": 99, "data": b"x"})
    other = cooperative.chunk_upload(
        {"proposal_id": number, "part": {"Wasm": None}, "index": 0, "data": b"x" * release["kind"]["Release"]["wasm_chunks"][0]["size_bytes"]}
    )

    assert "UnknownChunk" in unnamed["Err"]
    assert "WrongHash" in other["Err"]
    for name in ("north", "lake", "builder"):
        if "Voting" in cooperative.proposal_get(number, certified=True)["state"]:
            world.person(name).vote(world.model, number, yes=False)
    assert "Rejected" in cooperative.proposal_get(number, certified=True)["state"]


def test_a_release_that_no_job_recorded_cannot_be_proposed(world: World) -> None:
    north = world.person("north")
    release = north.market.job_release(world.job)
    release["manifest"]["title"] = "Something else"

    with pytest.raises(ChainSaidNo, match="Invalid"):
        north.release_propose(world.model, release, title="Something else", summary="")


# --- 6. Equal ---


def test_every_paid_answer_is_a_receipt_that_verifies_offline(world: World) -> None:
    receipts = sorted((world.stack.state / "story" / "breast-cancer" / "receipts").glob("*.cbor"))

    assert len(receipts) == world.story["payout"]["calls"]
    for path in receipts:
        assert Receipt.from_bytes(path.read_bytes()).verify(world.root_key) > 0


def test_an_altered_receipt_is_refused(world: World) -> None:
    path = next((world.stack.state / "story" / "breast-cancer" / "receipts").glob("*.cbor"))
    receipt = Receipt.from_bytes(path.read_bytes())

    with pytest.raises(CertificateRefused):
        Receipt(receipt.content, receipt.certificate, receipt.reply[:-1] + bytes([receipt.reply[-1] ^ 1])).verify(world.root_key)
    with pytest.raises(CertificateRefused):
        receipt.verify(world.root_key[:-1] + bytes([world.root_key[-1] ^ 1]))


# --- 7. Paid ---


def test_what_came_in_is_what_was_credited_and_claimed(world: World) -> None:
    info = world.stranger().cooperative(world.model).info(certified=True)
    paid = sum(part["amount_e8s"] for part in world.story["payout"]["parts"])

    assert paid + world.story["payout"]["treasury_e8s"] == world.story["payout"]["total_e8s"] == info["revenue_e8s"]


def test_nothing_is_claimed_twice_and_nobody_spends_what_they_have_not(world: World) -> None:
    lake, stranger = world.person("lake"), world.stranger()
    before = lake.balance_e8s()

    again = lake.cooperative(world.model).revenue_claim()
    job_again = lake.jobs.payout_claim(world.job)
    too_much = lake.ledger.icrc1_transfer({"to": {"owner": stranger.principal}, "amount": before + 1})
    anothers = stranger.ledger.icrc2_transfer_from({"from": {"owner": lake.principal}, "to": {"owner": stranger.principal}, "amount": 1})

    assert "NotFound" in again["Err"]
    assert "NotFound" in job_again["Err"]
    assert "InsufficientFunds" in too_much["Err"]
    assert "InsufficientAllowance" in anothers["Err"]
    assert lake.balance_e8s() == before


# --- 8. Verifiable ---


def test_the_offline_verifier_checks_it_with_the_root_key_alone(world: World, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.cbor"
    deployment = tmp_path / "deployment.json"
    given = json.loads((world.stack.state / "deployment.json").read_text())
    deployment.write_text(json.dumps({**given, "url": world.stack.environment["IC_URL"]}))
    command = [sys.executable, "-m", "canisters.client"]
    subprocess.run([*command, "collect", "--deployment", str(deployment), "--out", str(bundle)], check=True, capture_output=True)

    right = subprocess.run([*command, "verify", "--root-key", world.root_key.hex(), str(bundle)], capture_output=True, text=True, check=False)
    wrong_key = (world.root_key[:-1] + bytes([world.root_key[-1] ^ 1])).hex()
    wrong = subprocess.run([*command, "verify", "--root-key", wrong_key, str(bundle)], capture_output=True, text=True, check=False)

    assert right.returncode == 0, right.stdout + right.stderr
    assert wrong.returncode != 0
    assert "Traceback" not in wrong.stderr


def test_a_delegation_works_on_its_canisters_only(world: World) -> None:
    token = builder_token(world)
    builder = world.person("builder")
    market = builder.market.acting_with(token)

    assert market.me()["principal"] == str(builder.principal)
    with pytest.raises(MarketRefused) as refused:
        market.token_request("another", ["jobs"])
    assert refused.value.status in (401, 403)


def builder_token(world: World) -> str:
    kept = json.loads((world.stack.state / "story" / "breast-cancer" / "kept.json").read_text())
    return str(kept["token"])


def proposal(world: World, dataset_id: int, title: str) -> dict[str, Any]:
    market = world.person("builder").market.acting_with(builder_token(world))
    job = market.job(world.job)
    return {
        "title": title,
        "purpose": job["purpose"],
        "recipe": job["recipe"],
        "config": job["config"],
        "datasets": [{"dataset_id": dataset_id, "version": 1}],
        "worker_fee_e8s": "0",
        "budget_e8s": "100000000",
    }

