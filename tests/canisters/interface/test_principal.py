"""Principals: bytes to text and back, and texts that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canisters.interface.principal import MalformedPrincipal, Principal


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("aaaaa-aa", ""),
        ("2vxsx-fae", "04"),
        ("rwlgt-iiaaa-aaaaa-aaaaa-cai", "00000000000000000101"),
        ("em77e-bvlzu-aq", "abcd01"),  # the interface specification's own example
    ],
)
def test_known_principals_are_read_and_written(text, raw):
    assert Principal.from_text(text).raw.hex() == raw
    assert str(Principal(bytes.fromhex(raw))) == text


@given(st.binary(max_size=29))
def test_every_principal_is_read_back_from_its_text(raw):
    assert Principal.from_text(str(Principal(raw))).raw == raw


@pytest.mark.parametrize(
    "text", ["", "a", "aaaaa-ab", "AAAAA-AA", "aaaaaaa", "aaaaa--aa", "2vxsx-faf", "ö", "aaaaa-aa\n", "a" * 1000, "1-1"]
)
def test_other_texts_are_refused_in_words(text):
    with pytest.raises(MalformedPrincipal, match="not a principal|usual form"):
        Principal.from_text(text)


@given(st.text(max_size=80))
def test_no_text_raises_anything_else(text):
    try:
        assert str(Principal.from_text(text)) == text
    except MalformedPrincipal:
        pass


def test_more_than_29_bytes_are_no_principal():
    with pytest.raises(MalformedPrincipal):
        Principal(bytes(30))


def test_the_kinds_are_told_apart():
    assert Principal.anonymous().is_anonymous
    assert not Principal.management().is_anonymous
    assert Principal.self_authenticating(b"key").raw[-1] == 2
    assert len(Principal.self_authenticating(b"key").raw) == 29
