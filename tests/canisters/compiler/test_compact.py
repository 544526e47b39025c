"""Numbers in the code become short, and nothing else changes."""

from __future__ import annotations

import pytest
import wasmtime

from canisters.compiler import wasm as w
from canisters.compiler.build import engine
from canisters.compiler.compact import compacted
from canisters.compiler.errors import BuildFailed
from canisters.interface.leb128 import encode_unsigned

CONSTANT = bytes(range(0x78, 0x88))  # looks like padded numbers, and is none


def padded(value: int, size: int = 5) -> bytes:
    """A number as the linker leaves room for it."""
    groups = [(value >> 7 * i) & 0x7F for i in range(size)]
    return bytes(group | (0x80 if i + 1 < size else 0) for i, group in enumerate(groups))


def section(*bodies: bytes) -> w.Section:
    return w.Section(
        w.CODE, encode_unsigned(len(bodies)) + b"".join(encode_unsigned(len(body)) + body for body in bodies)
    )


@pytest.mark.parametrize(
    ("long", "short"),
    [
        (b"\x10" + padded(5), b"\x10\x05"),
        (b"\x41" + padded(-3), b"\x41\x7d"),
        (b"\x42" + padded(64, 10), b"\x42\xc0\x00"),
        (b"\x11" + padded(1) + padded(0), b"\x11\x01\x00"),
        (b"\x0e" + padded(2) + padded(1) + padded(0) + padded(300), b"\x0e\x02\x01\x00\xac\x02"),
        (b"\x28" + padded(2) + padded(70000), b"\x28\x02\xf0\xa2\x04"),
        (b"\x44" + CONSTANT[:8], b"\x44" + CONSTANT[:8]),
        (b"\xfd" + padded(12) + CONSTANT, b"\xfd\x0c" + CONSTANT),
        (b"\xfd\x54" + padded(0) + padded(9) + b"\x0f", b"\xfd\x54\x00\x09\x0f"),
        (b"\xfd" + padded(186) + b"\xfd\x95\x01", b"\xfd\xba\x01\xfd\x95\x01"),
        (b"\xfc" + padded(10) + b"\x00\x00", b"\xfc\x0a\x00\x00"),
        (b"\x02\x40\x0b", b"\x02\x40\x0b"),
    ],
)
def test_each_number_is_written_in_as_few_bytes_as_it_can_be(long: bytes, short: bytes) -> None:
    locals_ = b"\x01\x02\x7f"

    found = compacted(section(locals_ + long + b"\x0b", b"\x00\x0b"))

    assert found == section(locals_ + short + b"\x0b", b"\x00\x0b")
    assert compacted(found) == found


def test_the_shorter_module_computes_the_same() -> None:
    # (func (export "f") (result i32) i32.const -3, call 1) (func (param i32) (result i32) local.get 0, i32.const 40, i32.sub)
    types = w.Section(w.TYPE, b"\x02\x60\x00\x01\x7f\x60\x01\x7f\x01\x7f")
    functions = w.Section(w.FUNCTION, b"\x02\x00\x01")
    code = section(
        b"\x00\x41" + padded(-3) + b"\x10" + padded(1) + b"\x0b", b"\x00\x20" + padded(0) + b"\x41\x28\x6b\x0b"
    )
    module = [types, functions, w.export_section([w.Export("f", w.FUNCTION_KIND, 0)]), code]

    answers = []
    for part in (code, compacted(code)):
        store = wasmtime.Store(engine())
        made = wasmtime.Module(store.engine, w.assembled([*module[:-1], part]))
        answers.append(wasmtime.Instance(store, made, []).exports(store)["f"](store))  # type: ignore[operator]

    assert answers == [-43, -43]


def test_an_instruction_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BuildFailed, match="0xe4"):
        compacted(section(b"\x00\xe4\x0b"))
