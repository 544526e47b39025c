"""Canisters of a few lines of WebAssembly text, run by the engine alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import wasmtime

from canisters.replica.engine import Module, Sandbox
from canisters.replica.engine.contract import Entry, Environment, Kind, Outcome

NOW_NS = 1_700_000_000_123_456_789


class Runner:
    """A sandbox and shortcuts to run its entries. Updates are committed when they end well, as the scheduler does."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def environment(self, **fields: Any) -> Environment:
        return Environment(**{"time_ns": NOW_NS, "canister_id": b"\x07\x01\x01", "caller": b"\x04", **fields})

    def run(self, kind: Kind, method: str = "", **fields: Any) -> Outcome:
        outcome = self.sandbox.run(Entry(kind, method), self.environment(**fields))
        if outcome.trapped is None and kind is not Kind.QUERY:
            self.sandbox.commit()
        return outcome

    def update(self, method: str, argument: bytes = b"", **fields: Any) -> Outcome:
        return self.run(Kind.UPDATE, method, argument=argument, **fields)

    def query(self, method: str, argument: bytes = b"", **fields: Any) -> Outcome:
        return self.sandbox.run_query(Entry(Kind.QUERY, method), self.environment(argument=argument, **fields))


@pytest.fixture(scope="session")
def module_of() -> Callable[[str], Module]:
    return lambda text: Module.prepare(bytes(wasmtime.wat2wasm(text)))


@pytest.fixture
def run_on() -> Iterator[Callable[[Sandbox], Runner]]:
    """run_on(sandbox) runs entries in it; it is closed after the test."""
    made: list[Runner] = []

    def make(sandbox: Sandbox) -> Runner:
        made.append(Runner(sandbox))
        return made[-1]

    yield make
    for runner in made:
        runner.sandbox.close()


@pytest.fixture
def wat(module_of: Callable[[str], Module], run_on: Callable[[Sandbox], Runner]) -> Callable[[str], Runner]:
    """wat("(module ...)") installs it."""

    def make(text: str) -> Runner:
        sandbox = Sandbox.create(module_of(text))
        sandbox.commit()
        return run_on(sandbox)

    return make
