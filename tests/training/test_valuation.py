"""Shapley values on games whose answer is known, and the axioms that define them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import BadConfig
from training.valuation.exact import Coalition, coalitions_of, shapley_exact
from training.valuation.game import ExactRecord, attribute, chosen_method, play
from training.valuation.permutation import estimate, sample_walks

Game = Callable[[Coalition], Fraction | float]
AIRPORT_COSTS = {1: 8, 2: 11, 3: 13, 4: 18}


def glove(coalition: Coalition) -> int:
    """Player 1 has a left glove, 2 and 3 have right ones; a pair sells for 1."""
    return int(1 in coalition and bool(coalition & {2, 3}))


def airport(coalition: Coalition) -> int:
    """A runway costs what the largest plane of the coalition needs."""
    return max((AIRPORT_COSTS[player] for player in coalition), default=0)


def all_of(players: list[int]) -> list[Coalition]:
    return [frozenset(members) for members in chain([()], *(combinations(players, n + 1) for n in range(len(players))))]


def exact(players: list[int], game: Game) -> dict[int, Fraction]:
    return shapley_exact(players, {coalition: Fraction(game(coalition)) for coalition in all_of(players)})


def walks_of(players: list[int], game: Game, *, rounds: int, seed: int = 5, truncation: float = 0.0):
    rng = np.random.default_rng(seed)
    return sample_walks(
        players,
        lambda coalition, _k: float(game(coalition)),
        rounds=rounds,
        repetitions=1,
        truncation=truncation,
        rng=rng,
    )


def test_in_the_glove_game_the_scarce_side_gets_two_thirds():
    values = exact([1, 2, 3], glove)

    assert values == {1: Fraction(2, 3), 2: Fraction(1, 6), 3: Fraction(1, 6)}


def test_in_the_airport_game_each_pays_an_equal_part_of_every_stretch_it_needs():
    values = exact([1, 2, 3, 4], airport)

    assert values == {1: 2, 2: 3, 3: 4, 4: 9}


def test_in_an_additive_game_each_gets_what_it_brings():
    worth = {1: Fraction(3, 10), 5: Fraction(-1, 7), 9: Fraction(0)}

    values = exact([1, 5, 9], lambda coalition: sum((worth[player] for player in coalition), Fraction(0)))

    assert values == worth


def test_in_a_unanimity_game_those_who_are_needed_share_equally():
    values = exact([1, 2, 3, 4, 5], lambda coalition: int({2, 3, 5} <= coalition))

    assert values == {1: 0, 2: Fraction(1, 3), 3: Fraction(1, 3), 4: 0, 5: Fraction(1, 3)}


def test_a_single_player_gets_everything():
    assert exact([7], lambda coalition: 0.9 if coalition else 0.5) == {7: Fraction(0.9) - Fraction(0.5)}


def test_every_coalition_but_the_empty_one_is_listed_once():
    listed = list(coalitions_of([4, 2, 9]))

    assert len(listed) == len(set(listed)) == 7
    assert frozenset() not in listed


@st.composite
def games(draw: st.DrawFn, max_players: int = 4) -> tuple[list[int], dict[Coalition, Fraction]]:
    players = list(range(1, draw(st.integers(1, max_players)) + 1))
    worth = st.floats(-10, 10, allow_nan=False).map(Fraction)
    return players, {coalition: draw(worth) for coalition in all_of(players)}


@settings(deadline=None, max_examples=60)
@given(games())
def test_efficiency_holds_to_the_last_digit(game):
    players, utility = game

    values = shapley_exact(players, utility)

    assert sum(values.values()) == utility[frozenset(players)] - utility[frozenset()]


@settings(deadline=None, max_examples=60)
@given(games())
def test_a_player_who_never_adds_anything_gets_nothing(game):
    players, utility = game
    idle = 99

    values = shapley_exact([*players, idle], {c: utility[c - {idle}] for c in all_of([*players, idle])})

    assert values[idle] == 0
    assert {player: values[player] for player in players} == shapley_exact(players, utility)


@settings(deadline=None, max_examples=60)
@given(games(max_players=3))
def test_players_who_can_stand_in_for_each_other_get_the_same(game):
    players, utility = game
    twin = 99

    def worth(coalition: Coalition) -> Fraction:
        """Twin and player 1 count once each, by how many of them are there."""
        rest, together = coalition - {1, twin}, len(coalition & {1, twin})
        return utility[rest | {1}] * together if together else utility[rest]

    values = exact([*players, twin], worth)

    assert values[1] == values[twin]


@settings(deadline=None, max_examples=40)
@given(games(), st.integers(-5, 5), st.data())
def test_values_of_a_sum_of_games_are_the_sums_of_the_values(game, factor, data):
    players, one = game
    other = {coalition: Fraction(data.draw(st.integers(-100, 100))) for coalition in one}

    both = shapley_exact(players, {c: one[c] + factor * other[c] for c in one})

    first, second = shapley_exact(players, one), shapley_exact(players, other)
    assert both == {player: first[player] + factor * second[player] for player in players}


@pytest.mark.parametrize(("players", "game"), [([1, 2, 3], glove), ([1, 2, 3, 4], airport)])
def test_the_estimate_comes_within_four_standard_errors_of_the_exact_value(players, game):
    found = estimate(players, walks_of(players, game, rounds=2000), 0.0)

    truth = exact(players, game)
    for player in players:
        assert abs(float(found[player].value - truth[player])) <= 4 * found[player].standard_error
        assert found[player].standard_error < 0.15


def test_four_times_the_walks_halve_the_standard_error():
    few = estimate([1, 2, 3, 4], walks_of([1, 2, 3, 4], airport, rounds=1000), 0.0)
    many = estimate([1, 2, 3, 4], walks_of([1, 2, 3, 4], airport, rounds=4000), 0.0)

    for player in few:
        assert many[player].standard_error == pytest.approx(few[player].standard_error / 2, rel=0.1)


def test_the_interval_of_the_estimate_holds_the_true_value_about_nineteen_times_in_twenty():
    players, truth, repeats = [1, 2, 3, 4], exact([1, 2, 3, 4], airport), 150
    held = dict.fromkeys(players, 0)

    for seed in range(repeats):
        found = estimate(players, walks_of(players, airport, rounds=60, seed=seed), 0.0)
        for player in players:
            held[player] += abs(float(found[player].value - truth[player])) <= 1.96 * found[player].standard_error

    assert all(0.88 <= count / repeats <= 0.995 for count in held.values())


def test_the_estimates_of_whole_walks_sum_exactly_to_what_all_add():
    found = estimate([1, 2, 3, 4], walks_of([1, 2, 3, 4], airport, rounds=50), 0.0)

    assert sum(entry.value for entry in found.values()) == 18


def test_a_truncated_walk_asks_for_less_and_gives_the_rest_nothing():
    asked: list[Coalition] = []

    def saturating(coalition: Coalition) -> float:
        asked.append(coalition)
        return min(len(coalition), 2) * 0.5

    walks = walks_of([1, 2, 3, 4, 5, 6], saturating, rounds=30, truncation=0.1)
    found = estimate([1, 2, 3, 4, 5, 6], walks, 0.0)

    assert {len(walk.utilities) for walk in walks} == {2}
    assert max(len(coalition) for coalition in asked if len(coalition) < 6) == 2
    assert sum(entry.value for entry in found.values()) == 1


def test_the_same_seed_samples_the_same_walks():
    assert walks_of([1, 2, 3], glove, rounds=20, seed=3) == walks_of([1, 2, 3], glove, rounds=20, seed=3)
    assert walks_of([1, 2, 3], glove, rounds=20, seed=3) != walks_of([1, 2, 3], glove, rounds=20, seed=4)


def test_auto_is_exact_up_to_six_players_and_samples_above():
    assert [chosen_method("auto", n) for n in (1, 6, 7, 40)] == ["exact", "exact", "permutation", "permutation"]


def test_exact_with_too_many_players_is_refused_with_the_way_out():
    with pytest.raises(BadConfig) as refusal:
        chosen_method("exact", 11)

    assert "use permutation" in refusal.value.fields["valuation.method"]


def test_the_value_is_the_mean_over_repetitions_and_the_interval_their_range():
    record = ExactRecord("accuracy", 3, 0.5, (((4,), (0.7, 0.9, 0.8)),))

    (found,) = attribute([4], record)

    assert (found.low, found.high) == (0.7 - 0.5, 0.9 - 0.5)
    assert found.value == pytest.approx(0.3)


@pytest.mark.parametrize("method", ["exact", "permutation"])
def test_low_is_never_above_the_value_nor_the_value_above_high(method):
    rng = np.random.default_rng(2)
    noise: dict[tuple[Coalition, int], float] = {}

    def utility(coalition: Coalition, repetition: int) -> float:
        return noise.setdefault((coalition, repetition), float(rng.normal()))

    valuation = {"seeds": 4, "method": method, "rounds": 12, "truncation": 0}
    record = play(
        [1, 2, 3],
        utility,
        utility_name="accuracy",
        empty_utility=0.1,
        valuation=valuation,
        rng=np.random.default_rng(0),
        on_progress=lambda _done, _total: None,
    )

    assert all(entry.low <= entry.value <= entry.high for entry in attribute([1, 2, 3], record))
