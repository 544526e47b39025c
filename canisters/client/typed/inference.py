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


class Description(TypedDict):
    chunk_bytes: int
    release_hash: bytes
    mode: str
    sealed: bool
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


class InferBlobArgument(TypedDict):
    inputs: list[TensorBlob]


class WeightsUploadArgument(TypedDict):
    data: bytes
    index: int


class Inference(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("inference", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Inference:
        """The same canister, asked by another identity."""
        return Inference(agent, self.canister_id)

    def infer_blob(self, argument_0: InferBlobArgument, /) -> dict[str, Any]:
        """Update: controllers."""
        result: dict[str, Any] = self.bound("infer_blob")(argument_0)
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
