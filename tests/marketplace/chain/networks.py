"""A network of the test's own, in memory: logs with true hashes and true certificates, or with whatever an attacker would do to them."""

from __future__ import annotations

import time
from typing import Any

from canisters.client import CallRejected
from canisters.interface import bls, cbor, certificate, hash_tree, icrc3, leb128
from canisters.interface.principal import Principal
from tests.marketplace.builders import PLATFORM, canister_id

SEED = b"a network of the test's own     "
GROUND = canister_id(7)


class Signer:
    """Whoever has the network's key."""

    def __init__(self, seed: bytes = SEED) -> None:
        self._secret = bls.secret_from_seed(seed)
        self.root_key = bls.public_key_der(self._secret)

    def certify(self, canister: Principal, data: bytes) -> bytes:
        tree = hash_tree.build(
            {b"canister": {canister.raw: {b"certified_data": data}}, b"time": leb128.encode_unsigned(time.time_ns())}
        )
        return certificate.encode(tree, bls.sign(self._secret, b"\x0dic-state-root" + tree.digest))


class Agent:
    """What the reader of a log asks of an agent."""

    def __init__(self, root_key: bytes) -> None:
        self.root_key = root_key

    def clock(self) -> int:
        return time.time_ns()


class FakeLog:
    """A canister's log. `values`: blocks as ICRC-3 values; `signed`: how many of them the certificate covers, None: all."""

    def __init__(
        self, canister: Principal = GROUND, signer: Signer | None = None, trusted: bytes | None = None
    ) -> None:
        self.canister_id = canister
        self.signer = signer or Signer()
        self.agent: Any = Agent(trusted or self.signer.root_key)
        self.values: list[icrc3.Value] = []
        self.signed: int | None = None
        self.certified: bytes | None = None
        self.page = 100
        self.largest_answer = 100
        self.asked: list[int] = []

    def append(self, btype: str = "thing", tx: dict[str, Any] | None = None, at_ns: int = 0) -> int:
        head = {"phash": icrc3.value_hash(self.values[-1])} if self.values else {}
        self.values.append(icrc3.to_value({**head, "btype": btype, "ts": at_ns or len(self.values), "tx": tx or {}}))
        return len(self.values) - 1

    def grow(self, count: int) -> FakeLog:
        for _ in range(count):
            self.append()
        return self

    def hash(self, index: int) -> bytes:
        return icrc3.value_hash(self.values[index])

    # --- the canister's side ---

    def icrc3_get_blocks(self, argument: Any, /) -> Any:
        start, length = argument[0]["start"], argument[0]["length"]
        self.asked.append(length)
        if length > self.largest_answer:
            raise CallRejected(5, "the answer is too large")
        end = min(len(self.values), start + min(length, self.page))
        blocks = [{"id": index, "block": self.values[index]} for index in range(start, end)]
        return {"log_length": len(self.values), "blocks": blocks, "archived_blocks": []}

    def icrc3_get_tip_certificate(self) -> Any:
        count = len(self.values) if self.signed is None else self.signed
        if count == 0:
            return None
        tree = hash_tree.build(
            {b"last_block_hash": self.hash(count - 1), b"last_block_index": leb128.encode_unsigned(count - 1)}
        )
        certified = self.certified if self.certified is not None else tree.digest
        return {
            "certificate": self.signer.certify(self.canister_id, certified),
            "hash_tree": hash_tree_bytes(tree),
        }


def hash_tree_bytes(tree: hash_tree.Tree) -> bytes:
    return cbor.dumps(hash_tree.to_cbor_value(tree))


def platform(signer: Signer | None = None) -> dict[str, FakeLog]:
    """The four canisters' logs, by kind, all empty."""
    signer = signer or Signer()
    return {kind: FakeLog(canister, signer) for kind, canister in PLATFORM.items()}
