"""A body above the limit does not come in: neither when it says so, nor when it lies."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from marketplace.core.body_limit import BodyLimit


def asked(parts: list[bytes], headers: list[tuple[bytes, bytes]] = [], limit: int = 10) -> tuple[int, bytes, int]:  # noqa: B006 - never changed
    """Status, body, and how many bytes the application behind it read."""
    sent: list[Any] = []
    read = 0
    waiting = [
        {"type": "http.request", "body": part, "more_body": index + 1 < len(parts)} for index, part in enumerate(parts)
    ]

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        nonlocal read
        more = True
        while more:
            message = await receive()
            read += len(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(BodyLimit(application, limit)({"type": "http", "headers": headers}, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent), read


def test_a_body_within_the_limit_passes() -> None:
    assert asked([b"12345", b"67890"], [(b"content-length", b"10")]) == (200, b"ok", 10)


def test_a_body_that_announces_too_much_is_refused_unread() -> None:
    status, body, read = asked([b"x" * 11], [(b"content-length", b"11")])

    assert (status, read) == (413, 0)
    assert json.loads(body)["error"]["code"] == "too_large"


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"5")], [(b"content-length", b"many")]])
def test_a_body_that_grows_beyond_the_limit_is_cut_off(headers: list[tuple[bytes, bytes]]) -> None:
    status, _, read = asked([b"x" * 6, b"x" * 6, b"x" * 6], headers)

    assert status == 413
    assert read == 6


def test_what_is_no_request_passes() -> None:
    seen: list[str] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(BodyLimit(application, 1)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]  # never called

    assert seen == ["lifespan"]
