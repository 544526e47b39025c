"""Money that one log says has moved, looked up in the ledger's; and the other way round. Also: splitting a whole to the last unit."""

from __future__ import annotations

from collections.abc import Sequence, Set

from canisters.interface.principal import Principal

from .ledger import Account, Ledger, Transfer
from .report import Topic

# A canister writes its block after the ledger has written its own: what moved so shortly before a log's end may not be in it yet.
# The longest wait is a prepaid inference's, which is given back after 20 minutes.
IN_FLIGHT_NS = 30 * 60 * 10**9


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Parts in proportion to `weights` that sum to `total`: largest remainder, ties to the earlier part; all weights 0: equal ones."""
    if not weights:
        return []
    effective = list(weights) if any(weights) else [1] * len(weights)
    whole = sum(effective)
    parts = [total * weight // whole for weight in effective]
    order = sorted(range(len(effective)), key=lambda i: (-(total * effective[i] % whole), i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def require_drawn(
    ledger: Ledger, block: int, source: Principal, to: Account, amount_e8s: int, topic: Topic, what: str
) -> None:
    """`to`'s owner drew exactly this much from `source`, in this block, by an allowance."""
    found = ledger.transfers.get(block)
    topic.require(
        found is not None
        and found.source == Account(source)
        and found.to == to
        and found.spender == Account(to.owner)
        and found.amount_e8s == amount_e8s,
        f"{what}: block {block} of the ledger does not show {amount_e8s} e8s drawn from {source}",
    )


def require_sent(
    ledger: Ledger, block: int, source: Account, to: Principal, gross_e8s: int, topic: Topic, what: str
) -> None:
    """`source` paid exactly this much, the ledger's fee included, to `to`'s account, in this block."""
    found = ledger.transfers.get(block)
    topic.require(
        found is not None
        and found.source == source
        and found.to == Account(to)
        and found.spender is None
        and found.amount_e8s + found.fee_e8s == gross_e8s,
        f"{what}: block {block} of the ledger does not show {gross_e8s} e8s leaving {source} for {to}",
    )


def require_explained(transfers: list[Transfer], named: Set[int], log_tip_ns: int, topic: Topic, what: str) -> None:
    """Every movement is one that the other log names, but for those that may be in flight at its end."""
    for transfer in transfers:
        late = transfer.ts_ns > log_tip_ns - IN_FLIGHT_NS
        topic.require(
            transfer.block in named or late,
            f"{what}: block {transfer.block} of the ledger moves {transfer.amount_e8s} e8s that no other log accounts for",
        )
