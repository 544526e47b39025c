"""Live events by channel: a worker publishes, whoever looks at the page listens. In Redis (or Valkey) streams.

Numbered from 1 without gaps, the newest MAX_EVENTS are kept, a channel that nobody writes to is forgotten after KEPT_S. What must last is
kept elsewhere (the log of a settled job is an artifact). Every function raises redis's RedisError when the broker does not answer."""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings

MAX_EVENTS = 2_000
KEPT_S = 7 * 24 * 3600
Event = dict[str, Any]
_TIMEOUT_S = 3.0


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)


_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, redis.asyncio.Redis]] = WeakKeyDictionary()


def _async_client(url: str) -> redis.asyncio.Redis:
    """One for each event loop: a connection cannot move between loops."""
    clients = _async_clients.setdefault(asyncio.get_running_loop(), {})
    if url not in clients:
        clients[url] = redis.asyncio.Redis.from_url(url, socket_connect_timeout=_TIMEOUT_S)
    return clients[url]


def ping() -> None:
    _client(settings.REDIS_URL).ping()


def publish(channel: str, event: Event) -> int:
    """Add an event. Returns its number."""
    data = json.dumps(event, allow_nan=False)
    pipe: Any = _client(settings.REDIS_URL).pipeline()
    pipe.execute_command("XADD", _key(channel), "MAXLEN", MAX_EVENTS, "0-*", "event", data)
    pipe.expire(_key(channel), KEPT_S)
    return _number(pipe.execute()[0])


def recent(channel: str, after: int = 0, limit: int = MAX_EVENTS) -> list[Event]:
    """The newest events with a number above `after`, oldest first; each has its number in "seq"."""
    found: Any = _client(settings.REDIS_URL).xrevrange(_key(channel), "+", f"(0-{after}", count=limit)
    return [_event(entry) for entry in reversed(found)]


async def listen(channel: str, after: int, wait_s: float, limit: int = 200) -> list[Event]:
    """The first events after `after`; waits up to `wait_s` seconds for one. Empty when none came."""
    client = _async_client(settings.REDIS_URL)
    wait_ms = max(1, int(wait_s * 1000))
    found: Any = await client.xread({_key(channel): f"0-{after}"}, count=limit, block=wait_ms)
    entries = found if isinstance(found, list) else list(found.items())
    return [_event(entry) for _, listed in entries for entry in listed]


def forget(channel: str) -> None:
    _client(settings.REDIS_URL).delete(_key(channel))


def _key(channel: str) -> str:
    return f"commonweight:events:{channel}"


def _number(identifier: bytes) -> int:
    return int(identifier.split(b"-")[1])


def _event(entry: tuple[bytes, dict[bytes, bytes]]) -> Event:
    identifier, fields = entry
    return {"seq": _number(identifier), **json.loads(fields[b"event"])}
