"""Who may look at a canister: its status, its snapshots and its log, by the three settings; and what its history tells of it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from canisters.client import CallRejected, ChainAgent, contract
from canisters.client.management import Management
from canisters.interface.principal import Principal

pytestmark = pytest.mark.slow

MANAGEMENT = Principal.management()


def manage(agent: ChainAgent, method: str, canister_id: Principal, **fields: Any) -> Any:
    ask = getattr(contract("management", agent, MANAGEMENT), method)
    return ask({"canister_id": canister_id, **fields}, effective_canister_id=canister_id)


def configure(canister: Any, **settings: Any) -> None:
    manage(canister.agent, "update_settings", canister.id, settings=settings)


def look(agent: ChainAgent, canister: Any, what: str) -> None:
    """Read whatever `what`, the name of a setting, guards."""
    if what == "snapshot_visibility":
        (snapshot,) = manage(agent, "list_canister_snapshots", canister.id)
        manage(agent, "read_canister_snapshot_metadata", canister.id, snapshot_id=snapshot["id"])
        part = {"wasm_module": {"offset": 0, "size": 4}}
        read = manage(agent, "read_canister_snapshot_data", canister.id, snapshot_id=snapshot["id"], kind=part)
        assert read["chunk"] == b"\x00asm"
    else:
        manage(
            agent, {"status_visibility": "canister_status", "log_visibility": "fetch_canister_logs"}[what], canister.id
        )


SETTINGS = ["status_visibility", "snapshot_visibility", "log_visibility"]


@pytest.mark.parametrize("setting", SETTINGS)
def test_only_who_may_see_can_look(canister, chain, setting):
    viewer, stranger = chain.agent(), chain.agent()
    manage(canister.agent, "take_canister_snapshot", canister.id)
    with pytest.raises(CallRejected):
        look(viewer, canister, setting)

    configure(canister, **{setting: {"allowed_viewers": [viewer.principal]}})

    look(viewer, canister, setting)
    look(canister.agent, canister, setting)
    with pytest.raises(CallRejected):
        look(stranger, canister, setting)
    shown = Management(canister.agent).status(canister.id)["settings"]
    assert shown[setting] == {"allowed_viewers": [viewer.principal]}
    assert all(shown[other] == {"controllers": None} for other in SETTINGS if other != setting)


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_is_public_everybody_sees_until_it_is_not(canister, chain, setting):
    stranger = chain.agent()
    manage(canister.agent, "take_canister_snapshot", canister.id)

    configure(canister, **{setting: {"public": None}})
    look(stranger, canister, setting)
    configure(canister, **{setting: {"controllers": None}})

    with pytest.raises(CallRejected):
        look(stranger, canister, setting)


@pytest.mark.parametrize("setting", SETTINGS)
def test_ten_may_be_named_and_not_one_more(canister, setting):
    ten = [Principal(bytes([n, 1, 1])) for n in range(10)]

    configure(canister, **{setting: {"allowed_viewers": ten}})

    with pytest.raises(CallRejected, match="at most 10 viewers"):
        configure(canister, **{setting: {"allowed_viewers": [*ten, MANAGEMENT]}})
    assert Management(canister.agent).status(canister.id)["settings"][setting] == {"allowed_viewers": ten}


def test_who_may_look_may_change_nothing(canister, chain):
    viewer = chain.agent()
    named = {"allowed_viewers": [viewer.principal]}
    configure(canister, status_visibility=named, snapshot_visibility=named, log_visibility=named)
    taken = manage(canister.agent, "take_canister_snapshot", canister.id)["id"]

    for method, fields in (
        ("update_settings", {"settings": {"status_visibility": {"public": None}}}),
        ("take_canister_snapshot", {}),
        ("load_canister_snapshot", {"snapshot_id": taken}),
        ("delete_canister_snapshot", {"snapshot_id": taken}),
        ("stop_canister", {}),
    ):
        with pytest.raises(CallRejected, match="Only controllers"):
            manage(viewer, method, canister.id, **fields)


def test_the_status_is_told_in_a_query_too_and_to_the_same_people(canister, chain):
    ask = contract("management", canister.agent, MANAGEMENT).bound("canister_status")
    argument = ask.encode({"canister_id": canister.id})

    told = ask.decode(
        canister.agent.query_raw(MANAGEMENT, "canister_status", argument, effective_canister_id=canister.id)
    )

    assert told["settings"]["controllers"] == [canister.agent.principal]
    with pytest.raises(CallRejected, match="Only controllers"):
        chain.agent().query_raw(MANAGEMENT, "canister_status", argument, effective_canister_id=canister.id)


def history(canister: Any, of: Principal, changes: int = 20) -> dict[str, Any]:
    ask = contract("management", canister.agent, MANAGEMENT).bound("canister_info")
    argument = ask.encode({"canister_id": of, "num_requested_changes": changes})
    told: dict[str, Any] = ask.decode(canister.call(MANAGEMENT, "canister_info", argument))
    return told


def test_the_history_tells_who_changed_what_and_from_where(canister, chain, probe):
    owner = canister.agent
    create = contract("management", owner, MANAGEMENT).bound("create_canister")
    variables = [{"name": "A", "value": "1"}]
    wanted = create.encode({"settings": {"environment_variables": variables}, "sender_canister_version": 77})
    child = create.decode(canister.call(MANAGEMENT, "create_canister", wanted, cycles=2 * 10**12))["canister_id"]
    snapshot = manage(owner, "take_canister_snapshot", canister.id)["id"]
    target = chain.create(owner)
    manage(owner, "load_canister_snapshot", target, snapshot_id=snapshot)
    configure(canister, controllers=[owner.principal, canister.id])

    created, loaded, own = history(canister, child), history(canister, target), history(canister, canister.id)

    (change,) = created["recent_changes"]
    pair = hashlib.sha256(b"A").digest() + hashlib.sha256(b"1").digest()
    assert change["origin"] == {"from_canister": {"canister_id": canister.id, "canister_version": 77}}
    assert change["details"]["creation"] == {
        "controllers": [canister.id],
        "environment_variables_hash": hashlib.sha256(pair).digest(),
    }
    assert loaded["recent_changes"][-1]["details"]["load_snapshot"]["from_canister_id"] == canister.id
    assert own["recent_changes"][-1]["origin"] == {"from_user": {"user_id": owner.principal}}
    assert own["recent_changes"][-1]["details"] == {
        "controllers_change": {"controllers": sorted([owner.principal, canister.id], key=lambda p: p.raw)}
    }


def test_the_history_keeps_the_newest_twenty_and_counts_all(canister):
    for _ in range(11):
        configure(canister, controllers=[canister.agent.principal, canister.id])
        configure(canister, controllers=[canister.agent.principal])

    told = history(canister, canister.id)

    assert told["total_num_changes"] == 24
    assert len(told["recent_changes"]) == 20
    assert len(history(canister, canister.id, 3)["recent_changes"]) == 3
    assert history(canister, canister.id, 0)["recent_changes"] == []
