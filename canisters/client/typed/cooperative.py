"""The cooperative canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/cooperative.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


Hash: TypeAlias = "bytes"


class Holder(TypedDict):
    shares: int
    owner: Principal


class Parameters(TypedDict):
    treasury_bps: int
    voting_period_ns: int
    quiet_period_ns: int
    price_e8s: int


class ChunkInfo(TypedDict):
    sha256: Hash
    size_bytes: int


class TensorBlob(TypedDict):
    data: bytes
    name: str
    shape: list[int]
    dtype: str


class EqualityVector(TypedDict):
    inputs: list[TensorBlob]
    outputs: list[TensorBlob]


class Metric(TypedDict):
    name: str
    value_ppm: int


class ReleaseManifest(TypedDict):
    title: str
    transcript_hash: Hash
    wasm_chunks: list[ChunkInfo]
    metrics: list[Metric]
    weight_chunks: list[ChunkInfo]
    wasm_sha256: Hash
    tolerance_e9: int
    onnx_sha256: Hash
    job_id: int
    estimated_instructions: int
    card_hash: Hash
    equality: list[EqualityVector]


class ProposalKindUpgrade(TypedDict):
    module_hash: Hash


class ProposalKindTreasuryTransfer(TypedDict):
    to: Principal
    amount_e8s: int


# One of: Release: ReleaseManifest, Upgrade: ProposalKindUpgrade, Parameters: Parameters, TreasuryTransfer: ProposalKindTreasuryTransfer
ProposalKind: TypeAlias = "dict[str, Any]"


# One of: Failed: str, Live, Superseded, Installing, Rejected, Executed, Voting, Adopted
ProposalState: TypeAlias = "dict[str, Any]"


class Ballot(TypedDict):
    shares: int
    at_ns: int
    owner: Principal
    vote: NotRequired[bool | None]


class Proposal(TypedDict):
    id: int
    no: int
    yes: int
    title: str
    total: int
    submitted_at_ns: int
    ballots: list[Ballot]
    decided_at_ns: NotRequired[int | None]
    kind: ProposalKind
    wasm_staged: list[int]
    manifest_hash: NotRequired[Hash | None]
    summary: str
    state: ProposalState
    deadline_ns: int
    weights_staged: list[int]
    critical: bool
    proposer: Principal
    block: int


class ProposalArgs(TypedDict):
    title: str
    kind: ProposalKind
    summary: str


class CoopErrorPriceChanged(TypedDict):
    price_e8s: int


class CoopErrorWrongHash(TypedDict):
    got: Hash
    expected: Hash


# One of: AlreadyVoted, Invalid: str, NotLive, Busy, UnknownChunk, NotAllowed: str, Closed: str, NotFound: str, PriceChanged: CoopErrorPriceChanged, Inference: str, WrongHash: CoopErrorWrongHash, Payment: str, Refused: str, NoShares
CoopError: TypeAlias = "dict[str, Any]"


# One of: Ok: Proposal, Err: CoopError
ProposalResult: TypeAlias = "dict[str, Any]"


class Live(TypedDict):
    title: str
    max_abs_error_e9: int
    wasm_sha256: Hash
    manifest_hash: Hash
    live_at_ns: int
    proposal_id: int
    block: int


class Info(TypedDict):
    revenue_e8s: int
    treasury_e8s: int
    jobs: Principal
    live: NotRequired[Live | None]
    name: str
    parameters: Parameters
    job_id: int
    ledger: Principal
    factory: Principal
    holders: list[Holder]
    proposals: int
    inference: NotRequired[Principal | None]
    paid_calls: int


class Part(TypedDict):
    owner: Principal
    amount_e8s: int


class InferReceipt(TypedDict):
    ledger_block: int
    instructions: int
    manifest_hash: Hash
    block: int
    parts: list[Part]
    price_e8s: int
    outputs: list[TensorBlob]


class Account(TypedDict):
    owner: Principal
    subaccount: NotRequired[bytes | None]


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


class ProposalVoteArgument(TypedDict):
    yes: bool
    proposal_id: int


class ProposalsListArgument(TypedDict):
    start: int
    length: int


class ProposalsListResult(TypedDict):
    total: int
    proposals: list[Proposal]


class ChunkUploadArgument(TypedDict):
    data: bytes
    part: dict[str, Any]
    proposal_id: int
    index: int


class InferArgument(TypedDict):
    max_price_e8s: int
    inputs: list[TensorBlob]


class Icrc1TransferArgument(TypedDict):
    to: Account
    fee: NotRequired[int | None]
    memo: NotRequired[bytes | None]
    from_subaccount: NotRequired[bytes | None]
    created_at_time: NotRequired[int | None]
    amount: int


class Cooperative(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("cooperative", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Cooperative:
        """The same canister, asked by another identity."""
        return Cooperative(agent, self.canister_id)

    def info(self, *, certified: bool = False) -> Info:
        """Query."""
        result: Info = self.bound("info")(certified=certified)
        return result

    def found(self) -> dict[str, Any]:
        """Update: anybody, idempotent: creates the inference canister, with this cooperative as its only controller."""
        result: dict[str, Any] = self.bound("found")()
        return result

    def proposal_submit(self, argument_0: ProposalArgs, /) -> ProposalResult:
        """Update: a holder."""
        result: ProposalResult = self.bound("proposal_submit")(argument_0)
        return result

    def proposal_vote(self, argument_0: ProposalVoteArgument, /) -> ProposalResult:
        """Update."""
        result: ProposalResult = self.bound("proposal_vote")(argument_0)
        return result

    def proposal_execute(self, argument_0: int, /) -> ProposalResult:
        """Update: anybody: closes what is due and carries out what is adopted; idempotent."""
        result: ProposalResult = self.bound("proposal_execute")(argument_0)
        return result

    def proposal_get(self, argument_0: int, /, *, certified: bool = False) -> Proposal | None:
        """Query."""
        result: Proposal | None = self.bound("proposal_get")(argument_0, certified=certified)
        return result

    def proposals_list(self, argument_0: ProposalsListArgument, /, *, certified: bool = False) -> ProposalsListResult:
        """Query."""
        result: ProposalsListResult = self.bound("proposals_list")(argument_0, certified=certified)
        return result

    def chunk_upload(self, argument_0: ChunkUploadArgument, /) -> dict[str, Any]:
        """Update: anybody: only what the manifest names."""
        result: dict[str, Any] = self.bound("chunk_upload")(argument_0)
        return result

    def infer(self, argument_0: InferArgument, /) -> dict[str, Any]:
        """Update: draws the price from the caller by ICRC-2, asks the inference canister, splits the price; a failed answer gives the price back (claimable)."""
        result: dict[str, Any] = self.bound("infer")(argument_0)
        return result

    def claimable(self, argument_0: Principal, /, *, certified: bool = False) -> int:
        """Query."""
        result: int = self.bound("claimable")(argument_0, certified=certified)
        return result

    def revenue_claim(self) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("revenue_claim")()
        return result

    def icrc1_total_supply(self, *, certified: bool = False) -> int:
        """Query."""
        result: int = self.bound("icrc1_total_supply")(certified=certified)
        return result

    def icrc1_balance_of(self, argument_0: Account, /, *, certified: bool = False) -> int:
        """Query."""
        result: int = self.bound("icrc1_balance_of")(argument_0, certified=certified)
        return result

    def icrc1_transfer(self, argument_0: Icrc1TransferArgument, /) -> dict[str, Any]:
        """Update: shares; ballots of open proposals keep their snapshot."""
        result: dict[str, Any] = self.bound("icrc1_transfer")(argument_0)
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
