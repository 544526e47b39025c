"""The door: the HTTPS interface's four verbs in every version that clients use, over plain HTTP on this machine.

Wasm runs in worker threads, so the loop stays free. Calls wait for a block; one block serves all that came meanwhile.
Source: interface specification, "HTTPS Interface".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from canisters.interface import cbor
from canisters.interface.principal import MalformedPrincipal, Principal

from .ingress import MAX_BODY_BYTES, Authenticated, RequestRefused, authenticate
from .scheduler import Scheduler
from .state import MANAGEMENT, IngressStatus, Reject, Reply

IDLE_BLOCK_S = 1.0
SYNC_CALL_TIMEOUT_S = 20.0
MAX_WAITING = 1000
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Max-Age": "600",
}
_MANAGEMENT_CREATES = ("provisional_create_canister_with_cycles", "create_canister", "raw_rand")


class Replica:
    """The scheduler behind HTTP."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._arrivals: list[Authenticated] = []
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._queries = ThreadPoolExecutor(4, "query")
        self._stopping = False

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES + 1024, middlewares=[_cors])
        for version in ("v2", "v3", "v4"):
            app.router.add_get(f"/api/{version}/status", self.status)
            for scope in ("canister", "subnet"):
                base = f"/api/{version}/{scope}/{{id}}"
                call = self.call_async if version == "v2" else self.call_sync
                app.router.add_post(f"{base}/call", call)
                app.router.add_post(f"{base}/query", self.query)
                app.router.add_post(f"{base}/read_state", self.read_state)
        if not self.scheduler.real_time:
            app.router.add_post("/_/time", self.move_time)
        app.router.add_route("OPTIONS", "/{path:.*}", self.preflight)
        app.cleanup_ctx.append(self._blocks)
        return app

    # --- blocks ---

    async def _blocks(self, _app: web.Application) -> Any:
        task = asyncio.create_task(self._produce())
        yield
        self._stopping = True
        self._wake.set()
        await task
        self._queries.shutdown(wait=True)

    async def _produce(self) -> None:
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), IDLE_BLOCK_S)
            self._wake.clear()
            arrivals, self._arrivals = self._arrivals, []
            await asyncio.to_thread(self.scheduler.run_block, arrivals)
            self._answer_waiting()
            if self.scheduler.has_work:
                self._wake.set()

    def _answer_waiting(self) -> None:
        for request_id in list(self._waiting):
            status = self.scheduler.known(request_id)
            if status is None or status.status in ("replied", "rejected"):
                for future in self._waiting.pop(request_id):
                    if not future.done():
                        future.set_result(None)

    # --- verbs ---

    async def preflight(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def status(self, _request: web.Request) -> web.Response:
        signer = self.scheduler.signer
        fields = {
            "ic_api_version": "0.18.0",
            "impl_version": "commonweight-embedded",
            "replica_health_status": "healthy",
            "root_key": signer.root_key,
            "certified_height": self.scheduler.network.height,
        }
        return _body(fields)

    async def call_async(self, request: web.Request) -> web.Response:
        """v2: 202, and the client polls."""
        arrived, refused = await self._accept(request)
        return refused if refused is not None else web.Response(status=202) if arrived else web.Response(status=500)

    async def call_sync(self, request: web.Request) -> web.Response:
        """v3 and v4: the certified answer when it comes in time, else 202."""
        arrived, refused = await self._accept(request)
        if refused is not None or arrived is None:
            return refused or web.Response(status=500)
        status = self.scheduler.known(arrived.request_id)
        if status is None or status.status not in ("replied", "rejected"):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(arrived.request_id, []).append(future)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(future, SYNC_CALL_TIMEOUT_S)
            status = self.scheduler.known(arrived.request_id)
        if status is None or status.status not in ("replied", "rejected"):
            return web.Response(status=202)
        certificate = await self._certificate([(b"request_status", arrived.request_id)])
        return _body({"status": "replied", "certificate": certificate})

    async def _accept(self, request: web.Request) -> tuple[Authenticated | None, web.Response | None]:
        body = await request.read()
        arrived = await asyncio.to_thread(authenticate, body, kind="call", now_ns=self.scheduler.now_ns())
        _require_effective_id(request, arrived)
        if self.scheduler.known(arrived.request_id) is not None:
            return arrived, None
        if len(self._arrivals) > MAX_WAITING:
            return None, web.Response(status=503, text="Service is overloaded, try again later")
        rejected = await asyncio.get_running_loop().run_in_executor(self._queries, self.scheduler.inspect, arrived)
        if rejected is not None:
            return None, _body({"status": "non_replicated_rejection", **_reject_fields(rejected)})
        self._arrivals.append(arrived)
        self._wake.set()
        return arrived, None

    async def query(self, request: web.Request) -> web.Response:
        body = await request.read()
        scheduler = self.scheduler
        asked = await asyncio.to_thread(authenticate, body, kind="query", now_ns=scheduler.now_ns())
        _require_effective_id(request, asked)
        answer = await asyncio.get_running_loop().run_in_executor(self._queries, scheduler.query, asked)
        fields: dict[str, Any]
        if isinstance(answer, Reply):
            fields = {"status": "replied", "reply": {"arg": answer.data}}
        else:
            fields = {"status": "rejected", **_reject_fields(answer)}
        timestamp = scheduler.network.time_ns
        signed = {**fields, "timestamp": timestamp, "request_id": asked.request_id}
        signature = {
            "timestamp": timestamp,
            "signature": scheduler.signer.sign_response(signed),
            "identity": scheduler.signer.node_id,
        }
        return _body({**fields, "signatures": [signature]})

    async def read_state(self, request: web.Request) -> web.Response:
        body = await request.read()
        asked = await asyncio.to_thread(authenticate, body, kind="read_state", now_ns=self.scheduler.now_ns())
        paths = [tuple(path) for path in asked.content["paths"]]
        for path in paths:
            self._require_readable(path, asked)
        return _body({"certificate": await self._certificate(paths)})

    async def move_time(self, request: web.Request) -> web.Response:
        """Only with manual time: lets a test decide when things are due."""
        try:
            by_ns = int((await request.json())["advance_ns"])
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400, text='Send {"advance_ns": nanoseconds}')
        if by_ns < 0:
            return web.Response(status=400, text="Time does not go back")
        self.scheduler.advance_time(by_ns)
        await asyncio.to_thread(self.scheduler.run_block, [])
        return web.json_response({"time_ns": str(self.scheduler.network.time_ns)})

    async def _certificate(self, paths: list[tuple[bytes, ...]]) -> bytes:
        return await asyncio.to_thread(self.scheduler.certification.certificate, paths)

    def _require_readable(self, path: tuple[bytes, ...], asked: Authenticated) -> None:
        """Source: interface specification, "Request: Read state", which paths may be asked by whom."""
        match path:
            case (b"time",) | (b"subnet", *_) | (b"canister_ranges", *_):
                return
            case (b"request_status", request_id, *_):
                status: IngressStatus | None = self.scheduler.known(request_id)
                if status is not None and status.sender != asked.sender.raw:
                    raise RequestRefused("The user tries to access Request ID not signed by the caller.", 403)
                return
            case (b"canister", canister_id, b"metadata", name):
                canister = self.scheduler.network.canisters.get(canister_id)
                section = (
                    canister.module.metadata.get(name.decode("utf-8", "replace"))
                    if canister and canister.module
                    else None
                )
                if (
                    canister
                    and section
                    and section[0] == "private"
                    and asked.sender.raw not in canister.settings.controllers
                ):
                    raise RequestRefused(
                        f"Custom section {name.decode('utf-8', 'replace')} can only be requested by the controllers of the canister.",
                        403,
                    )
                return
            case (b"canister", _, b"controllers" | b"module_hash" | b"certified_data"):
                return
        raise RequestRefused("Invalid path requested.", 404)


def _require_effective_id(request: web.Request, arrived: Authenticated) -> None:
    try:
        effective = Principal.from_text(request.match_info["id"])
    except MalformedPrincipal as error:
        raise RequestRefused(f"Invalid effective canister id: {error}") from error
    if "/subnet/" in request.path or arrived.canister_id == MANAGEMENT:
        return
    if effective.raw != arrived.canister_id:
        raise RequestRefused(
            f"Specified CanisterId {Principal(arrived.canister_id)} does not match effective canister id in URL {effective}"
        )


def _reject_fields(reject: Reject) -> dict[str, Any]:
    return {"reject_code": reject.code, "reject_message": reject.message, "error_code": reject.error_code}


def _body(value: dict[str, Any]) -> web.Response:
    return web.Response(body=cbor.dumps(value), content_type="application/cbor")


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals become plain-text answers; every answer, refusals too, may be read by a page of another origin."""
    try:
        response = await handler(request)
    except RequestRefused as refused:
        response = web.Response(status=refused.status, text=str(refused))
    except web.HTTPException as error:
        response = web.Response(status=error.status, text=error.text or error.reason)
    response.headers.update(_CORS)
    return response
