"""The registry canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/registry.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


Hash: TypeAlias = "bytes"


class VersionArgs(TypedDict):
    ciphertext_root: Hash
    size_bytes: int
    row_count: int
    mock_hash: Hash
    manifest_hash: Hash
    card_hash: Hash
    plaintext_commitment: Hash
    profile_hash: Hash
    schema_hash: Hash


class Version(TypedDict):
    registered_at_ns: int
    args: VersionArgs
    version: int
    block: int


class RegisterArgs(TypedDict):
    key: bytes
    title: str
    version: VersionArgs


# One of: Anyone, Principals: list[Principal]
Audience: TypeAlias = "dict[str, Any]"


# One of: Any, Listed: list[str]
Purposes: TypeAlias = "dict[str, Any]"


# One of: Any, Listed: list[Hash]
Code: TypeAlias = "dict[str, Any]"


# One of: Either, Federated, Central
Compute: TypeAlias = "dict[str, Any]"


# One of: Ask, AutoApprove, Deny
Decision: TypeAlias = "dict[str, Any]"


class PolicyTerms(TypedDict):
    decision: Decision
    max_uses: NotRequired[int | None]
    code: Code
    audience: Audience
    purposes: Purposes
    compute: Compute
    workers: list[Principal]
    max_epsilon_micros: NotRequired[int | None]
    price_e8s: int
    expires_at_ns: NotRequired[int | None]
    columns: NotRequired[list[str] | None]


class Policy(TypedDict):
    terms: PolicyTerms
    set_at_ns: int
    version: int
    block: int


# One of: Active, Withdrawn
DatasetState: TypeAlias = "dict[str, Any]"


class Dataset(TypedDict):
    id: int
    title: str
    registered_at_ns: int
    owner: Principal
    uses: int
    state: DatasetState
    block: int
    versions: list[Version]
    policy: NotRequired[Policy | None]


class RegistryErrorStale(TypedDict):
    current_version: int


class RegistryErrorNotOwner(TypedDict):
    owner: Principal


# One of: Invalid: str, Stale: RegistryErrorStale, NotAllowed: str, NotFound: str, Withdrawn, NotOwner: RegistryErrorNotOwner
RegistryError: TypeAlias = "dict[str, Any]"


class BlockResultOk(TypedDict):
    dataset_id: int
    version: int
    block: int


# One of: Ok: BlockResultOk, Err: RegistryError
BlockResult: TypeAlias = "dict[str, Any]"


class UseRequest(TypedDict):
    dataset_id: int
    builder: Principal
    version: int
    compute: Compute
    epsilon_micros: NotRequired[int | None]
    purpose: str
    code_hash: Hash


class Verdict(TypedDict):
    decision: Decision
    dataset_id: int
    owner: Principal
    workers: list[Principal]
    policy_version: int
    price_e8s: int
    reason: str


class TakeUse(TypedDict):
    dataset_id: int
    version: int
    policy_version: int


class TakeResultErr(TypedDict):
    dataset_id: int
    reason: str


# One of: Ok, Err: TakeResultErr
TakeResult: TypeAlias = "dict[str, Any]"


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


class DatasetAddVersionArgument(TypedDict):
    dataset_id: int
    version: VersionArgs


class PolicySetArgument(TypedDict):
    terms: PolicyTerms
    dataset_id: int
    expected_version: int


class DatasetsListArgument(TypedDict):
    start: int
    length: int


class DatasetsListResult(TypedDict):
    total: int
    datasets: list[Dataset]


class UsesTakeArgument(TypedDict):
    uses: list[TakeUse]
    job_id: int


class Registry(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("registry", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Registry:
        """The same canister, asked by another identity."""
        return Registry(agent, self.canister_id)

    def dataset_register(self, argument_0: RegisterArgs, /) -> BlockResult:
        """Update."""
        result: BlockResult = self.bound("dataset_register")(argument_0)
        return result

    def dataset_add_version(self, argument_0: DatasetAddVersionArgument, /) -> BlockResult:
        """Update."""
        result: BlockResult = self.bound("dataset_add_version")(argument_0)
        return result

    def policy_set(self, argument_0: PolicySetArgument, /) -> BlockResult:
        """Update: expected_version: the version this replaces, 0 for none."""
        result: BlockResult = self.bound("policy_set")(argument_0)
        return result

    def dataset_withdraw(self, argument_0: int, /) -> BlockResult:
        """Update."""
        result: BlockResult = self.bound("dataset_withdraw")(argument_0)
        return result

    def dataset_restore(self, argument_0: int, /) -> BlockResult:
        """Update."""
        result: BlockResult = self.bound("dataset_restore")(argument_0)
        return result

    def dataset_get(self, argument_0: int, /, *, certified: bool = False) -> Dataset | None:
        """Query."""
        result: Dataset | None = self.bound("dataset_get")(argument_0, certified=certified)
        return result

    def datasets_list(self, argument_0: DatasetsListArgument, /, *, certified: bool = False) -> DatasetsListResult:
        """Query."""
        result: DatasetsListResult = self.bound("datasets_list")(argument_0, certified=certified)
        return result

    def policy_preview(self, argument_0: UseRequest, /, *, certified: bool = False) -> Verdict | None:
        """Query: the policy simulator: changes nothing; null: no such dataset or version."""
        result: Verdict | None = self.bound("policy_preview")(argument_0, certified=certified)
        return result

    def policy_decide(self, argument_0: list[UseRequest], /) -> list[Verdict | None]:
        """Update: the jobs canister only."""
        result: list[Verdict | None] = self.bound("policy_decide")(argument_0)
        return result

    def uses_take(self, argument_0: UsesTakeArgument, /) -> TakeResult:
        """Update: the jobs canister only; all or nothing; the same job twice counts once."""
        result: TakeResult = self.bound("uses_take")(argument_0)
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
