"""The cycles ledger that the `icp` tool asks: balances are true, canisters are paid for, and only the owner of an account spends from it."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import CallRejected, ChainAgent
from canisters.interface.candid import decode, encode
from canisters.interface.principal import Principal
from canisters.replica import cycles

ALL = 1_000 * 10**12
FEE = 100_000_000


def ask(agent: ChainAgent, method: str, argument: Any, canister: Principal = cycles.LEDGER_ID) -> Any:
    signature = cycles.CANISTERS[canister.raw].service.methods[method]
    send = agent.query_raw if signature.is_query else agent.update_raw
    data = encode(signature.arguments, [argument] if signature.arguments else [])
    return decode(send(canister, method, data), signature.results)[0]


def balance(agent: ChainAgent, subaccount: bytes | None = None) -> int:
    return ask(agent, "icrc1_balance_of", {"owner": agent.principal, "subaccount": subaccount})


def test_a_canister_is_paid_for_from_its_creators_account(chain):
    agent, other = chain.agent(), chain.agent()

    made = ask(agent, "create_canister", {"amount": 2 * 10**12})

    assert agent.controllers(made["Ok"]["canister_id"]) == [agent.principal]
    assert balance(agent) == ALL - 2 * 10**12 - FEE
    assert balance(other) == ALL


def test_settings_and_subnet_can_be_asked_for(chain):
    agent, heir = chain.agent(), chain.agent()
    (subnet,) = ask(agent, "get_default_subnets", None, cycles.MINTING_ID)
    wish = {"settings": {"controllers": [heir.principal]}, "subnet_selection": {"Subnet": {"subnet": subnet}}}

    made = ask(agent, "create_canister", {"amount": 10**12, "creation_args": wish})

    assert agent.controllers(made["Ok"]["canister_id"]) == [heir.principal]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"amount": ALL}, "InsufficientFunds"),
        ({"amount": 10**9}, "FailedToCreate"),
        (
            {"amount": 10**12, "creation_args": {"subnet_selection": {"Subnet": {"subnet": Principal(b"x")}}}},
            "FailedToCreate",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_and_costs_nothing(chain, fields, error):
    agent = chain.agent()

    answer = ask(agent, "create_canister", fields)

    assert list(answer["Err"]) == [error]
    assert balance(agent) == ALL


def test_cycles_that_a_canister_deposits_are_in_the_account(canister, chain):
    owner = chain.agent()
    method = cycles.LEDGER.service.methods["deposit"]
    argument = encode(method.arguments, [{"to": {"owner": owner.principal, "subaccount": bytes(31) + b"\x01"}}])

    canister.call(cycles.LEDGER_ID, "deposit", argument, cycles=10**12)

    assert balance(owner, bytes(31) + b"\x01") == ALL + 10**12 - FEE
    assert balance(owner) == ALL
    assert canister.seen()[2] == 0  # nothing came back
    with pytest.raises(CallRejected, match="Only canisters"):
        owner.update_raw(cycles.LEDGER_ID, "deposit", argument)


def test_a_subaccount_of_a_wrong_length_is_refused(chain):
    with pytest.raises(CallRejected, match="32 bytes"):
        balance(chain.agent(), b"short")
