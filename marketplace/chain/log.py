"""Reading a canister's log so that it is proven: each block names the hash of the one before, and the network has signed the last.

Nothing is handed on before that holds for all of it. Source: ICRC-3, "The block log", "The tip certificate"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from canisters.client import CallRejected, ChainAgent
from canisters.client.proof import required_at, verified
from canisters.interface import cbor, hash_tree, icrc3, leb128
from canisters.interface.principal import Principal

from .errors import LogBroken, LogRolledBack

PAGE_BLOCKS = 100
_IF_MEANT = "If the chain was put back to an older state on purpose, run `manage.py reindex`."


class LogReader(Protocol):
    """The part of a canister that every one here has."""

    agent: ChainAgent
    canister_id: Principal

    def icrc3_get_blocks(self, argument_0: Any, /) -> Any: ...
    def icrc3_get_tip_certificate(self) -> Any: ...


@dataclass(frozen=True)
class ProvenBlock:
    """`hash`: 32 bytes, of `value`."""

    index: int
    hash: bytes
    value: icrc3.Value


@dataclass(frozen=True)
class Tip:
    """The last block, as the network has signed it."""

    index: int
    hash: bytes


def read_new_blocks(
    log: LogReader, *, next_index: int, tip_hash: bytes, check_tip: bool = False
) -> tuple[list[ProvenBlock], int]:
    """The blocks from `next_index` on, all proven, and how long the log says it is.

    `tip_hash`: hash of block `next_index - 1`, empty when there is none. `check_tip`: prove also that nothing is new.
    Raises: LogRolledBack, LogBroken; ChainUnavailable and the client's other errors."""
    found, length = _unproven(log, next_index)
    if length < next_index:
        raise LogRolledBack(_went_back(f"The log has {length} blocks", next_index))
    if not found and not check_tip:
        return [], length
    tip = read_tip(log)
    if tip is None:
        if found or next_index:
            raise LogBroken("The canister has blocks and no certificate for them: nothing of it is believed.")
        return [], 0
    if tip.index < next_index - 1:
        raise LogRolledBack(_went_back(f"The signed log ends at block {tip.index}", next_index))
    blocks = _chained(found, next_index, tip_hash)
    while next_index + len(blocks) <= tip.index:  # the proof needs every block up to the signed one
        found, length = _unproven(log, next_index + len(blocks))
        if not found:
            raise LogBroken(
                f"The log does not give block {next_index + len(blocks)}, below its signed end {tip.index}: nothing of it is believed."
            )
        blocks += _chained(found, next_index + len(blocks), blocks[-1].hash if blocks else tip_hash)
    covered = [block for block in blocks if block.index <= tip.index]  # a node that is behind may have signed the end
    if (covered[-1].hash if covered else tip_hash) != tip.hash:
        raise LogBroken(
            f"Block {tip.index} does not have the hash that the network signed: nothing after block {next_index - 1} is believed. {_IF_MEANT}"
        )
    return covered, length


def _went_back(what: str, indexed: int) -> str:
    return f"{what} and {indexed} are indexed: the chain was put back to an older state. {_IF_MEANT}"


def read_tip(log: LogReader) -> Tip | None:
    """The signed end of the log; None while it is empty. Raises LogBroken, CertificateRefused, AnswerMalformed, ChainUnavailable."""
    answer = log.icrc3_get_tip_certificate()
    if answer is None:
        return None
    agent, canister_id = log.agent, log.canister_id
    proven = verified(answer["certificate"], agent.root_key, canister_id, agent.clock())
    certified = required_at(proven, b"canister", canister_id.raw, b"certified_data")
    try:
        tree = hash_tree.from_cbor_value(cbor.loads(answer["hash_tree"]))
        hash_found = hash_tree.lookup(tree, [b"last_block_hash"])
        index_found = hash_tree.lookup(tree, [b"last_block_index"])
        if tree.digest != certified:
            raise LogBroken("The end of the log is not what the canister had certified: nothing of it is believed.")
        if not isinstance(hash_found, hash_tree.Found) or not isinstance(index_found, hash_tree.Found):
            raise LogBroken("The certificate of the log does not say where the log ends: nothing of it is believed.")
        return Tip(leb128.decode_unsigned(index_found.value)[0], hash_found.value)
    except (cbor.MalformedCbor, hash_tree.MalformedTree, leb128.MalformedLeb128) as error:
        raise LogBroken(f"The certificate of the log is malformed ({error}): nothing of it is believed.") from error


def _unproven(log: LogReader, start: int) -> tuple[list[tuple[int, icrc3.Value]], int]:
    """One page, and the length of the log. Blocks may be large: when an answer with many would be too long, fewer are asked for."""
    length = PAGE_BLOCKS
    while True:
        try:
            answer = log.icrc3_get_blocks([{"start": start, "length": length}])
        except CallRejected:
            if length == 1:
                raise
            length //= 4 if length >= 4 else 2
            continue
        return [(entry["id"], entry["block"]) for entry in answer["blocks"]], answer["log_length"]


def _chained(found: list[tuple[int, icrc3.Value]], start: int, before: bytes) -> list[ProvenBlock]:
    """The blocks with their hashes. Raises LogBroken where one does not follow the one before it."""
    blocks: list[ProvenBlock] = []
    for offset, (index, value) in enumerate(found):
        if index != start + offset:
            raise LogBroken(
                f"The log gives block {index} where block {start + offset} belongs: nothing of it is believed."
            )
        if _parent(value) != before:
            raise LogBroken(
                f"Block {index} does not follow block {index - 1}: its parent's hash is another. Nothing from there on is believed. {_IF_MEANT}"
            )
        before = icrc3.value_hash(value)
        blocks.append(ProvenBlock(index, before, value))
    return blocks


def _parent(value: icrc3.Value) -> bytes:
    """`phash`, empty for the first block."""
    match value:
        case {"Map": list(pairs)}:
            for key, item in pairs:
                if key == "phash":
                    parent: bytes = item.get("Blob", b"?")
                    return parent
            return b""
    return b"?"
