"""What a training says of itself while it runs: live through the broker, and in the end as the job's public log.

Both number the events in the same way, so that a page that followed live goes on reading where it was. When the broker is away the
training goes on and its log is complete; only the live view has a gap."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

from redis.exceptions import RedisError

from marketplace.client.canonical import canonical_json
from marketplace.core import events
from marketplace.core.strict_json import NotStrictJson, strict_json

log = logging.getLogger(__name__)
MAX_EVENTS = 20_000  # some 3 MB; a longer log keeps its end


def channel_of(job_id: int) -> str:
    """Where the events of a job's training are published."""
    return f"job-{job_id}"


class Progress:
    """Takes events from `training.run`."""

    def __init__(self, job_id: int) -> None:
        self._channel = channel_of(job_id)
        self._events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self._seq = 0

    def __call__(self, event: dict[str, Any]) -> None:
        event = {"at_ns": str(time.time_ns()), **event}
        try:
            seq = events.publish(self._channel, event)
        except RedisError as error:
            log.warning("the broker does not answer, the live view of %s has a gap: %s", self._channel, error)
            seq = 0
        self._seq = max(self._seq + 1, seq)
        self._events.append({"seq": self._seq, **event})

    def note(self, text: str) -> None:
        self({"kind": "log", "text": text})

    def as_lines(self) -> bytes:
        """One event a line, in JSON."""
        return b"".join(canonical_json(event) + b"\n" for event in self._events)


def events_of(lines: bytes, limit: int) -> list[dict[str, Any]]:
    """The last events of a log. What is not an event (a log is whatever a worker had hashed) is left out."""
    found = []
    for line in lines.split(b"\n")[-limit - 1 :]:
        try:
            event = strict_json(line)
        except NotStrictJson:
            continue
        if isinstance(event, dict) and type(event.get("seq")) is int:
            found.append(event)
    return found[-limit:]
