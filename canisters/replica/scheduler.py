"""Decides what runs when: one block after another, each written whole and then signed.

A block takes what arrived, lets timers fire, delivers messages until the queue is empty or the block is full; then everything goes to disk
in one transaction, the new state is signed, and only then may anybody see an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from .certification import Certification, Signer
from .engine.contract import Entry, Kind
from .executor import MESSAGE_BASE_CYCLES, Changes, Executor
from .idle import is_frozen
from .ingress import MAX_INGRESS_TTL_NS, Authenticated
from .reader import Reader
from .state import RUNNING, SYS_UNKNOWN, Canister, FromIngress, IngressStatus, Network, Reject, Request, Response
from .store import Store

MESSAGES_PER_BLOCK = 400
BLOCK_S = 0.05  # after which a block takes no further message, so that answers need not wait for many others'
FINAL = ("replied", "rejected")


class Scheduler:
    """The network at work. `run_block` may be called from any thread, one at a time; `reader` answers from others meanwhile."""

    def __init__(self, network: Network, store: Store, *, real_time: bool) -> None:
        self.network = network
        self.store = store
        self.real_time = real_time
        self.signer = Signer(network.seed)
        self.certification = Certification(self.signer, network)
        self.executor = Executor(network, store, self.signer)
        self.reader = Reader(self.executor, self.certification)
        self.lock = threading.Lock()

    def run_block(self, arrivals: Sequence[Authenticated]) -> None:
        """One block. When it raises, the disk holds the block before, and this object must not be used any more."""
        with self.lock:
            network, executor = self.network, self.executor
            network.time_ns = max(network.time_ns + 1, time.time_ns() if self.real_time else 0)
            self._forget_old_requests()
            self.executor.charge_idle()
            for arrived in arrivals:
                self._admit(arrived)
            self._expire_best_effort()
            self._fire_timers()
            full_at = time.monotonic() + BLOCK_S
            for _ in range(MESSAGES_PER_BLOCK):
                if not network.queue or time.monotonic() > full_at:
                    break
                self._run_memory_hooks()
                executor.deliver(network.queue.popleft())
            self._run_memory_hooks()
            network.height += 1
            self._finish()

    def _finish(self) -> None:
        changes = self.executor.changes
        # An idle block in real time need not be written: the clock gives its time again.
        if changes.canisters or changes.requests or changes.others or not self.real_time or self.network.height == 1:
            self.store.write_block(self.network, changes.canisters, changes.steps, changes.requests)
        self.certification.refresh(changes.canisters, changes.requests)
        for sandbox in changes.closing:
            with sandbox.lock:
                sandbox.close()
        with self.reader.settled:
            self.executor.changes = Changes()
            self.reader.settled.notify_all()

    # --- clock ---

    def now_ns(self) -> int:
        return time.time_ns() if self.real_time else self.network.time_ns

    def advance_time(self, by_ns: int) -> None:
        """Move the clock of a network whose time is manual."""
        with self.lock:
            self.network.time_ns += by_ns

    def idle_ns(self) -> int | None:
        """How long nothing is due: 0 when there is work, None when nothing at all is planned."""
        if self.network.queue:
            return 0
        due = [canister.global_timer_ns for canister in list(self.network.canisters.values()) if _has_timer(canister)]
        due += [callback.deadline_ns for callback in list(self.network.callbacks.values()) if callback.deadline_ns]
        return max(0, min(due) - self.now_ns()) if due else None

    def _expire_best_effort(self) -> None:
        now = self.network.time_ns
        for callback in self.network.callbacks.values():
            if callback.deadline_ns and callback.deadline_ns <= now:
                callback.deadline_ns = 0
                self.executor.changes.others = True
                self.network.queue.append(
                    Response(callback.id, Reject(SYS_UNKNOWN, "Call has timed out.", "IC0207"), 0)
                )

    def _run_memory_hooks(self) -> None:
        for canister in [c for c in self.network.canisters.values() if c.low_memory == "ready" and _can_run(c)]:
            self.executor.run_memory_hook(canister)

    def _fire_timers(self) -> None:
        for canister in list(self.network.canisters.values()):
            if _has_timer(canister) and canister.global_timer_ns <= self.network.time_ns:
                canister.global_timer_ns = 0
                self.executor.run_system(canister, Kind.GLOBAL_TIMER)
            if _can_run(canister) and canister.sandbox is not None and canister.sandbox.has(Entry(Kind.HEARTBEAT)):
                self.executor.run_system(canister, Kind.HEARTBEAT)

    # --- ingress ---

    def known(self, request_id: bytes) -> IngressStatus | None:
        """A request that was taken in, whatever became of it."""
        return self.network.ingress.get(request_id)

    def is_answered(self, request_id: bytes) -> bool:
        """Whether the signed state holds its answer, and not only the running block."""
        return self.certification.status_of(request_id) in FINAL

    def _admit(self, arrived: Authenticated) -> None:
        if arrived.request_id in self.network.ingress or arrived.expiry_ns < self.network.time_ns:
            return  # the same request again runs once; one that waited too long not at all
        self.network.ingress[arrived.request_id] = IngressStatus(
            "processing", arrived.sender.raw, arrived.canister_id, arrived.expiry_ns + MAX_INGRESS_TTL_NS
        )
        self.executor.changes.requests.add(arrived.request_id)
        content, origin = arrived.content, FromIngress(arrived.request_id)
        self.network.queue.append(
            Request(arrived.canister_id, content["method_name"], content["arg"], arrived.sender.raw, 0, origin)
        )

    def _forget_old_requests(self) -> None:
        now = self.network.time_ns
        old = [
            key for key, status in self.network.ingress.items() if status.expires_ns < now and status.status in FINAL
        ]
        for request_id in old:
            del self.network.ingress[request_id]
            self.executor.changes.requests.add(request_id)


def _can_run(canister: Canister) -> bool:
    is_able = canister.sandbox is not None and canister.status == RUNNING
    return is_able and not is_frozen(canister, MESSAGE_BASE_CYCLES)


def _has_timer(canister: Canister) -> bool:
    if not canister.global_timer_ns or not _can_run(canister) or canister.sandbox is None:
        return False
    return canister.sandbox.has(Entry(Kind.GLOBAL_TIMER))
