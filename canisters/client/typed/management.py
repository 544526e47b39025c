"""The management canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/management.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


CanisterId: TypeAlias = "Principal"


# One of: controllers, public, allowed_viewers: list[Principal]
Visibility: TypeAlias = "dict[str, Any]"


class EnvironmentVariable(TypedDict):
    value: str
    name: str


class CanisterSettings(TypedDict):
    freezing_threshold: NotRequired[int | None]
    wasm_memory_threshold: NotRequired[int | None]
    environment_variables: NotRequired[list[EnvironmentVariable] | None]
    controllers: NotRequired[list[Principal] | None]
    reserved_cycles_limit: NotRequired[int | None]
    log_visibility: NotRequired[Visibility | None]
    snapshot_visibility: NotRequired[Visibility | None]
    wasm_memory_limit: NotRequired[int | None]
    status_visibility: NotRequired[Visibility | None]
    memory_allocation: NotRequired[int | None]
    compute_allocation: NotRequired[int | None]


class DefiniteCanisterSettings(TypedDict):
    freezing_threshold: int
    wasm_memory_threshold: int
    environment_variables: list[EnvironmentVariable]
    controllers: list[Principal]
    minimum_incoming_canister_call_cycles: int
    reserved_cycles_limit: int
    log_visibility: Visibility
    log_memory_limit: int
    snapshot_visibility: Visibility
    wasm_memory_limit: int
    status_visibility: Visibility
    memory_allocation: int
    compute_allocation: int


# One of: metadata_upload, taken_from_canister
SnapshotSource: TypeAlias = "dict[str, Any]"


class Snapshot(TypedDict):
    id: bytes
    total_size: int
    taken_at_timestamp: int


# One of: f32: float, f64: float, i32: int, i64: int, v128: int
SnapshotGlobal: TypeAlias = "dict[str, Any]"


class EcdsaKeyId(TypedDict):
    name: str
    curve: dict[str, Any]


class SchnorrKeyId(TypedDict):
    algorithm: dict[str, Any]
    name: str


class VetkdKeyId(TypedDict):
    name: str
    curve: dict[str, Any]


class HttpResponse(TypedDict):
    status: int
    body: bytes
    headers: list[HttpResponseHeaders]


class HttpResponseHeaders(TypedDict):
    value: str
    name: str


# One of: active: int, inactive
CanisterTimer: TypeAlias = "dict[str, Any]"


# One of: condition_not_satisfied, executed, ready
LowMemoryHook: TypeAlias = "dict[str, Any]"


class ChangeOriginFromUser(TypedDict):
    user_id: Principal


class ChangeOriginFromCanister(TypedDict):
    canister_version: NotRequired[int | None]
    canister_id: Principal


# One of: from_user: ChangeOriginFromUser, from_canister: ChangeOriginFromCanister
ChangeOrigin: TypeAlias = "dict[str, Any]"


class ChangeDetailsCreation(TypedDict):
    controllers: list[Principal]
    environment_variables_hash: NotRequired[bytes | None]


class ChangeDetailsCodeDeployment(TypedDict):
    mode: dict[str, Any]
    module_hash: bytes


class ChangeDetailsLoadSnapshot(TypedDict):
    canister_version: int
    source: SnapshotSource
    from_canister_id: NotRequired[Principal | None]
    taken_at_timestamp: int
    snapshot_id: bytes


class ChangeDetailsControllersChange(TypedDict):
    controllers: list[Principal]


# One of: creation: ChangeDetailsCreation, code_deployment: ChangeDetailsCodeDeployment, load_snapshot: ChangeDetailsLoadSnapshot, controllers_change: ChangeDetailsControllersChange, code_uninstall
ChangeDetails: TypeAlias = "dict[str, Any]"


class Change(TypedDict):
    timestamp_nanos: int
    canister_version: int
    origin: ChangeOrigin
    details: ChangeDetails


class ChunkHash(TypedDict):
    hash: bytes


WasmModule: TypeAlias = "bytes"


class InstallModeUpgrade(TypedDict):
    wasm_memory_persistence: NotRequired[dict[str, Any] | None]
    skip_pre_upgrade: NotRequired[bool | None]


# One of: reinstall, upgrade: InstallModeUpgrade | None, install
InstallMode: TypeAlias = "dict[str, Any]"


class StatusResult(TypedDict):
    memory_metrics: StatusResultMemoryMetrics
    status: dict[str, Any]
    memory_size: int
    ready_for_migration: bool
    version: int
    cycles: int
    settings: DefiniteCanisterSettings
    query_stats: StatusResultQueryStats
    idle_cycles_burned_per_day: int
    module_hash: NotRequired[bytes | None]
    reserved_cycles: int


class StatusResultMemoryMetrics(TypedDict):
    wasm_binary_size: int
    log_memory_store_size: int
    wasm_chunk_store_size: int
    canister_history_size: int
    stable_memory_size: int
    snapshots_size: int
    wasm_memory_size: int
    global_memory_size: int
    custom_sections_size: int


class StatusResultQueryStats(TypedDict):
    response_payload_bytes_total: int
    num_instructions_total: int
    num_calls_total: int
    request_payload_bytes_total: int


class CreateCanisterArgument(TypedDict):
    settings: NotRequired[CanisterSettings | None]
    sender_canister_version: NotRequired[int | None]


class CreateCanisterResult(TypedDict):
    canister_id: CanisterId


class ProvisionalCreateCanisterWithCyclesArgument(TypedDict):
    settings: NotRequired[CanisterSettings | None]
    specified_id: NotRequired[Principal | None]
    amount: NotRequired[int | None]
    sender_canister_version: NotRequired[int | None]


class ProvisionalCreateCanisterWithCyclesResult(TypedDict):
    canister_id: CanisterId


class ProvisionalTopUpCanisterArgument(TypedDict):
    canister_id: CanisterId
    amount: int


class UpdateSettingsArgument(TypedDict):
    canister_id: CanisterId
    settings: CanisterSettings
    sender_canister_version: NotRequired[int | None]


class UploadChunkArgument(TypedDict):
    chunk: bytes
    canister_id: CanisterId


class ClearChunkStoreArgument(TypedDict):
    canister_id: CanisterId


class StoredChunksArgument(TypedDict):
    canister_id: CanisterId


class InstallCodeArgument(TypedDict):
    arg: bytes
    wasm_module: WasmModule
    mode: InstallMode
    canister_id: CanisterId
    sender_canister_version: NotRequired[int | None]


class InstallChunkedCodeArgument(TypedDict):
    arg: bytes
    wasm_module_hash: bytes
    mode: InstallMode
    chunk_hashes_list: list[ChunkHash]
    target_canister: CanisterId
    store_canister: NotRequired[CanisterId | None]
    sender_canister_version: NotRequired[int | None]


class UninstallCodeArgument(TypedDict):
    canister_id: CanisterId
    sender_canister_version: NotRequired[int | None]


class StartCanisterArgument(TypedDict):
    canister_id: CanisterId


class StopCanisterArgument(TypedDict):
    canister_id: CanisterId


class DeleteCanisterArgument(TypedDict):
    canister_id: CanisterId


class CanisterStatusArgument(TypedDict):
    canister_id: CanisterId


class CanisterInfoArgument(TypedDict):
    canister_id: CanisterId
    num_requested_changes: NotRequired[int | None]


class CanisterInfoResult(TypedDict):
    controllers: list[Principal]
    module_hash: NotRequired[bytes | None]
    recent_changes: list[Change]
    total_num_changes: int


class DepositCyclesArgument(TypedDict):
    canister_id: CanisterId


class TakeCanisterSnapshotArgument(TypedDict):
    replace_snapshot: NotRequired[bytes | None]
    canister_id: CanisterId
    uninstall_code: NotRequired[bool | None]
    sender_canister_version: NotRequired[int | None]


class LoadCanisterSnapshotArgument(TypedDict):
    canister_id: CanisterId
    sender_canister_version: NotRequired[int | None]
    snapshot_id: bytes


class ListCanisterSnapshotsArgument(TypedDict):
    canister_id: CanisterId


class DeleteCanisterSnapshotArgument(TypedDict):
    canister_id: CanisterId
    snapshot_id: bytes


class ReadCanisterSnapshotMetadataArgument(TypedDict):
    canister_id: CanisterId
    snapshot_id: bytes


class ReadCanisterSnapshotMetadataResult(TypedDict):
    globals: list[SnapshotGlobal]
    canister_version: int
    source: SnapshotSource
    certified_data: bytes
    global_timer: NotRequired[CanisterTimer | None]
    on_low_wasm_memory_hook_status: NotRequired[LowMemoryHook | None]
    wasm_module_size: int
    stable_memory_size: int
    wasm_chunk_store: list[ChunkHash]
    taken_at_timestamp: int
    wasm_memory_size: int


class ReadCanisterSnapshotDataArgument(TypedDict):
    kind: dict[str, Any]
    canister_id: CanisterId
    snapshot_id: bytes


class ReadCanisterSnapshotDataResult(TypedDict):
    chunk: bytes


class UploadCanisterSnapshotMetadataArgument(TypedDict):
    globals: list[SnapshotGlobal]
    replace_snapshot: NotRequired[bytes | None]
    certified_data: bytes
    global_timer: NotRequired[CanisterTimer | None]
    on_low_wasm_memory_hook_status: NotRequired[LowMemoryHook | None]
    wasm_module_size: int
    canister_id: CanisterId
    stable_memory_size: int
    wasm_memory_size: int


class UploadCanisterSnapshotMetadataResult(TypedDict):
    snapshot_id: bytes


class UploadCanisterSnapshotDataArgument(TypedDict):
    chunk: bytes
    kind: dict[str, Any]
    canister_id: CanisterId
    snapshot_id: bytes


class EcdsaPublicKeyArgument(TypedDict):
    key_id: EcdsaKeyId
    canister_id: NotRequired[CanisterId | None]
    derivation_path: list[bytes]


class EcdsaPublicKeyResult(TypedDict):
    public_key: bytes
    chain_code: bytes


class SignWithEcdsaArgument(TypedDict):
    key_id: EcdsaKeyId
    derivation_path: list[bytes]
    message_hash: bytes


class SignWithEcdsaResult(TypedDict):
    signature: bytes


class SchnorrPublicKeyArgument(TypedDict):
    key_id: SchnorrKeyId
    canister_id: NotRequired[CanisterId | None]
    derivation_path: list[bytes]


class SchnorrPublicKeyResult(TypedDict):
    public_key: bytes
    chain_code: bytes


class SignWithSchnorrArgument(TypedDict):
    aux: NotRequired[dict[str, Any] | None]
    key_id: SchnorrKeyId
    derivation_path: list[bytes]
    message: bytes


class SignWithSchnorrResult(TypedDict):
    signature: bytes


class VetkdPublicKeyArgument(TypedDict):
    context: bytes
    key_id: VetkdKeyId
    canister_id: NotRequired[CanisterId | None]


class VetkdPublicKeyResult(TypedDict):
    public_key: bytes


class VetkdDeriveKeyArgument(TypedDict):
    context: bytes
    key_id: VetkdKeyId
    input: bytes
    transport_public_key: bytes


class VetkdDeriveKeyResult(TypedDict):
    encrypted_key: bytes


class HttpRequestArgument(TypedDict):
    url: str
    method: dict[str, Any]
    max_response_bytes: NotRequired[int | None]
    body: NotRequired[bytes | None]
    transform: NotRequired[HttpRequestArgumentTransform | None]
    headers: list[HttpRequestArgumentHeaders]
    is_replicated: NotRequired[bool | None]


class HttpRequestArgumentTransform(TypedDict):
    function: tuple[Principal, str]
    context: bytes


class HttpRequestArgumentHeaders(TypedDict):
    value: str
    name: str


class FetchCanisterLogsArgument(TypedDict):
    canister_id: CanisterId


class FetchCanisterLogsResult(TypedDict):
    canister_log_records: list[FetchCanisterLogsResultCanisterLogRecords]


class FetchCanisterLogsResultCanisterLogRecords(TypedDict):
    idx: int
    timestamp_nanos: int
    content: bytes


class Management(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("management", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Management:
        """The same canister, asked by another identity."""
        return Management(agent, self.canister_id)

    def create_canister(self, argument_0: CreateCanisterArgument, /, *, effective_canister_id: Principal) -> CreateCanisterResult:
        """Update."""
        result: CreateCanisterResult = self.bound("create_canister")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def provisional_create_canister_with_cycles(self, argument_0: ProvisionalCreateCanisterWithCyclesArgument, /, *, effective_canister_id: Principal) -> ProvisionalCreateCanisterWithCyclesResult:
        """Update."""
        result: ProvisionalCreateCanisterWithCyclesResult = self.bound("provisional_create_canister_with_cycles")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def provisional_top_up_canister(self, argument_0: ProvisionalTopUpCanisterArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("provisional_top_up_canister")(argument_0, effective_canister_id=effective_canister_id)

    def update_settings(self, argument_0: UpdateSettingsArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("update_settings")(argument_0, effective_canister_id=effective_canister_id)

    def upload_chunk(self, argument_0: UploadChunkArgument, /, *, effective_canister_id: Principal) -> ChunkHash:
        """Update."""
        result: ChunkHash = self.bound("upload_chunk")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def clear_chunk_store(self, argument_0: ClearChunkStoreArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("clear_chunk_store")(argument_0, effective_canister_id=effective_canister_id)

    def stored_chunks(self, argument_0: StoredChunksArgument, /, *, effective_canister_id: Principal) -> list[ChunkHash]:
        """Update."""
        result: list[ChunkHash] = self.bound("stored_chunks")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def install_code(self, argument_0: InstallCodeArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("install_code")(argument_0, effective_canister_id=effective_canister_id)

    def install_chunked_code(self, argument_0: InstallChunkedCodeArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("install_chunked_code")(argument_0, effective_canister_id=effective_canister_id)

    def uninstall_code(self, argument_0: UninstallCodeArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("uninstall_code")(argument_0, effective_canister_id=effective_canister_id)

    def start_canister(self, argument_0: StartCanisterArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("start_canister")(argument_0, effective_canister_id=effective_canister_id)

    def stop_canister(self, argument_0: StopCanisterArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("stop_canister")(argument_0, effective_canister_id=effective_canister_id)

    def delete_canister(self, argument_0: DeleteCanisterArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("delete_canister")(argument_0, effective_canister_id=effective_canister_id)

    def canister_status(self, argument_0: CanisterStatusArgument, /, *, effective_canister_id: Principal) -> StatusResult:
        """Update."""
        result: StatusResult = self.bound("canister_status")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def canister_info(self, argument_0: CanisterInfoArgument, /, *, effective_canister_id: Principal) -> CanisterInfoResult:
        """Update."""
        result: CanisterInfoResult = self.bound("canister_info")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def deposit_cycles(self, argument_0: DepositCyclesArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("deposit_cycles")(argument_0, effective_canister_id=effective_canister_id)

    def raw_rand(self, *, effective_canister_id: Principal) -> bytes:
        """Update."""
        result: bytes = self.bound("raw_rand")(effective_canister_id=effective_canister_id)
        return result

    def take_canister_snapshot(self, argument_0: TakeCanisterSnapshotArgument, /, *, effective_canister_id: Principal) -> Snapshot:
        """Update."""
        result: Snapshot = self.bound("take_canister_snapshot")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def load_canister_snapshot(self, argument_0: LoadCanisterSnapshotArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("load_canister_snapshot")(argument_0, effective_canister_id=effective_canister_id)

    def list_canister_snapshots(self, argument_0: ListCanisterSnapshotsArgument, /, *, effective_canister_id: Principal) -> list[Snapshot]:
        """Update."""
        result: list[Snapshot] = self.bound("list_canister_snapshots")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def delete_canister_snapshot(self, argument_0: DeleteCanisterSnapshotArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("delete_canister_snapshot")(argument_0, effective_canister_id=effective_canister_id)

    def read_canister_snapshot_metadata(self, argument_0: ReadCanisterSnapshotMetadataArgument, /, *, effective_canister_id: Principal) -> ReadCanisterSnapshotMetadataResult:
        """Update."""
        result: ReadCanisterSnapshotMetadataResult = self.bound("read_canister_snapshot_metadata")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def read_canister_snapshot_data(self, argument_0: ReadCanisterSnapshotDataArgument, /, *, effective_canister_id: Principal) -> ReadCanisterSnapshotDataResult:
        """Update."""
        result: ReadCanisterSnapshotDataResult = self.bound("read_canister_snapshot_data")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def upload_canister_snapshot_metadata(self, argument_0: UploadCanisterSnapshotMetadataArgument, /, *, effective_canister_id: Principal) -> UploadCanisterSnapshotMetadataResult:
        """Update."""
        result: UploadCanisterSnapshotMetadataResult = self.bound("upload_canister_snapshot_metadata")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def upload_canister_snapshot_data(self, argument_0: UploadCanisterSnapshotDataArgument, /, *, effective_canister_id: Principal) -> None:
        """Update."""
        self.bound("upload_canister_snapshot_data")(argument_0, effective_canister_id=effective_canister_id)

    def ecdsa_public_key(self, argument_0: EcdsaPublicKeyArgument, /, *, effective_canister_id: Principal) -> EcdsaPublicKeyResult:
        """Update."""
        result: EcdsaPublicKeyResult = self.bound("ecdsa_public_key")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def sign_with_ecdsa(self, argument_0: SignWithEcdsaArgument, /, *, effective_canister_id: Principal) -> SignWithEcdsaResult:
        """Update."""
        result: SignWithEcdsaResult = self.bound("sign_with_ecdsa")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def schnorr_public_key(self, argument_0: SchnorrPublicKeyArgument, /, *, effective_canister_id: Principal) -> SchnorrPublicKeyResult:
        """Update."""
        result: SchnorrPublicKeyResult = self.bound("schnorr_public_key")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def sign_with_schnorr(self, argument_0: SignWithSchnorrArgument, /, *, effective_canister_id: Principal) -> SignWithSchnorrResult:
        """Update."""
        result: SignWithSchnorrResult = self.bound("sign_with_schnorr")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def vetkd_public_key(self, argument_0: VetkdPublicKeyArgument, /, *, effective_canister_id: Principal) -> VetkdPublicKeyResult:
        """Update."""
        result: VetkdPublicKeyResult = self.bound("vetkd_public_key")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def vetkd_derive_key(self, argument_0: VetkdDeriveKeyArgument, /, *, effective_canister_id: Principal) -> VetkdDeriveKeyResult:
        """Update."""
        result: VetkdDeriveKeyResult = self.bound("vetkd_derive_key")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def http_request(self, argument_0: HttpRequestArgument, /, *, effective_canister_id: Principal) -> HttpResponse:
        """Update."""
        result: HttpResponse = self.bound("http_request")(argument_0, effective_canister_id=effective_canister_id)
        return result

    def fetch_canister_logs(self, argument_0: FetchCanisterLogsArgument, /, *, certified: bool = False) -> FetchCanisterLogsResult:
        """Query."""
        result: FetchCanisterLogsResult = self.bound("fetch_canister_logs")(argument_0, certified=certified)
        return result
