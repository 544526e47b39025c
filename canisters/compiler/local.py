"""Runs a compiled module in wasmtime behind a stand-in for the System API: for equality tests and cost reports, without a network.

Everything goes through the module's own doors (init, weights_upload, seal, infer_blob), so what is measured is what will be installed.
NaNs are canonical, as on the network. This is no canister host: no certificates, no other canisters. What the canister calls of
itself is run at once, and only for such a canister what a trapped message has written is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import wasmtime

from canisters.interface.candid import Service, decode, encode, parse_did
from canisters.interface.metering import COUNTER, metered

from . import wasm as w
from .build import engine
from .errors import BadInput, BuildFailed, CompilerError
from .ir import Array
from .memory import STACK_BYTES
from .shell import did_text

CONTROLLER = bytes([1])
SELF = bytes(range(10))
_COUNTED = 1 << 62
_STACK, _TABLE = "stack pointer", "callbacks"
_I32, _I64 = wasmtime.ValType.i32, wasmtime.ValType.i64


T = TypeVar("T")


def _as(kind: type[T], found: object) -> T:
    if not isinstance(found, kind):
        raise BuildFailed(f"the module exports no {kind.__name__} where one is needed")
    return found


class Rejected(CompilerError):
    """The module rejected the call."""


class Trapped(CompilerError):
    """The module trapped."""


@dataclass
class _Message:
    argument: bytes = b""
    caller: bytes = CONTROLLER
    method: str = ""
    reply: bytearray | None = None
    rejected: str | None = None
    accepted: bool = False


@dataclass
class _Call:
    """A call that the canister makes, with the places in its table, and their arguments, that are called afterwards."""

    callee: bytes
    method: str
    on_reply: tuple[int, int]
    on_reject: tuple[int, int]
    argument: bytearray = field(default_factory=bytearray)


class LocalCanister:
    """One instance. `controllers`: who is let in, by principal bytes. Counts instructions as the network's metering does.
    `time_ns` is what the canister is told, and stands still until it is set."""

    def __init__(self, wasm: bytes, *, controllers: Sequence[bytes] = (CONTROLLER,), stable: bytes = b"") -> None:
        self.controllers = set(controllers)
        self.stable = bytearray(stable)
        self.time_ns = 1_700_000_000_000_000_000
        self.message = _Message()
        self._engine = engine()
        self._store = wasmtime.Store(self._engine)
        linker = wasmtime.Linker(self._engine)
        for name, (parameters, results, function) in self._system().items():
            kind = wasmtime.FuncType([p() for p in parameters], [r() for r in results])
            linker.define(self._store, "ic0", name, wasmtime.Func(self._store, kind, function))
        self._instance = linker.instantiate(self._store, wasmtime.Module(self._engine, metered(_with_insides(wasm))))
        self._exports = self._instance.exports(self._store)
        self._memory = _as(wasmtime.Memory, self._exports["memory"])
        self._counter = _as(wasmtime.Global, self._exports[COUNTER])
        self._stack = _as(wasmtime.Global, self._exports[_STACK])
        self._calls: list[_Call] = []
        self._begun: _Call | None = None
        self._rejected: str | None = None

    @property
    def memory_bytes(self) -> int:
        return int(self._memory.data_len(self._store))

    def call(self, export: str, argument: bytes = b"", caller: bytes = CONTROLLER) -> bytes:
        """Runs an exported function to its reply. Raises Rejected, Trapped."""
        self.message = _Message(argument, caller, export.rpartition(" ")[2], bytearray())
        self.run(export)
        self._make_calls(self.message)
        if self.message.rejected is not None:
            raise Rejected(self.message.rejected)
        return bytes(self.message.reply or b"")

    def _make_calls(self, first: _Message) -> None:
        """The calls that were made meanwhile, one after another, each followed by its callback, which may answer `first` and call again."""
        while self._calls:
            call = self._calls.pop(0)
            self._rejected = "there are no other canisters here"
            if call.callee == SELF:
                self.message = _Message(bytes(call.argument), SELF, call.method, bytearray())
                try:
                    self.run(f"canister_update {call.method}")
                    self._rejected = self.message.rejected
                except Trapped as trapped:
                    self._rejected = str(trapped)
            self.message = first
            function, environment = call.on_reply if self._rejected is None else call.on_reject
            table = _as(wasmtime.Table, self._exports[_TABLE])
            self._run(_as(wasmtime.Func, table.get(self._store, function)), environment)

    def run(self, export: str) -> int:
        """Instructions that an exported function takes, without what the System API charges. Raises Trapped."""
        return self._run(_as(wasmtime.Func, self._exports[export]))

    def _run(self, function: wasmtime.Func, *arguments: int) -> int:
        self._counter.set_value(self._store, wasmtime.Val.i64(_COUNTED))
        performed = len(self._calls)
        before = (self.memory(), bytes(self.stable)) if _TABLE in self._exports else None
        try:
            function(self._store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self._stack.set_value(self._store, wasmtime.Val.i32(STACK_BYTES))  # what the trap has left on it is gone
            del self._calls[performed:]
            if before is not None:
                self.write(0, before[0].tobytes())
                self.stable = bytearray(before[1])
            raise Trapped(str(error)) from error
        return self.used()

    def used(self) -> int:
        return _COUNTED - int(self._counter.value(self._store))

    def memory(self) -> Array:
        """A copy of the whole memory, as uint8."""
        return np.frombuffer(self._memory.read(self._store, 0, self.memory_bytes), np.uint8)

    # --- ic0 ---

    def read(self, at: int, size: int) -> bytes:
        start = at % (1 << 32)
        return bytes(self._memory.read(self._store, start, start + size))

    def write(self, at: int, data: bytes) -> None:
        self._memory.write(self._store, data, at % (1 << 32))

    def _copied(self, data: bytes, to: int, offset: int, size: int) -> None:
        if offset + size > len(data):
            raise wasmtime.WasmtimeError("a copy is outside its data")
        self.write(to, data[offset : offset + size])

    def _append(self, at: int, size: int) -> None:
        if self.message.reply is not None:
            self.message.reply += self.read(at, size)

    def _reject(self, at: int, size: int) -> None:
        self.message.rejected = self.read(at, size).decode("utf-8", "replace")

    def _accept(self) -> None:
        self.message.accepted = True

    def _trap(self, at: int, size: int) -> None:
        raise wasmtime.WasmtimeError(self.read(at, size).decode("utf-8", "replace"))

    def _call_new(
        self, callee: int, callee_size: int, method: int, size: int, reply: int, on: int, reject: int, off: int
    ) -> None:
        self._begun = _Call(
            self.read(callee, callee_size), self.read(method, size).decode(), (reply, on), (reject, off)
        )

    def _call_data_append(self, at: int, size: int) -> None:
        if self._begun is not None:
            self._begun.argument += self.read(at, size)

    def _call_perform(self) -> int:
        if self._begun is not None:
            self._calls.append(self._begun)
        self._begun = None
        return 0

    def _stable_grow(self, pages: int) -> int:
        before = len(self.stable) // 65536
        self.stable += bytes(pages * 65536)
        return before

    def _stable_read(self, to: int, offset: int, size: int) -> None:
        self._copied(bytes(self.stable), to, offset, size)

    def _stable_write(self, offset: int, at: int, size: int) -> None:
        if offset + size > len(self.stable):
            raise wasmtime.WasmtimeError("a write is outside stable memory")
        self.stable[offset : offset + size] = self.read(at, size)

    def _system(self) -> dict[str, tuple[list[Any], list[Any], Callable[..., Any]]]:
        def text(of: Callable[[], bytes]) -> tuple[Any, Any]:
            return (
                ([], [_I32], lambda: len(of())),
                ([_I32] * 3, [], lambda to, offset, count: self._copied(of(), to, offset, count)),
            )

        found: dict[str, Any] = {}
        for name, of in (
            ("msg_arg_data", lambda: self.message.argument),
            ("msg_caller", lambda: self.message.caller),
            ("msg_method_name", lambda: bytes(self.message.method, "utf-8")),
            ("msg_reject_msg", lambda: bytes(self._rejected or "", "utf-8")),
            ("canister_self", lambda: SELF),
        ):
            found[f"{name}_size"], found[f"{name}_copy"] = text(of)
        found |= {
            "accept_message": ([], [], self._accept),
            "is_controller": ([_I32] * 2, [_I32], lambda at, size: int(self.read(at, size) in self.controllers)),
            "msg_reply_data_append": ([_I32] * 2, [], self._append),
            "msg_reply": ([], [], lambda: None),
            "msg_reject": ([_I32] * 2, [], self._reject),
            "call_new": ([_I32] * 8, [], self._call_new),
            "call_data_append": ([_I32] * 2, [], self._call_data_append),
            "call_perform": ([], [_I32], self._call_perform),
            "performance_counter": ([_I32], [_I64], lambda _kind: self.used()),
            "stable64_size": ([], [_I64], lambda: len(self.stable) // 65536),
            "stable64_grow": ([_I64], [_I64], self._stable_grow),
            "stable64_read": ([_I64] * 3, [], self._stable_read),
            "stable64_write": ([_I64] * 3, [], self._stable_write),
            "time": ([], [_I64], lambda: self.time_ns),
            "trap": ([_I32] * 2, [], self._trap),
        }
        return found


def _with_insides(wasm: bytes) -> bytes:
    """The module with its shadow stack's pointer, which is its first global, and its table of callbacks exported."""
    entries = [*w.exports(wasm), w.Export(_STACK, w.GLOBAL_KIND, 0)]
    entries += [w.Export(_TABLE, w.TABLE_KIND, 0)] * (w.count_of(wasm, w.TABLE) > 0)
    return w.assembled([w.export_section(entries) if part.number == w.EXPORT else part for part in w.sections(wasm)])


class LocalModel:
    """A model that is installed, has its weights, and answers."""

    def __init__(self, wasm: bytes, weight_chunks: Sequence[bytes]) -> None:
        self.service: Service = parse_did(did_text())
        self.canister = LocalCanister(wasm)
        self.canister.call("canister_init", encode(self.service.init, ({"release_hash": bytes(32)},)))
        for index, data in enumerate(weight_chunks):
            self._expect_ok("weights_upload", {"index": index, "data": data})
        self._expect_ok("seal")

    def call(self, method: str, *arguments: Any) -> Any:
        found = self.service.methods[method]
        kind = "canister_query" if found.is_query else "canister_update"
        return decode(self.canister.call(f"{kind} {method}", encode(found.arguments, arguments)), found.results)[0]

    def _expect_ok(self, method: str, *arguments: Any) -> None:
        answer = self.call(method, *arguments)
        if "Ok" not in answer:
            raise CompilerError(f"{method}: {answer['Err']}")

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Raises BadInput, in the words that a caller on the network would read."""
        answer = self.call(
            "infer_blob", {"inputs": [tensor_blob(name, np.asarray(value)) for name, value in inputs.items()]}
        )
        if "Err" in answer:
            raise BadInput(answer["Err"])
        return {blob["name"]: array_of(blob) for blob in answer["Ok"]["outputs"]}


def tensor_blob(name: str, array: Array) -> dict[str, Any]:
    """An array as the record TensorBlob of inference.did."""
    plain = np.ascontiguousarray(array)
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    return {"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "data": little.tobytes()}


def array_of(blob: Mapping[str, Any]) -> Array:
    dtype = np.dtype(blob["dtype"]).newbyteorder("<")
    return np.frombuffer(bytes(blob["data"]), dtype).reshape(blob["shape"]).astype(np.dtype(blob["dtype"]))
