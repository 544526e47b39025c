"""What may be installed: modules within the network's limits, whose code cannot reach what is ours."""

from __future__ import annotations

import gzip
import random

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.interface.leb128 import encode_unsigned
from canisters.replica.engine import Module, Sandbox
from canisters.replica.engine.contract import InvalidModule

HEADER = b"\x00asm\x01\x00\x00\x00"


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def custom(name: bytes, content: bytes) -> bytes:
    body = encode_unsigned(len(name)) + name + content
    return b"\x00" + encode_unsigned(len(body)) + body


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('(module (import "env" "print" (func)))', "which the System API does not have"),
        ('(module (import "ic0" "no_such_function" (func)))', "which the System API does not have"),
        ('(module (import "ic0" "time" (func (param i32) (result i64))))', "wrong type"),
        ('(module (import "ic0" "msg_arg_data_copy" (func (param i32 i64 i32))))', "wrong type"),
        ('(module (import "ic0" "memory" (memory 1)))', "not a function"),
        ('(module (import "ic0" "g" (global (mut i32))))', "not a function"),
        ('(module (import "ic0" "canister_self_size" (func (result i32))) (memory i64 1))', "of 64-bit memory"),
        ('(module (import "ic0" "canister_self_size" (func (result i64))) (memory 1))', "of 32-bit memory"),
        ('(module (import "ic0" "canister_self_size" (func (result i64))))', "of 32-bit memory"),
        ('(module (import "ic0" "stable_size" (func (result i32))) (memory i64 1))', "of 64-bit memory"),
        ('(module (func (export "canister_update a") (param i32)))', "it must have neither"),
        ('(module (func (export "canister_init") (result i32) (i32.const 1)))', "it must have neither"),
        ("(module (memory 1) (memory 1))", "memor"),
        ('(module (func (export "canister_query a")) (func (export "canister_update a")))', "same name"),
        ('(module (func (export "canister_nonsense")))', "reserved name"),
        ('(module (func (export "__ic_instructions_left")))', "does not validate"),
        ('(module (memory 1) (data (i32.const 65530) "too long for the page"))', "instantiated"),
        ("(module (memory 1 1 shared))", "does not validate"),
        ("(module (func (result i32)))", "does not validate"),
        ("(module (func (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i32x4 0 0 0 0)))))", "does not validate"),
    ],
)
def test_a_module_that_the_network_would_not_take_is_refused_in_words(text, words):
    with pytest.raises(InvalidModule, match=words):
        Sandbox.create(Module.prepare(wasm(text))).close()


def test_code_cannot_name_the_counter_of_its_own_instructions():
    """Its index is one past the module's globals: `global.set 0` in a module without globals would give itself more instructions."""
    body = b"\x00\x42\xff\xff\x03\x24\x00\x0b"  # i64.const, global.set 0
    code = (
        HEADER
        + b"\x01\x04\x01\x60\x00\x00"
        + b"\x03\x02\x01\x00"
        + b"\x0a"
        + bytes([len(body) + 2, 1, len(body)])
        + body
    )

    with pytest.raises(InvalidModule, match="does not validate"):
        Module.prepare(code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (wasm(f"(module {'(func)' * 50_001})"), "more than 50000 functions"),
        (wasm(f"(module {'(global i32 (i32.const 0))' * 1001})"), "more than 1000 globals"),
        (
            wasm("(module " + "".join(f'(func (export "canister_query m{n}"))' for n in range(1001)) + ")"),
            "more than 1000 methods",
        ),
        (wasm(f'(module (func (export "canister_query {"n" * 20_001}")))'), "names of the methods"),
        (HEADER + b"".join(custom(b"icp:public s%d" % n, b"") for n in range(17)), "more than 16 custom sections"),
        (HEADER + custom(b"icp:public s", bytes((1 << 20) + 1)), "larger than 1 MiB"),
    ],
    ids=["functions", "globals", "methods", "names", "sections", "section size"],
)
def test_a_module_beyond_a_limit_is_refused(code, words):
    with pytest.raises(InvalidModule, match=words):
        Module.prepare(code)


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused():
    bomb = gzip.compress(bytes(101 << 20), 1)

    with pytest.raises(InvalidModule, match="larger than"):
        Module.prepare(bomb)


def test_a_packed_module_has_the_hash_of_the_packed_bytes():
    plain = wasm('(module (func (export "canister_query go")))')
    packed = gzip.compress(plain)

    assert Module.prepare(packed).exports == Module.prepare(plain).exports
    assert Module.prepare(packed).wasm_hash != Module.prepare(plain).wasm_hash


def test_sections_are_public_or_private():
    module = Module.prepare(
        HEADER
        + custom(b"icp:public candid:service", b"service : {}")
        + custom(b"icp:private notes", b"x")
        + custom(b"other", b"y")
    )

    assert module.metadata == {"candid:service": ("public", b"service : {}"), "notes": ("private", b"x")}


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ([b"icp:public a", b"icp:private a"], "both public and private"),
        ([b"icp:secret a"], "neither icp:public nor icp:private"),
        ([b"icp:public"], "neither icp:public nor icp:private"),
    ],
)
def test_sections_that_the_network_would_not_show_are_refused(sections, words):
    with pytest.raises(InvalidModule, match=words):
        Module.prepare(HEADER + b"".join(custom(name, b"") for name in sections))


def test_the_names_of_sections_count_towards_their_size():
    def module_with(name_bytes: int) -> bytes:
        return HEADER + custom(b"icp:public " + b"n" * name_bytes, bytes((1 << 20) - 10))

    assert Module.prepare(module_with(10)).metadata

    with pytest.raises(InvalidModule, match="names included"):
        Module.prepare(module_with(11))


def test_compiled_code_is_kept_and_damaged_code_is_made_anew(tmp_path):
    code = wasm('(module (func (export "canister_query go")))')
    Module.prepare(code, tmp_path)
    (kept,) = tmp_path.glob("*.cwasm")
    compiled = kept.read_bytes()

    kept.write_bytes(compiled[:100])
    module = Module.prepare(code, tmp_path)

    assert module.exports == {"canister_query go"}
    assert kept.read_bytes() == compiled


VALID = wasm(
    """(module (import "ic0" "msg_reply" (func $reply)) (memory 1) (table 2 funcref) (global $g (mut i64) (i64.const 5)) (elem (i32.const 0) $f)
    (data (i32.const 3) "text") (func $f (export "canister_query go") (local i32) (loop (br_if 0 (i32.const 0))) (call $reply)) (start $s) (func $s))"""
)


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 1 << 32), changes=st.integers(1, 6))
def test_a_bent_module_is_taken_or_refused_and_never_a_fault_of_ours(seed, changes):
    dice = random.Random(seed)
    code = bytearray(VALID)
    for _ in range(changes):
        match dice.randrange(3):
            case 0:
                code[dice.randrange(8, len(code))] = dice.randrange(256)
            case 1:
                del code[dice.randrange(8, len(code))]
            case _:
                code.insert(dice.randrange(8, len(code)), dice.randrange(256))

    try:
        Sandbox.create(Module.prepare(bytes(code))).close()
    except InvalidModule:
        pass
