"""Probe canisters on the shared network, and raw requests as a client without manners sends them."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.management import Management
from canisters.interface import cbor, keys
from canisters.interface.principal import Principal
from canisters.interface.request_id import request_id


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


class Probe:
    """A canister that runs probe.c, and one who controls it."""

    def __init__(self, agent: ChainAgent, canister_id: Principal) -> None:
        self.agent, self.id = agent, canister_id
        self.management = Management(agent)

    def update(self, method: str, *numbers: int, data: bytes = b"") -> bytes:
        return self.agent.update_raw(self.id, method, b"".join(map(u64, numbers)) + data)

    def query(self, method: str, *numbers: int, data: bytes = b"") -> bytes:
        return self.agent.query_raw(self.id, method, b"".join(map(u64, numbers)) + data)

    def count(self) -> int:
        return int.from_bytes(self.query("get"), "little")

    def seen(self) -> tuple[int, int, int]:
        """The counter, how often cleanup ran, and the cycles that came back with the last answer."""
        data = self.query("seen")
        counter, cleaned, refunded = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8, 16))
        return counter, cleaned, refunded

    def call(self, callee: Principal, method: str, argument: bytes = b"", *, kind: int = 0, cycles: int = 0) -> bytes:
        """Have the probe call another canister. `kind` 1: its callback traps; 2: it traps after the call."""
        name = method.encode()
        to = bytes([len(callee.raw)]) + callee.raw + bytes([len(name)]) + name
        return self.update("call", data=bytes([kind]) + u64(cycles) + to + argument)


@pytest.fixture(scope="session")
def probe_of() -> type[Probe]:
    return Probe


@pytest.fixture
def make_probe(chain: Any, probe: bytes) -> Callable[..., Probe]:
    """make_probe(agent=None) installs another one."""

    def make(agent: ChainAgent | None = None, **settings: Any) -> Probe:
        owner = agent or chain.agent()
        return Probe(owner, chain.install(owner, probe, b"", **settings))

    return make


@pytest.fixture
def canister(make_probe: Callable[..., Probe]) -> Probe:
    return make_probe()


class Wire:
    """Requests by hand: made, signed, bent and sent, one at a time."""

    def __init__(self, port: int) -> None:
        self.http = http.client.HTTPConnection("localhost", port, timeout=60)

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        self.http.request("POST", path, body, headers or {"Content-Type": "application/cbor"})
        response = self.http.getresponse()
        return response.status, response.read()

    def send(self, kind: str, canister_id: Principal, body: bytes, version: str = "v3") -> tuple[int, bytes]:
        return self.post(f"/api/{version}/canister/{canister_id}/{kind}", body)

    @staticmethod
    def content(kind: str, identity: KeyIdentity | None, **fields: Any) -> dict[str, Any]:
        content = {
            "request_type": kind,
            "sender": identity.principal.raw if identity else b"\x04",
            "ingress_expiry": time.time_ns() + 240 * 10**9,
            **fields,
        }
        return {name: value for name, value in content.items() if value is not None}

    @classmethod
    def call(
        cls, canister_id: Principal, identity: KeyIdentity | None, method: str = "inc", **fields: Any
    ) -> dict[str, Any]:
        return cls.content(
            "call", identity, **{"canister_id": canister_id.raw, "method_name": method, "arg": b"", **fields}
        )

    @staticmethod
    def envelope(content: dict[str, Any], identity: KeyIdentity | None, **fields: Any) -> dict[str, Any]:
        signed: dict[str, Any] = {"content": content}
        if identity is not None:
            signed["sender_pubkey"] = identity.der_pubkey
            signed["sender_sig"] = identity.sign(keys.IC_REQUEST + request_id(content))[1]
        return {**signed, **fields}

    @classmethod
    def signed(cls, content: dict[str, Any], identity: KeyIdentity | None, **fields: Any) -> bytes:
        return cbor.dumps(cls.envelope(content, identity, **fields))


@pytest.fixture
def wire(replica: Any) -> Iterator[Wire]:
    made = Wire(replica.port)
    yield made
    made.http.close()
