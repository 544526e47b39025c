"""The official ledger clients, unmodified and with verification on, judge our ledger and the network's stand-in for the ICP ledger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from canisters.client import ChainAgent, KeyIdentity
from canisters.client.contracts import service
from canisters.client.management import Management
from canisters.interface.candid import encode
from canisters.interface.principal import Principal

pytestmark = pytest.mark.slow

CHECKS = [
    "ICRC-1: name, symbol, decimals, fee and standards are told",
    "ICRC-1: a transfer moves the amount and burns the fee",
    "ICRC-1: what cannot be paid, or at another fee, is refused by its name",
    "ICRC-1: the same transfer counts once",
    "ICRC-2: a spender spends what was approved, and no more",
    "ICRC-3: the blocks of what happened can be read",
    "ICP: the treasury pays an account, which pays on",
    "ICP: the ledger tells its name, symbol, decimals and fee",
]


@pytest.fixture(scope="module")
def ledger(replica, compiled) -> Iterator[Principal]:
    with ChainAgent(replica.url, replica.root_key, KeyIdentity()) as agent:
        management = Management(agent)
        canister = management.create()
        about = {"name": "Judged", "symbol": "J", "fee_e8s": 10_000, "minting_account": None, "faucet_e8s": 100_000_000}
        management.install(canister, compiled("ledger"), encode(service("ledger").init, [about]))
        yield canister


@pytest.fixture(scope="module")
def verdicts(verdicts_of, ledger: Principal) -> dict[str, str]:
    return verdicts_of("ledgers.mjs", ledger=str(ledger))


@pytest.mark.parametrize("check", CHECKS)
def test_the_ledger_clients_find_that(check: str, verdicts: dict[str, str]) -> None:
    assert verdicts[check] == "ok"


def test_the_ledger_clients_check_nothing_beyond_the_list(verdicts: dict[str, str]) -> None:
    assert sorted(verdicts) == sorted(CHECKS)
