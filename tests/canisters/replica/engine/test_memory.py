"""Memory that can be undone: what was changed is found, kept or dropped, exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.replica.engine import memory
from canisters.replica.engine.contract import PAGE_BYTES
from canisters.replica.engine.memory import PrivateMapping

SIZE = 64 * PAGE_BYTES


@pytest.fixture(params=["scan", "read"])
def mapping(request, monkeypatch) -> Iterator[PrivateMapping]:
    """Both ways of finding changed pages: the newer kernels' ioctl, and reading the page map."""
    monkeypatch.setattr(memory, "_scan_supported", request.param == "scan")
    made = PrivateMapping(1 << 30)
    made.grow(SIZE)
    yield made
    made.close()


def test_changes_are_found_kept_and_dropped(mapping):
    mapping.write(5, b"first")
    mapping.write(10 * PAGE_BYTES - 2, b"across")

    assert sorted(mapping.commit()) == [0, 9, 10]
    mapping.write(5, b"other")
    mapping.write(30 * PAGE_BYTES, b"new")
    mapping.rollback()

    assert mapping.read(5, 5) == b"first"
    assert mapping.read(10 * PAGE_BYTES - 2, 6) == b"across"
    assert mapping.read(30 * PAGE_BYTES, 3) == bytes(3)
    assert mapping.commit() == {}


def test_reading_changes_nothing(mapping):
    mapping.write(0, b"x")
    mapping.commit()
    mapping.read(0, SIZE)

    assert mapping.dirty_ranges() == []


def test_growth_is_zero_and_can_be_taken_back(mapping):
    mapping.commit()
    mapping.grow(2 * SIZE)
    mapping.write(SIZE, b"beyond")

    mapping.rollback()
    mapping.shrink_to_committed()
    mapping.grow(2 * SIZE)

    assert mapping.read(SIZE, 6) == bytes(6)


def test_more_than_was_reserved_cannot_be_had(mapping):
    assert not mapping.grow((1 << 30) + 1)
    assert mapping.size_bytes == SIZE


def test_more_changed_regions_than_one_scan_tells_are_all_found(mapping):
    mapping.grow(4096 * PAGE_BYTES)
    mapping.commit()
    for page in range(0, 4096, 2):
        mapping.write(page * PAGE_BYTES, b"x")

    assert sorted(mapping.commit()) == list(range(0, 4096, 2))


def test_committed_pages_make_the_same_memory_again(mapping):
    mapping.write(3, b"one")
    pages = mapping.commit()
    mapping.write(SIZE - 3, b"two")
    pages |= mapping.commit()

    again = PrivateMapping(1 << 30)
    again.load(pages, SIZE)
    try:
        assert again.read(0, SIZE) == mapping.read(0, SIZE)
        assert again.dirty_ranges() == []
    finally:
        again.close()


def test_a_copy_takes_over_what_is_committed_and_what_is_not(mapping):
    mapping.write(0, b"committed")
    mapping.commit()
    mapping.write(PAGE_BYTES, b"not yet")

    copy = PrivateMapping(1 << 30)
    copy.adopt_committed(mapping)
    copy.grow(copy.committed_bytes)
    copy.adopt_changes(mapping)
    try:
        assert copy.read(0, 9) == b"committed"
        assert copy.read(PAGE_BYTES, 7) == b"not yet"
        copy.rollback()
        assert copy.read(PAGE_BYTES, 7) == bytes(7)
        assert mapping.read(PAGE_BYTES, 7) == b"not yet"
    finally:
        copy.close()


WRITES = st.lists(st.tuples(st.integers(0, SIZE - 64), st.binary(min_size=1, max_size=64)), max_size=6)


@settings(max_examples=30, deadline=None)
@given(rounds=st.lists(st.tuples(WRITES, st.booleans()), max_size=8))
def test_it_always_is_what_a_plain_copy_would_be(rounds):
    mapping = PrivateMapping(1 << 24)
    mapping.grow(SIZE)
    committed, stored = bytearray(SIZE), bytearray(SIZE)
    try:
        for writes, keep in rounds:
            present = bytearray(committed)
            for at, data in writes:
                mapping.write(at, data)
                present[at : at + len(data)] = data
            assert mapping.read(0, SIZE) == present
            if keep:
                committed = present
                for number, page in mapping.commit().items():
                    stored[number * PAGE_BYTES : (number + 1) * PAGE_BYTES] = page
            else:
                mapping.rollback()
            assert mapping.read(0, SIZE) == committed == stored
    finally:
        mapping.close()


def test_closing_gives_everything_back():
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count("canister-memory")

    before = mapped()
    mappings = [PrivateMapping(1 << 34) for _ in range(50)]
    for mapping in mappings:
        mapping.grow(random.Random(1).randrange(1, 9) * PAGE_BYTES)

    assert mapped() == before + 50
    for mapping in mappings:
        mapping.close()
        mapping.close()
    assert mapped() == before
