"""Acting on the chain for the caller of an API token, with the key that the token's owner delegated to.

The agent is kept alive between requests, keyed by the token's row as it is now: a revoked token has none."""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock

from canisters.client import ChainAgent, DelegatedIdentity, IdentityUnreadable, KeyIdentity
from marketplace.chain.canisters import chain_agent
from marketplace.core.caller import Caller
from marketplace.core.errors import NotAllowed

from .key_sealing import KeySealBroken, key_open
from .models import ApiToken

MAX_AGENTS = 32
_agents: OrderedDict[tuple[str, bytes, str], ChainAgent] = OrderedDict()
_lock = Lock()


def acting_agent(caller: Caller) -> ChainAgent:
    """An agent that the chain sees as the caller's own principal, on the token's targets. Shared: do not close it.

    Raises: NotAllowed (the caller came without an API token, or the token is over); ChainUnavailable (nothing is deployed)."""
    if caller.token_id is None:
        raise NotAllowed(
            "Only an API token lets the server act for you: make one for these canisters, or sign the call yourself.",
            code="token_needed",
        )
    token = ApiToken.objects.filter(id=caller.token_id, principal=caller.principal, state=ApiToken.State.ACTIVE).first()
    if token is None or token.expires_at_ns <= time.time_ns():
        raise NotAllowed("This API token has been revoked or has expired. Make a new one.", code="token_over")
    anonymous = chain_agent()
    key = (anonymous.url, anonymous.root_key, token.public_key)
    with _lock:
        if key not in _agents:
            _agents[key] = anonymous.acting_as(_identity(token))
        _agents.move_to_end(key)
        while len(_agents) > MAX_AGENTS:
            _agents.popitem(last=False)  # closed when nobody uses it any more
        return _agents[key]


def _identity(token: ApiToken) -> DelegatedIdentity:
    try:
        private_key = key_open(bytes(token.sealed_key), bytes.fromhex(token.public_key))
        return DelegatedIdentity(KeyIdentity(private_key), token.chain)
    except (KeySealBroken, IdentityUnreadable) as error:
        raise NotAllowed(
            "This API token's key cannot be used any more. Revoke it and make a new one.", code="token_over"
        ) from error
