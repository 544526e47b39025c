"""A canister that could not pay for standing idle is frozen until somebody tops it up; one that cannot pay at all loses its code."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from canisters.client import CallRejected
from canisters.client.agent import MANAGEMENT
from canisters.client.typed import Management as Calls
from canisters.interface.candid import encode
from canisters.interface.principal import Principal

from .conftest import Probe

HOUR_NS = 3600 * 10**9


def settings(probe: Probe, **fields: Any) -> None:
    Calls(probe.agent, MANAGEMENT).update_settings(
        {"canister_id": probe.id, "settings": fields}, effective_canister_id=probe.id
    )


def status(probe: Probe) -> Any:
    return Calls(probe.agent, MANAGEMENT).canister_status({"canister_id": probe.id}, effective_canister_id=probe.id)


def top_up(probe: Probe, cycles: int) -> None:
    Calls(probe.agent, MANAGEMENT).provisional_top_up_canister(
        {"canister_id": probe.id, "amount": cycles}, effective_canister_id=probe.id
    )


def test_a_frozen_canister_answers_nothing_until_it_is_topped_up(canister: Probe) -> None:
    settings(canister, freezing_threshold=10**15)

    with pytest.raises(CallRejected, match="please top up") as updated:
        canister.update("inc")
    with pytest.raises(CallRejected, match="frozen") as queried:
        canister.query("get")
    top_up(canister, status(canister)["idle_cycles_burned_per_day"] * 10**15 // 86_400 + 10**12)

    assert (updated.value.error_code, queried.value.error_code) == ("IC0207", "IC0207")
    assert canister.update("inc")[0] == 1


def test_a_canister_is_thawed_by_another_threshold(canister: Probe) -> None:
    settings(canister, freezing_threshold=10**15)
    settings(canister, freezing_threshold=0)

    assert canister.update("inc")[0] == 1


def test_what_must_stay_cannot_be_sent_away(canister: Probe, make_probe: Callable[..., Probe]) -> None:
    other = make_probe()
    all_of_it = status(canister)["cycles"]
    seconds = all_of_it // 2 * 86_400 // status(canister)["idle_cycles_burned_per_day"]
    settings(canister, freezing_threshold=seconds)

    with pytest.raises(CallRejected, match="cannot be attached"):
        canister.call(other.id, "accept_half", cycles=all_of_it * 6 // 10)

    assert canister.call(other.id, "accept_half", cycles=all_of_it // 10)


@pytest.mark.slow
def test_time_costs_and_who_cannot_pay_loses_the_code(start_replica: Any, chain_on: Any, probe: bytes) -> None:
    running = start_replica(None, "--time", "manual")
    clock = {"now": 0}

    def advance(by_ns: int) -> None:
        request = urllib.request.Request(
            f"{running.url}/_/time", json.dumps({"advance_ns": by_ns}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            clock["now"] = int(json.load(answer)["time_ns"])

    advance(0)
    chain = chain_on(running, clock=lambda: clock["now"])
    agent = chain.agent()
    rich = Probe(agent, chain.install(agent, probe, b""))
    poor = Probe(agent, chain.create(agent, cycles=10**9))
    poor.management.install(poor.id, probe, b"")
    settings(poor, freezing_threshold=0)
    advance(HOUR_NS)
    before, a_day = status(rich)["cycles"], status(rich)["idle_cycles_burned_per_day"]

    for _ in range(24):
        advance(HOUR_NS)
    spent = before - status(rich)["cycles"]
    for _ in range(10):
        advance(1000 * 24 * HOUR_NS)

    assert a_day - 24 <= spent <= a_day
    with pytest.raises(CallRejected, match="no Wasm module"):
        poor.update("inc")
    assert status(poor)["cycles"] == 0
    assert rich.update("inc")[0] == 1


def test_a_frozen_canister_is_still_its_controllers(canister: Probe) -> None:
    settings(canister, freezing_threshold=10**15)

    assert status(canister)["status"] == {"running": None}
    with pytest.raises(CallRejected, match="out of cycles|frozen"):
        canister.agent.update_raw(canister.id, "inc", encode([], []))
    assert isinstance(canister.id, Principal)
