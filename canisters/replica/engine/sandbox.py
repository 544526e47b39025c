"""A canister's wasm instance with its memories: runs entries, keeps or undoes what they changed.

`run` leaves changes standing until `commit` or `rollback`; `run_query` always undoes. Traps undo themselves. One execution at a time: the
caller holds the sandbox's lock. wasm runs without Python's lock, so other canisters go on meanwhile.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterable
from typing import Any

import wasmtime
from wasmtime import _bindings as ffi

from canisters.interface.metering import COUNTER

from . import creator, host
from .binary import RESERVED_PREFIX
from .contract import (
    WASM_PAGE_BYTES,
    Closure,
    Entry,
    Environment,
    InvalidModule,
    Kind,
    Mode,
    Outcome,
    OutOfInstructions,
    Pages,
    Trapped,
)  # fmt: skip
from .execution import Execution, Trap
from .memory import PrivateMapping
from .module import Module, engine

_STABLE_RESERVED_BYTES = 64 << 30  # address space; stable memory beyond it is refused
_I32, _I64, _F32, _F64 = 0, 1, 2, 3
# By the wasm memory limit:
_LIMITED = Mode.INIT | Mode.PRE_UPGRADE | Mode.UPDATE | Mode.REPLY | Mode.REJECT | Mode.TIMER
_CODES = {
    wasmtime.TrapCode.STACK_OVERFLOW: ("IC0502", "stack overflow"),
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: ("IC0502", "heap out of bounds"),
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: ("IC0502", "integer division by 0"),
    wasmtime.TrapCode.UNREACHABLE: ("IC0502", "unreachable"),
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: ("IC0502", "table out of bounds"),
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: ("IC0502", "indirect call to null"),
    wasmtime.TrapCode.BAD_SIGNATURE: ("IC0502", "indirect call of another type"),
}


class NoHeap:
    """The memory of a module that has none."""

    size_bytes = 0
    committed_bytes = 0

    def read(self, _offset: int, _size: int) -> bytes:
        return b""

    def write(self, _offset: int, _data: bytes) -> None:
        return None


class Sandbox:
    def __init__(self, module: Module, heap: PrivateMapping | None, stable: PrivateMapping) -> None:
        self.module = module
        self.lock = threading.RLock()
        self._stable = stable
        self._execution: Execution | None = None
        self._committed_globals: tuple[tuple[int, int], ...] = ()
        self.heap_replaced = self.stable_replaced = True
        self._instance: wasmtime.Instance | None = None
        self._instantiate(heap)

    # --- lifetimes ---

    @classmethod
    def create(cls, module: Module, stable: PrivateMapping | None = None) -> Sandbox:
        """A fresh heap; stable memory is taken over when given (an upgrade), else empty."""
        return cls(module, None, stable or PrivateMapping(_STABLE_RESERVED_BYTES))

    @classmethod
    def restore(cls, module: Module, pages: Pages) -> Sandbox:
        """As committed: after a restart of the process, or from a snapshot. Raises InvalidModule when the memory is not this module's."""
        stable = PrivateMapping(_STABLE_RESERVED_BYTES)
        stable.load(pages.stable, pages.stable_bytes)
        sandbox = cls(module, None, stable)
        sandbox.heap_replaced = sandbox.stable_replaced = False
        if tuple(kind for kind, _ in pages.globals_) != tuple(kind for kind, _ in sandbox._committed_globals):
            sandbox.close()
            raise InvalidModule("the module has other globals than the memory that is to be loaded")
        if sandbox._heap is None:
            return sandbox
        try:
            sandbox._heap.load(pages.heap, pages.heap_bytes)
            sandbox._committed_globals = pages.globals_
            sandbox._reinstantiate()
        except wasmtime.WasmtimeError as error:
            sandbox.close()
            raise InvalidModule(f"the module cannot hold the memory that is to be loaded: {error}") from error
        return sandbox

    def upgraded(self, module: Module, *, keep_heap: bool) -> Sandbox:
        """A sandbox of another module with this one's stable memory, and its heap when that is kept, uncommitted changes included.

        This one stays as it is, so an upgrade that fails is undone by closing the new one."""
        stable = PrivateMapping(_STABLE_RESERVED_BYTES)
        stable.adopt_committed(self._stable)
        stable.grow(stable.committed_bytes)
        stable.adopt_changes(self._stable)
        fresh = Sandbox(module, None, stable)
        fresh.stable_replaced = self.stable_replaced
        if keep_heap and self._heap is not None and fresh._heap is not None:
            fresh._heap.rollback()  # the new module's data segments: the heap has its own already
            fresh._heap.adopt_committed(self._heap)
            fresh._match_size(self._heap.size_bytes)
            fresh._heap.rollback()
            fresh._heap.adopt_changes(self._heap)
            fresh.heap_replaced = self.heap_replaced
        return fresh

    def close(self) -> None:
        """Give the memory back. Nothing may run in it afterwards."""
        self._instance = None
        self._store.close()
        # The callbacks hold this object, and through it the module's open file, until the garbage collector comes by.
        self._callbacks.clear()
        self._functions.clear()
        self._globals.clear()
        if self._heap is not None:
            self._heap.close()
        self._stable.close()

    # --- instances ---

    def _instantiate(self, heap: PrivateMapping | None) -> None:
        with creator.providing(heap) as slot:
            self._store = wasmtime.Store(engine())
            self._context = self._store._context()
            self._callbacks: list[Any] = []
            functions = [self._import(imported) for imported in self.module.compiled.imports]
            try:
                instance = wasmtime.Instance(self._store, self.module.compiled, functions)
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                self._store.close()
                if slot.mapping is not None and heap is None:
                    slot.mapping.close()
                self._stable.close()
                raise InvalidModule(f"the module cannot be instantiated: {str(error).splitlines()[0]}") from error
            self._instance = instance
            self._heap: Any = slot.mapping
            self._slot = slot
        exports = instance.exports(self._store)
        counter: Any = exports[COUNTER]
        self._counter = counter._global
        self._functions: dict[str, Any] = {}
        self._globals: list[Any] = []
        self._table: wasmtime.Table | None = None
        self._memory: wasmtime.Memory | None = None
        for name, item in exports.items():
            if isinstance(item, wasmtime.Func):
                self._functions[name] = item._func
            elif name.startswith(f"{RESERVED_PREFIX}g") and isinstance(item, wasmtime.Global):
                self._globals.append(item._global)
            elif name == f"{RESERVED_PREFIX}t0" and isinstance(item, wasmtime.Table):
                self._table = item
            elif name == f"{RESERVED_PREFIX}m" and isinstance(item, wasmtime.Memory):
                self._memory = item
        if heap is None:
            self._committed_globals = self._read_globals()

    def _match_size(self, size_bytes: int) -> None:
        """Tell a new instance how large its memory really is."""
        if self._memory is not None:
            missing = size_bytes // WASM_PAGE_BYTES - self._memory.size(self._store)
            if missing > 0:
                self._memory.grow(self._store, missing)

    def _reinstantiate(self) -> None:
        """Back to the committed heap after growth that must be undone: a memory cannot shrink, so the instance is made anew."""
        self._instance = None
        self._store.close()
        heap, globals_ = self._heap, self._committed_globals
        if heap is not None:
            heap.shrink_to_committed()
        self._instantiate(heap)
        if heap is not None:
            self._match_size(heap.committed_bytes)
            heap.rollback()
        self._committed_globals = globals_
        self._write_globals(globals_)

    def _import(self, imported: wasmtime.ImportType) -> wasmtime.Func:
        """A raw host function: reads its arguments off wasmtime's stack, runs the System API function, puts the result back."""
        function = host.FUNCTIONS[str(imported.name)]
        type_ = imported.type
        assert isinstance(type_, wasmtime.FuncType)
        wide = [str(p) == "i64" for p in type_.params]
        result = str(type_.results[0]) if type_.results else None
        run = function.run

        def callback(_env: Any, _caller: Any, values: Any, _count: int) -> int:
            try:
                arguments = [
                    values[i].i64 & 0xFFFFFFFFFFFFFFFF if is_wide else values[i].i32 & 0xFFFFFFFF
                    for i, is_wide in enumerate(wide)
                ]
                execution = self._execution
                if execution is None:
                    raise Trap("the System API cannot be called here")
                answer = run(execution, arguments)
                if result == "i64":
                    values[0].i64 = _signed(answer or 0, 64)
                elif result == "i32":
                    values[0].i32 = _signed(answer or 0, 32)
                return 0
            except Trap as trap:
                if self._execution is not None:
                    self._execution.trapped = trap
                return _trap(trap.message)
            except BaseException as error:  # an exception must not cross into wasmtime
                if self._execution is not None:
                    self._execution.trapped = Trap(
                        f"the embedded network failed in ic0.{function.name}: {error!r}", "IC0537"
                    )
                return _trap(repr(error))

        raw = ffi.wasmtime_func_unchecked_callback_t(callback)
        self._callbacks.append(raw)
        made = ffi.wasmtime_func_t()
        ffi.wasmtime_func_new_unchecked(self._context, type_.ptr(), raw, None, _NO_FINALIZER, ctypes.byref(made))
        return wasmtime.Func._from_raw(made)

    # --- globals ---

    def _read_globals(self) -> tuple[tuple[int, int], ...]:
        found = []
        value = ffi.wasmtime_val_t()
        for item in self._globals:
            ffi.wasmtime_global_get(self._context, ctypes.byref(item), ctypes.byref(value))
            kind: Any = value.kind
            found.append((int(kind), int(value.of.i64) if kind in (_I64, _F64) else int(value.of.i32)))
        return tuple(found)

    def _write_globals(self, values: Iterable[tuple[int, int]]) -> None:
        for item, (kind, bits) in zip(self._globals, values, strict=True):
            value: Any = ffi.wasmtime_val_t()
            value.kind = kind
            if kind in (_I64, _F64):
                value.of.i64 = bits
            else:
                value.of.i32 = bits
            error = ffi.wasmtime_global_set(self._context, ctypes.byref(item), ctypes.byref(value))
            if error:
                raise wasmtime.WasmtimeError._from_ptr(error)

    # --- executions ---

    def has(self, entry: Entry) -> bool:
        if entry.kind is Kind.START:
            return f"{RESERVED_PREFIX}start" in self._functions
        return entry.closure is not None or entry.export in self._functions

    def run(self, entry: Entry, environment: Environment) -> Outcome:
        """Execute. Changes of memory stand until `commit` or `rollback`, except a trapped execution's, which are undone here."""
        execution = Execution(entry, environment, self._heap or NoHeap(), self._stable)
        limit = environment.instruction_limit
        self._write_counter(limit)
        execution.instructions_used = lambda: limit - self._read_counter() + execution.extra_instructions
        self._slot.soft_limit_bytes = environment.wasm_memory_limit_bytes if execution.mode & _LIMITED else 0
        self._execution = execution
        try:
            trapped = self._invoke(entry)
        except BaseException:
            self.rollback()
            raise
        finally:
            self._execution = None
        outcome = execution.outcome
        outcome.instructions = min(execution.instructions_used(), limit)
        if trapped is None and execution.instructions_used() > limit:
            trapped = Trapped(OutOfInstructions.CODE, OutOfInstructions.words(limit))
        if trapped is not None:
            self.rollback()
            return Outcome(
                trapped=trapped, logs=[*outcome.logs, f"[TRAP]: {trapped.message}"], instructions=outcome.instructions
            )
        return outcome

    def run_query(self, entry: Entry, environment: Environment) -> Outcome:
        outcome = self.run(entry, environment)
        if outcome.trapped is None:
            self.rollback()
        return outcome

    def commit(self) -> Pages:
        """Make what happened since the last commit stand. Returns what changed, for the state store."""
        heap_pages = self._heap.commit() if self._heap is not None else {}
        stable_pages = self._stable.commit()
        self._committed_globals = self._read_globals()
        heap_bytes = self._heap.size_bytes if self._heap is not None else 0
        replaced = (self.heap_replaced, self.stable_replaced)
        self.heap_replaced = self.stable_replaced = False
        return Pages(heap_pages, stable_pages, heap_bytes, self._stable.size_bytes, self._committed_globals, *replaced)

    def rollback(self) -> None:
        """Back to the last commit: memories, their sizes, globals."""
        self._stable.rollback()
        self._stable.shrink_to_committed()
        if self._heap is not None:
            self._heap.rollback()
            if self._heap.size_bytes != self._heap.committed_bytes:
                self._reinstantiate()
                return
        self._write_globals(self._committed_globals)

    @property
    def committed_globals(self) -> tuple[tuple[int, int], ...]:
        """(kind, bits) of every mutable global, as of the last commit."""
        return self._committed_globals

    def heap_limit_bytes(self, wanted: int) -> int:
        """How large the heap may become: the network's limit for the module's kind, or a lower one that is wanted."""
        most = creator.HEAP_LIMIT_WASM64 if self.module.is_wasm64 else creator.HEAP_LIMIT_WASM32
        return min(most, wanted or most)

    @property
    def heap_bytes(self) -> int:
        return self._heap.size_bytes if self._heap is not None else 0

    @property
    def stable_bytes(self) -> int:
        return self._stable.size_bytes

    def _read_counter(self) -> int:
        value = ffi.wasmtime_val_t()
        ffi.wasmtime_global_get(self._context, ctypes.byref(self._counter), ctypes.byref(value))
        return int(value.of.i64)

    def _write_counter(self, left: int) -> None:
        value: Any = ffi.wasmtime_val_t()
        value.kind, value.of.i64 = _I64, left
        ffi.wasmtime_global_set(self._context, ctypes.byref(self._counter), ctypes.byref(value))

    def _invoke(self, entry: Entry) -> Trapped | None:
        if entry.closure is not None:
            return self._invoke_closure(entry.closure)
        name = f"{RESERVED_PREFIX}start" if entry.kind is Kind.START else entry.export
        if name not in self._functions:
            return Trapped("IC0536", f"the canister has no {entry.export}")
        return self._call(self._functions[name], None)

    def _invoke_closure(self, closure: Closure) -> Trapped | None:
        if self._table is None:
            return Trapped("IC0502", "the canister has no table of functions to call back")
        try:
            function = self._table.get(self._store, closure.function)
        except wasmtime.WasmtimeError:
            function = None
        if not isinstance(function, wasmtime.Func):
            return Trapped("IC0502", f"there is no function {closure.function} to call back")
        params = [str(p) for p in function.type(self._store).params]
        if params not in (["i32"], ["i64"]) or function.type(self._store).results:
            return Trapped("IC0502", "the function to call back takes something else than one number")
        return self._call(function._func, closure.environment, wide=params == ["i64"])

    def _call(self, function: Any, argument: int | None, *, wide: bool = False) -> Trapped | None:
        values = (ffi.wasmtime_val_raw_t * 1)()
        if argument is not None:
            if wide:
                values[0].i64 = _signed(argument, 64)
            else:
                values[0].i32 = _signed(argument, 32)
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_func_call_unchecked(
            self._context, ctypes.byref(function), values, int(argument is not None), ctypes.byref(trap)
        )
        if error:
            return self._explain_error(str(wasmtime.WasmtimeError._from_ptr(error)))
        if trap:
            return self._explain(wasmtime.Trap._from_ptr(trap))
        return None

    def _explain_error(self, text: str) -> Trapped:
        """A trap that a host function raised comes back as an error whose text holds the backtrace."""
        found = re.findall(r"!(.+)$", text.split("Caused by:")[0], re.MULTILINE)
        frames = tuple(re.sub(r"^<wasm (function \d+)>$", r"\1", frame) for frame in found[:20])
        own = self._execution.trapped if self._execution else None
        if own is not None:
            return Trapped(own.code, own.message, frames)
        return Trapped("IC0502", text.rsplit("Caused by:", 1)[-1].strip(), frames)

    def _explain(self, trap: wasmtime.Trap) -> Trapped:
        frames = tuple(f.func_name or f"function {f.func_index}" for f in trap.frames)[:20]
        own = self._execution.trapped if self._execution else None
        if own is not None:
            return Trapped(own.code, own.message, frames)
        if self._execution is not None and self._read_counter() < 0:  # the metered code stops by `unreachable`
            return Trapped(
                OutOfInstructions.CODE, OutOfInstructions.words(self._execution.environment.instruction_limit), frames
            )
        try:
            code, message = _CODES.get(trap.trap_code, ("IC0502", "")) if trap.trap_code else ("IC0502", "")
        except (ValueError, AttributeError):
            code, message = "IC0502", ""
        return Trapped(code, message or trap.message.splitlines()[0], frames)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _trap(message: str) -> int:
    data = message.encode()
    return ctypes.cast(ffi.wasmtime_trap_new(data, len(data)), ctypes.c_void_p).value or 0


_NO_FINALIZER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _env: None)
