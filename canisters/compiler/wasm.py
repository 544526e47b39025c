"""WebAssembly modules as lists of sections: enough to read names and exports, count functions, and add custom sections.

Source: WebAssembly Core Specification 2.0, chapter 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from canisters.interface.leb128 import decode_signed, decode_unsigned, encode_unsigned

MAGIC = b"\0asm\1\0\0\0"
CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA = range(12)
FUNCTION_KIND, TABLE_KIND, MEMORY_KIND, GLOBAL_KIND = range(4)


@dataclass(frozen=True)
class Section:
    number: int
    body: bytes


@dataclass(frozen=True)
class Export:
    name: str
    kind: int
    index: int


def sections(wasm: bytes) -> list[Section]:
    if wasm[:8] != MAGIC:
        raise ValueError("no WebAssembly module")
    found, at = [], 8
    while at < len(wasm):
        number = wasm[at]
        size, at = decode_unsigned(wasm, at + 1)
        found.append(Section(number, wasm[at : at + size]))
        at += size
    return found


def assembled(parts: list[Section]) -> bytes:
    return MAGIC + b"".join(bytes([part.number]) + encode_unsigned(len(part.body)) + part.body for part in parts)


def body_of(wasm: bytes, number: int) -> bytes:
    return next((part.body for part in sections(wasm) if part.number == number), b"\x00")


def _name(data: bytes, at: int) -> tuple[str, int]:
    size, at = decode_unsigned(data, at)
    return data[at : at + size].decode(), at + size


def _text(name: str) -> bytes:
    return encode_unsigned(len(name.encode())) + name.encode()


def custom(name: str, content: bytes) -> Section:
    return Section(CUSTOM, _text(name) + content)


def custom_name(part: Section) -> str | None:
    return _name(part.body, 0)[0] if part.number == CUSTOM else None


def exports(wasm: bytes) -> list[Export]:
    body = body_of(wasm, EXPORT)
    count, at = decode_unsigned(body)
    found = []
    for _ in range(count):
        name, at = _name(body, at)
        kind = body[at]
        index, at = decode_unsigned(body, at + 1)
        found.append(Export(name, kind, index))
    return found


def export_section(entries: list[Export]) -> Section:
    body = b"".join(_text(entry.name) + bytes([entry.kind]) + encode_unsigned(entry.index) for entry in entries)
    return Section(EXPORT, encode_unsigned(len(entries)) + body)


def imports(wasm: bytes) -> list[tuple[str, str, int]]:
    """Module, name and kind. Only functions are read further: the first import of another kind ends the list."""
    body = body_of(wasm, IMPORT)
    count, at = decode_unsigned(body)
    found = []
    for _ in range(count):
        module, at = _name(body, at)
        name, at = _name(body, at)
        found.append((module, name, body[at]))
        if body[at] != FUNCTION_KIND:
            return found
        _, at = decode_unsigned(body, at + 1)
    return found


def function_names(wasm: bytes) -> Mapping[int, str]:
    """From the `name` section, by function index."""
    part = next((p for p in sections(wasm) if custom_name(p) == "name"), None)
    if part is None:
        return {}
    found: dict[int, str] = {}
    _, at = _name(part.body, 0)
    while at < len(part.body):
        kind = part.body[at]
        size, at = decode_unsigned(part.body, at + 1)
        if kind == 1:
            count, here = decode_unsigned(part.body, at)
            for _ in range(count):
                index, here = decode_unsigned(part.body, here)
                found[index], here = _name(part.body, here)
        at += size
    return found


def function_sizes(wasm: bytes) -> Iterator[int]:
    """Bytes of each function's body."""
    body = body_of(wasm, CODE)
    count, at = decode_unsigned(body)
    for _ in range(count):
        size, at = decode_unsigned(body, at)
        yield size
        at += size


def count_of(wasm: bytes, number: int) -> int:
    return decode_unsigned(body_of(wasm, number))[0]


def constant_global(wasm: bytes, index: int) -> int:
    """The value of an i32 global that begins as a constant; all globals before it must be such too."""
    body = body_of(wasm, GLOBAL)
    _, at = decode_unsigned(body)
    value = 0
    for _ in range(index + 1):
        if body[at + 2] != 0x41:
            raise ValueError("the global is no i32 constant")
        value, at = decode_signed(body, at + 3)
        at += 1  # end
    return value % (1 << 32)
