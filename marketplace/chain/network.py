"""What network this is and how it stands: from the deployment, the index, and, as far as it answers at once, the chain itself."""

from __future__ import annotations

from typing import Any

from canisters.client import ClientError
from canisters.client.deployment import Deployment
from canisters.client.typed import Ledger

from .canisters import CORE, chain_agent, deployment
from .selectors import logs

TIMEOUT_S = 2.0  # a page must not wait for a chain that is away
FAUCET = "commonweight:faucet_e8s"
_tokens: dict[tuple[bytes, str], dict[str, Any]] = {}


def network_json() -> dict[str, Any]:
    """`height` and `block_time_ns` are None while the chain does not answer.

    Raises: ChainUnavailable before anything is deployed, or when the chain has not answered since this process began."""
    known = deployment()
    height, block_time_ns = _now(known)
    return {
        "network": known.network,
        "root_key": known.root_key.hex(),
        "canisters": {kind: str(known.canisters[kind]) for kind in CORE},
        "height": height,
        "block_time_ns": block_time_ns,
        "token": _token(known),
        "logs": [
            {"canister": row.canister, "name": row.name, "length": row.log_length, "indexed": row.next_index}
            for row in logs()
        ],
    }


def _now(known: Deployment) -> tuple[int | None, str | None]:
    agent = chain_agent(TIMEOUT_S)
    try:
        height = agent.client.status().get("certified_height")
        time_ns = agent.read_state(known.canisters["registry"], [[b"time"]]).time_ns
    except ClientError:
        return None, None
    return height if isinstance(height, int) else None, str(time_ns)


def _token(known: Deployment) -> dict[str, Any]:
    """Fixed for the life of a ledger, so it is asked for once."""
    key = (known.root_key, str(known.canisters["ledger"]))
    if key not in _tokens:
        _tokens[key] = _ask_token(known)
    return _tokens[key]


def _ask_token(known: Deployment) -> dict[str, Any]:
    ledger = Ledger(chain_agent(TIMEOUT_S), known.canisters["ledger"])
    facts = dict(ledger.icrc1_metadata())
    faucet = facts.get(FAUCET, {}).get("Nat")
    return {
        "name": ledger.icrc1_name(),
        "symbol": ledger.icrc1_symbol(),
        "decimals": ledger.icrc1_decimals(),
        "fee_e8s": str(ledger.icrc1_fee()),
        "faucet_e8s": None if faucet is None else str(faucet),
    }
