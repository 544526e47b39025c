"""What each dataset was worth, computed anew from the utilities that a transcript records.

Written here a second time, from the formula, and not shared with the code that trained: an error there is not repeated here.
Sources: Shapley (1953), "A value for n-person games"; Castro, Gomez, Tejada (2009), "Polynomial calculation of the Shapley value based on
sampling".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

MAX_EXACT = 16  # 65,536 coalitions


class CannotValue(ValueError):
    """The recorded utilities are not a whole game."""


@dataclass(frozen=True)
class Valued:
    """In units of the utility."""

    value: float
    low: float
    high: float


Coalition = frozenset[int]


def shapley(players: Iterable[int], utility: Mapping[Coalition, float]) -> dict[int, float]:
    """phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (u(S + i) - u(S)). Raises CannotValue when a coalition is missing."""
    everybody = sorted(set(players))
    n = len(everybody)
    if n > MAX_EXACT:
        raise CannotValue(f"{n} datasets have too many coalitions for an exact value")
    values = dict.fromkeys(everybody, 0.0)
    try:
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for members in combinations(everybody, size):
                without = frozenset(members)
                for player in everybody:
                    if player not in without:
                        values[player] += weight * (utility[without | {player}] - utility[without])
    except KeyError as error:
        raise CannotValue(f"the utility of {sorted(error.args[0])} is not recorded") from error
    return values


def recomputed(players: list[int], valuation: dict[str, Any]) -> dict[int, Valued]:
    """From a transcript's `valuation`. Raises CannotValue."""
    try:
        method = valuation["method"]
        if method == "exact":
            return _exact(players, valuation)
        if method == "permutation":
            return _sampled(players, valuation)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CannotValue(f"the recorded utilities cannot be read: {error}") from error
    raise CannotValue(f"nothing is known of the valuation method '{method}'")


def _exact(players: list[int], valuation: dict[str, Any]) -> dict[int, Valued]:
    """Mean over the repetitions; the interval is the smallest and the largest of them."""
    repetitions = int(valuation["repetitions"])
    if repetitions < 1:
        raise CannotValue("there is no repetition")
    games: list[dict[Coalition, float]] = [
        {frozenset(): _number(valuation["empty_utility"])} for _ in range(repetitions)
    ]
    for coalition in valuation["coalitions"]:
        members, utilities = frozenset(coalition["members"]), coalition["utilities"]
        if len(utilities) != repetitions or not members <= set(players) or members in games[0]:
            raise CannotValue(f"the utilities of {sorted(members)} are not {repetitions}, once")
        for game, utility in zip(games, utilities, strict=True):
            game[members] = _number(utility)
    values = [shapley(players, game) for game in games]
    return {player: _spread([value[player] for value in values]) for player in players}


def _spread(values: list[float]) -> Valued:
    return Valued(math.fsum(values) / len(values), min(values), max(values))


def _sampled(players: list[int], valuation: dict[str, Any]) -> dict[int, Valued]:
    """Mean marginal over the walks, and 1.96 standard errors to each side. A walk that stopped early adds nothing for the rest."""
    empty = _number(valuation["empty_utility"])
    marginals: dict[int, list[float]] = {player: [] for player in players}
    for walk in valuation["walks"]:
        if sorted(walk["order"]) != sorted(players) or len(walk["utilities"]) > len(players):
            raise CannotValue("a walk does not pass each dataset once")
        before = empty
        for position, player in enumerate(walk["order"]):
            after = _number(walk["utilities"][position]) if position < len(walk["utilities"]) else before
            marginals[player].append(after - before)
            before = after
    rounds = len(valuation["walks"])
    if rounds < 2 or rounds != valuation["rounds"]:
        raise CannotValue(f"there are {rounds} walks, and {valuation['rounds']} are claimed")
    return {player: _estimate(found) for player, found in marginals.items()}


def _estimate(marginals: list[float]) -> Valued:
    mean = math.fsum(marginals) / len(marginals)
    variance = math.fsum((m - mean) ** 2 for m in marginals) / (len(marginals) - 1)
    margin = 1.96 * math.sqrt(variance / len(marginals))
    return Valued(mean, mean - margin, mean + margin)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CannotValue(f"{value!r} is no utility")
    return float(value)
