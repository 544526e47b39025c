"""How a request's body is read. DRF imports this while it starts, so nothing here may import its views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from .strict_json import NotStrictJson, strict_json


class StrictJsonParser(BaseParser):
    """JSON that can be stored and passed on (`strict_json`)."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return strict_json(stream.read())
        except NotStrictJson as error:
            raise ParseError(str(error)) from error


class RawParser(BaseParser):
    """The body as it came."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return stream.read()
