"""Metered instructions: the count is what the network's table says, is kept by the module itself, and stops what runs too long."""

from __future__ import annotations

import pytest
import wasmtime

from canisters.interface.leb128 import encode_unsigned
from canisters.interface.metering import COUNTER, CannotMeter, metered


def counted(text: str, limit: int = 10**9, name: str = "go") -> tuple[int, bool]:
    """Instructions used by the exported function, and whether it was stopped."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, metered(bytes(wasmtime.wat2wasm(text))))
    instance = wasmtime.Instance(store, module, [])
    exports = instance.exports(store)
    counter = exports[COUNTER]
    counter.set_value(store, limit)
    try:
        exports[name](store)
        stopped = False
    except wasmtime.Trap:
        stopped = True
    return limit - counter.value(store), stopped


def body(code: str, more: str = "(memory 1)", results: str = "") -> str:
    return f'(module {more} (func (export "go") {results} {code}))'


ENTRY = 1  # of the function


@pytest.mark.parametrize(
    ("code", "cost"),
    [
        ("", 0),
        ("nop", 1),
        ("(drop (i32.const 1))", 2),
        ("(drop (i32.add (i32.const 1) (i32.const 2)))", 4),
        ("(drop (i32.div_u (i32.const 1) (i32.const 2)))", 13),
        ("(drop (i64.rem_s (i64.const 1) (i64.const 2)))", 13),
        ("(drop (f32.add (f32.const 1) (f32.const 2)))", 5),
        ("(drop (f64.div (f64.const 1) (f64.const 2)))", 8),
        ("(drop (f32.max (f32.const 1) (f32.const 2)))", 21),
        ("(drop (f32.lt (f32.const 1) (f32.const 2)))", 6),
        ("(drop (f32.sqrt (f32.const 1)))", 7),
        ("(drop (i32.trunc_sat_f32_s (f32.const 1)))", 22),
        ("(drop (f32.convert_i32_u (i32.const 1)))", 18),
        ("(drop (i32.load (i32.const 0)))", 3),
        ("(drop (memory.size))", 21),
        ("(drop (memory.grow (i32.const 0)))", 302),
        ("(memory.fill (i32.const 0) (i32.const 0) (i32.const 1000))", 3 + 100 + 1000),
        ("(memory.copy (i32.const 0) (i32.const 0) (i32.const 7))", 3 + 100 + 7),
        ("(drop (i32x4.dot_i16x8_s (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", 4),
        ("(drop (f32x4.mul (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", 5),
        ("(drop (f32x4.pmax (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", 4),
        ("(drop (f32x4.div (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", 13),
        ("(drop (i8x16.gt_u (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", 5),
        ("(drop (i8x16.le_u (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", 4),
        ("(drop (i64x2.mul (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", 7),
        (
            "(drop (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
            6,
        ),
        ("(drop (v128.load8x8_s (i32.const 0)))", 3),
        ("(drop (i32x4.extract_lane 1 (v128.const i64x2 0 0)))", 3),
        ("(drop (v128.load32_lane 1 (i32.const 0) (v128.const i64x2 0 0)))", 4),
        ("return", 1),
        ("(block (br 0))", 2),
        ("(if (i32.const 1) (then nop) (else nop nop))", 1 + 2 + 1),
        ("(if (i32.const 0) (then nop) (else nop nop))", 1 + 2 + 2),
        ("(block (br_if 0 (i32.const 1)) nop nop)", 1 + 2),
        ("(block (br_if 0 (i32.const 0)) nop nop)", 1 + 2 + 2),
        ("(block (br_table 0 0 (i32.const 5))) nop", 1 + 2 + 1),
    ],
)
def test_each_instruction_costs_what_the_network_says(code, cost):
    assert counted(body(code)) == (ENTRY + cost, False)


@pytest.mark.parametrize(
    ("code", "cost"),
    [
        ("(drop (i32.load (i64.const 0)))", 4),
        ("(i64.store (i64.const 0) (i64.const 0))", 4),
        ("(drop (v128.load (i64.const 0)))", 4),
        ("(memory.fill (i64.const 0) (i32.const 0) (i64.const 1000))", 3 + 100 + 1000),
    ],
)
def test_wide_memories_cost_twice_as_much_to_touch(code, cost):
    assert counted(body(code, "(memory i64 1)")) == (ENTRY + cost, False)


def test_calls_globals_and_tables_cost_what_the_network_says():
    more = (
        """(global $g (mut i32) (i32.const 0)) (table 1 funcref) (elem (i32.const 0) $f) (type $t (func)) (func $f)"""
    )

    assert counted(body("(call $f)", more))[0] == ENTRY + 5 + ENTRY
    assert counted(body("(call_indirect (type $t) (i32.const 0))", more))[0] == ENTRY + 1 + 10 + ENTRY
    assert counted(body("(global.set $g (global.get $g))", more))[0] == ENTRY + 4
    assert counted(body("(drop (table.get 0 (i32.const 0)))", more))[0] == ENTRY + 1 + 5 + 1


def test_a_loop_costs_each_time_it_runs():
    code = """(local $n i32) (local.set $n (i32.const 10))
        (loop (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if 0 (local.get $n)))"""

    assert counted(body(code))[0] == ENTRY + 2 + 10 * (4 + 3)


def test_what_the_metered_module_computes_is_what_it_computed_before():
    text = body(
        """(local $n i32) (local $a i64) (local $b i64) (local.set $n (i32.const 40)) (local.set $b (i64.const 1))
        (loop (local.set $a (i64.add (local.get $a) (local.get $b))) (local.set $b (i64.sub (local.get $a) (local.get $b)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if 0 (local.get $n)))
        (memory.fill (i32.const 1) (i32.const 3) (i32.const 8))
        (i64.add (local.get $a) (i64.load (i32.const 1)))""",
        results="(result i64)",
    )
    engine = wasmtime.Engine()
    results = []
    for code in (bytes(wasmtime.wat2wasm(text)), metered(bytes(wasmtime.wat2wasm(text)))):
        store = wasmtime.Store(engine)
        exports = wasmtime.Instance(store, wasmtime.Module(engine, code), []).exports(store)
        if COUNTER in exports:
            exports[COUNTER].set_value(store, 10**9)
        results.append(exports["go"](store))

    assert results[0] == results[1]


@pytest.mark.parametrize("code", ["(loop (br 0))", "(call $again)"])
def test_what_runs_without_end_is_stopped_soon_after_the_limit(code):
    used, stopped = counted(f'(module (func $again (export "go") {code}))', limit=1000)

    assert stopped
    assert 1000 < used < 1100


def test_a_module_without_globals_exports_or_data_can_be_metered():
    for text in (
        "(module)",
        "(module (func))",
        '(module (memory 1) (data "passive") (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1))))',
    ):
        engine = wasmtime.Engine()
        wasmtime.Module(engine, metered(bytes(wasmtime.wat2wasm(text))))


def test_the_same_module_gives_the_same_bytes():
    wasm = bytes(wasmtime.wat2wasm(body("(loop (br_if 0 (i32.const 0)))")))

    assert metered(wasm) == metered(wasm)


@pytest.mark.parametrize("opcode", [b"\x06", b"\xfe\x00\x00\x00", b"\xfd" + encode_unsigned(0x100), b"\xfc\x20"])
def test_instructions_that_the_network_does_not_have_are_refused(opcode):
    code = b"\x00" + opcode + b"\x0b"
    section = b"\x01" + bytes([len(code)]) + code
    wasm = b"\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a" + bytes([len(section)]) + section

    with pytest.raises(CannotMeter):
        metered(wasm)
