"""The chain's interface on the page's origin: four verbs pass as they are, nothing else does, and a chain that is away is said plainly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import AsyncClient

from canisters.client.deployment import Deployment
from marketplace.chain import proxy

CANISTER = "rwlgt-iiaaa-aaaaa-aaaaa-cai"


class Upstream(ThreadingHTTPServer):
    """A chain that says what it was asked. `seen`: (method, path, headers, body)."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: tuple[int, bytes, dict[str, str]] = (
            200,
            b"\xd9\xd9\xf7\xa0",
            {"Content-Type": "application/cbor"},
        )


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        status, data, headers = self.server.answer
        self.send_response(status)
        for name, value in {
            **headers,
            "Content-Length": str(len(data)),
            "Set-Cookie": "a=b",
            "Access-Control-Allow-Origin": "*",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _any  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def upstream(settings: Any, no_chain: Deployment) -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    settings.IC_URL = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def asked(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, Any]:
    """Through the whole ASGI stack. Returns status, body, headers."""
    return asyncio.run(_asked(method, path, body, headers))


async def _asked(method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, Any]:
    client = AsyncClient()
    answer = await client.generic(method, path, body, "application/cbor", headers=headers)
    content = b"".join([part async for part in answer]) if answer.streaming else answer.content
    await proxy._client().aclose()
    proxy._clients.clear()
    return answer.status_code, content, answer.headers


@pytest.mark.parametrize(
    "verb",
    [
        "v2/canister/{id}/call",
        "v3/canister/{id}/query",
        "v4/canister/{id}/call",
        "v3/canister/{id}/read_state",
        "v2/subnet/{id}/read_state",
    ],
)
def test_the_four_verbs_pass_as_they_are(upstream: Upstream, verb: str) -> None:
    path = f"/api/{verb.format(id=CANISTER)}"

    status, content, headers = asked("POST", path, b"\x01\x02")

    assert (status, content) == (200, b"\xd9\xd9\xf7\xa0")
    assert headers["Content-Type"] == "application/cbor"
    assert [(method, where, body) for method, where, _, body in upstream.seen] == [("POST", path, b"\x01\x02")]


def test_the_status_is_only_read(upstream: Upstream) -> None:
    assert asked("GET", "/api/v2/status")[0] == 200
    assert asked("POST", "/api/v2/status")[0] == 405
    assert len(upstream.seen) == 1


def test_neither_cookies_nor_credentials_pass_in_either_direction(upstream: Upstream) -> None:
    _, _, headers = asked(
        "POST", f"/api/v2/canister/{CANISTER}/query", b"x", Authorization="Bearer cws_secret", Cookie="s=1"
    )

    sent = {name.lower() for name in upstream.seen[0][2]}
    assert not {"authorization", "cookie"} & sent
    assert "Set-Cookie" not in headers
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/api/v2/canister/x/../status", f"/api/v2/canister/{CANISTER}/install", "/_/time", "/api/v2/_/time", f"/api/v2/canister/{CANISTER}/call/x",
     "/api/v2/canister/a@evil.example/call", "/api/v2/canister//call", "/api/v2/", "/api/v2/status/"],
)  # fmt: skip
def test_nothing_else_reaches_the_chain(upstream: Upstream, path: str) -> None:
    status, _, _ = asked("POST", path, b"x")

    assert status in (404, 405)
    assert upstream.seen == []


def test_the_chains_refusal_is_passed_on_with_its_words(upstream: Upstream) -> None:
    upstream.answer = (400, b"Invalid request expiry: too far in the future", {"Content-Type": "text/plain"})

    status, content, _ = asked("POST", f"/api/v2/canister/{CANISTER}/query", b"x")

    assert (status, content) == (400, b"Invalid request expiry: too far in the future")


def test_a_request_larger_than_the_network_takes_is_refused_here(upstream: Upstream, settings: Any) -> None:
    settings.MAX_CHAIN_REQUEST_BYTES = 10

    status, content, _ = asked("POST", f"/api/v2/canister/{CANISTER}/call", b"x" * 11)

    assert status == 413
    assert b"2 MiB" in content
    assert upstream.seen == []


def test_a_chain_that_is_away_is_said_plainly(no_chain: Deployment) -> None:
    status, content, headers = asked("POST", f"/api/v2/canister/{CANISTER}/query", b"x")

    assert status == 503
    assert headers["Content-Type"].startswith("text/plain")
    assert b"does not answer" in content


def test_before_anything_is_deployed_one_is_told_so(settings: Any, tmp_path: Any) -> None:
    settings.DEPLOYMENT = tmp_path / "nothing.json"

    status, content, _ = asked("GET", "/api/v2/status")

    assert status == 503
    assert b"not set up yet" in content


def test_a_large_answer_comes_whole(upstream: Upstream) -> None:
    upstream.answer = (200, bytes(range(256)) * 8192, {"Content-Type": "application/cbor"})

    _, content, headers = asked("POST", f"/api/v3/canister/{CANISTER}/query", b"x")

    assert content == upstream.answer[1]
    assert headers["Content-Length"] == str(len(content))
