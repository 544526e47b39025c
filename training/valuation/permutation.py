"""Shapley values estimated by sampling orders, for when there are too many players to retrain on every coalition.

A walk lets the players join in a random order and notes the utility after each. What a player added, averaged over walks, estimates its
value without bias. Source: J. Castro, D. Gomez, J. Tejada (2009), "Polynomial calculation of the Shapley value based on sampling";
truncation: A. Ghorbani, J. Zou (2019), algorithm 1.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np

from .exact import Coalition


@dataclass(frozen=True)
class Walk:
    """`utilities`: after the first player of `order`, after the first two, and so on; shorter than `order` when truncated."""

    repetition: int
    order: tuple[int, ...]
    utilities: tuple[float, ...]


@dataclass(frozen=True)
class Estimate:
    """`standard_error`: of the value, from the spread over walks; in units of utility."""

    value: Fraction
    standard_error: float


def sample_walks(
    players: Sequence[int],
    utility: Callable[[Coalition, int], float],
    *,
    rounds: int,
    repetitions: int,
    truncation: float,
    rng: np.random.Generator,
    on_walk: Callable[[int], None] = lambda _done: None,
) -> list[Walk]:
    """`rounds` walks; the repetitions (seeds of training) take turns. `utility`: of a coalition in a repetition.

    A walk ends early once its utility is closer than `truncation` to that of all players in that repetition: who is left adds 0.
    Cost: at most rounds * len(players) utilities.
    """
    whole = frozenset(players)
    walks = []
    for index in range(rounds):
        repetition = index % repetitions
        order = tuple(players[place] for place in rng.permutation(len(players)))
        utilities: list[float] = []
        for size in range(1, len(order) + 1):
            utilities.append(utility(frozenset(order[:size]), repetition))
            if abs(utility(whole, repetition) - utilities[-1]) < truncation:
                break
        walks.append(Walk(repetition, order, tuple(utilities)))
        on_walk(index + 1)
    return walks


def estimate(players: Sequence[int], walks: Sequence[Walk], empty_utility: float) -> dict[int, Estimate]:
    """Mean and standard error of what each player added. At least two walks."""
    added: dict[int, list[Fraction]] = {player: [] for player in players}
    for walk in walks:
        before = Fraction(empty_utility)
        for place, player in enumerate(walk.order):
            after = Fraction(walk.utilities[place]) if place < len(walk.utilities) else before
            added[player].append(after - before)
            before = after
    return {
        player: Estimate(statistics.mean(gains), float(statistics.stdev(gains)) / sqrt(len(walks)))
        for player, gains in added.items()
    }
