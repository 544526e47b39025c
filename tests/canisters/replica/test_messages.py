"""What canisters do to each other: messages commit whole or leave no trace, answers come once, cycles are not lost."""

from __future__ import annotations

import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from canisters.client import CallRejected, contract
from canisters.interface.candid import encode
from canisters.interface.certificate import verify
from canisters.interface.principal import Principal

pytestmark = pytest.mark.slow

MANAGEMENT = Principal.management()


def test_an_update_stays_and_a_query_leaves_nothing(canister):
    canister.update("inc")
    assert canister.query("get_and_write") == struct.pack("<Q", 101)

    assert canister.count() == 1


def test_the_caller_is_whoever_signed(canister, chain):
    other = chain.agent()

    assert canister.update("caller") == canister.agent.principal.raw
    assert other.update_raw(canister.id, "caller", b"") == other.principal.raw


def test_a_trap_undoes_memory_stable_memory_growth_and_certified_data(canister):
    canister.update("certify", data=b"before")
    canister.update("stable_write", 0, data=b"before")
    canister.update("set", 5)

    with pytest.raises(CallRejected) as refused:
        canister.update("write_and_trap")

    assert (refused.value.code, refused.value.error_code) == (5, "IC0503")
    assert "the probe traps" in str(refused.value)
    assert canister.count() == 5
    with pytest.raises(CallRejected):
        canister.query("stable_read", 65536, 8)  # the page that it grew by is gone
    assert canister.query("stable_read", 0, 6) == b"before"
    assert (
        canister.agent.read_state(canister.id, [[b"canister", canister.id.raw, b"certified_data"]]).require(
            b"canister", canister.id.raw, b"certified_data"
        )
        == b"before"
    )
    canister.update("inc")
    assert canister.count() == 6


def test_growth_of_the_heap_stays_when_the_message_ends_well(canister):
    (before,) = struct.unpack("<i", canister.update("grow_heap", 3))
    (after,) = struct.unpack("<i", canister.update("grow_heap", 1))

    assert after == before + 3


@pytest.mark.parametrize(
    ("method", "code", "error_code"),
    [
        ("reject", 4, "IC0406"),
        ("silent", 5, "IC0506"),
        ("overflow", 5, "IC0502"),
        ("out_of_bounds", 5, "IC0502"),
        ("bad_pointer", 5, "IC0502"),
        ("twice", 5, "IC0504"),
        ("no_such_method", 3, "IC0536"),
        pytest.param("endless", 5, "IC0522", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_what_goes_wrong_in_an_update_is_told_by_the_networks_codes(canister, method, code, error_code):
    with pytest.raises(CallRejected) as refused:
        canister.update(method)

    assert (refused.value.code, refused.value.error_code) == (code, error_code)
    assert canister.count() == 0


@pytest.mark.parametrize(
    ("method", "code", "error_code"),
    [("reject_query", 4, "IC0406"), ("trap_query", 5, "IC0503"), ("inc", 3, "IC0536"), ("set_in_query", 5, "IC0504"), pytest.param("endless_query", 5, "IC0522", marks=pytest.mark.slow)],
)  # fmt: skip
def test_what_goes_wrong_in_a_query_is_told_by_the_networks_codes(canister, method, code, error_code):
    with pytest.raises(CallRejected) as refused:
        canister.query(method)

    assert (refused.value.code, refused.value.error_code) == (code, error_code)


def test_a_message_that_inspection_refuses_is_refused_at_the_door(canister):
    with pytest.raises(CallRejected, match="rejected the message"):
        canister.update("refused")


def test_the_counter_of_instructions_is_the_same_every_time_and_follows_the_work(canister):
    used = [struct.unpack("<Q", canister.update("spin", rounds))[0] for rounds in (1000, 2000, 3000, 1000)]
    (as_query,) = struct.unpack("<Q", canister.query("spin_query", 1000))

    assert used[0] == used[3] == as_query
    assert used[2] - used[1] == used[1] - used[0] > 1000


def test_a_canister_calls_another_and_hears_its_answer(make_probe):
    caller, callee = make_probe(), make_probe()

    answer = caller.call(callee.id, "caller")

    assert answer == caller.id.raw
    assert caller.count() == 1001


def test_a_canister_calls_itself(canister):
    assert canister.call(canister.id, "inc") == struct.pack("<Q", 1001)


@pytest.mark.parametrize(
    ("method", "code", "words"),
    [("write_and_trap", 5, "the probe traps"), ("reject", 4, "the probe says no"), ("silent", 5, "did not reply"), ("nothing", 3, "no update method")],
)  # fmt: skip
def test_a_callees_failure_reaches_the_caller_and_undoes_only_the_callee(make_probe, method, code, words):
    caller, callee = make_probe(), make_probe()

    answer = caller.call(callee.id, method)

    assert answer[0] == code
    assert words in answer[1:].decode()
    assert (caller.count(), callee.count()) == (1000, 0)


def test_a_call_to_a_canister_that_does_not_exist_is_rejected(canister):
    answer = canister.call(Principal(b"\x00" * 7 + b"\x63\x01\x01"), "inc")

    assert answer[0] == 3
    assert "not found" in answer[1:].decode()


def test_a_caller_that_traps_after_its_call_sends_nothing(make_probe):
    caller, callee = make_probe(), make_probe()

    with pytest.raises(CallRejected, match="trapped after the call"):
        caller.call(callee.id, "inc", kind=2)

    assert (caller.count(), callee.count()) == (0, 0)


def test_a_callback_that_traps_is_undone_and_cleaned_up_after_while_the_callee_stays(make_probe):
    caller, callee = make_probe(), make_probe()

    with pytest.raises(CallRejected, match="trapped in the callback"):
        caller.call(callee.id, "inc", kind=1)

    assert caller.seen()[:2] == (1000, 1)
    assert callee.count() == 1


def test_cycles_that_are_not_taken_come_back(make_probe):
    caller, callee = make_probe(), make_probe()
    before = int.from_bytes(callee.query("balance"), "little")

    taken = caller.call(callee.id, "accept_half", cycles=10**12)

    assert taken == struct.pack("<Q", 5 * 10**11)
    assert caller.seen()[2] == 5 * 10**11
    assert int.from_bytes(callee.query("balance"), "little") > before + 4 * 10**11


def test_more_cycles_than_a_canister_has_cannot_be_sent(make_probe):
    caller, callee = make_probe(cycles=10**12), make_probe()

    with pytest.raises(CallRejected, match="cannot be attached"):
        caller.call(callee.id, "accept_half", cycles=10**13)

    assert caller.count() == 0


def test_random_bytes_are_for_canisters_and_differ(canister):
    one = canister.call(MANAGEMENT, "raw_rand", encode([], []))
    other = canister.call(MANAGEMENT, "raw_rand", encode([], []))

    assert len(one) == len(other)
    assert one[-32:] != other[-32:]
    with pytest.raises(CallRejected, match="Only canisters"):
        canister.agent.update_raw(MANAGEMENT, "raw_rand", encode([], []))


def test_certified_data_is_proven_by_the_certificate_that_the_query_is_given(canister, replica):
    canister.update("certify", data=b"shown to everybody")

    certificate = verify(
        canister.query("certificate"), root_key=replica.root_key, canister_id=canister.id, now_ns=time.time_ns()
    )

    assert certificate.require(b"canister", canister.id.raw, b"certified_data") == b"shown to everybody"


def test_a_query_never_sees_memory_that_its_certificate_does_not_fit(canister, chain, replica):
    """Queries run beside a stream of updates, each of which changes memory and certified data together."""
    writers = [chain.agent(canister.agent.identity) for _ in range(2)]
    readers = [chain.agent(canister.agent.identity) for _ in range(2)]

    def write(agent):
        for number in range(15):
            data = number.to_bytes(4, "big")
            agent.update_raw(canister.id, "certify", data)

    def read(agent):
        times = []
        for _ in range(30):
            certificate = verify(agent.query_raw(canister.id, "certificate", b""), root_key=replica.root_key)
            times.append(certificate.time_ns)
        return times

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, agent) for agent in writers]
        reading = [pool.submit(read, agent) for agent in readers]
        for done in [*writing, *reading]:
            done.result()

    assert all(times == sorted(times) for times in (done.result() for done in reading))


def test_many_updates_at_once_are_all_carried_out(canister, chain):
    agents = [chain.agent(canister.agent.identity) for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda agent: [agent.update_raw(canister.id, "inc", b"") for _ in range(5)], agents))

    counts = sorted(int.from_bytes(answer, "little") for row in answers for answer in row)
    assert counts == list(range(1, 41))


def test_answers_of_two_megabytes_come_through_and_larger_ones_trap(canister):
    assert len(canister.update("large", 2 << 20)) == 2 << 20
    assert len(canister.query("large_query", 3 << 20)) == 3 << 20
    with pytest.raises(CallRejected, match="larger than"):
        canister.update("large", (2 << 20) + 1)


def test_what_a_canister_prints_is_kept_for_its_controllers(canister, chain):
    canister.update("print", data=b"a line of the log")
    mine = contract("management", canister.agent, MANAGEMENT)
    asked = {"canister_id": canister.id}

    shown = mine.fetch_canister_logs(asked, effective_canister_id=canister.id)

    assert [line["content"] for line in shown["canister_log_records"]] == [b"a line of the log"]
    with pytest.raises(CallRejected, match="not allowed"):
        mine.as_(chain.agent()).fetch_canister_logs(asked, effective_canister_id=canister.id)


def test_nan_has_one_pattern(canister):
    assert canister.query("nan").hex() == "000000000000f87f"
