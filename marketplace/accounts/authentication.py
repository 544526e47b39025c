"""How a request's `Authorization` header becomes a `Caller`. DRF imports this while it starts, so nothing here may import its views."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from marketplace.core.caller import Caller
from marketplace.core.errors import NotSignedIn

from .selectors import caller_of, secret_hash

MAX_SECRET = 200


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer SECRET`. Without the header nobody is signed in; with one that is not good, the request is refused."""

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        """The caller, and the secret's hash as `request.auth`. Raises NotSignedIn."""
        header = get_authorization_header(request)
        if not header:
            return None
        scheme, _, secret = header.partition(b" ")
        if scheme.lower() != b"bearer" or not secret.strip() or len(secret) > MAX_SECRET:
            raise NotSignedIn("Send `Authorization: Bearer SECRET`, with the secret of a session or an API token.")
        hashed = secret_hash(secret.strip().decode("latin-1"))
        caller = caller_of(hashed)
        if caller is None:
            raise NotSignedIn("This session or token is over, or never was. Sign in again.", code="secret_refused")
        return caller, hashed

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
