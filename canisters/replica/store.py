"""The network on disk: one SQLite file, one transaction a block.

A block's changed pages, its queues, open calls, answers and settings are written together, and answers leave only after the commit: a
process killed at any instant restarts at the last whole block. WAL with synchronous=FULL, so a power cut is no different."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import sqlite3
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2

from . import state
from .engine import Module, Sandbox
from .engine.contract import PAGE_BYTES, Closure, InvalidModule, Pages
from .state import (
    Callback,
    CallContext,
    Canister,
    FromCanister,
    FromIngress,
    FromSystem,
    IngressStatus,
    Network,
    Reject,
    Reply,
    Snapshot,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS canister (id BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memory (id BLOB PRIMARY KEY, heap_bytes INTEGER, stable_bytes INTEGER, globals BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS page (id BLOB, kind INTEGER, number INTEGER, data BLOB, PRIMARY KEY (id, kind, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS wasm (hash BLOB PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chunk (id BLOB, hash BLOB, data BLOB, PRIMARY KEY (id, hash));
CREATE TABLE IF NOT EXISTS ingress (request_id BLOB PRIMARY KEY, expires_ns INTEGER, value BLOB) WITHOUT ROWID;
"""
HEAP, STABLE, WASM = 0, 1, 2  # kinds of memory; the last only of snapshots that are uploaded
FORMAT = 1


@dataclass(frozen=True)
class Copied:
    """All memory kept under one id, as it is at this point of the block, is kept under another too, instead of what that had."""

    source: bytes
    to: bytes


@dataclass(frozen=True)
class Dropped:
    """Nothing is kept under this id any more."""

    id: bytes


@dataclass(frozen=True)
class Spliced:
    """`data` at `offset` of one kind of memory kept under an id."""

    id: bytes
    kind: int
    offset: int
    data: bytes


# What a block does to memory, in order: a canister's changed pages, or a whole memory copied, dropped or written in part.
Step = tuple[bytes, Pages] | Copied | Dropped | Spliced


class StoreInUse(RuntimeError):
    """Another process has this state open."""


class StoreUnreadable(RuntimeError):
    """The file is not a state of this version."""


class StoreUnwritable(RuntimeError):
    """A block could not be written; the file holds the block before."""


class Store:
    """The folder is this process's alone: it holds the network's keys, so only its owner may read it. Raises StoreInUse, StoreUnreadable."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.cache = directory / "compiled"
        self._lock = (directory / "lock").open("w")  # the kernel lets go of it however the process ends
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StoreInUse(
                f"{directory} is in use by another replica: stop that one, or choose another --state"
            ) from error
        path = directory / "network.sqlite"
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self.close()
            raise StoreUnreadable(f"{path} cannot be read ({error}): move it away to start anew") from error

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    # --- writing ---

    def write_block(self, network: Network, canisters: set[bytes], steps: list[Step], requests: set[bytes]) -> None:
        """`canisters`, `requests`: whose records changed. `steps`: in the order in which they were taken."""
        with self._writing():
            for step in steps:
                self._take(step, network)
            for canister_id in canisters:
                self._write_canister(canister_id, network.canisters.get(canister_id))
            for request_id in requests:
                status = network.ingress.get(request_id)
                if status is None:
                    self._db.execute("DELETE FROM ingress WHERE request_id=?", (request_id,))
                else:
                    row = (request_id, status.expires_ns, cbor2.dumps(_encode_status(status)))
                    self._db.execute("INSERT OR REPLACE INTO ingress VALUES (?,?,?)", row)
            self._db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('network', ?)", (cbor2.dumps(_encode_network(network)),)
            )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, whole or not at all. Raises StoreUnwritable."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreUnwritable(
                f"the state cannot be written: {error}; make room on the disk, then start again"
            ) from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def write_wasm(self, wasm_hash: bytes, wasm: bytes) -> None:
        """Before the block that installs it: an unused module is harmless."""
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO wasm VALUES (?,?)", (wasm_hash, wasm))

    def read_wasm(self, wasm_hash: bytes) -> bytes:
        row = self._db.execute("SELECT data FROM wasm WHERE hash=?", (wasm_hash,)).fetchone()
        if row is None:
            raise StoreUnreadable(f"the module {wasm_hash.hex()} is missing from the state")
        return bytes(row[0])

    def _take(self, step: Step, network: Network) -> None:
        match step:
            case (bytes(canister_id), Pages() as changed):
                if canister_id in network.canisters:
                    self._write_pages(canister_id, changed)
            case Copied(source, to):
                self._drop(to)
                self._db.execute(
                    "INSERT INTO page SELECT ?, kind, number, data FROM page WHERE id=? AND kind<2", (to, source)
                )
                self._db.execute(
                    "INSERT INTO memory SELECT ?, heap_bytes, stable_bytes, globals FROM memory WHERE id=?",
                    (to, source),
                )
            case Dropped(id_):
                self._drop(id_)
                self._db.execute("DELETE FROM chunk WHERE id=?", (id_,))
            case Spliced(id_, kind, offset, data):
                self._splice(id_, kind, offset, data)

    def _drop(self, id_: bytes) -> None:
        for table in ("page", "memory"):
            self._db.execute(f"DELETE FROM {table} WHERE id=?", (id_,))

    def _splice(self, id_: bytes, kind: int, offset: int, data: bytes) -> None:
        first, last = offset // PAGE_BYTES, (offset + len(data) - 1) // PAGE_BYTES
        old = self.read_memory(id_, kind, first * PAGE_BYTES, (last - first + 1) * PAGE_BYTES)
        start = offset - first * PAGE_BYTES
        new = old[:start] + data + old[start + len(data) :]
        rows = ((id_, kind, first + i, new[i * PAGE_BYTES : (i + 1) * PAGE_BYTES]) for i in range(last - first + 1))
        self._db.executemany("INSERT OR REPLACE INTO page VALUES (?,?,?,?)", rows)

    def _write_pages(self, canister_id: bytes, changed: Pages) -> None:
        for kind, replaced, pages in (
            (HEAP, changed.heap_replaced, changed.heap),
            (STABLE, changed.stable_replaced, changed.stable),
        ):
            if replaced:
                self._db.execute("DELETE FROM page WHERE id=? AND kind=?", (canister_id, kind))
            rows = ((canister_id, kind, number, data) for number, data in pages.items())
            self._db.executemany("INSERT OR REPLACE INTO page VALUES (?,?,?,?)", rows)
        row = (canister_id, changed.heap_bytes, changed.stable_bytes, cbor2.dumps([list(g) for g in changed.globals_]))
        self._db.execute("INSERT OR REPLACE INTO memory VALUES (?,?,?,?)", row)

    def _write_canister(self, canister_id: bytes, canister: Canister | None) -> None:
        if canister is None or canister.wasm_hash is None:
            self._drop(canister_id)
        if canister is None:
            for table in ("canister", "chunk"):
                self._db.execute(f"DELETE FROM {table} WHERE id=?", (canister_id,))
            return
        self._db.execute(
            "INSERT OR REPLACE INTO canister VALUES (?,?)", (canister_id, cbor2.dumps(_encode_canister(canister)))
        )
        self._write_chunks(canister_id, canister.chunks)
        for snapshot in canister.snapshots.values():
            self._write_chunks(snapshot.id, snapshot.chunks)

    def _write_chunks(self, id_: bytes, chunks: dict[bytes, bytes]) -> None:
        kept = {bytes(row[0]) for row in self._db.execute("SELECT hash FROM chunk WHERE id=?", (id_,))}
        for gone in kept - set(chunks):
            self._db.execute("DELETE FROM chunk WHERE id=? AND hash=?", (id_, gone))
        for new in set(chunks) - kept:
            self._db.execute("INSERT INTO chunk VALUES (?,?,?)", (id_, new, chunks[new]))

    # --- reading ---

    def read(self) -> Network | None:
        """The network as of the last block, its instances made again; None for a new folder. Raises StoreUnreadable."""
        try:
            return self._read()
        except (sqlite3.DatabaseError, cbor2.CBORError, KeyError, TypeError, ValueError, InvalidModule) as error:
            raise StoreUnreadable(f"the state is damaged ({error}): move the folder away to start anew") from error

    def _read(self) -> Network | None:
        row = self._db.execute("SELECT value FROM meta WHERE key='network'").fetchone()
        if row is None:
            return None
        network = _decode_network(cbor2.loads(row[0]))
        for canister_id, value in self._db.execute("SELECT id, value FROM canister").fetchall():
            canister = _decode_canister(bytes(canister_id), cbor2.loads(value))
            canister.chunks = self._read_chunks(canister.id)
            for snapshot in canister.snapshots.values():
                snapshot.chunks = self._read_chunks(snapshot.id)
            network.canisters[canister.id] = canister
            if canister.wasm_hash is not None:
                canister.module = Module.prepare(self.read_wasm(canister.wasm_hash), self.cache)
                canister.sandbox = Sandbox.restore(canister.module, self.read_pages(canister.id))
        for request_id, value in self._db.execute("SELECT request_id, value FROM ingress"):
            network.ingress[bytes(request_id)] = _decode_status(cbor2.loads(value))
        canisters = network.canisters.values()
        snapshots = {s.wasm_hash for canister in canisters for s in canister.snapshots.values()}
        self._forget_unused(snapshots | {canister.wasm_hash for canister in canisters})
        return network

    def _read_chunks(self, id_: bytes) -> dict[bytes, bytes]:
        rows = self._db.execute("SELECT hash, data FROM chunk WHERE id=?", (id_,))
        return {bytes(h): bytes(d) for h, d in rows}

    def _forget_unused(self, wasm_hashes: set[bytes | None]) -> None:
        """Drop modules that no canister runs any more, and their compiled code."""
        stored = {bytes(row[0]) for row in self._db.execute("SELECT hash FROM wasm")}
        for unused in stored - wasm_hashes:
            self._db.execute("DELETE FROM wasm WHERE hash=?", (unused,))
        kept = {wasm_hash.hex() for wasm_hash in wasm_hashes if wasm_hash is not None}
        for file in self.cache.glob("*"):
            if file.name[:64] not in kept or file.suffix != ".cwasm":
                file.unlink()

    def read_memory(self, id_: bytes, kind: int, offset: int, size: int) -> bytes:
        """A range of one kind of memory as it was written last; zeros where nothing was."""
        first, last = offset // PAGE_BYTES, (offset + size - 1) // PAGE_BYTES
        found = bytearray((last - first + 1) * PAGE_BYTES)
        asked = (id_, kind, first, last)
        for number, data in self._db.execute(
            "SELECT number, data FROM page WHERE id=? AND kind=? AND number BETWEEN ? AND ?", asked
        ):
            at = (number - first) * PAGE_BYTES
            found[at : at + len(data)] = data
        start = offset - first * PAGE_BYTES
        return bytes(found[start : start + size])

    def read_pages(self, canister_id: bytes) -> Pages:
        """The memory of a canister, or of a snapshot by its id, as it was written last. Raises StoreUnreadable."""
        row = self._db.execute(
            "SELECT heap_bytes, stable_bytes, globals FROM memory WHERE id=?", (canister_id,)
        ).fetchone()
        if row is None:
            raise StoreUnreadable(f"the memory of canister {canister_id.hex()} is missing from the state")
        globals_ = tuple((kind, bits) for kind, bits in cbor2.loads(row[2]))
        return self.read_uploaded(canister_id, row[0], row[1], globals_)

    def read_uploaded(
        self, id_: bytes, heap_bytes: int, stable_bytes: int, globals_: tuple[tuple[int, int], ...]
    ) -> Pages:
        """The memory kept under an id, of sizes that are known otherwise."""
        pages: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})
        for kind, number, data in self._db.execute("SELECT kind, number, data FROM page WHERE id=? AND kind<2", (id_,)):
            pages[kind][number] = data
        return Pages(pages[HEAP], pages[STABLE], heap_bytes, stable_bytes, globals_)


# --- records as CBOR ---


def _encode_canister(canister: Canister) -> dict[str, Any]:
    plain = (
        "cycles",
        "status",
        "version",
        "certified_data",
        "global_timer_ns",
        "wasm_hash",
        "next_log",
        "changes",
        "total_changes",
        "next_snapshot",
        "low_memory",
    )
    return {
        **{name: getattr(canister, name) for name in plain},
        "settings": dataclasses.asdict(canister.settings),
        "logs": [[line.index, line.timestamp_ns, line.content] for line in canister.logs],
        "snapshots": [_encode_snapshot(snapshot) for snapshot in canister.snapshots.values()],
    }


def _encode_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {f.name: getattr(snapshot, f.name) for f in dataclasses.fields(snapshot) if f.name != "chunks"}


def _decode_snapshot(fields: dict[str, Any]) -> Snapshot:
    globals_ = tuple((kind, bits) for kind, bits in fields.pop("globals_"))
    return Snapshot(**fields, globals_=globals_)


def _decode_canister(canister_id: bytes, fields: dict[str, Any]) -> Canister:
    settings = fields.pop("settings")
    settings["environment_variables"] = [(name, value) for name, value in settings["environment_variables"]]
    logs = [state.LogLine(*line) for line in fields.pop("logs")]
    kept = [_decode_snapshot(snapshot) for snapshot in fields.pop("snapshots", [])]
    snapshots = {snapshot.id: snapshot for snapshot in kept}
    return Canister(id=canister_id, settings=state.Settings(**settings), logs=logs, snapshots=snapshots, **fields)


def _encode_origin(origin: state.Origin) -> list[Any]:
    match origin:
        case FromIngress(request_id):
            return ["ingress", request_id]
        case FromCanister(callback):
            return ["canister", callback]
        case FromSystem():
            return ["system"]


def _decode_origin(value: list[Any]) -> state.Origin:
    match value:
        case ["ingress", request_id]:
            return FromIngress(request_id)
        case ["canister", callback]:
            return FromCanister(callback)
    return FromSystem()


def _encode_answer(answer: state.Answer) -> list[Any]:
    return [answer.data] if isinstance(answer, Reply) else [answer.code, answer.message, answer.error_code]


def _decode_answer(value: list[Any]) -> state.Answer:
    return Reply(value[0]) if len(value) == 1 else Reject(*value)


def _encode_status(status: IngressStatus) -> dict[str, Any]:
    fields = dataclasses.asdict(status)
    fields["reject"] = _encode_answer(status.reject) if status.reject else None
    return fields


def _decode_status(fields: dict[str, Any]) -> IngressStatus:
    reject = fields.pop("reject")
    return IngressStatus(**fields, reject=Reject(*reject) if reject else None)


def _encode_closure(closure: Closure | None) -> list[int] | None:
    return None if closure is None else [closure.function, closure.environment]


def _decode_closure(value: list[int]) -> Closure:
    return Closure(*value)


def _encode_network(network: Network) -> dict[str, Any]:
    return {
        "format": FORMAT,
        **{name: getattr(network, name) for name in ("seed", "time_ns", "height", "next_canister", "next_id", "random_counter", "cycles_spent", "cycles_blocks", "icp_e8s", "charged_ns")},
        "icp_blocks": [list(block) for block in network.icp_blocks],
        "minted_blocks": sorted(network.minted_blocks),
        "contexts": [
            {**{f.name: getattr(c, f.name) for f in dataclasses.fields(c)}, "origin": _encode_origin(c.origin)}
            for c in network.contexts.values()
        ],
        "callbacks": [
            [b.id, b.canister_id, b.context, _encode_closure(b.on_reply), _encode_closure(b.on_reject),
             _encode_closure(b.on_cleanup), b.cycles_sent, b.deadline_ns]
            for b in network.callbacks.values()
        ],
        "queue": [
            ["q", m.callee, m.method, m.argument, m.caller, m.cycles, _encode_origin(m.origin), m.deadline_ns]
            if isinstance(m, state.Request)
            else ["p", m.callback, _encode_answer(m.answer), m.refund]
            for m in network.queue
        ],
        "stop_waiters": [[w.canister_id, _encode_origin(w.origin), w.refund] for w in network.stop_waiters],
    }  # fmt: skip


def _decode_network(fields: dict[str, Any]) -> Network:
    if fields.pop("format") != FORMAT:
        raise StoreUnreadable(
            "the state was written by another version of the embedded network: move it away to start anew"
        )
    contexts = [CallContext(**{**c, "origin": _decode_origin(c["origin"])}) for c in fields.pop("contexts")]
    callbacks = [
        Callback(i, c, x, _decode_closure(p), _decode_closure(r), _decode_closure(u) if u else None, n, d)
        for i, c, x, p, r, u, n, d in fields.pop("callbacks")
    ]
    queue: deque[state.Request | state.Response] = deque()
    for row in fields.pop("queue"):
        if row[0] == "q":
            _, callee, method, argument, caller, cycles, origin, deadline = row
            queue.append(state.Request(callee, method, argument, caller, cycles, _decode_origin(origin), deadline))
        else:
            queue.append(state.Response(row[1], _decode_answer(row[2]), row[3]))
    waiters = [state.StopWaiter(c, _decode_origin(o), r) for c, o, r in fields.pop("stop_waiters")]
    icp_blocks = [(source, to, amount) for source, to, amount in fields.pop("icp_blocks", [])]
    minted_blocks = set(fields.pop("minted_blocks", []))
    return Network(
        **fields,
        icp_blocks=icp_blocks,
        minted_blocks=minted_blocks,
        contexts={c.id: c for c in contexts},
        callbacks={b.id: b for b in callbacks},
        queue=queue,
        stop_waiters=waiters,
    )
