"""Jobs that wait for what others must bring: said on the job's page, looked at again every few seconds, and not for ever."""

from __future__ import annotations

import time

from redis.exceptions import RedisError

from marketplace.core import events

from .errors import Deterministic
from .models import Job, JobWait
from .progress import channel_of
from .record import Record

MAX_WAIT_NS = (
    24 * 3600 * 10**9
)  # and at most three quarters of the time to finish, so that the reason is said before the job expires
LOOK_AGAIN_NS = 5 * 10**9


def note_wait(job_id: int, text: str) -> None:
    before = JobWait.objects.filter(job_id=job_id).first()
    JobWait.objects.update_or_create(job_id=job_id, defaults={"text": text, "looked_at_ns": time.time_ns()})
    if before is None or before.text != text:
        try:
            events.publish(
                channel_of(job_id), {"kind": "log", "at_ns": str(time.time_ns()), "text": f"Waits for {text}."}
            )
        except RedisError:
            pass  # only the live view misses it; the page has it from the table


def wait_is_over(job_id: int) -> None:
    JobWait.objects.filter(job_id=job_id).delete()


def waited_lately(job_id: int, now_ns: int) -> bool:
    return JobWait.objects.filter(job_id=job_id, looked_at_ns__gt=now_ns - LOOK_AGAIN_NS).exists()


def waits_for(job_ids: list[int]) -> dict[int, str]:
    return dict(JobWait.objects.filter(job_id__in=job_ids).values_list("job_id", "text"))


def wait_or_refuse(record: Record, missing: str) -> Deterministic | None:
    """Note what is missing; once it has been waited for long enough, the refusal to fail the job with."""
    row = Job.objects.filter(id=record["id"]).first()
    since_ns = int((row.record["funded_at_ns"] if row else None) or record["proposed_at_ns"])
    patience_ns = min(MAX_WAIT_NS, (int(record["finish_by_ns"]) - since_ns) * 3 // 4)
    if time.time_ns() < since_ns + patience_ns:
        note_wait(record["id"], missing)
        return None
    return Deterministic("inputs_missing", f"After {_duration(patience_ns)} the job still waited for {missing}.")


def _duration(ns: int) -> str:
    minutes = max(1, ns // (60 * 10**9))
    return f"{minutes // 60} hours" if minutes >= 120 else f"{minutes} minutes"
