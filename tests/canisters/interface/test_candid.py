"""Candid: values come back as they were sent, readers may know less or more than writers, and hostile bytes end in one error."""

from __future__ import annotations

import math
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.interface.candid import CandidError, decode, encode, parse_did
from canisters.interface.candid.did import DidError
from canisters.interface.candid.types import Func, Opt, Prim, Record, ServiceType, Type, Variant, Vec, fields_of
from canisters.interface.principal import Principal

WIDTHS = {f"nat{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)}
WIDTHS |= {f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)}
NAMES = ["id", "name", "owner", "ok", "err", "amount"]


def single(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def values_of(type_: Type) -> st.SearchStrategy[Any]:
    match type_:
        case Prim("null" | "reserved"):
            return st.none()
        case Prim("bool"):
            return st.booleans()
        case Prim("nat"):
            return st.integers(0, 1 << 100)
        case Prim("int"):
            return st.integers(-(1 << 100), 1 << 100)
        case Prim("text"):
            return st.text(max_size=12)
        case Prim("principal"):
            return st.binary(max_size=29).map(Principal)
        case Prim("float64"):
            return st.floats(allow_nan=False)
        case Prim("float32"):
            return st.floats(allow_nan=False, width=32)
        case Prim(name):
            return st.integers(*WIDTHS[name])
        case Opt(of):
            return st.none() | values_of(of)
        case Vec(Prim("nat8")):
            return st.binary(max_size=12)
        case Vec(of):
            return st.lists(values_of(of), max_size=4)
        case Record(fields):
            return st.fixed_dictionaries({field.key: values_of(field.type) for field in fields})
        case Variant(fields):
            return st.one_of([values_of(field.type).map(lambda value, key=field.key: {key: value}) for field in fields])
        case Func():
            return st.tuples(st.binary(max_size=29).map(Principal), st.text(max_size=8))
        case _:
            return st.binary(max_size=29).map(Principal)


PRIMITIVES = [Prim(name) for name in ("bool", "nat", "int", "text", "principal", "float32", "float64", *WIDTHS)]


def composed(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    named = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=4).map(fields_of)
    options = inner.filter(lambda type_: not isinstance(type_, Opt) and type_ != Prim("null")).map(Opt)
    return st.one_of(options, inner.map(Vec), named.map(Record), named.map(Variant))


TYPES = st.recursive(
    st.sampled_from([*PRIMITIVES, Func((Prim("nat"),), (), ("query",)), ServiceType(())]), composed, max_leaves=8
)
TYPED = TYPES.flatmap(lambda type_: st.tuples(st.just(type_), values_of(type_)))


@settings(deadline=None, max_examples=50)
@given(st.lists(TYPED, max_size=3))
def test_values_come_back_as_they_were_sent(arguments):
    signature, values = [type_ for type_, _ in arguments], [value for _, value in arguments]

    assert decode(encode(signature, values), signature) == values


@settings(deadline=None, max_examples=50)
@given(TYPED)
def test_a_reader_that_expects_fewer_arguments_skips_the_rest(typed):
    type_, value = typed

    assert decode(encode([Prim("nat"), type_], [7, value]), [Prim("nat")]) == [7]


@settings(deadline=None, max_examples=50)
@given(TYPED)
def test_a_message_can_be_read_without_knowing_its_types(typed):
    type_, value = typed

    assert len(decode(encode([type_], [value]))) == 1


@pytest.mark.parametrize(
    ("type_", "value", "data"),
    [
        (Prim("nat"), 42, "4449444c00017d2a"),
        (Prim("text"), "Motoko", "4449444c00017106" + b"Motoko".hex()),
        (Prim("int"), -42, "4449444c00017c56"),
        (Prim("bool"), True, "4449444c00017e01"),
        (Opt(Prim("nat")), 5, "4449444c016e7d01000105"),
        (Vec(Prim("nat8")), b"ab", "4449444c016d7b0100026162"),
        (Record(fields_of({"id": Prim("nat")})), {"id": 1}, "4449444c016c01dbb7017d010001"),
        (Variant(fields_of({"ok": Prim("null")})), {"ok": None}, "4449444c016b019cc2017f010000"),
        (Prim("principal"), Principal.anonymous(), "4449444c000168010104"),
    ],
)
def test_known_messages(type_, value, data):
    assert encode([type_], [value]).hex() == data
    assert decode(bytes.fromhex(data), [type_]) == [value]


def record(**fields: Type) -> Record:
    return Record(fields_of(fields))


def variant(**fields: Type) -> Variant:
    return Variant(fields_of(fields))


NAT, TEXT, INT = Prim("nat"), Prim("text"), Prim("int")


@pytest.mark.parametrize(
    ("sent", "value", "expected", "got"),
    [
        (record(id=NAT, name=TEXT), {"id": 1, "name": "x"}, record(id=NAT), {"id": 1}),
        (record(id=NAT), {"id": 1}, record(id=NAT, name=Opt(TEXT)), {"id": 1, "name": None}),
        (NAT, 5, INT, 5),
        (NAT, 5, Opt(NAT), 5),
        (TEXT, "x", Opt(NAT), None),
        (Opt(TEXT), "x", Opt(NAT), None),
        (variant(ok=NAT), {"ok": 1}, variant(ok=NAT, err=TEXT), {"ok": 1}),
        (Opt(variant(ok=NAT, err=TEXT)), {"err": "x"}, Opt(variant(ok=NAT)), None),
        (TEXT, "x", Prim("reserved"), None),
        (Vec(record(id=NAT, name=TEXT)), [{"id": 1, "name": "a"}], Vec(record(id=INT)), [{"id": 1}]),
    ],
)
def test_readers_and_writers_may_have_different_versions(sent, value, expected, got):
    assert decode(encode([sent], [value]), [expected]) == [got]


@pytest.mark.parametrize(
    ("sent", "value", "expected"),
    [
        (TEXT, "x", NAT),
        (INT, 5, NAT),
        (record(id=NAT), {"id": 1}, record(id=NAT, name=TEXT)),
        (variant(ok=NAT, err=TEXT), {"err": "x"}, variant(ok=NAT)),
        (Vec(NAT), [1], NAT),
        (Prim("nat8"), 1, Prim("nat16")),
    ],
)
def test_what_does_not_fit_is_refused(sent, value, expected):
    with pytest.raises(CandidError):
        decode(encode([sent], [value]), [expected])


@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        (NAT, -1, "negative"),
        (NAT, True, "expected nat"),
        (Prim("nat8"), 256, "does not fit in nat8"),
        (TEXT, b"x", "expected text"),
        (record(id=NAT), {}, "the field id is missing"),
        (record(id=NAT), {"id": 1, "extra": 2}, "no field extra"),
        (variant(ok=NAT), {"no": 1}, "no tag no"),
        (Vec(record(id=NAT)), [{"id": 1}, {"id": "x"}], r"\[1\]\.id"),
        (Prim("principal"), "not one", "not a principal"),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused_naming_the_place(type_, value, words):
    with pytest.raises(CandidError, match=words):
        encode([type_], [value])


@settings(deadline=None, max_examples=120)
@given(data=st.binary(max_size=80), type_=TYPES)
def test_no_bytes_raise_anything_but_the_one_error(data, type_):
    for message in (data, b"DIDL" + data):
        for expected in (None, [type_]):
            try:
                decode(message, expected)
            except CandidError:
                pass


@settings(deadline=None, max_examples=50)
@given(typed=TYPED, at=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_bent_message_is_read_or_refused(typed, at, byte):
    type_, value = typed
    data = bytearray(encode([type_], [value]))
    data[at % len(data)] = byte

    try:
        decode(bytes(data), [type_])
    except CandidError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"DIDL\x01\x6d\x7f\x01\x00\xff\xff\xff\xff\x0f",  # four thousand million nulls in a vector
        b"DIDL\x02\x6d\x01\x6c\x00\x01\x00\xff\xff\xff\xff\x0f",  # as many empty records
        b"DIDL\x01\x6c\x01\x00\x00\x01\x00",  # a record that holds itself
        b"DIDL\x01\x6e\x00\x01\x00" + b"\x01" * 100_000,  # options without end
        b"DIDL\xff\xff\xff\xff\x0f",  # a table of four thousand million types
        b"DIDL\x00\xff\xff\xff\xff\x0f",  # as many arguments
    ],
)
def test_a_small_message_cannot_ask_for_a_lot(data):
    began = time.monotonic()

    with pytest.raises(CandidError):
        decode(data, [Prim("reserved")])

    assert time.monotonic() - began < 2


def test_floats_keep_their_bits():
    for value in (0.0, -0.0, math.inf, -math.inf, 1e-320, math.pi):
        (back,) = decode(encode([Prim("float64")], [value]), [Prim("float64")])
        assert struct.pack("<d", back) == struct.pack("<d", value)


def test_the_committed_interfaces_are_read(repository: Path):
    for file in sorted((repository / "canisters/candid").glob("*.did")):
        service = parse_did(file.read_text())
        assert service.methods, file.name


def test_an_interface_is_read_with_names_comments_and_recursion():
    service = parse_did(
        """// a comment
        type List = opt record { head : nat; tail : List }; /* another */
        service : (record { owner : principal }) -> {
          "strange name" : (first : List, second : text) -> (nat, opt bool) query;
          one_way : (blob) -> () oneway;
          both : (vec nat8) -> (func (nat) -> (text) query)
        }"""
    )

    method = service.methods["strange name"]
    assert method.is_query
    assert len(method.arguments) == len(method.results) == 2
    value = {"head": 1, "tail": {"head": 2, "tail": None}}
    assert decode(encode(method.arguments, [value, "x"]), method.arguments) == [value, "x"]
    assert service.methods["one_way"].modes == ("oneway",)
    assert [len(service.init), len(service.types)] == [1, 1]


@pytest.mark.parametrize(
    "text", ["service : {", "service : { f : (nope) -> () }", "type = nat;", "service : { f : nat }", "#"]
)
def test_a_text_that_is_no_interface_is_refused(text):
    with pytest.raises(DidError):
        parse_did(text)
