"""A job as it happens: server-sent events, from the broker for what training says, from the index for what the chain says.

`id` is the number of the last event, so a browser that lost its connection goes on where it was (Last-Event-ID, or ?after). When the job
is over the stream ends; a browser that asks again after the end is told by 204 that there is no more to come.
Source: HTML standard, "Server-sent events"."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from redis.exceptions import RedisError

from marketplace.core import events
from marketplace.core.api import whole_number
from marketplace.core.errors import MarketError, error_body

from . import selectors
from .progress import channel_of
from .record import OVER

WAIT_S = 1.0  # how soon a change of the chain's record shows
HEARTBEAT_S = 10.0
LONGEST_S = 30 * 60.0  # then the browser connects anew: a connection that nobody reads must not stay for ever
RETRY_MS = 2_000


async def job_events(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """GET jobs/{id}/events"""
    if request.method != "GET":
        said = {"error": {"code": "method_not_allowed", "message": "Only GET is offered here."}}
        return JsonResponse(said, status=405, headers={"Allow": "GET"})
    given = request.headers.get("Last-Event-ID") or request.GET.get("after") or ""
    try:
        after = whole_number(given, "after") if given else 0
        job = await _job(job_id)
        if given and job["state"] in OVER and after >= await sync_to_async(_last_number)(job_id):
            return HttpResponse(status=204)
    except MarketError as error:
        return JsonResponse(error_body(error), status=error.status)
    unheld = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy must not hold it back
    return StreamingHttpResponse(_stream(job_id, after), content_type="text/event-stream", headers=unheld)


async def _stream(job_id: int, after: int) -> AsyncIterator[bytes]:
    started_s = spoken_s = time.monotonic()
    shown: dict[str, Any] | None = None
    yield f"retry: {RETRY_MS}\n\n".encode()
    while time.monotonic() < started_s + LONGEST_S:
        job = await _job(job_id)
        over = job["state"] in OVER
        found = await (sync_to_async(_logged)(job_id, after) if over else _live(job_id, after))
        for event in found:
            after = event["seq"]
            yield _message("progress", event, after)
        if job != shown:
            shown = job
            yield _message("job", job, after if over else None)
        elif not found and time.monotonic() > spoken_s + HEARTBEAT_S:
            after = await _still_known(job_id, after)
            yield b": still here\n\n"
        elif not found:
            continue
        spoken_s = time.monotonic()
        if over:
            return


@sync_to_async
def _job(job_id: int) -> dict[str, Any]:
    """Raises NotFound. A stream lasts long and asks seldom, so it keeps no connection to the database in between."""
    try:
        return selectors.jobs_shown([selectors.job_row(job_id)])[0]
    finally:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _logged(job_id: int, after: int) -> list[dict[str, Any]]:
    try:
        return [event for event in selectors.progress_of(selectors.job_row(job_id)) if event["seq"] > after]
    except RedisError:
        return []  # a job that ended without a result, and the broker is away


def _last_number(job_id: int) -> int:
    found = _logged(job_id, 0)
    return int(found[-1]["seq"]) if found else 0


async def _live(job_id: int, after: int) -> list[dict[str, Any]]:
    try:
        return await events.listen(channel_of(job_id), after, WAIT_S)
    except RedisError:
        await asyncio.sleep(WAIT_S)  # what the chain says still comes
        return []


async def _still_known(job_id: int, after: int) -> int:
    """`after`, or 0 when the broker has lost what it had: its numbers have begun anew."""
    return after if after <= await sync_to_async(_last_number)(job_id) else 0


def _message(kind: str, data: dict[str, Any], number: int | None) -> bytes:
    head = f"id: {number}\n" if number is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
