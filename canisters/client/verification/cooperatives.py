"""A cooperative's log replayed: its owners, their votes, the releases that went live, and every unit of what was earned.

`ownership` checks it against the other logs and against what the network certifies of its canisters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from canisters.interface.principal import Principal

from .fields import Fields, Malformed
from .ledger import Account, Ledger
from .logs import Block, Log
from .payments import require_drawn, require_explained, require_sent, split
from .proposals import Proposal, Proposals
from .report import Findings, Topic


@dataclass(frozen=True)
class Live:
    proposal: Proposal
    manifest_hash: bytes
    wasm_sha256: bytes
    inference: Principal


@dataclass(frozen=True)
class Sale:
    """A paid answer; `request_hash` and `answer_hash` are ICRC-3 hashes of the tensors."""

    block: int
    payer: Principal
    price_e8s: int
    request_hash: bytes
    answer_hash: bytes
    manifest_hash: bytes
    parts: tuple[tuple[Principal, int], ...]


class Cooperative:
    """`holders`, `credits`, `treasury_e8s`: as the log leaves them. `inference`: every canister it made for its model."""

    def __init__(self, log: Log, job: int, ledger: Ledger, findings: Findings) -> None:
        self.canister, self.log, self.job = log.canister, log, job
        self.founded: Fields | None = None
        self.holders: dict[Principal, int] = {}
        self.inference: list[Principal] = []
        self.live: Live | None = None
        self.sales: dict[int, Sale] = {}
        self.credits: dict[Principal, int] = defaultdict(int)
        self.treasury_e8s = 0
        self._parameters: Fields | None = None
        self._ledger = ledger
        self._named: set[int] = set()  # blocks of the ledger that this log accounts for
        self.votes = findings.topic(f"{log.name} votes", job)
        self.money = findings.topic(f"{log.name} money", job)
        self.proposals = Proposals(self.votes)
        for block in log:
            self._apply(block)
        self._conclude()

    def _apply(self, block: Block) -> None:
        handlers: dict[str, tuple[Topic, Callable[[Block], object]]] = {
            "founded": (self.votes, self._found),
            "inference_created": (self.votes, lambda b: self.inference.append(b.tx.principal("canister"))),
            "proposal_submitted": (self.votes, self._submitted),
            "vote_cast": (self.votes, self.proposals.voted),
            "deadline_extended": (self.votes, lambda b: self.proposals.extended(b, self._parameter("quiet_period_ns"))),
            "proposal_adopted": (self.votes, self.proposals.closed),
            "proposal_rejected": (self.votes, self.proposals.closed),
            "release_staged": (self.votes, self.proposals.of),
            "release_installing": (self.votes, lambda b: self.proposals.moved(b, {"adopted"}, "installing")),
            "release_live": (self.votes, self._went_live),
            "release_superseded": (self.votes, lambda b: self.proposals.moved(b, {"live", "adopted"}, "superseded")),
            "proposal_failed": (self.votes, lambda b: self.proposals.moved(b, {"adopted", "installing"}, "failed")),
            "proposal_executed": (self.votes, lambda b: self.proposals.moved(b, {"adopted", "installing"}, "executed")),
            "parameters_changed": (self.votes, self._parameters_changed),
            "upgrade_asked": (self.votes, lambda b: self.proposals.moved(b, {"adopted"}, "installing")),
            "shares_transferred": (self.votes, self._transferred),
            "inference_paid": (self.money, self._paid),
            "inference_refunded": (self.money, self._refunded),
            "revenue_claimed": (self.money, self._claimed),
            "treasury_paid": (self.money, self._treasury_paid),
        }
        topic, handle = handlers.get(block.btype, (self.votes, None))
        with topic.reading():
            if handle is None:
                raise Malformed(f"{block.where}: nothing is known of blocks of type {block.btype}")
            if block.btype != "founded" and self.founded is None:
                raise Malformed(f"{block.where}: the cooperative is not founded yet")
            handle(block)

    def _conclude(self) -> None:
        states = [proposal.state for proposal in self.proposals.all.values()]
        adopted = sum(state not in ("voting", "rejected") for state in states)
        self.votes.fact(
            f"{len(states)} proposals, {adopted} adopted, {states.count('rejected')} rejected, each by its votes"
        )
        account = Account(self.canister)
        drawn = [t for t in self._ledger.inflows(account) if t.spender is not None and t.spender.owner == self.canister]
        moved = self._ledger.outflows(account) + drawn
        require_explained(moved, self._named, self.log.tip_ns, self.money, "the cooperative's account")
        due = sum(self.credits.values())
        self.money.fact(
            f"{len(self.sales)} paid answers split to the unit, {due} e8s still to claim, {self.treasury_e8s} e8s in the treasury"
        )

    def _parameter(self, name: str) -> int:
        if self._parameters is None:
            raise Malformed("the cooperative's founding cannot be read")
        return self._parameters.nat(name)

    # --- owners, votes, releases ---

    def _found(self, block: Block) -> None:
        self.proposals.require(block.index == 0, block, "founded a second time")
        self.founded = block.tx
        self._parameters = block.tx.record("parameters")
        self.holders = {holder.principal("owner"): holder.nat("shares") for holder in block.tx.records("holders")}
        total = sum(self.holders.values())
        self.proposals.require(total == 10_000, block, f"the shares sum to {total}, not to 10000")

    def _submitted(self, block: Block) -> None:
        self.proposals.submitted(block, self.holders, self._parameter("voting_period_ns"))

    def _parameters_changed(self, block: Block) -> None:
        proposal = self.proposals.of(block)
        right = (proposal.state, proposal.kind) == ("adopted", "Parameters")
        self.proposals.require(right, block, "the owners did not adopt these parameters")
        given = block.tx.record("parameters")
        names = ("price_e8s", "treasury_bps", "voting_period_ns", "quiet_period_ns")
        same = all(given.nat(name) == proposal.payload.nat(name) for name in names)
        self.proposals.require(same, block, "these are not the parameters that were voted for")
        self._parameters = given

    def _went_live(self, block: Block) -> None:
        proposal, tx = self.proposals.of(block), block.tx
        if proposal.kind != "Release":
            raise Malformed(f"{block.where}: proposal {proposal.id} is not a release")
        require, manifest = self.proposals.require, proposal.payload
        require(
            proposal.state == "installing",
            block,
            f"proposal {proposal.id} was {proposal.state}, not adopted by its owners",
        )
        require(tx.blob("manifest_hash") == proposal.manifest_hash, block, "another manifest than the one voted for")
        require(tx.blob("wasm_sha256") == manifest.blob("wasm_sha256"), block, "another module than the manifest names")
        error, allowed = tx.nat("max_abs_error_e9"), manifest.nat("tolerance_e9")
        require(error <= allowed, block, f"its answers differ by {error}e-9, and {allowed}e-9 are allowed")
        require(
            tx.principal("inference") in self.inference,
            block,
            "it runs in a canister that the cooperative did not make",
        )
        proposal.state = "live"
        self.live = Live(proposal, tx.blob("manifest_hash"), tx.blob("wasm_sha256"), tx.principal("inference"))

    def _transferred(self, block: Block) -> None:
        source, to, amount = block.tx.principal("from"), block.tx.principal("to"), block.tx.nat("amount")
        left = self.holders.get(source, 0) - amount
        self.proposals.require(left >= 0, block, f"{source} transferred {-left} shares more than it held")
        self.holders.pop(source, None)
        if left > 0:
            self.holders[source] = left
        self.holders[to] = self.holders.get(to, 0) + amount

    # --- income ---

    def _require(self, holds: bool, block: Block, problem: str) -> None:
        self.money.require(holds, f"{block.where}: {problem}")

    def _name(self, ledger_block: int, block: Block) -> None:
        self._require(
            ledger_block not in self._named, block, f"block {ledger_block} of the ledger is accounted for twice"
        )
        self._named.add(ledger_block)

    def _drawn(self, block: Block, amount_e8s: int) -> Principal:
        payer, ledger_block = block.tx.principal("payer"), block.tx.nat("ledger_block")
        if amount_e8s > 0:
            self._name(ledger_block, block)
            require_drawn(
                self._ledger, ledger_block, payer, Account(self.canister), amount_e8s, self.money, block.where
            )
        return payer

    def _paid(self, block: Block) -> None:
        """The treasury's part rounded down, the rest among the holders in the order of their principals."""
        tx, price = block.tx, block.tx.nat("price_e8s")
        payer = self._drawn(block, price)
        treasury = price * self._parameter("treasury_bps") // 10_000
        owners = sorted(self.holders.items())
        amounts = split(price - treasury, [shares for _, shares in owners])
        expected = tuple((owner, amount) for (owner, _), amount in zip(owners, amounts, strict=True))
        parts = tuple((part.principal("owner"), part.nat("amount_e8s")) for part in tx.records("parts"))
        self._require(tx.nat("treasury_e8s") == treasury, block, f"the treasury's part is {treasury} e8s")
        self._require(parts == expected, block, "its parts do not follow from the shares that were held")
        total = treasury + sum(amount for _, amount in parts)
        self._require(total == price, block, f"its parts sum to {total} e8s, and the price was {price}")
        answered_by_live = self.live is not None and tx.blob("manifest_hash") == self.live.manifest_hash
        self._require(answered_by_live, block, "another release answered than the one that was live")
        for owner, amount in parts:
            self.credits[owner] += amount
        self.treasury_e8s += treasury
        request, answer = tx.blob("request_hash"), tx.blob("answer_hash")
        self.sales[block.index] = Sale(block.index, payer, price, request, answer, tx.blob("manifest_hash"), parts)

    def _refunded(self, block: Block) -> None:
        amount_e8s = block.tx.nat("amount_e8s")
        self.credits[self._drawn(block, amount_e8s)] += amount_e8s

    def _claimed(self, block: Block) -> None:
        owner, amount_e8s = block.tx.principal("owner"), block.tx.nat("amount_e8s")
        self.credits[owner] -= amount_e8s
        held = self.credits[owner]
        self._require(held >= 0, block, f"{owner} claimed {-held} e8s more than it was credited")
        self._sent(block, owner, amount_e8s)

    def _treasury_paid(self, block: Block) -> None:
        proposal, to, amount_e8s = self.proposals.of(block), block.tx.principal("to"), block.tx.nat("amount_e8s")
        adopted = proposal.kind == "TreasuryTransfer" and proposal.state == "adopted"
        self._require(adopted, block, "the owners did not adopt this payment")
        if adopted:
            voted = (proposal.payload.principal("to"), proposal.payload.nat("amount_e8s"))
            self._require(voted == (to, amount_e8s), block, "it is not the payment that was voted for")
        self.treasury_e8s -= amount_e8s
        self._require(self.treasury_e8s >= 0, block, f"the treasury paid {-self.treasury_e8s} e8s more than it held")
        self._sent(block, to, amount_e8s)

    def _sent(self, block: Block, to: Principal, gross_e8s: int) -> None:
        ledger_block = block.tx.nat("ledger_block")
        self._name(ledger_block, block)
        require_sent(self._ledger, ledger_block, Account(self.canister), to, gross_e8s, self.money, block.where)
