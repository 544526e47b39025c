"""What is not the API: the page's files, headers that keep a browser safe, the API's documentation, and refusals outside DRF.

The page is built by `make build` into frontend/dist. Every address that is neither a file nor the API's gives the page, which has its own
router."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from drf_spectacular.views import SpectacularSwaggerSplitView
from whitenoise.base import WhiteNoise  # type: ignore[import-untyped]  # has no types

from .errors import Invalid, MarketError, NotFound, error_body

Answer = HttpResponseBase | Awaitable[HttpResponseBase]
DOCS_PREFIX = "/api/market/docs/files/"

# Scripts only from here and none inline. Styles inline too: the page's component library writes its theme into a <style> element.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A passkey is used on this origin only; nothing else of the device is wanted.
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-get=(self)",
}


class _Middleware:
    """Sync or async, as whatever is below: a streamed answer must not hold a thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)  # type: ignore[type-var]  # Django itself marks objects so


class SecurityHeaders(_Middleware):
    def __call__(self, request: HttpRequest) -> Answer:
        if self.is_async:
            return self._later(request)
        return self._with_headers(self.get_response(request))

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        return self._with_headers(await self.get_response(request))

    def _with_headers(self, response: HttpResponseBase) -> HttpResponseBase:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class Assets(_Middleware):
    """The page's files and those of the API's documentation, by WhiteNoise: compressed, ranged, cached for ever where the name has a hash."""

    def __call__(self, request: HttpRequest) -> Answer:
        found = _files().find(request.path_info)
        if self.is_async:
            return self._later(request, found)
        return self.get_response(request) if found is None else _file_response(found, request)

    async def _later(self, request: HttpRequest, found: Any) -> HttpResponseBase:
        if found is None:
            answer: HttpResponseBase = await self.get_response(request)
            return answer
        return await asyncio.to_thread(_file_response, found, request)


class _Files:
    """The files as they are on disk; looked for again when the page has been built anew."""

    def __init__(self) -> None:
        self._built_ns = -1
        self._noise = WhiteNoise(None)

    def find(self, path: str) -> Any:
        if path == "/" or path.endswith("/index.html"):
            return None  # `page` gives that one, never from a cache
        built_ns = _changed_ns(settings.FRONTEND_DIR / "index.html")
        if built_ns != self._built_ns:
            self._noise, self._built_ns = _collect(), built_ns
        return self._noise.files.get(path)


def _collect() -> WhiteNoise:
    noise = WhiteNoise(
        None, max_age=60, allow_all_origins=False, immutable_file_test=r"^/assets/.+-[A-Za-z0-9_-]{8,}\."
    )
    if settings.FRONTEND_DIR.is_dir():
        noise.add_files(str(settings.FRONTEND_DIR))
    noise.add_files(str(_swagger_folder()), prefix=DOCS_PREFIX)
    return noise


def _swagger_folder() -> Path:
    spec = find_spec("drf_spectacular_sidecar")
    if spec is None or spec.origin is None:
        raise RuntimeError("drf-spectacular-sidecar is not installed: run `make setup`")
    return Path(spec.origin).parent / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"


@lru_cache(maxsize=1)
def _files() -> _Files:
    return _Files()


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _file_response(found: Any, request: HttpRequest) -> HttpResponseBase:
    answer = found.get_response(request.method, request.META)
    if answer.file is None:
        response: HttpResponseBase = HttpResponse(status=int(answer.status))
    else:
        with answer.file as file:
            response = HttpResponse(file.read(), status=int(answer.status))
    del response["Content-Type"]
    for key, value in answer.headers:
        response[key] = value
    return response


def page(request: HttpRequest) -> HttpResponseBase:
    """The page, for whatever address its router knows; a file that is not there is not the page."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    if "." in request.path_info.rsplit("/", 1)[-1] and request.path_info != "/index.html":
        return _text(404, "There is no such file.")
    try:
        html = (settings.FRONTEND_DIR / "index.html").read_bytes()
    except OSError:
        return _text(
            503, "The page has not been built. Run `make build`, then load this again. The API is at /api/market/docs."
        )
    return HttpResponse(html, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})


docs = SpectacularSwaggerSplitView.as_view(url_name="schema")


def handler400(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return _refusal(request, Invalid("The request is malformed. Check its address and headers.", code="bad_request"))


def handler404(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    return _refusal(request, NotFound("There is nothing at this address. See /api/market/docs for what there is."))


def handler500(request: HttpRequest) -> HttpResponseBase:
    """What nobody foresaw. The log has the trace; who asked gets none of it."""
    said = "Something went wrong here, and has been written down. Nothing half-done was kept: try again, and tell the operator if it stays."
    return _refusal(request, MarketError(said, code="internal", status=500))


def _refusal(request: HttpRequest, error: MarketError) -> HttpResponseBase:
    if request.path_info.startswith("/api/"):
        return JsonResponse(error_body(error), status=error.status)
    return _text(error.status, error.message)


def _text(status: int, text: str) -> HttpResponse:
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
