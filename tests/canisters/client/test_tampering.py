"""An attacker between the client and the network: whatever it alters, withholds or mixes up is refused and named, or does no harm."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canisters.client import (
    AnswerMalformed,
    CallRejected,
    CertificateRefused,
    ChainAgent,
    ChainUnavailable,
    ClientError,
    KeyIdentity,
    RequestRefused,
)
from canisters.client.proof import verified
from canisters.interface import bls, cbor, certificate, hash_tree, keys, leb128
from canisters.interface.principal import Principal

from .conftest import Answer, Proxy

pytestmark = pytest.mark.slow

REPEATED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def value(reply: bytes) -> int:
    return int.from_bytes(reply, "little")


def rewriting(verb: str, change: Callable[[dict[str, Any]], None]) -> Callable[[str, Answer], Answer]:
    """An alteration of the decoded answers to one verb ("call", "query" or "read_state")."""

    def alter(path: str, answer: Answer) -> Answer:
        if not path.endswith(f"/{verb}") or answer.status != 200:
            return answer
        fields = cbor.loads(answer.body)
        change(fields)
        return Answer(200, cbor.dumps(fields))

    return alter


# --- certificates ---


@REPEATED
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_no_byte_of_a_certificate_can_be_changed(
    proxy: Proxy, through: ChainAgent, counter: Principal, place: float, mask: int
) -> None:
    def flip(fields: dict[str, Any]) -> None:
        proof = bytearray(fields["certificate"])
        proof[int(place * len(proof))] ^= mask
        fields["certificate"] = bytes(proof)

    proxy.alter = rewriting("read_state", flip)

    with pytest.raises(ClientError) as refused:
        through.module_hash(counter)
    assert isinstance(refused.value, CertificateRefused | AnswerMalformed)


@REPEATED
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_no_byte_of_the_answer_to_a_call_can_be_changed_unseen(
    proxy: Proxy, through: ChainAgent, counter: Principal, place: float, mask: int
) -> None:
    """Some bytes say nothing (the order of the map's fields); what is believed is always what the network said."""

    def flip(path: str, answer: Answer) -> Answer:
        body = bytearray(answer.body)
        body[int(place * len(body))] ^= mask
        return Answer(answer.status, bytes(body))

    proxy.alter = flip
    try:
        assert through.update_raw(counter, "whoami_certified", b"") == through.principal.raw
    except (CertificateRefused, AnswerMalformed):
        pass
    except CallRejected as error:  # "replied" became "non_replicated_rejection": worth no more than no answer
        pytest.fail(f"one byte cannot make that: {error}")


def test_another_networks_root_key_does_not_fit(replica: Any, counter: Principal) -> None:
    wrong = bls.public_key_der(bls.secret_from_seed(b"another network"))

    with ChainAgent(replica.url, wrong, KeyIdentity()) as agent:
        for ask in (
            lambda: agent.update_raw(counter, "inc", b""),
            lambda: agent.query_raw(counter, "get", b""),
            lambda: agent.module_hash(counter),
        ):
            with pytest.raises(CertificateRefused, match="does not hold under the root key"):
                ask()


@pytest.mark.parametrize("key", [b"", b"\x00" * 133, bls.DER_PREFIX + b"\xff" * 96])
def test_a_root_key_that_is_none_is_refused(replica: Any, counter: Principal, key: bytes) -> None:
    with ChainAgent(replica.url, key, KeyIdentity()) as agent, pytest.raises(CertificateRefused, match="key"):
        agent.update_raw(counter, "inc", b"")


def test_an_old_certificate_is_not_believed(proxy: Proxy, replica: Any, counter: Principal) -> None:
    """What was true once, kept and shown later."""
    now_ns = time.time_ns()
    kept: list[bytes] = []
    with ChainAgent(proxy.url, replica.root_key, KeyIdentity(), clock=lambda: now_ns, timeout_s=2.0) as agent:
        proxy.alter = rewriting("read_state", lambda fields: kept.append(fields["certificate"]))
        assert agent.module_hash(counter)
        proxy.alter = rewriting("read_state", lambda fields: fields.update(certificate=kept[0]))
        assert agent.module_hash(counter)

        now_ns += 301 * 10**9
        with pytest.raises((CertificateRefused, RequestRefused), match="seconds away|expiry"):
            agent.module_hash(counter)


def test_the_answer_to_another_call_is_not_this_ones(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    kept: list[bytes] = []
    proxy.alter = rewriting("call", lambda fields: kept.append(fields["certificate"]))
    assert value(through.update_raw(counter, "inc", b"")) == 1

    def replay(path: str, answer: Answer) -> Answer:
        return Answer(200, cbor.dumps({"status": "replied", "certificate": kept[0]}))

    proxy.alter = replay
    with pytest.raises((CertificateRefused, ChainUnavailable)):
        through.update_raw(counter, "inc", b"")


def test_a_subnet_does_not_speak_for_canisters_of_another(replica: Any) -> None:
    """A subnet that the root vouches for, with a range of its own, signs for a canister outside it."""
    root, subnet = bls.secret_from_seed(b"root"), bls.secret_from_seed(b"subnet")
    inside, outside = Principal(b"\x05" + bytes(9)), Principal(b"\x09" + bytes(9))
    now = {b"time": leb128.encode_unsigned(time.time_ns())}
    ranges = cbor.dumps([[b"\x04" + bytes(9), b"\x06" + bytes(9)]])
    forms = [
        {b"subnet": {b"id": {b"public_key": bls.public_key_der(subnet), b"canister_ranges": ranges}}, **now},
        {
            b"subnet": {b"id": {b"public_key": bls.public_key_der(subnet)}},
            b"canister_ranges": {b"id": {b"\x04": ranges}},
            **now,
        },
    ]
    for form in forms:
        above = signed(hash_tree.build(form), root)
        tree = hash_tree.build(now)
        delegation = {"subnet_id": b"id", "certificate": above}
        proof = cbor.dumps(
            {
                "tree": hash_tree.to_cbor_value(tree),
                "signature": bls.sign(subnet, keys.IC_STATE_ROOT + tree.digest),
                "delegation": delegation,
            }
        )

        assert verified(proof, bls.public_key_der(root), inside, None)
        with pytest.raises(CertificateRefused, match="does not host"):
            verified(proof, bls.public_key_der(root), outside, None)


def signed(tree: hash_tree.Tree, secret: int) -> bytes:
    return certificate.encode(tree, bls.sign(secret, keys.IC_STATE_ROOT + tree.digest))


@pytest.mark.parametrize(
    "proof", [b"", b"\x00", cbor.dumps({}), cbor.dumps({"tree": [3, b""], "signature": 10**15}), cbor.dumps([1])]
)
def test_what_is_no_certificate_is_refused(proxy: Proxy, through: ChainAgent, counter: Principal, proof: bytes) -> None:
    proxy.alter = rewriting("read_state", lambda fields: fields.update(certificate=proof))

    with pytest.raises(CertificateRefused):
        through.module_hash(counter)


# --- answers to queries ---


def test_an_altered_answer_to_a_query_is_refused(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    proxy.alter = rewriting("query", lambda fields: fields.update(reply={"arg": (77).to_bytes(8, "little")}))

    with pytest.raises(CertificateRefused, match="node's signature of the answer does not hold"):
        through.query_raw(counter, "get", b"")


def test_a_made_up_refusal_of_a_query_is_not_believed(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    def refuse(fields: dict[str, Any]) -> None:
        del fields["reply"]
        fields.update(status="rejected", reject_code=4, reject_message="no")

    proxy.alter = rewriting("query", refuse)

    with pytest.raises(CertificateRefused):
        through.query_raw(counter, "get", b"")


@pytest.mark.parametrize("signatures", [None, [], "none", [{}], [{"timestamp": 1, "identity": b"", "signature": b""}]])
def test_an_answer_to_a_query_without_a_signature_is_refused(
    proxy: Proxy, through: ChainAgent, counter: Principal, signatures: Any
) -> None:
    proxy.alter = rewriting("query", lambda fields: fields.update(signatures=signatures))

    with pytest.raises((CertificateRefused, AnswerMalformed)):
        through.query_raw(counter, "get", b"")


def test_the_answer_to_another_query_is_not_this_ones(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    kept: list[Answer] = []

    def replay(path: str, answer: Answer) -> Answer:
        if not path.endswith("/query"):
            return answer
        kept.append(answer)
        return kept[0]

    proxy.alter = replay
    assert value(through.query_raw(counter, "get", b"")) == 0
    through.update_raw(counter, "inc", b"")
    with pytest.raises(CertificateRefused):
        through.query_raw(counter, "get", b"")


def test_a_node_that_nobody_vouches_for_is_not_believed(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    """The attacker signs with a key of its own, and everything else is right."""
    key = KeyIdentity()

    def impersonate(fields: dict[str, Any]) -> None:
        for signature in fields["signatures"]:
            signature["identity"] = key.principal.raw

    proxy.alter = rewriting("query", impersonate)

    with pytest.raises(CertificateRefused, match="does not belong to the subnet"):
        through.query_raw(counter, "get", b"")


# --- the wire ---


def test_a_call_whose_answer_was_lost_is_sent_again_and_runs_once(
    proxy: Proxy, through: ChainAgent, counter: Principal
) -> None:
    proxy.drop_after = 2

    assert value(through.update_raw(counter, "inc", b"")) == 1
    assert value(through.query_raw(counter, "get", b"")) == 1
    calls = [body for path, body in proxy.seen if path.endswith("/call")]
    assert len(calls) == 3
    assert len(set(calls)) == 1


def test_a_call_that_did_not_arrive_is_sent_again(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    proxy.drop_before = 2

    assert value(through.update_raw(counter, "inc", b"")) == 1


def test_a_network_that_is_still_at_work_is_asked_again(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    proxy.alter = lambda path, answer: Answer(202, b"") if path.endswith("/call") else answer

    assert value(through.update_raw(counter, "inc", b"")) == 1
    assert [path.rsplit("/", 1)[1] for path, _ in proxy.seen] == ["call", "read_state"]


def test_an_answer_that_never_comes_ends_with_the_time_given(
    proxy: Proxy, through: ChainAgent, counter: Principal
) -> None:
    proxy.alter = lambda _path, _answer: Answer(503, b"overloaded")
    started_s = time.monotonic()

    with pytest.raises(ChainUnavailable, match="busy"):
        through.update_raw(counter, "inc", b"")
    assert time.monotonic() - started_s < 4


@pytest.mark.parametrize("status", [301, 400, 404, 500])
def test_a_refusal_by_http_is_not_decoded(proxy: Proxy, through: ChainAgent, counter: Principal, status: int) -> None:
    proxy.alter = lambda _path, _answer: Answer(status, b"<html>go away</html>")

    with pytest.raises(RequestRefused, match="go away") as refused:
        through.query_raw(counter, "get", b"")
    assert refused.value.status == status


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"\xd9\xd9\xf7", cbor.dumps([1, 2]), cbor.dumps({"status": "replied"}), b"\x9f" * 9000]
)
@pytest.mark.parametrize("verb", ["call", "query", "read_state"])
def test_what_is_no_answer_is_called_so(
    proxy: Proxy, through: ChainAgent, counter: Principal, body: bytes, verb: str
) -> None:
    proxy.alter = lambda _path, _answer: Answer(200, body)
    ask = {
        "call": lambda: through.update_raw(counter, "inc", b""),
        "query": lambda: through.query_raw(counter, "get", b""),
        "read_state": lambda: through.module_hash(counter),
    }[verb]

    with pytest.raises((AnswerMalformed, CertificateRefused, ChainUnavailable)):
        ask()


def test_an_answer_without_end_is_cut_off(proxy: Proxy, through: ChainAgent, counter: Principal) -> None:
    proxy.alter = lambda _path, _answer: Answer(200, bytes(17 << 20))

    with pytest.raises(AnswerMalformed, match="more than"):
        through.query_raw(counter, "get", b"")
