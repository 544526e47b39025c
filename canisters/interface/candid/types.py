"""Candid types as a small tree of frozen dataclasses. A named type is a `Ref` into its environment, so that types may recurse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

PRIMITIVES = {
    "null": -1, "bool": -2, "nat": -3, "int": -4, "nat8": -5, "nat16": -6, "nat32": -7, "nat64": -8,
    "int8": -9, "int16": -10, "int32": -11, "int64": -12, "float32": -13, "float64": -14, "text": -15,
    "reserved": -16, "empty": -17, "principal": -24,
}  # fmt: skip
PRIMITIVE_NAMES = {code: name for name, code in PRIMITIVES.items()}
OPT, VEC, RECORD, VARIANT, FUNC, SERVICE = -18, -19, -20, -21, -22, -23


@dataclass(frozen=True)
class Prim:
    name: str


@dataclass(frozen=True)
class Opt:
    of: Type


@dataclass(frozen=True)
class Vec:
    of: Type


@dataclass(frozen=True)
class Field:
    """`name` is None for a field known by its number only."""

    id: int
    name: str | None
    type: Type

    @property
    def key(self) -> str:
        return self.name if self.name is not None else f"_{self.id}_"


@dataclass(frozen=True)
class Record:
    fields: tuple[Field, ...]  # in order of id

    @property
    def is_tuple(self) -> bool:
        return bool(self.fields) and all(f.name is None and f.id == i for i, f in enumerate(self.fields))


@dataclass(frozen=True)
class Variant:
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Func:
    arguments: tuple[Type, ...]
    results: tuple[Type, ...]
    modes: tuple[str, ...]


@dataclass(frozen=True)
class ServiceType:
    methods: tuple[tuple[str, Type], ...]


@dataclass(frozen=True)
class Ref:
    """A name and the environment in which it is defined; the environment is shared and filled while parsing."""

    name: str
    environment: Environment = field(compare=False, repr=False, hash=False)

    def resolve(self) -> Type:
        found: Type = self
        for _ in range(1000):
            if not isinstance(found, Ref):
                return found
            found = found.environment.types[found.name]
        raise ValueError(f"type {self.name} is defined by itself")


Type = Prim | Opt | Vec | Record | Variant | Func | ServiceType | Ref


class Environment:
    """Named types of one interface."""

    def __init__(self) -> None:
        self.types: dict[str, Type] = {}


def resolved(type_: Type) -> Type:
    return type_.resolve() if isinstance(type_, Ref) else type_


@lru_cache(maxsize=65536)
def label_id(label: str) -> int:
    """Source: Candid specification, "Shorthand: symbolic field ids"."""
    value = 0
    for byte in label.encode():
        value = (value * 223 + byte) % (1 << 32)
    return value


def fields_of(named: Mapping[str, Type]) -> tuple[Field, ...]:
    return tuple(sorted((Field(label_id(name), name, type_) for name, type_ in named.items()), key=lambda f: f.id))
