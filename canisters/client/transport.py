"""One kept-alive HTTP connection to the network, below the agent.

ic-py's client opens a connection a request, speaks only the v2 endpoints and decodes whatever comes, refusals too. Here the newest
endpoints are used, and the HTTP status is looked at before anything is decoded. Source: interface specification, "HTTPS Interface".
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import httpx

from canisters.interface import cbor
from canisters.interface.principal import Principal

from .errors import AnswerMalformed, ChainUnavailable, RequestRefused

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # ic-py's generated parser has escapes that newer Pythons warn of
    from ic.client import Client

MAX_ANSWER_BYTES = 16 << 20  # replies are at most 3 MiB (updates 2 MiB), certificates are smaller
ATTEMPT_S = 30.0  # a synchronous call is answered, or turned into a 202, well before this
STATUS_S = 10.0
_BUSY = (429, 502, 503, 504)


@dataclass(frozen=True)
class Deadline:
    """A moment after which nothing more is tried."""

    at_s: float

    @classmethod
    def within(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @property
    def left_s(self) -> float:
        return self.at_s - time.monotonic()


@dataclass(frozen=True)
class _Response:
    status_code: int
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class KeptAliveClient(Client):  # type: ignore[misc]  # ic-py has no types
    """Safe to share between threads."""

    def __init__(self, url: str) -> None:
        super().__init__(url.rstrip("/"))
        self.http = httpx.Client(headers={"Content-Type": "application/cbor"}, trust_env=False, follow_redirects=False)

    def close(self) -> None:
        self.http.close()

    def query(self, canister_id: Principal, data: bytes, deadline: Deadline | None = None) -> bytes:
        """The answer's CBOR, its signature still unchecked. Raises ChainUnavailable, RequestRefused."""
        return self._post(f"/api/v3/canister/{canister_id}/query", data, deadline).content

    def call(self, canister_id: Principal, req_id: bytes, data: bytes, deadline: Deadline | None = None) -> bytes:
        """The answer's CBOR, or nothing when the network took the call but has no answer yet. Raises ChainUnavailable, RequestRefused."""
        response = self._post(f"/api/v4/canister/{canister_id}/call", data, deadline)
        return b"" if response.status_code == 202 else response.content

    def read_state(self, canister_id: Principal, data: bytes, deadline: Deadline | None = None) -> bytes:
        """The answer's CBOR, its certificate still unchecked. Raises ChainUnavailable, RequestRefused."""
        return self._post(f"/api/v3/canister/{canister_id}/read_state", data, deadline).content

    def status(self) -> dict[str, Any]:
        """What the network says of itself; nothing of it is proven. Raises ChainUnavailable, RequestRefused, AnswerMalformed."""
        return decoded(self._once("GET", "/api/v2/status", None, STATUS_S).content)

    def _post(self, path: str, body: bytes, deadline: Deadline | None) -> _Response:
        """Send until somebody answers. The bytes stay the same, and the network runs a request id once: a call is never run twice."""
        deadline = deadline or Deadline.within(ATTEMPT_S)
        pause_s = 0.1
        while True:
            timeout = max(0.5, min(ATTEMPT_S, deadline.left_s))
            try:
                return self._once("POST", path, body, timeout)
            except ChainUnavailable:
                if deadline.left_s < pause_s:
                    raise
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, 2.0)

    def _once(self, method: str, path: str, body: bytes | None, timeout_s: float) -> _Response:
        """Raises ChainUnavailable, RequestRefused, AnswerMalformed."""
        try:
            with self.http.stream(method, self.url + path, content=body, timeout=timeout_s) as response:
                answer = _Response(response.status_code, self._read(response, time.monotonic() + timeout_s))
        except httpx.TransportError as error:
            raise ChainUnavailable(f"{self.url} does not answer ({type(error).__name__}: {error})") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AnswerMalformed(f"{self.url} does not speak HTTP as it should: {error}") from error
        if answer.status_code in _BUSY:
            raise ChainUnavailable(f"{self.url} is busy ({answer.status_code} {answer.text[:200]})")
        if not 200 <= answer.status_code < 300:
            raise RequestRefused(answer.status_code, answer.text[:500])
        return answer

    def _read(self, response: httpx.Response, until_s: float) -> bytes:
        """The body; whoever answers can neither fill this machine's memory nor drip for ever."""
        parts: list[bytes] = []
        size_bytes = 0
        for part in response.iter_bytes():
            size_bytes += len(part)
            if size_bytes > MAX_ANSWER_BYTES:
                raise AnswerMalformed(f"{self.url} answers with more than {MAX_ANSWER_BYTES} bytes, as no answer has")
            if time.monotonic() > until_s:
                raise httpx.ReadTimeout("the answer does not end")
            parts.append(part)
        return b"".join(parts)


def decoded(body: bytes) -> dict[str, Any]:
    """Raises AnswerMalformed."""
    try:
        answer = cbor.loads(body)
    except cbor.MalformedCbor as error:
        raise AnswerMalformed(f"the network's answer is not CBOR: {error}") from error
    if not isinstance(answer, dict):
        raise AnswerMalformed("the network's answer is not a map")
    return answer


def bytes_of(fields: Any, name: str) -> bytes:
    """The field `name` as bytes. Raises AnswerMalformed."""
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, bytes):
        raise AnswerMalformed(f"the network's answer lacks {name}")
    return value


def natural_of(fields: Any, name: str) -> int:
    """The field `name` as a natural number. Raises AnswerMalformed."""
    value = fields.get(name) if isinstance(fields, dict) else None
    if type(value) is not int or value < 0:
        raise AnswerMalformed(f"the network's answer lacks {name}")
    return value
