"""The chain's own HTTP interface on the page's own origin: one port, no cross-origin requests, and `connect-src 'self'` is enough.

Nothing is trusted here and nothing is added: the page signs what goes out and verifies what comes back. Only the interface's four verbs
pass, without cookies or credentials. The answer is streamed as it comes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary

import httpx
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from marketplace.core.errors import MarketError

from .canisters import deployment

# A synchronous call is answered, or turned into a 202, within 20 seconds or so.
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
_POST = re.compile(r"(canister/[a-z0-9-]{5,63}/(call|query|read_state)|subnet/[a-z0-9-]{5,63}/(query|read_state))")
_PASSED_BACK = ("content-type", "content-length", "retry-after")
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()


def _client() -> httpx.AsyncClient:
    """One for each event loop: a connection cannot move between loops."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = httpx.AsyncClient(timeout=_TIMEOUT, limits=_LIMITS, trust_env=False, follow_redirects=False)
    return _clients[loop]


async def chain_proxy(request: HttpRequest, version: str, rest: str) -> HttpResponseBase:
    """GET status; POST call, query, read_state. 404 for other addresses, 405 for other methods, 413, 503 while the chain is away."""
    is_status = rest == "status"
    if not is_status and not _POST.fullmatch(rest):
        return _plain(
            404, "The chain's interface has no such address: status, and call, query and read_state of a canister."
        )
    allowed = ("GET", "HEAD") if is_status else ("POST",)
    if request.method is None or request.method not in allowed:
        refusal = _plain(405, f"Only {' and '.join(allowed)} here.")
        refusal["Allow"] = ", ".join(allowed)
        return refusal
    size = int(request.headers.get("Content-Length") or 0)
    if size > settings.MAX_CHAIN_REQUEST_BYTES:
        return _plain(413, f"The request has {size} bytes; the network takes 2 MiB at most.")
    body = b"" if is_status else request.body
    try:
        url = f"{deployment().url}/api/{version}/{rest}"
    except MarketError as error:
        return _plain(503, error.message)
    client = _client()
    outgoing = client.build_request(
        request.method, url, content=body or None, headers={"Content-Type": "application/cbor"}
    )
    try:
        answer = await client.send(outgoing, stream=True)
    except httpx.HTTPError:
        return _plain(503, "The chain does not answer. Nothing is lost: try again in a moment.")
    return _passed_on(answer)


def _passed_on(answer: httpx.Response) -> StreamingHttpResponse:
    encoded = "content-encoding" in answer.headers  # then what is decoded here has another length
    response = StreamingHttpResponse(_stream(answer), status=answer.status_code)
    del response["Content-Type"]
    for name in _PASSED_BACK:
        if name in answer.headers and not (encoded and name == "content-length"):
            response[name] = answer.headers[name]
    response["Cache-Control"] = "no-store"
    return response


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_bytes():
            yield part
    finally:
        await answer.aclose()


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(
        text, status=status, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
    )
