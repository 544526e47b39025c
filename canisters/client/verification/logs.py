"""The logs in a bundle: each chained by hashes up to a tip that the network's signature vouches for.

What passes here was written by the canister of that id, whole and in this order. Source: ICRC-3; interface specification, "Certification".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from canisters.client.agent import controllers_of
from canisters.client.contracts import service
from canisters.client.errors import AnswerMalformed, CertificateRefused
from canisters.client.proof import proving, required_at, value_at, verified
from canisters.client.receipt import Receipt
from canisters.interface import cbor, hash_tree, leb128
from canisters.interface.candid import CandidError, decode, encode
from canisters.interface.principal import Principal

from .fields import Fields, hash_of
from .report import Findings, Topic

EMPTY_QUESTION = [{"start": 0, "length": 1}]


@dataclass(frozen=True)
class Block:
    index: int
    btype: str
    ts_ns: int
    tx: Fields
    outer: Fields

    @property
    def where(self) -> str:
        return self.outer.where


@dataclass(frozen=True)
class Log:
    """`tip_ns`: when the network vouched for its end."""

    name: str
    canister: Principal
    blocks: list[Block]
    tip_ns: int

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def at(self, index: int) -> Block | None:
        return self.blocks[index] if 0 <= index < len(self.blocks) else None


@dataclass(frozen=True)
class State:
    """What the network certifies of a canister."""

    controllers: list[Principal]
    module_hash: bytes | None


def read_log(name: str, canister: Principal, entry: Any, root_key: bytes, findings: Findings) -> Log:
    """Check and read one log. What is wrong becomes a failed check; the blocks are read all the same, to show what else is wrong."""
    topic = findings.topic(f"{name} log")
    values = entry.get("blocks") if isinstance(entry, dict) else None
    if not isinstance(values, list):
        topic.require(False, "it is not in the bundle")
        return Log(name, canister, [], 0)
    hashes = _chained(values, topic)
    tip_ns = 0
    try:
        if values:
            tip_ns = _require_tip(canister, entry, hashes[-1], len(values), root_key, topic)
        else:
            tip_ns = _require_empty(canister, entry, root_key, topic)
        findings.seen_at(tip_ns)
    except (CertificateRefused, AnswerMalformed) as error:
        topic.require(False, f"its tip is not proven: {error}")
    topic.fact(
        f"{len(values)} blocks of {canister}, chained and certified" if values else f"empty, certified ({canister})"
    )
    blocks = [block for index, value in enumerate(values) if (block := _block(value, index, name, topic)) is not None]
    return Log(name, canister, blocks if len(blocks) == len(values) else [], tip_ns)


def _chained(values: list[Any], topic: Topic) -> list[bytes]:
    """The hash of each block; an empty one where there is none to be had."""
    hashes: list[bytes] = []
    for index, value in enumerate(values):
        hashed, before = b"", None
        with topic.reading():
            fields = Fields(value, f"block {index}")
            before = fields.blob("phash") if "phash" in fields else None
            hashed = hash_of(value, f"block {index}")
        expected = hashes[-1] if hashes else None
        topic.require(before == expected, f"block {index} does not follow block {index - 1}: its phash is another")
        hashes.append(hashed)
    return hashes


def _require_tip(
    canister: Principal, entry: dict[str, Any], last: bytes, size: int, root_key: bytes, topic: Topic
) -> int:
    """Returns the certificate's time. Raises CertificateRefused."""
    proof, tree_bytes = entry.get("certificate"), entry.get("hash_tree")
    if not isinstance(proof, bytes) or not isinstance(tree_bytes, bytes):
        raise CertificateRefused("the bundle has no certificate of it")
    proven = verified(proof, root_key, canister, None)
    with proving():
        tree = hash_tree.from_cbor_value(cbor.loads(tree_bytes))
        if required_at(proven, b"canister", canister.raw, b"certified_data") != tree.digest:
            raise CertificateRefused("its hash tree is not what the canister certified")
        tip, index = hash_tree.lookup(tree, [b"last_block_hash"]), hash_tree.lookup(tree, [b"last_block_index"])
        if not isinstance(tip, hash_tree.Found) or not isinstance(index, hash_tree.Found):
            raise CertificateRefused("its hash tree does not name the last block")
        number, _ = leb128.decode_unsigned(index.value)
    topic.require(number == size - 1, f"the certified last block is {number}, and the bundle ends with {size - 1}")
    topic.require(tip.value == last, f"block {size - 1} is not the certified last block")
    return proven.time_ns


def _require_empty(canister: Principal, entry: dict[str, Any], root_key: bytes, topic: Topic) -> int:
    """A log without blocks has no tip: the canister's own certified answer says that it is empty."""
    given = entry.get("receipt")
    if not isinstance(given, bytes):
        raise CertificateRefused("the bundle has neither blocks nor the canister's word that there are none")
    receipt = Receipt.from_bytes(given)
    time_ns = receipt.verify(root_key)
    method = service("registry").methods["icrc3_get_blocks"]  # the same on every canister
    if (receipt.canister_id, receipt.method_name) != (canister, method.name):
        raise CertificateRefused("the receipt is of another question")
    if receipt.content["arg"] != encode(method.arguments, (EMPTY_QUESTION,)):
        raise CertificateRefused("the receipt is of another question")
    try:
        (answer,) = decode(receipt.reply, method.results)
    except CandidError as error:
        raise AnswerMalformed(f"the receipt's answer cannot be read: {error}") from error
    topic.require(answer["log_length"] == 0, f"the canister said that it has {answer['log_length']} blocks")
    return time_ns


def _block(value: Any, index: int, name: str, topic: Topic) -> Block | None:
    with topic.reading():
        outer = Fields(value, f"block {index} of {name}")
        return Block(index, outer.text("btype"), outer.nat("ts"), outer.record("tx"), outer)
    return None


def read_state(name: str, canister: Principal, proof: Any, root_key: bytes, findings: Findings) -> State | None:
    """What the network certifies of a canister's controllers and module; None when it is not proven."""
    topic = findings.topic("canister states")
    try:
        if not isinstance(proof, bytes):
            raise CertificateRefused("it is not in the bundle")
        proven = verified(proof, root_key, canister, None)
        controllers = controllers_of(required_at(proven, b"canister", canister.raw, b"controllers"))
        state = State(controllers, value_at(proven, b"canister", canister.raw, b"module_hash"))
        findings.seen_at(proven.time_ns)
    except CertificateRefused as error:
        topic.require(False, f"{name} ({canister}): {error}")
        return None
    topic.fact(f"{name} {canister} runs {state.module_hash.hex() if state.module_hash else 'nothing'}")
    return state
