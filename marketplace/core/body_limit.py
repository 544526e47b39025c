"""No request body above a limit comes in at all.

Django writes a body to a file, however large, before any code of ours sees the request: so it is counted here, in front of Django."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .errors import TooLarge, error_body

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Exceeded(Exception):
    """More came than was announced or may be."""


class BodyLimit:
    """An ASGI application in front of another. `limit`: bytes of one body."""

    def __init__(self, application: Application, limit: int) -> None:
        self.application = application
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        if _announced(scope) > self.limit:
            await self._refuse(send)
            return
        came, answering = 0, False

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self.limit:
                raise _Exceeded
            return message

        async def noted(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self.application(scope, counted, noted)
        except _Exceeded:
            if not answering:
                await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        error = TooLarge(
            f"The request is too large: at most {self.limit} bytes are taken at once. Send less, or in parts."
        )
        body = json.dumps(error_body(error)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
