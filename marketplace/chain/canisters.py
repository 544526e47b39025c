"""Where the canisters are and how to call them: every app's way to the chain.

One anonymous agent a process, kept alive, made anew when the deployment file changes. Who acts for a person takes that person's agent
from `accounts.services.acting_agent`; a worker its own by `chain_agent().acting_as(identity)`."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from threading import Lock
from typing import Any

from django.conf import settings

from canisters.client import ChainAgent
from canisters.client.deployment import Deployment, DeploymentUnreadable
from canisters.client.typed import Cooperative, Cooperatives, Jobs, Ledger, Registry
from canisters.interface.principal import Principal
from marketplace.core.errors import ChainUnavailable, refused

# Below what a browser or a proxy waits for; a call that takes longer is found again by the index.
TIMEOUT_S = 25.0
CORE = ("registry", "jobs", "ledger", "cooperatives")

_agents: dict[tuple[str, bytes, float], ChainAgent] = {}
_lock = Lock()


def deployment() -> Deployment:
    """What runs where. Raises ChainUnavailable while nothing has been deployed."""
    path = settings.DEPLOYMENT
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        changed_ns = 0
    try:
        return _deployment(str(path), changed_ns, settings.IC_URL)
    except DeploymentUnreadable as error:
        raise ChainUnavailable(f"The chain is not set up yet: {error}.", code="not_deployed") from error


@lru_cache(maxsize=4)
def _deployment(_path: str, _changed_ns: int, url: str) -> Deployment:
    found = Deployment.load(settings.DEPLOYMENT)
    return dataclasses.replace(found, url=url) if url else found


def chain_agent(timeout_s: float = TIMEOUT_S) -> ChainAgent:
    """Nobody's agent, for reading. Shared between threads: do not close it. Raises ChainUnavailable."""
    known = deployment()
    key = (known.url, known.root_key, timeout_s)
    with _lock:
        if key not in _agents:
            _agents[key] = known.agent(timeout_s=timeout_s)
        return _agents[key]


def registry(agent: ChainAgent | None = None) -> Registry:
    return Registry(agent or chain_agent(), deployment().canisters["registry"])


def jobs(agent: ChainAgent | None = None) -> Jobs:
    return Jobs(agent or chain_agent(), deployment().canisters["jobs"])


def ledger(agent: ChainAgent | None = None) -> Ledger:
    return Ledger(agent or chain_agent(), deployment().canisters["ledger"])


def cooperatives(agent: ChainAgent | None = None) -> Cooperatives:
    return Cooperatives(agent or chain_agent(), deployment().canisters["cooperatives"])


def cooperative(canister: str, agent: ChainAgent | None = None) -> Cooperative:
    return Cooperative(agent or chain_agent(), Principal.from_text(canister))


def ok(result: dict[str, Any]) -> Any:
    """The payload of a result's `Ok`. Raises ChainRefused in the canister's words when it is an `Err`."""
    if "Err" in result:
        raise refused(result["Err"])
    return result["Ok"]
