"""The System API, function by function, by canisters of a few lines: what it returns, where it may be called, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canisters.replica.engine import host
from canisters.replica.engine.contract import Closure, Entry, Kind

IMPORTS = {
    "i32": {"I": "i32", "i": "i32", "L": "i64"},
    "i64": {"I": "i64", "i": "i32", "L": "i64"},
}


def imported(name: str, width: str = "i32") -> str:
    function = host.FUNCTIONS[name]
    types = IMPORTS[width]
    parameters = "".join(f" (param {types[p]})" for p in function.parameters)
    results = "".join(f" (result {types[r]})" for r in function.result)
    return f'(import "ic0" "{name}" (func ${name}{parameters}{results}))'


def module(*names: str, body: str, width: str = "i32", more: str = "") -> str:
    """A canister that imports `names` and whose update and query `go` is `body`."""
    memory = "(memory i64 1)" if width == "i64" else "(memory 1)"
    imports = "".join(imported(name, width) for name in dict.fromkeys((*names, "msg_reply", "msg_reply_data_append")))
    exports = '(export "canister_update go") (export "canister_query view")'
    return f"(module {imports} {memory} {more} (func {exports} {body}))"


def test_every_function_of_the_published_list_is_offered():
    wanted = """
        msg_arg_data_size msg_arg_data_copy msg_caller_size msg_caller_copy msg_caller_info_data_size msg_caller_info_data_copy
        msg_caller_info_signer_size msg_caller_info_signer_copy msg_reject_code msg_reject_msg_size msg_reject_msg_copy msg_deadline
        msg_reply_data_append msg_reply msg_reject msg_cycles_available msg_cycles_available128 msg_cycles_refunded
        msg_cycles_refunded128 msg_cycles_accept msg_cycles_accept128 cycles_burn128 canister_self_size canister_self_copy
        canister_cycle_balance canister_cycle_balance128 canister_liquid_cycle_balance128 canister_status canister_version
        subnet_self_size subnet_self_copy msg_method_name_size msg_method_name_copy accept_message call_new call_on_cleanup
        call_data_append call_with_best_effort_response call_cycles_add call_cycles_add128 call_perform stable_size stable_grow
        stable_write stable_read stable64_size stable64_grow stable64_write stable64_read root_key_size root_key_copy
        certified_data_set data_certificate_present data_certificate_size data_certificate_copy time global_timer_set
        performance_counter is_controller in_replicated_execution cost_call cost_create_canister cost_http_request
        cost_sign_with_ecdsa cost_sign_with_schnorr cost_vetkd_derive_key env_var_count env_var_name_size env_var_name_copy
        env_var_name_exists env_var_value_size env_var_value_copy debug_print trap
    """

    assert set(wanted.split()) == set(host.FUNCTIONS)


@pytest.mark.parametrize("width", ["i32", "i64"])
@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("msg_arg_data", "argument", b"an argument"),
        ("msg_caller", "caller", b"a caller"),
        ("canister_self", "canister_id", b"itself"),
        ("root_key", "root_key", b"the root key"),
        ("subnet_self", "subnet_id", b"the subnet"),
    ],
)
def test_what_can_be_copied_is_copied_whole_and_in_part(wat, width, name, field, value):
    const = f"{width}.const"
    whole = f"(call ${name}_copy ({const} 10) ({const} 0) (call ${name}_size)) (call $msg_reply_data_append ({const} 10) (call ${name}_size))"
    part = f"(call ${name}_copy ({const} 10) ({const} 2) ({const} 3)) (call $msg_reply_data_append ({const} 10) ({const} 3))"
    canister = wat(module(f"{name}_size", f"{name}_copy", body=f"{whole} {part} (call $msg_reply)", width=width))

    outcome = canister.update("go", **{field: value})

    assert outcome.reply == value + value[2:5]


@pytest.mark.parametrize(("offset", "size"), [(0, 6), (5, 1), (6, 0xFFFFFFFF), (0xFFFFFFFF, 2)])
def test_copying_beyond_the_data_traps(wat, offset, size):
    body = f"(call $msg_arg_data_copy (i32.const 0) (i32.const {offset}) (i32.const {size}))"
    canister = wat(module("msg_arg_data_copy", body=body))

    outcome = canister.update("go", b"12345")

    assert outcome.trapped.code == "IC0502"
    assert "outside" in outcome.trapped.message


@pytest.mark.parametrize("destination", [65536, 65533, 0xFFFFFFFF])
def test_copying_outside_memory_traps_and_leaves_memory_alone(wat, destination):
    body = f"(i32.store (i32.const 0) (i32.const 7)) (call $msg_arg_data_copy (i32.const {destination}) (i32.const 0) (i32.const 5))"
    view = '(func (export "canister_query see") (call $msg_reply_data_append (i32.const 0) (i32.const 4)) (call $msg_reply))'
    canister = wat(module("msg_arg_data_copy", body=body, more=view))

    assert canister.update("go", b"12345").trapped is not None

    assert canister.query("see").reply == bytes(4)


def test_time_status_and_version_are_the_environments(wat):
    body = """(i64.store (i32.const 0) (call $time)) (i32.store (i32.const 8) (call $canister_status))
              (i64.store (i32.const 12) (call $canister_version)) (call $msg_reply_data_append (i32.const 0) (i32.const 20)) (call $msg_reply)"""
    canister = wat(module("time", "canister_status", "canister_version", body=body))

    reply = canister.update("go", time_ns=11, canister_status=2, canister_version=33).reply

    assert reply == (11).to_bytes(8, "little") + (2).to_bytes(4, "little") + (33).to_bytes(8, "little")


def test_controllers_are_known(wat):
    body = """(i32.store8 (i32.const 9) (call $is_controller (i32.const 0) (i32.const 2)))
              (call $msg_reply_data_append (i32.const 9) (i32.const 1)) (call $msg_reply)"""
    canister = wat(module("is_controller", body=body, more='(data (i32.const 0) "me")'))

    assert canister.query("view", is_controller=lambda who: who == b"me").reply == b"\x01"
    assert canister.query("view", is_controller=lambda who: who == b"you").reply == b"\x00"


def test_a_query_is_not_replicated_and_an_update_is(wat):
    body = """(i32.store8 (i32.const 0) (call $in_replicated_execution))
              (call $msg_reply_data_append (i32.const 0) (i32.const 1)) (call $msg_reply)"""
    canister = wat(module("in_replicated_execution", body=body))

    assert canister.update("go").reply == b"\x01"
    assert canister.query("view").reply == b"\x00"


def test_environment_variables_are_read_by_name_and_number(wat):
    body = """(i32.store8 (i32.const 20) (call $env_var_count))
              (i32.store8 (i32.const 21) (call $env_var_name_exists (i32.const 0) (i32.const 1)))
              (i32.store8 (i32.const 22) (call $env_var_name_exists (i32.const 1) (i32.const 1)))
              (call $env_var_value_copy (i32.const 0) (i32.const 1) (i32.const 23) (i32.const 0) (i32.const 3))
              (call $env_var_name_copy (i32.const 1) (i32.const 26) (i32.const 0) (call $env_var_name_size (i32.const 1)))
              (call $msg_reply_data_append (i32.const 20) (i32.const 7)) (call $msg_reply)"""
    names = ["env_var_count", "env_var_name_exists", "env_var_value_copy", "env_var_name_copy", "env_var_name_size"]
    canister = wat(module(*names, body=body, more='(data (i32.const 0) "AX")'))

    reply = canister.query("view", environment_variables=(("A", "one"), ("B", "two"))).reply

    assert reply == b"\x02\x01\x00oneB"


# --- answers ---


def test_a_reply_is_gathered_from_its_parts(wat):
    body = """(call $msg_reply_data_append (i32.const 0) (i32.const 2)) (call $msg_reply_data_append (i32.const 3) (i32.const 2)) (call $msg_reply)"""
    canister = wat(module(body=body, more='(data (i32.const 0) "ab-cd")'))

    assert canister.update("go").reply == b"abcd"


def test_a_reject_carries_its_message(wat):
    canister = wat(
        module("msg_reject", body="(call $msg_reject (i32.const 0) (i32.const 2))", more='(data (i32.const 0) "no")')
    )

    outcome = canister.update("go")

    assert (outcome.reply, outcome.reject, outcome.trapped) == (None, "no", None)


@pytest.mark.parametrize("first", ["(call $msg_reply)", "(call $msg_reject (i32.const 0) (i32.const 0))"])
@pytest.mark.parametrize(
    "second",
    [
        "(call $msg_reply)",
        "(call $msg_reject (i32.const 0) (i32.const 0))",
        "(call $msg_reply_data_append (i32.const 0) (i32.const 0))",
    ],
)
def test_a_call_is_answered_once(wat, first, second):
    canister = wat(module("msg_reject", body=first + second))

    assert canister.update("go").trapped.code == "IC0504"


def test_a_call_that_was_answered_before_is_not_answered_again(wat):
    canister = wat(module(body="(call $msg_reply)"))

    assert canister.update("go", already_replied=True).trapped.code == "IC0504"


# --- where functions may be called ---

# From where each function may be called, in the letters of the specification's overview of imports.
PLACES = {
    "I": {Kind.INIT, Kind.POST_UPGRADE},
    "G": {Kind.PRE_UPGRADE},
    "U": {Kind.UPDATE},
    "RQ": {Kind.REPLICATED_QUERY},
    "NRQ": {Kind.QUERY},
    "CQ": {Kind.COMPOSITE_QUERY},
    "Ry": {Kind.REPLY_CALLBACK},
    "Rt": {Kind.REJECT_CALLBACK},
    "CRy": {Kind.COMPOSITE_REPLY_CALLBACK},
    "CRt": {Kind.COMPOSITE_REJECT_CALLBACK},
    "C": {Kind.CLEANUP_CALLBACK},
    "CC": {Kind.COMPOSITE_CLEANUP_CALLBACK},
    "s": {Kind.START},
    "F": {Kind.INSPECT_MESSAGE},
    "T": {Kind.HEARTBEAT, Kind.GLOBAL_TIMER, Kind.ON_LOW_WASM_MEMORY},
    "*": set(Kind) - {Kind.START},
}
ALLOWED = {
    "I U RQ NRQ CQ Ry CRy F": "msg_arg_data_size msg_arg_data_copy",
    "U RQ NRQ CQ Ry Rt CRy CRt C CC F": """
        msg_caller_info_data_size msg_caller_info_data_copy msg_caller_info_signer_size msg_caller_info_signer_copy""",
    "Ry Rt CRy CRt C": "msg_reject_code",
    "Rt CRt": "msg_reject_msg_size msg_reject_msg_copy",
    "U RQ NRQ CQ Ry Rt CRy CRt": "msg_deadline msg_reply_data_append msg_reply msg_reject",
    "U RQ Rt Ry": "msg_cycles_available msg_cycles_available128 msg_cycles_accept msg_cycles_accept128",
    "Rt Ry": "msg_cycles_refunded msg_cycles_refunded128",
    "I G U RQ Ry Rt C T": "cycles_burn128 root_key_size root_key_copy",
    "F": "msg_method_name_size msg_method_name_copy accept_message",
    "U CQ Ry Rt CRy CRt T": "call_new call_on_cleanup call_data_append call_with_best_effort_response call_perform",
    "U Ry Rt T": "call_cycles_add call_cycles_add128",
    "I G U Ry Rt T": "certified_data_set",
    "I G U Ry Rt C T": "global_timer_set",
    "NRQ CQ": "data_certificate_size data_certificate_copy",
    "*": """
        msg_caller_size msg_caller_copy canister_self_size canister_self_copy canister_cycle_balance canister_cycle_balance128
        canister_liquid_cycle_balance128 canister_status canister_version subnet_self_size subnet_self_copy
        data_certificate_present time env_var_count env_var_name_size env_var_name_copy env_var_name_exists env_var_value_size
        env_var_value_copy""",
    "* s": """
        stable_size stable_grow stable_write stable_read stable64_size stable64_grow stable64_write stable64_read
        performance_counter is_controller in_replicated_execution cost_call cost_create_canister cost_http_request
        cost_sign_with_ecdsa cost_sign_with_schnorr cost_vetkd_derive_key debug_print trap""",
}
FUNCTIONS = [(name, letters) for letters, names in ALLOWED.items() for name in names.split()]


def test_the_table_of_places_has_every_function():
    assert sorted(name for name, _ in FUNCTIONS) == sorted(host.FUNCTIONS)


@pytest.mark.parametrize(("name", "letters"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_a_function_is_refused_in_every_place_where_it_has_no_meaning(wat, name, letters):
    function = host.FUNCTIONS[name]
    zeros = "".join(f"({'i64' if p == 'L' else 'i32'}.const 0)" for p in function.parameters)
    call = f"(call ${name} {zeros})"
    body = f"(drop {call})" if function.result else call
    plain = [kind for kind in Kind if "CALLBACK" not in kind.name and kind is not Kind.START]
    exports = "".join(f'(export "{export}")' for export in sorted({Entry(kind, kind.name).export for kind in plain}))
    callback = f"(table 1 funcref) (elem (i32.const 0) $g) (func $g (param i32) {body})"
    ordinary = wat(f"(module {imported(name)} (memory 1) (func {exports} {body}) {callback})")
    starting = wat(f"(module {imported(name)} (memory 1) (func $f {body}) (start $f))")

    refused = set()
    for kind in Kind:
        entry = Entry(kind, kind.name if kind in plain else "", Closure(0, 0) if "CALLBACK" in kind.name else None)
        canister = starting if kind is Kind.START else ordinary
        outcome = canister.sandbox.run(entry, canister.environment())
        canister.sandbox.rollback()
        if outcome.trapped is not None and f"ic0.{name} cannot be called in" in outcome.trapped.message:
            refused.add(kind)

    assert set(Kind) - refused == set().union(*(PLACES[letter] for letter in letters.split()))


def test_a_query_has_no_deadline_whatever_way_it_was_asked(wat):
    tell = "(i64.store (i32.const 0) (call $msg_deadline)) (call $msg_reply_data_append (i32.const 0) (i32.const 8)) (call $msg_reply)"
    canister = wat(module("msg_deadline", body=tell))

    assert canister.update("go", deadline_ns=7).reply == (7).to_bytes(8, "little")
    assert canister.run(Kind.REPLICATED_QUERY, "view", deadline_ns=7).reply == bytes(8)


def test_a_reject_message_that_is_no_text_traps(wat):
    canister = wat(
        module("msg_reject", body="(call $msg_reject (i32.const 0) (i32.const 1))", more='(data (i32.const 0) "\\ff")')
    )

    assert "not UTF-8" in canister.update("go").trapped.message


def test_nothing_is_left_of_the_cycles_of_a_call_that_is_answered(wat):
    body = """(call $msg_reply) (if (i64.ne (call $msg_cycles_available) (i64.const 0)) (then (unreachable)))
        (if (i64.ne (call $msg_cycles_accept (i64.const 9)) (i64.const 0)) (then (unreachable)))"""
    canister = wat(module("msg_cycles_available", "msg_cycles_accept", body=body))

    outcome = canister.update("go", cycles_available=100)

    assert (outcome.trapped, outcome.reply, outcome.cycles_accepted) == (None, b"", 0)


# --- calls ---


def test_a_call_is_described_whole(wat):
    body = """(call $call_new (i32.const 0) (i32.const 2) (i32.const 2) (i32.const 3) (i32.const 1) (i32.const 11) (i32.const 2) (i32.const 22))
              (call $call_on_cleanup (i32.const 3) (i32.const 33)) (call $call_data_append (i32.const 5) (i32.const 2))
              (call $call_cycles_add128 (i64.const 0) (i64.const 900)) (call $call_with_best_effort_response (i32.const 1000))
              (drop (call $call_perform))"""
    names = [
        "call_new",
        "call_on_cleanup",
        "call_data_append",
        "call_cycles_add128",
        "call_with_best_effort_response",
        "call_perform",
    ]
    canister = wat(module(*names, body=body, more='(data (i32.const 0) "\\07\\01runab")'))

    outcome = canister.update("go", cycle_balance=1000)

    (call,) = outcome.calls
    assert (call.callee, call.method, call.argument, call.cycles) == (b"\x07\x01", "run", b"ab", 900)
    assert (call.on_reply, call.on_reject, call.on_cleanup) == (Closure(1, 11), Closure(2, 22), Closure(3, 33))
    assert call.timeout_s == 300  # longer ones are cut
    assert outcome.cycles_sent == 900


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("(drop (call $call_perform))", "without ic0.call_new"),
        ("(call $call_data_append (i32.const 0) (i32.const 1))", "without ic0.call_new"),
        ("(call $call_cycles_add128 (i64.const 0) (i64.const 1))", "without ic0.call_new"),
        ("(call $begin) (call $call_cycles_add128 (i64.const 0) (i64.const 1001))", "cannot be attached"),
        ("(call $begin) (call $call_cycles_add128 (i64.const 1) (i64.const 0))", "cannot be attached"),
        ("(call $begin) (drop (call $call_perform)) (drop (call $call_perform))", "without ic0.call_new"),
    ],
)
def test_a_call_that_is_not_well_made_traps(wat, body, words):
    zeros = "(i32.const 0)" * 8
    names = ["call_new", "call_data_append", "call_cycles_add128", "call_perform"]
    canister = wat(module(*names, body=body, more=f"(func $begin (call $call_new {zeros}))"))

    outcome = canister.update("go", cycle_balance=1000)

    assert words in outcome.trapped.message
    assert outcome.calls == []


def test_a_call_that_was_begun_and_not_performed_is_given_up_with_its_cycles(wat):
    zeros = "(i32.const 0)" * 8
    begin = f"(call $call_new {zeros}) (call $call_cycles_add128 (i64.const 0) (i64.const 600))"
    canister = wat(
        module("call_new", "call_cycles_add128", "call_perform", body=f"{begin} {begin} (drop (call $call_perform))")
    )

    outcome = canister.update("go", cycle_balance=1000)

    assert outcome.trapped is None
    assert (len(outcome.calls), outcome.cycles_sent) == (1, 600)


def test_a_callback_runs_the_function_of_the_table_with_its_value(wat):
    text = f"""(module {imported("msg_reply")} {imported("msg_reply_data_append")} (memory 1) (table 3 funcref) (elem (i32.const 1) $f)
        (func $f (param $n i32) (i32.store (i32.const 0) (local.get $n)) (call $msg_reply_data_append (i32.const 0) (i32.const 4)) (call $msg_reply)))"""
    canister = wat(text)

    outcome = canister.sandbox.run(Entry(Kind.REPLY_CALLBACK, closure=Closure(1, 0xFFFFFFFE)), canister.environment())

    assert outcome.reply == b"\xfe\xff\xff\xff"


@pytest.mark.parametrize("function", [0, 2, 3, 7, 0xFFFFFFFF])
def test_a_callback_to_nothing_or_to_another_type_traps(wat, function):
    canister = wat("(module (memory 1) (table 3 funcref) (elem (i32.const 2) $f) (func $f (param i32 i32)))")

    outcome = canister.sandbox.run(Entry(Kind.REPLY_CALLBACK, closure=Closure(function, 0)), canister.environment())

    assert outcome.trapped is not None


# --- cycles ---


def test_cycles_are_accepted_up_to_what_came(wat):
    body = """(call $msg_cycles_accept128 (i64.const 0) (i64.const 30) (i32.const 0)) (call $msg_cycles_accept128 (i64.const 1) (i64.const 0) (i32.const 16))
              (call $canister_cycle_balance128 (i32.const 32)) (call $msg_reply_data_append (i32.const 0) (i32.const 48)) (call $msg_reply)"""
    canister = wat(module("msg_cycles_accept128", "canister_cycle_balance128", body=body))

    outcome = canister.update("go", cycle_balance=5, cycles_available=100)

    numbers = [int.from_bytes(outcome.reply[at : at + 16], "little") for at in (0, 16, 32)]
    assert numbers == [30, 70, 105]
    assert outcome.cycles_accepted == 100


def test_a_balance_beyond_64_bits_needs_the_wide_function(wat):
    canister = wat(module("canister_cycle_balance", body="(drop (call $canister_cycle_balance)) (call $msg_reply)"))

    assert canister.update("go", cycle_balance=(1 << 64) - 1).trapped is None
    assert "128-bit" in canister.update("go", cycle_balance=1 << 64).trapped.message


def test_cycles_can_be_burned_up_to_the_balance(wat):
    canister = wat(
        module(
            "cycles_burn128", body="(call $cycles_burn128 (i64.const 0) (i64.const 80) (i32.const 0)) (call $msg_reply)"
        )
    )

    assert canister.update("go", cycle_balance=50).cycles_burned == 50
    assert canister.update("go", cycle_balance=500).cycles_burned == 80


# --- certified data, timers, log ---


def test_certified_data_has_at_most_32_bytes(wat):
    fits = wat(
        module("certified_data_set", body="(call $certified_data_set (i32.const 0) (i32.const 32)) (call $msg_reply)")
    )
    too_long = wat(
        module("certified_data_set", body="(call $certified_data_set (i32.const 0) (i32.const 33)) (call $msg_reply)")
    )

    assert fits.update("go").certified_data == bytes(32)
    assert too_long.update("go").trapped is not None


def test_setting_the_timer_gives_the_one_before(wat):
    body = """(i64.store (i32.const 0) (call $global_timer_set (i64.const 5))) (i64.store (i32.const 8) (call $global_timer_set (i64.const 6)))
              (call $msg_reply_data_append (i32.const 0) (i32.const 16)) (call $msg_reply)"""
    canister = wat(module("global_timer_set", body=body))

    outcome = canister.update("go", global_timer_ns=4)

    assert outcome.reply == (4).to_bytes(8, "little") + (5).to_bytes(8, "little")
    assert outcome.global_timer_ns == 6


def test_what_is_printed_is_kept_even_when_the_execution_traps(wat):
    body = "(call $debug_print (i32.const 0) (i32.const 5)) unreachable"
    canister = wat(module("debug_print", body=body, more='(data (i32.const 0) "hello")'))

    outcome = canister.update("go")

    assert outcome.logs[0] == "hello"
    assert outcome.trapped.code == "IC0502"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("unreachable", "IC0502", "unreachable"),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "IC0502", "integer division by 0"),
        ("(drop (i32.load (i32.const 65536)))", "IC0502", "heap out of bounds"),
        ("(call_indirect (i32.const 0))", "IC0502", ""),
        ("(loop (br 0))", "IC0522", "exceeded the limit"),
        (
            "(drop (memory.grow (i32.const 1))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072)) (loop (br 0))",
            "IC0522",
            "",
        ),
        ("(call $trap (i32.const 0) (i32.const 2))", "IC0503", "no"),
    ],
)
def test_a_trap_of_any_kind_leaves_the_canister_as_it_was(wat, body, code, words):
    view = '(func (export "canister_query see") (call $msg_reply_data_append (i32.const 0) (i32.const 8)) (call $msg_reply))'
    globals_ = '(global $g (mut i32) (i32.const 1)) (table 1 funcref) (data (i32.const 0) "no")'
    again = '(func (export "canister_update again") (i32.store (i32.const 4) (global.get $g)) (call $msg_reply))'
    dirty = "(global.set $g (i32.const 9)) (i32.store (i32.const 4) (i32.const 9))"
    canister = wat(module("trap", body=dirty + body, more=globals_ + view + again))

    outcome = canister.update("go", instruction_limit=10_000_000)

    assert outcome.trapped.code == code
    assert words in outcome.trapped.message
    assert canister.query("see").reply == b"no" + bytes(6)
    assert canister.update("again").trapped is None
    assert canister.query("see").reply == b"no" + bytes(2) + b"\x01" + bytes(3)
    assert canister.sandbox.heap_bytes == 65536


# --- stable memory ---


@pytest.mark.parametrize("width", ["i32", "i64"])
def test_stable_memory_is_written_read_and_grown(wat, width):
    body = f"""(i64.store ({width}.const 0) (call $stable64_grow (i64.const 2)))
        (i64.store ({width}.const 8) (call $stable64_size))
        (call $stable64_write (i64.const 131064) (i64.const 16) (i64.const 8))
        (call $stable64_read (i64.const 24) (i64.const 131064) (i64.const 8))
        (call $msg_reply_data_append ({width}.const 0) ({width}.const 32)) (call $msg_reply)"""
    names = ["stable64_grow", "stable64_size", "stable64_write", "stable64_read"]
    canister = wat(module(*names, body=body, width=width, more=f'(data ({width}.const 16) "12345678")'))

    assert canister.update("go").reply == bytes(8) + (2).to_bytes(8, "little") + b"1234567812345678"

    assert canister.sandbox.stable_bytes == 131072


@pytest.mark.parametrize(
    "body",
    [
        "(call $stable64_write (i64.const 65529) (i64.const 0) (i64.const 8))",
        "(call $stable64_read (i64.const 0) (i64.const 65529) (i64.const 8))",
        "(call $stable64_read (i64.const 0) (i64.const -1) (i64.const 8))",
        "(call $stable64_write (i64.const 0) (i64.const -8) (i64.const 8))",
        "(call $stable64_write (i64.const 0) (i64.const 0) (i64.const -1))",
    ],
)
def test_stable_memory_is_not_touched_outside_its_bounds_and_growth_is_undone_by_a_trap(wat, body):
    names = ["stable64_grow", "stable64_write", "stable64_read"]
    canister = wat(module(*names, body=f"(drop (call $stable64_grow (i64.const 1))) {body}"))

    assert "outside" in canister.update("go").trapped.message

    assert canister.sandbox.stable_bytes == 0


def test_more_stable_memory_than_there_is_cannot_be_had(wat):
    body = """(i64.store (i32.const 0) (call $stable64_grow (i64.const 100000000))) (i64.store (i32.const 8) (call $stable64_grow (i64.const -1)))
              (call $msg_reply_data_append (i32.const 0) (i32.const 16)) (call $msg_reply)"""

    assert wat(module("stable64_grow", body=body)).update("go").reply == b"\xff" * 16


# --- costs ---


def test_a_call_of_the_system_costs_what_the_network_charges(wat):
    body = """(i64.store (i32.const 0) (call $performance_counter (i32.const 0))) (drop (call $time))
              (i64.store (i32.const 8) (call $performance_counter (i32.const 0)))
              (call $msg_reply_data_append (i32.const 0) (i32.const 16)) (call $msg_reply)"""
    canister = wat(module("performance_counter", "time", body=body))

    reply = canister.update("go").reply

    first, second = (int.from_bytes(reply[at : at + 8], "little") for at in (0, 8))
    assert second - first == 500 + 200  # time, and the second counter; the wasm was counted when the block began


def test_what_earlier_executions_of_a_call_used_is_counted_too(wat):
    body = """(i64.store (i32.const 0) (i64.sub (call $performance_counter (i32.const 1)) (call $performance_counter (i32.const 0))))
              (call $msg_reply_data_append (i32.const 0) (i32.const 8)) (call $msg_reply)"""
    canister = wat(module("performance_counter", body=body))

    assert canister.update("go", context_instructions=1_000_000).reply == (1_000_000 - 200).to_bytes(8, "little")


def test_large_copies_count_and_can_exhaust_the_limit(wat):
    body = "(loop (call $msg_reply_data_append (i32.const 0) (i32.const 60000)) (br 0))"
    canister = wat(module(body=body))

    outcome = canister.update("go", instruction_limit=500_000)

    assert outcome.trapped.code == "IC0522"


def test_a_canister_without_memory_can_still_answer(wat):
    canister = wat(f'(module {imported("msg_reply")} (func (export "canister_query view") (call $msg_reply)))')

    assert canister.query("view").reply == b""
    assert replace(canister.query("view"), instructions=0).trapped is None
