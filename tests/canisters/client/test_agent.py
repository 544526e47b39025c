"""What the agent does on a network that behaves: identities, nonces, refusals by the canister, many threads, one connection."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from canisters.client import (
    BadArgument,
    CallRejected,
    CertificateRefused,
    ChainAgent,
    ChainUnavailable,
    DelegatedIdentity,
    KeyIdentity,
    NotAllowed,
    RequestRefused,
    anonymous,
    contract,
    delegate,
    fetch_root_key,
)
from canisters.client.identities import Chain
from canisters.interface.principal import Principal

pytestmark = pytest.mark.slow

HOUR_NS = 3600 * 10**9
ELSEWHERE = Principal(b"\x00\x00\x00\x00\x00\x6e\x6f\x77\x01\x01")  # far beyond whatever a test creates


def value(reply: bytes) -> int:
    return int.from_bytes(reply, "little")


@pytest.mark.parametrize("kind", ["ed25519", "secp256k1"])
def test_a_key_acts_under_its_own_principal(replica: Any, counter: Principal, kind: str) -> None:
    identity = KeyIdentity(kind=kind)

    with ChainAgent(replica.url, replica.root_key, identity) as agent:
        by_query = agent.query_raw(counter, "whoami", b"")
        by_update = agent.update_raw(counter, "whoami_certified", b"")

    assert by_query == by_update == identity.principal.raw


def test_nobody_in_particular_is_anonymous(replica: Any, counter: Principal) -> None:
    with ChainAgent(replica.url, replica.root_key, anonymous()) as agent:
        assert Principal(agent.query_raw(counter, "whoami", b"")).is_anonymous
        assert Principal(agent.update_raw(counter, "whoami_certified", b"")).is_anonymous


def test_thirty_identical_calls_are_thirty_calls(agent: ChainAgent, counter: Principal) -> None:
    answers = [value(agent.update_raw(counter, "inc", b"")) for _ in range(30)]

    assert answers == list(range(1, 31))
    assert value(agent.query_raw(counter, "get", b"")) == 30


def test_many_threads_share_an_agent(agent: ChainAgent, counter: Principal) -> None:
    def turn(_: int) -> int:
        agent.query_raw(counter, "get", b"")
        return value(agent.update_raw(counter, "inc", b""))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(turn, range(32)))

    assert sorted(answers) == list(range(1, 33))


def test_calls_share_one_connection(proxy: Any, through: ChainAgent, counter: Principal) -> None:
    for _ in range(5):
        through.update_raw(counter, "inc", b"")
        through.query_raw(counter, "get", b"")

    assert proxy.connections == 1
    assert len(proxy.seen) == 11  # ten, and the keys of the nodes once


def test_an_update_is_answered_in_one_request(proxy: Any, through: ChainAgent, counter: Principal) -> None:
    through.update_raw(counter, "inc", b"")

    assert [path for path, _ in proxy.seen] == [f"/api/v4/canister/{counter}/call"]


# --- delegations ---


def acting(replica: Any, session: KeyIdentity, chain: Chain) -> ChainAgent:
    return ChainAgent(replica.url, replica.root_key, DelegatedIdentity(session, chain))


def test_a_session_acts_for_the_root(replica: Any, counter: Principal) -> None:
    root, session = KeyIdentity(), KeyIdentity(kind="secp256k1")
    chain = delegate(root, session.der_pubkey, expires_at_ns=time.time_ns() + HOUR_NS, targets=[counter])

    with acting(replica, session, chain) as agent:
        assert agent.update_raw(counter, "whoami_certified", b"") == root.principal.raw
        assert agent.query_raw(counter, "whoami", b"") == root.principal.raw


def test_a_session_hands_on_less_than_it_has(replica: Any, counter: Principal) -> None:
    root, session, server = KeyIdentity(), KeyIdentity(), KeyIdentity()
    later = time.time_ns() + HOUR_NS
    first = DelegatedIdentity(session, delegate(root, session.der_pubkey, expires_at_ns=later, targets=None))
    chain = delegate(first, server.der_pubkey, expires_at_ns=later - 1, targets=[counter])

    with acting(replica, server, chain) as agent:
        assert agent.update_raw(counter, "whoami_certified", b"") == root.principal.raw
        with pytest.raises(NotAllowed, match="does not name"):
            agent.update_raw(ELSEWHERE, "inc", b"")


class Careless(DelegatedIdentity):
    """Sends what the client would not, so that the network's own refusal is seen."""

    def require(self, content: dict[str, Any], now_ns: int) -> None:
        pass


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"targets": [ELSEWHERE]}, "target"),
        ({"expires_at_ns": 10**18}, "expire"),
        ({"permissions": "queries"}, "permission|quer"),
    ],
)
def test_what_a_delegation_does_not_allow_is_refused_here_and_by_the_network(
    replica: Any, agent: ChainAgent, counter: Principal, changes: dict[str, Any], reason: str
) -> None:
    root, session = KeyIdentity(), KeyIdentity()
    terms = {"expires_at_ns": time.time_ns() + HOUR_NS, "targets": [counter], **changes}
    chain = delegate(root, session.der_pubkey, **terms)

    with acting(replica, session, chain) as careful, pytest.raises(NotAllowed):
        careful.update_raw(counter, "inc", b"")
    with (
        ChainAgent(replica.url, replica.root_key, Careless(session, chain)) as careless,
        pytest.raises(RequestRefused, match=f"(?i){reason}") as refused,
    ):
        careless.update_raw(counter, "inc", b"")
    assert refused.value.status == 400
    assert value(agent.query_raw(counter, "get", b"")) == 0


def test_a_hop_cannot_widen_the_targets_of_the_one_before(replica: Any, agent: ChainAgent, counter: Principal) -> None:
    root, session, server = KeyIdentity(), KeyIdentity(), KeyIdentity()
    later = time.time_ns() + HOUR_NS
    first = DelegatedIdentity(session, delegate(root, session.der_pubkey, expires_at_ns=later, targets=[ELSEWHERE]))
    chain = delegate(first, server.der_pubkey, expires_at_ns=later, targets=[ELSEWHERE, counter])

    with acting(replica, server, chain) as careful, pytest.raises(NotAllowed, match="does not name"):
        careful.update_raw(counter, "inc", b"")
    with (
        ChainAgent(replica.url, replica.root_key, Careless(server, chain)) as careless,
        pytest.raises(RequestRefused),
    ):
        careless.update_raw(counter, "inc", b"")
    assert value(agent.query_raw(counter, "get", b"")) == 0


def test_a_delegation_by_somebody_else_is_refused_by_the_network(replica: Any, counter: Principal) -> None:
    root, session, thief = KeyIdentity(), KeyIdentity(), KeyIdentity()
    chain = delegate(thief, session.der_pubkey, expires_at_ns=time.time_ns() + HOUR_NS, targets=[counter])
    chain["publicKey"] = root.der_pubkey.hex()

    with acting(replica, session, chain) as agent, pytest.raises(RequestRefused, match="signature"):
        agent.update_raw(counter, "inc", b"")


# --- what goes wrong ---


@pytest.mark.parametrize("method", ["refuse", "refuse_query"])
def test_a_canisters_no_is_an_error_with_its_words(agent: ChainAgent, counter: Principal, method: str) -> None:
    ask = agent.update_raw if method == "refuse" else agent.query_raw

    with pytest.raises(CallRejected, match="not today") as refused:
        ask(counter, method, b"")
    assert refused.value.code == 4


def test_a_canister_that_fails_leaves_nothing_behind(agent: ChainAgent, counter: Principal) -> None:
    with pytest.raises(CallRejected, match="not today") as failed:
        agent.update_raw(counter, "fail", b"")

    assert failed.value.code == 5
    assert failed.value.error_code
    assert value(agent.query_raw(counter, "get", b"")) == 0


@pytest.mark.parametrize("query", [True, False])
def test_a_method_that_is_not_there_is_named(agent: ChainAgent, counter: Principal, query: bool) -> None:
    with pytest.raises(CallRejected, match="nothing_of_the_kind"):
        (agent.query_raw if query else agent.update_raw)(counter, "nothing_of_the_kind", b"")


def test_a_canister_that_is_not_there_is_refused(agent: ChainAgent) -> None:
    with pytest.raises((CallRejected, RequestRefused), match="(?i)not found|does not exist|no .*canister"):
        agent.query_raw(ELSEWHERE, "get", b"")


def test_a_network_that_does_not_answer_is_unavailable() -> None:
    with ChainAgent("http://127.0.0.1:1", b"", KeyIdentity(), timeout_s=0.3) as agent:
        started_s = time.monotonic()
        with pytest.raises(ChainUnavailable, match="does not answer"):
            agent.query_raw(ELSEWHERE, "get", b"")
        with pytest.raises(ChainUnavailable):
            fetch_root_key("http://127.0.0.1:1")
    assert time.monotonic() - started_s < 5


def test_a_clock_that_is_wrong_is_told_by_the_network(replica: Any, counter: Principal) -> None:
    with (
        ChainAgent(replica.url, replica.root_key, KeyIdentity(), clock=lambda: time.time_ns() - HOUR_NS) as agent,
        pytest.raises(RequestRefused, match="(?i)expiry|expired"),
    ):
        agent.update_raw(counter, "inc", b"")


def test_state_of_an_hour_ago_is_not_believed(replica: Any, counter: Principal) -> None:
    late = ChainAgent(replica.url, replica.root_key, anonymous(), clock=lambda: time.time_ns() + HOUR_NS)

    with late, pytest.raises(CertificateRefused, match="seconds away from this clock"):
        late.module_hash(counter)


# --- typed calls ---


def test_a_call_that_does_not_fit_its_interface_is_not_sent(proxy: Any, through: ChainAgent) -> None:
    ledger = contract("ledger", through, "aaaaa-aa")

    with pytest.raises(BadArgument, match="ledger.icrc1_balance_of: .*owner"):
        ledger.icrc1_balance_of({"subaccount": None})
    with pytest.raises(BadArgument, match="ledger has no method"):
        ledger.bound("icrc9_steal")
    with pytest.raises(AttributeError):
        _ = ledger.icrc9_steal
    assert proxy.seen == []


def test_anybody_may_know_controllers_and_module(agent: ChainAgent, counter: Principal) -> None:
    assert len(agent.controllers(counter)) == 1
    assert len(agent.module_hash(counter) or b"") == 32
    assert agent.metadata(counter, "candid:service") is None
    assert agent.module_hash(ELSEWHERE) is None
    assert agent.controllers(ELSEWHERE) == []
