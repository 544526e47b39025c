"""The door: the HTTPS interface's verbs in every version that clients use, over plain HTTP on this machine.

Wasm runs in worker threads, so the loop stays free. Calls wait for a block; one block serves all that came meanwhile.
Source: interface specification, "HTTPS Interface".
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from canisters.interface import cbor
from canisters.interface.principal import MalformedPrincipal, Principal

from .access import require_effective_id, require_readable
from .dashboard import PAGE, POLICY
from .gateway import Gateway
from .ingress import MAX_BODY_BYTES, Authenticated, RequestRefused, authenticate
from .scheduler import Scheduler
from .state import Answer, Reject, Reply

IDLE_BLOCK_S = 1.0
SYNC_CALL_TIMEOUT_S = 10.0
MAX_WAITING = 1000
STOP_S = 3.0
QUERY_THREADS = 16
LARGE_BODY_BYTES = 64 << 10  # above it, reading and hashing would hold up the loop
MAX_ADVANCE_NS = 100 * 365 * 24 * 3600 * 10**9
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "content-type",
    "Access-Control-Max-Age": "600",
}


class Replica:
    """The scheduler behind HTTP. `stopped` is set from outside to end it, or from inside when a block failed (`failure` says how)."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.stopped = asyncio.Event()
        self.failure: Exception | None = None
        self.busy = False  # whether a long message was still running when it had to stop
        self._arrivals: list[Authenticated] = []
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._queries = ThreadPoolExecutor(QUERY_THREADS, "query")
        self._blocks = ThreadPoolExecutor(1, "blocks")
        self.gateway = Gateway(
            self._queried,
            self._called,
            scheduler.now_ns,
            root_key=scheduler.signer.root_key,
            canisters=scheduler.network.canisters,
        )

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
        app.router.add_get("/_/dashboard", self.dashboard)
        app.router.add_get("/_/dashboard.json", self.dashboard_figures)
        if not self.scheduler.real_time:
            app.router.add_post("/_/time", self.move_time)
        app.router.add_route("*", "/{path:.*}", self.gateway.handle)  # whatever is not the network's own
        app.cleanup_ctx.append(self._producing)
        app.on_shutdown.append(self._release_waiting)
        return app

    # --- blocks ---

    async def _producing(self, _app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._produce())
        yield
        self.stopped.set()
        self._wake.set()
        _, running = await asyncio.wait([task], timeout=STOP_S)
        self.busy = bool(running)
        self._blocks.shutdown(wait=not self.busy)
        self._queries.shutdown(wait=not self.busy, cancel_futures=True)

    async def _produce(self) -> None:
        """Block after block: at once when something came or is due, else each second, so that the signed time stays fresh."""
        while not self.stopped.is_set():
            idle_ns = self.scheduler.idle_ns()
            if idle_ns != 0 and not self._arrivals:
                wait_s = IDLE_BLOCK_S if idle_ns is None or not self.scheduler.real_time else idle_ns / 1e9
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), min(wait_s, IDLE_BLOCK_S))
            self._wake.clear()
            try:
                await self._run_block()
            except (
                Exception
            ) as error:  # the disk holds the block before; memory may be ahead of it, so nothing more is served
                self.failure = error
                self.stopped.set()
            self._answer_waiting()

    async def _run_block(self) -> None:
        arrivals, self._arrivals = self._arrivals, []
        await asyncio.get_running_loop().run_in_executor(self._blocks, self.scheduler.run_block, arrivals)

    def _answer_waiting(self) -> None:
        for request_id in list(self._waiting):
            if self.stopped.is_set() or self.scheduler.is_answered(request_id):
                for future in self._waiting.pop(request_id):
                    if not future.done():
                        future.set_result(None)

    async def _release_waiting(self, _app: web.Application) -> None:
        self.stopped.set()
        self._answer_waiting()

    # --- verbs ---

    async def status(self, _request: web.Request) -> web.Response:
        fields = {
            "ic_api_version": "0.18.0",
            "impl_version": "commonweight-embedded",
            "replica_health_status": "healthy",
            "root_key": self.scheduler.signer.root_key,
            "certified_height": self.scheduler.network.height,
        }
        return _body(fields)

    async def call_async(self, request: web.Request) -> web.Response:
        """v2: 202, and the client polls."""
        arrived = await self._read(request, "call")
        refused = await self._take_in(arrived)
        return web.Response(status=202) if refused is None else _refusal(refused)

    async def call_sync(self, request: web.Request) -> web.Response:
        """v3 and v4: the certified answer when it comes in time, else 202."""
        arrived = await self._read(request, "call")
        refused = await self._take_in(arrived)
        if refused is not None:
            return _refusal(refused)
        if not await self._answered(arrived.request_id):
            return web.Response(status=202)
        return _body({"status": "replied", "certificate": self._certificate([(b"request_status", arrived.request_id)])})

    async def _answered(self, request_id: bytes) -> bool:
        """Whether the certified answer comes in time."""
        if not self.scheduler.is_answered(request_id):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(request_id, []).append(future)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(future, SYNC_CALL_TIMEOUT_S)
        if self.scheduler.is_answered(request_id):
            return True
        self._forget_done(request_id)
        return False

    async def _queried(self, asked: Authenticated) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._queries, self.scheduler.reader.query, asked)

    async def _called(self, asked: Authenticated) -> Answer | None:
        refused = await self._take_in(asked)
        if refused is not None:
            return refused
        if not await self._answered(asked.request_id):
            return None
        status = self.scheduler.known(asked.request_id)
        assert status is not None
        return status.reject or Reply(status.reply or b"")

    def _forget_done(self, request_id: bytes) -> None:
        left = [future for future in self._waiting.pop(request_id, []) if not future.done()]
        if left:
            self._waiting[request_id] = left

    async def _read(self, request: web.Request, kind: str) -> Authenticated:
        try:
            effective = _principal(request.match_info["id"])
        except MalformedPrincipal as error:
            raise RequestRefused(f"Invalid effective canister id: {error}") from error
        body = await request.read()
        now_ns, root_key = self.scheduler.now_ns(), self.scheduler.signer.root_key
        if len(body) > LARGE_BODY_BYTES:
            arrived = await asyncio.to_thread(authenticate, body, kind=kind, now_ns=now_ns, root_key=root_key)
        else:
            arrived = authenticate(body, kind=kind, now_ns=now_ns, root_key=root_key)
        if "/subnet/" not in request.path:
            require_effective_id(effective, arrived)
        return arrived

    async def _take_in(self, arrived: Authenticated) -> Reject | None:
        """Put a call among the arrivals, unless it is there already or its canister does not want it."""
        if self.scheduler.known(arrived.request_id) is not None:
            return None
        if len(self._arrivals) > MAX_WAITING or self.stopped.is_set():
            raise RequestRefused("Service is overloaded, try again later", 503)
        reader = self.scheduler.reader
        if reader.inspects(arrived.canister_id):
            rejected = await asyncio.get_running_loop().run_in_executor(self._queries, reader.inspect, arrived)
        else:
            rejected = reader.refusal(arrived)
        if rejected is None:
            self._arrivals.append(arrived)
            self._wake.set()
        return rejected

    async def query(self, request: web.Request) -> web.Response:
        asked = await self._read(request, "query")
        scheduler = self.scheduler
        answer = await self._queried(asked)
        fields: dict[str, Any]
        if isinstance(answer, Reply):
            fields = {"status": "replied", "reply": {"arg": answer.data}}
        else:
            fields = {"status": "rejected", **_reject_fields(answer)}
        timestamp = scheduler.certification.time_ns
        signed = {**fields, "timestamp": timestamp, "request_id": asked.request_id}
        signature = {
            "timestamp": timestamp,
            "signature": scheduler.signer.sign_response(signed),
            "identity": scheduler.signer.node_id,
        }
        return _body({**fields, "signatures": [signature]})

    async def read_state(self, request: web.Request) -> web.Response:
        asked = await self._read(request, "read_state")
        paths = [tuple(path) for path in asked.content["paths"]]
        require_readable(self.scheduler, paths, asked)
        return _body({"certificate": self._certificate(paths)})

    async def dashboard(self, _request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": POLICY}
        return web.Response(text=PAGE.read_text(), content_type="text/html", headers=headers)

    async def dashboard_figures(self, _request: web.Request) -> web.Response:
        network = self.scheduler.network
        return web.json_response(
            self.scheduler.executor.figures.shown(network.height, list(network.canisters.values()))
        )

    async def move_time(self, request: web.Request) -> web.Response:
        """Only with manual time: lets a test decide when things are due."""
        try:
            by_ns = int((await request.json())["advance_ns"])
        except (ValueError, KeyError, TypeError):
            by_ns = -1
        if not 0 <= by_ns <= MAX_ADVANCE_NS:
            raise RequestRefused('Send {"advance_ns": nanoseconds}, a century at most: time does not go back')
        self.scheduler.advance_time(by_ns)
        await self._run_block()
        self._answer_waiting()
        return web.json_response({"time_ns": str(self.scheduler.network.time_ns)})

    def _certificate(self, paths: list[tuple[bytes, ...]]) -> bytes:
        return self.scheduler.certification.certificate(paths)


@functools.lru_cache(maxsize=1024)  # refused texts are not kept, and others are short
def _principal(text: str) -> Principal:
    return Principal.from_text(text)


def _refusal(reject: Reject) -> web.Response:
    return _body({"status": "non_replicated_rejection", **_reject_fields(reject)})


def _reject_fields(reject: Reject) -> dict[str, Any]:
    return {"reject_code": reject.code, "reject_message": reject.message, "error_code": reject.error_code}


def _body(value: dict[str, Any]) -> web.Response:
    return web.Response(body=cbor.dumps(value), content_type="application/cbor")


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals become plain-text answers; every answer of the interface, refusals too, may be read by a page of another origin.

    Not so what is for whoever runs this network; and what a canister answers as a web server is its own affair."""
    try:
        return await _answered(request, handler)
    except ConnectionError:  # whoever asked has gone: nobody hears this
        return web.Response(status=400, text="The connection was closed before the answer.")


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    is_interface = request.path.startswith("/api/")
    if not is_interface and not request.path.startswith("/_/"):
        return await handler(request)
    response: web.StreamResponse
    try:
        is_asked = is_interface and request.method == "OPTIONS"
        response = web.Response(status=204) if is_asked else await handler(request)
    except RequestRefused as refused:
        response = web.Response(status=refused.status, text=str(refused))
    except web.HTTPException as error:
        response = web.Response(status=error.status, text=error.text or error.reason)
    if is_interface:
        response.headers.update(_CORS)
    return response
