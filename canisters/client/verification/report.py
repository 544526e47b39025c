"""What a verification found: one check a line, each with what holds or what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .fields import Malformed

MAX_SHOWN = 20  # of what is wrong in one check; the rest is counted


@dataclass(frozen=True)
class Check:
    """`detail`: what was seen when it holds, what is wrong when it does not. `job`: the job it is about, or None."""

    name: str
    ok: bool
    detail: str
    job: int | None = None


@dataclass(frozen=True)
class Report:
    """`as_of_ns`: the time of the oldest certificate, ns since 1970; None when none holds."""

    checks: list[Check]
    as_of_ns: int | None

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    def about(self, job: int) -> Report:
        """Only what concerns one job, and what everything rests on. A job that is not there is a check that fails."""
        kept = [check for check in self.checks if check.job in (None, job)]
        if not any(check.job == job for check in kept):
            kept.append(Check(f"job {job}", False, "no such job in the logs", job))
        return Report(kept, self.as_of_ns)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "as_of_ns": None if self.as_of_ns is None else str(self.as_of_ns),
            "checks": [
                {"name": check.name, "ok": check.ok, "detail": check.detail, "job": check.job} for check in self.checks
            ],
        }

    def text(self) -> str:
        lines = [f"{'ok    ' if check.ok else 'FAILED'}  {check.name}: {check.detail}" for check in self.checks]
        when = "at no proven time" if self.as_of_ns is None else f"as of {shown_time(self.as_of_ns)}"
        wrong = len(self.failed)
        verdict = f"all {len(self.checks)} checks hold" if self.ok else f"{wrong} of {len(self.checks)} checks FAILED"
        return "\n".join([*lines, f"{verdict}, {when}"])


def shown_time(ns: int) -> str:
    try:
        return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{ns} ns"


@dataclass
class Topic:
    """A check in the making. Problems are collected, so that one look shows all of them."""

    name: str
    job: int | None = None
    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def require(self, holds: bool, problem: str) -> bool:
        if not holds:
            self.problems.append(problem)
        return holds

    def fact(self, text: str) -> None:
        self.facts.append(text)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What cannot be read is one more problem, not the end."""
        try:
            yield
        except Malformed as error:
            self.problems.append(str(error))

    def check(self) -> Check:
        if not self.problems:
            return Check(self.name, True, "; ".join(self.facts) or "holds", self.job)
        more = len(self.problems) - MAX_SHOWN
        shown = self.problems[:MAX_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        return Check(self.name, False, "; ".join(shown), self.job)


class Findings:
    """The checks of one verification, in the order in which they were begun."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._times_ns: list[int] = []

    def topic(self, name: str, job: int | None = None) -> Topic:
        return self._topics.setdefault(name, Topic(name, job))

    def seen_at(self, time_ns: int) -> None:
        self._times_ns.append(time_ns)

    def report(self) -> Report:
        return Report([topic.check() for topic in self._topics.values()], min(self._times_ns, default=None))
