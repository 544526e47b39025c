"""On a real chain: with a token the server is its owner at the token's canisters, and nobody anywhere else."""

from __future__ import annotations

import secrets

import pytest

from canisters.client import KeyIdentity, NotAllowed
from marketplace.accounts.services import acting_agent
from marketplace.chain.canisters import ledger, ok, registry
from marketplace.core.caller import Caller
from tests.marketplace.accounts.test_tokens import activated
from tests.marketplace.builders import version_args
from tests.marketplace.conftest import Chain, SignedIn

pytestmark = pytest.mark.slow


def test_the_chain_sees_the_owner(chain: Chain, signed_in: SignedIn) -> None:
    owner = KeyIdentity()
    token = activated(signed_in(owner), owner)

    agent = acting_agent(Caller(str(owner.principal), token["id"]))
    ok(ledger(agent).faucet_claim())

    balance = ledger().icrc1_balance_of({"owner": owner.principal, "subaccount": None})
    assert balance == 100_000_000_000


def test_outside_its_targets_the_token_does_nothing(chain: Chain, signed_in: SignedIn) -> None:
    owner = KeyIdentity()
    token = activated(signed_in(owner), owner)
    agent = acting_agent(Caller(str(owner.principal), token["id"]))

    with pytest.raises(NotAllowed, match="targets"):
        registry(agent).dataset_register({"key": secrets.token_bytes(16), "title": "mine", "version": version_args()})

    titles = [row["title"] for row in registry().datasets_list({"start": 0, "length": 100})["datasets"]]
    assert "mine" not in titles
