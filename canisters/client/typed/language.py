"""The language canister, typed. Made by `python -m canisters.client.generate` from canisters/candid/language.did."""

from __future__ import annotations

from typing import Any, Never, NotRequired, TypeAlias, TypedDict

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract
from canisters.interface.principal import Principal


class Description(TypedDict):
    is_open: bool
    chunk_bytes: int
    context: int
    release_hash: bytes
    idle_seconds: int
    mode: str
    sealed: bool
    compiler: str
    slots: int
    weights_bytes: int
    sessions_per_caller: int
    chunks: int
    vocabulary: int
    end_tokens: list[int]
    family: str


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


class Options(TypedDict):
    top_k: int
    top_p: float
    temperature: float
    seed: int
    max_tokens: int


class SessionErrorContextFull(TypedDict):
    left: int


class SessionErrorTooManySessions(TypedDict):
    limit: int


class SessionErrorNoFreeSlot(TypedDict):
    free_at_ns: int


class SessionErrorUnknownToken(TypedDict):
    index: int
    vocabulary: int


class SessionErrorWrongPosition(TypedDict):
    length: int


# One of: ContextFull: SessionErrorContextFull, Evicted, Busy, StageFailed: str, NothingGiven, NotSealed, BadOption: str, EndedByUpgrade, UnknownSession, TooManySessions: SessionErrorTooManySessions, NoFreeSlot: SessionErrorNoFreeSlot, UnknownToken: SessionErrorUnknownToken, WrongPosition: SessionErrorWrongPosition
SessionError: TypeAlias = "dict[str, Any]"


# One of: ContextFull, Instructions, MaxTokens, Count, EndToken
Finish: TypeAlias = "dict[str, Any]"


class PromptArgument(TypedDict):
    tokens: list[int]
    session: int
    length: int
    max_instructions: int


class GenerateArgument(TypedDict):
    count: int
    session: int
    length: int
    max_instructions: int


class SessionCloseArgument(TypedDict):
    session: int


class SessionReadArgument(TypedDict):
    session: int


class StageConnectArgument(TypedDict):
    accept: NotRequired[Principal | None]
    next: NotRequired[Principal | None]


class StageResult(TypedDict):
    accept: NotRequired[Principal | None]
    next: NotRequired[Principal | None]


class StageRunArgument(TypedDict):
    step: bytes


class StageRunResult(TypedDict):
    token: int
    failure: str
    random: int


class WeightsUploadArgument(TypedDict):
    data: bytes
    index: int


class Language(Contract):
    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        super().__init__("language", agent, canister_id)

    def as_(self, agent: ChainAgent) -> Language:
        """The same canister, asked by another identity."""
        return Language(agent, self.canister_id)

    def session_open(self, argument_0: Options, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("session_open")(argument_0)
        return result

    def prompt(self, argument_0: PromptArgument, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("prompt")(argument_0)
        return result

    def generate(self, argument_0: GenerateArgument, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("generate")(argument_0)
        return result

    def session_close(self, argument_0: SessionCloseArgument, /) -> dict[str, Any]:
        """Update."""
        result: dict[str, Any] = self.bound("session_close")(argument_0)
        return result

    def session_read(self, argument_0: SessionReadArgument, /, *, certified: bool = False) -> dict[str, Any]:
        """Query: all of its tokens."""
        result: dict[str, Any] = self.bound("session_read")(argument_0, certified=certified)
        return result

    def sessions(self, *, certified: bool = False) -> list[int]:
        """Query: the caller's."""
        result: list[int] = self.bound("sessions")(certified=certified)
        return result

    def stage_connect(self, argument_0: StageConnectArgument, /) -> dict[str, Any]:
        """Update: controllers; idempotent, kept over upgrades."""
        result: dict[str, Any] = self.bound("stage_connect")(argument_0)
        return result

    def stage(self, *, certified: bool = False) -> StageResult:
        """Query."""
        result: StageResult = self.bound("stage")(certified=certified)
        return result

    def stage_run(self, argument_0: StageRunArgument, /) -> StageRunResult:
        """Update."""
        result: StageRunResult = self.bound("stage_run")(argument_0)
        return result

    def weights_upload(self, argument_0: WeightsUploadArgument, /) -> dict[str, Any]:
        """Update: controllers; idempotent, any order."""
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
