"""The HTTP gateway: a browser or curl asks `http://<canister id>.localhost:PORT/...`, and the canister answers as a web server.

A request becomes the query `http_request`; a canister that must change something asks for it again as the update `http_request_update`; a
long body is fetched piece by piece. What a query answers with a certificate is checked before it is handed on, unless the host is
`<canister id>.raw.localhost`; an answer without one is handed on too, and the header X-Response-Verified says which it was.
Source: HTTP Gateway Protocol Specification.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from canisters.interface.candid import CandidError, decode, decode_typed, encode, parse_did
from canisters.interface.candid.types import Opt, Record, Type, Variant, label_id, resolved
from canisters.interface.principal import MalformedPrincipal, Principal
from canisters.interface.request_id import request_id

from . import http_certification
from .http_certification import Exchange, NotCertified
from .ingress import MAX_INGRESS_TTL_NS, Authenticated, RequestRefused
from .state import DESTINATION_INVALID, SYS_TRANSIENT, Answer, Canister, Reject, Reply

MAX_REQUEST_BYTES = 2 << 20
MAX_PIECES = 10_000
MAX_CERTIFIED_BYTES = 64 << 20  # of a body in pieces, which is held until it is checked
VERIFIED = "X-Response-Verified"
CERTIFICATE_VERSION = 2
_METHODS = parse_did((Path(__file__).parent / "http_gateway.did").read_text()).methods
_NOT_HANDED_ON = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade", "trailer", "te"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_STATUS = {DESTINATION_INVALID: 404, SYS_TRANSIENT: 503}

Query = Callable[[Authenticated], Awaitable[Answer]]
Update = Callable[[Authenticated], Awaitable[Answer | None]]


class _Unusable(Exception):
    """What the canister answered is no HTTP response; told to whoever asked, as a bad gateway."""


class Gateway:
    """`query` and `update` put requests to the network as the anonymous principal's; `update` gives None when no answer came in time.
    `root_key`: of the network, DER. `canisters`: by id, for what their metadata says of certification."""

    def __init__(
        self,
        query: Query,
        update: Update,
        now_ns: Callable[[], int],
        *,
        root_key: bytes,
        canisters: Mapping[bytes, Canister],
    ) -> None:
        self._query, self._update, self._now_ns = query, update, now_ns
        self._root_key, self._canisters = root_key, canisters

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any path that is not the network's own."""
        canister = canister_of(request)
        if canister is None:
            return _told(
                404, "No canister is named: ask http://<canister id>.localhost, or add ?canisterId=<canister id>."
            )
        body = await request.read()
        if len(body) > MAX_REQUEST_BYTES:
            return _told(413, f"A request to a canister has at most {MAX_REQUEST_BYTES} bytes.")
        asked = {
            "method": request.method,
            "url": request.raw_path,
            "headers": [(name.lower(), value) for name, value in request.headers.items()],
            "body": body,
        }
        try:
            return await self._asked(request, canister, asked)
        except RequestRefused as refused:
            return _told(refused.status, str(refused))
        except NotCertified as error:
            return _told(503, f"The response of the canister is not certified: {error}")
        except (_Unusable, CandidError) as error:
            return _told(502, f"The canister's answer is no HTTP response: {error}")

    async def _asked(self, request: web.Request, canister: Principal, asked: dict[str, Any]) -> web.StreamResponse:
        method = "http_request"
        answer = await self._query(
            self._request(canister, method, {**asked, "certificate_version": CERTIFICATE_VERSION})
        )
        if isinstance(answer, Reply) and _response(method, answer.data)["upgrade"]:
            method = "http_request_update"
            updated = await self._update(self._request(canister, method, asked))
            if updated is None:
                return _told(504, "The canister has not answered in time; what was asked for may still happen.")
            answer = updated
        if isinstance(answer, Reject):
            return _told(_STATUS.get(answer.code, 502), answer.message)
        response = _response(method, answer.data)
        if method == "http_request" and not _is_raw(request):
            if http_certification.is_certified(response["headers"]):
                return await self._checked(canister, asked, response, answer.data)
            response["headers"] = [*_without_verdict(response["headers"]), (VERIFIED, "no")]
        return await self._served(request, canister, response, answer.data)

    async def _checked(
        self, canister: Principal, asked: dict[str, Any], response: dict[str, Any], data: bytes
    ) -> web.StreamResponse:
        """The whole response, once it is proven. Raises NotCertified, _Unusable."""
        body: bytearray = bytearray(response["body"])
        if response["streaming_strategy"] is not None:
            async for piece in self._pieces(canister, *_strategy(data)):
                body += piece
                if len(body) > MAX_CERTIFIED_BYTES:
                    raise _Unusable(f"a certified body has at most {MAX_CERTIFIED_BYTES} bytes")
        exchange = Exchange(
            method=asked["method"],
            url=asked["url"],
            request_headers=asked["headers"],
            request_body=asked["body"],
            status=response["status_code"],
            headers=response["headers"],
            body=bytes(body),
        )
        await asyncio.to_thread(
            http_certification.verify,
            exchange,
            canister,
            root_key=self._root_key,
            now_ns=self._now_ns(),
            versions=self._versions(canister),
        )
        headers = _headers([*_without_verdict(response["headers"]), (VERIFIED, "yes")])
        return web.Response(status=_status(response), headers=headers, body=exchange.body)

    def _versions(self, canister: Principal) -> bytes | None:
        found = self._canisters.get(canister.raw)
        if found is None or found.module is None:
            return None
        return found.module.metadata.get("supported_certificate_versions", ("public", None))[1]

    async def _served(
        self, request: web.Request, canister: Principal, response: dict[str, Any], data: bytes
    ) -> web.StreamResponse:
        headers = _headers(response["headers"])
        status = _status(response)
        if response["streaming_strategy"] is None:
            return web.Response(status=status, headers=headers, body=response["body"])
        streamed = web.StreamResponse(status=status, headers=headers)
        callback, token = _strategy(data)
        await streamed.prepare(request)
        await streamed.write(response["body"])
        try:
            async for piece in self._pieces(canister, callback, token):
                await streamed.write(piece)
        except _Unusable:
            if request.transport is not None:
                request.transport.abort()  # the status is out already: a cut connection is the one way left to say that something is missing
        return streamed

    async def _pieces(
        self, canister: Principal, callback: tuple[Principal, str], token: tuple[Type, Any]
    ) -> AsyncIterator[bytes]:
        """What the callback gives until there is no further token. Raises _Unusable when it breaks off."""
        owner, method = callback
        if owner != canister:
            raise _Unusable("its further pieces are another canister's")
        for _ in range(MAX_PIECES):
            argument = encode([token[0]], [token[1]])
            answer = await self._query(self._anonymous("query", canister, method, argument))
            if not isinstance(answer, Reply):
                raise _Unusable(f"a further piece was refused: {answer.message}")
            try:
                (piece,) = decode(answer.data, _METHODS["http_streaming_callback"].results)
                following = _piece_token(answer.data)
            except CandidError as error:
                raise _Unusable(f"a further piece is none: {error}") from error
            if piece is None:
                return
            yield piece["body"]
            if following is None:
                return
            token = following
        raise _Unusable(f"it has more than {MAX_PIECES} pieces")

    def _request(self, canister: Principal, method: str, asked: dict[str, Any]) -> Authenticated:
        kind = "query" if method == "http_request" else "call"
        return self._anonymous(kind, canister, method, encode(_METHODS[method].arguments, [asked]))

    def _anonymous(self, kind: str, canister: Principal, method: str, argument: bytes) -> Authenticated:
        expiry_ns = self._now_ns() + MAX_INGRESS_TTL_NS
        content = {
            "request_type": kind,
            "sender": Principal.anonymous().raw,
            "canister_id": canister.raw,
            "method_name": method,
            "arg": argument,
            "ingress_expiry": expiry_ns,
            "nonce": secrets.token_bytes(16),
        }
        return Authenticated(request_id(content), kind, Principal.anonymous(), content, expiry_ns)


def canister_of(request: web.Request) -> Principal | None:
    """From the host's first label (`<id>.localhost`, `<id>.raw.localhost`), else from the parameter canisterId."""
    labels = request.host.rpartition(":")[0].split(".") if ":" in request.host else request.host.split(".")
    named = labels[0] if len(labels) > 1 and labels[-1] == "localhost" else request.query.get("canisterId", "")
    try:
        return Principal.from_text(named) if named else None
    except MalformedPrincipal:
        return None


def _is_raw(request: web.Request) -> bool:
    return request.host.partition(":")[0].lower().endswith(".raw.localhost")


def _without_verdict(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Whether a response was verified is the gateway's to say, not the canister's."""
    return [(name, value) for name, value in headers if name.lower() != VERIFIED.lower()]


def _status(response: dict[str, Any]) -> int:
    status: int = response["status_code"]
    if not 200 <= status <= 599:
        raise _Unusable(f"its status is {status}")
    return status


def _response(method: str, data: bytes) -> dict[str, Any]:
    (response,) = decode(data, _METHODS[method].results)
    found: dict[str, Any] = response
    return found


def _headers(given: list[tuple[str, str]]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in given:
        if not _TOKEN.match(name) or any(ord(c) < 32 and c != "\t" for c in value):
            raise _Unusable(f"its header {name[:40]!r} cannot be sent")
        if name.lower() not in _NOT_HANDED_ON:
            headers.add(name, value)
    return headers


# --- tokens: of whatever type the canister gives them ---


def _field(type_: Type, value: Any, name: str) -> tuple[Type, Any]:
    """A record's field, by the number that its name has. Raises _Unusable."""
    record = resolved(type_)
    wanted = label_id(name)
    for field in record.fields if isinstance(record, Record | Variant) else ():
        if field.id == wanted and isinstance(value, dict) and field.key in value:
            return field.type, value[field.key]
    raise _Unusable(f"it has no {name}")


def _inside(type_: Type, value: Any) -> tuple[Type, Any]:
    """What an option that is not empty holds."""
    found = resolved(type_)
    return (found.of, value) if isinstance(found, Opt) else (type_, value)


def _strategy(data: bytes) -> tuple[tuple[Principal, str], tuple[Type, Any]]:
    response = decode_typed(data)[0]
    strategy = _inside(*_field(*response, "streaming_strategy"))
    chosen = _field(*strategy, "Callback")
    callback = _field(*chosen, "callback")[1]
    return callback, _field(*chosen, "token")


def _piece_token(data: bytes) -> tuple[Type, Any] | None:
    piece = _inside(*decode_typed(data)[0])
    if piece[1] is None:
        return None
    token = _inside(*_field(*piece, "token"))
    return None if token[1] is None else token


def _told(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")
