"""The jobs canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/jobs.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


Hash: TypeAlias = "bytes"


# One of: Federated, Central
Compute: TypeAlias = "dict[str, Any]"


class Terms(TypedDict):
    contributors_bps: int
    builder_bps: int
    valuation: str
    worker_bps: int


class JobArgs(TypedDict):
    key: bytes
    terms: Terms
    title: str
    approve_by_ns: int
    worker_fee_e8s: int
    seed: int
    finish_by_ns: int
    budget_e8s: int
    compute: Compute
    epsilon_micros: NotRequired[int | None]
    datasets: list[JobArgsDatasets]
    worker: NotRequired[Principal | None]
    config_hash: Hash
    purpose: str
    code_hash: Hash
    recipe: str


class JobArgsDatasets(TypedDict):
    dataset_id: int
    version: int


# One of: Policy, Owner
DecidedBy: TypeAlias = "dict[str, Any]"


class ApprovalStateApproved(TypedDict):
    by: DecidedBy
    workers: list[Principal]


class ApprovalStateDenied(TypedDict):
    by: DecidedBy
    reason: str


class ApprovalStateRevoked(TypedDict):
    reason: str


# One of: Approved: ApprovalStateApproved, Denied: ApprovalStateDenied, Revoked: ApprovalStateRevoked, Pending
ApprovalState: TypeAlias = "dict[str, Any]"


class Approval(TypedDict):
    dataset_id: int
    at_ns: int
    owner: Principal
    version: int
    state: ApprovalState
    block: int
    policy_version: int
    price_e8s: int


class JobStateFailed(TypedDict):
    kind: str
    reason: str


# One of: Failed: JobStateFailed, Claimed, Approved, Proposed, Denied, Funded, Running, Cancelled, Submitted, Expired, Settled
JobState: TypeAlias = "dict[str, Any]"


class Metric(TypedDict):
    name: str
    value_ppm: int


class Artifact(TypedDict):
    sha256: Hash
    name: str
    size_bytes: int


class Attribution(TypedDict):
    dataset_id: int
    high_ppm: int
    value_ppm: int
    low_ppm: int


class Result(TypedDict):
    transcript_hash: Hash
    utility: str
    metrics: list[Metric]
    artifacts: list[Artifact]
    manifest_hash: Hash
    attribution: list[Attribution]


class RoleContributor(TypedDict):
    dataset_id: int


# One of: Builder, Contributor: RoleContributor, Worker
Role: TypeAlias = "dict[str, Any]"


class Share(TypedDict):
    owner: Principal
    role: Role
    share_bps: int


class PayoutKindPrice(TypedDict):
    dataset_id: int


# One of: Refund, WorkerFee, Price: PayoutKindPrice
PayoutKind: TypeAlias = "dict[str, Any]"


class Payout(TypedDict):
    owner: Principal
    kind: PayoutKind
    amount_e8s: int
    claimed_block: NotRequired[int | None]


class Job(TypedDict):
    id: int
    result: NotRequired[Result | None]
    shares: list[Share]
    proposed_at_ns: int
    args: JobArgs
    updated_at_ns: int
    escrow_e8s: int
    builder: Principal
    state: JobState
    block: int
    lease_until_ns: int
    worker: NotRequired[Principal | None]
    payouts: list[Payout]
    approvals: list[Approval]
    reason: str


class Worker(TypedDict):
    principal: Principal
    registered_at_ns: int
    name: str
    encryption_key: bytes


class JobErrorNotBuilder(TypedDict):
    builder: Principal


class JobErrorWrongState(TypedDict):
    needed: str
    state: JobState


class JobErrorNotFunded(TypedDict):
    needed_e8s: int
    reason: str


class JobErrorNotOwner(TypedDict):
    owner: Principal


# One of: Invalid: str, Busy, NotAllowed: str, NotBuilder: JobErrorNotBuilder, WrongState: JobErrorWrongState, NotFound: str, NotFunded: JobErrorNotFunded, NotOwner: JobErrorNotOwner, Refused: str, NotWorker: str
JobError: TypeAlias = "dict[str, Any]"


# One of: Ok: Job, Err: JobError
JobResult: TypeAlias = "dict[str, Any]"


# One of: Int: int, Map: list[tuple[str, Value]], Nat: int, Blob: bytes, Text: str, Array: list[Value]
Value: TypeAlias = "dict[str, Any]"


class GetBlocksArgsType(TypedDict):
    start: int
    length: int


GetBlocksArgs: TypeAlias = "list[GetBlocksArgsType]"


class GetBlocksResult(TypedDict):
    log_length: int
    blocks: list[GetBlocksResultBlocks]
    archived_blocks: list[GetBlocksResultArchivedBlocks]


class GetBlocksResultBlocks(TypedDict):
    id: int
    block: Value


class GetBlocksResultArchivedBlocks(TypedDict):
    args: GetBlocksArgs
    callback: tuple[Principal, str]


class DataCertificate(TypedDict):
    certificate: bytes
    hash_tree: bytes


GetArchivesArgs = TypedDict(
    "GetArchivesArgs",
    {
        "from": "NotRequired[Principal | None]",
    },
)


class GetArchivesResultType(TypedDict):
    end: int
    canister_id: Principal
    start: int


GetArchivesResult: TypeAlias = "list[GetArchivesResultType]"


class SupportedBlockType(TypedDict):
    url: str
    block_type: str


class WorkerRegisterArgument(TypedDict):
    name: str
    encryption_key: bytes


class JobApproveArgument(TypedDict):
    dataset_id: int
    job_id: int
    workers: list[Principal]
    policy_version: int


class JobDenyArgument(TypedDict):
    dataset_id: int
    job_id: int
    reason: str


class JobRevokeArgument(TypedDict):
    dataset_id: int
    job_id: int
    reason: str


class JobSubmitArgument(TypedDict):
    result: Result
    job_id: int


class JobFailArgument(TypedDict):
    kind: str
    job_id: int
    reason: str


class JobsListArgument(TypedDict):
    start: int
    length: int


class JobsListResult(TypedDict):
    total: int
    jobs: list[Job]


class Jobs(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("jobs", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Jobs:
        """The same canister, asked by another identity."""
        return Jobs(agent, self.canister_id)

    def worker_register(self, argument_0: WorkerRegisterArgument, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("worker_register")(argument_0)
        return result

    def workers_list(self, *, certified: bool = False) -> list[Worker]:
        """Query."""
        result: list[Worker] = self.bound("workers_list")(certified=certified)
        return result

    def job_propose(self, argument_0: JobArgs, /) -> JobResult:
        """Update."""
        result: JobResult = self.bound("job_propose")(argument_0)
        return result

    def job_approve(self, argument_0: JobApproveArgument, /) -> JobResult:
        """Update."""
        result: JobResult = self.bound("job_approve")(argument_0)
        return result

    def job_deny(self, argument_0: JobDenyArgument, /) -> JobResult:
        """Update."""
        result: JobResult = self.bound("job_deny")(argument_0)
        return result

    def job_revoke(self, argument_0: JobRevokeArgument, /) -> JobResult:
        """Update: until claimed."""
        result: JobResult = self.bound("job_revoke")(argument_0)
        return result

    def job_fund(self, argument_0: int, /) -> JobResult:
        """Update: draws budget_e8s from the builder by ICRC-2 into the job's escrow subaccount."""
        result: JobResult = self.bound("job_fund")(argument_0)
        return result

    def job_cancel(self, argument_0: int, /) -> JobResult:
        """Update: the builder, until claimed."""
        result: JobResult = self.bound("job_cancel")(argument_0)
        return result

    def job_expire(self, argument_0: int, /) -> JobResult:
        """Update: anybody, after a deadline."""
        result: JobResult = self.bound("job_expire")(argument_0)
        return result

    def job_claim(self, argument_0: int, /) -> JobResult:
        """Update."""
        result: JobResult = self.bound("job_claim")(argument_0)
        return result

    def job_renew(self, argument_0: int, /) -> JobResult:
        """Update: the claiming worker extends its lease."""
        result: JobResult = self.bound("job_renew")(argument_0)
        return result

    def job_start(self, argument_0: int, /) -> JobResult:
        """Update."""
        result: JobResult = self.bound("job_start")(argument_0)
        return result

    def job_submit(self, argument_0: JobSubmitArgument, /) -> JobResult:
        """Update."""
        result: JobResult = self.bound("job_submit")(argument_0)
        return result

    def job_fail(self, argument_0: JobFailArgument, /) -> JobResult:
        """Update."""
        result: JobResult = self.bound("job_fail")(argument_0)
        return result

    def job_settle(self, argument_0: int, /) -> JobResult:
        """Update: anybody, once submitted: computes shares and payouts."""
        result: JobResult = self.bound("job_settle")(argument_0)
        return result

    def payout_claim(self, argument_0: int, /) -> dict[str, Any]:
        """Update: all that the caller can take out of this job."""
        result: dict[str, Any] = self.bound("payout_claim")(argument_0)
        return result

    def job_get(self, argument_0: int, /, *, certified: bool = False) -> Job | None:
        """Query."""
        result: Job | None = self.bound("job_get")(argument_0, certified=certified)
        return result

    def jobs_list(self, argument_0: JobsListArgument, /, *, certified: bool = False) -> JobsListResult:
        """Query."""
        result: JobsListResult = self.bound("jobs_list")(argument_0, certified=certified)
        return result

    def requests_for(self, argument_0: Principal, /, *, certified: bool = False) -> list[Job]:
        """Query: jobs that wait for this owner's word."""
        result: list[Job] = self.bound("requests_for")(argument_0, certified=certified)
        return result

    def icrc3_get_blocks(self, argument_0: GetBlocksArgs, /, *, certified: bool = False) -> GetBlocksResult:
        """Query."""
        result: GetBlocksResult = self.bound("icrc3_get_blocks")(argument_0, certified=certified)
        return result

    def icrc3_get_tip_certificate(self, *, certified: bool = False) -> DataCertificate | None:
        """Query."""
        result: DataCertificate | None = self.bound("icrc3_get_tip_certificate")(certified=certified)
        return result

    def icrc3_get_archives(self, argument_0: GetArchivesArgs, /, *, certified: bool = False) -> GetArchivesResult:
        """Query."""
        result: GetArchivesResult = self.bound("icrc3_get_archives")(argument_0, certified=certified)
        return result

    def icrc3_supported_block_types(self, *, certified: bool = False) -> list[SupportedBlockType]:
        """Query."""
        result: list[SupportedBlockType] = self.bound("icrc3_supported_block_types")(certified=certified)
        return result
