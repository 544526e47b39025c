"""Candid from anybody: what is well formed is read whatever comes with it, what is not is refused in words, and nothing ever crashes."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest

from canisters.compiler.local import LocalModel, Trapped, array_of
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
            "name : text is expected",
        ),
        (
            f"record {{ inputs : vec {TENSOR.replace('vec nat64', 'vec nat')} }}",
            {"inputs": [{"name": "", "dtype": "", "shape": [1], "data": b""}]},
            "shape : vec nat64 is expected",
        ),
        (
            f"record {{ inputs : vec {TENSOR.replace('blob', 'text')} }}",
            {"inputs": [{"name": "", "dtype": "", "shape": [], "data": ""}]},
            "data : blob is expected",
        ),
        (
            "record { inputs : vec record { name : text; dtype : text; shape : vec nat64 } }",
            {"inputs": [{"name": "", "dtype": "", "shape": []}]},
            "data : blob is expected",
        ),
    ],
)
def test_another_type_than_asked_for_is_refused(model: LocalModel, text: str, value: Any, reason: str) -> None:
    with pytest.raises(Trapped, match=f"the argument is not what this method takes: {reason}"):
        answer(model, as_type(text, value))


def test_an_empty_list_of_nothing_is_an_empty_list(model: LocalModel) -> None:
    assert "not nothing" in answer(model, as_type("record { inputs : vec empty }", {"inputs": []}))["Err"]


def message(table: list[bytes], arguments: list[int], values: bytes) -> bytes:
    kinds = b"".join(encode_signed(kind) for kind in arguments)
    return b"DIDL" + encode_unsigned(len(table)) + b"".join(table) + encode_unsigned(len(arguments)) + kinds + values


INPUTS = encode_unsigned(label_id("inputs"))
RECORD, VEC, OPT, VARIANT, FUNC, SERVICE = (encode_signed(code) for code in (-20, -19, -18, -21, -22, -23))
BROKEN = "it is no well-formed Candid"
TOO_MUCH = "it holds too much, or nests it too deeply"
HOSTILE = {
    "nothing at all": (b"", BROKEN),
    "other letters": (b"DIDX\0\0", BROKEN),
    "only the magic": (b"DIDL", BROKEN),
    "no argument": (b"DIDL\0\0", BROKEN),
    "a thousand arguments": (b"DIDL\0" + encode_unsigned(1000) + b"\x7e" * 1000, "a record is expected"),
    "a table without end": (b"DIDL" + encode_unsigned(2**60), BROKEN),
    "a table of 257 types": (message([VEC + b"\x7e"] * 257, [0], b"\0"), BROKEN),
    "a number of eleven bytes": (b"DIDL" + b"\xff" * 10 + b"\x01", BROKEN),
    "a number just above 64 bits": (b"DIDL" + b"\xff" * 9 + b"\x02", BROKEN),
    "an unknown type": (message([encode_signed(-30)], [0], b""), BROKEN),
    "a type beyond the table": (message([VEC + encode_signed(5)], [0], b""), BROKEN),
    "a reference as an argument beyond the table": (message([], [3], b""), BROKEN),
    "fields out of order": (message([RECORD + b"\x02\x05\x7e\x04\x7e"], [0], b"\0\0"), BROKEN),
    "a field twice": (message([RECORD + b"\x02\x05\x7e\x05\x7e"], [0], b"\0\0"), BROKEN),
    "a field number above 32 bits": (message([RECORD + b"\x01" + encode_unsigned(2**32) + b"\x7e"], [0], b"\0"), BROKEN),
    "a record of itself": (message([RECORD + b"\x01\x00\x00"], [0], b""), TOO_MUCH),
    "options of options": (message([RECORD + b"\x01\x00\x01", OPT + b"\x01"], [0], b"\x01" * 10_000), TOO_MUCH),
    "2^60 nulls": (message([RECORD + b"\x01\x00\x01", VEC + b"\x7f"], [0], encode_unsigned(2**60)), TOO_MUCH),
    "2^60 empty records": (message([RECORD + b"\x01\x00\x01", VEC + b"\x02", RECORD + b"\x00"], [0], encode_unsigned(2**60)), TOO_MUCH),
    "2^63 numbers of 8 bytes": (message([RECORD + b"\x01\x00\x01", VEC + b"\x78"], [0], encode_unsigned(2**63)), BROKEN),
    "a text longer than the message": (message([RECORD + b"\x01\x00\x71"], [0], encode_unsigned(2**32 + 3)), BROKEN),
    "a number without end": (message([RECORD + b"\x01\x00\x7d"], [0], b"\x80" * 3000), BROKEN),
    "a tag that is not there": (message([RECORD + b"\x01\x00\x01", VARIANT + b"\x01\x00\x7f"], [0], b"\x01"), BROKEN),
    "an option of 2": (message([RECORD + b"\x01\x00\x01", OPT + b"\x7e"], [0], b"\x02"), BROKEN),
    "a value of the empty type": (message([RECORD + b"\x01\x00\x6f"], [0], b""), BROKEN),
    "an opaque principal": (message([RECORD + b"\x01\x00\x68"], [0], b"\x00"), BROKEN),
    "bytes behind the end": (message([RECORD + b"\x01" + INPUTS + b"\x01", VEC + b"\x02", RECORD + b"\x00"], [0], b"\x00\x00"), BROKEN),
    "more inputs than bytes": (message([RECORD + b"\x01" + INPUTS + b"\x01", VEC + b"\x02", RECORD + b"\x01\x00\x7d"], [0], encode_unsigned(2**31)), BROKEN),
    "inputs of a type that is no list": (message([RECORD + b"\x01" + INPUTS + b"\x00"], [0], b""), "inputs : vec record is expected"),
    "a function with types beyond the table": (message([FUNC + b"\x01\x09\x00\x00"], [0], b""), BROKEN),
    "a service with a method without end": (message([SERVICE + b"\x01" + encode_unsigned(900)], [0], b""), BROKEN),
}  # fmt: skip


@pytest.mark.parametrize("method", ["infer", "infer_batch", "infer_blob", "weights_upload"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_ends_in_words(model: LocalModel, name: str, method: str) -> None:
    argument, reason = HOSTILE[name]
    if method != "infer_blob":
        reason = f"{reason}|is expected|{TOO_MUCH}"

    with pytest.raises(Trapped, match=f"the argument is not what this method takes: .*({reason})"):
        model.canister.call(f"canister_update {method}", argument)

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


def answer_or_trap(model: LocalModel, argument: bytes) -> Any:
    try:
        return answer(model, argument)
    except Trapped as trapped:
        return {"Trapped": str(trapped)}


def test_no_mutation_of_a_good_message_crashes_anything(
    model: LocalModel, small: SmallModel, features: np.ndarray
) -> None:
    source, whole = random.Random(7), good(model, features)
    health = model.call("health")
    kinds = set[str]()

    for _ in range(FUZZED):
        found = answer_or_trap(model, mutated(source, whole))
        assert "Trapped" not in found or "the argument is not what this method takes" in found["Trapped"]
        kinds |= set(found)
        assert len(str(found.get("Err", ""))) <= 1024

    assert kinds == {"Ok", "Err", "Trapped"}
    assert {**model.call("health"), "memory_bytes": 0} == {**health, "memory_bytes": 0}
    assert np.allclose(model.run({"features": features})["probabilities"], small.expected(features), atol=1e-6)


def test_no_random_bytes_crash_any_method(model: LocalModel) -> None:
    source = random.Random(8)

    for _ in range(FUZZED // 4):
        data = b"DIDL" + source.randbytes(source.randrange(60))
        for method in ("infer", "infer_batch", "infer_blob", "weights_upload"):
            with pytest.raises(Trapped, match="the argument is not what this method takes"):
                model.canister.call(f"canister_update {method}", data)
