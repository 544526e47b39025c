"""ICRC-3 values: the hashes of the standard's own test vectors, and records as canisters log them."""

from __future__ import annotations

import pytest

from canisters.interface.icrc3 import MalformedValue, to_value, value_hash
from canisters.interface.principal import Principal

FROM = bytes.fromhex("00abcdef0012340056789a00bcdef000012345678900abcdef01")
TO = bytes.fromhex("00ab0def0012340056789a00bcdef000012345678900abcdef01")
MAP = [
    ("from", {"Blob": FROM}),
    ("to", {"Blob": TO}),
    ("amount", {"Nat": 42}),
    ("created_at", {"Nat": 1699218263}),
    ("memo", {"Nat": 0}),
]


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        ({"Nat": 42}, "684888c0ebb17f374298b65ee2807526c066094c701bcc7ebbe1c1095f494fc1"),
        ({"Int": -42}, "de5a6f78116eca62d7fc5ce159d23ae6b889b365a1739ad2cf36f925a140d0cc"),
        ({"Text": "Hello, World!"}, "dffd6021bb2bd5b0af676290809ec3a53191dd81c7f70a4b28688a362182986f"),
        ({"Blob": bytes([1, 2, 3, 4])}, "9f64a747e1b97f131fabb6b447296c9b6f0201e79fb3c5356e6c77e89b6a806a"),
        (
            {"Array": [{"Nat": 3}, {"Text": "foo"}, {"Blob": b"\x05\x06"}]},
            "514a04011caa503990d446b7dec5d79e19c221ae607fb08b2848c67734d468d6",
        ),
        ({"Map": MAP}, "c56ece650e1de4269c5bdeff7875949e3e2033f85b2d193c2ff4f7f78bdcfc75"),
        ({"Map": MAP[::-1]}, "c56ece650e1de4269c5bdeff7875949e3e2033f85b2d193c2ff4f7f78bdcfc75"),
    ],
)
def test_hashes_are_the_standards(value, digest):
    assert value_hash(value).hex() == digest


def test_a_record_becomes_the_value_that_a_canister_logs():
    record = {"owner": Principal.anonymous(), "amount": 5, "open": True, "note": "x", "none": None, "parts": [1, -2]}

    assert to_value(record) == {
        "Map": [
            ("owner", {"Blob": b"\x04"}),
            ("amount", {"Nat": 5}),
            ("open", {"Nat": 1}),
            ("note", {"Text": "x"}),
            ("parts", {"Array": [{"Nat": 1}, {"Int": -2}]}),
        ]
    }


@pytest.mark.parametrize("value", [{}, {"Nat": "5"}, {"Nope": 1}, {"Array": 5}, None])
def test_what_is_no_value_has_no_hash(value):
    with pytest.raises(MalformedValue):
        value_hash(value)
