"""The ledger keeps ICRC-1 and ICRC-2 to the letter: fees, deduplication, allowances; and tokens neither appear nor vanish."""

from __future__ import annotations

from typing import Any

import pytest

from canisters.client import ChainAgent
from canisters.interface.principal import Principal
from tests.canisters.motoko.world import CWT, DAY, FAUCET, FEE, MINUTE, SECOND, World, err, ok, together

pytestmark = pytest.mark.slow


def account(owner: Principal, subaccount: bytes | None = None) -> dict[str, Any]:
    return {"owner": owner, "subaccount": subaccount}


def transfer(world: World, who: ChainAgent, receiver: Principal, amount: int = CWT, **changes: Any) -> dict[str, Any]:
    args = {
        "from_subaccount": None,
        "to": account(receiver),
        "amount": amount,
        "fee": None,
        "memo": None,
        "created_at_time": None,
    }
    answer: dict[str, Any] = world.ledger(who).icrc1_transfer({**args, **changes})
    return answer


def approve(world: World, who: ChainAgent, spender: Principal, amount: int = CWT, **changes: Any) -> dict[str, Any]:
    args = {
        "from_subaccount": None, "spender": account(spender), "amount": amount, "expected_allowance": None, "expires_at": None, "fee": None,
        "memo": None, "created_at_time": None,
    }  # fmt: skip
    answer: dict[str, Any] = world.ledger(who).icrc2_approve({**args, **changes})
    return answer


def draw(
    world: World, who: ChainAgent, owner: Principal, to: Principal, amount: int = CWT, **changes: Any
) -> dict[str, Any]:
    args = {
        "spender_subaccount": None, "from": account(owner), "to": account(to), "amount": amount, "fee": None, "memo": None,
        "created_at_time": None,
    }  # fmt: skip
    answer: dict[str, Any] = world.ledger(who).icrc2_transfer_from({**args, **changes})
    return answer


def allowance(world: World, owner: Principal, spender: Principal) -> int:
    found: int = world.ledger(world.operator).icrc2_allowance({"account": account(owner), "spender": account(spender)})[
        "allowance"
    ]
    return found


# --- ICRC-1 ---


def test_a_transfer_moves_the_amount_and_burns_the_fee(world: World) -> None:
    sender, receiver = world.rich(), world.person()
    supply = world.ledger(sender).icrc1_total_supply()

    ok(transfer(world, sender, receiver.principal, 3 * CWT))

    assert world.balance(sender.principal) == FAUCET - 3 * CWT - FEE
    assert world.balance(receiver.principal) == 3 * CWT
    assert world.ledger(sender).icrc1_total_supply() == supply - FEE


def test_no_more_than_the_balance_less_the_fee_can_be_sent(world: World) -> None:
    sender, receiver = world.rich(), world.person()

    refused = err(transfer(world, sender, receiver.principal, FAUCET))
    nothing = err(transfer(world, receiver, sender.principal, 1))
    ok(transfer(world, sender, receiver.principal, FAUCET - FEE))

    assert refused == ("InsufficientFunds", {"balance": FAUCET})
    assert nothing == ("InsufficientFunds", {"balance": 0})
    assert world.balance(sender.principal) == 0


def test_many_transfers_at_once_do_not_overdraw(world: World) -> None:
    sender, receiver = world.rich(), world.person()
    part = FAUCET // 3

    answers = together(*[lambda: transfer(world, world.again(sender), receiver.principal, part)] * 6)

    assert sum("Ok" in a for a in answers) == 2
    assert world.balance(receiver.principal) == 2 * part


def test_another_fee_than_the_ledgers_is_refused_with_the_right_one(world: World) -> None:
    sender = world.rich()

    assert err(transfer(world, sender, world.operator.principal, fee=1)) == ("BadFee", {"expected_fee": 0})
    assert err(transfer(world, sender, world.person().principal, fee=1)) == ("BadFee", {"expected_fee": FEE})
    ok(transfer(world, sender, world.person().principal, fee=FEE))


def test_the_same_dated_transfer_happens_once_and_names_its_block(world: World) -> None:
    sender, receiver = world.rich(), world.person()
    dated = {"created_at_time": world.time_ns, "memo": b"rent"}

    block = ok(transfer(world, sender, receiver.principal, **dated))
    again = err(transfer(world, sender, receiver.principal, **dated))
    other_memo = ok(transfer(world, sender, receiver.principal, **{**dated, "memo": b"food"}))

    assert again == ("Duplicate", {"duplicate_of": block})
    assert other_memo != block
    assert world.balance(receiver.principal) == 2 * CWT


def test_undated_transfers_are_never_taken_for_one(world: World) -> None:
    sender, receiver = world.rich(), world.person()

    ok(transfer(world, sender, receiver.principal))
    ok(transfer(world, sender, receiver.principal))

    assert world.balance(receiver.principal) == 2 * CWT


def test_a_transfer_dated_a_day_back_or_minutes_ahead_is_refused(world: World) -> None:
    sender, receiver = world.rich(), world.person()

    too_old = err(transfer(world, sender, receiver.principal, created_at_time=world.time_ns - DAY - 3 * MINUTE))
    ahead = err(transfer(world, sender, receiver.principal, created_at_time=world.time_ns + 3 * MINUTE))
    ok(transfer(world, sender, receiver.principal, created_at_time=world.time_ns - DAY))
    ok(transfer(world, sender, receiver.principal, created_at_time=world.time_ns + MINUTE))

    assert too_old == ("TooOld", None)
    assert ahead[0] == "CreatedInFuture"
    assert 0 <= ahead[1]["ledger_time"] - world.time_ns < SECOND


def test_a_dated_transfer_cannot_be_replayed_when_it_is_forgotten(world: World) -> None:
    sender, receiver = world.rich(), world.person()
    dated = {"created_at_time": world.time_ns}
    ok(transfer(world, sender, receiver.principal, **dated))

    world.advance(DAY + 3 * MINUTE)

    assert err(transfer(world, sender, receiver.principal, **dated)) == ("TooOld", None)
    assert world.balance(receiver.principal) == CWT


def test_the_default_subaccount_is_that_of_zeros(world: World) -> None:
    sender, receiver = world.rich(), world.person()

    ok(transfer(world, sender, receiver.principal, to=account(receiver.principal, bytes(32))))

    assert world.balance(receiver.principal) == world.balance(receiver.principal, bytes(32)) == CWT
    assert world.balance(receiver.principal, bytes(31) + b"\x01") == 0


@pytest.mark.parametrize(
    "changes", [{"memo": bytes(65)}, {"from_subaccount": bytes(31)}, {"from_subaccount": bytes(33)}]
)
def test_what_does_not_fit_the_standard_is_refused(world: World, changes: dict[str, Any]) -> None:
    sender = world.rich()
    before = world.ledger(sender).icrc3_get_blocks([])["log_length"]

    assert err(transfer(world, sender, world.person().principal, **changes))[0] == "GenericError"
    assert err(approve(world, sender, world.person().principal, 2**256))[0] == "GenericError"
    assert world.ledger(sender).icrc3_get_blocks([])["log_length"] == before


def test_the_minting_account_mints_and_takes_back_without_fee(world: World) -> None:
    receiver = world.person()
    supply = world.ledger(receiver).icrc1_total_supply()

    ok(transfer(world, world.operator, receiver.principal, 5 * CWT))
    minted = world.ledger(receiver).icrc1_total_supply()
    ok(transfer(world, receiver, world.operator.principal, 2 * CWT))

    assert minted == supply + 5 * CWT
    assert world.balance(receiver.principal) == 3 * CWT
    assert world.ledger(receiver).icrc1_total_supply() == supply + 3 * CWT
    assert err(transfer(world, receiver, world.operator.principal, 1)) == ("BadBurn", {"min_burn_amount": FEE})
    assert err(transfer(world, world.operator, world.operator.principal))[0] == "GenericError"


def test_the_faucet_gives_to_each_once(world: World) -> None:
    person = world.rich()

    again = world.ledger(person).faucet_claim()

    assert "already" in again["Err"]
    assert world.balance(person.principal) == FAUCET


# --- ICRC-2 ---


def test_a_spender_draws_what_it_was_allowed_and_the_fee(world: World) -> None:
    owner, spender, shop = world.rich(), world.person(), world.person()
    ok(approve(world, owner, spender.principal, 3 * CWT))

    ok(draw(world, spender, owner.principal, shop.principal, 2 * CWT))
    too_much = err(draw(world, spender, owner.principal, shop.principal, CWT))

    assert world.balance(owner.principal) == FAUCET - 2 * CWT - 2 * FEE
    assert world.balance(shop.principal) == 2 * CWT
    assert allowance(world, owner.principal, spender.principal) == CWT - FEE
    assert too_much == ("InsufficientAllowance", {"allowance": CWT - FEE})


def test_an_allowance_is_no_balance(world: World) -> None:
    owner, spender = world.rich(), world.person()
    ok(approve(world, owner, spender.principal, 10 * FAUCET))

    refused = err(draw(world, spender, owner.principal, spender.principal, FAUCET))

    assert refused == ("InsufficientFunds", {"balance": FAUCET - FEE})
    assert allowance(world, owner.principal, spender.principal) == 10 * FAUCET


def test_an_approval_replaces_the_one_before(world: World) -> None:
    owner, spender = world.rich(), world.person()

    ok(approve(world, owner, spender.principal, 5 * CWT))
    ok(approve(world, owner, spender.principal, CWT))
    lower = allowance(world, owner.principal, spender.principal)
    ok(approve(world, owner, spender.principal, 0))

    assert lower == CWT
    assert allowance(world, owner.principal, spender.principal) == 0
    assert world.balance(owner.principal) == FAUCET - 3 * FEE


def test_an_approval_made_for_another_allowance_is_refused_with_the_present_one(world: World) -> None:
    owner, spender = world.rich(), world.person()
    ok(approve(world, owner, spender.principal, 5 * CWT))

    refused = err(approve(world, owner, spender.principal, CWT, expected_allowance=4 * CWT))
    ok(approve(world, owner, spender.principal, CWT, expected_allowance=5 * CWT))

    assert refused == ("AllowanceChanged", {"current_allowance": 5 * CWT})
    assert allowance(world, owner.principal, spender.principal) == CWT


def test_an_allowance_ends_at_its_time(world: World) -> None:
    owner, spender = world.rich(), world.person()
    past = err(approve(world, owner, spender.principal, expires_at=world.time_ns - 1))
    ok(approve(world, owner, spender.principal, expires_at=world.time_ns + MINUTE))

    world.advance(MINUTE)

    assert past[0] == "Expired"
    assert allowance(world, owner.principal, spender.principal) == 0
    assert err(draw(world, spender, owner.principal, spender.principal, 1)) == (
        "InsufficientAllowance",
        {"allowance": 0},
    )


def test_approvals_and_draws_are_deduplicated_too(world: World) -> None:
    owner, spender = world.rich(), world.person()
    dated = {"created_at_time": world.time_ns}

    approved = ok(approve(world, owner, spender.principal, 5 * CWT, **dated))
    drawn = ok(draw(world, spender, owner.principal, spender.principal, **dated))

    assert err(approve(world, owner, spender.principal, 5 * CWT, **dated)) == ("Duplicate", {"duplicate_of": approved})
    assert err(draw(world, spender, owner.principal, spender.principal, **dated)) == (
        "Duplicate",
        {"duplicate_of": drawn},
    )
    assert world.balance(spender.principal) == CWT


def test_nobody_approves_themselves_and_everybody_draws_from_themselves(world: World) -> None:
    owner, shop = world.rich(), world.person()

    assert err(approve(world, owner, owner.principal))[0] == "GenericError"
    ok(draw(world, owner, owner.principal, shop.principal))
    assert world.balance(shop.principal) == CWT


def test_an_allowance_of_one_subaccount_does_not_reach_into_another(world: World) -> None:
    owner, spender, sub = world.rich(), world.person(), bytes(31) + b"\x07"
    ok(transfer(world, owner, owner.principal, 5 * CWT, to=account(owner.principal, sub)))
    ok(approve(world, owner, spender.principal, 5 * CWT))

    refused = err(draw(world, spender, owner.principal, spender.principal, **{"from": account(owner.principal, sub)}))

    assert refused == ("InsufficientAllowance", {"allowance": 0})
    assert world.balance(owner.principal, sub) == 5 * CWT


def test_it_says_which_standards_it_keeps(world: World) -> None:
    ledger = world.ledger(world.operator)

    assert {s["name"] for s in ledger.icrc1_supported_standards()} == {"ICRC-1", "ICRC-2", "ICRC-3", "ICRC-10"}
    assert dict(ledger.icrc1_metadata())["icrc1:fee"] == {"Nat": FEE} == {"Nat": ledger.icrc1_fee()}
    assert {t["block_type"] for t in ledger.icrc3_supported_block_types()} == {
        "1mint",
        "1burn",
        "1xfer",
        "2approve",
        "2xfer",
    }
