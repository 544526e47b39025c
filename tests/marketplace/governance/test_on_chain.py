"""From a settled job to a model that earns, on the real chain: founded, proposed, uploaded by the worker, voted, installed, paid."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command

from canisters.client import KeyIdentity
from canisters.client.typed import Cooperative, Cooperatives, Ledger
from canisters.interface.principal import Principal
from marketplace.chain.canisters import ok
from marketplace.chain.follower import follow_now
from marketplace.client.canonical import sha256
from marketplace.client.forms import manifest_from_json
from marketplace.core import blobs
from marketplace.governance import tasks
from marketplace.governance.models import Proposal
from marketplace.governance.tasks import releases_look
from marketplace.jobs.run import look, run
from tests.marketplace.conftest import Api
from tests.marketplace.jobs.scene import Contribution, Scene, table

pytestmark = pytest.mark.slow
MINUTE_NS = 60 * 10**9
PRICE_E8S = 1_000_003


class Model:
    """A cooperative on the chain, founded by an owner on a job that has just been settled. `owner`: the contributor with most shares."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.parts: list[Contribution] = [scene.contribute(table(0)), scene.contribute(table(7))]
        self.builder = scene.builder()
        self.job_id = scene.funded(self.builder, self.parts)
        follow_now()
        for job_id in look(scene.keys):
            run(job_id, scene.keys)
        follow_now()
        shares = scene.on_chain(self.job_id)["shares"]
        most = max((s for s in shares if s["role"] == "contributor"), key=lambda share: share["share_bps"])
        self.owner = next(part.owner for part in self.parts if part.dataset_id == most["dataset_id"])
        terms = {"price_e8s": PRICE_E8S, "treasury_bps": 1_000, "voting_period_ns": MINUTE_NS, "quiet_period_ns": 0}
        factory = Cooperatives(scene.chain.agent(self.owner), scene.canisters["cooperatives"])
        made = ok(factory.cooperative_create({"job_id": self.job_id, "name": "Tumours", "parameters": terms}))
        self.canister: Principal = made["canister"]
        follow_now()

    def as_(self, who: KeyIdentity) -> Cooperative:
        return Cooperative(self.scene.chain.agent(who), self.canister)

    def propose(self, api: Api) -> dict[str, Any]:
        """The release that the API shows, as any holder's client would propose it."""
        release = api.get(f"jobs/{self.job_id}/release").json()
        manifest = manifest_from_json(release["manifest"])
        kind = {"Release": manifest}
        made = ok(self.as_(self.owner).proposal_submit({"title": "First", "summary": "", "kind": kind}))
        assert made["manifest_hash"].hex() == release["manifest_hash"]
        follow_now()
        return {"id": made["id"], "manifest": manifest}

    def vote(self, proposal_id: int, *, yes: bool) -> None:
        """By everybody who can, until the vote is decided."""
        for who in (*(part.owner for part in self.parts), self.builder.identity):
            answer = self.as_(who).proposal_vote({"proposal_id": proposal_id, "yes": yes})
            assert "Ok" in answer or "Closed" in answer["Err"] or "NoShares" in answer["Err"], answer
        follow_now()


def test_a_release_goes_from_training_to_its_first_income(releasing: Scene, api: Api, signed_in: Any) -> None:
    model = Model(releasing)
    proposal = model.propose(api)

    waiting = signed_in(model.owner).get("votes").json()
    releases_look()
    model.vote(proposal["id"], yes=True)
    _until_live(model, api)
    answer = _pay_for_an_answer(model, proposal["manifest"])
    follow_now()

    assert [(vote["id"], vote["model_name"]) for vote in waiting["results"]] == [(1, "Tumours")]
    shown = api.get(f"models/{model.canister}").json()
    assert shown["live"]["max_abs_error_e9"] <= 100_000
    assert (
        shown["live"]["wasm_sha256"] == sha256(blobs.blob_read(proposal["manifest"]["wasm_sha256"].hex()) or b"").hex()
    )
    assert releasing.chain.agent().controllers(Principal.from_text(shown["inference"])) == [model.canister]
    assert shown["card"]["title"]
    assert shown["interface"]["inputs"][0]["name"] == "features"
    assert shown["treasury_e8s"] == "100000"
    assert sum(part["amount_e8s"] for part in answer["parts"]) == PRICE_E8S - 100_000
    assert sum(int(part["amount_e8s"]) for part in shown["calls"][0]["parts"]) == PRICE_E8S - 100_000
    _the_index_is_the_chain(model, api)
    _made_anew_it_is_the_same(model, api)


def test_a_release_that_is_voted_down_is_not_installed(releasing: Scene, api: Api) -> None:
    model = Model(releasing)
    proposal = model.propose(api)
    releases_look()

    model.vote(proposal["id"], yes=False)
    tasks.look(0)

    shown = api.get(f"models/{model.canister}/proposals/1").json()
    assert (shown["state"], shown["live_metrics"]) == ("rejected", None)
    assert api.get(f"models/{model.canister}").json()["state"] == "no_release"


def test_chunks_that_were_lost_are_sent_again_and_a_damaged_one_is_not_taken(releasing: Scene, api: Api) -> None:
    model = Model(releasing)
    proposal = model.propose(api)
    manifest = proposal["manifest"]
    name = manifest["weight_chunks"][0]["sha256"].hex()
    whole = blobs.blob_read(name) or b""
    blobs.store().put("public", name, bytes(len(whole)))

    releases_look()
    damaged = model.as_(KeyIdentity()).proposal_get(proposal["id"])
    blobs.store().put("public", name, whole)
    releases_look()
    follow_now()

    assert damaged is not None
    assert (damaged["wasm_staged"], damaged["weights_staged"]) == ([0], [])
    assert Proposal.objects.get(cooperative_id=str(model.canister)).record["staged"]


def _until_live(model: Model, api: Api) -> None:
    """Installing takes the canister a few rounds."""
    for _ in range(100):
        follow_now()
        if api.get(f"models/{model.canister}").json()["state"] == "live":
            return
    raise AssertionError(api.get(f"models/{model.canister}/proposals/1").json())


def _pay_for_an_answer(model: Model, manifest: Any) -> Any:
    payer = KeyIdentity()
    model.scene.enrich(payer)
    ledger = Ledger(model.scene.chain.agent(payer), model.scene.canisters["ledger"])
    ok(ledger.icrc2_approve({"spender": {"owner": model.canister}, "amount": 10 * PRICE_E8S}))
    inputs = manifest["equality"][0]["inputs"]
    answer = ok(model.as_(payer).infer({"inputs": inputs, "max_price_e8s": PRICE_E8S}))
    ok(model.as_(model.owner).revenue_claim())
    ok(model.scene.jobs(model.parts[1].owner).payout_claim(model.job_id))
    return answer


def _the_index_is_the_chain(model: Model, api: Api) -> None:
    info = model.as_(KeyIdentity()).info()
    shown = api.get(f"models/{model.canister}").json()
    assert {h["owner"]: h["shares"] for h in shown["holders"]} == {
        str(h["owner"]): h["shares"] for h in info["holders"]
    }
    assert (shown["treasury_e8s"], shown["revenue_e8s"]) == (str(info["treasury_e8s"]), str(info["revenue_e8s"]))
    assert (shown["paid_calls"], shown["inference"]) == (info["paid_calls"], str(info["inference"]))
    for part in model.parts:
        account = {"owner": part.owner.principal, "subaccount": None}
        earnings = api.get(f"accounts/{part.owner.principal}/earnings").json()
        ledger = Ledger(model.scene.chain.agent(), model.scene.canisters["ledger"])
        assert earnings["balance_e8s"] == str(ledger.icrc1_balance_of(account))
        due = sum(int(entry["amount_e8s"]) for entry in earnings["claimable"] if entry["kind"] == "model")
        assert due == model.as_(KeyIdentity()).claimable(part.owner.principal)


def _made_anew_it_is_the_same(model: Model, api: Api) -> None:
    people = [str(part.owner.principal) for part in model.parts] + [str(model.builder.identity.principal)]
    paths = [
        "jobs",
        f"jobs/{model.job_id}",
        f"jobs/{model.job_id}/progress",
        f"jobs/{model.job_id}/release",
        "workers",
        "models",
        f"models/{model.canister}",
        f"models/{model.canister}/proposals",
        f"models/{model.canister}/proposals/1",
        *(f"accounts/{person}{what}" for person in people for what in ("", "/earnings", "/transfers")),
    ]
    before = {path: api.get(path).content for path in paths}

    call_command("reindex", verbosity=0)

    for path in paths:
        assert api.get(path).content == before[path], path
        assert json.loads(before[path])
