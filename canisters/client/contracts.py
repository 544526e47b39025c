"""Clients of canisters, one an interface, made from the committed .did files.

`typed` has a generated class for each, with types that mypy checks; `contract("registry", agent, id)` is the same without them, for code
that learns the interface's name when it runs. Arguments and results are checked against the interface on this side already, so a wrong
call fails before it is signed, naming the field.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from canisters.interface.candid import CandidError, Method, Service, decode, encode, parse_did
from canisters.interface.principal import Principal

from .agent import ChainAgent
from .errors import AnswerMalformed, BadArgument
from .receipt import Receipt

CANDID = Path(__file__).parent.parent / "candid"


@lru_cache(maxsize=32)
def service(name: str) -> Service:
    """The interface in canisters/candid/<name>.did."""
    return parse_did((CANDID / f"{name}.did").read_text())


class Contract:
    """A canister behind an interface. `contract.method(arguments...)` gives the result, a tuple when there are several."""

    def __init__(self, name: str, agent: ChainAgent, canister_id: Principal) -> None:
        self.name = name
        self.agent = agent
        self.canister_id = canister_id
        self._service = service(name)

    def __getattr__(self, name: str) -> BoundMethod:
        # Asked for only when the class has no such attribute; before __init__ there is no interface to look in.
        methods = self.__dict__["_service"].methods if "_service" in self.__dict__ else {}
        if name not in methods:
            raise AttributeError(f"{self.__dict__.get('name')} has no method {name}")
        return BoundMethod(self, methods[name])

    def bound(self, method_name: str) -> BoundMethod:
        """A method as a thing, to encode for, or to call with a receipt. Raises BadArgument when there is none of that name."""
        method = self._service.methods.get(method_name)
        if method is None:
            raise BadArgument(f"{self.name} has no method {method_name}; it has {', '.join(self._service.methods)}")
        return BoundMethod(self, method)

    def with_receipt(self, method_name: str, *arguments: Any) -> tuple[Any, Receipt]:
        """The result of an update (or of a query run as one) and the proof of it, to keep."""
        return self.bound(method_name).with_receipt(*arguments)

    def as_(self, agent: ChainAgent) -> Contract:
        """The same canister, asked by another identity."""
        return Contract(self.name, agent, self.canister_id)


class BoundMethod:
    def __init__(self, owner: Contract, method: Method) -> None:
        self._owner = owner
        self._method = method

    def __call__(self, *arguments: Any, certified: bool = False, effective_canister_id: Principal | None = None) -> Any:
        """`certified`: run a query as an update, so that its answer is proven by the whole network and not by one node."""
        owner, method = self._owner, self._method
        send = owner.agent.query_raw if method.is_query and not certified else owner.agent.update_raw
        data = self.encode(*arguments)
        reply = send(owner.canister_id, method.name, data, effective_canister_id=effective_canister_id)
        return self.decode(reply)

    def with_receipt(self, *arguments: Any) -> tuple[Any, Receipt]:
        """The result and the proof of it, to keep."""
        owner = self._owner
        receipt = owner.agent.update_with_receipt(owner.canister_id, self._method.name, self.encode(*arguments))
        return self.decode(receipt.reply), receipt

    def encode(self, *arguments: Any) -> bytes:
        """Candid bytes. Raises BadArgument, naming the place."""
        try:
            return encode(self._method.arguments, arguments)
        except CandidError as error:
            raise BadArgument(f"{self._owner.name}.{self._method.name}: {error}") from error

    def decode(self, data: bytes) -> Any:
        """The result. Raises AnswerMalformed."""
        try:
            values = decode(data, self._method.results)
        except CandidError as error:
            raise AnswerMalformed(f"{self._owner.name}.{self._method.name}: {error}") from error
        return None if not values else values[0] if len(values) == 1 else tuple(values)


def contract(name: str, agent: ChainAgent, canister_id: Principal | str) -> Contract:
    return Contract(name, agent, Principal.from_text(canister_id) if isinstance(canister_id, str) else canister_id)
