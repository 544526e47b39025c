"""The verifier's own arithmetic, on cases with a known answer: values, splits, policies, votes, and strict reading."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canisters.client.verification.fields import Fields, Malformed
from canisters.client.verification.payments import split
from canisters.client.verification.proposals import Proposal
from canisters.client.verification.registry import Policy, Request
from canisters.client.verification.report import Findings
from canisters.client.verification.shapley import CannotValue, recomputed, shapley
from canisters.interface.icrc3 import to_value
from canisters.interface.principal import Principal

ANNA, BEN, CARA = (Principal(bytes([n]) * 5) for n in (1, 2, 3))


def game(players: list[int], worth: Any) -> dict[frozenset[int], float]:
    every = itertools.chain.from_iterable(itertools.combinations(players, size) for size in range(len(players) + 1))
    return {frozenset(members): worth(frozenset(members)) for members in every}


# --- values ---


def test_a_pair_of_gloves_is_worth_most_to_who_has_the_rare_one() -> None:
    """One left glove, two right ones: 2/3, 1/6, 1/6."""
    values = shapley([1, 2, 3], game([1, 2, 3], lambda s: float(1 in s and len(s) > 1)))

    assert values == pytest.approx({1: 2 / 3, 2: 1 / 6, 3: 1 / 6})


def test_a_runway_is_paid_by_who_needs_it() -> None:
    """Costs 1, 2 and 4: each stretch is shared by those who use it."""
    cost = {1: 1.0, 2: 2.0, 3: 4.0}
    values = shapley([1, 2, 3], game([1, 2, 3], lambda s: max((cost[i] for i in s), default=0.0)))

    assert values == pytest.approx({1: 1 / 3, 2: 1 / 3 + 1 / 2, 3: 1 / 3 + 1 / 2 + 2})


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=6))
def test_in_an_additive_game_each_is_worth_its_own(own: list[float]) -> None:
    players = list(range(len(own)))

    values = shapley(players, game(players, lambda s: math.fsum(own[i] for i in s)))

    assert values == pytest.approx(dict(enumerate(own)), abs=1e-9)


def test_a_game_with_a_coalition_missing_is_refused() -> None:
    whole = game([1, 2], lambda s: float(len(s)))
    del whole[frozenset({2})]

    with pytest.raises(CannotValue, match=r"\[2\] is not recorded"):
        shapley([1, 2], whole)


def test_too_many_players_are_refused_and_not_waited_for() -> None:
    with pytest.raises(CannotValue, match="too many coalitions"):
        shapley(range(40), {})


def test_walks_give_the_mean_marginal_and_its_error() -> None:
    walks = [
        {"repetition": 0, "order": [1, 2], "utilities": [0.7, 0.9]},
        {"repetition": 0, "order": [2, 1], "utilities": [0.6]},  # stopped early: nothing for 1
    ]
    valued = recomputed([1, 2], {"method": "permutation", "empty_utility": 0.5, "rounds": 2, "walks": walks})

    assert valued[1].value == pytest.approx((0.2 + 0.0) / 2)
    assert valued[2].value == pytest.approx((0.2 + 0.1) / 2)
    assert valued[1].high - valued[1].value == pytest.approx(1.96 * math.sqrt(0.02 / 2))


@pytest.mark.parametrize(
    "valuation",
    [
        {},
        {"method": "exact"},
        {"method": "exact", "repetitions": 0, "empty_utility": 0, "coalitions": []},
        {"method": "exact", "repetitions": 1, "empty_utility": "x", "coalitions": []},
        {
            "method": "exact",
            "repetitions": 1,
            "empty_utility": 0,
            "coalitions": [{"members": [1], "utilities": [1, 2]}],
        },
        {"method": "exact", "repetitions": 1, "empty_utility": 0, "coalitions": [{"members": [9], "utilities": [1]}]},
        {
            "method": "exact",
            "repetitions": 1,
            "empty_utility": 0,
            "coalitions": [{"members": [1], "utilities": [1]}] * 2,
        },
        {
            "method": "exact",
            "repetitions": 1,
            "empty_utility": 0,
            "coalitions": [{"members": [1], "utilities": [float("nan")]}],
        },
        {"method": "permutation", "empty_utility": 0, "rounds": 1, "walks": [{"order": [1], "utilities": [1]}]},
        {"method": "permutation", "empty_utility": 0, "rounds": 2, "walks": [{"order": [1, 1], "utilities": [1]}] * 2},
    ],
)
def test_what_is_no_game_is_called_so(valuation: Any) -> None:
    with pytest.raises(CannotValue):
        recomputed([1], valuation)


# --- splits ---


@given(st.integers(0, 10**18), st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_parts_sum_to_the_whole_and_are_off_by_less_than_one(total: int, weights: list[int]) -> None:
    parts = split(total, weights)

    whole = sum(weights)
    assert sum(parts) == total
    if whole:
        assert all(abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True))


def test_ties_go_to_the_earlier_and_nothing_is_shared_alike() -> None:
    assert split(10, [1, 1, 1]) == [4, 3, 3]
    assert split(7, [0, 0]) == [4, 3]
    assert split(5, []) == []
    assert split(100, [0, 1, 3]) == [0, 25, 75]


# --- policies ---

OPEN: dict[str, Any] = {
    "audience": "Anyone",
    "purposes": "Any",
    "code": "Any",
    "compute": "Either",
    "price_e8s": 0,
    "decision": "AutoApprove",
    "workers": [],
}
ASKED = Request(ANNA, "research", b"code", "Central", None)


@pytest.mark.parametrize(
    ("terms", "decision"),
    [
        ({}, "AutoApprove"),
        ({"decision": "Ask"}, "Ask"),
        ({"decision": "Deny"}, "Deny"),
        ({"decision": "Whatever"}, "Deny"),
        ({"audience": {"Principals": [ANNA]}}, "AutoApprove"),
        ({"audience": {"Principals": [BEN]}}, "Deny"),
        ({"audience": "Friends"}, "Deny"),
        ({"purposes": {"Listed": ["research"]}}, "AutoApprove"),
        ({"purposes": {"Listed": ["advertising"]}}, "Deny"),
        ({"code": {"Listed": [b"code"]}}, "AutoApprove"),
        ({"code": {"Listed": [b"other"]}}, "Deny"),
        ({"compute": "Central"}, "AutoApprove"),
        ({"compute": "Federated"}, "Deny"),
        ({"expires_at_ns": 1001}, "AutoApprove"),
        ({"expires_at_ns": 1000}, "Deny"),
        ({"max_epsilon_micros": 5}, "Deny"),
        ({"audience": {"Principals": [BEN]}, "decision": "Ask"}, "Deny"),
    ],
)
def test_a_policy_allows_what_it_says_and_nothing_else(terms: dict[str, Any], decision: str) -> None:
    policy = Policy(1, 0, Fields(to_value({**OPEN, **terms}), "terms"))

    assert policy.decision(ASKED, 1000) == decision


@pytest.mark.parametrize(("asked", "decision"), [(None, "Deny"), (4, "AutoApprove"), (5, "AutoApprove"), (6, "Deny")])
def test_a_job_must_promise_the_privacy_that_is_asked(asked: int | None, decision: str) -> None:
    policy = Policy(1, 0, Fields(to_value({**OPEN, "max_epsilon_micros": 5}), "terms"))

    assert policy.decision(Request(ANNA, "research", b"code", "Central", asked), 0) == decision


# --- votes ---


@pytest.mark.parametrize(
    ("critical", "yes", "no", "winning", "sure", "lost"),
    [
        (False, 300, 0, True, False, False),
        (False, 299, 0, False, False, False),
        (False, 300, 300, False, False, False),
        (False, 5_000, 0, True, False, False),
        (False, 5_001, 0, True, True, False),
        (False, 0, 5_000, False, False, True),
        (False, 0, 4_999, False, False, False),
        (True, 1_999, 0, False, False, False),
        (True, 2_000, 0, True, False, False),
        (True, 2_000, 985, True, False, False),
        (True, 2_000, 986, False, False, False),
        (True, 6_700, 0, True, True, False),
        (True, 0, 3_300, False, False, False),
        (True, 0, 3_301, False, False, True),
    ],
)
def test_thresholds_are_exact(critical: bool, yes: int, no: int, winning: bool, sure: bool, lost: bool) -> None:
    ballots = {ANNA: yes, BEN: no, CARA: 10_000 - yes - no}
    votes = {owner: vote for owner, vote, shares in ((ANNA, True, yes), (BEN, False, no)) if shares}
    proposal = Proposal(1, "Release", Fields({"Map": []}, ""), None, ballots, 0, critical, votes=votes)

    assert (proposal.winning, proposal.surely_adopted, proposal.surely_rejected) == (winning, sure, lost)


# --- reading ---


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"Nat": 1},
        {"Map": 5},
        {"Map": [["a"]]},
        {"Map": [[1, {"Nat": 1}]]},
        {"Map": [["a", {"Nat": 1}], ["a", {"Nat": 2}]]},
        None,
    ],
)
def test_what_is_no_record_is_called_so(value: Any) -> None:
    with pytest.raises(Malformed):
        Fields(value, "here")


def test_a_value_of_another_kind_is_not_taken_for_it() -> None:
    fields = Fields(to_value({"n": 5, "t": "five", "b": b"\x05", "l": [1], "i": {"Int": -5}, "flag": True}), "here")

    assert fields.nat("n") == 5
    assert fields.integer("i") == -5
    assert fields.flag("flag")
    for read, name in [
        (fields.nat, "t"), (fields.nat, "i"), (fields.integer, "n"), (fields.text, "b"), (fields.blob, "t"), (fields.items, "n"),
        (fields.record, "l"), (fields.blobs, "l"), (fields.texts, "l"), (fields.principals, "l"), (fields.variant, "n"), (fields.nat, "missing"),
    ]:  # fmt: skip
        with pytest.raises(Malformed, match="here"):
            read(name)


def test_a_principal_too_long_and_a_negative_amount_are_malformed() -> None:
    fields = Fields({"Map": [["p", {"Blob": bytes(30)}], ["n", {"Nat": -1}]]}, "here")

    with pytest.raises(Malformed):
        fields.principal("p")
    with pytest.raises(Malformed):
        fields.nat("n")


def test_a_report_of_nothing_is_not_a_good_one() -> None:
    assert not Findings().report().ok


def test_a_check_with_a_thousand_problems_shows_a_few_and_counts_the_rest() -> None:
    findings = Findings()
    for number in range(1000):
        findings.topic("all").require(False, f"problem {number}")

    (check,) = findings.report().checks
    assert not check.ok
    assert check.detail.endswith("and 980 more")
