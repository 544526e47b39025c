"""Executes one message after another: call contexts, callbacks, answers, cycles; and gathers what a block has changed.

A message commits whole or leaves no trace. Nothing here writes to disk: `changes` says what the block has to write.
Source: interface specification, "Abstract behavior", "Call contexts".
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from dataclasses import dataclass, field

from . import cycles, idle, management
from .builtin import NOTHING, no_module, text_of
from .certification import Signer
from .dashboard import Figures
from .engine import Sandbox
from .engine.contract import Entry, Environment, Kind, Outcome, OutgoingCall, OutOfInstructions, Pages, Trapped
from .state import (
    CANISTER_ERROR,
    CANISTER_REJECT,
    DESTINATION_INVALID,
    MANAGEMENT,
    RUNNING,
    STOPPED,
    STOPPING,
    SYS_FATAL,
    SYS_TRANSIENT,
    Answer,
    Callback,
    CallContext,
    Canister,
    FromCanister,
    FromIngress,
    FromSystem,
    Network,
    Origin,
    Reject,
    Reply,
    Request,
    Response,
    StopWaiter,
)  # fmt: skip
from .store import Step, Store, StoreUnwritable

MESSAGE_BASE_CYCLES = 5_000_000
MAX_OPEN_CALLS = 500  # from one canister to another. Source: developer documentation, "Resource limits"
BEST_EFFORT_NS = 10**9
BUILTINS = {MANAGEMENT: management.CANISTER, **cycles.CANISTERS}


@dataclass
class Changes:
    """What a block has to write: the ids of canisters and requests whose records changed, and what happens to memory, in order."""

    canisters: set[bytes] = field(default_factory=set)
    requests: set[bytes] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    snapshots: set[bytes] = field(
        default_factory=set
    )  # whose memory the block has touched: not in the store as it is yet
    closing: list[Sandbox] = field(default_factory=list)  # replaced instances, to be closed after the block
    others: bool = False  # queues, open calls, accounts of cycles


class Executor:
    """Used within blocks only, by one thread; queries read beside it and hold the lock of the sandbox that they use."""

    def __init__(self, network: Network, store: Store, signer: Signer) -> None:
        self.network = network
        self.store = store
        self.signer = signer
        self.changes = Changes()
        self.figures = Figures()
        self.reserved_ids = frozenset(BUILTINS)

    def touch(self, canister: Canister) -> None:
        """Have the canister's record written with this block; queries on it wait until then."""
        self.changes.canisters.add(canister.id)

    # --- delivery ---

    def deliver(self, message: Request | Response) -> None:
        """Let one message take effect. What it does wrong is its sender's to hear; what we do wrong too, and goes to the error output."""
        self.changes.others = True
        try:
            if isinstance(message, Response):
                self._deliver_response(message)
            elif message.callee in BUILTINS:
                BUILTINS[message.callee].handle(self, message)
            else:
                refusal = self._execute_request(message)
                if refusal is not None:
                    self.respond(message.origin, refusal, message.cycles)
        except (OSError, MemoryError, StoreUnwritable):
            raise  # nothing can be kept any more: the block, and with it the process, ends here
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if isinstance(message, Request):
                failed = "The embedded network failed on this message; its error output says why."
                self.respond(message.origin, Reject(SYS_FATAL, failed, "IC0500"), message.cycles)

    def _execute_request(self, message: Request) -> Reject | None:
        canister = self.network.canisters.get(message.callee)
        refusal = self._refusal(canister, message)
        if refusal is not None or canister is None or canister.sandbox is None:
            return refusal
        entry = Entry(Kind.UPDATE, message.method)
        if not canister.sandbox.has(entry):
            entry = Entry(Kind.REPLICATED_QUERY, message.method)
        if canister.sandbox.has(Entry(Kind.COMPOSITE_QUERY, message.method)):
            text = f"Error from Canister {text_of(canister.id)}: Composite query cannot be called in replicated mode."
            return Reject(CANISTER_ERROR, text, "IC0527")
        if not canister.sandbox.has(entry):
            text = f"Error from Canister {text_of(canister.id)}: Canister has no update method '{message.method}'."
            return Reject(DESTINATION_INVALID, text, "IC0536")
        context = CallContext(
            self.network.fresh_id(), canister.id, message.origin, message.cycles, message.deadline_ns, caller=message.caller
        )  # fmt: skip
        self.network.contexts[context.id] = context
        environment = self.environment(canister, message.caller, message.argument, context)
        outcome = self._run(canister, entry, environment, undo=entry.kind is Kind.REPLICATED_QUERY)
        self._settle(canister, context, outcome)
        return None

    def _refusal(self, canister: Canister | None, message: Request) -> Reject | None:
        """Why a canister cannot take a message now."""
        if canister is None:
            return Reject(DESTINATION_INVALID, f"Canister {text_of(message.callee)} not found", "IC0301")
        if canister.status != RUNNING:
            text = f"Canister {text_of(canister.id)} is {canister.status} and therefore does not accept messages"
            return Reject(CANISTER_ERROR, text, "IC0508" if canister.status == STOPPED else "IC0509")
        if canister.sandbox is None:
            return no_module(canister)
        if idle.is_frozen(canister, MESSAGE_BASE_CYCLES):
            missing = idle.freezing_limit(canister) + MESSAGE_BASE_CYCLES - canister.cycles
            text = f"Canister {text_of(canister.id)} is out of cycles: please top up the canister with at least {missing:_} additional cycles"
            return Reject(SYS_TRANSIENT, text, "IC0207")
        return None

    def _deliver_response(self, message: Response) -> None:
        callback = self.network.callbacks.pop(message.callback, None)
        if callback is None:
            return  # a best-effort call whose caller was told already; the refund went with it
        canister = self.network.canisters.get(callback.canister_id)
        if canister is None:
            return
        self.touch(canister)
        canister.cycles += message.refund
        context = self.network.contexts.get(callback.context)
        if context is None:
            return  # the code that made the call was uninstalled
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

    def run_system(self, canister: Canister, kind: Kind) -> None:
        """A timer or a heartbeat: nobody hears the answer."""
        self.changes.others = True
        context = CallContext(self.network.fresh_id(), canister.id, FromSystem(), 0, replied=True, caller=MANAGEMENT)
        self.network.contexts[context.id] = context
        outcome = self._run(canister, Entry(kind), self.environment(canister, MANAGEMENT, b"", context))
        self._settle(canister, context, outcome)

    def watch_memory(self, canister: Canister) -> None:
        """Let the hook for low memory run when less than its threshold is left; once, until more is left again."""
        sandbox, settings = canister.sandbox, canister.settings
        if sandbox is None or not settings.wasm_memory_threshold_bytes:
            return
        is_low = (
            sandbox.heap_limit_bytes(settings.wasm_memory_limit_bytes) - sandbox.heap_bytes
            < settings.wasm_memory_threshold_bytes
        )
        if not is_low:
            canister.low_memory = "condition_not_satisfied"
        elif canister.low_memory == "condition_not_satisfied":
            canister.low_memory = "ready"

    def run_memory_hook(self, canister: Canister) -> None:
        """Before anything else that waits for the canister."""
        canister.low_memory = "executed"
        self.touch(canister)
        if canister.sandbox is not None and canister.sandbox.has(Entry(Kind.ON_LOW_WASM_MEMORY)):
            self.run_system(canister, Kind.ON_LOW_WASM_MEMORY)

    # --- executions and what they mean ---

    def _run(self, canister: Canister, entry: Entry, environment: Environment, *, undo: bool = False) -> Outcome:
        sandbox = canister.sandbox
        assert sandbox is not None
        with sandbox.lock:
            self.touch(canister)  # within the lock: no query may see what is not yet written
            outcome = sandbox.run(entry, environment)
            if outcome.trapped is None and undo:
                sandbox.rollback()
            elif outcome.trapped is None:
                self.changes.steps.append((canister.id, sandbox.commit()))
                self.watch_memory(canister)
        self.figures.messages[canister.id] += 1
        if outcome.trapped is not None:
            self.figures.trapped(canister.id, self.explain(canister, outcome.trapped))
        for line in outcome.logs:
            canister.log(self.network.time_ns, line)
        per_instruction = 2 if canister.module and canister.module.is_wasm64 else 1
        canister.cycles -= min(MESSAGE_BASE_CYCLES + outcome.instructions * per_instruction, canister.cycles)
        return outcome

    def _apply(self, canister: Canister, context: CallContext, outcome: Outcome) -> None:
        """The effects of an execution that ended well, but for its answer."""
        # The fee of the execution was taken first, so a canister that sends all it has may be short of it: it then ends at zero.
        canister.cycles = max(
            0, canister.cycles + outcome.cycles_accepted - outcome.cycles_burned - outcome.cycles_sent
        )
        context.cycles_available -= outcome.cycles_accepted
        if outcome.certified_data is not None:
            canister.certified_data = outcome.certified_data
        if outcome.global_timer_ns is not None:
            canister.global_timer_ns = outcome.global_timer_ns
        canister.version += 1
        for call in outcome.calls:
            self._send(canister, context, call)

    def _send(self, canister: Canister, context: CallContext, call: OutgoingCall) -> None:
        network = self.network
        deadline = 0 if call.timeout_s is None else network.time_ns + max(1, call.timeout_s) * BEST_EFFORT_NS
        callback = Callback(
            network.fresh_id(), canister.id, context.id, call.on_reply, call.on_reject, call.on_cleanup, call.cycles, deadline
        )  # fmt: skip
        network.callbacks[callback.id] = callback
        context.outstanding += 1
        origin = FromCanister(callback.id)
        request = Request(call.callee, call.method, call.argument, canister.id, call.cycles, origin, deadline)
        if sum(other.canister_id == canister.id for other in network.callbacks.values()) > MAX_OPEN_CALLS:
            full = Reject(SYS_TRANSIENT, f"Canister {text_of(canister.id)} has too many open calls", "IC0209")
            network.queue.append(Response(callback.id, full, call.cycles))
        else:
            network.queue.append(request)

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
            text = self.explain(canister, outcome.trapped)
            self._answer(context, Reject(CANISTER_ERROR, text, outcome.trapped.code))
        self._close_if_done(context)

    def _answer(self, context: CallContext, answer: Answer) -> None:
        context.replied = True
        refund, context.cycles_available = context.cycles_available, 0
        self.respond(context.origin, answer, refund)

    def _close_if_done(self, context: CallContext) -> None:
        if context.outstanding > 0:
            return
        if not context.replied:
            message = f"Error from Canister {text_of(context.canister_id)}: Canister did not reply to the call"
            self._answer(context, Reject(CANISTER_ERROR, message, "IC0506"))
        self.network.contexts.pop(context.id, None)
        self.finish_stopping(context.canister_id)

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
                self.changes.requests.add(request_id)
            case FromCanister(callback):
                self.network.queue.append(Response(callback, answer, refund))
            case FromSystem():
                pass

    # --- stopping ---

    def open_contexts(self, canister_id: bytes) -> int:
        return sum(context.canister_id == canister_id for context in self.network.contexts.values())

    def finish_stopping(self, canister_id: bytes) -> None:
        """A canister that is stopping has stopped once its last open call is answered."""
        canister = self.network.canisters.get(canister_id)
        if canister is None or canister.status != STOPPING or self.open_contexts(canister_id):
            return
        canister.status = STOPPED
        self.touch(canister)
        for waiter in self.take_stop_waiters(canister_id):
            self.respond(waiter.origin, Reply(NOTHING), waiter.refund)

    def take_stop_waiters(self, canister_id: bytes) -> list[StopWaiter]:
        network = self.network
        taken = [waiter for waiter in network.stop_waiters if waiter.canister_id == canister_id]
        network.stop_waiters = [waiter for waiter in network.stop_waiters if waiter.canister_id != canister_id]
        return taken

    # --- what an execution sees, and how its end is told ---

    def environment(
        self, canister: Canister, caller: bytes, argument: bytes, context: CallContext | None = None
    ) -> Environment:
        controllers = frozenset(canister.settings.controllers)
        return Environment(
            time_ns=self.network.time_ns,
            canister_id=canister.id,
            caller=caller,
            argument=argument,
            canister_status=canister.status_number,
            canister_version=canister.version,
            cycle_balance=canister.cycles,
            freezing_limit=idle.freezing_limit(canister),
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
        if trapped.code == "IC0503":
            what = f"Canister called `ic0.trap` with message: '{trapped.message}'"
        elif trapped.code == OutOfInstructions.CODE:
            what = trapped.message
        else:
            what = f"Canister trapped: {trapped.message}"
        trace = "".join(f"\n  {frame}" for frame in trapped.backtrace)
        where = f".\nCanister Backtrace:{trace}" if trace else "."
        return f"Error from Canister {text_of(canister.id)}: {what.removesuffix('.')}{where}"

    # --- for the builtin canisters ---

    def keep_pages(self, canister: Canister, pages: Pages) -> None:
        self.changes.steps.append((canister.id, pages))

    def replace_sandbox(self, canister: Canister, fresh: Sandbox | None) -> None:
        """Put another instance in; the old one is closed when the block is done."""
        self.touch(canister)
        if canister.sandbox is not None and canister.sandbox is not fresh:
            self.changes.closing.append(canister.sandbox)
        canister.sandbox = fresh

    def uninstall(self, canister: Canister) -> None:
        """Leave the canister without code and memory; whoever waits for its answer is told."""
        network = self.network
        for context in [c for c in network.contexts.values() if c.canister_id == canister.id]:
            if not context.replied:
                answer = Reject(CANISTER_REJECT, "Canister has been uninstalled.", "IC0406")
                self.respond(context.origin, answer, context.cycles_available)
            del network.contexts[context.id]
        self.replace_sandbox(canister, None)
        canister.module = canister.wasm_hash = None
        canister.certified_data = b""
        canister.global_timer_ns = 0
        canister.version += 1
        self.finish_stopping(canister.id)

    def charge_idle(self) -> None:
        """Take what doing nothing costs, when it is time again."""
        for canister in idle.charge(self.network):
            self.touch(canister)
            if canister.cycles == 0 and canister.sandbox is not None:
                self.uninstall(canister)

    def random_bytes(self) -> bytes:
        """32 bytes that nobody without the network's seed can foresee."""
        network = self.network
        network.random_counter += 1
        self.changes.others = True
        counters = network.height.to_bytes(8, "big") + network.random_counter.to_bytes(8, "big")
        return hashlib.sha256(b"raw_rand" + network.seed + counters).digest()
