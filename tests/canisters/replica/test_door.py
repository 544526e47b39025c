"""The door, tried by those who should not get in: expired, replayed, altered, out of targets, oversized, malformed. Always 4xx, never 5xx."""

from __future__ import annotations

import copy
import http.client
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.contracts import service
from canisters.client.management import Management
from canisters.interface import cbor, certificate, keys
from canisters.interface.candid import encode
from canisters.interface.principal import Principal
from canisters.interface.request_id import hash_of_map, request_id

SECOND = 10**9
MINUTE = 60 * SECOND
SUBNET_KEY = b"subnet"


@pytest.fixture(scope="module")
def shared(replica: Any, probe: bytes, probe_of: Any) -> Iterator[Any]:
    with ChainAgent(replica.url, replica.root_key, KeyIdentity()) as agent:
        canister_id = Management(agent).create()
        Management(agent).install(canister_id, probe, b"")
        yield probe_of(agent, canister_id)


@pytest.fixture
def canister(shared: Any) -> Any:
    """One canister for all tests here, its counter at zero."""
    shared.update("set", 0)
    return shared


@pytest.fixture
def identity(canister) -> KeyIdentity:
    return canister.agent.identity


def delegation(signer: KeyIdentity, delegate: KeyIdentity, **fields: Any) -> dict[str, Any]:
    inner = {"pubkey": delegate.der_pubkey, "expiration": time.time_ns() + 600 * SECOND, **fields}
    return {"delegation": inner, "signature": signer.sign(keys.IC_DELEGATION + hash_of_map(inner))[1]}


def delegated(wire: Any, content: dict[str, Any], root: KeyIdentity, session: KeyIdentity, chain: list[Any]) -> bytes:
    signature = session.sign(keys.IC_REQUEST + request_id(content))[1]
    return cbor.dumps(
        {"content": content, "sender_pubkey": root.der_pubkey, "sender_sig": signature, "sender_delegation": chain}
    )


# --- expiry and replay ---


@pytest.mark.parametrize("kind", ["call", "query", "read_state"])
@pytest.mark.parametrize("expires_in_ns", [-SECOND, -10 * MINUTE, 7 * MINUTE])
def test_a_signed_request_outside_its_time_is_refused(canister, wire, identity, kind, expires_in_ns):
    fields = (
        {"paths": [[b"time"]]}
        if kind == "read_state"
        else {"canister_id": canister.id.raw, "method_name": "inc", "arg": b""}
    )
    content = wire.content(kind, identity, **{**fields, "ingress_expiry": time.time_ns() + expires_in_ns})

    status, answer = wire.send(kind, canister.id, wire.signed(content, identity))

    assert status == 400
    assert b"Invalid request expiry: " in answer  # the words by which agent-js notices that its clock is off
    assert canister.count() == 0


@pytest.mark.parametrize("expires_in_ns", [-10 * MINUTE, 10 * MINUTE])
def test_anonymous_reads_are_answered_whatever_their_expiry_and_anonymous_calls_are_not(canister, wire, expires_in_ns):
    expiry = time.time_ns() + expires_in_ns
    read = wire.content("read_state", None, paths=[[b"time"]], ingress_expiry=expiry)
    query = wire.content("query", None, canister_id=canister.id.raw, method_name="get", arg=b"", ingress_expiry=expiry)
    call = wire.call(canister.id, None, ingress_expiry=expiry)

    assert wire.send("read_state", canister.id, wire.signed(read, None))[0] == 200
    assert wire.send("query", canister.id, wire.signed(query, None))[0] == 200
    assert wire.send("call", canister.id, wire.signed(call, None))[0] == 400


@pytest.mark.parametrize("version", ["v2", "v3", "v4"])
def test_a_call_sent_again_runs_once_and_is_answered_again(canister, wire, identity, version):
    body = wire.signed(wire.call(canister.id, identity, nonce=b"n" * 32), identity)

    first = wire.send("call", canister.id, body, version)
    again = wire.send("call", canister.id, body, version)

    assert first[0] == again[0] == (202 if version == "v2" else 200)
    canister.update("inc")
    assert canister.count() == 2


def test_calls_with_different_nonces_are_different_calls(canister, wire, identity):
    expiry = time.time_ns() + MINUTE
    for nonce in (b"1", b"2", None):
        content = wire.call(canister.id, identity, nonce=nonce, ingress_expiry=expiry)
        assert wire.send("call", canister.id, wire.signed(content, identity))[0] == 200

    assert canister.count() == 3


# --- signatures ---


@pytest.mark.parametrize("field", ["arg", "method_name", "canister_id", "ingress_expiry", "nonce"])
def test_a_call_that_was_altered_on_its_way_is_refused(canister, make_probe, wire, identity, field):
    other = make_probe()
    content = wire.call(canister.id, identity, nonce=b"nonce")
    envelope = wire.envelope(content, identity)
    altered = {
        "arg": b"x",
        "method_name": "set",
        "canister_id": other.id.raw,
        "ingress_expiry": content["ingress_expiry"] + 1,
        "nonce": b"other",
    }
    envelope["content"] = {**content, field: altered[field]}

    status, answer = wire.send("call", other.id if field == "canister_id" else canister.id, cbor.dumps(envelope))

    assert status == 400
    assert b"Invalid signature" in answer
    assert (canister.count(), other.count()) == (0, 0)


def test_nobody_can_speak_for_another(canister, wire, identity):
    thief = KeyIdentity()
    content = wire.call(canister.id, identity)
    cases = {
        "another's key": wire.envelope(content, thief),
        "another's signature": {
            **wire.envelope(content, identity),
            "sender_sig": thief.sign(keys.IC_REQUEST + request_id(content))[1],
        },
        "no signature": {"content": content, "sender_pubkey": identity.der_pubkey},
        "no key": {"content": content, "sender_sig": identity.sign(keys.IC_REQUEST + request_id(content))[1]},
        "without the domain": {**wire.envelope(content, identity), "sender_sig": identity.sign(request_id(content))[1]},
        "as a canister": wire.envelope({**content, "sender": canister.id.raw}, identity),
        "as management": wire.envelope({**content, "sender": b""}, identity),
        "anonymous, signed": {**wire.envelope({**content, "sender": b"\x04"}, identity)},
        "unsigned": {"content": content},
    }

    for case, envelope in cases.items():
        status, _ = wire.send("call", canister.id, cbor.dumps(envelope))
        assert status == 400, case
    assert canister.count() == 0


# --- delegations ---


def test_a_delegation_acts_for_its_root(canister, wire, identity):
    session = KeyIdentity(kind="secp256k1")
    content = wire.call(canister.id, identity, "caller")

    status, answer = wire.send(
        "call", canister.id, delegated(wire, content, identity, session, [delegation(identity, session)])
    )

    assert status == 200
    assert identity.principal.raw in answer


def bad_chains(
    owner: KeyIdentity, session: KeyIdentity, canister_id: Principal, other: Principal
) -> dict[str, list[Any]]:
    middle, stranger = KeyIdentity(), KeyIdentity()
    altered = delegation(owner, session, targets=[other.raw])
    altered["delegation"]["targets"] = [canister_id.raw]
    widened = delegation(owner, session, targets=[other.raw])
    del widened["delegation"]["targets"]
    return {
        "another's": [delegation(stranger, session)],
        "expired": [delegation(owner, session, expiration=time.time_ns() - 1)],
        "for another session": [delegation(owner, stranger)],
        "other targets": [delegation(owner, session, targets=[other.raw])],
        "no targets": [delegation(owner, session, targets=[])],
        "targets swapped": [altered],
        "targets taken away": [widened],
        "targets of two hops do not meet": [
            delegation(owner, middle, targets=[canister_id.raw]),
            delegation(middle, session, targets=[other.raw]),
        ],
        "the second hop wants more": [delegation(owner, middle, targets=[other.raw]), delegation(middle, session)],
        "the second hop expired": [
            delegation(owner, middle),
            delegation(middle, session, expiration=time.time_ns() - 1),
        ],
        "reading only": [delegation(owner, session, permissions="queries")],
        "unknown permissions": [delegation(owner, session, permissions="everything")],
        "a circle": [delegation(owner, middle), delegation(middle, owner), delegation(owner, session)],
        "too many targets": [delegation(owner, session, targets=[canister_id.raw] * 1001)],
        "no list": [delegation(owner, session, targets=7)],
        "no map": ["delegation"],
    }


CHAINS = list(bad_chains(KeyIdentity(), KeyIdentity(), Principal(b"\x01\x01"), Principal(b"\x02\x01")))


@pytest.mark.parametrize("case", CHAINS)
def test_a_delegation_gives_no_more_than_it_says(canister, make_probe, wire, identity, case):
    session = KeyIdentity()
    chain = bad_chains(identity, session, canister.id, make_probe(canister.agent).id)[case]

    status, _ = wire.send(
        "call", canister.id, delegated(wire, wire.call(canister.id, identity), identity, session, chain)
    )

    assert status == 400
    assert canister.count() == 0


def test_a_chain_of_twenty_delegations_passes_and_one_of_twenty_one_does_not(canister, wire, identity):
    signers = [identity, *(KeyIdentity() for _ in range(21))]
    hops = [delegation(one, other) for one, other in pairwise(signers)]
    content = wire.call(canister.id, identity)

    assert wire.send("call", canister.id, delegated(wire, content, identity, signers[20], hops[:20]))[0] == 200
    assert wire.send("call", canister.id, delegated(wire, content, identity, signers[21], hops))[0] == 400


def test_a_delegation_for_reading_may_query_and_not_call(canister, wire, identity):
    session = KeyIdentity()
    chain = [delegation(identity, session, permissions="queries")]
    query = wire.content("query", identity, canister_id=canister.id.raw, method_name="get", arg=b"")

    assert wire.send("query", canister.id, delegated(wire, query, identity, session, chain))[0] == 200


def test_a_delegation_reads_no_answers_of_canisters_outside_its_targets(canister, make_probe, wire, identity):
    session, other = KeyIdentity(), make_probe(canister.agent)
    call = wire.call(canister.id, identity)
    assert wire.send("call", canister.id, wire.signed(call, identity))[0] == 200
    chain = [delegation(identity, session, targets=[other.id.raw])]
    for paths in ([[b"request_status", request_id(call)]], [[b"canister", canister.id.raw, b"controllers"]]):
        content = wire.content("read_state", identity, paths=paths)

        status, _ = wire.send("read_state", canister.id, delegated(wire, content, identity, session, chain))

        assert status == 403


# --- who may read what ---


def read(wire: Any, identity: KeyIdentity | None, canister_id: Principal, *paths: list[bytes]) -> tuple[int, bytes]:
    content = wire.content("read_state", identity, paths=list(paths))
    return wire.send("read_state", canister_id, wire.signed(content, identity))


def test_an_answer_is_shown_to_who_asked_only(canister, wire, identity):
    call = wire.call(canister.id, identity)
    wire.send("call", canister.id, wire.signed(call, identity))
    path = [b"request_status", request_id(call)]

    assert read(wire, identity, canister.id, path)[0] == 200
    assert read(wire, KeyIdentity(), canister.id, path)[0] == 403
    assert read(wire, None, canister.id, path)[0] == 403


def test_a_request_that_nobody_made_is_proven_absent(canister, wire, replica):
    status, body = read(wire, None, canister.id, [b"request_status", bytes(32)])

    proven = certificate.verify(cbor.loads(body)["certificate"], root_key=replica.root_key)
    assert status == 200
    assert proven.lookup(b"request_status", bytes(32), b"status") is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ([b"time"], 200),
        ([SUBNET_KEY], 200),
        ([], 404),
        ([b"canister"], 404),
        ([b"request_status"], 404),
        ([b"secrets"], 404),
        ([b"time", b"below"], 404),
    ],
)
def test_only_some_paths_can_be_asked_for(canister, wire, path, status):
    assert read(wire, None, canister.id, path)[0] == status


def test_a_private_section_is_for_controllers(chain, wire, probe):
    agent = chain.agent()
    section = b"icp:private secret"
    canister = chain.install(agent, probe + bytes([0, len(section) + 5, len(section)]) + section + b"text")
    path = [b"canister", canister.raw, b"metadata", b"secret"]

    assert read(wire, agent.identity, canister, path)[0] == 200
    assert read(wire, KeyIdentity(), canister, path)[0] == 403
    assert read(wire, None, canister, path)[0] == 403


def test_the_canister_in_the_url_must_be_the_one_concerned(canister, make_probe, wire, identity):
    other = make_probe()
    call = wire.call(canister.id, identity)
    manage = wire.call(Principal.management(), identity, "stop_canister", arg=stop_argument(canister.id))

    assert wire.send("call", other.id, wire.signed(call, identity))[0] == 400
    assert wire.send("call", other.id, wire.signed(manage, identity))[0] == 400
    assert read(wire, None, other.id, [b"canister", canister.id.raw, b"module_hash"])[0] == 400
    assert wire.post("/api/v3/canister/not-a-principal/call", wire.signed(call, identity))[0] == 400
    assert canister.count() == 0


def stop_argument(canister_id: Principal) -> bytes:
    return encode(service("management").methods["stop_canister"].arguments, [{"canister_id": canister_id}])


# --- sizes and forms ---


def test_bodies_that_are_too_large_are_refused(canister, wire, identity):
    call = wire.call(canister.id, identity, arg=bytes(2 << 20))

    status, _ = wire.send("call", canister.id, wire.signed(call, identity))
    assert status == 413
    assert wire.post(f"/api/v3/canister/{canister.id}/query", bytes(5 << 20))[0] == 413
    assert canister.count() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"nonce": bytes(33)},
        {"nonce": "text"},
        {"ingress_expiry": -1},
        {"ingress_expiry": 1 << 64},
        {"ingress_expiry": 1.5},
        {"ingress_expiry": True},
        {"ingress_expiry": None},
        {"sender": bytes(30)},
        {"sender": "text"},
        {"canister_id": bytes(30)},
        {"canister_id": None},
        {"method_name": b"inc"},
        {"method_name": None},
        {"arg": "text"},
        {"arg": None},
        {"request_type": "query"},
        {"request_type": None},
        {"extra": {"a": [1, {"b": None}]}},
        {"extra": 1.5},
        {"extra": -1},
    ],
)
def test_fields_of_a_wrong_form_are_refused(canister, wire, fields):
    content = {**wire.call(canister.id, None), **fields}

    status, answer = wire.send("call", canister.id, cbor.dumps({"content": content}))

    assert status == 400
    assert answer
    assert canister.count() == 0


BODIES = [
    b"",
    b"\xff",
    b"\xd9\xd9\xf7",
    b"{}",
    cbor.dumps(None),
    cbor.dumps([]),
    cbor.dumps({}),
    cbor.dumps("text"),
    cbor.dumps({"content": []}),
]
BODIES += [
    cbor.dumps({"content": {1: 2}}),
    cbor.dumps({1: {}}),
    b"\x81" * 5000,
    b"\xa1" * 5000,
    b"\x9f" * 5000,
    b"\xd8\x1c\x81\xd8\x1d\x00",
]
BODIES += [
    b"\xbb" + b"\xff" * 8,
    b"\x5b" + b"\x7f" + b"\xff" * 7,
    b"\xd8\x23\x61\x28",
    b"\xc4\x82\x1a\x7f\xff\xff\xff\x01",
    b"\xc2\x58\x20" + b"\xff" * 32,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:8].hex() or "nothing")
@pytest.mark.parametrize("kind", ["call", "query", "read_state"])
def test_bodies_that_are_no_request_are_refused(canister, wire, kind, body):
    status, answer = wire.send(kind, canister.id, body)

    assert status == 400
    assert b"Traceback" not in answer


def test_a_value_that_contains_itself_is_refused(canister, wire):
    # content.arg is an array that holds a reference to itself (tags 28 and 29)
    circle = b"\xd9\xd9\xf7\xa1\x67content\xa2\x6crequest_type\x64call\x63arg\xd8\x1c\x81\xd8\x1d\x00"

    assert wire.send("call", canister.id, circle)[0] == 400


ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.floats()
    | st.binary(max_size=40)
    | st.text(max_size=12)
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(0, 9), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = [
    "request_type",
    "sender",
    "ingress_expiry",
    "nonce",
    "canister_id",
    "method_name",
    "arg",
    "paths",
    "sender_info",
]
OUTER = ["sender_pubkey", "sender_sig", "sender_delegation"]


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["call", "query", "read_state"]),
    inner=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3),
    outer=st.dictionaries(st.sampled_from(OUTER), VALUES, max_size=2),
    cut=st.none() | st.integers(0, 300),
    flip=st.none() | st.tuples(st.integers(0, 400), st.integers(1, 255)),
)
def test_no_bent_request_is_answered_with_a_fault_of_ours(canister, wire, identity, kind, inner, outer, cut, flip):
    fields = (
        {"paths": [[b"time"]]}
        if kind == "read_state"
        else {"canister_id": canister.id.raw, "method_name": "nothing", "arg": b""}
    )
    envelope = wire.envelope(wire.content(kind, identity, **fields), identity)
    envelope["content"] = {**envelope["content"], **inner}
    body = bytearray(cbor.dumps({**envelope, **outer}))
    if flip is not None and flip[0] < len(body):
        body[flip[0]] ^= flip[1]
    if cut is not None:
        del body[cut:]

    status, answer = wire.send(kind, canister.id, bytes(body))

    assert status < 500
    assert b"Traceback" not in answer


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_no_bytes_at_all_are_answered_with_a_fault_of_ours(canister, wire, data):
    assert wire.send("call", canister.id, data)[0] == 400


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    argument=st.binary(max_size=60),
    method=st.sampled_from(["install_code", "create_canister", "update_settings", "install_chunked_code", "x"]),
)
def test_no_argument_of_a_management_call_is_answered_with_a_fault_of_ours(canister, wire, identity, argument, method):
    content = wire.call(Principal.management(), identity, method, arg=b"DIDL" + argument)

    assert wire.send("call", canister.id, wire.signed(content, identity))[0] in (200, 400)


# --- the rest of HTTP ---


def test_pages_of_other_origins_may_ask_and_read_even_refusals(replica, canister):
    connection = http.client.HTTPConnection("localhost", replica.port)
    path = f"/api/v3/canister/{canister.id}/query"
    headers = {
        "Origin": "http://localhost:1",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answers = []
    for method, body in (("OPTIONS", None), ("POST", b"no request")):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
        answers.append(response)
    connection.request("GET", "/api/v2/status")
    response = connection.getresponse()
    response.read()
    connection.close()

    assert [answer.status for answer in [*answers, response]] == [204, 400, 200]
    for answer in [*answers, response]:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "content-type" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("path", ["/", "/api/v5/status", "/_/time", "/api/v2/canister/aaaaa-aa/nothing"])
def test_what_is_not_there_is_a_404(replica, path, wire):
    assert wire.post(path, b"")[0] == 404


def test_the_status_is_served_in_every_version(replica, wire):
    for version in ("v2", "v3"):
        wire.http.request("GET", f"/api/{version}/status")
        status = cbor.loads(wire.http.getresponse().read())

        assert status["root_key"] == replica.root_key
        assert status["replica_health_status"] == "healthy"


def test_an_answer_to_a_query_that_was_altered_does_not_verify(canister, wire, replica):
    """What the client checks: the node's signature covers every field of the answer."""
    content = wire.content("query", None, canister_id=canister.id.raw, method_name="get", arg=b"")
    _, body = wire.send("query", canister.id, wire.signed(content, None))
    answer = cbor.loads(body)
    (signature,) = answer.pop("signatures")
    _, state = read(wire, None, canister.id, [b"subnet"])
    tree = certificate.verify(cbor.loads(state)["certificate"], root_key=replica.root_key)
    subnet = Principal.self_authenticating(replica.root_key).raw
    key = tree.require(b"subnet", subnet, b"node", signature["identity"], b"public_key")

    def message(fields: dict[str, Any]) -> bytes:
        return keys.IC_RESPONSE + hash_of_map(
            {**fields, "timestamp": signature["timestamp"], "request_id": request_id(content)}
        )

    keys.verify_signature(key, message(answer), signature["signature"])
    altered = copy.deepcopy(answer)
    altered["reply"]["arg"] = b"\x09" + bytes(7)
    with pytest.raises(keys.BadSignature):
        keys.verify_signature(key, message(altered), signature["signature"])
