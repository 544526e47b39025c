"""The two tasks as the broker calls them: what is wrong with the chain never ends them, and a run is asked for with an expiry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from canisters.client import ChainUnavailable
from marketplace.governance.tasks import releases_look
from marketplace.jobs import tasks
from marketplace.jobs.tasks import job_run, jobs_look

TASKS: list[Any] = [jobs_look, releases_look, lambda: job_run(1)]


@pytest.mark.parametrize("task", TASKS)
def test_before_anything_is_deployed_a_task_does_nothing(db: None, settings: Any, tmp_path: Path, task: Any) -> None:
    settings.DEPLOYMENT = tmp_path / "nothing.json"

    assert task() is None


@pytest.mark.parametrize("error", [ChainUnavailable("away"), ConnectionRefusedError()])
def test_a_chain_that_is_away_ends_a_round_and_a_fault_of_ours_is_seen(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(_: Any) -> None:
        raise error

    monkeypatch.setattr(tasks, "look", away)

    if isinstance(error, ChainUnavailable):
        assert jobs_look() is None
    else:
        with pytest.raises(ConnectionRefusedError):
            jobs_look()


def test_every_job_that_a_look_finds_is_asked_to_run_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks, "look", lambda _: [3, 5])
    monkeypatch.setattr(job_run, "apply_async", lambda args, expires: asked.append((args, expires)))

    jobs_look()

    assert asked == [((3,), tasks.QUEUED_S), ((5,), tasks.QUEUED_S)]


def test_tasks_have_the_names_that_the_schedule_knows(settings: Any) -> None:
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}

    assert scheduled == {jobs_look.name, releases_look.name}
