"""A cooperative's proposals: ballots, votes, the thresholds computed anew, and what became of each.

Ordinary: 3 % of all shares say yes, and more yes than no. Critical (treasury, upgrade): 20 % of all, and 67 % of those cast. A vote is
closed at its deadline, or as soon as no further vote could change it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from canisters.interface.principal import Principal

from .fields import Fields, Malformed, hash_of
from .logs import Block
from .report import Topic

CRITICAL = {"TreasuryTransfer", "Upgrade"}


@dataclass
class Proposal:
    """`kind`: Release, Parameters, TreasuryTransfer or Upgrade; `payload`: its fields. `ballots`: who may vote, with how many shares."""

    id: int
    kind: str
    payload: Fields
    manifest_hash: bytes | None
    ballots: dict[Principal, int]
    deadline_ns: int
    critical: bool
    state: str = "voting"
    votes: dict[Principal, bool] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.ballots.values())

    def tally(self) -> tuple[int, int]:
        """Shares for yes and for no."""
        yes = sum(self.ballots[owner] for owner, vote in self.votes.items() if vote)
        return yes, sum(self.ballots[owner] for owner in self.votes) - yes

    @property
    def winning(self) -> bool:
        yes, no = self.tally()
        if self.critical:
            return yes * 100 >= 20 * self.total and yes * 100 >= 67 * (yes + no)
        return yes * 100 >= 3 * self.total and yes > no

    @property
    def surely_adopted(self) -> bool:
        yes, _ = self.tally()
        return yes * 100 >= 67 * self.total if self.critical else yes * 2 > self.total

    @property
    def surely_rejected(self) -> bool:
        _, no = self.tally()
        return no * 100 > 33 * self.total if self.critical else no * 2 >= self.total


class Proposals:
    """Applies the blocks that are about proposals. `holders` is the cooperative's, at the moment of each block."""

    def __init__(self, topic: Topic) -> None:
        self.all: dict[int, Proposal] = {}
        self._topic = topic

    def of(self, block: Block) -> Proposal:
        proposal = self.all.get(block.tx.nat("proposal_id"))
        if proposal is None:
            raise Malformed(f"{block.where}: there is no proposal {block.tx.nat('proposal_id')}")
        return proposal

    def require(self, holds: bool, block: Block, problem: str) -> None:
        self._topic.require(holds, f"{block.where}: {problem}")

    def submitted(self, block: Block, holders: dict[Principal, int], period_ns: int) -> None:
        tx, id_ = block.tx, block.tx.nat("proposal_id")
        kind, inside = tx.variant("kind")
        ballots = {ballot.principal("owner"): ballot.nat("shares") for ballot in tx.records("ballots")}
        manifest_hash = tx.blob("manifest_hash") if "manifest_hash" in tx else None
        proposal = Proposal(
            id_, kind, inside.record(kind), manifest_hash, ballots, tx.nat("deadline_ns"), tx.flag("critical")
        )
        self.require(id_ == len(self.all) + 1, block, f"proposal {id_} is out of turn")
        self.require(tx.principal("proposer") in holders, block, "its proposer holds no share")
        self.require(ballots == holders, block, "its ballots are not the shares that were held")
        self.require(proposal.critical == (kind in CRITICAL), block, f"a {kind} proposal is of the other class")
        self.require(
            proposal.deadline_ns == block.ts_ns + period_ns, block, "its deadline is not the voting period's end"
        )
        if kind == "Release":
            hashed = hash_of(inside.value(kind), block.where)
            self.require(manifest_hash == hashed, block, "its manifest_hash is not that of its manifest")
        self.all[id_] = proposal

    def voted(self, block: Block) -> None:
        proposal, owner = self.of(block), block.tx.principal("owner")
        self.require(proposal.state == "voting", block, f"proposal {proposal.id} was {proposal.state}")
        self.require(block.ts_ns < proposal.deadline_ns, block, "the vote was over")
        self.require(owner not in proposal.votes, block, f"{owner} voted twice")
        if owner not in proposal.ballots:
            raise Malformed(f"{block.where}: {owner} has no ballot")
        self.require(
            block.tx.nat("shares") == proposal.ballots[owner],
            block,
            f"{owner} voted with other shares than its ballot's",
        )
        proposal.votes[owner] = block.tx.flag("yes")

    def extended(self, block: Block, quiet_ns: int) -> None:
        proposal, deadline_ns = self.of(block), block.tx.nat("deadline_ns")
        self.require(proposal.state == "voting", block, f"proposal {proposal.id} was {proposal.state}")
        right = proposal.deadline_ns < deadline_ns == block.ts_ns + quiet_ns
        self.require(right, block, "the deadline was not extended by the quiet period")
        proposal.deadline_ns = deadline_ns

    def closed(self, block: Block) -> None:
        """The votes in the log must give this outcome at this moment."""
        proposal, adopted = self.of(block), block.btype == "proposal_adopted"
        yes, no = proposal.tally()
        stated = (block.tx.nat("yes"), block.tx.nat("no"))
        self.require(proposal.state == "voting", block, f"proposal {proposal.id} was {proposal.state}")
        self.require(stated == (yes, no), block, f"the votes are {yes} to {no}, not {stated[0]} to {stated[1]}")
        over = proposal.deadline_ns <= block.ts_ns
        right = proposal.surely_adopted or (over and proposal.winning)
        if not adopted:
            right = not right and (over or proposal.surely_rejected)
        word = "adopted" if adopted else "rejected"
        self.require(right, block, f"proposal {proposal.id} was not {word}: {yes} yes, {no} no of {proposal.total}")
        proposal.state = word

    def moved(self, block: Block, before: set[str], after: str) -> Proposal:
        proposal = self.of(block)
        self.require(
            proposal.state in before, block, f"proposal {proposal.id} was {proposal.state}, not adopted by its owners"
        )
        proposal.state = after
        return proposal
