"""The game of one job: which coalitions are played, what is recorded of them, and the attribution that follows from the record alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from training.errors import BadConfig
from training.outcome import Attribution

from .exact import Coalition, coalitions_of, shapley_exact
from .permutation import Walk, estimate, sample_walks

MAX_AUTO_EXACT_PLAYERS = 6
MAX_EXACT_PLAYERS = 10
# Two-sided 95 % of the normal distribution.
_NORMAL_95 = 1.96

Utility = Callable[[Coalition, int], float]


@dataclass(frozen=True)
class ExactRecord:
    """`coalitions`: of every coalition but the empty one, its members and its utility in each repetition."""

    utility: str
    repetitions: int
    empty_utility: float
    coalitions: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]

    def to_value(self) -> dict[str, Any]:
        return {
            "method": "exact",
            "utility": self.utility,
            "repetitions": self.repetitions,
            "empty_utility": self.empty_utility,
            "coalitions": [
                {"members": list(members), "utilities": list(utilities)} for members, utilities in self.coalitions
            ],
        }


@dataclass(frozen=True)
class SampledRecord:
    """`whole_utilities`: of all players, in each repetition."""

    utility: str
    repetitions: int
    empty_utility: float
    truncation: float
    whole_utilities: tuple[float, ...]
    walks: tuple[Walk, ...]

    def to_value(self) -> dict[str, Any]:
        return {
            "method": "permutation",
            "utility": self.utility,
            "repetitions": self.repetitions,
            "empty_utility": self.empty_utility,
            "rounds": len(self.walks),
            "truncation": self.truncation,
            "whole_utilities": list(self.whole_utilities),
            "walks": [
                {"repetition": w.repetition, "order": list(w.order), "utilities": list(w.utilities)} for w in self.walks
            ],
        }


Record = ExactRecord | SampledRecord


def chosen_method(method: str, players: int) -> str:
    """Raises: BadConfig, when "exact" would mean more than a thousand coalitions."""
    if method == "auto":
        return "exact" if players <= MAX_AUTO_EXACT_PLAYERS else "permutation"
    if method == "exact" and players > MAX_EXACT_PLAYERS:
        raise BadConfig(
            {
                "valuation.method": f"exact takes at most {MAX_EXACT_PLAYERS} datasets, there are {players}: use permutation"
            }
        )
    return method


def play(
    players: Sequence[int],
    utility: Utility,
    *,
    utility_name: str,
    empty_utility: float,
    valuation: dict[str, Any],
    rng: np.random.Generator,
    on_progress: Callable[[int, int], None],
) -> Record:
    """Ask `utility` for what the method needs. `valuation`: that part of the config. `on_progress(done, total)`: coalitions or walks."""
    repetitions = valuation["seeds"]
    if chosen_method(valuation["method"], len(players)) == "exact":
        coalitions = list(coalitions_of(players))
        recorded = []
        for done, coalition in enumerate(coalitions, start=1):
            recorded.append((tuple(sorted(coalition)), tuple(utility(coalition, k) for k in range(repetitions))))
            on_progress(done, len(coalitions))
        return ExactRecord(utility_name, repetitions, empty_utility, tuple(recorded))
    walks = sample_walks(
        players,
        utility,
        rounds=valuation["rounds"],
        repetitions=repetitions,
        truncation=valuation["truncation"],
        rng=rng,
        on_walk=lambda done: on_progress(done, valuation["rounds"]),
    )
    whole = tuple(utility(frozenset(players), k) for k in range(repetitions))
    return SampledRecord(utility_name, repetitions, empty_utility, valuation["truncation"], whole, tuple(walks))


def attribute(players: Sequence[int], record: Record) -> list[Attribution]:
    """From the record alone, in the players' order.

    Exact: the value is the mean over the repetitions of each repetition's exact Shapley value; low and high are its least and greatest.
    Permutation: mean over the walks; low and high are 1.96 standard errors away.
    """
    if isinstance(record, ExactRecord):
        by_repetition = [_exact_values(players, record, k) for k in range(record.repetitions)]
        result = []
        for player in players:
            values = [repetition[player] for repetition in by_repetition]
            mean = statistics.mean(values)
            result.append(Attribution(player, float(mean), float(min(values)), float(max(values))))
        return result
    estimates = estimate(players, record.walks, record.empty_utility)
    result = []
    for player in players:
        value, reach = float(estimates[player].value), _NORMAL_95 * estimates[player].standard_error
        result.append(Attribution(player, value, value - reach, value + reach))
    return result


def _exact_values(players: Sequence[int], record: ExactRecord, repetition: int) -> dict[int, Fraction]:
    utilities = {frozenset(members): Fraction(found[repetition]) for members, found in record.coalitions}
    return shapley_exact(players, {frozenset(): Fraction(record.empty_utility), **utilities})
