"""A column of canonical JSON text.

Not the database's own JSON type: that one loses the order of keys and refuses NUL characters, which a log on the chain may hold."""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from marketplace.client.canonical import canonical_json


class JsonText(models.TextField):  # type: ignore[type-arg]
    _pyi_private_set_type: Any  # how django-stubs is told what may be assigned and what comes back
    _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else canonical_json(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value


def searchable(text: str) -> str:
    """Text from the chain for a column that is searched: without what a database refuses."""
    return text.replace("\x00", " ").encode("utf-8", "replace").decode()[:500]
