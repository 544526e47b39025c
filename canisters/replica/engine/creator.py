"""Hands wasmtime our own memory: the seam between its linear memories and `memory.PrivateMapping`.

wasmtime asks for a memory while a module is being instantiated; `providing` says which mapping it gets. Everything that wasmtime may call
must stay alive as long as the engine, and must not raise: an error in a callback would take the process down."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from typing import Any

import wasmtime
from wasmtime import _bindings as ffi

from .contract import WASM_PAGE_BYTES
from .memory import PrivateMapping

# Address space, not memory: wasm32 code may reach 4 GiB plus its guard without a check; wasm64 is checked.
GUARD_BYTES = 1 << 31
HEAP_LIMIT_WASM32, HEAP_LIMIT_WASM64 = 4 << 30, 6 << 30

_lock = threading.RLock()
_wanted: list[Slot] = []
_living: dict[int, Slot] = {}
_next_key = 1


class Slot:
    """Where the mapping of the instance that is being made goes."""

    def __init__(self, existing: PrivateMapping | None) -> None:
        self.mapping = existing
        self.limit_bytes = 0
        self.soft_limit_bytes = 0  # of the canister's settings, 0 for none; only growth is checked


def _new_memory(_env: Any, _type: Any, minimum: int, maximum: int, reserved: int, guard: int, out: Any) -> int:
    global _next_key
    try:
        slot = _wanted[-1]
        is_wasm32 = maximum <= HEAP_LIMIT_WASM32
        slot.limit_bytes = min(maximum, HEAP_LIMIT_WASM32 if is_wasm32 else HEAP_LIMIT_WASM64)
        if slot.mapping is None:
            slot.mapping = PrivateMapping(max(reserved, slot.limit_bytes) + max(guard, GUARD_BYTES))
        if minimum > slot.limit_bytes or not slot.mapping.grow(minimum):
            return _error(f"a memory of {minimum} bytes is more than the network allows")
        key, _next_key = _next_key, _next_key + 1
        _living[key] = slot
        out[0].env = key
        out[0].get_memory = _GET
        out[0].grow_memory = _GROW
        out[0].finalizer = _FINALIZE
        return 0
    except Exception as error:
        return _error(f"no memory: {error}")


def _get_memory(env: int, size: Any, capacity: Any) -> int:
    mapping = _living[env].mapping
    assert mapping is not None
    size[0] = mapping.size_bytes
    capacity[0] = _living[env].limit_bytes
    return mapping.base


def _grow_memory(env: int, new_size: int) -> int:
    try:
        slot = _living[env]
        limit = min(slot.limit_bytes, slot.soft_limit_bytes or slot.limit_bytes)
        if new_size > limit or slot.mapping is None or not slot.mapping.grow(new_size):
            return _error("the memory cannot grow further")
        return 0
    except Exception as error:
        return _error(f"the memory cannot grow: {error}")


def _finalize(env: int) -> None:
    _living.pop(env, None)  # the sandbox owns the mapping and closes it


def _error(message: str) -> int:
    data = message.encode()
    buffer = ctypes.create_string_buffer(data)
    return ctypes.cast(ffi.wasmtime_error_new(buffer), ctypes.c_void_p).value or 0


_GET = ffi.wasmtime_memory_get_callback_t(_get_memory)
_GROW = ffi.wasmtime_memory_grow_callback_t(_grow_memory)
_FINALIZE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_finalize)
_NEW = ffi.wasmtime_new_memory_callback_t(_new_memory)
_NOTHING = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _env: None)
_creator = ffi.wasmtime_memory_creator(None, _NEW, _NOTHING)


# The library has this function, its Python bindings do not.
_set_async_stack = ffi.dll.wasmtime_config_async_stack_size_set  # type: ignore[attr-defined]
_set_async_stack.restype, _set_async_stack.argtypes = None, [ctypes.POINTER(ffi.wasm_config_t), ctypes.c_size_t]


def attach(config: wasmtime.Config, *, stack_bytes: int) -> None:
    """Have an engine ask here for its memories, and give wasm `stack_bytes` of its thread's stack (which must have more).

    Copy-on-write images of data segments must be off, and the unused asynchronous stack must not be smaller than the stack: wasmtime
    aborts the process otherwise."""
    _set_async_stack(config.ptr(), 2 * stack_bytes)
    config.max_wasm_stack = stack_bytes
    ffi.wasmtime_config_memory_init_cow_set(config.ptr(), False)
    ffi.wasmtime_config_host_memory_creator_set(config.ptr(), ctypes.byref(_creator))


@contextlib.contextmanager
def providing(existing: PrivateMapping | None) -> Iterator[Slot]:
    """While inside, the memory of the instance that is made is `existing`, or a new mapping put into the slot."""
    with _lock:
        slot = Slot(existing)
        _wanted.append(slot)
        try:
            yield slot
        finally:
            _wanted.pop()


__all__ = ["WASM_PAGE_BYTES", "Slot", "attach", "providing"]
