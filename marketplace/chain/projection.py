"""How blocks become rows: each app names the blocks it listens to, and gives a function that applies one.

`<app>/projection.py` is found by itself at the start (`apps.ChainConfig`). A handler runs inside its block's transaction, once, in the
order of its log. The order between logs is not known, so a handler writes only what its own log decides and reads no other log's rows:
then the index made anew equals the one that followed live. A handler must take whatever its canister can log: a `nat` of any size, text
with NUL characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from string import Formatter
from typing import Any

from django.db import models

from canisters.interface import icrc3
from canisters.interface.principal import MAX_BYTES, Principal

KINDS = ("registry", "jobs", "ledger", "cooperatives", "cooperative")
Proof = dict[str, Any]


@dataclass(frozen=True)
class Fact:
    """A block that holds, in plain form: Map a dict, Array a list, Blob bytes, Nat and Int whole numbers, Text a str.

    `canister`: principal. `kind`: which of KINDS its log is. `tx`: what happened; `block`: all of the block. `hash`: 32 bytes."""

    canister: str
    kind: str
    index: int
    btype: str
    at_ns: int
    hash: bytes
    block: dict[str, Any]

    @property
    def tx(self) -> dict[str, Any]:
        found = self.block.get("tx")
        return found if isinstance(found, dict) else {}

    @property
    def proof(self) -> Proof:
        return proof(self.canister, self.index)

    def principal(self, name: str) -> str:
        return principal_of(self.tx[name])


Handler = Callable[[Fact], None]
Title = str | Callable[[Fact], str]


def proof(canister: str, block: int) -> Proof:
    """Where a claim is settled: anybody can ask that canister for that block and its certificate."""
    return {"canister": canister, "block": block}


def principal_of(raw: bytes) -> str:
    return str(Principal(raw))


def account_of(value: Any) -> tuple[str, str]:
    """Owner and subaccount (hex, "" for the default one) of an account as the ledger logs it."""
    owner, *rest = value
    return principal_of(owner), rest[0].hex() if rest else ""


def plain(value: Any) -> Any:
    """The JSON form: bytes as lower-case hex. Whoever knows that a field is a principal or an amount says so instead."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Projection:
    """One app's listening. `tables`: what its handlers write, emptied in this order when the index is made anew."""

    def __init__(self, name: str, *, tables: Iterable[type[models.Model]]) -> None:
        self.name = name
        self.tables = tuple(tables)
        self.handlers: dict[tuple[str, str], list[Handler]] = {}
        PROJECTIONS[name] = self

    def on(self, kind: str, btype: str, *, title: Title | None = None) -> Callable[[Handler], Handler]:
        """Listen to a block type. `title`: plain words with {fields of tx}, or a function of the fact."""
        _require_kind(kind)

        def listen(handler: Handler) -> Handler:
            self.handlers.setdefault((kind, btype), []).append(handler)
            return handler

        if title is not None:
            self.title(kind, btype, title)
        return listen

    def title(self, kind: str, btype: str, title: Title) -> None:
        _require_kind(kind)
        TITLES[(kind, btype)] = title


PROJECTIONS: dict[str, Projection] = {}
TITLES: dict[tuple[str, str], Title] = {}


def _require_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"no log of kind {kind}: one of {', '.join(KINDS)}")


def apply(fact: Fact) -> None:
    """Tell every projection that listens. Raises whatever a handler raises: the caller rolls back."""
    for name in sorted(PROJECTIONS):
        for handler in PROJECTIONS[name].handlers.get((fact.kind, fact.btype), ()):
            handler(fact)


def empty_tables() -> None:
    for name in sorted(PROJECTIONS, reverse=True):
        for table in PROJECTIONS[name].tables:
            table._default_manager.all().delete()


def _named(fact: Fact) -> str:
    return (fact.btype or "block").replace("_", " ").capitalize()


class _Words(Formatter):
    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        return kwargs.get(key, "?")


def title_of(fact: Fact) -> str:
    """The block in plain words; its type when nobody has words for it."""
    title = TITLES.get((fact.kind, fact.btype), _named)
    if not isinstance(title, str):
        try:
            return title(fact)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return _named(fact)  # a canister's newer form of the block: one title must not hide a whole list
    shown = {key: value for key, value in fact.tx.items() if isinstance(value, str | int)}
    return _Words().vformat(title, (), shown)


# --- what a block is about, by the names of its fields ---

_NUMBERS = {"dataset_id": "dataset", "job_id": "job", "proposal_id": "proposal"}
_PRINCIPALS = frozenset(
    [
        "owner",
        "builder",
        "worker",
        "workers",
        "payer",
        "proposer",
        "creator",
        "voter",
        "caller",
        "from",
        "to",
        "spender",
        "canister",
        "inference",
    ]
)


def subjects_of(block: dict[str, Any]) -> list[tuple[str, str]]:
    """(kind, key) of every dataset, job, proposal and principal that a block names, at any depth, each once, in order."""
    found: dict[tuple[str, str], None] = {}
    _walk(block.get("tx"), found)
    return list(found)


def _walk(value: Any, found: dict[tuple[str, str], None]) -> None:
    if isinstance(value, list):
        for item in value:
            _walk(item, found)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in _NUMBERS and isinstance(item, int):
                found[(_NUMBERS[name], str(item))] = None
            elif name in _PRINCIPALS:
                for raw in _principals(item):
                    found[("principal", str(Principal(raw)))] = None
            _walk(item, found)


def _principals(item: Any) -> Iterable[bytes]:
    """A principal, several of them, or the owner of an account (whose subaccount has 32 bytes, more than a principal may have)."""
    items = item if isinstance(item, list) else [item]
    return [raw for raw in items if isinstance(raw, bytes) and len(raw) <= MAX_BYTES]


def fact_of(canister: str, kind: str, index: int, value: icrc3.Value) -> Fact:
    """A block in plain form. What is missing is empty: a standard's block need not have our fields."""
    found = icrc3.from_value(value)
    block: dict[str, Any] = found if isinstance(found, dict) else {}
    btype, at_ns = block.get("btype"), block.get("ts")
    return Fact(
        canister=canister,
        kind=kind,
        index=index,
        btype=btype[:60].replace("\x00", " ") if isinstance(btype, str) else "",
        at_ns=at_ns if isinstance(at_ns, int) and 0 <= at_ns < 1 << 63 else 0,
        hash=icrc3.value_hash(value),
        block=block,
    )
