"""Everything the network knows, as plain dataclasses: canisters, open calls, queues, the answers to ingress messages.

`scheduler` changes it, `store` keeps it on disk, `certification` signs parts of it. Times are nanoseconds since 1970, cycles are whole."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from canisters.interface.principal import Principal

from .engine import Module, Sandbox
from .engine.contract import Closure

FIRST_CANISTER_ID = 0x8000000000100000  # lower ids collide with well-known canisters of the network
LAST_CANISTER_ID = 0xFFFFFFFFFFFFFFFF
MAX_LOG_BYTES = 4096
DEFAULT_CYCLES = 100_000_000_000_000
MANAGEMENT = Principal.management().raw

RUNNING, STOPPING, STOPPED = "running", "stopping", "stopped"

# Reject codes. Source: interface specification, "Reject codes".
SYS_FATAL, SYS_TRANSIENT, DESTINATION_INVALID, CANISTER_REJECT, CANISTER_ERROR, SYS_UNKNOWN = 1, 2, 3, 4, 5, 6


CANISTER_ID_BYTES, CANISTER_ID_END = 10, b"\x01\x01"


def canister_id_of(number: int) -> bytes:
    return number.to_bytes(8, "big") + CANISTER_ID_END


@dataclass(frozen=True)
class Reply:
    data: bytes


@dataclass(frozen=True)
class Reject:
    code: int
    message: str
    error_code: str


Answer = Reply | Reject


Visibility = str | list[bytes]  # "controllers", "public", or who else may see: principals' bytes


@dataclass
class Settings:
    """Source: interface specification, "IC method create_canister", record canister_settings."""

    controllers: list[bytes]
    compute_allocation: int = 0
    memory_allocation: int = 0
    freezing_threshold_s: int = 2_592_000
    reserved_cycles_limit: int = 5_000_000_000_000
    wasm_memory_limit_bytes: int = 3 << 30
    wasm_memory_threshold_bytes: int = 0
    log_visibility: Visibility = "controllers"
    snapshot_visibility: Visibility = "controllers"
    status_visibility: Visibility = "controllers"
    environment_variables: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class LogLine:
    index: int
    timestamp_ns: int
    content: bytes


@dataclass
class Snapshot:
    """A canister as it was, or as its controller uploads it. Its pages are in the store under `id`, its module there or under `wasm_hash`.

    Source: interface specification, "IC method take_canister_snapshot"."""

    id: bytes
    taken_at_ns: int
    canister_version: int
    wasm_hash: bytes | None  # None: its bytes come by upload
    wasm_bytes: int
    heap_bytes: int
    stable_bytes: int
    globals_: tuple[tuple[int, int], ...]
    certified_data: bytes
    global_timer_ns: int = 0
    low_memory: str = "condition_not_satisfied"
    is_uploaded: bool = False
    chunks: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return self.wasm_bytes + self.heap_bytes + self.stable_bytes + sum(map(len, self.chunks.values()))


@dataclass
class Canister:
    id: bytes
    settings: Settings
    cycles: int
    status: str = RUNNING
    version: int = 0
    certified_data: bytes = b""
    global_timer_ns: int = 0
    wasm_hash: bytes | None = None
    logs: list[LogLine] = field(default_factory=list)
    next_log: int = 0
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)  # history, for canister_info
    total_changes: int = 0
    low_memory: str = "condition_not_satisfied"  # of the hook: or ready, or executed
    snapshots: dict[bytes, Snapshot] = field(default_factory=dict)
    next_snapshot: int = 0
    # not on disk as such: rebuilt from the module and the pages
    module: Module | None = None
    sandbox: Sandbox | None = None

    @property
    def status_number(self) -> int:
        return {RUNNING: 1, STOPPING: 2, STOPPED: 3}[self.status]

    def log(self, now_ns: int, text: str) -> None:
        """Keep the newest lines within MAX_LOG_BYTES in all."""
        content = text.encode()[:MAX_LOG_BYTES]
        self.logs.append(LogLine(self.next_log, now_ns, content))
        self.next_log += 1
        while sum(len(line.content) + 32 for line in self.logs) > MAX_LOG_BYTES and len(self.logs) > 1:
            self.logs.pop(0)


@dataclass
class FromIngress:
    request_id: bytes


@dataclass
class FromCanister:
    callback: int


@dataclass
class FromSystem:
    """A timer or a heartbeat: nobody waits for the answer."""


Origin = FromIngress | FromCanister | FromSystem


@dataclass
class CallContext:
    """A call that a canister has begun to answer. Source: interface specification, "Call contexts"."""

    id: int
    canister_id: bytes
    origin: Origin
    cycles_available: int
    deadline_ns: int = 0
    replied: bool = False
    outstanding: int = 0
    instructions: int = 0
    caller: bytes = b""


@dataclass
class Callback:
    """What a canister does with the answer to a call it made."""

    id: int
    canister_id: bytes
    context: int
    on_reply: Closure
    on_reject: Closure
    on_cleanup: Closure | None
    cycles_sent: int
    deadline_ns: int = 0  # best effort: after it the caller hears SYS_UNKNOWN


@dataclass
class Request:
    callee: bytes
    method: str
    argument: bytes
    caller: bytes
    cycles: int
    origin: Origin
    deadline_ns: int = 0


@dataclass
class Response:
    callback: int
    answer: Answer
    refund: int


@dataclass
class IngressStatus:
    """What read_state says of a request. `status`: received, processing, replied, rejected, done."""

    status: str
    sender: bytes
    canister_id: bytes
    expires_ns: int
    reply: bytes | None = None
    reject: Reject | None = None


@dataclass
class StopWaiter:
    canister_id: bytes
    origin: Origin
    refund: int = 0


@dataclass
class Network:
    seed: bytes  # 32 bytes; the signing keys derive from it
    time_ns: int
    height: int = 0
    canisters: dict[bytes, Canister] = field(default_factory=dict)
    next_canister: int = FIRST_CANISTER_ID
    next_id: int = 1  # of contexts and callbacks
    contexts: dict[int, CallContext] = field(default_factory=dict)
    callbacks: dict[int, Callback] = field(default_factory=dict)
    queue: deque[Request | Response] = field(default_factory=deque)
    ingress: dict[bytes, IngressStatus] = field(default_factory=dict)
    stop_waiters: list[StopWaiter] = field(default_factory=list)
    random_counter: int = 0
    cycles_spent: dict[bytes, int] = field(
        default_factory=dict
    )  # of the cycles ledger's accounts, keyed as `cycles` does
    cycles_blocks: int = 0
    icp_e8s: dict[bytes, int] = field(default_factory=dict)  # by account identifier
    icp_blocks: list[tuple[bytes, bytes, int]] = field(default_factory=list)  # from, to, e8s of every transfer of ICP
    minted_blocks: set[int] = field(default_factory=set)  # transfers that cycles were given for
    charged_ns: int = 0  # when idle costs were taken last

    def fresh_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def fresh_canister_id(self) -> bytes:
        while True:
            self.next_canister += 1
            fresh = canister_id_of(self.next_canister - 1)
            if fresh not in self.canisters:  # an id can be asked for by name
                return fresh
