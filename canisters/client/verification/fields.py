"""Reading a block's ICRC-3 values strictly: each kind of value by its own method, and an error that names the place.

Nothing here believes a block; `logs` has checked who wrote it."""

from __future__ import annotations

from typing import Any

from canisters.interface.icrc3 import MalformedValue, Value, value_hash
from canisters.interface.principal import MalformedPrincipal, Principal


class Malformed(ValueError):
    """A block, or something in it, does not have the form that the canister gives it."""


class Fields:
    """A Map. `where` is the way to it, for messages: "block 3 of jobs: args"."""

    def __init__(self, value: Any, where: str) -> None:
        pairs = value.get("Map") if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(pairs, list):
            raise Malformed(f"{where} is not a record")
        self.where = where
        self._values: dict[str, Value] = {}
        for pair in pairs:
            if not (isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)):
                raise Malformed(f"{where} is not a record")
            if pair[0] in self._values:  # the hash would cover both, and a reader believe one
                raise Malformed(f"{where} has {pair[0]} twice")
            self._values[pair[0]] = pair[1]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def value(self, name: str) -> Value:
        found = self._values.get(name)
        if not isinstance(found, dict):
            raise Malformed(f"{self.where} has no {name}")
        return found

    def _of(self, name: str, tag: str, kind: type) -> Any:
        found = self.value(name)
        content = found.get(tag) if len(found) == 1 else None
        if type(content) is not kind:
            raise Malformed(f"{self.where}: {name} is no {tag}")
        return content

    def nat(self, name: str) -> int:
        found: int = self._of(name, "Nat", int)
        if found < 0:
            raise Malformed(f"{self.where}: {name} is negative")
        return found

    def nat_or_none(self, name: str) -> int | None:
        return self.nat(name) if name in self else None

    def integer(self, name: str) -> int:
        found: int = self._of(name, "Int", int)
        return found

    def flag(self, name: str) -> bool:
        return self.nat(name) == 1

    def text(self, name: str) -> str:
        found: str = self._of(name, "Text", str)
        return found

    def blob(self, name: str) -> bytes:
        found: bytes = self._of(name, "Blob", bytes)
        return found

    def principal(self, name: str) -> Principal:
        return _principal(self.blob(name), f"{self.where}: {name}")

    def principal_or_none(self, name: str) -> Principal | None:
        return self.principal(name) if name in self else None

    def items(self, name: str) -> list[Any]:
        found: list[Any] = self._of(name, "Array", list)
        return found

    def records(self, name: str) -> list[Fields]:
        return [Fields(item, f"{self.where}: {name}[{at}]") for at, item in enumerate(self.items(name))]

    def blobs(self, name: str) -> list[bytes]:
        return [self._item(item, "Blob", bytes, name) for item in self.items(name)]

    def texts(self, name: str) -> list[str]:
        return [self._item(item, "Text", str, name) for item in self.items(name)]

    def principals(self, name: str) -> list[Principal]:
        return [_principal(raw, f"{self.where}: {name}") for raw in self.blobs(name)]

    def record(self, name: str) -> Fields:
        return Fields(self.value(name), f"{self.where}: {name}")

    def variant(self, name: str) -> tuple[str, Fields]:
        """A variant's tag and where its payload is found, under the tag; one without payload has an empty record."""
        found = self.value(name)
        if len(found) == 1 and isinstance(found.get("Text"), str):
            return found["Text"], Fields({"Map": []}, f"{self.where}: {name}")
        inner = self.record(name)
        if len(inner._values) != 1:
            raise Malformed(f"{self.where}: {name} is no variant")
        return next(iter(inner._values)), inner

    def _item(self, item: Any, tag: str, kind: type, name: str) -> Any:
        if not (isinstance(item, dict) and len(item) == 1 and type(item.get(tag)) is kind):
            raise Malformed(f"{self.where}: {name} holds something that is no {tag}")
        return item[tag]


def hash_of(value: Any, where: str) -> bytes:
    """ICRC-3's hash of a value. Raises Malformed, whatever it was given."""
    try:
        return value_hash(value)
    except (MalformedValue, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise Malformed(f"{where} is no value of ICRC-3") from error


def _principal(raw: bytes, where: str) -> Principal:
    try:
        return Principal(raw)
    except MalformedPrincipal as error:
        raise Malformed(f"{where}: {error}") from error
