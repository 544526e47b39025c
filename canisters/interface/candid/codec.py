"""The bytes of a Candid message.

`encode` writes values at given types; `decode` reads a message at the types the reader expects, with the subtyping of the specification:
extra fields are skipped, missing optional ones are None, an option that does not fit is None. Limits keep a small message from asking
for a lot of memory. Source: Candid specification, "Binary Format", "Upgrading and Subtyping"."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from canisters.interface import leb128
from canisters.interface.principal import MalformedPrincipal, Principal

from . import types
from .types import Environment, Field, Func, Opt, Prim, Record, Ref, ServiceType, Type, Variant, Vec, resolved

MAGIC = b"DIDL"
MAX_TABLE = 10_000
MAX_DEPTH = 200
MAX_ZERO_SIZED = 1_000_000  # elements that take no bytes on the wire, in one message
_FIXED = {
    "nat8": "<B", "nat16": "<H", "nat32": "<I", "nat64": "<Q", "int8": "<b", "int16": "<h", "int32": "<i", "int64": "<q",
    "float32": "<f", "float64": "<d",
}  # fmt: skip
_ARRAY = {name: code[1] for name, code in _FIXED.items()}


class CandidError(ValueError):
    """A value does not fit its type, or bytes are no Candid message; the text names the place."""


# --- encode ---


def encode(signature: Sequence[Type], values: Sequence[Any]) -> bytes:
    """One message with `values` at the types of `signature`. Raises CandidError, naming the path of the value that does not fit."""
    if len(signature) != len(values):
        raise CandidError(f"{len(signature)} values are expected, not {len(values)}")
    head, references = type_table(signature)
    out = bytearray()
    for index, (type_, value) in enumerate(zip(signature, values, strict=True)):
        _write(out, resolved(type_), value, f"argument {index}" if len(values) > 1 else "the argument")
    return bytes(head + leb128.encode_unsigned(len(references)) + b"".join(references) + out)


def type_table(signature: Sequence[Type]) -> tuple[bytes, list[bytes]]:
    """What a message of these types begins with, up to its type table's end, and each type as it is written behind that."""
    table = _Table()
    references = [table.reference(type_) for type_ in signature]
    return MAGIC + table.encoded(), references


def encode_value(type_: Type, value: Any) -> bytes:
    """A value's bytes alone, as they stand behind a message's types. Raises CandidError."""
    out = bytearray()
    _write(out, resolved(type_), value, "the value")
    return bytes(out)


class _Table:
    """Type table of a message: each composite type once, recursion through its index."""

    def __init__(self) -> None:
        self.index: dict[Type, int] = {}
        self.rows: list[bytes] = []

    def reference(self, type_: Type) -> bytes:
        if isinstance(type_, Ref):
            target = type_.resolve()
            if isinstance(target, Prim):
                return self.reference(target)
            key: Type = type_
        else:
            target, key = type_, type_
        if isinstance(target, Prim):
            return leb128.encode_signed(types.PRIMITIVES[target.name])
        if key not in self.index:
            self.index[key] = len(self.rows)
            self.rows.append(b"")
            self.rows[self.index[key]] = self._row(target)
        return leb128.encode_signed(self.index[key])

    def _row(self, type_: Type) -> bytes:
        match type_:
            case Opt(inner):
                return leb128.encode_signed(types.OPT) + self.reference(inner)
            case Vec(inner):
                return leb128.encode_signed(types.VEC) + self.reference(inner)
            case Record(fields) | Variant(fields):
                code = types.RECORD if isinstance(type_, Record) else types.VARIANT
                body = b"".join(leb128.encode_unsigned(f.id) + self.reference(f.type) for f in fields)
                return leb128.encode_signed(code) + leb128.encode_unsigned(len(fields)) + body
            case Func(arguments, results, modes):
                parts = [leb128.encode_signed(types.FUNC)]
                for group in (arguments, results):
                    parts.append(leb128.encode_unsigned(len(group)) + b"".join(self.reference(t) for t in group))
                codes = bytes({"query": 1, "oneway": 2, "composite_query": 3}[mode] for mode in modes)
                return b"".join(parts) + leb128.encode_unsigned(len(codes)) + codes
            case ServiceType(methods):
                body = b"".join(
                    leb128.encode_unsigned(len(name.encode())) + name.encode() + self.reference(t)
                    for name, t in sorted(methods)
                )
                return leb128.encode_signed(types.SERVICE) + leb128.encode_unsigned(len(methods)) + body
        raise CandidError(f"cannot write the type {type_}")

    def encoded(self) -> bytes:
        return leb128.encode_unsigned(len(self.rows)) + b"".join(self.rows)


def _misfit(path: str, wanted: str, value: Any) -> CandidError:
    return CandidError(f"{path}: expected {wanted}, got {type(value).__name__} {str(value)[:60]!r}")


def _write(out: bytearray, type_: Type, value: Any, path: str) -> None:
    match type_:
        case Prim(name):
            _write_primitive(out, name, value, path)
        case Opt(inner):
            if value is None:
                out.append(0)
            else:
                out.append(1)
                _write(out, resolved(inner), value, path)
        case Vec(inner):
            _write_vec(out, resolved(inner), value, path)
        case Record(fields):
            _write_record(out, type_, fields, value, path)
        case Variant(fields):
            _write_variant(out, fields, value, path)
        case Func():
            if not isinstance(value, tuple | list) or len(value) != 2:
                raise _misfit(path, "a function (principal, method name)", value)
            out.append(1)
            _write_primitive(out, "principal", value[0], path)
            _write_primitive(out, "text", value[1], path)
        case ServiceType():
            _write_primitive(out, "principal", value, path)
        case _:
            raise CandidError(f"{path}: cannot write at type {type_}")


def _write_primitive(out: bytearray, name: str, value: Any, path: str) -> None:
    if name in ("null", "reserved"):
        if name == "null" and value is not None:
            raise _misfit(path, "null", value)
        return
    if name == "bool":
        if not isinstance(value, bool):
            raise _misfit(path, "true or false", value)
        out.append(int(value))
    elif name == "text":
        if not isinstance(value, str):
            raise _misfit(path, "text", value)
        data = value.encode()
        out += leb128.encode_unsigned(len(data)) + data
    elif name == "principal":
        try:
            principal = Principal.from_text(value) if isinstance(value, str) else value
        except MalformedPrincipal as error:
            raise CandidError(f"{path}: {error}") from error
        if not isinstance(principal, Principal):
            raise _misfit(path, "a principal", value)
        out += b"\x01" + leb128.encode_unsigned(len(principal.raw)) + principal.raw
    elif name in ("float32", "float64"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _misfit(path, "a number", value)
        out += struct.pack(_FIXED[name], value)
    elif name == "empty":
        raise CandidError(f"{path}: nothing has the type empty")
    else:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _misfit(path, name, value)
        if name == "int":
            out += leb128.encode_signed(value)
        elif name == "nat":
            if value < 0:
                raise CandidError(f"{path}: {value} is negative, and a nat cannot be")
            out += leb128.encode_unsigned(value)
        else:
            try:
                out += struct.pack(_FIXED[name], value)
            except struct.error as error:
                raise CandidError(f"{path}: {value} does not fit in {name}") from error


def _write_vec(out: bytearray, inner: Type, value: Any, path: str) -> None:
    if isinstance(inner, Prim) and inner.name == "nat8" and isinstance(value, bytes | bytearray | memoryview):
        out += leb128.encode_unsigned(len(value)) + bytes(value)
        return
    if not isinstance(value, list | tuple):
        raise _misfit(path, "a list", value)
    out += leb128.encode_unsigned(len(value))
    if isinstance(inner, Prim) and inner.name in _ARRAY:
        try:
            out += struct.pack(f"<{len(value)}{_ARRAY[inner.name]}", *value)
        except struct.error as error:
            raise CandidError(f"{path}: an element does not fit in {inner.name}") from error
        return
    for index, item in enumerate(value):
        _write(out, inner, item, f"{path}[{index}]")


def _write_record(out: bytearray, type_: Record, fields: tuple[Field, ...], value: Any, path: str) -> None:
    if type_.is_tuple and isinstance(value, tuple | list):
        value = {f"_{i}_": item for i, item in enumerate(value)}
    if not isinstance(value, Mapping):
        raise _misfit(path, "a record", value)
    for field in fields:
        inner = resolved(field.type)
        if field.key not in value and not isinstance(inner, Opt):
            raise CandidError(f"{path}: the field {field.key} is missing")
        _write(out, inner, value.get(field.key), f"{path}.{field.key}")
    unknown = [key for key in value if key not in {f.key for f in fields}]
    if unknown:
        raise CandidError(f"{path}: there is no field {unknown[0]}; there are {', '.join(f.key for f in fields)}")


def _write_variant(out: bytearray, fields: tuple[Field, ...], value: Any, path: str) -> None:
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, Mapping) or len(value) != 1:
        raise _misfit(path, "a variant, {tag: value}", value)
    ((tag, inner),) = value.items()
    for index, field in enumerate(fields):
        if field.key == tag:
            out += leb128.encode_unsigned(index)
            _write(out, resolved(field.type), inner, f"{path}.{tag}")
            return
    raise CandidError(f"{path}: there is no tag {tag}; there are {', '.join(f.key for f in fields)}")


# --- decode ---


def decode(data: bytes, expected: Sequence[Type] | None = None) -> list[Any]:
    """Read a message. Without `expected`, at its own types, field names given as `_<id>_`. Raises CandidError."""
    try:
        return _Reader(data).message(expected)
    except leb128.MalformedLeb128 as error:
        raise CandidError(f"malformed message: {error}") from error
    except struct.error as error:
        raise CandidError("malformed message: it ends too early") from error
    except RecursionError as error:
        raise CandidError("malformed message: nested too deep") from error


def decode_typed(data: bytes) -> list[tuple[Type, Any]]:
    """The values of a message with the types that it gives them, to be handed on as they came. Raises CandidError."""
    values = decode(data)
    reader = _Reader(data)
    reader.at = len(MAGIC)
    reader._table()
    found = [reader._reference(reader._signed()) for _ in range(reader._unsigned())]
    return list(zip(found, values, strict=True))


class _Mismatch(CandidError):
    """The message's type does not fit the expected one: inside an option this means None."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = bytes(data)
        self.at = 0
        self.environment = Environment()
        self.zero_sized = 0

    def _unsigned(self) -> int:
        value, self.at = leb128.decode_unsigned(self.data, self.at)
        return value

    def _signed(self) -> int:
        value, self.at = leb128.decode_signed(self.data, self.at)
        return value

    def _bytes(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise CandidError("malformed message: it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def message(self, expected: Sequence[Type] | None) -> list[Any]:
        if self._bytes(4) != MAGIC:
            raise CandidError("not a Candid message: it does not begin with DIDL")
        self._table()
        count = self._unsigned()
        if count > len(self.data):
            raise CandidError("malformed message: more arguments than bytes")
        actual = [self._reference(self._signed()) for _ in range(count)]
        if expected is None:
            values = [self._read(type_, type_, 0) for type_ in actual]
        else:
            values = [
                self._read(type_, expected[i] if i < len(expected) else Prim("reserved"), 0)
                for i, type_ in enumerate(actual)
            ][: len(expected)]
            for missing in expected[len(actual) :]:
                if not _is_optional(resolved(missing)):
                    raise CandidError(f"{len(expected)} values are expected, the message has {len(actual)}")
                values.append(None)
        if self.at != len(self.data):
            raise CandidError("malformed message: bytes follow the last value")
        return values

    # The table is read twice over: rows may refer to later rows, so each row is a Ref by its number.
    def _table(self) -> None:
        size = self._unsigned()
        if size > MAX_TABLE:
            raise CandidError(f"malformed message: more than {MAX_TABLE} types")
        self.table_size = size
        for index in range(size):
            self.environment.types[str(index)] = self._row()

    def _reference(self, code: int) -> Type:
        if code >= 0:
            if code >= self.table_size:
                raise CandidError(f"malformed message: no type {code} in its table")
            return Ref(str(code), self.environment)
        if code not in types.PRIMITIVE_NAMES:
            raise CandidError(f"malformed message: unknown type code {code}")
        return Prim(types.PRIMITIVE_NAMES[code])

    def _row(self) -> Type:
        code = self._signed()
        match code:
            case types.OPT:
                return Opt(self._reference(self._signed()))
            case types.VEC:
                return Vec(self._reference(self._signed()))
            case types.RECORD | types.VARIANT:
                fields: list[Field] = []
                for _ in range(self._bounded()):
                    id_ = self._unsigned()
                    if id_ >= 1 << 32 or (fields and id_ <= fields[-1].id):
                        raise CandidError("malformed message: field ids out of order")
                    fields.append(Field(id_, None, self._reference(self._signed())))
                return Record(tuple(fields)) if code == types.RECORD else Variant(tuple(fields))
            case types.FUNC:
                arguments = tuple(self._reference(self._signed()) for _ in range(self._bounded()))
                results = tuple(self._reference(self._signed()) for _ in range(self._bounded()))
                names = {1: "query", 2: "oneway", 3: "composite_query"}
                return Func(arguments, results, tuple(names.get(b, "?") for b in self._bytes(self._bounded())))
            case types.SERVICE:
                return ServiceType(tuple(self._method() for _ in range(self._bounded())))
        raise CandidError(f"malformed message: unknown type constructor {code}")

    def _method(self) -> tuple[str, Type]:
        name = self._text()
        return name, self._reference(self._signed())

    def _bounded(self) -> int:
        size = self._unsigned()
        if size > len(self.data) - self.at:
            raise CandidError("malformed message: it ends too early")
        return size

    def _text(self) -> str:
        data = self._bytes(self._unsigned())
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise CandidError("malformed message: text is not UTF-8") from error

    def _read(self, wire: Type, expected: Type, depth: int) -> Any:
        """One value of the type `wire`, as a value of `expected`."""
        if depth > MAX_DEPTH:
            raise CandidError("malformed message: nested too deep")
        actual, wanted = resolved(wire), resolved(expected)
        if wanted == Prim("reserved"):
            self._read(actual, actual, depth + 1) if actual != wanted else None
            return None
        if isinstance(wanted, Opt):
            return self._read_option(actual, wanted, depth)
        match actual, wanted:
            case Prim("nat"), Prim("int"):
                return self._unsigned()
            case Prim(name), Prim(other) if name == other:
                return self._read_primitive(name)
            case Vec(inner), Vec(other):
                return self._read_vec(resolved(inner), resolved(other), depth)
            case Record(fields), Record(others):
                return self._read_record(fields, wanted, others, depth)
            case Variant(fields), Variant(others):
                return self._read_variant(fields, others, depth)
            case Func(), Func():
                if self._byte() != 1:
                    raise CandidError("malformed message: an opaque function reference")
                return self._principal(), self._text()
            case ServiceType(), ServiceType():
                return self._principal()
        raise _Mismatch(f"the message has {_shown(actual)} where {_shown(wanted)} is expected")

    def _read_option(self, actual: Type, wanted: Opt, depth: int) -> Any:
        if actual in (Prim("null"), Prim("reserved")):
            return None
        if isinstance(actual, Opt):
            flag = self._byte()
            if flag == 0:
                return None
            if flag != 1:
                raise CandidError("malformed message: an option is neither absent nor present")
            inner = actual.of
        else:
            inner = actual
        if not isinstance(actual, Opt) and _is_optional(resolved(wanted.of)):
            self._read(inner, inner, depth + 1)
            return None
        start = self.at
        try:
            return self._read(inner, wanted.of, depth + 1)
        except _Mismatch:
            self.at = start
            self._read(inner, inner, depth + 1)
            return None

    def _read_primitive(self, name: str) -> Any:
        match name:
            case "null" | "reserved":
                return None
            case "bool":
                byte = self._byte()
                if byte > 1:
                    raise CandidError("malformed message: a bool is neither true nor false")
                return byte == 1
            case "nat":
                return self._unsigned()
            case "int":
                return self._signed()
            case "text":
                return self._text()
            case "principal":
                return self._principal()
            case "empty":
                raise CandidError("malformed message: a value of the type empty")
        code = _FIXED[name]
        return struct.unpack(code, self._bytes(struct.calcsize(code)))[0]

    def _principal(self) -> Principal:
        if self._byte() != 1:
            raise CandidError("malformed message: an opaque principal reference")
        try:
            return Principal(self._bytes(self._unsigned()))
        except MalformedPrincipal as error:
            raise CandidError(f"malformed message: {error}") from error

    def _read_vec(self, actual: Type, wanted: Type, depth: int) -> Any:
        size = self._unsigned()
        if isinstance(actual, Prim) and actual == wanted and actual.name in _ARRAY:
            if actual.name == "nat8":
                return self._bytes(size)
            code = _ARRAY[actual.name]
            width = struct.calcsize(f"<{code}")
            return list(struct.unpack(f"<{size}{code}", self._bytes(size * width)))
        if size > len(self.data) - self.at:
            self.zero_sized += size
            if self.zero_sized > MAX_ZERO_SIZED:
                raise CandidError("malformed message: a list of more elements than bytes")
        return [self._read(actual, wanted, depth + 1) for _ in range(size)]

    def _read_record(self, fields: tuple[Field, ...], wanted: Record, others: tuple[Field, ...], depth: int) -> Any:
        by_id = {f.id: f for f in others}
        result: dict[str, Any] = {}
        for field in fields:
            target = by_id.get(field.id)
            if target is None:
                self._read(field.type, field.type, depth + 1)
            else:
                result[target.key] = self._read(field.type, target.type, depth + 1)
        for target in others:
            if target.key not in result:
                if not _is_optional(resolved(target.type)):
                    raise _Mismatch(f"the message lacks the field {target.key}")
                result[target.key] = None
        if wanted.is_tuple:
            return tuple(result[f.key] for f in others)
        return {f.key: result[f.key] for f in others}

    def _read_variant(self, fields: tuple[Field, ...], others: tuple[Field, ...], depth: int) -> dict[str, Any]:
        index = self._unsigned()
        if index >= len(fields):
            raise CandidError("malformed message: a variant has no such tag")
        field = fields[index]
        for target in others:
            if target.id == field.id:
                return {target.key: self._read(field.type, target.type, depth + 1)}
        raise _Mismatch(f"the message has a tag that is not expected: {field.id}")


def _is_optional(type_: Type) -> bool:
    return isinstance(type_, Opt) or type_ in (Prim("null"), Prim("reserved"))


def _shown(type_: Type) -> str:
    return type_.name if isinstance(type_, Prim) else type(type_).__name__.lower()
