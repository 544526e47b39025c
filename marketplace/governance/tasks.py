"""Brings open releases what they need, and pokes what is due: anybody may, so the worker's key does; it has no say in anything.

The chain takes only the chunks that a proposal's manifest names, and carries out only what was adopted, so a wrong or lost run does no harm."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from celery import shared_task

from canisters.client import CallRejected, ClientError
from canisters.client.typed import Cooperative as CooperativeCanister
from marketplace.chain.canisters import cooperative, ok
from marketplace.core import blobs
from marketplace.core.errors import ChainRefused, ChainUnavailable, MarketError
from marketplace.jobs.holding import held
from marketplace.jobs.worker_keys import worker_agent, worker_keys

from .models import Proposal
from .record import OPEN

log = logging.getLogger(__name__)
# The canister acts by itself at once, and looks again every 20 s: a poke is for what an interruption has left lying.
SETTLING_NS = 5 * 10**9


@shared_task(name="marketplace.governance.tasks.releases_look")  # type: ignore[untyped-decorator]  # celery has no types
def releases_look() -> None:
    """Upload the missing chunks of open releases, then execute what is due. Every two seconds, one process at a time."""
    try:
        with held("releases") as free:
            if free:
                look(time.time_ns())
    except ChainUnavailable as error:
        log.info("no look for releases yet: %s", error)
    except (ClientError, MarketError) as error:
        log.warning("the look for releases was cut short and comes again: %s", error)


def look(now_ns: int) -> None:
    """Raises ClientError, MarketError: the round is over, and the next one comes."""
    rows = list(Proposal.objects.filter(state__in=OPEN).order_by("deadline_ns", "cooperative_id", "number"))
    if not rows:
        return
    with worker_agent(worker_keys()) as agent:
        for row in rows:
            canister = cooperative(row.cooperative_id, agent)
            try:
                if row.kind == "release" and not row.record["staged"]:
                    upload(canister, row)
                if _is_due(row, now_ns):
                    ok(canister.proposal_execute(row.number))
            except (ChainRefused, CallRejected) as error:
                log.warning("proposal %s of %s: %s", row.number, row.cooperative_id, error)


def upload(canister: CooperativeCanister, row: Proposal) -> None:
    """Send every chunk that the proposal names, that the canister lacks and that is here.

    Raises ChainRefused, ClientError."""
    proposal = canister.proposal_get(row.number)
    if proposal is None or next(iter(proposal["state"])).lower() not in OPEN:
        return
    staged = {"Wasm": set(proposal["wasm_staged"]), "Weights": set(proposal["weights_staged"])}
    for part, index, data in _chunks(row.payload):
        if index not in staged[part]:
            ok(canister.chunk_upload({"proposal_id": row.number, "part": {part: None}, "index": index, "data": data}))


def _chunks(manifest: dict[str, Any]) -> Iterator[tuple[str, int, bytes]]:
    """Part, index and bytes of what is here. The module is kept whole, each chunk of the weights by itself."""
    module = blobs.blob_read(manifest["wasm_sha256"])
    start = 0
    for index, chunk in enumerate(manifest["wasm_chunks"]):
        if module is not None:
            yield "Wasm", index, module[start : start + chunk["size_bytes"]]
        start += chunk["size_bytes"]
    for index, chunk in enumerate(manifest["weight_chunks"]):
        data = blobs.blob_read(chunk["sha256"])
        if data is not None:
            yield "Weights", index, data


def _is_due(row: Proposal, now_ns: int) -> bool:
    """Whether the canister has something to do for this proposal that it should have done by now."""
    if row.state == "voting":
        return int(row.record["deadline_ns"]) + SETTLING_NS <= now_ns
    ready = row.kind != "release" or row.record["staged"]
    return bool(ready) and int(row.record["decided_at_ns"]) + SETTLING_NS <= now_ns
