"""The marketplace's HTTP API, one method an endpoint. Answers are JSON as the API gives it: hashes in hex, amounts and times as strings.

Anybody may read. What changes something wants a session (`Person.sign_in`) or an API token, whose secret goes into `Market`.
Reads, and writes that may safely be made twice, are sent again while the server is away.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

Json = dict[str, Any]
PATIENCE_S = 60.0
_PAUSES_S = (0.1, 0.3, 1.0, 2.0)
_AWAY = frozenset({502, 503, 504})


class MarketRefused(Exception):
    """The marketplace, or the chain through it, said no. `status`: HTTP's; `code`, `message`, `fields`: as the API words it."""

    def __init__(self, status: int, code: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{message} ({status} {code})")
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})


class MarketUnavailable(Exception):
    """The marketplace does not answer, or not as the API should. Nothing is known about the last call."""


class Market:
    """`url`: the page's address, such as http://localhost:8080. `secret`: of a session or an API token."""

    def __init__(
        self, url: str, secret: str | None = None, *, patience_s: float = PATIENCE_S, http: httpx.Client | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self.secret = secret
        self.patience_s = patience_s
        self.http = http or httpx.Client(base_url=f"{self.url}/api/market/", timeout=60.0, trust_env=False)

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Market:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def acting_with(self, secret: str) -> Market:
        """The same marketplace, over the same connection, with another session or token."""
        return Market(self.url, secret, patience_s=self.patience_s, http=self.http)

    # --- the network and what happened on it ---

    def health(self) -> Json:
        return self._json("GET", "health")

    def network(self) -> Json:
        return self._json("GET", "network")

    def activity(self, **filters: Any) -> Iterator[Json]:
        return self._pages("activity", filters)

    # --- signing in ---

    def challenge(self, principal: str) -> Json:
        return self._json("POST", "auth/challenge", {"principal": principal})

    def sign_in(self, answer: Json) -> Json:
        return self._json("POST", "auth/sign-in", answer, again=False)

    def sign_out(self) -> None:
        self._send("POST", "auth/sign-out", content=b"{}")

    def me(self) -> Json:
        return self._json("GET", "me")

    def tokens(self) -> Iterator[Json]:
        return self._pages("tokens", {})

    def token_request(self, name: str, targets: list[str]) -> Json:
        """Ask for an API token: the server makes a key that the caller's delegation must name. `targets`: canisters' names or ids."""
        return self._json("POST", "tokens", {"name": name, "targets": targets}, again=False)

    def token_activate(self, token_id: int, delegation: Json) -> Json:
        """Hand over the signed delegation. The answer has the token's `secret`, which is shown this once."""
        return self._json("POST", f"tokens/{token_id}/activate", {"delegation": delegation}, again=False)

    def token_revoke(self, token_id: int) -> None:
        self._send("DELETE", f"tokens/{token_id}")

    # --- data ---

    def datasets(self, **filters: Any) -> Iterator[Json]:
        return self._pages("datasets", filters)

    def dataset(self, dataset_id: int) -> Json:
        return self._json("GET", f"datasets/{dataset_id}")

    def blob_put(self, data: bytes) -> str:
        """Keep public bytes; returns their SHA-256 in hex."""
        answer = self._json_of(self._send("POST", "blobs", content=data, raw=True))
        name = hashlib.sha256(data).hexdigest()
        if answer.get("sha256") != name:
            raise MarketUnavailable("the marketplace kept other bytes than were sent")
        return name

    def blob(self, sha256: str) -> bytes:
        """Bytes by their SHA-256, checked. Raises MarketRefused (404), MarketUnavailable (other bytes than asked for)."""
        data = self._send("GET", f"blobs/{sha256}").content
        if hashlib.sha256(data).hexdigest() != sha256:
            raise MarketUnavailable(f"the marketplace gave other bytes than {sha256}")
        return data

    def upload(
        self, manifest: Json, chunks: tuple[bytes, ...], on_chunk: Callable[[int, int], None] = lambda _done, _total: None
    ) -> str:
        """Send the chunks of a sealed file that are not there yet; returns the manifest's hash. Interrupted, call it again."""
        begun = self._json("POST", "uploads", {"manifest": manifest})
        missing = list(begun["missing"])
        total = len(chunks)
        on_chunk(total - len(missing), total)
        for done, index in enumerate(missing, total - len(missing) + 1):
            self._send("PUT", f"uploads/{begun['manifest_hash']}/chunks/{index}", content=chunks[index], raw=True)
            on_chunk(done, total)
        return str(begun["manifest_hash"])

    def key_put(self, dataset_id: int, version: int, worker: str, wrapped: bytes) -> None:
        self._send("PUT", f"datasets/{dataset_id}/versions/{version}/keys/{worker}", content=wrapped, raw=True)

    # --- jobs ---

    def recipes(self) -> list[Json]:
        recipes: list[Json] = self._json_of(self._send("GET", "recipes"), list)
        return recipes

    def workers(self) -> list[Json]:
        workers: list[Json] = self._json_of(self._send("GET", "workers"), list)
        return workers

    def jobs(self, **filters: Any) -> Iterator[Json]:
        return self._pages("jobs", filters)

    def job(self, job_id: int) -> Json:
        return self._json("GET", f"jobs/{job_id}")

    def job_propose(self, proposal: Json) -> Json:
        """Needs an API token. Give `key` (32 hex digits) to make a repeated call propose once."""
        return self._json("POST", "jobs", proposal, again="key" in proposal)

    def job_fund(self, job_id: int) -> Json:
        return self._json("POST", f"jobs/{job_id}/fund", {})

    def job_cancel(self, job_id: int) -> Json:
        return self._json("POST", f"jobs/{job_id}/cancel", {})

    def job_release(self, job_id: int) -> Json:
        return self._json("GET", f"jobs/{job_id}/release")

    def requests(self) -> Iterator[Json]:
        return self._pages("requests", {})

    def job_progress(self, job_id: int) -> list[Json]:
        events: list[Json] = self._json("GET", f"jobs/{job_id}/progress")["events"]
        return events

    def job_events(self, job_id: int, after: str = "") -> Iterator[Json]:
        """Live events of a job: {"seq", "event": "progress" or "job", "data"}. Ends when the job is over or the connection is lost."""
        fields: dict[str, str] = {}
        try:
            with self.http.stream(
                "GET", f"jobs/{job_id}/events", params={"after": after} if after else {}, headers=self._headers(), timeout=90.0
            ) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise self._refusal(answer)
                for line in answer.iter_lines():
                    if line:
                        name, _, value = line.partition(":")
                        fields[name] = value.lstrip(" ")
                    elif "data" in fields:
                        yield {"seq": fields.get("id", ""), "event": fields.get("event", ""), "data": json.loads(fields["data"])}
                        fields = {}
        except httpx.TransportError:
            return

    # --- models ---

    def models(self, **filters: Any) -> Iterator[Json]:
        return self._pages("models", filters)

    def model(self, canister: str) -> Json:
        return self._json("GET", f"models/{canister}")

    def proposals(self, canister: str) -> Iterator[Json]:
        return self._pages(f"models/{canister}/proposals", {})

    def proposal(self, canister: str, proposal_id: int) -> Json:
        return self._json("GET", f"models/{canister}/proposals/{proposal_id}")

    def votes(self) -> Iterator[Json]:
        return self._pages("votes", {})

    # --- money ---

    def account(self, principal: str) -> Json:
        return self._json("GET", f"accounts/{principal}")

    def earnings(self, principal: str) -> Json:
        return self._json("GET", f"accounts/{principal}/earnings")

    def transfers(self, principal: str) -> Iterator[Json]:
        return self._pages(f"accounts/{principal}/transfers", {})

    # --- within ---

    def _pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[Json]:
        page = 1
        while True:
            answer = self._json("GET", path, params={**filters, "page": page, "page_size": 100})
            yield from answer["results"]
            if not answer["next"]:
                return
            page += 1

    def _json(
        self, method: str, path: str, body: Json | None = None, *, params: Mapping[str, Any] | None = None, again: bool = True
    ) -> Json:
        content = None if body is None else json.dumps(body).encode()
        answer: Json = self._json_of(self._send(method, path, content=content, params=params, again=again))
        return answer

    def _json_of(self, answer: httpx.Response, kind: type = dict) -> Any:
        try:
            value = answer.json()
        except ValueError as error:
            raise MarketUnavailable(f"{answer.url} did not answer in JSON") from error
        if not isinstance(value, kind):
            raise MarketUnavailable(f"{answer.url} answered with something else than it should")
        return value

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        raw: bool = False,
        again: bool = True,
    ) -> httpx.Response:
        """Send, and send again while nobody answers. Raises MarketRefused, MarketUnavailable."""
        kind = "application/octet-stream" if raw else "application/json"
        headers = {**self._headers(), **({"Content-Type": kind} if content is not None else {})}
        until = time.monotonic() + self.patience_s
        pauses = iter(_PAUSES_S)
        while True:
            pause_s = next(pauses, _PAUSES_S[-1])
            late = time.monotonic() + pause_s > until or not again
            try:
                answer = self.http.request(method, path, content=content, params=dict(params or {}), headers=headers)
            except httpx.TransportError as error:
                if late:
                    raise MarketUnavailable(f"{self.url} does not answer: {error}") from error
            else:
                if answer.status_code < 400:
                    return answer
                if answer.status_code not in _AWAY or late:
                    raise self._refusal(answer)
            time.sleep(pause_s)

    def _refusal(self, answer: httpx.Response) -> MarketRefused:
        try:
            error = answer.json()["error"]
            return MarketRefused(answer.status_code, error["code"], error["message"], error.get("fields"))
        except (ValueError, KeyError, TypeError):
            return MarketRefused(answer.status_code, "unknown", answer.text[:200] or answer.reason_phrase)
