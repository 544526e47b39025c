"""Canisters that are part of the network and written in Python: the management canister, and the two that the `icp` tool asks for cycles.

A method is a function from a `Call` and the decoded argument to the reply's value; `Refusal` carries the network's codes. A method that
refuses must not have changed anything before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canisters.interface.candid import CandidError, Service, decode, encode, parse_did
from canisters.interface.principal import Principal

from .state import CANISTER_REJECT, DESTINATION_INVALID, Answer, Canister, FromIngress, Reject, Reply, Request

if TYPE_CHECKING:
    from .executor import Executor

NOTHING = encode([], [])


class Refusal(Exception):
    """The call is rejected, and nothing was done."""

    def __init__(self, message: str, error_code: str = "IC0408", code: int = CANISTER_REJECT) -> None:
        super().__init__(message)
        self.reject = Reject(code, message, error_code)


class Later:
    """What a method returns when the answer comes once something else has happened."""


LATER = Later()


@dataclass
class Call:
    """A call being served. `taken`: how many of the cycles that came with it were kept."""

    executor: Executor
    caller: bytes
    request: Request
    taken: int = 0

    @property
    def from_user(self) -> bool:
        return isinstance(self.request.origin, FromIngress)

    @property
    def available(self) -> int:
        return self.request.cycles - self.taken


Method = Callable[[Call, Any], Any]


@dataclass
class Builtin:
    """`name` is how error messages call it; methods are added by `method`, those of `queries` answer queries only."""

    name: str
    service: Service
    methods: dict[str, Method] = field(default_factory=dict)
    queries: set[str] = field(default_factory=set)
    queries_as_updates: bool = True
    only_canisters: frozenset[str] = frozenset()  # methods that nobody outside may call

    @classmethod
    def of_contract(cls, name: str, contract: Path) -> Builtin:
        return cls(name, parse_did(contract.read_text()))

    def method(self, function: Method) -> Method:
        self.methods[function.__name__] = function
        if "query" in self.service.methods[function.__name__].modes:
            self.queries.add(function.__name__)
        return function

    def handle(self, executor: Executor, request: Request) -> None:
        """Serve one call and answer it, now or later."""
        call = Call(executor, request.caller, request)
        try:
            answer = self._serve(call)
        except Refusal as refusal:
            answer, call.taken = refusal.reject, 0
        if answer is not None:
            executor.respond(request.origin, answer, call.available)

    def query(self, executor: Executor, name: str, argument: bytes, caller: bytes) -> Answer:
        if name not in self.queries:
            return Reject(DESTINATION_INVALID, f"{self.name} has no query method '{name}'", "IC0536")
        request = Request(b"", name, argument, caller, 0, FromIngress(b""))
        try:
            answer = self._serve(Call(executor, caller, request))
        except Refusal as refusal:
            return refusal.reject
        assert answer is not None
        return answer

    def inspect(self, name: str) -> Reject | None:
        """Refuse at the door what no message from outside can ask."""
        if name not in self.methods or ("query" in self.service.methods[name].modes and not self.queries_as_updates):
            return Reject(DESTINATION_INVALID, f"{self.name} has no update method '{name}'", "IC0536")
        if name in self.only_canisters:
            return Reject(CANISTER_REJECT, f"Only canisters can call {self.name} method {name}", "IC0516")
        return None

    def _serve(self, call: Call) -> Answer | None:
        name = call.request.method
        if name not in self.methods:
            raise Refusal(f"{self.name} has no method '{name}'", "IC0536", DESTINATION_INVALID)
        if call.from_user and name in self.only_canisters:
            raise Refusal(f"Only canisters can call {self.name} method {name}", "IC0516")
        signature = self.service.methods[name]
        try:
            arguments = decode(call.request.argument, signature.arguments)
        except CandidError as error:
            raise Refusal(f"Error decoding candid: {error}", "IC0402") from error
        result = self.methods[name](call, arguments[0] if arguments else None)
        if isinstance(result, Later):
            return None
        return Reply(encode(signature.results, [result] if signature.results else []))


def no_module(canister: Canister) -> Reject:
    text = f"Error from Canister {text_of(canister.id)}: Attempted to execute a message, but the canister contains no Wasm module."
    return Reject(DESTINATION_INVALID, text, "IC0537")


def text_of(raw: bytes) -> str:
    return str(Principal(raw))
