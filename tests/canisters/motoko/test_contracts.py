"""The committed Candid contracts are what the compiled canisters offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from canisters.interface.candid import Service, parse_did
from canisters.interface.candid.types import (
    Environment,
    Func,
    Opt,
    Record,
    Ref,
    ServiceType,
    Type,
    Variant,
    Vec,
    resolved,
)

NAMES = ["registry", "jobs", "ledger", "cooperatives", "cooperative"]


def spelled(type_: Type, seen: tuple[Type, ...] = ()) -> str:
    """A type without its names, so that two interfaces can be compared."""
    if isinstance(type_, Ref):
        inner = type_.resolve()
        if inner in seen:
            return f"^{len(seen) - seen.index(inner)}"
        return spelled(inner, seen)
    below = (*seen, type_)
    match type_:
        case Opt(of) | Vec(of):
            return f"{type(type_).__name__.lower()} {spelled(of, below)}"
        case Record(fields) | Variant(fields):
            inside = "; ".join(f"{f.id}:{spelled(f.type, below)}" for f in fields)
            return f"{type(type_).__name__.lower()} {{{inside}}}"
        case Func(arguments, results, modes):
            return f"({', '.join(spelled(t, below) for t in arguments)}) -> ({', '.join(spelled(t, below) for t in results)}) {' '.join(modes)}"
        case ServiceType(methods):
            return "; ".join(f"{name}: {spelled(t, below)}" for name, t in sorted(methods))
        case _:
            return str(getattr(type_, "name", type_))


def shape(service: Service) -> dict[str, str]:
    return {name: spelled(Func(m.arguments, m.results, m.modes)) for name, m in service.methods.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_contract_is_what_the_canister_offers(name: str, repository: Path) -> None:
    compiled = repository / "build/canisters" / f"{name}.did"
    assert compiled.exists(), "run `make build` first"

    committed = parse_did((repository / "canisters/candid" / f"{name}.did").read_text())
    emitted = parse_did(compiled.read_text())

    assert shape(committed) == shape(emitted)
    assert [spelled(t) for t in committed.init] == [spelled(t) for t in emitted.init]


def test_two_contracts_that_differ_are_told_apart() -> None:
    one = parse_did("service : { f : (record { a : nat; b : opt text }) -> () }")
    other = parse_did("service : { f : (record { a : nat; b : text }) -> () }")

    assert shape(one) != shape(other)
    assert resolved(Ref("T", _environment())) == Vec(resolved(Ref("T", _environment())).of)


def _environment() -> Environment:
    environment = Environment()
    environment.types["T"] = parse_did("type T = vec nat; service : {}").types["T"]
    return environment
