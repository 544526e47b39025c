"""Following the chain: reads what is new in each canister's log, proven, and applies it block by block.

`look` is one round; `follow_now` is a round over a few logs, for a service that has just called the chain; `reindex` throws the index away
and makes it again. Several processes may do any of these at once: a block is applied by whoever comes first, in one transaction with the
cursor that counts it, and never twice."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from django.db import OperationalError, transaction

from canisters.client import ChainAgent, ChainUnavailable, ClientError
from canisters.client.deployment import Deployment
from canisters.client.typed import Cooperative, Cooperatives, Jobs, Ledger, Registry
from canisters.interface.principal import Principal
from marketplace.core.errors import MarketError

from . import projection, values
from .canisters import CORE, chain_agent, deployment
from .errors import CannotApply, IndexRefused, OtherChain
from .log import LogReader, ProvenBlock, read_new_blocks
from .models import Block, BlockSubject, ChainIndex, LogCursor
from .projection import Fact, fact_of, subjects_of

log = logging.getLogger(__name__)
CLIENTS: dict[str, Callable[[ChainAgent, Principal], LogReader]] = {
    "registry": Registry,
    "jobs": Jobs,
    "ledger": Ledger,
    "cooperatives": Cooperatives,
    "cooperative": Cooperative,
}
HEARTBEAT_NS = 5 * 10**9


@dataclass
class Look:
    """What a round found. `problems`: log -> what is wrong, in words."""

    applied: int = 0
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Source:
    """One canister's log, and how far it is known."""

    canister: str
    kind: str
    next_index: int
    tip_hash: bytes


def look(*, only: Iterable[str] = (), check_tip: bool = False) -> Look:
    """One round over all logs, or over those in `only` (kinds or principals). What is wrong with one log does not stop the others.

    `check_tip`: prove also of logs without anything new that they end where the index does.
    Raises: OtherChain; ChainUnavailable, the client's when the chain does not answer, the marketplace's before anything is deployed."""
    known = deployment()
    _require_same_chain(known)
    done, wanted, seen = Look(), set(only), set[str]()
    while True:  # a round may find cooperatives, whose logs belong to it
        cursors = [c for c in _cursors() if c.canister not in seen and (not wanted or {c.kind, c.canister} & wanted)]
        if not cursors:
            break
        seen.update(cursor.canister for cursor in cursors)
        found = [(_source(cursor), _read(cursor, done, check_tip)) for cursor in cursors]
        for source, block in _merged(found):
            if source.canister not in done.problems:
                _apply_one(source, block, done)
        _note_problems(cursors, done)
    _heartbeat()
    return done


def follow_now(*logs: str) -> None:
    """After a call to the chain: bring the index up to it, so that the next answer shows it. `logs`: kinds or principals, or all.

    Never raises: the call has happened, and the follower comes round anyway."""
    try:
        for where, problem in look(only=logs).problems.items():
            log.warning("the log of %s is not followed: %s", where, problem)
    except (IndexRefused, MarketError, ClientError, OperationalError) as error:
        log.warning("the index is behind for now: %s", error)


def reindex() -> Look:
    """Throw the index away and make it again from the chain, proven from the first block on.

    Everything is read first, then the tables change in one transaction: who reads meanwhile sees the old index, whole.
    Raises: what `look` raises; LogBroken, ChainUnavailable, when the chain does not prove itself: then the old index stays."""
    known = deployment()
    sources = [_Source(str(known.canisters[kind]), kind, 0, b"") for kind in CORE]
    found: list[tuple[_Source, list[ProvenBlock]]] = []
    while sources:
        source = sources.pop(0)
        blocks, _ = read_new_blocks(_reader(source.kind, source.canister), next_index=0, tip_hash=b"", check_tip=True)
        found.append((source, blocks))
        if source.kind == "cooperatives":
            facts = (fact_of(source.canister, source.kind, block.index, block.value) for block in blocks)
            sources += [_Source(canister, "cooperative", 0, b"") for canister, _ in map(_founded, facts) if canister]
    done = Look()
    with transaction.atomic():
        projection.empty_tables()
        for table in (BlockSubject, Block, LogCursor, ChainIndex):
            table._default_manager.all().delete()
        _require_same_chain(known)
        for of_cooperatives in (False, True):  # the factory names a cooperative only after that has logged its founding
            for source, block in _merged([f for f in found if (f[0].kind == "cooperative") == of_cooperatives]):
                apply_block(source.canister, source.kind, block)
                done.applied += 1
    _heartbeat()
    return done


# --- one block ---


def apply_block(canister: str, kind: str, block: ProvenBlock) -> bool:
    """Apply a proven block, unless it is here already. Returns whether it was new. Raises CannotApply: then nothing has changed."""
    fact = fact_of(canister, kind, block.index, block.value)
    with transaction.atomic():
        cursor = LogCursor.objects.select_for_update().get(canister=canister)
        if block.index != cursor.next_index:
            return False
        try:
            _keep(fact, block)
            projection.apply(fact)
        except OperationalError:
            raise  # the database's trouble, not the block's
        except Exception as error:
            log.exception("block %s of %s (%s) cannot be applied", block.index, kind, fact.btype)
            raise CannotApply(
                f"Block {block.index} ({fact.btype}) cannot be applied: {type(error).__name__}. This is a fault of this program: the log says more."
            ) from error
        cursor.next_index = block.index + 1
        cursor.tip_hash = block.hash.hex()
        cursor.log_length = max(cursor.log_length, cursor.next_index)
        cursor.save(update_fields=["next_index", "tip_hash", "log_length"])
    return True


def _keep(fact: Fact, block: ProvenBlock) -> None:
    row = Block.objects.create(
        canister=fact.canister,
        kind=fact.kind,
        index=fact.index,
        btype=fact.btype,
        at_ns=fact.at_ns,
        hash=fact.hash.hex(),
        value=values.to_json(block.value),
    )
    BlockSubject.objects.bulk_create(
        BlockSubject(block=row, kind=kind, key=key) for kind, key in subjects_of(fact.block)
    )
    canister, name = _founded(fact)
    if canister:
        position = LogCursor.objects.count()
        LogCursor.objects.get_or_create(
            canister=canister, defaults={"kind": "cooperative", "name": name, "position": position}
        )


def _founded(fact: Fact) -> tuple[str, str]:
    """The canister and name of the cooperative that a block tells of; empty for other blocks."""
    if fact.kind != "cooperatives" or fact.btype != "cooperative_created":
        return "", ""
    return fact.principal("canister"), str(fact.tx["name"])


# --- one round ---


def _require_same_chain(known: Deployment) -> None:
    """Raises OtherChain. An empty index takes the deployment's chain for its own."""
    canisters = {kind: str(known.canisters[kind]) for kind in CORE}
    index, made = ChainIndex.objects.get_or_create(
        id=1, defaults={"root_key": known.root_key.hex(), "canisters": canisters}
    )
    if index.root_key != known.root_key.hex() or index.canisters != canisters:
        raise OtherChain(
            "The index was made from another chain than the one that is deployed (its root key or its canisters are others). "
            "If the chain was made anew on purpose, run `manage.py reindex`; if not, check DEPLOYMENT and COMMONWEIGHT_STATE."
        )
    if made or LogCursor.objects.count() < len(CORE):
        for position, kind in enumerate(CORE):
            LogCursor.objects.get_or_create(
                canister=canisters[kind], defaults={"kind": kind, "name": kind, "position": position}
            )


def _cursors() -> list[LogCursor]:
    return list(LogCursor.objects.order_by("position", "canister"))


def _source(cursor: LogCursor) -> _Source:
    return _Source(cursor.canister, cursor.kind, cursor.next_index, bytes.fromhex(cursor.tip_hash))


def _reader(kind: str, canister: str) -> LogReader:
    return CLIENTS[kind](chain_agent(), Principal.from_text(canister))


def _read(cursor: LogCursor, done: Look, check_tip: bool) -> list[ProvenBlock]:
    try:
        blocks, length = read_new_blocks(
            _reader(cursor.kind, cursor.canister),
            next_index=cursor.next_index,
            tip_hash=bytes.fromhex(cursor.tip_hash),
            check_tip=check_tip or bool(cursor.problem),
        )
    except ChainUnavailable:
        raise  # for every log the same: the round is over
    except (IndexRefused, ClientError) as error:
        done.problems[cursor.canister] = str(error)
        return []
    if length != cursor.log_length:
        LogCursor.objects.filter(canister=cursor.canister).update(log_length=length)
    return blocks


def _merged(found: list[tuple[_Source, list[ProvenBlock]]]) -> Iterator[tuple[_Source, ProvenBlock]]:
    """Blocks of several logs by their times; each log stays in its own order."""

    def timed(source: _Source, blocks: list[ProvenBlock]) -> Iterator[tuple[int, int, _Source, ProvenBlock]]:
        for block in blocks:
            at_ns = fact_of(source.canister, source.kind, block.index, block.value).at_ns
            yield at_ns, projection.KINDS.index(source.kind), source, block

    streams = [timed(source, blocks) for source, blocks in found]
    for _, _, source, block in heapq.merge(*streams, key=lambda entry: entry[:2]):
        yield source, block


def _apply_one(source: _Source, block: ProvenBlock, done: Look) -> None:
    try:
        done.applied += apply_block(source.canister, source.kind, block)
    except CannotApply as error:
        done.problems[source.canister] = str(error)


def _note_problems(cursors: list[LogCursor], done: Look) -> None:
    for cursor in cursors:
        problem = done.problems.get(cursor.canister, "")
        if problem != cursor.problem:
            LogCursor.objects.filter(canister=cursor.canister).update(problem=problem)


def _heartbeat() -> None:
    at_ns = time.time_ns()
    ChainIndex.objects.filter(id=1, looked_at_ns__lt=at_ns - HEARTBEAT_NS).update(looked_at_ns=at_ns)
