"""The base of every endpoint: reading input, paging, and what a caller is.

An endpoint is a thin shell: read, call a service or selector, answer. Whoever calls is a `Caller`, never a Django user: a principal that
proved itself by a signature (accounts)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.utils.http import urlencode
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from canisters.interface.principal import MalformedPrincipal, Principal

from .caller import Caller as Caller
from .errors import Invalid, NotFound, NotSignedIn, TooLarge, error_body
from .parsers import RawParser as RawParser
from .parsers import StrictJsonParser as StrictJsonParser

MAX_PAGE_SIZE = 100


class ChainId:
    """A path part that is an id on the chain: digits that fit a 63-bit column."""

    regex = "[0-9]{1,15}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class NoInput(serializers.Serializer[Any]):
    """An endpoint without a body."""


class ApiView(APIView):
    def read(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The body, validated. Raises Invalid through DRF's ValidationError."""
        if not isinstance(self.request.data, dict):
            raise Invalid("The body must be a JSON object.")
        serializer = shape(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    @property
    def caller(self) -> Caller:
        """Raises NotSignedIn."""
        user: Any = self.request.user
        if not isinstance(user, Caller):
            raise NotSignedIn("Sign in first: POST auth/challenge, then auth/sign-in, or send an API token.")
        return user

    def query(self, name: str, default: str = "") -> str:
        value = str(self.request.query_params.get(name, default))
        if "\x00" in value or len(value) > 1000 or any("\ud800" <= c <= "\udfff" for c in value):
            raise Invalid("The query is not valid text, or too long.", fields={name: "at most 1000 characters, no NUL"})
        return value

    def query_principal(self, name: str) -> str:
        value = self.query(name)
        return principal_text(value, name) if value else ""

    def query_number(self, name: str) -> int | None:
        value = self.query(name)
        if not value:
            return None
        return whole_number(value, name)

    def page(self, rows: QuerySet[Any] | list[Any], show: Callable[[list[Any]], list[Any]]) -> Response:
        """A page of a list: {"count", "next", "results"}. `show` turns rows into JSON, all at once so that it can join."""
        return paged(self.request, rows, show)


def principal_text(value: str, name: str) -> str:
    """Raises Invalid, naming the field."""
    try:
        return str(Principal.from_text(value))
    except MalformedPrincipal as error:
        raise Invalid(f"{name} is not a principal: {error}.", fields={name: str(error)}) from error


def whole_number(value: str, name: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 15):
        raise Invalid(f"{name} must be a whole number.", fields={name: "a whole number of at most 15 digits"})
    return int(value)


def hex_bytes(value: str, name: str, size: int | None = None) -> bytes:
    """Bytes from lower-case hex. Raises Invalid, naming the field."""
    try:
        data = bytes.fromhex(value) if value.isascii() and len(value) <= 1 << 22 else None
    except ValueError:
        data = None
    if data is None or data.hex() != value or (size is not None and len(data) != size):
        need = f"{size} bytes in lower-case hex" if size is not None else "lower-case hex"
        raise Invalid(f"{name} must be {need}.", fields={name: need})
    return data


def paged(request: Request, rows: QuerySet[Any] | list[Any], show: Callable[[list[Any]], list[Any]]) -> Response:
    page = whole_number(request.query_params.get("page") or "1", "page")
    size = whole_number(request.query_params.get("page_size") or "20", "page_size")
    if page < 1 or not 1 <= size <= MAX_PAGE_SIZE:
        raise Invalid(f"page starts at 1, page_size is 1 to {MAX_PAGE_SIZE}.", fields={"page": "1 or more"})
    count = len(rows) if isinstance(rows, list) else rows.count()
    start = (page - 1) * size
    found = list(rows[start : start + size]) if start < count else []
    following = None
    if start + size < count:
        kept: dict[str, Any] = {k: v for k, v in request.query_params.items() if k not in ("page", "page_size")}
        following = f"{request.path}?{urlencode({**kept, 'page': page + 1, 'page_size': size})}"
    return Response({"count": count, "next": following, "results": show(found)})


def body_within(request: Request, limit: int) -> bytes:
    """The raw body. Raises TooLarge."""
    data = request.data
    if not isinstance(data, bytes):
        raise Invalid("Send the bytes as the body, with Content-Type application/octet-stream.")
    if len(data) > limit:
        raise TooLarge(f"The body has {len(data)} bytes; at most {limit} are taken at once.")
    return data


def not_found(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        error_body(NotFound("There is no such endpoint. See /api/market/docs for what there is.")), status=404
    )
