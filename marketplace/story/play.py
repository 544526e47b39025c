"""The story's steps, in order. Each asks the chain what is done already and does the rest, so the story can be stopped and resumed anywhere.

    people -> consent -> refused job -> approved job -> training -> cooperative -> release by vote -> paid inference -> claims -> failed vote

`record` then reads back from the chain what came of it. What must be the same after a restart (keys, content keys) is kept in STATE/story.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from canisters.client import ChainUnavailable, Receipt
from canisters.client.typed.cooperative import Parameters, Proposal
from canisters.interface.principal import Principal
from marketplace.client import Market, MarketRefused, MarketUnavailable, Person
from marketplace.client.person import ChainSaidNo, Prepared, prepare
from marketplace.client.profile import card

from .cast import E8S, PRICE_E8S, Cast, Contributor

WORKER_FEE_E8S = 3 * E8S
PAID_CALLS = 5
PARAMETERS: Parameters = {
    "price_e8s": 1_000_003,  # so that no split comes out even
    "treasury_bps": 500,
    "voting_period_ns": 3600 * 10**9,
    "quiet_period_ns": 300 * 10**9,
}
TERMS = {"contributors_bps": 7_000, "builder_bps": 2_000, "worker_bps": 1_000, "valuation": "shapley"}
OVER = ("settled", "denied", "expired", "cancelled", "failed")
LIVE_WITHIN_S = 120.0
JOB_WITHIN_S = 600.0
T = TypeVar("T")


class StoryBroken(RuntimeError):
    """A step did not come out as the story has it."""


class Story:
    """`root_key`: of the network, from its deployment file. `say`: takes a line of progress."""

    def __init__(self, url: str, root_key: bytes, folder: Path, cast: Cast, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.cast = cast
        self.say = say
        self.root_key = root_key
        self.market = Market(url, patience_s=180.0)
        self.people = {name: self._person(name) for name in (*(c.name for c in cast.contributors), "builder")}
        self.kept: dict[str, Any] = _read(folder / "kept.json")
        self.datasets: dict[str, int] = {}
        self.denied_job = self.job = 0
        self.canister = Principal.anonymous()

    @property
    def founder(self) -> Person:
        return self.people[self.cast.willing[0].name]

    def _person(self, name: str) -> Person:
        path = self.folder / "keys" / f"{name}.pem"
        return Person.with_key_file(path, self.market, self.root_key, timeout_s=180.0)

    def close(self) -> None:
        for person in self.people.values():
            person.close()
        self.market.close()

    def play(self) -> None:
        """Everything, from wherever it stands. Raises StoryBroken, and what the clients raise."""
        for step in (
            self.people_arrive, self.data_is_registered, self.a_job_is_denied, self.a_job_is_approved, self.the_worker_trains,
            self.the_owners_found_a_cooperative, self.the_owners_adopt_the_release, self.answers_are_paid_for,
            self.income_is_claimed, self.a_vote_fails,
        ):  # fmt: skip
            self._patiently(step)

    # --- the steps ---

    def people_arrive(self) -> None:
        with self.step("Contributors and a builder make keys and get test tokens"):
            for person in self.people.values():
                person.sign_in()
                if person.balance_e8s() == 0:
                    person.ledger.faucet_claim()  # a second claim is refused: it gives once

    def data_is_registered(self) -> None:
        workers = [Principal.from_text(w["principal"]) for w in self._until(self.market.workers, "a worker to register")]
        with self.step("Contributors register a part of the data each, sealed, with a policy"):
            for contributor in self.cast.contributors:
                person, prepared = self.people[contributor.name], self._prepared(contributor)
                dataset_id = person.dataset_register(prepared, key=self._secret(contributor.name, "register", 16))
                self.datasets[contributor.name] = dataset_id
                known = person.registry.dataset_get(dataset_id)
                if known is None or known.get("policy") is None:
                    person.policy_set(dataset_id, contributor.terms(workers, self.cast.purpose))
                self._until(lambda i=dataset_id: self.market.dataset(i)["policy"], "the policy to be indexed")  # type: ignore[misc]
                if contributor.decision == "AutoApprove":
                    person.key_give(dataset_id, 1, prepared.sealed, workers)
                self.say(f"    {contributor.title}: dataset {dataset_id}, {prepared.description.rows} rows, {contributor.decision}")

    def a_job_is_denied(self) -> None:
        for denying in self.cast.denying:
            with self.step("A builder asks for data whose owner denies; the job cannot start"):
                names = [self.cast.willing[0].name, denying.name]
                job = self._propose("denied", f"{self.cast.model}, with {denying.title}", names)
                self.denied_job = job["id"]
                try:
                    self._builder.job_fund(self.denied_job)
                except MarketRefused as refused:
                    self.say(f"    job {self.denied_job} is {job['state']}: {job['reason']}; funding it is refused ({refused.code})")
                else:
                    raise StoryBroken("a denied job could be funded")

    def a_job_is_approved(self) -> None:
        with self.step("A builder asks for the others: policies approve, an owner is asked and approves; the builder funds"):
            job = self._propose("approved", self.cast.model, [c.name for c in self.cast.willing])
            self.job = job["id"]
            for contributor in self.cast.willing:
                if contributor.decision == "Ask":
                    self._answer_request(contributor, self.job)
            self._until(lambda: self.market.job(self.job)["state"] != "proposed", "the approval to be indexed")
            if self.market.job(self.job)["state"] == "approved":
                self._builder.job_fund(self.job)

    def the_worker_trains(self) -> None:
        with self.step("A worker claims the job, trains, attributes, exports and compiles"):
            state = self._follow_job()
            if state != "settled":
                raise StoryBroken(f"job {self.job} ended {state}: {self.market.job(self.job)['reason']}")

    def the_owners_found_a_cooperative(self) -> None:
        with self.step("A cooperative is founded, with shares from the attribution"):
            founder = self.founder
            self.canister = founder.cooperative_found(self.job, self.cast.model, PARAMETERS)["canister"]
            info = founder.cooperative(self.canister).info()
            self.say(f"    {self.canister}: {len(info['holders'])} owners of its inference canister {info.get('inference')}")

    def the_owners_adopt_the_release(self) -> None:
        with self.step("Its owners vote the release in; adoption installs it"):
            proposal = self._proposal(1, "First release", "The model of the job, as its record has it.")
            for contributor in self.cast.willing:
                if "Voting" in proposal["state"]:
                    proposal = self._vote(contributor.name, proposal, yes=True)
            self._until(lambda: self._is_live(proposal["id"]), "the release to go live", LIVE_WITHIN_S)

    def answers_are_paid_for(self) -> None:
        with self.step("The builder pays for answers; each price is split among the owners"):
            builder = self.people["builder"]
            cooperative = builder.cooperative(self.canister)
            price, fee = PARAMETERS["price_e8s"], builder.ledger.icrc1_fee()
            rows = self.cast.questions(PAID_CALLS)
            while (done := cooperative.info(certified=True)["paid_calls"]) < PAID_CALLS:
                builder.spender_allow(self.canister, (PAID_CALLS - done) * (price + fee))
                _, proof = builder.infer(self.canister, [rows[done]], max_price_e8s=price)
                _write(self.folder / "receipts" / f"{done}.cbor", proof.to_bytes())

    def income_is_claimed(self) -> None:
        with self.step("Contributors claim what they earned"):
            for contributor in self.cast.willing:
                person = self.people[contributor.name]
                fee = person.ledger.icrc1_fee()
                if person.cooperative(self.canister).claimable(person.principal, certified=True) > fee:
                    person.cooperative(self.canister).revenue_claim()
                job = person.jobs.job_get(self.job, certified=True)
                due = sum(p["amount_e8s"] for p in job["payouts"] if p["owner"] == person.principal and p.get("claimed_block") is None) if job else 0
                if due > fee:
                    person.jobs.payout_claim(self.job)

    def a_vote_fails(self) -> None:
        with self.step("A second release is voted down; the first stays live"):
            proposal = self._proposal(2, "Second release", "The same model once more: nothing to gain.")
            for contributor in self.cast.willing:
                if "Voting" in proposal["state"]:
                    proposal = self._vote(contributor.name, proposal, yes=False)
            if "Rejected" not in proposal["state"]:
                raise StoryBroken(f"the second release is {proposal['state']}")

    # --- what the steps share ---

    @property
    def _builder(self) -> Market:
        """The builder's door: the REST API with a token, and nothing else."""
        if "token" not in self.kept:
            self.kept["token"] = self.people["builder"].token("the story")
            self._keep()
        return self.market.acting_with(self.kept["token"])

    def _propose(self, which: str, title: str, names: list[str]) -> dict[str, Any]:
        builder = self._builder
        return builder.job_propose(
            {
                "key": self._secret("builder", which, 16).hex(),
                "title": title,
                "purpose": self.cast.purpose,
                "recipe": self.cast.recipe,
                "config": self.cast.config(builder.blob_put(self.cast.evaluation)),
                "datasets": [{"dataset_id": self.datasets[name], "version": 1} for name in names],
                "seed": str(self.cast.seed),
                "terms": TERMS,
                "worker_fee_e8s": str(WORKER_FEE_E8S),
                "budget_e8s": str(WORKER_FEE_E8S + PRICE_E8S * len(names) + E8S),
            }
        )

    def _answer_request(self, contributor: Contributor, job_id: int) -> None:
        person = self.people[contributor.name]
        job = person.jobs.job_get(job_id, certified=True)
        workers = [w["principal"] for w in person.jobs.workers_list(certified=True)]
        for approval in job["approvals"] if job else []:
            if approval["owner"] == person.principal:
                person.key_give(approval["dataset_id"], approval["version"], self._prepared(contributor).sealed, workers)
                if "Pending" in approval["state"]:
                    person.job_approve(job_id, approval["dataset_id"], approval["policy_version"], workers)

    def _follow_job(self) -> str:
        """Follow the job's live events until it is over; returns its state."""
        until, after, told = time.monotonic() + JOB_WITHIN_S, "", ""
        while time.monotonic() < until:
            state = str(self.market.job(self.job)["state"])
            if state in OVER:
                return state
            for event in self.market.job_events(self.job, after):
                after = event["seq"] or after
                line = _told(event)
                if line and line != told:
                    self.say(f"    {line}")
                    told = line
                if event["event"] == "job" and event["data"].get("state") in OVER:
                    break
            time.sleep(0.3)
        raise StoryBroken(f"job {self.job} is not over after {JOB_WITHIN_S:.0f} s")

    def _proposal(self, number: int, title: str, summary: str) -> Proposal:
        person = self.founder
        known = person.cooperative(self.canister).proposal_get(number, certified=True)
        return known or person.release_propose(self.canister, self.market.job_release(self.job), title=title, summary=summary)

    def _vote(self, name: str, proposal: Proposal, *, yes: bool) -> Proposal:
        person = self.people[name]
        try:
            return person.vote(self.canister, proposal["id"], yes=yes)
        except ChainSaidNo as no:
            if no.tag not in ("AlreadyVoted", "Closed"):
                raise
            known = person.cooperative(self.canister).proposal_get(proposal["id"], certified=True)
            return known or proposal

    def _is_live(self, proposal_id: int) -> bool:
        proposal = self.founder.cooperative(self.canister).proposal_get(proposal_id)
        state = proposal["state"] if proposal else {}
        if "Failed" in state:
            raise StoryBroken(f"the release failed: {state['Failed']}")
        return "Live" in state or "Superseded" in state

    def receipts(self) -> list[Receipt]:
        return [Receipt.from_bytes(path.read_bytes()) for path in sorted((self.folder / "receipts").glob("*.cbor"))]

    def _prepared(self, contributor: Contributor) -> Prepared:
        return prepare(
            contributor.table,
            title=contributor.title,
            card=card(
                title=contributor.title,
                description=contributor.about,
                task="classification",
                target=self.cast.target,
                collected=self.cast.collected,
                license="CC BY 4.0",
                contact=f"{contributor.name}@example.org",
            ),
            key=self._secret(contributor.name, "content", 32),
            file_id=self._secret(contributor.name, "file", 16),
        )

    def _secret(self, name: str, what: str, size: int) -> bytes:
        """Random bytes that stay the same when the story is resumed."""
        entry = f"{name}/{what}"
        if entry not in self.kept:
            self.kept[entry] = secrets.token_hex(size)
            self._keep()
        return bytes.fromhex(self.kept[entry])

    def _keep(self) -> None:
        _write(self.folder / "kept.json", json.dumps(self.kept, indent=1).encode())

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        self.say(f"  {what} ...")
        began = time.monotonic()
        yield
        took = round(time.monotonic() - began, 2)
        self.kept.setdefault("seconds", {})[what] = took
        self._keep()
        self.say(f"    done ({took:.1f} s)")

    def _patiently(self, step: Callable[[], None]) -> None:
        """Steps ask the chain first, so one that lost its connection is begun again."""
        for attempt in range(5):
            try:
                return step()
            except (ChainUnavailable, MarketUnavailable) as lost:
                if attempt == 4:
                    raise
                self.say(f"    {lost}; trying again")
            except MarketRefused as refused:
                if attempt == 4 or refused.status not in (502, 503, 504):
                    raise
                self.say(f"    {refused.message}; trying again")
            time.sleep(1.0 + attempt)
        return None

    def _until(self, ask: Callable[[], T], what: str, within_s: float = 60.0) -> T:
        until = time.monotonic() + within_s
        while True:
            try:
                answer = ask()
                if answer:
                    return answer
            except MarketRefused as refused:
                if refused.status != 404:
                    raise
            if time.monotonic() > until:
                raise StoryBroken(f"waited {within_s:.0f} s for {what}")
            time.sleep(0.2)


def _told(event: dict[str, Any]) -> str:
    data = event["data"]
    if event["event"] == "job":
        return f"the chain says: {data.get('state')}"
    return {"load": "reading the sealed data", "train": "training", "evaluate": "evaluating", "attribute": "attributing",
            "export": "exporting and compiling"}.get(data.get("phase", ""), "")  # fmt: skip


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.replace(path)
