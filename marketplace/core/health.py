"""Is everything there that the marketplace stands on? Each part says so in a word, or says what is wrong and what to do.

Apps above add their own checks (`register_check`), since core knows none of them."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from . import events

Check = Callable[[], str]
OK = "ok"


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"The database does not answer ({type(error).__name__}): check DATABASE_URL."
    return OK


def _broker() -> str:
    try:
        events.ping()
    except RedisError:
        return "The message broker does not answer: jobs wait until it is there. Check REDIS_URL."
    return OK


_checks: dict[str, Check] = {"database": _database, "broker": _broker}


def register_check(name: str, check: Check) -> None:
    """`check` returns OK, or a sentence; it must be quick and must not raise."""
    _checks[name] = check


def health() -> tuple[bool, dict[str, str]]:
    """Whether all is well, and each part's word."""
    found = {name: check() for name, check in _checks.items()}
    return all(word == OK for word in found.values()), found
