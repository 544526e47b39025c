"""A small classification problem, cut among contributors, and one finished run of it that many tests look at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import training


@dataclass(frozen=True)
class Problem:
    """Two overlapping clouds of points in four columns; dataset 3 has wrong classes in two rows of five."""

    parts: list[training.Part]
    evaluation: bytes
    config: dict[str, Any]

    def run(self, seed: int = 1, parts: list[training.Part] | None = None, **changes: Any) -> training.Outcome:
        on_event, should_stop = changes.pop("on_event", lambda _event: None), changes.pop("should_stop", lambda: False)
        recipe, evaluation = changes.pop("recipe", "tabular_mlp"), changes.pop("evaluation", self.evaluation)
        config = {**self.config, "evaluation_sha256": hashlib.sha256(evaluation).hexdigest(), **changes}
        return training.run(recipe, config, seed, parts or self.parts, evaluation, on_event, should_stop)


def _csv(rng: np.random.Generator, rows: int, wrong: float = 0.0) -> bytes:
    lines = ["a,b,c,d,kind"]
    for _ in range(rows):
        label = int(rng.integers(2))
        point = rng.normal(loc=1.2 * label, scale=(1, 2, 0.5, 100), size=4)
        if rng.random() < wrong:
            label = 1 - label
        lines.append(",".join(f"{value:.4f}" for value in point) + f",{'yes' if label else 'no'}")
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture(scope="session")
def problem() -> Problem:
    rng = np.random.default_rng(11)
    parts = [
        training.Part(1, _csv(rng, 60)),
        training.Part(2, _csv(rng, 40)),
        training.Part(3, _csv(rng, 40, wrong=0.4)),
    ]
    config = {"target": "kind", "epochs": 6, "learning_rate": 0.01, "hidden": [8]}
    return Problem(parts, _csv(rng, 80), config)


@dataclass
class Finished:
    outcome: training.Outcome
    events: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="session")
def finished(problem: Problem) -> Finished:
    events: list[dict[str, Any]] = []
    return Finished(problem.run(on_event=events.append), events)


@pytest.fixture(scope="session")
def sampled(problem: Problem) -> Finished:
    """A run with seven datasets: too many for auto to be exact."""
    events: list[dict[str, Any]] = []
    parts = [training.Part(n, problem.parts[n % 2].data) for n in range(1, 8)]
    valuation = {"seeds": 2, "rounds": 5, "truncation": 0.02}
    return Finished(problem.run(parts=parts, epochs=1, valuation=valuation, on_event=events.append), events)


@pytest.fixture
def table() -> Callable[..., bytes]:
    """Lines to the bytes of a CSV file."""
    return lambda *lines: "\n".join(lines).encode()
