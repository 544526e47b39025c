"""The JSON door: plain HTTP as a gateway sends it, numbers exact both ways, malformed bodies told apart, and shut until its controller opens it."""

from __future__ import annotations

import json
import random
import struct
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
from onnx import helper

from canisters.client import CallRejected, ChainAgent, RequestRefused
from canisters.client.management import Management
from canisters.client.typed.inference import Inference
from canisters.compiler import CannotCompile, compile_model
from canisters.compiler.kinds import HTTP
from canisters.compiler.local import LocalCanister, LocalModel, Rejected, Trapped
from canisters.interface.candid import encode
from tests.canisters.compiler.cases import make_model

from .conftest import RELEASE_HASH, SmallModel, small_onnx

pytestmark = pytest.mark.slow

ANONYMOUS = b"\x04"
SHUT = "this model does not answer over HTTP"


@pytest.fixture(scope="module")
def small_http() -> SmallModel:
    data = small_onnx()
    return SmallModel(data, compile_model(data, http=True))


def opened(compiled: Any) -> LocalModel:
    model = LocalModel(compiled.wasm, compiled.weight_chunks)
    model.service = HTTP.service
    assert model.call("open_http", {"is_open": True}) == {}
    return model


@pytest.fixture
def model(small_http: SmallModel) -> LocalModel:
    return opened(small_http.compiled)


def request(method: str, url: str, body: bytes = b"") -> dict[str, Any]:
    headers = [("content-type", "application/json"), ("x", "y" * 50)]
    return {"method": method, "url": url, "headers": headers, "body": body, "certificate_version": 2}


def sent(model: LocalModel, body: bytes | str, url: str = "/infer") -> tuple[int, Any]:
    data = body.encode() if isinstance(body, str) else body
    found = model.call("http_request_update", request("POST", url, data))
    assert dict(found["headers"])["content-type"] == "application/json"
    return found["status_code"], json.loads(bytes(found["body"]))


def test_anybody_reads_what_the_model_takes(model: LocalModel) -> None:
    found = model.call("http_request", request("GET", "/?x=1"))

    told = json.loads(bytes(found["body"]))
    assert found["status_code"] == 200
    assert told["inputs"] == [{"name": "features", "dtype": "float32", "shape": [1, 6]}]
    assert told["outputs"] == [{"name": "probabilities", "dtype": "float32", "shape": [1, 3]}]
    assert '{"inputs": {"features": [[0, 0, 0, 0, 0, 0]]}}' in told["example"]
    assert found["upgrade"] is None


def test_a_post_is_passed_on_as_an_update_and_answered(model: LocalModel, small_http: SmallModel) -> None:
    features = np.array([[1.5, -2, 0.1, 1e-3, 3, 0]], np.float32)
    body = json.dumps({"inputs": {"features": features.tolist()}}).encode()

    asked = model.call("http_request", request("POST", "/infer", body))
    status, answer = sent(model, body)

    assert (asked["upgrade"], bytes(asked["body"])) == (True, b"")
    assert status == 200
    assert np.array(answer["outputs"]["probabilities"]).shape == (1, 3)
    assert np.allclose(answer["outputs"]["probabilities"], small_http.expected(features), atol=1e-6)
    assert answer["release_hash"] == bytes(32).hex()
    assert answer["instructions"] > 0


def test_flat_and_nested_lists_say_the_same(model: LocalModel) -> None:
    flat = sent(model, '{"inputs":{"features":[1,2,3,4,5,6]}}')
    nested = sent(model, ' { "inputs" :\n{ "features" : [ [1, 2.0, 30e-1, 0.4E+1, 5, 6] ] } } ')

    assert flat[1]["outputs"] == nested[1]["outputs"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "an object is expected"),
        ("[]", "an object is expected"),
        ("{}", "a name in quotes"),
        ('{"inputs": {}}', "input 'features': float32 [1, 6], 24 bytes is expected, not nothing"),
        ('{"inputs": []}', "inputs is an object"),
        ('{"input": {}}', "another name is not known"),
        ('{"inputs": {"features": [1,2,3,4,5,6]}, "more": 1}', "one member"),
        ('{"inputs": {"features": [1,2,3,4,5,6]}} x', "more behind"),
        ('{"inputs": {"features": [1,2,3,4,5,6]', "the end of inputs"),
        ('{"inputs": {"features": [1,2,3,4,5', "a comma or the end of a list"),
        ('{"inputs": {"features": [1,2,3,4,5,6,]}}', "neither one flat list"),
        ('{"inputs": {"features": [1,2,3,4,5]}}', "neither one flat list nor lists in its shape"),
        ('{"inputs": {"features": [1,2,3,4,5,6,7]}}', "neither one flat list"),
        ('{"inputs": {"features": [[1,2,3],[4,5,6]]}}', "neither one flat list nor lists in its shape"),
        ('{"inputs": {"features": [[1,2,3],[4,5]]}}', "different lengths"),
        ('{"inputs": {"features": [[1,2],3,4,5,6]}}', "neither one flat list"),
        ('{"inputs": {"features": 1}}', "neither one flat list"),
        ('{"inputs": {"features": [1,2,3,4,5,"6"]}}', "a number is expected"),
        ('{"inputs": {"features": [1,2,3,4,5,NaN]}}', "a number is expected"),
        ('{"inputs": {"features": [1,2,3,4,5,null]}}', "a number is expected"),
        ('{"inputs": {"features": [1,2,3,4,5,01]}}', "begin with 0"),
        ('{"inputs": {"features": [1,2,3,4,5,1.]}}', "a number is expected"),
        ('{"inputs": {"features": [1,2,3,4,5,+1]}}', "a number is expected"),
        ('{"inputs": {"features": [1,2,3,4,5,- 1]}}', "a number is expected"),
        ('{"inputs": {"features": [1,2,3,4,5,1 .5]}}', "a comma or the end of a list"),
        ('{"inputs": {"features": [1,2,3,4,5,1e]}}', "a number is expected"),
        ('{"inputs": {"features": [1,2,3,4,5,' + "1" * 65 + "]}}", "more than 64 digits"),
        ('{"inputs": {"features": ' + "[" * 100_000 + "]}}", "nested too deeply"),
        ('{"inputs": {"\\u0066eatures": []}}', "without escapes"),
        ('{"inputs": {"features', "a name has no end"),
        ('{"inputs": {"image": [1]}}', "input 'image': 'features' is expected, not this name"),
        ('{"inputs": {"a\\"b": [1]}}', "without escapes"),
        ('{"inputs": {"features": [1,2,3,4,5,6], "features": [1,2,3,4,5,6]}}', "not a second time"),
    ],
)
def test_a_body_that_cannot_be_read_is_answered_with_400_and_the_reason(
    model: LocalModel, body: str, said: str
) -> None:
    status, answer = sent(model, body)

    assert status == 400
    assert said in answer["error"]


def test_no_mutation_of_a_good_body_crashes_anything(model: LocalModel) -> None:
    source, whole = random.Random(3), b'{"inputs": {"features": [[1, -2.5e3, 3, 0.25, 5, 6]]}}'
    letters = b'{}[]",:0123456789.eE+-\\ truefalsn\x00\xff'

    seen = set()
    for _ in range(400):
        changed = bytearray(whole)
        for _ in range(source.randint(1, 3)):
            at = source.randrange(len(changed))
            changed[at : at + source.randint(0, 2)] = bytes(source.choices(letters, k=source.randint(0, 2)))
        seen.add(sent(model, bytes(changed))[0])

    assert seen == {200, 400}


def test_other_methods_and_paths_are_not_found(model: LocalModel) -> None:
    for method, url in (
        ("GET", "/infer"),
        ("POST", "/"),
        ("PUT", "/infer"),
        ("GET", ""),
        ("GET", "/infers"),
        ("get", "/"),
    ):
        assert model.call("http_request", request(method, url))["status_code"] == 404
    assert sent(model, "{}", url="/")[0] == 404


# --- numbers ---

DTYPES = ["float32", "float64", "int8", "uint8", "int32", "int64", "bool"]


@pytest.fixture(scope="module")
def echo() -> LocalModel:
    """Gives back what it was given, once for each dtype; four elements."""
    inputs = {f"x_{name}": np.zeros(4, name) for name in DTYPES}
    made = [helper.make_node("Reshape", [f"x_{name}", "shape"], [f"y_{name}"]) for name in DTYPES]
    shape = {"shape": np.array([2, 2], np.int64)}
    built = make_model(made, inputs, shape, [f"y_{name}" for name in DTYPES], opset=20)
    return opened(compile_model(built.SerializeToString(), http=True))


def echoed(echo: LocalModel, dtype: str, numbers: list[Any]) -> list[Any]:
    """The words, or numbers, as the model of four elements a dtype gives them back."""
    found = []
    for at in range(0, len(numbers), 4):
        words = [str(word) for word in numbers[at : at + 4]]
        lists = {f"x_{name}": "[0,0,0,0]" for name in DTYPES} | {
            f"x_{dtype}": f"[{', '.join([*words, '0', '0', '0'][:4])}]"
        }
        status, answer = sent(
            echo, '{"inputs": {' + ", ".join(f'"{key}": {text}' for key, text in lists.items()) + "}}"
        )
        assert status == 200, answer
        found += [number for row in answer["outputs"][f"y_{dtype}"] for number in row]
    return found[: len(numbers)]


def test_every_float32_is_read_as_the_nearest_and_written_so_that_it_reads_back(echo: LocalModel) -> None:
    source = random.Random(5)
    bits = [source.randrange(0x7F800000) for _ in range(60)] + [
        0,
        1,
        2,
        0x7FFFFF,
        0x800000,
        0x7F7FFFFF,
        0x3F800000,
        0x3DCCCCCD,
    ]
    exact = [struct.unpack("<f", struct.pack("<I", value))[0] for value in bits]

    # As Python writes the float64, which is the number itself, in full digits.
    found = echoed(echo, "float32", [repr(value) for value in exact])

    assert [np.float32(value) for value in found] == [np.float32(value) for value in exact]


def test_numbers_half_way_between_two_floats_go_to_the_even_one(echo: LocalModel) -> None:
    # 1 + 2^-24 and 1 + 3 * 2^-24, and hardly more than the first; just below half of the least float, and above; half a step above the
    # greatest, which is infinite.
    words = ["1.000000059604644775390625", "1.000000178813934326171875", "1.00000005960464477539062500001",
             "7.006492321624085354618e-46", "7.0064923216240853546186479164495e-46", "7.1e-46", "1e-400", "-0.0",
             "3.4028234663852886e38", "340282356779733661637539395458142568448", "1e400", "123456789012345678901234567890"]  # fmt: skip

    found = echoed(echo, "float32", words)

    expected = [
        1.0,
        1.0 + 2**-22,
        1.0 + 2**-23,
        0.0,
        0.0,
        2**-149,
        0.0,
        0.0,
        3.4028234663852886e38,
        None,
        None,
        123456789012345678901234567890,
    ]
    for word, value, wanted in zip(words, found, expected, strict=True):
        assert (value is None) == (wanted is None), word
        assert wanted is None or np.float32(value) == np.float32(wanted), word


def test_every_float64_is_read_and_written_exactly(echo: LocalModel) -> None:
    source = random.Random(6)
    bits = [source.randrange(0x7FF0000000000000) for _ in range(16)] + [
        1,
        0xFFFFFFFFFFFFF,
        0x10000000000000,
        0x7FEFFFFFFFFFFFFF,
    ]
    exact = [struct.unpack("<d", struct.pack("<Q", value))[0] for value in bits]

    assert echoed(echo, "float64", [repr(-value) for value in exact]) == [-value for value in exact]


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int8", [-128, 127, 0, -1], ["128", "-129", "1.0", "1e1", "true"]),
        ("uint8", [0, 255, 1, 200], ["256", "-1"]),
        ("int32", [-(2**31), 2**31 - 1, 100, 0], [str(2**31), "1" * 64]),
        ("int64", [-(2**63), 2**63 - 1, 10**18, -(10**18)], [str(2**63), str(2**64), str(-(2**63) - 1)]),
    ],
)
def test_integers_are_exact_and_stay_within_their_dtype(
    echo: LocalModel, dtype: str, good: list[int], bad: list[str]
) -> None:
    assert echoed(echo, dtype, good) == good
    for word in bad:
        lists = {f"x_{name}": "[0,0,0,0]" for name in DTYPES} | {f"x_{dtype}": f"[{word},0,0,0]"}
        body = '{"inputs": {' + ", ".join(f'"{key}": {text}' for key, text in lists.items()) + "}}"
        status, answer = sent(echo, body)
        assert status == 400
        assert "integer within its dtype's range" in answer["error"] or "a number is expected" in answer["error"]


def test_bools_are_words_or_digits(echo: LocalModel) -> None:
    assert echoed(echo, "bool", ["true", "false", "1", "0"]) == [True, False, True, False]


def test_an_answer_that_no_reply_holds_ends_the_call_in_words() -> None:
    node = helper.make_node("Expand", ["x", "shape"], ["y"])
    made = make_model([node], {"x": np.zeros(1, np.int64)}, {"shape": np.array([101_000], np.int64)}, ["y"])
    model = opened(compile_model(made.SerializeToString(), http=True))

    assert sent(model, '{"inputs": {"x": 7}}')[1]["outputs"]["y"] == [7] * 101_000
    with pytest.raises(Trapped, match="longer than the 2 MiB that a reply holds: call infer instead"):
        sent(model, '{"inputs": {"x": -9223372036854775808}}')


# --- who may ask ---


def test_the_door_is_shut_until_a_controller_opens_it(small_http: SmallModel) -> None:
    model = LocalModel(small_http.compiled.wasm, small_http.compiled.weight_chunks)
    model.service = HTTP.service
    opening = encode(HTTP.service.methods["open_http"].arguments, ({"is_open": True},))

    assert model.call("http_request", request("GET", "/"))["status_code"] == 403
    assert SHUT in sent(model, '{"inputs": {"features": [1,2,3,4,5,6]}}')[1]["error"]
    with pytest.raises(Rejected, match="only a controller"):
        model.canister.call("canister_update open_http", opening, caller=ANONYMOUS)
    assert not accepts(model, "http_request_update")
    model.call("open_http", {"is_open": True})
    assert accepts(model, "http_request_update")
    assert not accepts(model, "open_http")
    assert not accepts(model, "infer_blob")
    model.call("open_http", {"is_open": False})
    assert model.call("http_request", request("POST", "/infer"))["status_code"] == 403


def accepts(model: LocalModel, method: str) -> bool:
    model.canister.message = type(model.canister.message)(b"", ANONYMOUS, method)
    model.canister.run("canister_inspect_message")
    return model.canister.message.accepted


def test_before_the_weights_are_sealed_the_answer_is_503(small_http: SmallModel) -> None:
    model = opened(small_http.compiled)
    model.canister = LocalCanister(small_http.compiled.wasm)
    model.canister.call("canister_init", encode(HTTP.service.init, ({"release_hash": RELEASE_HASH},)))
    model.call("open_http", {"is_open": True})

    assert sent(model, "{}")[0] == 503


def test_a_module_without_the_door_has_nothing_of_it(small: SmallModel, small_http: SmallModel) -> None:
    assert b"http_request" not in small.compiled.wasm
    assert len(small_http.compiled.wasm) - len(small.compiled.wasm) < 12_000
    assert small.compiled.weight_chunks == small_http.compiled.weight_chunks


def test_a_network_of_several_messages_has_no_such_door() -> None:
    with pytest.raises(CannotCompile, match="one message"):
        compile_model(small_onnx(hidden=120_000), http=True, slice_instructions=10_500_000)


def test_anybody_asks_on_the_network_once_it_is_open_and_an_upgrade_leaves_it_open(
    chain: Any, small_http: SmallModel
) -> None:
    owner: ChainAgent = chain.agent()
    start = encode(HTTP.service.init, ({"release_hash": RELEASE_HASH},))
    canister = Inference(owner, chain.install(owner, small_http.compiled.wasm, start))
    canister.weights_upload({"index": 0, "data": small_http.compiled.weight_chunks[0]})
    canister.seal()
    anybody = canister.as_(chain.agent())
    asked = request("POST", "/infer", b'{"inputs": {"features": [1,2,3,4,5,6]}}')

    with pytest.raises((CallRejected, RequestRefused)):
        anybody.http_request_update(asked)
    with pytest.raises((CallRejected, RequestRefused)):
        anybody.open_http({"is_open": True})
    canister.open_http({"is_open": True})
    Management(owner).install(canister.canister_id, small_http.compiled.wasm, b"", mode="upgrade")

    answer = json.loads(bytes(anybody.http_request_update(asked)["body"]))
    assert anybody.http_request(asked)["upgrade"] is True
    expected = small_http.expected(np.arange(1, 7, dtype=np.float32).reshape(1, 6))
    assert np.allclose(answer["outputs"]["probabilities"], expected, atol=1e-6)
    assert answer["release_hash"] == RELEASE_HASH.hex()


def fetched(url: str, body: bytes | None = None) -> tuple[int, Any]:
    """As curl would: a GET, or a POST of the body."""
    headers = {"content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_plain_http_through_a_gateway_is_answered(chain: Any, small_http: SmallModel) -> None:
    owner: ChainAgent = chain.agent()
    start = encode(HTTP.service.init, ({"release_hash": RELEASE_HASH},))
    canister = Inference(owner, chain.install(owner, small_http.compiled.wasm, start))
    canister.weights_upload({"index": 0, "data": small_http.compiled.weight_chunks[0]})
    canister.seal()
    page, door = (f"{chain.url}/{path}?canisterId={canister.canister_id}" for path in ("", "infer"))
    body = b'{"inputs": {"features": [1, 2, 3, 4, 5, 6]}}'

    shut = fetched(page)
    canister.open_http({"is_open": True})
    told, answered, refused = fetched(page), fetched(door, body), fetched(door, body[:-9])

    assert (shut[0], told[0], answered[0], refused[0]) == (403, 200, 200, 400)
    assert SHUT in shut[1]["error"]
    assert told[1]["inputs"][0]["name"] == "features"
    expected = small_http.expected(np.arange(1, 7, dtype=np.float32).reshape(1, 6))
    assert np.allclose(answered[1]["outputs"]["probabilities"], expected, atol=1e-6)
    assert "a comma or the end of a list" in refused[1]["error"]
