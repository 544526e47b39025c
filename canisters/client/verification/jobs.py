"""The jobs' log replayed: who proposed, approved, funded, claimed, submitted and settled, each step in its turn.

Here the log is read and its own order checked; `settlement` checks it against the registry's and the ledger's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from canisters.interface.principal import Principal

from .fields import Fields, Malformed, hash_of
from .logs import Block, Log
from .registry import Request
from .report import Findings, Topic

OVER = {"settled", "denied", "cancelled", "expired", "failed"}
# What may become of a job, and out of which states.
_BEFORE = {
    "job_approved": {"proposed"},
    "job_denied": {"proposed", "approved", "funded"},
    "job_funded": {"approved"},
    "job_claimed": {"funded", "claimed", "running"},
    "job_started": {"claimed"},
    "job_submitted": {"running"},
    "job_settled": {"submitted"},
    "job_failed": {"claimed", "running"},
    "job_cancelled": {"proposed", "approved", "funded"},
    "job_expired": {"proposed", "approved", "funded", "claimed", "running"},
}


@dataclass
class Approval:
    """`state`: Pending, Approved, Denied or Revoked. `by`: Policy or Owner. `at_ns`: when it was decided."""

    dataset_id: int
    version: int
    owner: Principal
    policy_version: int
    price_e8s: int
    state: str
    by: str | None
    workers: list[Principal]
    at_ns: int


@dataclass(frozen=True)
class Claim:
    block: int
    at_ns: int
    worker: Principal
    approvals: tuple[tuple[int, str], ...]  # dataset and state of its approval, at that moment


@dataclass(frozen=True)
class Paid:
    owner: Principal
    amount_e8s: int
    ledger_block: int


@dataclass
class Job:
    id: int
    builder: Principal
    args: Fields
    proposed_at_ns: int
    approvals: list[Approval]
    topic: Topic
    state: str = "proposed"
    funded: tuple[int, int] | None = None  # amount, ledger's block
    claims: list[Claim] = field(default_factory=list)
    result: Fields | None = None
    shares: list[Fields] = field(default_factory=list)
    payouts: list[Fields] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)

    @property
    def request(self) -> Request:
        args = self.args
        return Request(
            self.builder,
            args.text("purpose"),
            args.blob("code_hash"),
            args.text("compute"),
            args.nat_or_none("epsilon_micros"),
        )

    @property
    def worker(self) -> Principal | None:
        return self.claims[-1].worker if self.claims else None

    @property
    def budget_e8s(self) -> int:
        return self.args.nat("budget_e8s")

    def approval(self, dataset_id: int) -> Approval | None:
        return next((a for a in self.approvals if a.dataset_id == dataset_id), None)

    def artifacts(self) -> dict[str, bytes]:
        """Name -> SHA-256, of the submitted result."""
        if self.result is None:
            return {}
        return {artifact.text("name"): artifact.blob("sha256") for artifact in self.result.records("artifacts")}


class Jobs:
    """`jobs`: by id. `workers`: when each registered, ns."""

    def __init__(self, log: Log, findings: Findings) -> None:
        self.canister = log.canister
        self.tip_ns = log.tip_ns
        self.jobs: dict[int, Job] = {}
        self.workers: dict[Principal, int] = {}
        self._findings = findings
        self._topic = findings.topic("jobs history")
        handlers: dict[str, Callable[[Block, Job], None]] = {
            "dataset_approved": self._approved,
            "dataset_denied": self._denied,
            "approval_revoked": self._revoked,
            "job_claimed": self._claimed,
            "job_funded": self._funded,
            "job_submitted": self._submitted,
            "payout_claimed": self._payout_claimed,
        }
        for block in log:
            with self._topic.reading():
                self._apply(block, handlers)
        self._topic.fact(f"{len(self.jobs)} jobs, {len(self.workers)} workers, each step in its turn")

    def _apply(self, block: Block, handlers: dict[str, Callable[[Block, Job], None]]) -> None:
        if block.btype == "worker_registered":
            self.workers.setdefault(block.tx.principal("worker"), block.ts_ns)
            return
        if block.btype == "job_proposed":
            self._proposed(block)
            return
        if block.btype not in handlers and block.btype not in _BEFORE:
            raise Malformed(f"{block.where}: nothing is known of blocks of type {block.btype}")
        job = self.jobs.get(block.tx.nat("job_id"))
        if job is None:
            raise Malformed(f"{block.where}: there is no job {block.tx.nat('job_id')}")
        allowed = _BEFORE.get(block.btype)
        if allowed is not None:
            self._require(job.state in allowed, block, f"job {job.id} was {job.state}")
        if block.btype in handlers:
            handlers[block.btype](block, job)
        if allowed is not None:
            job.state = block.btype.removeprefix("job_").replace("started", "running")
        if job.state in OVER and allowed is not None:
            job.shares = block.tx.records("shares") if "shares" in block.tx else []
            job.payouts = block.tx.records("payouts")

    def _require(self, holds: bool, block: Block, problem: str) -> None:
        self._topic.require(holds, f"{block.where}: {problem}")

    def _proposed(self, block: Block) -> None:
        tx, id_ = block.tx, block.tx.nat("job_id")
        self._require(id_ == len(self.jobs) + 1, block, f"job {id_} is out of turn")
        args = tx.record("args")
        approvals = [_approval(entry, block.ts_ns) for entry in tx.records("approvals")]
        named = [(wanted.nat("dataset_id"), wanted.nat("version")) for wanted in args.records("datasets")]
        self._require(
            named == [(a.dataset_id, a.version) for a in approvals], block, "not every dataset has an approval"
        )
        topic = self._findings.topic(f"job {id_} approvals", id_)
        self.jobs[id_] = Job(id_, tx.principal("builder"), args, block.ts_ns, approvals, topic)

    def _decided(self, block: Block, job: Job, before: str) -> Approval:
        """The approval that the block is about; only the dataset's owner decides."""
        approval = job.approval(block.tx.nat("dataset_id"))
        if approval is None:
            raise Malformed(f"{block.where}: job {job.id} does not name that dataset")
        owner = block.tx.principal("owner")
        self._require(owner == approval.owner, block, f"{owner} decided for a dataset of {approval.owner}")
        self._require(approval.state == before, block, f"dataset {approval.dataset_id} was {approval.state}")
        approval.at_ns = block.ts_ns
        return approval

    def _approved(self, block: Block, job: Job) -> None:
        approval = self._decided(block, job, "Pending")
        self._require(job.state == "proposed", block, f"job {job.id} was {job.state}")
        same = block.tx.nat("policy_version") == approval.policy_version
        self._require(same, block, "it was approved under another policy version than asked")
        approval.state, approval.by = "Approved", block.tx.text("by")
        approval.workers = block.tx.principals("workers")

    def _denied(self, block: Block, job: Job) -> None:
        self._decided(block, job, "Pending").state = "Denied"

    def _revoked(self, block: Block, job: Job) -> None:
        self._require(not job.claims, block, f"job {job.id} was claimed already")
        self._decided(block, job, "Approved").state = "Revoked"

    def _funded(self, block: Block, job: Job) -> None:
        job.funded = (block.tx.nat("amount_e8s"), block.tx.nat("ledger_block"))

    def _claimed(self, block: Block, job: Job) -> None:
        approvals = tuple((a.dataset_id, a.state) for a in job.approvals)
        job.claims.append(Claim(block.index, block.ts_ns, block.tx.principal("worker"), approvals))

    def _submitted(self, block: Block, job: Job) -> None:
        job.result = block.tx.record("result")
        stated = job.result.blob("manifest_hash")
        self._require(
            hash_of(job.result.value("artifacts"), block.where) == stated,
            block,
            "manifest_hash is not that of the artifacts",
        )

    def _payout_claimed(self, block: Block, job: Job) -> None:
        tx = block.tx
        self._require(job.state in OVER, block, f"job {job.id} was {job.state}")
        job.paid.append(Paid(tx.principal("owner"), tx.nat("amount_e8s"), tx.nat("ledger_block")))


def _approval(entry: Fields, at_ns: int) -> Approval:
    state, inside = entry.variant("state")
    payload = inside.record(state) if state in inside else inside
    return Approval(
        dataset_id=entry.nat("dataset_id"),
        version=entry.nat("version"),
        owner=entry.principal("owner"),
        policy_version=entry.nat("policy_version"),
        price_e8s=entry.nat("price_e8s"),
        state=state,
        by=payload.text("by") if "by" in payload else None,
        workers=payload.principals("workers") if "workers" in payload else [],
        at_ns=at_ns,
    )
