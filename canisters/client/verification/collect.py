"""Collects a bundle from a running network; needs no identity, since all of it is public.

The order matters: each log is fetched before those that it refers to, so that whatever it names is in them by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from canisters.client.agent import ChainAgent
from canisters.client.contracts import Contract, contract
from canisters.client.deployment import CANISTERS
from canisters.client.receipt import Receipt
from canisters.interface import cbor, hash_tree, leb128
from canisters.interface.principal import Principal

from .bundle import Bundle, BundleMalformed
from .fields import Fields, Malformed
from .logs import EMPTY_QUESTION


def collect(agent: ChainAgent, canisters: Mapping[str, Principal], receipts: Iterable[Receipt] = ()) -> bytes:
    """A bundle of everything below the four canisters. Raises what ChainAgent raises, and BundleMalformed."""
    factory = contract("cooperatives", agent, canisters["cooperatives"])
    logs: dict[Principal, Any] = {factory.canister_id: _log(factory)}
    inference: list[Principal] = []
    made = list(_named(logs[factory.canister_id], "cooperative_created"))
    for canister in made:
        logs[canister] = _log(contract("cooperative", agent, canister))
        inference += _named(logs[canister], "inference_created")
    for name in ("jobs", "registry", "ledger"):
        logs[canisters[name]] = _log(contract(name, agent, canisters[name]))
    states = {canister: _state(agent, canister) for canister in [*canisters.values(), *made, *inference]}
    named = {name: canisters[name] for name in CANISTERS}
    return Bundle(named, logs, states, [receipt.to_bytes() for receipt in receipts]).to_bytes()


def _log(canister: Contract) -> dict[str, Any]:
    """The log up to the tip that was certified first; what comes after it is left out."""
    tip = canister.icrc3_get_tip_certificate()
    if tip is None:
        _, receipt = canister.with_receipt("icrc3_get_blocks", EMPTY_QUESTION)
        return {"blocks": [], "receipt": receipt.to_bytes()}
    size = _size(tip["hash_tree"])
    blocks: list[Any] = []
    while len(blocks) < size:
        found = canister.icrc3_get_blocks([{"start": len(blocks), "length": size - len(blocks)}])["blocks"]
        if not found or [entry["id"] for entry in found] != list(range(len(blocks), len(blocks) + len(found))):
            raise BundleMalformed(
                f"{canister.name} {canister.canister_id} does not give its blocks from {len(blocks)} on"
            )
        blocks += [entry["block"] for entry in found]
    return {"blocks": blocks[:size], **tip}


def _size(tree_bytes: bytes) -> int:
    try:
        found = hash_tree.lookup(hash_tree.from_cbor_value(cbor.loads(tree_bytes)), [b"last_block_index"])
        if isinstance(found, hash_tree.Found):
            return leb128.decode_unsigned(found.value)[0] + 1
    except (cbor.MalformedCbor, hash_tree.MalformedTree, leb128.MalformedLeb128) as error:
        raise BundleMalformed(f"the tip of a log cannot be read: {error}") from error
    raise BundleMalformed("the tip of a log does not name its last block")


def _named(log: dict[str, Any], btype: str) -> Iterable[Principal]:
    """The canisters that blocks of one type name."""
    for index, block in enumerate(log["blocks"]):
        try:
            fields = Fields(block, f"block {index}")
            if fields.text("btype") == btype:
                yield fields.record("tx").principal("canister")
        except Malformed as error:
            raise BundleMalformed(f"a log cannot be read: {error}") from error


def _state(agent: ChainAgent, canister: Principal) -> bytes:
    base = [b"canister", canister.raw]
    return agent.read_state_raw(canister, [[*base, b"controllers"], [*base, b"module_hash"]])
