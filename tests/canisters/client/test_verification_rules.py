"""What a canister certifies need not be right: the verifier's own rules find every lie, and nonsense does not break it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canisters.client.verification import verify_bundle

from .forgery import ROOT_KEY, Alteration, Forgery, failures
from .lies import CONSENT, MONEY, OWNERS, escrow_taken_unseen

pytestmark = pytest.mark.slow
LOGS = ["registry", "jobs", "ledger", "cooperatives", "cooperative"]


@pytest.mark.parametrize(
    ("alter", "said"), [*CONSENT.items(), *MONEY.items(), *OWNERS.items()], ids=lambda x: getattr(x, "__name__", "")
)
def test_a_lie_that_a_canister_certifies_is_found_by_the_rules(forgery: Forgery, alter: Alteration, said: str) -> None:
    alter(forgery)

    report = verify_bundle(forgery.bundle(), ROOT_KEY)

    assert re.search(said, failures(report)), failures(report) or "nothing was found"
    assert not re.search(r" log: (?!it is not in the bundle)", failures(report)), "the forgery itself is at fault"


def test_money_that_left_an_escrow_unseen_is_found_once_it_cannot_be_in_flight(forgery: Forgery) -> None:
    escrow_taken_unseen(forgery)

    report = verify_bundle(forgery.bundle(), ROOT_KEY)

    assert "that no other log accounts for" in failures(report)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_nonsense_in_a_log_breaks_the_verifier(request: pytest.FixtureRequest, data: st.DataObject) -> None:
    """A canister may certify anything. The verifier says what is wrong, or that it does not matter, and does not fall over."""
    forgery = Forgery.of(request.getfixturevalue("bundle"), request.getfixturevalue("replica").root_key)
    blocks = forgery.log(data.draw(st.sampled_from(LOGS)))
    place = blocks[data.draw(st.integers(0, len(blocks) - 1))]
    junk = st.sampled_from(
        [{"Nat": 0}, {"Nat": 10**30}, {"Int": -1}, {"Text": ""}, {"Blob": b"\xff" * 40}, {"Array": []}, {"Map": []}]
    )
    for _ in range(data.draw(st.integers(1, 7))):
        if place.get("Map"):
            at = data.draw(st.integers(0, len(place["Map"]) - 1))
            if data.draw(st.booleans()) or place["Map"][at][0] == "phash":
                place["Map"][at] = [place["Map"][at][0], data.draw(junk)]
                break
            place = place["Map"][at][1]
        elif place.get("Array"):
            at = data.draw(st.integers(0, len(place["Array"]) - 1))
            place["Array"][at] = data.draw(junk)
            break
        else:
            break

    report = verify_bundle(forgery.bundle(), ROOT_KEY, blobs={})

    assert report.text()
