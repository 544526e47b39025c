"""Decides what runs: messages in order, call contexts, callbacks, timers; one block after another.

A block gathers ingress, lets timers fire, delivers messages until the queue is empty or the block is full, then writes everything at once
and signs the new state. A message commits whole or leaves no trace. Source: interface specification, "Abstract behavior".
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence

from canisters.interface.principal import Principal

from . import management
from .certification import Certification, Signer
from .engine import Sandbox
from .engine.contract import (
    INSPECT_INSTRUCTION_LIMIT,
    QUERY_INSTRUCTION_LIMIT,
    Entry,
    Environment,
    Kind,
    Outcome,
    Pages,
    Trapped,
)
from .ingress import MAX_INGRESS_TTL_NS, Authenticated
from .state import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    DESTINATION_INVALID,
    MANAGEMENT,
    RUNNING,
    STOPPED,
    STOPPING,
    SYS_TRANSIENT,
    SYS_UNKNOWN,
    Answer,
    Callback,
    CallContext,
    Canister,
    FromCanister,
    FromIngress,
    FromSystem,
    IngressStatus,
    Network,
    Origin,
    Reject,
    Reply,
    Request,
    Response,
)  # fmt: skip
from .store import Store

MESSAGES_PER_BLOCK = 400
MESSAGE_BASE_CYCLES = 5_000_000
MAX_QUEUE = 500  # open calls of one canister
BEST_EFFORT_NS = 10**9


class Scheduler:
    """The network at work. Every method that changes state holds `lock`; queries hold only their canister's."""

    def __init__(self, network: Network, store: Store, *, real_time: bool) -> None:
        self.network = network
        self.store = store
        self.real_time = real_time
        self.signer = Signer(network.seed)
        self.certification = Certification(self.signer)
        self.lock = threading.RLock()
        self._changed: set[bytes] = set()
        self._requests: set[bytes] = set()
        self._pages: list[tuple[bytes, Pages]] = []
        self._closing: list[Sandbox] = []
        self.certification.refresh(network)

    # --- blocks ---

    def run_block(self, arrivals: Sequence[Authenticated]) -> None:
        """One block: what arrived, what is due, what follows from it; then to disk, then signed."""
        with self.lock:
            network = self.network
            self._advance_clock()
            self._forget_old_requests()
            for arrived in arrivals:
                self._admit(arrived)
            self._expire_best_effort()
            self._fire_timers()
            for _ in range(MESSAGES_PER_BLOCK):
                if not network.queue:
                    break
                self._deliver(network.queue.popleft())
            network.height += 1
            self._write()
            self.certification.refresh(network)
            for sandbox in self._closing:
                with sandbox.lock:
                    sandbox.close()
            self._closing.clear()

    @property
    def has_work(self) -> bool:
        return bool(self.network.queue)

    def advance_time(self, by_ns: int) -> None:
        """Move the clock of a network whose time is manual."""
        with self.lock:
            self.network.time_ns += by_ns

    def now_ns(self) -> int:
        return time.time_ns() if self.real_time else self.network.time_ns

    def _advance_clock(self) -> None:
        network = self.network
        network.time_ns = max(network.time_ns + 1, time.time_ns()) if self.real_time else network.time_ns + 1

    def _write(self) -> None:
        try:
            self.store.write_block(self.network, self._changed, self._pages, self._requests)
        finally:
            self._changed, self._requests, self._pages = set(), set(), []

    def touch(self, canister: Canister) -> None:
        """Have the canister's record written with this block."""
        self._changed.add(canister.id)

    def _forget_old_requests(self) -> None:
        now = self.network.time_ns
        for request_id, status in list(self.network.ingress.items()):
            if status.expires_ns < now and status.status in ("replied", "rejected"):
                del self.network.ingress[request_id]
                self._requests.add(request_id)

    # --- ingress ---

    def inspect(self, arrived: Authenticated) -> Reject | None:
        """Would the canister let this message in? None: yes. Runs outside blocks and changes nothing."""
        if arrived.canister_id == MANAGEMENT:
            return management.inspect(self, arrived)
        canister = self.network.canisters.get(arrived.canister_id)
        if canister is None:
            return Reject(DESTINATION_INVALID, f"Canister {_text(arrived.canister_id)} not found", "IC0301")
        sandbox = canister.sandbox
        entry = Entry(Kind.INSPECT_MESSAGE)
        if sandbox is None or canister.status != RUNNING or not sandbox.has(entry):
            return None
        environment = self.environment(canister, arrived.sender.raw, arrived.content["arg"])
        environment.method_name = arrived.content["method_name"]
        environment.instruction_limit = INSPECT_INSTRUCTION_LIMIT
        with sandbox.lock:
            outcome = sandbox.run_query(entry, environment)
        if outcome.trapped is not None:
            return Reject(CANISTER_ERROR, self.explain(canister, outcome.trapped), outcome.trapped.code)
        if not outcome.accepted:
            return Reject(CANISTER_REJECT, f"Canister {_text(canister.id)} rejected the message", "IC0406")
        return None

    def known(self, request_id: bytes) -> IngressStatus | None:
        return self.network.ingress.get(request_id)

    def _admit(self, arrived: Authenticated) -> None:
        if arrived.request_id in self.network.ingress:
            return  # the same request again: it runs once
        status = IngressStatus(
            "processing", arrived.sender.raw, arrived.canister_id, arrived.expiry_ns + MAX_INGRESS_TTL_NS
        )
        self.network.ingress[arrived.request_id] = status
        self._requests.add(arrived.request_id)
        content = arrived.content
        origin = FromIngress(arrived.request_id)
        self.network.queue.append(
            Request(arrived.canister_id, content["method_name"], content["arg"], arrived.sender.raw, 0, origin)
        )

    # --- delivery ---

    def _deliver(self, message: Request | Response) -> None:
        if isinstance(message, Response):
            self._deliver_response(message)
            return
        if message.callee == MANAGEMENT:
            management.handle(self, message)
            return
        refusal = self._execute_request(message)
        if refusal is not None:
            self.respond(message.origin, refusal, message.cycles)

    def _execute_request(self, message: Request) -> Reject | None:
        canister = self.network.canisters.get(message.callee)
        if canister is None:
            return Reject(DESTINATION_INVALID, f"Canister {_text(message.callee)} not found", "IC0301")
        if canister.status != RUNNING:
            code = "IC0508" if canister.status == STOPPED else "IC0509"
            return Reject(
                CANISTER_ERROR,
                f"Canister {_text(canister.id)} is {canister.status} and therefore does not accept messages",
                code,
            )
        sandbox = canister.sandbox
        if sandbox is None:
            return Reject(
                DESTINATION_INVALID,
                f"Error from Canister {_text(canister.id)}: Attempted to execute a message, but the canister contains no Wasm module.",
                "IC0537",
            )
        if canister.cycles < MESSAGE_BASE_CYCLES:
            return Reject(SYS_TRANSIENT, f"Canister {_text(canister.id)} is out of cycles: top it up", "IC0207")
        entry = Entry(Kind.UPDATE, message.method)
        if not sandbox.has(entry):
            entry = Entry(Kind.REPLICATED_QUERY, message.method)
        if not sandbox.has(entry):
            return Reject(
                DESTINATION_INVALID,
                f"Error from Canister {_text(canister.id)}: Canister has no update method '{message.method}'.",
                "IC0536",
            )
        context = CallContext(
            self.network.fresh_id(),
            canister.id,
            message.origin,
            message.cycles,
            message.deadline_ns,
            caller=message.caller,
        )
        self.network.contexts[context.id] = context
        environment = self.environment(canister, message.caller, message.argument, context)
        outcome = self._run(canister, entry, environment, undo=entry.kind is Kind.REPLICATED_QUERY)
        self._settle(canister, context, outcome)
        return None

    def _deliver_response(self, message: Response) -> None:
        callback = self.network.callbacks.pop(message.callback, None)
        if callback is None:
            return  # a best-effort call whose caller was told already; the refund went with it
        canister = self.network.canisters.get(callback.canister_id)
        context = self.network.contexts.get(callback.context)
        if canister is None:
            return
        canister.cycles += message.refund
        self.touch(canister)
        if context is None:
            return
        context.outstanding -= 1
        if canister.sandbox is None:
            self._close_if_done(context)
            return
        answer = message.answer
        environment = self.environment(canister, context.caller, b"", context)
        environment.cycles_refunded = message.refund
        if isinstance(answer, Reply):
            environment.argument = answer.data
            entry = Entry(Kind.REPLY_CALLBACK, closure=callback.on_reply)
        else:
            environment.reject_code, environment.reject_message = answer.code, answer.message
            entry = Entry(Kind.REJECT_CALLBACK, closure=callback.on_reject)
        outcome = self._run(canister, entry, environment)
        if outcome.trapped is not None and callback.on_cleanup is not None:
            cleanup = self.environment(canister, context.caller, b"", context)
            cleanup.reject_code = environment.reject_code
            cleaned = self._run(canister, Entry(Kind.CLEANUP_CALLBACK, closure=callback.on_cleanup), cleanup)
            if cleaned.trapped is None:
                self._apply(canister, context, cleaned)
        self._settle(canister, context, outcome)

    def _run(self, canister: Canister, entry: Entry, environment: Environment, *, undo: bool = False) -> Outcome:
        sandbox = canister.sandbox
        assert sandbox is not None
        with sandbox.lock:
            outcome = sandbox.run(entry, environment)
            if outcome.trapped is None:
                if undo:
                    sandbox.rollback()
                else:
                    self._pages.append((canister.id, sandbox.commit()))
        for line in outcome.logs:
            canister.log(self.network.time_ns, line)
        cost = MESSAGE_BASE_CYCLES + outcome.instructions * (2 if canister.module and canister.module.is_wasm64 else 1)
        canister.cycles -= min(cost, canister.cycles)
        self.touch(canister)
        return outcome

    def _apply(self, canister: Canister, context: CallContext, outcome: Outcome) -> None:
        """The effects of an execution that ended well, but for its answer."""
        canister.cycles += outcome.cycles_accepted - outcome.cycles_burned - outcome.cycles_sent
        context.cycles_available -= outcome.cycles_accepted
        if outcome.certified_data is not None:
            canister.certified_data = outcome.certified_data
        if outcome.global_timer_ns is not None:
            canister.global_timer_ns = outcome.global_timer_ns
        canister.version += 1
        for call in outcome.calls:
            deadline = 0 if call.timeout_s is None else self.network.time_ns + max(1, call.timeout_s) * BEST_EFFORT_NS
            callback = Callback(
                self.network.fresh_id(),
                canister.id,
                context.id,
                call.on_reply,
                call.on_reject,
                call.on_cleanup,
                call.cycles,
                deadline,
            )
            self.network.callbacks[callback.id] = callback
            context.outstanding += 1
            self.network.queue.append(
                Request(
                    call.callee,
                    call.method,
                    call.argument,
                    canister.id,
                    call.cycles,
                    FromCanister(callback.id),
                    deadline,
                )
            )

    def _settle(self, canister: Canister, context: CallContext, outcome: Outcome) -> None:
        """What an execution means for the call that it served."""
        context.instructions += outcome.instructions
        if outcome.trapped is None:
            self._apply(canister, context, outcome)
            if outcome.reply is not None:
                self._answer(context, Reply(outcome.reply))
            elif outcome.reject is not None:
                self._answer(context, Reject(CANISTER_REJECT, outcome.reject, "IC0406"))
        elif context.outstanding == 0 and not context.replied:
            self._answer(context, Reject(CANISTER_ERROR, self.explain(canister, outcome.trapped), outcome.trapped.code))
        self._close_if_done(context)

    def _answer(self, context: CallContext, answer: Answer) -> None:
        context.replied = True
        refund, context.cycles_available = context.cycles_available, 0
        self.respond(context.origin, answer, refund)

    def _close_if_done(self, context: CallContext) -> None:
        if context.outstanding > 0:
            return
        if not context.replied:
            message = f"Error from Canister {_text(context.canister_id)}: Canister did not reply to the call"
            self._answer(context, Reject(CANISTER_ERROR, message, "IC0506"))
        self.network.contexts.pop(context.id, None)
        self._finish_stopping(context.canister_id)

    def respond(self, origin: Origin, answer: Answer, refund: int) -> None:
        """Send an answer, and the cycles that were not taken, to whoever waits."""
        match origin:
            case FromIngress(request_id):
                status = self.network.ingress.get(request_id)
                if status is None:
                    return
                if isinstance(answer, Reply):
                    status.status, status.reply = "replied", answer.data
                else:
                    status.status, status.reject = "rejected", answer
                self._requests.add(request_id)
            case FromCanister(callback):
                self.network.queue.append(Response(callback, answer, refund))
            case FromSystem():
                pass

    # --- time ---

    def _expire_best_effort(self) -> None:
        now = self.network.time_ns
        for callback in list(self.network.callbacks.values()):
            if callback.deadline_ns and callback.deadline_ns <= now:
                answer = Reject(SYS_UNKNOWN, "Call has timed out.", "IC0207")
                self.network.queue.append(Response(callback.id, answer, 0))

    def _fire_timers(self) -> None:
        for canister in list(self.network.canisters.values()):
            sandbox = canister.sandbox
            if sandbox is None or canister.status != RUNNING or canister.cycles < MESSAGE_BASE_CYCLES:
                continue
            if canister.global_timer_ns and canister.global_timer_ns <= self.network.time_ns:
                canister.global_timer_ns = 0
                self.touch(canister)
                if sandbox.has(Entry(Kind.GLOBAL_TIMER)):
                    self._run_system(canister, Entry(Kind.GLOBAL_TIMER))
            if sandbox.has(Entry(Kind.HEARTBEAT)):
                self._run_system(canister, Entry(Kind.HEARTBEAT))

    def _run_system(self, canister: Canister, entry: Entry) -> None:
        context = CallContext(self.network.fresh_id(), canister.id, FromSystem(), 0, replied=True, caller=MANAGEMENT)
        self.network.contexts[context.id] = context
        outcome = self._run(canister, entry, self.environment(canister, MANAGEMENT, b"", context))
        self._settle(canister, context, outcome)

    # --- stopping ---

    def open_contexts(self, canister_id: bytes) -> int:
        return sum(context.canister_id == canister_id for context in self.network.contexts.values())

    def _finish_stopping(self, canister_id: bytes) -> None:
        canister = self.network.canisters.get(canister_id)
        if canister is None or canister.status != STOPPING or self.open_contexts(canister_id):
            return
        canister.status = STOPPED
        self.touch(canister)
        waiting = [w for w in self.network.stop_waiters if w.canister_id == canister_id]
        self.network.stop_waiters = [w for w in self.network.stop_waiters if w.canister_id != canister_id]
        for waiter in waiting:
            self.respond(waiter.origin, Reply(management.NOTHING), waiter.refund)

    # --- reading ---

    def query(self, asked: Authenticated) -> Answer:
        """Answer a query from the newest state; nothing it does remains."""
        if asked.canister_id == MANAGEMENT:
            return management.query(self, asked)
        canister = self.network.canisters.get(asked.canister_id)
        if canister is None:
            return Reject(DESTINATION_INVALID, f"Canister {_text(asked.canister_id)} not found", "IC0301")
        if canister.status == STOPPED:
            return Reject(
                CANISTER_ERROR,
                f"Canister {_text(canister.id)} is stopped and therefore does not have a CallContextManager",
                "IC0508",
            )
        sandbox = canister.sandbox
        if sandbox is None:
            return Reject(
                DESTINATION_INVALID,
                f"Error from Canister {_text(canister.id)}: Attempted to execute a message, but the canister contains no Wasm module.",
                "IC0537",
            )
        method = asked.content["method_name"]
        entry = Entry(Kind.QUERY, method)
        if not sandbox.has(entry):
            entry = Entry(Kind.COMPOSITE_QUERY, method)
        if not sandbox.has(entry):
            return Reject(
                DESTINATION_INVALID,
                f"Error from Canister {_text(canister.id)}: Canister has no query method '{method}'.",
                "IC0536",
            )
        environment = self.environment(canister, asked.sender.raw, asked.content["arg"])
        environment.instruction_limit = QUERY_INSTRUCTION_LIMIT
        environment.data_certificate = self.certification.certificate([(b"canister", canister.id, b"certified_data")])
        with sandbox.lock:
            outcome = sandbox.run_query(entry, environment)
        if outcome.trapped is not None:
            return Reject(CANISTER_ERROR, self.explain(canister, outcome.trapped), outcome.trapped.code)
        if outcome.calls:
            return Reject(
                CANISTER_ERROR, "Calls from composite queries are not offered by the embedded network", "IC0527"
            )
        if outcome.reply is not None:
            return Reply(outcome.reply)
        if outcome.reject is not None:
            return Reject(CANISTER_REJECT, outcome.reject, "IC0406")
        return Reject(
            CANISTER_ERROR, f"Error from Canister {_text(canister.id)}: Canister did not reply to the call", "IC0506"
        )

    def environment(
        self, canister: Canister, caller: bytes, argument: bytes, context: CallContext | None = None
    ) -> Environment:
        """What the canister can see during one execution."""
        controllers = frozenset(canister.settings.controllers)
        return Environment(
            time_ns=self.network.time_ns,
            canister_id=canister.id,
            caller=caller,
            argument=argument,
            canister_status=canister.status_number,
            canister_version=canister.version,
            cycle_balance=canister.cycles,
            is_controller=controllers.__contains__,
            root_key=self.signer.root_key,
            subnet_id=self.signer.subnet_id,
            environment_variables=tuple(canister.settings.environment_variables),
            deadline_ns=context.deadline_ns if context else 0,
            cycles_available=context.cycles_available if context else 0,
            already_replied=context.replied if context else False,
            context_instructions=context.instructions if context else 0,
            wasm_memory_limit_bytes=canister.settings.wasm_memory_limit_bytes,
            global_timer_ns=canister.global_timer_ns,
        )

    def explain(self, canister: Canister, trapped: Trapped) -> str:
        """The words of the network for a trap, with the functions that led to it."""
        what = (
            f"Canister called `ic0.trap` with message: '{trapped.message}'"
            if trapped.code == "IC0503"
            else f"Canister trapped: {trapped.message}"
        )
        trace = "".join(f"\n  {frame}" for frame in trapped.backtrace)
        return f"Error from Canister {_text(canister.id)}: {what}" + (
            f".\nCanister Backtrace:{trace}" if trace else "."
        )

    # --- for the management canister ---

    def keep_pages(self, canister: Canister, pages: Pages) -> None:
        self._pages.append((canister.id, pages))

    def replace_sandbox(self, canister: Canister, fresh: Sandbox | None) -> None:
        """Put another instance in; the old one is closed when the block is done."""
        if canister.sandbox is not None and canister.sandbox is not fresh:
            self._closing.append(canister.sandbox)
        canister.sandbox = fresh

    def random_bytes(self) -> bytes:
        """32 bytes nobody outside can foresee, the same in a replay of the same blocks."""
        network = self.network
        network.random_counter += 1
        material = (
            b"raw_rand" + network.seed + network.height.to_bytes(8, "big") + network.random_counter.to_bytes(8, "big")
        )
        return hashlib.sha256(material).digest()

    def respond_later(self) -> Callable[[Origin, Answer, int], None]:
        return self.respond


def _text(raw: bytes) -> str:
    return str(Principal(raw))
