"""Candid from anybody: what is well formed is read whatever comes with it, what is not is refused in words, and nothing ever crashes."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest

from canisters.compiler.local import LocalModel, Rejected, array_of
from canisters.interface.candid import Service, decode, encode, parse_did
from canisters.interface.candid.types import label_id
from canisters.interface.leb128 import encode_signed, encode_unsigned
from canisters.interface.principal import Principal

from .conftest import SmallModel

FUZZED = 1600


@pytest.fixture(scope="module")
def model(small: SmallModel) -> LocalModel:
    return LocalModel(small.compiled.wasm, small.compiled.weight_chunks)


def answer(model: LocalModel, argument: bytes) -> Any:
    return decode(
        model.canister.call("canister_update infer_blob", argument), model.service.methods["infer_blob"].results
    )[0]


def good(model: LocalModel, features: np.ndarray) -> bytes:
    from canisters.compiler.local import tensor_blob

    return encode(model.service.methods["infer_blob"].arguments, ({"inputs": [tensor_blob("features", features)]},))


def as_type(text: str, value: Any) -> bytes:
    """One argument of a type given in Candid's own words."""
    service: Service = parse_did(f"service : {{ f : ({text}) -> () }}")
    return encode(service.methods["f"].arguments, (value,))


TENSOR = "record { name : text; dtype : text; shape : vec nat64; data : blob }"


def test_fields_that_nobody_asked_for_are_skipped(model: LocalModel, small: SmallModel, features: np.ndarray) -> None:
    extra = (
        "note : opt text; tags : vec variant { A; B : nat }; owner : principal; big : nat; neg : int; f : func () -> (); s : service {};"
        " pair : record { float64; bool }; many : vec record { nat16; int8; int16; int32; int64; nat32; float32 }; none : opt null; r : reserved"
    )
    text = f"record {{ inputs : vec record {{ name : text; dtype : text; shape : vec nat64; data : blob; {extra} }}; {extra} }}"
    who = Principal(b"\x01\x02")
    values = {
        "note": "hello", "tags": [{"A": None}, {"B": 2**100}], "owner": who, "big": 2**200, "neg": -(2**99), "f": (who, "m"), "s": who,
        "pair": (1.5, True), "many": [(1, -1, -2, -3, -4, 5, 6.5)] * 3, "none": None, "r": None,
    }  # fmt: skip
    blob = {"name": "features", "dtype": "float32", "shape": [1, 6], "data": features.tobytes()}

    found = answer(model, as_type(text, {"inputs": [{**blob, **values}], **values}))

    assert np.allclose(array_of(found["Ok"]["outputs"][0]), small.expected(features), atol=1e-6)


def test_further_arguments_are_skipped(model: LocalModel, features: np.ndarray) -> None:
    service = parse_did(f"service : {{ f : (record {{ inputs : vec {TENSOR} }}, text, opt nat) -> () }}")
    blob = {"name": "features", "dtype": "float32", "shape": [1, 6], "data": features.tobytes()}

    found = answer(model, encode(service.methods["f"].arguments, ({"inputs": [blob]}, "more", 5)))

    assert "Ok" in found


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("nat", 5, "a record is expected"),
        ("vec nat8", b"", "a record is expected"),
        ("record {}", {}, "inputs : vec record is expected"),
        ("record { inputs : opt vec record {} }", {"inputs": []}, "inputs : vec record is expected"),
        ("record { inputs : vec nat }", {"inputs": [1]}, "inputs : vec record is expected"),
        ("record { inputs : text }", {"inputs": "x"}, "inputs : vec record is expected"),
        (
            f"record {{ inputs : vec {TENSOR.replace('name : text', 'name : nat')} }}",
            {"inputs": [{"name": 1, "dtype": "", "shape": [], "data": b""}]},
            "name : text is expected in each input",
        ),
        (
            f"record {{ inputs : vec {TENSOR.replace('vec nat64', 'vec nat')} }}",
            {"inputs": [{"name": "", "dtype": "", "shape": [1], "data": b""}]},
            "shape : vec nat64 is expected in each input",
        ),
        (
            f"record {{ inputs : vec {TENSOR.replace('blob', 'text')} }}",
            {"inputs": [{"name": "", "dtype": "", "shape": [], "data": ""}]},
            "data : blob is expected in each input",
        ),
        (
            "record { inputs : vec record { name : text; dtype : text; shape : vec nat64 } }",
            {"inputs": [{"name": "", "dtype": "", "shape": []}]},
            "data : blob is expected in each input",
        ),
    ],
)
def test_another_type_than_asked_for_is_refused(model: LocalModel, text: str, value: Any, reason: str) -> None:
    assert answer(model, as_type(text, value)) == {"Err": f"the argument is not what this method takes: {reason}"}


def test_an_empty_list_of_nothing_is_an_empty_list(model: LocalModel) -> None:
    assert "an input is missing" in answer(model, as_type("record { inputs : vec empty }", {"inputs": []}))["Err"]


def message(table: list[bytes], arguments: list[int], values: bytes) -> bytes:
    kinds = b"".join(encode_signed(kind) for kind in arguments)
    return b"DIDL" + encode_unsigned(len(table)) + b"".join(table) + encode_unsigned(len(arguments)) + kinds + values


INPUTS = encode_unsigned(label_id("inputs"))
RECORD, VEC, OPT, VARIANT, FUNC, SERVICE = (encode_signed(code) for code in (-20, -19, -18, -21, -22, -23))
HOSTILE = {
    "nothing at all": (b"", "it does not begin with DIDL"),
    "other letters": (b"DIDX\0\0", "it does not begin with DIDL"),
    "only the magic": (b"DIDL", "it ends too early"),
    "no argument": (b"DIDL\0\0", "one argument is expected"),
    "a thousand arguments": (b"DIDL\0" + encode_unsigned(1000) + b"\x7e" * 1000, "one argument is expected"),
    "a table without end": (b"DIDL" + encode_unsigned(2**60), "it has more than 256 types"),
    "a table of 257 types": (message([VEC + b"\x7e"] * 257, [0], b"\0"), "it has more than 256 types"),
    "a number of eleven bytes": (b"DIDL" + b"\xff" * 10 + b"\x01", "a number in it is too large"),
    "a number just above 64 bits": (b"DIDL" + b"\xff" * 9 + b"\x02", "a number in it is too large"),
    "an unknown type": (message([encode_signed(-30)], [0], b""), "a type in it is not known"),
    "a type beyond the table": (message([VEC + encode_signed(5)], [0], b""), "a type in it is not known"),
    "a reference as an argument beyond the table": (message([], [3], b""), "a type in it is not known"),
    "fields out of order": (message([RECORD + b"\x02\x05\x7e\x04\x7e"], [0], b"\0\0"), "the fields of a record in it are not in order"),
    "a field twice": (message([RECORD + b"\x02\x05\x7e\x05\x7e"], [0], b"\0\0"), "the fields of a record in it are not in order"),
    "a field number above 32 bits": (message([RECORD + b"\x01" + encode_unsigned(2**32) + b"\x7e"], [0], b"\0"), "the fields of a record in it are not in order"),
    "a record of itself": (message([RECORD + b"\x01\x00\x00"], [0], b""), "it is nested too deeply"),
    "options of options": (message([RECORD + b"\x01\x00\x01", OPT + b"\x01"], [0], b"\x01" * 10_000), "it is nested too deeply"),
    "2^60 nulls": (message([RECORD + b"\x01\x00\x01", VEC + b"\x7f"], [0], encode_unsigned(2**60)), "it holds too many values"),
    "2^60 empty records": (message([RECORD + b"\x01\x00\x01", VEC + b"\x02", RECORD + b"\x00"], [0], encode_unsigned(2**60)), "it holds too many values"),
    "2^63 numbers of 8 bytes": (message([RECORD + b"\x01\x00\x01", VEC + b"\x78"], [0], encode_unsigned(2**63)), "a length in it is larger than the message"),
    "a text longer than the message": (message([RECORD + b"\x01\x00\x71"], [0], encode_unsigned(2**32 + 3)), "a length in it is larger than the message"),
    "a number without end": (message([RECORD + b"\x01\x00\x7d"], [0], b"\x80" * 3000), "it ends too early"),
    "a tag that is not there": (message([RECORD + b"\x01\x00\x01", VARIANT + b"\x01\x00\x7f"], [0], b"\x01"), "a variant in it has no such tag"),
    "an option of 2": (message([RECORD + b"\x01\x00\x01", OPT + b"\x7e"], [0], b"\x02"), "an option in it is neither there nor not"),
    "a value of the empty type": (message([RECORD + b"\x01\x00\x6f"], [0], b""), "a value in it has the empty type"),
    "an opaque principal": (message([RECORD + b"\x01\x00\x68"], [0], b"\x00"), "a reference in it is opaque"),
    "bytes behind the end": (message([RECORD + b"\x01" + INPUTS + b"\x01", VEC + b"\x02", RECORD + b"\x00"], [0], b"\x00\x00"), "there are bytes behind its last value"),
    "more inputs than bytes": (message([RECORD + b"\x01" + INPUTS + b"\x01", VEC + b"\x02", RECORD + b"\x01\x00\x7d"], [0], encode_unsigned(2**31)), "a length in it is larger than the message"),
    "inputs of a type that is no list": (message([RECORD + b"\x01" + INPUTS + b"\x00"], [0], b""), "inputs : vec record is expected"),
    "a function with types beyond the table": (message([FUNC + b"\x01\x09\x00\x00"], [0], b""), "a type in it is not known"),
    "a service with a method without end": (message([SERVICE + b"\x01" + encode_unsigned(900)], [0], b""), "a length in it is larger than the message"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_is_refused_in_words(model: LocalModel, name: str) -> None:
    argument, reason = HOSTILE[name]

    assert answer(model, argument) == {"Err": f"the argument is not what this method takes: {reason}"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_upload_is_rejected_in_words(model: LocalModel, name: str) -> None:
    with pytest.raises(Rejected, match="the argument is not what this method takes"):
        model.canister.call("canister_update weights_upload", HOSTILE[name][0])


def test_a_hostile_message_costs_little(model: LocalModel) -> None:
    for argument, _ in HOSTILE.values():
        answer(model, argument)

        assert model.canister.used() < 100_000_000


def mutated(source: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(changed)) if changed else 0
        match source.randrange(5):
            case 0 if changed:
                changed[at] = source.randrange(256)
            case 1 if changed:
                changed[at] ^= 1 << source.randrange(8)
            case 2:
                del changed[at : at + source.randint(1, 8)]
            case 3:
                changed[at:at] = source.randbytes(source.randint(1, 4))
            case _:
                changed[at:at] = struct.pack("<Q", source.choice([2**64 - 1, 2**63, 2**32, 0xFFFFFFFF]))
    return bytes(changed)


def test_no_mutation_of_a_good_message_crashes_anything(
    model: LocalModel, small: SmallModel, features: np.ndarray
) -> None:
    source, whole = random.Random(7), good(model, features)
    health = model.call("health")
    kinds = set[str]()

    for _ in range(FUZZED):
        found = answer(model, mutated(source, whole))
        kinds |= set(found)
        assert len(str(found.get("Err", ""))) <= 1024

    assert kinds == {"Ok", "Err"}
    assert {**model.call("health"), "memory_bytes": 0} == {**health, "memory_bytes": 0}
    assert np.allclose(model.run({"features": features})["probabilities"], small.expected(features), atol=1e-6)


def test_no_random_bytes_crash_any_method(model: LocalModel) -> None:
    source = random.Random(8)

    for _ in range(FUZZED // 4):
        data = b"DIDL" + source.randbytes(source.randrange(60))
        assert "Err" in answer(model, data)
        with pytest.raises(Rejected):
            model.canister.call("canister_update weights_upload", data)
