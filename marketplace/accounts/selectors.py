"""Who calls, and which tokens somebody has."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from django.db.models import QuerySet

from marketplace.core.caller import Caller

from .models import ApiToken, Session

USED_STEP_NS = 60 * 10**9  # how exactly `last_used_at_ns` is kept: a write a request would be too many


def secret_hash(secret: str) -> str:
    """Secrets have 256 random bits, so a plain hash cannot be turned back."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def caller_of(hashed: str) -> Caller | None:
    """Whose secret this is, while it is good. None: nobody's, or no longer."""
    now_ns = time.time_ns()
    session = Session.objects.filter(secret_hash=hashed, expires_at_ns__gt=now_ns).first()
    if session is not None:
        return Caller(session.principal)
    token = ApiToken.objects.filter(secret_hash=hashed, state=ApiToken.State.ACTIVE, expires_at_ns__gt=now_ns).first()
    if token is None:
        return None
    if token.last_used_at_ns is None or now_ns - token.last_used_at_ns > USED_STEP_NS:
        ApiToken.objects.filter(id=token.id).update(last_used_at_ns=now_ns)
    return Caller(token.principal, token.id)


def expiry_of(caller: Caller, hashed: str) -> int:
    """Until when the caller's secret is good, in ns since 1970."""
    if caller.token_id is not None:
        return ApiToken.objects.get(id=caller.token_id).expires_at_ns
    return Session.objects.get(secret_hash=hashed).expires_at_ns


def tokens_of(principal: str) -> QuerySet[ApiToken]:
    """Newest first."""
    return ApiToken.objects.filter(principal=principal).order_by("-created_at_ns", "-id")


def token_json(token: ApiToken) -> dict[str, Any]:
    state = token.state
    if state != ApiToken.State.REVOKED and token.expires_at_ns <= time.time_ns():
        state = "expired"
    return {
        "id": token.id,
        "name": token.name,
        "public_key": token.public_key,
        "targets": token.targets,
        "expires_at_ns": str(token.expires_at_ns),
        "created_at_ns": str(token.created_at_ns),
        "last_used_at_ns": None if token.last_used_at_ns is None else str(token.last_used_at_ns),
        "state": str(state),
    }
