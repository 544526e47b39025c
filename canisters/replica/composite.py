"""Composite queries: a query that asks other canisters' queries, depth first, and leaves nothing behind anywhere.

A canister that waits for an answer keeps what it has changed until its own answer is given; then all of it is undone. Every canister on the
path stays locked meanwhile, so one composite query runs at a time. When a canister has changes that are not signed yet, the whole is undone
and begun anew once they are. Source: interface specification, "Composite queries"; query_call_graph.rs of the network's replica for the limits.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import replace

from .builtin import no_module, text_of
from .certification import Certification
from .engine import Sandbox
from .engine.contract import QUERY_INSTRUCTION_LIMIT, Entry, Environment, Kind, Outcome, OutgoingCall
from .executor import BUILTINS, Executor
from .idle import is_frozen
from .state import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    DESTINATION_INVALID,
    STOPPED,
    SYS_TRANSIENT,
    Answer,
    Canister,
    Reject,
    Reply,
)  # fmt: skip

MAX_DEPTH = 6
MAX_S = 10.0
CALL_INSTRUCTIONS = 50_000_000  # charged for each call beside what the callee uses


class NotSettled(Exception):
    """A canister has changes that are not signed yet; nobody holds anything any more."""

    def __init__(self, canister: Canister) -> None:
        self.canister = canister


class _Over(Exception):
    """A limit of the whole graph of calls was met: it ends there, and nobody's callback runs."""

    def __init__(self, text: str, error_code: str) -> None:
        super().__init__(text)
        self.reject = Reject(CANISTER_ERROR, text, error_code)


def query_entry(canister: Canister | None, canister_id: bytes, method: str) -> tuple[Reject | None, Entry | None]:
    """Which entry answers a query of that name, or why none does."""
    if canister is None:
        return Reject(DESTINATION_INVALID, f"Canister {text_of(canister_id)} not found", "IC0301"), None
    if canister.status == STOPPED:
        text = f"Canister {text_of(canister.id)} is stopped and therefore does not have a CallContextManager"
        return Reject(CANISTER_ERROR, text, "IC0508"), None
    if canister.sandbox is None:
        return no_module(canister), None
    if is_frozen(canister):
        text = f"Canister {text_of(canister.id)} is unable to process query calls because it's frozen. Please top up the canister with cycles and try again."
        return Reject(SYS_TRANSIENT, text, "IC0207"), None
    for kind in (Kind.QUERY, Kind.COMPOSITE_QUERY):
        if canister.sandbox.has(Entry(kind, method)):
            return None, Entry(kind, method)
    text = f"Error from Canister {text_of(canister.id)}: Canister has no query method '{method}'."
    return Reject(DESTINATION_INVALID, text, "IC0536"), None


class CompositeQueries:
    """`query` answers one; from any thread."""

    def __init__(self, executor: Executor, certification: Certification) -> None:
        self.executor = executor
        self.certification = certification
        self._one_at_a_time = threading.Lock()

    def query(self, canister_id: bytes, method: str, argument: bytes, caller: bytes) -> Answer:
        """Raises NotSettled."""
        with self._one_at_a_time:
            graph = _Graph(self.executor, self.certification)
            try:
                return graph.ask(canister_id, method, argument, caller)
            except _Over as over:
                return over.reject


class _Graph:
    """One composite query with all that it asks."""

    def __init__(self, executor: Executor, certification: Certification) -> None:
        self.executor = executor
        self.certification = certification
        self.path: list[bytes] = []
        self.instructions_left = QUERY_INSTRUCTION_LIMIT
        self.until_s = time.monotonic() + MAX_S

    def ask(self, canister_id: bytes, method: str, argument: bytes, caller: bytes) -> Answer:
        self._require_room(canister_id)
        if canister_id in BUILTINS:
            return BUILTINS[canister_id].query(self.executor, method, argument, caller)
        canister = self.executor.network.canisters.get(canister_id)
        refused, entry = query_entry(canister, canister_id, method)
        if canister is None or entry is None or canister.sandbox is None:
            return refused or Reject(DESTINATION_INVALID, f"Canister {text_of(canister_id)} not found", "IC0301")
        sandbox = canister.sandbox
        self.path.append(canister_id)
        with ExitStack() as undone:
            undone.callback(self.path.pop)
            undone.enter_context(sandbox.lock)
            if canister.sandbox is not sandbox or canister_id in self.executor.changes.canisters:
                raise NotSettled(canister)
            undone.callback(sandbox.rollback)
            return _Context(self, canister, sandbox, caller).answer(entry, argument)

    def _require_room(self, canister_id: bytes) -> None:
        if canister_id in self.path:
            text = f"Composite query calls form a loop at canister {text_of(canister_id)}: here a canister cannot be asked while it waits."
            raise _Over(text, "IC0517")
        if len(self.path) > MAX_DEPTH:
            raise _Over("Composite query calls exceeded the maximum call depth.", "IC0525")
        if self.path:
            self.instructions_left -= CALL_INSTRUCTIONS
        if self.instructions_left <= 0:
            raise _Over("Composite query calls exceeded the instruction limit.", "IC0526")
        if time.monotonic() > self.until_s:
            raise _Over("Composite query call exceeded the time limit.", "IC0528")

    def environment(self, canister: Canister, caller: bytes, argument: bytes) -> Environment:
        environment = self.executor.environment(canister, caller, argument)
        environment.instruction_limit = max(1, self.instructions_left)
        environment.data_certificate = self.certification.certificate([(b"canister", canister.id, b"certified_data")])
        environment.time_ns = self.certification.time_ns
        return environment


class _Context:
    """The call that one canister of the graph answers, from its entry to its last callback."""

    def __init__(self, graph: _Graph, canister: Canister, sandbox: Sandbox, caller: bytes) -> None:
        self.graph, self.canister, self.sandbox, self.caller = graph, canister, sandbox, caller
        self.answered: Answer | None = None
        self.used = 0

    def answer(self, entry: Entry, argument: bytes) -> Answer:
        waiting = self._run(entry, argument)
        while waiting and not isinstance(waiting, Reject):
            call = waiting.pop(0)
            more = self._callback(call, self.graph.ask(call.callee, call.method, call.argument, self.canister.id))
            if isinstance(more, Reject):
                return more
            waiting += more
        if isinstance(waiting, Reject):
            return waiting
        silent = f"Error from Canister {text_of(self.canister.id)}: Canister did not reply to the call"
        return self.answered or Reject(CANISTER_ERROR, silent, "IC0506")

    def _callback(self, call: OutgoingCall, answer: Answer) -> list[OutgoingCall] | Reject:
        if isinstance(answer, Reply):
            return self._run(Entry(Kind.COMPOSITE_REPLY_CALLBACK, closure=call.on_reply), answer.data, call)
        entry = Entry(Kind.COMPOSITE_REJECT_CALLBACK, closure=call.on_reject)
        return self._run(entry, b"", call, reject_code=answer.code, reject_message=answer.message)

    def _run(
        self,
        entry: Entry,
        argument: bytes,
        call: OutgoingCall | None = None,
        *,
        reject_code: int = 0,
        reject_message: str = "",
    ) -> list[OutgoingCall] | Reject:
        """The calls that the execution makes, or the rejection that a trap means: what the canister changed is gone then."""
        environment = replace(
            self.graph.environment(self.canister, self.caller, argument),
            already_replied=self.answered is not None,
            context_instructions=self.used,
            reject_code=reject_code,
            reject_message=reject_message,
        )
        outcome = self._counted(entry, environment)
        if outcome.trapped is not None:
            if call is not None and call.on_cleanup is not None:
                cleanup = replace(environment, argument=b"")
                self._counted(Entry(Kind.COMPOSITE_CLEANUP_CALLBACK, closure=call.on_cleanup), cleanup)
            text = self.graph.executor.explain(self.canister, outcome.trapped)
            return Reject(CANISTER_ERROR, text, outcome.trapped.code)
        if outcome.reply is not None:
            self.answered = Reply(outcome.reply)
        elif outcome.reject is not None:
            self.answered = Reject(CANISTER_REJECT, outcome.reject, "IC0406")
        return list(outcome.calls)

    def _counted(self, entry: Entry, environment: Environment) -> Outcome:
        outcome = self.sandbox.run(entry, environment)
        self.graph.executor.figures.queries[self.canister.id] += 1
        self.used += outcome.instructions
        self.graph.instructions_left -= outcome.instructions
        return outcome
