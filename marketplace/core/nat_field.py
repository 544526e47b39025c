"""A column for a `nat`: the chain's whole numbers have no upper end, a database's have one.

Kept as decimal text, read as a Python int. Not for sorting or adding up in the database; where the canister itself keeps a number below
2^63, a BigIntegerField does both."""

from __future__ import annotations

from typing import Any

from django.db import models


class NatText(models.TextField):  # type: ignore[type-arg]
    _pyi_private_set_type: Any  # how django-stubs is told what may be assigned and what comes back
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(int(value))

    def to_python(self, value: Any) -> int | None:
        return None if value is None else int(value)
