"""An instance over its life: restored from what was written, upgraded with its memory or without it."""

from __future__ import annotations

from canisters.replica.engine import Sandbox
from canisters.replica.engine.contract import Entry, Kind, Pages

COUNTER = """(module
  (import "ic0" "msg_reply" (func $reply)) (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "stable64_grow" (func $grow (param i64) (result i64))) (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
  (import "ic0" "stable64_read" (func $read (param i64 i64 i64)))
  (memory 1) (global $g (mut i32) (i32.const 0)) (data (i32.const 100) "VERSION")
  (func (export "canister_update inc")
    (global.set $g (i32.add (global.get $g) (i32.const 1)))
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (drop (memory.grow (i32.const 1))) (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 7))
    (drop (call $grow (i64.const 1))) (call $write (i64.const 8) (i64.const 0) (i64.const 4)) (call $reply))
  (func (export "canister_query see")
    (i32.store (i32.const 4) (global.get $g))
    (call $read (i64.const 8) (i64.const 8) (i64.const 4))
    (i32.store8 (i32.const 12) (i32.load8_u (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1))))
    (call $append (i32.const 0) (i32.const 13)) (call $append (i32.const 100) (i32.const 7)) (call $reply)))"""


def numbers(reply: bytes) -> tuple[int, int, int, int, bytes]:
    """Counter in the heap, in a global, in stable memory; the last byte of the heap; the data segment."""
    heap, global_, stable = (int.from_bytes(reply[at : at + 4], "little") for at in (0, 4, 8))
    return heap, global_, stable, reply[12], reply[13:]


def merged(parts: list[Pages]) -> Pages:
    """What a store holds after these commits."""
    heap: dict[int, bytes] = {}
    stable: dict[int, bytes] = {}
    for part in parts:
        heap = {**({} if part.heap_replaced else heap), **part.heap}
        stable = {**({} if part.stable_replaced else stable), **part.stable}
    last = parts[-1]
    return Pages(heap, stable, last.heap_bytes, last.stable_bytes, last.globals_)


def test_a_sandbox_made_again_from_its_pages_is_the_same(module_of, run_on):
    runner = run_on(Sandbox.create(module_of(COUNTER)))
    written = [runner.sandbox.commit()]
    for _ in range(3):
        assert runner.sandbox.run(Entry(Kind.UPDATE, "inc"), runner.environment()).trapped is None
        written.append(runner.sandbox.commit())

    again = run_on(Sandbox.restore(module_of(COUNTER), merged(written)))

    assert numbers(again.query("see").reply) == numbers(runner.query("see").reply) == (3, 3, 3, 7, b"VERSION")
    again.update("inc")
    assert numbers(again.query("see").reply) == (4, 4, 4, 7, b"VERSION")


def test_an_upgrade_keeps_stable_memory_and_the_heap_only_when_asked(wat, module_of, run_on):
    old = wat(COUNTER)
    old.update("inc")
    newer = module_of(COUNTER.replace("VERSION", "version"))

    kept = run_on(old.sandbox.upgraded(newer, keep_heap=True))
    fresh = run_on(old.sandbox.upgraded(newer, keep_heap=False))
    kept.sandbox.commit()
    fresh.sandbox.commit()

    assert numbers(kept.query("see").reply) == (1, 0, 1, 7, b"VERSION")
    assert numbers(fresh.query("see").reply) == (0, 0, 1, 0, b"version")
    assert numbers(old.query("see").reply) == (1, 1, 1, 7, b"VERSION")


def test_an_upgrade_takes_over_what_pre_upgrade_wrote_and_leaves_the_old_one_as_it_was(wat, module_of, run_on):
    old = wat(COUNTER)
    old.update("inc")
    old.sandbox.run(Entry(Kind.UPDATE, "inc"), old.environment())  # stands for pre_upgrade: not committed

    new = run_on(old.sandbox.upgraded(module_of(COUNTER), keep_heap=True))
    old.sandbox.rollback()
    new.sandbox.commit()

    assert numbers(new.query("see").reply)[:3] == (2, 0, 2)
    assert numbers(old.query("see").reply)[:3] == (1, 1, 1)


def test_a_query_may_grow_and_write_and_leaves_nothing(wat):
    canister = wat(COUNTER.replace("canister_update inc", "canister_query inc"))

    for _ in range(3):
        assert canister.query("inc").trapped is None

    assert canister.sandbox.heap_bytes == 65536
    assert canister.sandbox.stable_bytes == 0


def test_a_start_function_runs_when_it_is_called_and_not_before(wat):
    text = """(module (import "ic0" "msg_reply" (func $reply)) (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (memory 1) (start $s) (func $s (i32.store8 (i32.const 0) (i32.const 9)))
        (func (export "canister_query see") (call $append (i32.const 0) (i32.const 1)) (call $reply)))"""
    canister = wat(text)

    assert canister.query("see").reply == b"\x00"
    canister.run(Kind.START)

    assert canister.query("see").reply == b"\x09"


def test_a_heap_of_more_than_four_gigabytes_can_be_used(wat):
    text = """(module (import "ic0" "msg_reply" (func $reply)) (import "ic0" "msg_reply_data_append" (func $append (param i64 i64)))
        (memory i64 1)
        (func (export "canister_update go") (drop (memory.grow (i64.const 70000)))
          (i64.store (i64.const 4500000000) (i64.const 77)) (call $append (i64.const 4500000000) (i64.const 8)) (call $reply)))"""

    assert wat(text).update("go").reply == (77).to_bytes(8, "little")


def test_a_heap_beyond_the_networks_limit_cannot_be_had(wat):
    text = """(module (import "ic0" "msg_reply" (func $reply)) (import "ic0" "msg_reply_data_append" (func $append (param i64 i64)))
        (memory i64 1)
        (func (export "canister_update go") (i64.store (i64.const 0) (memory.grow (i64.const 100000)))
          (call $append (i64.const 0) (i64.const 8)) (call $reply)))"""

    assert wat(text).update("go").reply == b"\xff" * 8


def test_instances_of_one_module_have_their_own_memory(module_of, run_on):
    module = module_of(COUNTER)
    one, other = run_on(Sandbox.create(module)), run_on(Sandbox.create(module))

    one.update("inc")
    one.update("inc")
    other.update("inc")

    assert numbers(one.query("see").reply)[:3] == (2, 2, 2)
    assert numbers(other.query("see").reply)[:3] == (1, 1, 1)
