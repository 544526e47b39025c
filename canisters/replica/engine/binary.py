"""Reads and rewrites the sections of a wasm module, as far as the engine needs.

`Layout.parse` finds sections, imports, exports, globals and custom sections; `instrumented` gives a module whose mutable globals, tables
and memory are exported under reserved names and whose start function is an export to be called, not run by itself.
Source: WebAssembly core specification 2.0, "Binary Format"; memory64 proposal for 64-bit limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from canisters.interface.leb128 import MalformedLeb128, decode_unsigned, encode_unsigned

from .contract import InvalidModule

MAGIC = b"\x00asm\x01\x00\x00\x00"
CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
)  # fmt: skip
RESERVED_PREFIX = "__ic_"
_FUNC, _TABLE, _MEMORY, _GLOBAL = 0, 1, 2, 3
_I32, _I64, _F32, _F64 = 0x7F, 0x7E, 0x7D, 0x7C


@dataclass(frozen=True)
class Section:
    id: int
    body: bytes


@dataclass(frozen=True)
class Import:
    module: str
    name: str
    kind: int
    type_index: int  # for functions


@dataclass(frozen=True)
class Export:
    name: str
    kind: int
    index: int


@dataclass
class Layout:
    sections: list[Section] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    custom: list[tuple[str, bytes]] = field(default_factory=list)
    mutable_globals: list[int] = field(default_factory=list)
    globals_count: int = 0
    functions_count: int = 0
    tables_count: int = 0
    memories_count: int = 0
    is_wasm64: bool = False
    start: int | None = None
    code_bytes: int = 0

    @classmethod
    def parse(cls, wasm: bytes) -> Layout:
        """Raises InvalidModule for bytes that are no module; types and bodies are wasmtime's to validate."""
        if wasm[:8] != MAGIC:
            raise InvalidModule("not a WebAssembly module: it does not begin with \\0asm, version 1")
        layout = cls()
        try:
            at = 8
            while at < len(wasm):
                section_id = wasm[at]
                size, at = decode_unsigned(wasm, at + 1)
                if at + size > len(wasm):
                    raise InvalidModule("the module is cut off in the middle of a section")
                layout._take(Section(section_id, wasm[at : at + size]))
                at += size
        except (MalformedLeb128, IndexError, UnicodeDecodeError) as error:
            raise InvalidModule(f"malformed module: {error}") from error
        return layout

    def _take(self, section: Section) -> None:
        self.sections.append(section)
        match section.id:
            case 0:
                name, at = _name(section.body, 0)
                self.custom.append((name, section.body[at:]))
            case 2:
                self._imports(section.body)
            case 3:
                self.functions_count = decode_unsigned(section.body)[0]
            case 4:
                self.tables_count = decode_unsigned(section.body)[0]
            case 5:
                count, at = decode_unsigned(section.body)
                self.memories_count = count
                self.is_wasm64 = count > 0 and bool(section.body[at] & 4)
            case 6:
                self._globals(section.body)
            case 7:
                self._exports(section.body)
            case 8:
                self.start = decode_unsigned(section.body)[0]
            case 10:
                self.code_bytes = len(section.body)

    def _imports(self, body: bytes) -> None:
        count, at = decode_unsigned(body)
        for _ in range(count):
            module, at = _name(body, at)
            name, at = _name(body, at)
            kind = body[at]
            if kind != _FUNC:
                raise InvalidModule(
                    f"the module imports {module}.{name}, which is not a function: only ic0 functions can be had"
                )
            index, at = decode_unsigned(body, at + 1)
            self.imports.append(Import(module, name, kind, index))

    def _exports(self, body: bytes) -> None:
        count, at = decode_unsigned(body)
        for _ in range(count):
            name, at = _name(body, at)
            kind = body[at]
            index, at = decode_unsigned(body, at + 1)
            self.exports.append(Export(name, kind, index))

    def _globals(self, body: bytes) -> None:
        count, at = decode_unsigned(body)
        self.globals_count = count
        for index in range(count):
            value_type, mutable = body[at], body[at + 1]
            at = _skip_constant(body, at + 2)
            if mutable and value_type in (_I32, _I64, _F32, _F64):
                self.mutable_globals.append(index)


def _name(body: bytes, at: int) -> tuple[str, int]:
    size, at = decode_unsigned(body, at)
    return body[at : at + size].decode(), at + size


def _skip_constant(body: bytes, at: int) -> int:
    """The offset behind a constant expression."""
    while True:
        opcode = body[at]
        at += 1
        if opcode == 0x0B:
            return at
        if opcode in (0x41, 0x42, 0x23, 0xD2):
            at = decode_unsigned(body, at)[1]
        elif opcode == 0x43:
            at += 4
        elif opcode == 0x44:
            at += 8
        elif opcode == 0xD0:
            at += 1
        elif opcode == 0xFD:
            at = decode_unsigned(body, at)[1] + 16
        else:
            raise InvalidModule(f"a global is initialised by opcode 0x{opcode:02x}, which the network does not take")


def _encoded_name(name: str) -> bytes:
    data = name.encode()
    return encode_unsigned(len(data)) + data


def _encoded_section(section: Section) -> bytes:
    return bytes([section.id]) + encode_unsigned(len(section.body)) + section.body


def instrumented(layout: Layout) -> bytes:
    """The module with its insides exported and its start section cut out; custom sections but the function names are dropped."""
    added = [(f"{RESERVED_PREFIX}g{index}", _GLOBAL, index) for index in layout.mutable_globals]
    added += [(f"{RESERVED_PREFIX}t{index}", _TABLE, index) for index in range(layout.tables_count)]
    added += [(f"{RESERVED_PREFIX}m", _MEMORY, 0)] * bool(layout.memories_count)
    if layout.start is not None:
        added.append((f"{RESERVED_PREFIX}start", _FUNC, layout.start))
    exports = [(export.name, export.kind, export.index) for export in layout.exports] + added
    body = encode_unsigned(len(exports)) + b"".join(
        _encoded_name(name) + bytes([kind]) + encode_unsigned(index) for name, kind, index in exports
    )
    out = bytearray(MAGIC)
    written = False
    for section in layout.sections:
        if section.id == CUSTOM and not section.body.startswith(b"\x04name"):
            continue
        if not written and section.id >= EXPORT:
            out += _encoded_section(Section(EXPORT, body))
            written = True
        if section.id not in (EXPORT, START):
            out += _encoded_section(section)
    if not written:
        out += _encoded_section(Section(EXPORT, body))
    return bytes(out)
