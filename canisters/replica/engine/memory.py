"""Memory that can be undone: a private mapping over a file of committed bytes, whose changed pages the kernel tells.

A canister's heap lives in such a mapping (wasmtime asks for it through a host memory creator), its stable memory in another. Writes go to
private copies of pages; `commit` puts the changed ones into the file, `rollback` drops them. A query on a canister of a gigabyte costs
what it touched. Linux only: memfd, MADV_DONTNEED and the page map are needed.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
import sys
from dataclasses import dataclass

from .contract import PAGE_BYTES

_PROT_NONE, _PROT_RW = 0, mmap.PROT_READ | mmap.PROT_WRITE
_MAP_FIXED, _MAP_NORESERVE = 0x10, 0x4000
_MADV_DONTNEED = 4
_MAP_FAILED = ctypes.c_void_p(-1).value

# linux/fs.h: _IOWR('f', 16, struct pm_scan_arg), which is twelve 64-bit words.
_PAGEMAP_SCAN = 0xC0606610
_SCAN_FORMAT = "<12Q"
_IS_FILE, _IS_PRESENT, _IS_SWAPPED = 1 << 2, 1 << 3, 1 << 4
_SCAN_REGIONS = 512


class UnsupportedSystem(RuntimeError):
    """The operating system lacks what the engine stands on."""


if sys.platform != "linux":
    raise UnsupportedSystem("the embedded network needs Linux (memfd and the page map); use PocketIC elsewhere")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _mmap(address: int, size: int, protection: int, flags: int, fd: int, offset: int) -> int:
    mapped = _libc.mmap(address or None, size, protection, flags, fd, offset)
    if mapped is None or mapped == _MAP_FAILED:
        raise MemoryError(f"mapping {size} bytes failed: {os.strerror(ctypes.get_errno())}")
    return int(mapped)


@dataclass(frozen=True)
class Range:
    """Bytes `start` to `end` of the mapping, page aligned."""

    start: int
    end: int


class PrivateMapping:
    """`size_bytes` of memory at the fixed address `base`, growable within `reserved_bytes` of address space."""

    def __init__(self, reserved_bytes: int) -> None:
        self.reserved_bytes = reserved_bytes
        self._fd = os.memfd_create("canister-memory", os.MFD_CLOEXEC)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        self.base = _mmap(0, reserved_bytes, _PROT_NONE, flags, -1, 0)
        self.size_bytes = 0
        self.committed_bytes = 0
        self._file_bytes = 0

    def close(self) -> None:
        """Give the address space and the file back. Safe to call twice."""
        if self.base:
            _libc.munmap(self.base, self.reserved_bytes)
            os.close(self._fd)
            self.base = 0

    def grow(self, size_bytes: int) -> bool:
        """Make the memory larger, new bytes zero. False when the address space does not reach."""
        if size_bytes > self.reserved_bytes:
            return False
        if size_bytes > self._file_bytes:
            os.ftruncate(self._fd, size_bytes)
            self._file_bytes = size_bytes
        if size_bytes > self.size_bytes:
            flags = mmap.MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE
            extra = size_bytes - self.size_bytes
            _mmap(self.base + self.size_bytes, extra, _PROT_RW, flags, self._fd, self.size_bytes)
            self.size_bytes = size_bytes
        return True

    def shrink_to_committed(self) -> None:
        """Take uncommitted growth back. Not for a heap, whose instance remembers its size: that needs a new instance."""
        if self.size_bytes > self.committed_bytes:
            extra = self.size_bytes - self.committed_bytes
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED | _MAP_NORESERVE
            _mmap(self.base + self.committed_bytes, extra, _PROT_NONE, flags, -1, 0)
            self.size_bytes = self.committed_bytes

    def read(self, offset: int, size: int) -> bytes:
        return ctypes.string_at(self.base + offset, size)

    def write(self, offset: int, data: bytes) -> None:
        ctypes.memmove(self.base + offset, data, len(data))

    def dirty_ranges(self) -> list[Range]:
        """Pages that differ in kind from the file's: private copies made since the last commit or rollback."""
        if self.size_bytes == 0:
            return []
        return _scan(self.base, self.size_bytes)

    def rollback(self) -> None:
        """Show the file's bytes everywhere, whatever was written. Growth stays: see `shrink_to_committed`.

        All pages are dropped, read ones too: the next scan then takes as long as what was touched since, however large the memory is."""
        if self.size_bytes:
            _libc.madvise(self.base, self.size_bytes, _MADV_DONTNEED)

    def commit(self) -> dict[int, bytes]:
        """Make the present content the committed one. Returns the changed pages by number."""
        changed: dict[int, bytes] = {}
        with memoryview((ctypes.c_char * self.size_bytes).from_address(self.base)) as here:
            for dirty in self.dirty_ranges():
                os.pwrite(self._fd, here[dirty.start : dirty.end], dirty.start)
                for start in range(dirty.start, dirty.end, PAGE_BYTES):
                    changed[start // PAGE_BYTES] = bytes(here[start : start + PAGE_BYTES])
        self.rollback()  # to the file, which has it all now
        self.committed_bytes = self.size_bytes
        return changed

    def load(self, pages: dict[int, bytes], size_bytes: int) -> None:
        """Fill a fresh mapping with committed pages, as after a restart."""
        self.grow(size_bytes)
        for number, data in pages.items():
            os.pwrite(self._fd, data, number * PAGE_BYTES)
        self.committed_bytes = size_bytes

    def adopt_committed(self, other: PrivateMapping) -> None:
        """Take over what `other` has committed, as committed here too; `adopt_changes` brings the rest."""
        os.ftruncate(self._fd, max(other._file_bytes, self._file_bytes))
        self._file_bytes = max(other._file_bytes, self._file_bytes)
        _copy_file(other._fd, self._fd, other.committed_bytes)
        self.committed_bytes = other.committed_bytes

    def adopt_changes(self, other: PrivateMapping) -> None:
        """Take over what `other` has changed and not committed, as uncommitted changes here."""
        self.grow(other.size_bytes)
        for dirty in other.dirty_ranges():
            self.write(dirty.start, other.read(dirty.start, dirty.end - dirty.start))


def _copy_file(source: int, target: int, size: int) -> None:
    """Copy what is not a hole."""
    at = 0
    while at < size:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError:
            return  # only a hole is left
        end = min(os.lseek(source, start, os.SEEK_HOLE), size)
        at = start
        while at < end:
            at += os.pwrite(target, os.pread(source, min(1 << 22, end - at), at), at)


def _open_pagemap() -> int:
    try:
        return os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UnsupportedSystem("the embedded network needs /proc/self/pagemap: mount /proc") from error


_pagemap: dict[int, int] = {}  # by process: a forked child has a page map of its own


def _pagemap_fd() -> int:
    pid = os.getpid()
    if pid not in _pagemap:
        _pagemap[pid] = _open_pagemap()
    return _pagemap[pid]


def _scan(base: int, size: int) -> list[Range]:
    global _scan_supported
    if _scan_supported:
        try:
            return _scan_by_ioctl(base, size)
        except OSError:
            _scan_supported = False  # a kernel before 6.7
    return _scan_by_reading(base, size)


_scan_supported = True


def _scan_by_ioctl(base: int, size: int) -> list[Range]:
    regions = (ctypes.c_uint64 * (3 * _SCAN_REGIONS))()
    found: list[Range] = []
    at, end = base, base + -(-size // PAGE_BYTES) * PAGE_BYTES
    while at < end:
        argument = bytearray(
            struct.pack(
                _SCAN_FORMAT, 96, 0, at, end, 0, ctypes.addressof(regions), _SCAN_REGIONS, 0,
                _IS_FILE, _IS_FILE, _IS_PRESENT | _IS_SWAPPED, _IS_PRESENT | _IS_SWAPPED,
            )
        )  # fmt: skip
        count = fcntl.ioctl(_pagemap_fd(), _PAGEMAP_SCAN, argument)
        for index in range(count):
            start, stop = regions[3 * index] - base, regions[3 * index + 1] - base
            if found and found[-1].end == start:
                found[-1] = Range(found[-1].start, stop)
            else:
                found.append(Range(start, stop))
        if count < _SCAN_REGIONS:  # walk_end is stale once the kernel has flushed its buffer: the count alone tells
            break
        at = base + found[-1].end
    return found


def _scan_by_reading(base: int, size: int) -> list[Range]:
    """Present (bit 63) or swapped (62) and not of the file (61 clear). Source: Linux, Documentation/admin-guide/mm/pagemap.rst."""
    count = -(-size // PAGE_BYTES)
    data = os.pread(_pagemap_fd(), count * 8, base // PAGE_BYTES * 8)
    found: list[Range] = []
    for index, (entry,) in enumerate(struct.iter_unpack("<Q", data)):
        if entry >> 62 and not entry >> 61 & 1:
            start = index * PAGE_BYTES
            if found and found[-1].end == start:
                found[-1] = Range(found[-1].start, start + PAGE_BYTES)
            else:
                found.append(Range(start, start + PAGE_BYTES))
    return found
