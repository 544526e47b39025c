"""The cooperatives canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/cooperatives.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


class Parameters(TypedDict):
    treasury_bps: int
    voting_period_ns: int
    quiet_period_ns: int
    price_e8s: int


class CreateArgs(TypedDict):
    name: str
    parameters: Parameters
    job_id: int


class Cooperative(TypedDict):
    creator: Principal
    name: str
    created_at_ns: int
    job_id: int
    canister: Principal
    block: int
    inference: Principal


# One of: Invalid: str, Busy, NotAllowed: str, NotFound: str, AlreadyExists: Cooperative, Refused: str
CreateError: TypeAlias = "dict[str, Any]"


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


class CooperativeGetArgument(TypedDict):
    job_id: int


class CooperativesListArgument(TypedDict):
    start: int
    length: int


class CooperativesListResult(TypedDict):
    total: int
    cooperatives: list[Cooperative]


class CooperativeUpgradeArgument(TypedDict):
    module_hash: bytes


class Cooperatives(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("cooperatives", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Cooperatives:
        """The same canister, asked by another identity."""
        return Cooperatives(agent, self.canister_id)

    def cooperative_create(self, argument_0: CreateArgs, /) -> dict[str, Any]:
        """Update: any shareholder of a settled job, once a job."""
        result: dict[str, Any] = self.bound("cooperative_create")(argument_0)
        return result

    def cooperative_get(self, argument_0: CooperativeGetArgument, /, *, certified: bool = False) -> Cooperative | None:
        """Query."""
        result: Cooperative | None = self.bound("cooperative_get")(argument_0, certified=certified)
        return result

    def cooperatives_list(self, argument_0: CooperativesListArgument, /, *, certified: bool = False) -> CooperativesListResult:
        """Query."""
        result: CooperativesListResult = self.bound("cooperatives_list")(argument_0, certified=certified)
        return result

    def cooperative_upgrade(self, argument_0: CooperativeUpgradeArgument, /) -> dict[str, Any]:
        """Update: called by a cooperative whose owners voted for it; installs the class this factory carries, if it is the one voted for."""
        result: dict[str, Any] = self.bound("cooperative_upgrade")(argument_0)
        return result

    def class_hash(self, *, certified: bool = False) -> bytes:
        """Query: SHA-256 of that class: what an Upgrade proposal names."""
        result: bytes = self.bound("class_hash")(certified=certified)
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
