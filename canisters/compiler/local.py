"""Runs a compiled module in wasmtime behind a stand-in for the System API: for equality tests and cost reports, without a network.

Everything goes through the module's own doors (init, weights_upload, seal, infer_blob), so what is measured is what will be installed.
NaNs are canonical, as on the network. This is no canister host: no certificates, no undo of a trapped message, no other canisters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import wasmtime

from canisters.interface.candid import Service, decode, encode, parse_did
from canisters.interface.metering import COUNTER, metered

from .build import engine
from .errors import BadInput, BuildFailed, CompilerError
from .ir import Array
from .shell import did_text

CONTROLLER = bytes([1])
_COUNTED = 1 << 62
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


class LocalCanister:
    """One instance. `controllers`: who is let in, by principal bytes. Counts instructions as the network's metering does."""

    def __init__(self, wasm: bytes, *, controllers: Sequence[bytes] = (CONTROLLER,), stable: bytes = b"") -> None:
        self.controllers = set(controllers)
        self.stable = bytearray(stable)
        self.message = _Message()
        self._engine = engine()
        self._store = wasmtime.Store(self._engine)
        linker = wasmtime.Linker(self._engine)
        for name, (parameters, results, function) in self._system().items():
            kind = wasmtime.FuncType([p() for p in parameters], [r() for r in results])
            linker.define(self._store, "ic0", name, wasmtime.Func(self._store, kind, function))
        self._instance = linker.instantiate(self._store, wasmtime.Module(self._engine, metered(wasm)))
        self._exports = self._instance.exports(self._store)
        self._memory = _as(wasmtime.Memory, self._exports["memory"])
        self._counter = _as(wasmtime.Global, self._exports[COUNTER])

    @property
    def memory_bytes(self) -> int:
        return int(self._memory.data_len(self._store))

    def call(self, export: str, argument: bytes = b"", caller: bytes = CONTROLLER) -> bytes:
        """Runs an exported function to its reply. Raises Rejected, Trapped."""
        self.message = _Message(argument, caller, export.rpartition(" ")[2], bytearray())
        self.run(export)
        if self.message.rejected is not None:
            raise Rejected(self.message.rejected)
        return bytes(self.message.reply or b"")

    def run(self, export: str) -> int:
        """Instructions that an exported function takes, without what the System API charges. Raises Trapped."""
        self._counter.set_value(self._store, wasmtime.Val.i64(_COUNTED))
        try:
            _as(wasmtime.Func, self._exports[export])(self._store)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
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
        ):
            found[f"{name}_size"], found[f"{name}_copy"] = text(of)
        found |= {
            "accept_message": ([], [], self._accept),
            "is_controller": ([_I32] * 2, [_I32], lambda at, size: int(self.read(at, size) in self.controllers)),
            "msg_reply_data_append": ([_I32] * 2, [], self._append),
            "msg_reply": ([], [], lambda: None),
            "msg_reject": ([_I32] * 2, [], self._reject),
            "performance_counter": ([_I32], [_I64], lambda _kind: self.used()),
            "stable64_size": ([], [_I64], lambda: len(self.stable) // 65536),
            "stable64_grow": ([_I64], [_I64], self._stable_grow),
            "stable64_read": ([_I64] * 3, [], self._stable_read),
            "stable64_write": ([_I64] * 3, [], self._stable_write),
            "trap": ([_I32] * 2, [], self._trap),
        }
        return found


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
