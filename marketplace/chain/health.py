"""The chain's and the index's word in `health`."""

from __future__ import annotations

import time

import httpx

from marketplace.core.errors import MarketError
from marketplace.core.health import OK

from .canisters import deployment
from .models import ChainIndex, LogCursor

LATE_NS = 30 * 10**9
_TIMEOUT_S = 2.0


def chain() -> str:
    try:
        answer = httpx.get(f"{deployment().url}/api/v2/status", timeout=_TIMEOUT_S, trust_env=False)
    except MarketError as error:
        return error.message
    except httpx.HTTPError:
        return "The chain does not answer: nothing can be signed until it does, and what is indexed stays readable."
    return OK if answer.status_code == 200 else f"The chain answers with status {answer.status_code}."


def index() -> str:
    row = ChainIndex.objects.first()
    if row is None:
        return "Nothing is indexed yet: start `manage.py follow`."
    if row.root_key != _deployed_root_key(row):
        return "The index is of another chain than the one that is deployed: run `manage.py reindex` if it was made anew on purpose."
    problems = [
        f"{cursor.name}: {cursor.problem}" for cursor in LogCursor.objects.exclude(problem="").order_by("position")
    ]
    if problems:
        return " ".join(problems)
    late_s = (time.time_ns() - row.looked_at_ns) // 10**9
    return (
        OK
        if late_s * 10**9 < LATE_NS
        else f"The chain was last looked at {late_s} seconds ago: start `manage.py follow`."
    )


def _deployed_root_key(row: ChainIndex) -> str:
    try:
        return deployment().root_key.hex()
    except MarketError:
        return row.root_key  # `chain` says that
