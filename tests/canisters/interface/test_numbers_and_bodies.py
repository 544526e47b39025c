"""LEB128, CBOR bodies and request ids."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canisters.interface import cbor, leb128
from canisters.interface.request_id import hash_of_map, request_id


@given(st.integers(0, 1 << 200))
def test_natural_numbers_come_back(value):
    data = leb128.encode_unsigned(value)

    assert leb128.decode_unsigned(b"x" + data + b"y", 1) == (value, 1 + len(data))


@given(st.integers(-(1 << 200), 1 << 200))
def test_whole_numbers_come_back(value):
    data = leb128.encode_signed(value)

    assert leb128.decode_signed(data + b"\x80") == (value, len(data))


@pytest.mark.parametrize(("value", "data"), [(0, "00"), (624485, "e58e26"), (127, "7f"), (128, "8001")])
def test_known_natural_numbers(value, data):
    assert leb128.encode_unsigned(value).hex() == data


@pytest.mark.parametrize(("value", "data"), [(0, "00"), (-123456, "c0bb78"), (64, "c000"), (-64, "40"), (-1, "7f")])
def test_known_whole_numbers(value, data):
    assert leb128.encode_signed(value).hex() == data


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 5000])
def test_numbers_without_an_end_are_refused(data):
    with pytest.raises(leb128.MalformedLeb128):
        leb128.decode_unsigned(data)
    with pytest.raises(leb128.MalformedLeb128):
        leb128.decode_signed(data)


def test_a_negative_number_is_not_natural():
    with pytest.raises(ValueError, match="cannot be negative"):
        leb128.encode_unsigned(-1)


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 64), 1 << 64) | st.binary(max_size=20) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON_LIKE)
def test_bodies_come_back_with_their_tag_and_without(value):
    assert cbor.dumps(value)[:3] == b"\xd9\xd9\xf7"
    assert cbor.loads(cbor.dumps(value)) == value
    assert cbor.loads(cbor2.dumps(value)) == value


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_but_the_one_error(data):
    try:
        cbor.loads(data)
    except cbor.MalformedCbor:
        pass


def test_bytes_after_the_value_are_refused():
    with pytest.raises(cbor.MalformedCbor, match="follow"):
        cbor.loads(cbor.dumps(1) + b"\x00")


def test_the_request_id_of_the_specification():
    """The example of the interface specification, "Request ids"."""
    content = {
        "request_type": "call",
        "sender": b"\x04",
        "ingress_expiry": 1685570400000000000,
        "canister_id": bytes.fromhex("00000000000004d2"),
        "method_name": "hello",
        "arg": b"DIDL\x00\xfd*",
    }

    assert request_id(content).hex() == "1d1091364d6bb8a6c16b203ee75467d59ead468f523eb058880ae8ec80e2b101"


def test_the_order_of_fields_does_not_matter_and_their_values_do():
    assert hash_of_map({"a": 1, "b": [b"x", "y"]}) == hash_of_map({"b": [b"x", "y"], "a": 1})
    assert hash_of_map({"a": 1}) != hash_of_map({"a": 2})
    assert hash_of_map({"a": {"b": 1}}) != hash_of_map({"a": {"b": 2}})


@pytest.mark.parametrize("value", [True, 1.5, None, object(), -1])
def test_values_without_a_hash_are_refused(value):
    with pytest.raises((TypeError, ValueError)):
        hash_of_map({"a": value})
