"""Blocks, people and sealed files for tests of the marketplace, made in a line or two.

`Blocks` is a log without a chain: what it appends goes through the real projections, chained and hashed as a canister does it."""

from __future__ import annotations

import secrets
from typing import Any

from canisters.client import KeyIdentity
from canisters.interface import icrc3
from canisters.interface.principal import Principal
from marketplace.chain.follower import apply_block
from marketplace.chain.log import ProvenBlock
from marketplace.chain.models import LogCursor
from marketplace.chain.projection import KINDS

START_NS = 1_700_000_000_000_000_000
STEP_NS = 1_000_000_000


def canister_id(number: int) -> Principal:
    return Principal(number.to_bytes(8, "big") + b"\x01\x01")


PLATFORM = {kind: canister_id(position + 1) for position, kind in enumerate(KINDS[:4])}


def person() -> KeyIdentity:
    return KeyIdentity()


class Blocks:
    """Logs of the platform's canisters and of cooperatives: `append` returns the block's index.

    `tx` in plain form (see icrc3.to_value); principals as Principal. Times go up by a second a block, over all logs."""

    def __init__(self) -> None:
        self.logs: dict[str, list[ProvenBlock]] = {}
        self.kinds: dict[str, str] = {}
        self.now_ns = START_NS

    def append(
        self, kind: str, btype: str, tx: dict[str, Any], *, canister: Principal | None = None, **top: Any
    ) -> int:
        """Make a block and apply it. `top`: further fields beside tx, such as the ledger's fee."""
        return self._apply(self.make(kind, btype, tx, canister=canister, **top))

    def make(
        self, kind: str, btype: str, tx: dict[str, Any], *, canister: Principal | None = None, **top: Any
    ) -> tuple[str, ProvenBlock]:
        where = str(canister or PLATFORM[kind])
        log = self.logs.setdefault(where, [])
        self.kinds[where] = kind
        self.now_ns += STEP_NS
        head = {"phash": log[-1].hash} if log else {}
        value = icrc3.to_value({**head, "btype": btype, "ts": self.now_ns, **top, "tx": tx})
        block = ProvenBlock(len(log), icrc3.value_hash(value), value)
        log.append(block)
        return where, block

    def _apply(self, made: tuple[str, ProvenBlock]) -> int:
        where, block = made
        kind = self.kinds[where]
        position = KINDS.index(kind)
        LogCursor.objects.get_or_create(canister=where, defaults={"kind": kind, "name": kind, "position": position})
        assert apply_block(where, kind, block)
        return block.index

    # --- the registry's blocks, whole ---

    def dataset(
        self, owner: KeyIdentity, dataset_id: int = 1, title: str = "Breast tissue, part A", **hashes: Any
    ) -> int:
        tx = {
            "dataset_id": dataset_id,
            "owner": owner.principal,
            "title": title,
            "key": b"k" * 16,
            "version": 1,
            "args": version_args(**hashes),
        }
        return self.append("registry", "dataset_registered", tx)

    def policy(self, dataset_id: int = 1, version: int = 1, **terms: Any) -> int:
        return self.append(
            "registry", "policy_set", {"dataset_id": dataset_id, "version": version, "terms": policy_terms(**terms)}
        )


def version_args(**changed: Any) -> dict[str, Any]:
    """Hashes in bytes; given ones replace the random ones."""
    names = (
        "ciphertext_root",
        "plaintext_commitment",
        "manifest_hash",
        "schema_hash",
        "card_hash",
        "profile_hash",
        "mock_hash",
    )
    return {**{name: secrets.token_bytes(32) for name in names}, "row_count": 100, "size_bytes": 2_000, **changed}


def policy_terms(**changed: Any) -> dict[str, Any]:
    """As the registry logs them: approves at once, for anybody and anything."""
    terms = {
        "audience": "Anyone",
        "purposes": "Any",
        "code": "Any",
        "compute": "Central",
        "price_e8s": 500_000_000,
        "decision": "AutoApprove",
        "workers": [person().principal],
    }
    return {**terms, **changed}
