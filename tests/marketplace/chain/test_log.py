"""A log is believed only as far as its hashes and the network's signature reach."""

from __future__ import annotations

import pytest

from canisters.client import CertificateRefused
from canisters.interface import icrc3
from marketplace.chain.errors import LogBroken, LogRolledBack
from marketplace.chain.log import read_new_blocks
from tests.marketplace.builders import canister_id
from tests.marketplace.chain.networks import FakeLog, Signer


def test_a_log_is_read_whole_over_several_pages() -> None:
    log = FakeLog().grow(7)
    log.page = 3

    blocks, length = read_new_blocks(log, next_index=0, tip_hash=b"")

    assert [block.index for block in blocks] == list(range(7))
    assert blocks[-1].hash == log.hash(6)
    assert length == 7


def test_reading_goes_on_behind_what_is_known() -> None:
    log = FakeLog().grow(5)

    blocks, _ = read_new_blocks(log, next_index=3, tip_hash=log.hash(2))

    assert [block.index for block in blocks] == [3, 4]


def test_an_empty_log_has_nothing_to_prove() -> None:
    assert read_new_blocks(FakeLog(), next_index=0, tip_hash=b"", check_tip=True) == ([], 0)


def test_blocks_too_large_for_one_answer_are_read_in_smaller_pages() -> None:
    log = FakeLog().grow(4)
    log.largest_answer = 2

    blocks, _ = read_new_blocks(log, next_index=0, tip_hash=b"")

    assert len(blocks) == 4
    assert max(log.asked) == 100


def test_an_altered_block_is_refused() -> None:
    log = FakeLog().grow(3)
    log.values[1] = icrc3.to_value({"phash": log.hash(0), "btype": "thing", "ts": 1, "tx": {"amount": 1_000_000}})

    with pytest.raises(LogBroken, match="Block 2 does not follow"):
        read_new_blocks(log, next_index=0, tip_hash=b"")


def test_an_altered_last_block_is_not_what_the_network_signed() -> None:
    log = FakeLog().grow(3)
    answer = log.icrc3_get_tip_certificate()
    log.values[2] = icrc3.to_value({"phash": log.hash(1), "btype": "thing", "ts": 2, "tx": {"amount": 1_000_000}})
    log.icrc3_get_tip_certificate = lambda: answer  # type: ignore[method-assign]

    with pytest.raises(LogBroken, match="hash that the network signed"):
        read_new_blocks(log, next_index=0, tip_hash=b"")


def test_another_history_behind_the_known_block_is_refused() -> None:
    log, other = FakeLog().grow(3), FakeLog()
    other.append("other")
    other.grow(4)

    with pytest.raises(LogBroken, match="Block 3 does not follow"):
        read_new_blocks(other, next_index=3, tip_hash=log.hash(2))


def test_another_history_of_the_same_length_is_noticed_when_the_end_is_checked() -> None:
    log, other = FakeLog().grow(3), FakeLog()
    other.append("other")
    other.grow(2)

    with pytest.raises(LogBroken, match="hash that the network signed"):
        read_new_blocks(other, next_index=3, tip_hash=log.hash(2), check_tip=True)


def test_a_log_that_has_become_shorter_went_back_in_time() -> None:
    log = FakeLog().grow(5)
    known = log.hash(4)
    del log.values[3:]

    with pytest.raises(LogRolledBack, match=r"has 3 blocks and 5 are indexed.*reindex"):
        read_new_blocks(log, next_index=5, tip_hash=known)


def test_a_block_that_is_left_out_is_noticed() -> None:
    log = FakeLog().grow(4)
    whole = log.icrc3_get_blocks

    def without_the_second(argument: object, /) -> object:
        answer = whole(argument)
        answer["blocks"] = [entry for entry in answer["blocks"] if entry["id"] != 1]
        return answer

    log.icrc3_get_blocks = without_the_second  # type: ignore[method-assign]

    with pytest.raises(LogBroken, match="gives block 2 where block 1 belongs"):
        read_new_blocks(log, next_index=0, tip_hash=b"")


def test_blocks_that_are_held_back_below_the_signed_end_are_noticed() -> None:
    log = FakeLog().grow(4)
    log.icrc3_get_blocks = _only_below(log, 2)  # type: ignore[method-assign]

    with pytest.raises(LogBroken, match="does not give block 2"):
        read_new_blocks(log, next_index=0, tip_hash=b"")


def _only_below(log: FakeLog, end: int) -> object:
    def answer(argument: list[dict[str, int]], /) -> object:
        start = argument[0]["start"]
        blocks = [{"id": index, "block": log.values[index]} for index in range(start, end)]
        return {"log_length": len(log.values), "blocks": blocks, "archived_blocks": []}

    return answer


def test_what_is_not_signed_yet_waits_for_the_next_look() -> None:
    log = FakeLog().grow(5)
    log.signed = 3

    blocks, _ = read_new_blocks(log, next_index=0, tip_hash=b"")

    assert [block.index for block in blocks] == [0, 1, 2]


def test_a_log_without_a_certificate_is_not_believed() -> None:
    log = FakeLog().grow(2)
    log.signed = 0

    with pytest.raises(LogBroken, match="no certificate"):
        read_new_blocks(log, next_index=0, tip_hash=b"")


def test_another_networks_signature_is_refused() -> None:
    log = FakeLog(signer=Signer(b"somebody else's network          "), trusted=Signer().root_key).grow(1)

    with pytest.raises(CertificateRefused, match="root key"):
        read_new_blocks(log, next_index=0, tip_hash=b"")


def test_a_certificate_of_another_canister_is_refused() -> None:
    log = FakeLog().grow(1)
    answer = log.icrc3_get_tip_certificate()
    log.canister_id = canister_id(99)
    log.icrc3_get_tip_certificate = lambda: answer  # type: ignore[method-assign]

    with pytest.raises(CertificateRefused):
        read_new_blocks(log, next_index=0, tip_hash=b"")


def test_a_tree_that_the_canister_did_not_certify_is_refused() -> None:
    log = FakeLog().grow(1)
    log.certified = b"\x00" * 32

    with pytest.raises(LogBroken, match="not what the canister had certified"):
        read_new_blocks(log, next_index=0, tip_hash=b"")
