"""Lies that a canister could certify, each with the words that the verifier must find for it."""

from __future__ import annotations

import copy

from canisters.client import KeyIdentity

from .forgery import Alteration, Forgery, add, look, put

STRANGER = KeyIdentity().principal


def wrong_code(f: Forgery) -> None:
    put(
        f.block("registry", "policy_set", 2),
        "tx",
        "terms",
        "code",
        {"Map": [["Listed", {"Array": [{"Blob": bytes(32)}]}]]},
    )


def another_price(f: Forgery) -> None:
    add(f.block("registry", "policy_set", 0), "tx", "terms", "price_e8s", 1)


def no_policy(f: Forgery) -> None:
    f.log("registry").remove(f.block("registry", "policy_set", 2))


def denied_by_owner(f: Forgery) -> None:
    block = f.block("jobs", "dataset_approved")
    put(block, "btype", {"Text": "dataset_denied"})


def never_approved(f: Forgery) -> None:
    f.log("jobs").remove(f.block("jobs", "dataset_approved"))


def approved_by_another(f: Forgery) -> None:
    put(f.block("jobs", "dataset_approved"), "tx", "owner", {"Blob": STRANGER.raw})


def revoked_before_the_claim(f: Forgery) -> None:
    block = copy.deepcopy(f.block("jobs", "dataset_approved"))
    put(block, "btype", {"Text": "approval_revoked"})
    f.log("jobs").insert(f.log("jobs").index(f.block("jobs", "job_claimed")), block)


def claimed_by_a_stranger(f: Forgery) -> None:
    put(f.block("jobs", "job_claimed"), "tx", "worker", {"Blob": STRANGER.raw})


def no_use_counted(f: Forgery) -> None:
    f.log("registry").remove(f.block("registry", "uses_taken"))


def newer_policy_at_the_claim(f: Forgery) -> None:
    block = copy.deepcopy(f.block("registry", "policy_set", 0))
    put(block, "tx", "version", {"Nat": 2})
    f.log("registry").insert(f.log("registry").index(f.block("registry", "uses_taken")), block)


def withdrawn_at_the_claim(f: Forgery) -> None:
    block = copy.deepcopy(f.block("registry", "dataset_withdrawn"))
    put(block, "tx", "dataset_id", {"Nat": 1})
    f.log("registry").insert(f.log("registry").index(f.block("registry", "uses_taken")), block)


def another_builder(f: Forgery) -> None:
    for at in range(3):
        put(f.block("jobs", "job_proposed", at), "tx", "builder", {"Blob": STRANGER.raw})


def another_version(f: Forgery) -> None:
    for where in (("args", "datasets"), ("approvals",)):
        put(f.block("jobs", "job_proposed", 2), "tx", *where, 0, "version", {"Nat": 2})


def another_owner(f: Forgery) -> None:
    put(f.block("registry", "dataset_registered", 0), "tx", "owner", {"Blob": STRANGER.raw})


def the_denied_job_starts(f: Forgery) -> None:
    block = copy.deepcopy(f.block("jobs", "job_claimed"))
    put(block, "tx", "job_id", {"Nat": 1})
    f.log("jobs").append(block)


CONSENT: dict[Alteration, str] = {
    wrong_code: "policy 1 does not approve such a job by itself .the policy does not allow this code",
    another_price: "the price was",
    no_policy: "default deny",
    denied_by_owner: "while dataset 2 was Denied",
    never_approved: "while dataset 2 was Pending",
    approved_by_another: "decided for a dataset of",
    revoked_before_the_claim: "while dataset 2 was Revoked",
    claimed_by_a_stranger: "claimed without being a worker",
    no_use_counted: "the registry counted no use",
    newer_policy_at_the_claim: "had a newer policy",
    withdrawn_at_the_claim: "was withdrawn",
    another_builder: "the policy names other builders",
    another_version: "has no version 2",
    another_owner: "belongs to",
    the_denied_job_starts: "job 1 was denied",
}


def a_smaller_escrow(f: Forgery) -> None:
    add(f.block("jobs", "job_funded", 1), "tx", "amount_e8s", -1)


def a_funding_that_is_not_there(f: Forgery) -> None:
    add(f.block("jobs", "job_funded", 1), "tx", "ledger_block", -1)


def a_payout_to_another(f: Forgery) -> None:
    put(f.block("jobs", "job_settled"), "tx", "payouts", 0, "owner", {"Blob": STRANGER.raw})


def a_payout_too_high(f: Forgery) -> None:
    add(f.block("jobs", "job_settled"), "tx", "payouts", 1, "amount_e8s", 1)


def a_payout_left_out(f: Forgery) -> None:
    look(f.block("jobs", "job_settled"), "tx", "payouts")["Array"].pop()


def a_payout_claimed_twice(f: Forgery) -> None:
    f.log("jobs").append(copy.deepcopy(f.block("jobs", "payout_claimed", 1)))


def a_payout_that_the_ledger_does_not_have(f: Forgery) -> None:
    add(f.block("jobs", "payout_claimed", 1), "tx", "ledger_block", 1)


def escrow_taken_unseen(f: Forgery) -> None:
    """The jobs canister pays out of an escrow and does not say so: long ago, so it cannot be in flight."""
    f.log("jobs").remove(f.block("jobs", "payout_claimed", 1))
    for name in ("jobs", "ledger", "registry", "cooperative", "cooperatives"):
        for block in f.log(name):
            add(block, "ts", -3600 * 10**9)


def money_out_of_nothing(f: Forgery) -> None:
    put(f.block("ledger", "1xfer"), "tx", "amt", {"Nat": 10**15})


def a_faucet_drawn_twice(f: Forgery) -> None:
    f.log("ledger").append(copy.deepcopy(f.block("ledger", "1mint")))


def anothers_money(f: Forgery) -> None:
    put(f.block("ledger", "2approve"), "tx", "amt", {"Nat": 1})


def a_share_moved(f: Forgery) -> None:
    add(f.block("jobs", "job_settled"), "tx", "shares", 0, "share_bps", 1)
    add(f.block("jobs", "job_settled"), "tx", "shares", 1, "share_bps", -1)


def a_share_of_another(f: Forgery) -> None:
    put(f.block("jobs", "job_settled"), "tx", "shares", 0, "owner", {"Blob": STRANGER.raw})


def another_attribution(f: Forgery) -> None:
    add(f.block("jobs", "job_submitted"), "tx", "result", "attribution", 1, "value_ppm", 50_000)


def another_artifact(f: Forgery) -> None:
    put(f.block("jobs", "job_submitted"), "tx", "result", "artifacts", 0, "sha256", {"Blob": bytes(32)})


def another_mint(f: Forgery) -> None:
    f.log("jobs").append(copy.deepcopy(f.block("ledger", "1mint")))


MONEY: dict[Alteration, str] = {
    a_smaller_escrow: "and the budget is",
    a_funding_that_is_not_there: "funding: block .* does not show",
    a_payout_to_another: "payouts are",
    a_payout_too_high: "payouts sum to",
    a_payout_left_out: "payouts sum to",
    a_payout_claimed_twice: "and 0 were due",
    a_payout_that_the_ledger_does_not_have: "payout: block .* does not show",
    money_out_of_nothing: "more than it has",
    a_faucet_drawn_twice: "faucet twice",
    anothers_money: "without its leave",
    a_share_moved: "shares are",
    a_share_of_another: "shares are",
    another_attribution: "outside its interval|and should be",
    another_artifact: "manifest_hash is not that of the artifacts",
    another_mint: "nothing is known of blocks of type 1mint",
}


def a_vote_turned(f: Forgery) -> None:
    put(f.block("cooperative", "vote_cast"), "tx", "yes", {"Nat": 0})


def a_vote_twice(f: Forgery) -> None:
    log = f.log("cooperative")
    log.insert(log.index(f.block("cooperative", "vote_cast")) + 1, copy.deepcopy(f.block("cooperative", "vote_cast")))


def a_vote_with_more_shares(f: Forgery) -> None:
    add(f.block("cooperative", "vote_cast"), "tx", "shares", 1_000)


def a_vote_of_a_stranger(f: Forgery) -> None:
    put(f.block("cooperative", "vote_cast"), "tx", "owner", {"Blob": STRANGER.raw})


def votes_left_out(f: Forgery) -> None:
    log = f.log("cooperative")
    log[:] = [block for block in log if look(block, "btype") != {"Text": "vote_cast"}]


def adopted_without_enough(f: Forgery) -> None:
    """The rejected release is called adopted."""
    put(f.block("cooperative", "proposal_rejected"), "btype", {"Text": "proposal_adopted"})


def live_without_a_vote(f: Forgery) -> None:
    f.log("cooperative").remove(f.block("cooperative", "proposal_adopted"))


def another_module_live(f: Forgery) -> None:
    put(f.block("cooperative", "release_live"), "tx", "wasm_sha256", {"Blob": bytes(32)})


def an_unequal_release(f: Forgery) -> None:
    put(f.block("cooperative", "release_live"), "tx", "max_abs_error_e9", {"Nat": 10**9})


def a_manifest_nobody_recorded(f: Forgery) -> None:
    block = f.block("cooperative", "proposal_submitted")
    put(block, "tx", "kind", "Release", "title", {"Text": "Another"})


def a_module_that_does_not_run(f: Forgery) -> None:
    for id_ in f.modules:
        if id_ not in f.canisters.values():
            f.modules[id_] = bytes(32)


def an_operator_in_control(f: Forgery) -> None:
    for id_, controllers in f.controllers.items():
        if id_ not in f.canisters.values() and id_.raw not in controllers:
            controllers.append(STRANGER.raw)


def an_operator_in_control_of_the_cooperative(f: Forgery) -> None:
    for id_, controllers in f.controllers.items():
        if id_.raw in controllers:
            controllers.append(STRANGER.raw)


def other_holders(f: Forgery) -> None:
    for block in (f.block("cooperative", "founded"), f.block("cooperatives", "cooperative_created")):
        put(block, "tx", "holders", 0, "owner", {"Blob": STRANGER.raw})


def more_shares(f: Forgery) -> None:
    add(f.block("cooperative", "founded"), "tx", "holders", 0, "shares", 1)


def a_swapped_cooperative(f: Forgery) -> None:
    put(f.block("cooperatives", "cooperative_created"), "tx", "canister", {"Blob": STRANGER.raw})


def of_another_factory(f: Forgery) -> None:
    put(f.block("cooperative", "founded"), "tx", "factory", {"Blob": STRANGER.raw})


def shares_sold_that_were_not_held(f: Forgery) -> None:
    put(f.block("cooperative", "shares_transferred"), "tx", "amount", {"Nat": 9_999})


def parameters_nobody_voted_for(f: Forgery) -> None:
    add(f.block("cooperative", "parameters_changed"), "tx", "parameters", "treasury_bps", 1_000)


def a_part_too_small(f: Forgery) -> None:
    add(f.block("cooperative", "inference_paid"), "tx", "parts", 0, "amount_e8s", -1)


def a_part_to_another(f: Forgery) -> None:
    put(f.block("cooperative", "inference_paid"), "tx", "parts", 0, "owner", {"Blob": STRANGER.raw})


def a_fatter_treasury(f: Forgery) -> None:
    add(f.block("cooperative", "inference_paid"), "tx", "treasury_e8s", 1)


def a_sale_that_was_not_paid(f: Forgery) -> None:
    add(f.block("cooperative", "inference_paid"), "tx", "ledger_block", -1)


def a_payment_counted_twice(f: Forgery) -> None:
    number = look(f.block("cooperative", "inference_paid", 0), "tx", "ledger_block")
    put(f.block("cooperative", "inference_paid", 1), "tx", "ledger_block", number)


def an_answer_of_another_release(f: Forgery) -> None:
    put(f.block("cooperative", "inference_paid"), "tx", "manifest_hash", {"Blob": bytes(32)})


def a_claim_beyond_the_credit(f: Forgery) -> None:
    add(f.block("cooperative", "revenue_claimed", 1), "tx", "amount_e8s", 10**6)


def a_claim_twice(f: Forgery) -> None:
    f.log("cooperative").append(copy.deepcopy(f.block("cooperative", "revenue_claimed")))


def a_treasury_payment_to_another(f: Forgery) -> None:
    put(f.block("cooperative", "treasury_paid"), "tx", "to", {"Blob": STRANGER.raw})


def treasury_without_a_critical_vote(f: Forgery) -> None:
    put(f.block("cooperative", "proposal_submitted", 3), "tx", "critical", {"Nat": 0})


OWNERS: dict[Alteration, str] = {
    a_vote_turned: "the votes are",
    a_vote_twice: "voted twice",
    a_vote_with_more_shares: "other shares than its ballot",
    a_vote_of_a_stranger: "has no ballot",
    votes_left_out: "was not adopted",
    adopted_without_enough: "was not adopted",
    live_without_a_vote: "not adopted by its owners",
    another_module_live: "another module than the manifest names",
    an_unequal_release: "are allowed",
    a_manifest_nobody_recorded: "manifest_hash is not that of its manifest",
    a_module_that_does_not_run: "runs another module than the live release",
    an_operator_in_control: "not by its cooperative alone",
    an_operator_in_control_of_the_cooperative: "not by itself alone",
    other_holders: "founded with the holders",
    more_shares: "shares sum to 10001",
    a_swapped_cooperative: "it is not in the bundle",
    of_another_factory: "another cooperatives canister",
    shares_sold_that_were_not_held: "more than it held",
    parameters_nobody_voted_for: "not the parameters that were voted for",
    a_part_too_small: "its parts sum to",
    a_part_to_another: "its parts do not follow",
    a_fatter_treasury: "the treasury's part is",
    a_sale_that_was_not_paid: "does not show 1000003 e8s drawn",
    a_payment_counted_twice: "accounted for twice",
    an_answer_of_another_release: "another release answered",
    a_claim_beyond_the_credit: "more than it was credited",
    a_claim_twice: "accounted for twice",
    a_treasury_payment_to_another: "not the payment that was voted for",
    treasury_without_a_critical_vote: "of the other class",
}
