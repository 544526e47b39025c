"""Stable memory: kept across upgrades, addressed in bytes, grown in pages of 64 KiB."""

from __future__ import annotations

from canisters.replica.engine.contract import WASM_PAGE_BYTES
from canisters.replica.engine.execution import Execution, Trap

from .registry import ANY_AND_START, ic0

MAX_STABLE_BYTES = 500 << 30
_MAX_STABLE_32_PAGES = 1 << 16  # the 32-bit functions end at 4 GiB
_SMALL = 20


def _range(execution: Execution, offset: int, size: int) -> None:
    if offset + size > execution.stable.size_bytes:
        raise Trap(f"the range {offset}+{size} is outside stable memory of {execution.stable.size_bytes} bytes")


def _pages(execution: Execution) -> int:
    return execution.stable.size_bytes // WASM_PAGE_BYTES


def _grow(execution: Execution, more: int, most_pages: int) -> int:
    before = _pages(execution)
    if before + more > most_pages or not execution.stable.grow((before + more) * WASM_PAGE_BYTES):
        return -1
    return before


def _require_small(execution: Execution, name: str) -> None:
    if _pages(execution) > _MAX_STABLE_32_PAGES:
        raise Trap(f"ic0.{name} cannot be used when stable memory is larger than 4 GiB")


@ic0(">i", ANY_AND_START, _SMALL)
def stable_size(execution: Execution) -> int:
    _require_small(execution, "stable_size")
    return _pages(execution)


@ic0("i>i", ANY_AND_START)
def stable_grow(execution: Execution, more: int) -> int:
    _require_small(execution, "stable_grow")
    return _grow(execution, more, _MAX_STABLE_32_PAGES)


@ic0("iii>", ANY_AND_START, _SMALL)
def stable_write(execution: Execution, offset: int, source: int, size: int) -> None:
    _require_small(execution, "stable_write")
    _range(execution, offset, size)
    execution.stable.write(offset, execution.read(source, size))


@ic0("iii>", ANY_AND_START, _SMALL)
def stable_read(execution: Execution, destination: int, offset: int, size: int) -> None:
    _require_small(execution, "stable_read")
    _range(execution, offset, size)
    execution.write(destination, execution.stable.read(offset, size))


@ic0(">L", ANY_AND_START, _SMALL)
def stable64_size(execution: Execution) -> int:
    return _pages(execution)


@ic0("L>L", ANY_AND_START)
def stable64_grow(execution: Execution, more: int) -> int:
    return _grow(execution, more, MAX_STABLE_BYTES // WASM_PAGE_BYTES)


@ic0("LLL>", ANY_AND_START, _SMALL)
def stable64_write(execution: Execution, offset: int, source: int, size: int) -> None:
    _range(execution, offset, size)
    execution.stable.write(offset, execution.read(source, size))


@ic0("LLL>", ANY_AND_START, _SMALL)
def stable64_read(execution: Execution, destination: int, offset: int, size: int) -> None:
    _range(execution, offset, size)
    execution.write(destination, execution.stable.read(offset, size))
