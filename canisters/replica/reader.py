"""Answers what changes nothing: queries, and the question whether a canister would let a message in.

Runs beside blocks, in other threads. A query waits while its canister has changes that the running block has not yet written and signed:
so it never shows what a crash could take back, and the data certificate that it is given fits the memory that it sees."""

from __future__ import annotations

import threading
import time

from .builtin import text_of
from .certification import Certification
from .composite import CompositeQueries, NotSettled, query_entry
from .engine.contract import INSPECT_INSTRUCTION_LIMIT, QUERY_INSTRUCTION_LIMIT, Entry, Environment, Kind, Outcome
from .executor import BUILTINS, Executor
from .ingress import Authenticated
from .state import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    DESTINATION_INVALID,
    RUNNING,
    SYS_TRANSIENT,
    Answer,
    Canister,
    Reject,
    Reply,
)  # fmt: skip

WAIT_S = 60.0


class Reader:
    """`settled` is notified whenever a block is done."""

    def __init__(self, executor: Executor, certification: Certification) -> None:
        self.executor = executor
        self.certification = certification
        self.composites = CompositeQueries(executor, certification)
        self.settled = threading.Condition()

    def inspects(self, canister_id: bytes) -> bool:
        """Whether `inspect` runs code of the canister, so that it may take a while."""
        canister = self.executor.network.canisters.get(canister_id)
        sandbox = canister.sandbox if canister is not None else None
        return sandbox is not None and sandbox.has(Entry(Kind.INSPECT_MESSAGE))

    def refusal(self, arrived: Authenticated) -> Reject | None:
        """The part of `inspect` that runs no code of a canister and waits for nothing."""
        if arrived.canister_id in BUILTINS:
            return BUILTINS[arrived.canister_id].inspect(arrived.content["method_name"])
        return None if arrived.canister_id in self.executor.network.canisters else _not_found(arrived.canister_id)

    def inspect(self, arrived: Authenticated) -> Reject | None:
        """Would the canister let this message in? None: yes. Changes nothing."""
        method = arrived.content["method_name"]
        refused = self.refusal(arrived)
        canister = self.executor.network.canisters.get(arrived.canister_id)
        if refused is not None or canister is None:
            return refused
        entry = Entry(Kind.INSPECT_MESSAGE)
        if canister.status != RUNNING or canister.sandbox is None or not canister.sandbox.has(entry):
            return None
        environment = self.executor.environment(canister, arrived.sender.raw, arrived.content["arg"])
        environment.method_name = method
        environment.instruction_limit = INSPECT_INSTRUCTION_LIMIT
        outcome = self._run(canister, entry, environment)
        if outcome is None:
            return None  # it was replaced or stopped meanwhile: the execution will tell
        if outcome.trapped is not None:
            return Reject(CANISTER_ERROR, self.executor.explain(canister, outcome.trapped), outcome.trapped.code)
        if not outcome.accepted:
            return Reject(CANISTER_REJECT, f"Canister {text_of(canister.id)} rejected the message", "IC0406")
        return None

    def query(self, asked: Authenticated) -> Answer:
        """Answer from the newest signed state; nothing that the query does remains."""
        method, caller, argument = asked.content["method_name"], asked.sender.raw, asked.content["arg"]
        if asked.canister_id in BUILTINS:
            return BUILTINS[asked.canister_id].query(self.executor, method, argument, caller)
        until = time.monotonic() + WAIT_S
        while True:
            canister = self.executor.network.canisters.get(asked.canister_id)
            refused, entry = query_entry(canister, asked.canister_id, method)
            if canister is None or entry is None:
                return refused or _not_found(asked.canister_id)
            busy = canister
            if entry.kind is Kind.COMPOSITE_QUERY:
                try:
                    return self.composites.query(canister.id, method, argument, caller)
                except NotSettled as unsettled:
                    busy = unsettled.canister
            else:
                environment = self.executor.environment(canister, caller, argument)
                environment.instruction_limit = QUERY_INSTRUCTION_LIMIT
                outcome = self._run(canister, entry, environment, certified=True)
                if outcome is not None:
                    return self._answer(canister, outcome)
            if time.monotonic() > until:
                return Reject(SYS_TRANSIENT, f"Canister {text_of(busy.id)} is busy with a long message", "IC0209")
            self._wait(busy)

    def _wait(self, canister: Canister) -> None:
        with self.settled:
            self.settled.wait_for(lambda: canister.id not in self.executor.changes.canisters, timeout=1.0)

    def _run(
        self, canister: Canister, entry: Entry, environment: Environment, *, certified: bool = False
    ) -> Outcome | None:
        """None when the canister has changes that are not signed yet, or was given another instance meanwhile."""
        sandbox = canister.sandbox
        if sandbox is None:
            return None
        with sandbox.lock:
            if canister.sandbox is not sandbox or (certified and canister.id in self.executor.changes.canisters):
                return None
            if certified:
                environment.data_certificate = self.certification.data_certificate(canister.id)
                environment.time_ns = self.certification.time_ns
            outcome = sandbox.run_query(entry, environment)
            self.executor.figures.queries[canister.id] += certified
            if outcome.trapped is not None:
                self.executor.figures.trapped(canister.id, self.executor.explain(canister, outcome.trapped))
            return outcome

    def _answer(self, canister: Canister, outcome: Outcome) -> Answer:
        if outcome.trapped is not None:
            return Reject(CANISTER_ERROR, self.executor.explain(canister, outcome.trapped), outcome.trapped.code)
        if outcome.reply is not None:
            return Reply(outcome.reply)
        if outcome.reject is not None:
            return Reject(CANISTER_REJECT, outcome.reject, "IC0406")
        text = f"Error from Canister {text_of(canister.id)}: Canister did not reply to the call"
        return Reject(CANISTER_ERROR, text, "IC0506")


def _not_found(canister_id: bytes) -> Reject:
    return Reject(DESTINATION_INVALID, f"Canister {text_of(canister_id)} not found", "IC0301")
