"""Live events are numbered without gaps, kept for latecomers, and heard by whoever waits."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from redis.exceptions import RedisError

from marketplace.core import events
from tests.marketplace.conftest import Api

pytestmark = pytest.mark.usefixtures("broker")


def test_events_are_numbered_from_one() -> None:
    numbers = [events.publish("job-1", {"kind": "log", "text": str(n)}) for n in range(3)]

    assert numbers == [1, 2, 3]
    assert [event["seq"] for event in events.recent("job-1")] == [1, 2, 3]
    assert events.recent("job-1")[0]["text"] == "0"


def test_channels_do_not_mix() -> None:
    events.publish("job-1", {"kind": "log"})

    assert events.recent("job-2") == []


def test_one_goes_on_behind_what_one_has() -> None:
    for _ in range(5):
        events.publish("job-1", {})

    assert [event["seq"] for event in events.recent("job-1", after=3)] == [4, 5]
    assert [event["seq"] for event in asyncio.run(events.listen("job-1", 3, 0.01))] == [4, 5]


def test_only_the_newest_are_kept_and_the_numbers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENTS", 3)
    for _ in range(5):
        events.publish("job-1", {})

    assert [event["seq"] for event in events.recent("job-1")] == [3, 4, 5]
    assert events.publish("job-1", {}) == 6


def test_who_waits_hears_at_once() -> None:
    async def waiting() -> list[dict[str, Any]]:
        threading.Timer(0.05, events.publish, ("job-1", {"text": "hello"})).start()
        return await events.listen("job-1", 0, 5.0)

    assert asyncio.run(waiting()) == [{"seq": 1, "text": "hello"}]


def test_waiting_ends_when_nothing_comes() -> None:
    assert asyncio.run(events.listen("job-1", 0, 0.01)) == []


def test_a_channel_is_forgotten() -> None:
    events.publish("job-1", {})
    events.forget("job-1")

    assert events.recent("job-1") == []


def test_an_event_that_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        events.publish("job-1", {"loss": float("nan")})


def test_a_broker_that_is_away_is_said_and_health_shows_it(settings: Any, api: Api, no_chain: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"

    with pytest.raises(RedisError):
        events.publish("job-1", {})

    shown = api.get("health").json()
    assert shown["status"] == "degraded"
    assert shown["checks"]["broker"].startswith("The message broker does not answer")
    assert shown["checks"]["database"] == "ok"
