"""The inference canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/inference.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


class TensorBlob(TypedDict):
    data: bytes
    name: str
    shape: list[int]
    dtype: str


class TensorInfo(TypedDict):
    name: str
    shape: list[int]
    dtype: str


class Variant(TypedDict):
    name: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]


class Description(TypedDict):
    chunk_bytes: int
    release_hash: bytes
    mode: str
    sealed: bool
    variants: list[Variant]
    compiler: str
    weights_bytes: int
    inputs: list[TensorInfo]
    chunks: int
    outputs: list[TensorInfo]


class Health(TypedDict):
    memory_bytes: int
    sealed: bool
    chunks_present: int
    chunks: int


class UploadErrorWrongHash(TypedDict):
    expected: bytes
    index: int


class UploadErrorWrongSize(TypedDict):
    got: int
    expected: int


# One of: UnknownChunk: int, AlreadySealed, WrongHash: UploadErrorWrongHash, WrongSize: UploadErrorWrongSize
UploadError: TypeAlias = "dict[str, Any]"


class Answer(TypedDict):
    release_hash: bytes
    instructions: int
    outputs: list[TensorBlob]


class InferErrorWrongInput(TypedDict):
    got: str
    expected: str
    name: str


# One of: Failed: str, WrongInput: InferErrorWrongInput, NotSealed: int
InferError: TypeAlias = "dict[str, Any]"


class ProgressRunning(TypedDict):
    total: int
    done: int


# One of: Failed: str, Done: Answer, Unknown: str, Running: ProgressRunning
Progress: TypeAlias = "dict[str, Any]"


# One of: Ok: Answer, Err: InferError
InferResult: TypeAlias = "dict[str, Any]"


class HttpRequest(TypedDict):
    url: str
    method: str
    body: bytes
    headers: list[tuple[str, str]]
    certificate_version: NotRequired[int | None]


class HttpResponse(TypedDict):
    body: bytes
    headers: list[tuple[str, str]]
    upgrade: NotRequired[bool | None]
    status_code: int


class InferArgument(TypedDict):
    inputs: list[TensorBlob]


class InferBatchArgument(TypedDict):
    batch: list[InferBatchArgumentBatch]


class InferBatchArgumentBatch(TypedDict):
    inputs: list[TensorBlob]


class InferBlobArgument(TypedDict):
    inputs: list[TensorBlob]


class InferStartArgument(TypedDict):
    inputs: list[TensorBlob]


class InferPollArgument(TypedDict):
    id: int


class StageConnectArgument(TypedDict):
    accept: NotRequired[Principal | None]
    next: NotRequired[Principal | None]


class StageResult(TypedDict):
    accept: NotRequired[Principal | None]
    next: NotRequired[Principal | None]


class OpenHttpArgument(TypedDict):
    is_open: bool


class WeightsUploadArgument(TypedDict):
    data: bytes
    index: int


class Inference(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("inference", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Inference:
        """The same canister, asked by another identity."""
        return Inference(agent, self.canister_id)

    def infer(self, argument_0: InferArgument, /) -> InferResult:
        """Update: controllers."""
        result: InferResult = self.bound("infer")(argument_0)
        return result

    def infer_batch(self, argument_0: InferBatchArgument, /) -> list[InferResult]:
        """Update: controllers; each set is answered by itself, in order."""
        result: list[InferResult] = self.bound("infer_batch")(argument_0)
        return result

    def infer_blob(self, argument_0: InferBlobArgument, /) -> dict[str, Any]:
        """Update: controllers; as infer, with the error in words."""
        result: dict[str, Any] = self.bound("infer_blob")(argument_0)
        return result

    def infer_start(self, argument_0: InferStartArgument, /) -> dict[str, Any]:
        """Update: controllers; of a network that takes several messages: the number of the computation."""
        result: dict[str, Any] = self.bound("infer_start")(argument_0)
        return result

    def infer_poll(self, argument_0: InferPollArgument, /, *, certified: bool = False) -> Progress:
        """Query: who has started it."""
        result: Progress = self.bound("infer_poll")(argument_0, certified=certified)
        return result

    def stage_connect(self, argument_0: StageConnectArgument, /) -> dict[str, Any]:
        """Update: controllers; idempotent."""
        result: dict[str, Any] = self.bound("stage_connect")(argument_0)
        return result

    def stage(self, *, certified: bool = False) -> StageResult:
        """Query."""
        result: StageResult = self.bound("stage")(certified=certified)
        return result

    def http_request(self, argument_0: HttpRequest, /, *, certified: bool = False) -> HttpResponse:
        """Query: anybody, once it is open."""
        result: HttpResponse = self.bound("http_request")(argument_0, certified=certified)
        return result

    def http_request_update(self, argument_0: HttpRequest, /) -> HttpResponse:
        """Update: anybody, once it is open."""
        result: HttpResponse = self.bound("http_request_update")(argument_0)
        return result

    def open_http(self, argument_0: OpenHttpArgument, /) -> dict[str, Any]:
        """Update: controllers; shut at first."""
        result: dict[str, Any] = self.bound("open_http")(argument_0)
        return result

    def weights_upload(self, argument_0: WeightsUploadArgument, /) -> dict[str, Any]:
        """Update: controllers; idempotent, any order; only what the module's manifest names."""
        result: dict[str, Any] = self.bound("weights_upload")(argument_0)
        return result

    def seal(self) -> dict[str, Any]:
        """Update: controllers; idempotent."""
        result: dict[str, Any] = self.bound("seal")()
        return result

    def describe(self, *, certified: bool = False) -> Description:
        """Query."""
        result: Description = self.bound("describe")(certified=certified)
        return result

    def health(self, *, certified: bool = False) -> Health:
        """Query."""
        result: Health = self.bound("health")(certified=certified)
        return result
