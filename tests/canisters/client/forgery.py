"""A network of the attacker's own: the logs of a bundle, altered as wished, chained and certified anew under another root key.

So a test can ask whether a rule is checked by itself, where the real network's signature would have given the alteration away.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from canisters.client.proof import verified
from canisters.client.verification import Bundle, Report
from canisters.interface import bls, cbor, certificate, hash_tree, keys, leb128
from canisters.interface.icrc3 import value_hash
from canisters.interface.principal import Principal

SECRET = bls.secret_from_seed(b"an attacker's network")
ROOT_KEY = bls.public_key_der(SECRET)


@dataclass
class Forgery:
    """`logs`: blocks by canister. `controllers` and `modules`: what the network would certify. `hidden`: logs that are left out."""

    canisters: dict[str, Principal]
    logs: dict[Principal, list[Any]]
    controllers: dict[Principal, list[bytes]] = field(default_factory=dict)
    modules: dict[Principal, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, bundle: bytes, root_key: bytes) -> Forgery:
        given = Bundle.from_bytes(bundle)
        made = cls(dict(given.canisters), {id_: copy.deepcopy(log["blocks"]) for id_, log in given.logs.items()})
        for id_, proof in given.states.items():
            proven = verified(proof, root_key, id_, None)
            made.controllers[id_] = cbor.loads(proven.require(b"canister", id_.raw, b"controllers"))
            made.modules[id_] = proven.require(b"canister", id_.raw, b"module_hash")
        return made

    def bundle(self) -> bytes:
        now = {b"time": leb128.encode_unsigned(time.time_ns())}
        logs, states = {}, {}
        for id_, blocks in self.logs.items():
            tip = _chained(blocks)
            inner = hash_tree.build(
                {b"last_block_hash": tip, b"last_block_index": leb128.encode_unsigned(len(blocks) - 1)}
            )
            outer = hash_tree.build({b"canister": {id_.raw: {b"certified_data": inner.digest}}, **now})
            tree_bytes = cbor.dumps(hash_tree.to_cbor_value(inner))
            logs[id_] = {"blocks": blocks, "certificate": _signed(outer), "hash_tree": tree_bytes}
        for id_, controllers in self.controllers.items():
            inside = {b"controllers": cbor.dumps(controllers), b"module_hash": self.modules[id_]}
            states[id_] = _signed(hash_tree.build({b"canister": {id_.raw: inside}, **now}))
        return Bundle(self.canisters, logs, states, []).to_bytes()

    def log(self, name: str) -> list[Any]:
        """By the name of a platform canister, or "cooperative"."""
        if name in self.canisters:
            return self.logs[self.canisters[name]]
        return next(blocks for id_, blocks in self.logs.items() if id_ not in self.canisters.values())

    def block(self, name: str, btype: str, at: int = 0) -> Any:
        """The block of that type, the first or the `at`th."""
        return [block for block in self.log(name) if look(block, "btype") == {"Text": btype}][at]


def _signed(tree: hash_tree.Tree) -> bytes:
    return certificate.encode(tree, bls.sign(SECRET, keys.IC_STATE_ROOT + tree.digest))


def _chained(blocks: list[Any]) -> bytes:
    before: bytes | None = None
    for block in blocks:
        pairs = [pair for pair in block["Map"] if pair[0] != "phash"]
        block["Map"] = pairs if before is None else [["phash", {"Blob": before}], *pairs]
        before = value_hash(block)
    assert before is not None
    return before


def look(value: Any, *path: str | int) -> Any:
    """The value at a path of field names and positions."""
    for step in path:
        value = value["Array"][step] if isinstance(step, int) else next(v for k, v in value["Map"] if k == step)
    return value


def put(value: Any, *path_and_new: Any) -> None:
    """Replace the value at a path: put(block, "tx", "shares", {"Nat": 5})."""
    *path, last, new = path_and_new
    parent = look(value, *path)
    if isinstance(last, int):
        parent["Array"][last] = new
    else:
        parent["Map"] = [[k, new if k == last else v] for k, v in parent["Map"]]


def add(value: Any, *path_and_step: Any) -> None:
    """Add to the number at a path: add(block, "tx", "amount_e8s", -1)."""
    *path, step = path_and_step
    found = look(value, *path)
    (tag,) = found
    found[tag] += step


def failures(report: Report) -> str:
    """What a report found wrong, one check a line."""
    return "\n".join(f"{check.name}: {check.detail}" for check in report.failed)


Alteration = Callable[[Forgery], None]
