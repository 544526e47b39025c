"""How endpoints describe themselves: the OpenAPI schema is what the page's types are made from and what the API is tested against.

`described` is put on each method of a view. Serializers for answers are shapes only: the answers are dicts that selectors make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers

Shape = type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any]
F = TypeVar("F", bound=Callable[..., Any])


class Schema(AutoSchema):
    """drf-spectacular's, which takes a view without a queryset for one object: here a list says so (`described`)."""

    def get_operation_id(self) -> str:
        found = super().get_operation_id()
        handler = getattr(self.view, self.method.lower(), None)
        return f"{found.removesuffix('_retrieve')}_list" if getattr(handler, "is_list", False) else found


class E8s(serializers.RegexField):
    """Tokens in 10^-8, as a decimal string: 64-bit numbers lose digits in JavaScript."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[0-9]{1,40}$", **options)


class Ns(serializers.RegexField):
    """Nanoseconds, of a duration or since 1970, as a decimal string."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[0-9]{1,20}$", **options)


class Hex(serializers.RegexField):
    """Bytes in lower-case hex."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^([0-9a-f]{2})*$", **options)


class PrincipalText(serializers.RegexField):
    """A principal, grouped base 32."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[a-z2-7]{2,5}(-[a-z2-7]{1,5})*$", **options)


class ProofShape(serializers.Serializer[Any]):
    """The block that settles this: ask that canister for it, and for the certificate."""

    canister = PrincipalText()
    block = serializers.IntegerField()


class TimelineShape(serializers.Serializer[Any]):
    btype = serializers.CharField()
    title = serializers.CharField()
    at_ns = Ns()
    proof = ProofShape()


class AnyObject(serializers.DictField):
    """A JSON object whose form is not ours to say."""


class ErrorInner(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    fields = serializers.DictField(child=serializers.CharField(), required=False)  # type: ignore[assignment]


class ErrorShape(serializers.Serializer[Any]):
    error = ErrorInner()


_WORDS = {
    400: "The request does not make sense; `fields` says where.",
    401: "Not signed in.",
    403: "May not.",
    404: "There is no such thing.",
    409: "Not in this state, or refused by the chain, in its words.",
    413: "Too large.",
    415: "Another content type is wanted.",
    429: "Too many requests: wait a moment.",
    503: "The chain, or the broker, does not answer: nothing is lost, try again.",
}
_ALWAYS = (400, 401)  # a query or a path that does not make sense; a secret that is not, or no longer, one


def described(
    summary: str,
    *,
    request: Shape | None = None,
    response: Shape | None = None,
    status: int = 200,
    page: bool = False,
    many: bool = False,
    query: Mapping[str, str] | None = None,
    errors: tuple[int, ...] = (404,),
    raw: str | None = None,
    raw_request: str | None = None,
    name: str | None = None,
) -> Callable[[F], F]:
    """Describe one method of a view.

    `response`: None for an answer without a body. `page`: the response is a page of such rows; `many`: a plain list of them.
    `raw`: the media type of an answer of bytes; `raw_request`: of a body of bytes. `query`: parameter -> what it is.
    `name`: an operation id, where the one made from the path is not unique."""
    responses: dict[Any, Any] = {
        code: OpenApiResponse(ErrorShape, _WORDS[code]) for code in sorted({*_ALWAYS, *errors}) if code in _WORDS
    }
    if raw is not None:
        responses[(status, raw)] = OpenApiTypes.BINARY
    elif response is None:
        responses[status] = OpenApiResponse(description=summary)
    else:
        responses[status] = _page_of(response) if page else _many(response) if many else response
    parameters = [OpenApiParameter(key, str, description=text) for key, text in (query or {}).items()]
    if page:
        parameters += [
            OpenApiParameter("page", int, description="from 1"),
            OpenApiParameter("page_size", int, description="1 to 100, 20 when it is left out"),
        ]
    body: Any = (
        {(raw_request or "application/json"): OpenApiTypes.BINARY if raw_request else request}
        if raw_request or request
        else None
    )
    options: dict[str, Any] = {"operation_id": name} if name else {}
    describe = extend_schema(
        summary=summary, request=body, responses=responses, parameters=parameters, filters=False, **options
    )

    def decorate(method: F) -> F:
        method.is_list = page  # type: ignore[attr-defined]  # read by `Schema`
        return describe(method)

    return decorate


def _many(shape: Shape) -> Any:
    return shape(many=True) if isinstance(shape, type) else shape


def _page_of(shape: Shape) -> Any:
    row = shape if isinstance(shape, type) else type(shape)
    fields: dict[str, Any] = {
        "count": serializers.IntegerField(),
        "next": serializers.CharField(allow_null=True),
        "results": row(many=True),
    }
    return inline_serializer(f"{row.__name__}Page", fields)
