"""What goes into the execution of one message, and what comes out: the engine's whole surface, beside `Sandbox` and `Module`.

The scheduler fills an `Environment` and names an `Entry`; the sandbox runs it and returns an `Outcome`. The engine undoes memory, stable
memory and globals of a trapped execution by itself; everything else is in the outcome, and whoever ignores a trapped one has undone it.

Durable state is not the engine's affair: `Sandbox.commit` returns which pages changed, and the state store writes them in the same
transaction as the rest of the block, so that a kill at any instant leaves a whole block or none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, Flag, auto

PAGE_BYTES = 4096  # of the operating system: the unit of change tracking
WASM_PAGE_BYTES = 65536

# Source: subnet_config.rs of the network's replica; `ic-limits` of the design notes.
UPDATE_INSTRUCTION_LIMIT = 40_000_000_000
QUERY_INSTRUCTION_LIMIT = 5_000_000_000
INSTALL_INSTRUCTION_LIMIT = 300_000_000_000
INSPECT_INSTRUCTION_LIMIT = 200_000_000

# Cycles for one signature or derived key, by the key's name. Source: developer documentation, "Cycles costs"; `vetkeys-notes`.
KEY_FEES = {"key_1": 26_153_846_153, "test_key_1": 10_000_000_000, "dfx_test_key": 10_000_000_000}


class OutOfInstructions:
    """How the network calls an execution that went over its limit. Source: HypervisorError, "InstructionLimitExceeded"."""

    CODE = "IC0522"

    @staticmethod
    def words(limit: int) -> str:
        return f"Canister exceeded the limit of {limit} instructions for single message execution."


class Mode(Flag):
    """In which kind of execution a System API function may be called. Source: interface specification, "System API"."""

    START = auto()
    INIT = auto()  # canister_init, canister_post_upgrade
    PRE_UPGRADE = auto()
    UPDATE = auto()
    QUERY = auto()  # non-replicated
    REPLICATED_QUERY = auto()
    COMPOSITE = auto()
    REPLY = auto()
    REJECT = auto()
    COMPOSITE_REPLY = auto()
    COMPOSITE_REJECT = auto()
    CLEANUP = auto()
    COMPOSITE_CLEANUP = auto()
    TIMER = auto()  # canister_global_timer, canister_heartbeat, canister_on_low_wasm_memory
    INSPECT = auto()


class Kind(Enum):
    START = "__start"
    INIT = "canister_init"
    PRE_UPGRADE = "canister_pre_upgrade"
    POST_UPGRADE = "canister_post_upgrade"
    INSPECT_MESSAGE = "canister_inspect_message"
    UPDATE = "canister_update"
    QUERY = "canister_query"
    REPLICATED_QUERY = "canister_query "
    COMPOSITE_QUERY = "canister_composite_query"
    HEARTBEAT = "canister_heartbeat"
    GLOBAL_TIMER = "canister_global_timer"
    ON_LOW_WASM_MEMORY = "canister_on_low_wasm_memory"
    REPLY_CALLBACK = "reply"
    REJECT_CALLBACK = "reject"
    COMPOSITE_REPLY_CALLBACK = "composite reply"
    COMPOSITE_REJECT_CALLBACK = "composite reject"
    CLEANUP_CALLBACK = "cleanup"
    COMPOSITE_CLEANUP_CALLBACK = "composite cleanup"


MODES = {
    Kind.START: Mode.START,
    Kind.INIT: Mode.INIT,
    Kind.PRE_UPGRADE: Mode.PRE_UPGRADE,
    Kind.POST_UPGRADE: Mode.INIT,
    Kind.INSPECT_MESSAGE: Mode.INSPECT,
    Kind.UPDATE: Mode.UPDATE,
    Kind.QUERY: Mode.QUERY,
    Kind.REPLICATED_QUERY: Mode.REPLICATED_QUERY,
    Kind.COMPOSITE_QUERY: Mode.COMPOSITE,
    Kind.HEARTBEAT: Mode.TIMER,
    Kind.GLOBAL_TIMER: Mode.TIMER,
    Kind.ON_LOW_WASM_MEMORY: Mode.TIMER,
    Kind.REPLY_CALLBACK: Mode.REPLY,
    Kind.REJECT_CALLBACK: Mode.REJECT,
    Kind.COMPOSITE_REPLY_CALLBACK: Mode.COMPOSITE_REPLY,
    Kind.COMPOSITE_REJECT_CALLBACK: Mode.COMPOSITE_REJECT,
    Kind.CLEANUP_CALLBACK: Mode.CLEANUP,
    Kind.COMPOSITE_CLEANUP_CALLBACK: Mode.COMPOSITE_CLEANUP,
}


@dataclass(frozen=True)
class Closure:
    """A function of the canister's table and the value that it is called with."""

    function: int
    environment: int


@dataclass(frozen=True)
class Entry:
    """Which exported function, or which callback, is to run."""

    kind: Kind
    method: str = ""
    closure: Closure | None = None

    @property
    def export(self) -> str:
        if self.kind in (Kind.UPDATE, Kind.QUERY, Kind.REPLICATED_QUERY, Kind.COMPOSITE_QUERY):
            return f"{self.kind.value.strip()} {self.method}"
        return str(self.kind.value)


def _nobody(_principal: bytes) -> bool:
    return False


@dataclass
class Environment:
    """What the canister can ask about itself, its caller and the network during one execution."""

    time_ns: int
    canister_id: bytes
    caller: bytes
    argument: bytes = b""
    canister_status: int = 1  # 1 running, 2 stopping, 3 stopped
    canister_version: int = 0
    cycle_balance: int = 0
    freezing_limit: int = 0  # cycles that must stay
    is_controller: Callable[[bytes], bool] = _nobody
    root_key: bytes = b""
    subnet_id: bytes = b""
    method_name: str = ""
    data_certificate: bytes | None = None
    environment_variables: tuple[tuple[str, str], ...] = ()
    reject_code: int = 0
    reject_message: str = ""
    deadline_ns: int = 0
    cycles_available: int = 0
    cycles_refunded: int = 0
    already_replied: bool = False
    instruction_limit: int = UPDATE_INSTRUCTION_LIMIT
    context_instructions: int = 0  # used by earlier executions of the same call context
    wasm_memory_limit_bytes: int = 0  # 0: none beyond the network's
    global_timer_ns: int = 0


@dataclass(frozen=True)
class OutgoingCall:
    callee: bytes
    method: str
    argument: bytes
    cycles: int
    on_reply: Closure
    on_reject: Closure
    on_cleanup: Closure | None
    timeout_s: int | None  # best effort when given


@dataclass(frozen=True)
class Trapped:
    """`code` is the network's error code: IC0502 trapped, IC0503 called trap, IC0522 out of instructions, IC0524 out of memory ..."""

    code: str
    message: str
    backtrace: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What an execution did. With `trapped` set, only `instructions` and `logs` count."""

    trapped: Trapped | None = None
    reply: bytes | None = None
    reject: str | None = None
    calls: list[OutgoingCall] = field(default_factory=list)
    cycles_accepted: int = 0
    cycles_burned: int = 0
    cycles_sent: int = 0
    certified_data: bytes | None = None
    global_timer_ns: int | None = None
    accepted: bool = False  # inspect_message
    logs: list[str] = field(default_factory=list)
    instructions: int = 0


@dataclass(frozen=True)
class Pages:
    """Changed memory of one canister, to be written with the block: page number -> PAGE_BYTES bytes, and the sizes after it."""

    heap: dict[int, bytes]
    stable: dict[int, bytes]
    heap_bytes: int
    stable_bytes: int
    globals_: tuple[tuple[int, int], ...]  # (kind, bits) of every mutable global
    heap_replaced: bool = False  # pages kept from before are not the heap's any more
    stable_replaced: bool = False


class InvalidModule(ValueError):
    """The wasm is not one that the network would install; the text says why. Rejected with IC0505."""
