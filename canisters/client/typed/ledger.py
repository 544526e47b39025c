"""The ledger canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/ledger.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


class Account(TypedDict):
    owner: Principal
    subaccount: NotRequired[bytes | None]


# One of: Int: int, Nat: int, Blob: bytes, Text: str
MetadataValue: TypeAlias = "dict[str, Any]"


class TransferArgs(TypedDict):
    to: Account
    fee: NotRequired[int | None]
    memo: NotRequired[bytes | None]
    from_subaccount: NotRequired[bytes | None]
    created_at_time: NotRequired[int | None]
    amount: int


class TransferErrorGenericError(TypedDict):
    message: str
    error_code: int


class TransferErrorBadBurn(TypedDict):
    min_burn_amount: int


class TransferErrorDuplicate(TypedDict):
    duplicate_of: int


class TransferErrorBadFee(TypedDict):
    expected_fee: int


class TransferErrorCreatedInFuture(TypedDict):
    ledger_time: int


class TransferErrorInsufficientFunds(TypedDict):
    balance: int


# One of: GenericError: TransferErrorGenericError, TemporarilyUnavailable, BadBurn: TransferErrorBadBurn, Duplicate: TransferErrorDuplicate, BadFee: TransferErrorBadFee, CreatedInFuture: TransferErrorCreatedInFuture, TooOld, InsufficientFunds: TransferErrorInsufficientFunds
TransferError: TypeAlias = "dict[str, Any]"


class ApproveArgs(TypedDict):
    fee: NotRequired[int | None]
    memo: NotRequired[bytes | None]
    from_subaccount: NotRequired[bytes | None]
    created_at_time: NotRequired[int | None]
    amount: int
    expected_allowance: NotRequired[int | None]
    expires_at: NotRequired[int | None]
    spender: Account


class ApproveErrorGenericError(TypedDict):
    message: str
    error_code: int


class ApproveErrorDuplicate(TypedDict):
    duplicate_of: int


class ApproveErrorBadFee(TypedDict):
    expected_fee: int


class ApproveErrorAllowanceChanged(TypedDict):
    current_allowance: int


class ApproveErrorCreatedInFuture(TypedDict):
    ledger_time: int


class ApproveErrorExpired(TypedDict):
    ledger_time: int


class ApproveErrorInsufficientFunds(TypedDict):
    balance: int


# One of: GenericError: ApproveErrorGenericError, TemporarilyUnavailable, Duplicate: ApproveErrorDuplicate, BadFee: ApproveErrorBadFee, AllowanceChanged: ApproveErrorAllowanceChanged, CreatedInFuture: ApproveErrorCreatedInFuture, TooOld, Expired: ApproveErrorExpired, InsufficientFunds: ApproveErrorInsufficientFunds
ApproveError: TypeAlias = "dict[str, Any]"


TransferFromArgs = TypedDict(
    "TransferFromArgs",
    {
        "to": "Account",
        "fee": "NotRequired[int | None]",
        "spender_subaccount": "NotRequired[bytes | None]",
        "from": "Account",
        "memo": "NotRequired[bytes | None]",
        "created_at_time": "NotRequired[int | None]",
        "amount": "int",
    },
)


class TransferFromErrorGenericError(TypedDict):
    message: str
    error_code: int


class TransferFromErrorInsufficientAllowance(TypedDict):
    allowance: int


class TransferFromErrorBadBurn(TypedDict):
    min_burn_amount: int


class TransferFromErrorDuplicate(TypedDict):
    duplicate_of: int


class TransferFromErrorBadFee(TypedDict):
    expected_fee: int


class TransferFromErrorCreatedInFuture(TypedDict):
    ledger_time: int


class TransferFromErrorInsufficientFunds(TypedDict):
    balance: int


# One of: GenericError: TransferFromErrorGenericError, TemporarilyUnavailable, InsufficientAllowance: TransferFromErrorInsufficientAllowance, BadBurn: TransferFromErrorBadBurn, Duplicate: TransferFromErrorDuplicate, BadFee: TransferFromErrorBadFee, CreatedInFuture: TransferFromErrorCreatedInFuture, TooOld, InsufficientFunds: TransferFromErrorInsufficientFunds
TransferFromError: TypeAlias = "dict[str, Any]"


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


class Icrc1SupportedStandardsResult(TypedDict):
    url: str
    name: str


class Icrc10SupportedStandardsResult(TypedDict):
    url: str
    name: str


class Icrc2AllowanceArgument(TypedDict):
    account: Account
    spender: Account


class Icrc2AllowanceResult(TypedDict):
    allowance: int
    expires_at: NotRequired[int | None]


class Ledger(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("ledger", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Ledger:
        """The same canister, asked by another identity."""
        return Ledger(agent, self.canister_id)

    def icrc1_name(self, *, certified: bool = False) -> str:
        """Query."""
        result: str = self.bound("icrc1_name")(certified=certified)
        return result

    def icrc1_symbol(self, *, certified: bool = False) -> str:
        """Query."""
        result: str = self.bound("icrc1_symbol")(certified=certified)
        return result

    def icrc1_decimals(self, *, certified: bool = False) -> int:
        """Query."""
        result: int = self.bound("icrc1_decimals")(certified=certified)
        return result

    def icrc1_fee(self, *, certified: bool = False) -> int:
        """Query."""
        result: int = self.bound("icrc1_fee")(certified=certified)
        return result

    def icrc1_metadata(self, *, certified: bool = False) -> list[tuple[str, MetadataValue]]:
        """Query."""
        result: list[tuple[str, MetadataValue]] = self.bound("icrc1_metadata")(certified=certified)
        return result

    def icrc1_total_supply(self, *, certified: bool = False) -> int:
        """Query."""
        result: int = self.bound("icrc1_total_supply")(certified=certified)
        return result

    def icrc1_minting_account(self, *, certified: bool = False) -> Account | None:
        """Query."""
        result: Account | None = self.bound("icrc1_minting_account")(certified=certified)
        return result

    def icrc1_balance_of(self, argument_0: Account, /, *, certified: bool = False) -> int:
        """Query."""
        result: int = self.bound("icrc1_balance_of")(argument_0, certified=certified)
        return result

    def icrc1_transfer(self, argument_0: TransferArgs, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("icrc1_transfer")(argument_0)
        return result

    def icrc1_supported_standards(self, *, certified: bool = False) -> list[Icrc1SupportedStandardsResult]:
        """Query."""
        result: list[Icrc1SupportedStandardsResult] = self.bound("icrc1_supported_standards")(certified=certified)
        return result

    def icrc10_supported_standards(self, *, certified: bool = False) -> list[Icrc10SupportedStandardsResult]:
        """Query."""
        result: list[Icrc10SupportedStandardsResult] = self.bound("icrc10_supported_standards")(certified=certified)
        return result

    def icrc2_approve(self, argument_0: ApproveArgs, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("icrc2_approve")(argument_0)
        return result

    def icrc2_allowance(self, argument_0: Icrc2AllowanceArgument, /, *, certified: bool = False) -> Icrc2AllowanceResult:
        """Query."""
        result: Icrc2AllowanceResult = self.bound("icrc2_allowance")(argument_0, certified=certified)
        return result

    def icrc2_transfer_from(self, argument_0: TransferFromArgs, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("icrc2_transfer_from")(argument_0)
        return result

    def faucet_claim(self) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("faucet_claim")()
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
