"""A compiled language model in wasmtime, through its own doors: for tests, reports, and to try a model before it is on chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canisters.compiler.errors import BadInput, CompilerError
from canisters.compiler.local import CONTROLLER, LocalCanister
from canisters.interface.candid import Service, decode, encode

from .shell import LANGUAGE


class SessionRefused(BadInput):
    """`error`: the SessionError of language.did, as a dict of one key."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(", ".join(f"{name}: {value}" if value is not None else name for name, value in error.items()))
        self.error = error


@dataclass(frozen=True)
class Generated:
    """`finish`: why it ended, a tag of Finish in language.did. `length`: tokens of the session now."""

    tokens: list[int]
    finish: str
    length: int
    instructions: int


class LocalLanguageModel:
    """A model that is installed and has its weights. `caller`: the principal's bytes by whom it is called, a controller by default."""

    def __init__(self, wasm: bytes, weight_chunks: Sequence[bytes], *, canister: LocalCanister | None = None) -> None:
        self.canister = canister or LocalCanister(wasm)
        if canister is None:
            self.canister.call("canister_init", encode(LANGUAGE.service.init, ({"release_hash": bytes(32)},)))
            for index, data in enumerate(weight_chunks):
                self._ok("weights_upload", {"index": index, "data": data})
            self._ok("seal")

    @staticmethod
    def service() -> Service:
        """Its interface."""
        return LANGUAGE.service

    def call(self, method: str, *arguments: Any, caller: bytes = CONTROLLER) -> Any:
        found = LANGUAGE.service.methods[method]
        kind = "canister_query" if found.is_query else "canister_update"
        return decode(
            self.canister.call(f"{kind} {method}", encode(found.arguments, arguments), caller), found.results
        )[0]

    def _ok(self, method: str, *arguments: Any) -> None:
        answer = self.call(method, *arguments)
        if "Ok" not in answer:
            raise CompilerError(f"{method}: {answer['Err']}")

    def _session(self, method: str, arguments: dict[str, Any], caller: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = self.call(method, arguments, caller=caller)
        if "Err" in answer:
            raise SessionRefused(answer["Err"])
        found: dict[str, Any] = answer["Ok"]
        return found

    def open(
        self,
        *,
        seed: int = 0,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        max_tokens: int = 0,
        caller: bytes = CONTROLLER,
    ) -> int:
        """A session's id. Raises SessionRefused, as all of these do."""
        options = {"seed": seed, "temperature": temperature, "top_k": top_k, "top_p": top_p, "max_tokens": max_tokens}
        return int(self._session("session_open", options, caller)["session"])

    def prompt(
        self, session: int, tokens: Sequence[int], *, max_instructions: int = 0, caller: bytes = CONTROLLER
    ) -> int:
        """All of the tokens, in as many calls as it takes. Returns the session's length."""
        length, at = len(self.read(session, caller=caller)), 0
        while at < len(tokens):
            asked = {
                "session": session,
                "length": length,
                "tokens": list(tokens[at:]),
                "max_instructions": max_instructions,
            }
            answer = self._session("prompt", asked, caller)
            at, length = at + answer["taken"], answer["length"]
        return length

    def generate(self, session: int, count: int, *, max_instructions: int = 0, caller: bytes = CONTROLLER) -> Generated:
        """One call."""
        length = len(self.read(session, caller=caller))
        asked = {"session": session, "length": length, "count": count, "max_instructions": max_instructions}
        answer = self._session("generate", asked, caller)
        return Generated(answer["tokens"], next(iter(answer["finish"])), answer["length"], answer["instructions"])

    def read(self, session: int, *, caller: bytes = CONTROLLER) -> list[int]:
        """All tokens of a session."""
        found: list[int] = self._session("session_read", {"session": session}, caller)["tokens"]
        return found

    def close(self, session: int, *, caller: bytes = CONTROLLER) -> None:
        self._session("session_close", {"session": session}, caller)
