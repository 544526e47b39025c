"""What can go wrong, as the API says it.

MarketError
|- Invalid           400  the request does not make sense; `fields` says where
|- NotSignedIn       401
|- NotAllowed        403  the caller is known and may not
|- NotFound          404
|- WrongState        409  not now
|- TooLarge          413
|- ChainRefused      409  a canister said no, in its own words (403 and 404 when that is what it said)
`- ChainUnavailable  503  the chain does not answer, or its answer cannot be believed

Errors of the chain's client become these at the edge (`exception_handler`), and so do those of Django and DRF.
"""

from __future__ import annotations

import logging
import math
import re
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.response import Response

from canisters.client import errors as chain_errors

log = logging.getLogger(__name__)
Fields = dict[str, str]


class MarketError(Exception):
    """`message`: what happened, and what to do."""

    status = 400
    code = "invalid"

    def __init__(
        self, message: str, *, code: str | None = None, fields: Fields | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.fields = fields
        self.status = status or self.status


class Invalid(MarketError):
    """The request does not make sense."""


class NotSignedIn(MarketError):
    status = 401
    code = "not_signed_in"


class NotAllowed(MarketError):
    status = 403
    code = "not_allowed"


class NotFound(MarketError):
    status = 404
    code = "not_found"


class WrongState(MarketError):
    status = 409
    code = "wrong_state"


class TooLarge(MarketError):
    status = 413
    code = "too_large"


class ChainRefused(MarketError):
    status = 409
    code = "refused"


class ChainUnavailable(MarketError):
    status = 503
    code = "chain_unavailable"


_STATUS_OF = {
    "NotAllowed": 403, "NotOwner": 403, "NotBuilder": 403, "NotWorker": 403, "NoShares": 403, "NotFound": 404, "Invalid": 400,
}  # fmt: skip


def snake(tag: str) -> str:
    """`NotOwner` -> `not_owner`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", tag).lower()


def refused(error: dict[str, Any]) -> ChainRefused:
    """A canister's `Err` variant as our error, with its words or its data."""
    tag, payload = next(iter(error.items()))
    return ChainRefused(_words(tag, payload), code=snake(tag), status=_STATUS_OF.get(tag, 409))


def _words(tag: str, payload: Any) -> str:
    said = snake(tag).replace("_", " ").capitalize()
    if payload is None:
        hint = "Wait a moment and try again." if tag in ("Busy", "TemporarilyUnavailable") else ""
        return f"The chain refused: {said}. {hint}".strip()
    if isinstance(payload, str):
        return f"The chain refused: {payload.rstrip('.')}."
    if isinstance(payload, dict):
        return f"The chain refused: {said} ({', '.join(f'{k}: {_plain(v)}' for k, v in payload.items())})."
    return f"The chain refused: {said} ({_plain(payload)})."


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(k if v is None else f"{k} {_plain(v)}" for k, v in value.items())
    return value.hex() if isinstance(value, bytes) else str(value)


def translated(error: Exception) -> MarketError | None:
    """The API's form of an error from below or beside; None when nobody foresaw it."""
    match error:
        case MarketError():
            return error
        case chain_errors.ChainUnavailable():
            return ChainUnavailable("The chain does not answer. Nothing is lost: try again in a moment.")
        case chain_errors.CertificateRefused() | chain_errors.AnswerMalformed():
            return ChainUnavailable(
                f"The chain's answer cannot be believed: {error}. Try again; if it stays, tell the operator.",
                status=502,
            )
        case chain_errors.CallRejected():
            return ChainRefused(f"The canister refused the call: {error.message}", code="call_rejected")
        case chain_errors.RequestRefused():
            return ChainRefused(f"The network refused the request: {error.message}", code="request_refused")
        case chain_errors.NotAllowed():
            return NotAllowed(f"This token cannot do that: {error}.", code="token_not_allowed")
        case chain_errors.BadArgument() | chain_errors.IdentityUnreadable():
            return Invalid(f"{str(error)[:1].upper()}{str(error)[1:].rstrip('.')}.")
        case RedisError():
            return ChainUnavailable(
                "The message broker does not answer. Try again in a moment.", code="broker_unavailable"
            )
        case RequestDataTooBig():
            return TooLarge("The request is too large. Send less at once.")
        case SuspiciousOperation() | BadRequest():
            return Invalid("The request is malformed. Check its address and headers.", code="bad_request")
        case Http404():
            return NotFound("There is nothing at this address. See /api/market/docs for what there is.")
        case PermissionDenied():
            return NotAllowed("You may not do that.")
        case exceptions.APIException():
            return _from_rest_framework(error)
    return None


def _from_rest_framework(error: exceptions.APIException) -> MarketError:
    if isinstance(error, exceptions.ValidationError):
        fields = _flat(error.detail)
        first = next(iter(fields.items()), ("", "check the request"))
        where = f"{first[0]}: " if first[0] else ""
        return Invalid(f"The request does not fit: {where}{first[1]}", fields=fields or None)
    codes = {
        400: "bad_request",
        405: "method_not_allowed",
        406: "not_acceptable",
        415: "unsupported_media_type",
        429: "too_many",
    }
    status = error.status_code
    return MarketError(str(error.detail), code=codes.get(status, "refused"), status=status)


def _flat(detail: Any, path: str = "") -> Fields:
    if isinstance(detail, dict):
        parts = [
            _flat(item, f"{path}.{key}".strip(".") if key != "non_field_errors" else path)
            for key, item in detail.items()
        ]
        return {k: v for part in parts for k, v in part.items()}
    if isinstance(detail, list):
        if all(isinstance(item, str) for item in detail):
            return {path: " ".join(detail)}
        parts = [_flat(item, f"{path}.{index}".strip(".")) for index, item in enumerate(detail) if item]
        return {k: v for part in parts for k, v in part.items()}
    return {path: str(detail)}


def error_body(error: MarketError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.fields:
        body["fields"] = error.fields
    return {"error": body}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's door: every refusal in one form. What nobody foresaw goes on to `pages.handler500`, which says so without a trace."""
    known = translated(error)
    if known is None:
        return None
    response = Response(error_body(known), status=known.status)
    if known.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    wait_s = getattr(error, "wait", None)
    if isinstance(error, exceptions.Throttled) and wait_s is not None:
        response["Retry-After"] = str(math.ceil(wait_s))
    if isinstance(error, exceptions.MethodNotAllowed):
        view = context.get("view")
        response["Allow"] = ", ".join(view.allowed_methods) if view else ""
    return response
