"""Exact Shapley values, from the utility of every coalition, in rational numbers: efficiency and symmetry hold to the last digit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import comb

Coalition = frozenset[int]


def coalitions_of(players: Sequence[int]) -> Iterator[Coalition]:
    """Every coalition but the empty one: small before large, then by the players' order. 2**n - 1 of them."""
    for size in range(1, len(players) + 1):
        for members in combinations(players, size):
            yield frozenset(members)


def shapley_exact(players: Sequence[int], utility: Mapping[Coalition, Fraction]) -> dict[int, Fraction]:
    """`utility`: of every coalition of `players`, the empty one too.

    Returns: each player's value, in units of `utility`; their sum is utility(all) - utility(none).
    Cost: n * 2**(n-1) additions. Source: Shapley (1953).
    """
    n = len(players)
    values = dict.fromkeys(players, Fraction(0))
    for coalition in [frozenset[int](), *coalitions_of(players)]:
        outside = [player for player in players if player not in coalition]
        if not outside:
            continue
        weight = Fraction(1, n * comb(n - 1, len(coalition)))
        for player in outside:
            values[player] += weight * (utility[coalition | {player}] - utility[coalition])
    return values
