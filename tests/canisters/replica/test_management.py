"""The management canister: who may do what to a canister, and what becomes of its code, state and cycles."""

from __future__ import annotations

import hashlib
import struct
import threading
import time
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


def install(agent: ChainAgent, canister_id: Principal, wasm: bytes, mode: Any = None, arg: bytes = b"") -> None:
    manage(agent, "install_code", canister_id, mode=mode or {"install": None}, wasm_module=wasm, arg=arg)


UPGRADE = {"upgrade": None}


def test_a_new_canister_is_controlled_by_who_made_it_and_is_empty(chain):
    agent = chain.agent()
    canister = chain.create(agent)

    status = Management(agent).status(canister)

    assert agent.controllers(canister) == [agent.principal]
    assert agent.module_hash(canister) is None
    assert status["status"] == {"running": None}
    assert status["cycles"] == 100 * 10**12


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("install_code", {"mode": {"install": None}, "wasm_module": b"\x00asm\x01\x00\x00\x00", "arg": b""}),
        ("uninstall_code", {}),
        ("update_settings", {"settings": {"controllers": []}}),
        ("stop_canister", {}),
        ("start_canister", {}),
        ("delete_canister", {}),
        ("canister_status", {}),
        ("upload_chunk", {"chunk": b"x"}),
        ("stored_chunks", {}),
        ("clear_chunk_store", {}),
    ],
)
def test_only_controllers_may(canister, chain, method, fields):
    before = canister.agent.module_hash(canister.id)

    with pytest.raises(CallRejected) as refused:
        manage(chain.agent(), method, canister.id, **fields)

    assert refused.value.error_code == "IC0512"
    assert canister.agent.module_hash(canister.id) == before
    assert canister.agent.controllers(canister.id) == [canister.agent.principal]
    canister.update("inc")


def test_a_controller_that_was_removed_can_do_nothing_any_more(canister, chain):
    heir = chain.agent()

    Management(canister.agent).set_controllers(canister.id, [heir.principal])

    with pytest.raises(CallRejected, match="Only controllers"):
        Management(canister.agent).set_controllers(canister.id, [canister.agent.principal])
    assert Management(heir).status(canister.id)["settings"]["controllers"] == [heir.principal]


def test_a_second_installation_needs_a_mode_for_it(canister, probe):
    with pytest.raises(CallRejected, match="not empty"):
        install(canister.agent, canister.id, probe)


def test_a_reinstallation_forgets_everything(canister, probe):
    canister.update("inc")
    canister.update("stable_write", 0, data=b"kept?")
    canister.update("certify", data=b"old")

    install(canister.agent, canister.id, probe, {"reinstall": None})

    assert canister.count() == 0
    with pytest.raises(CallRejected):
        canister.query("stable_read", 0, 5)
    path = [b"canister", canister.id.raw, b"certified_data"]
    assert canister.agent.read_state(canister.id, [path]).require(*path) == b""


def test_the_argument_reaches_canister_init(chain, probe):
    agent = chain.agent()
    canister = chain.install(agent, probe, struct.pack("<Q", 42))

    assert agent.query_raw(canister, "get", b"") == struct.pack("<Q", 42)


def test_an_upgrade_carries_stable_memory_over(canister, probe):
    canister.update("set", 77)
    canister.update("timer_in", 3600 * 10**9)

    install(canister.agent, canister.id, probe, UPGRADE)

    assert canister.count() == 77


@pytest.mark.parametrize("argument", [b"", b"four"])
def test_an_upgrade_that_fails_changes_nothing(canister, probe, argument):
    """Before it begins (pre_upgrade traps at 666), or after (post_upgrade traps on four bytes)."""
    count = 666 if argument == b"" else 7
    canister.update("set", count)
    canister.update("certify", data=b"old")
    before = canister.agent.module_hash(canister.id)

    with pytest.raises(CallRejected) as refused:
        install(canister.agent, canister.id, probe + b"\x00\x02\x01x", UPGRADE, argument)

    assert refused.value.error_code == "IC0503"
    assert canister.agent.module_hash(canister.id) == before
    assert canister.count() == count
    canister.update("inc")
    assert canister.count() == count + 1


def test_pre_upgrade_can_be_skipped_to_save_a_stuck_canister(canister, probe):
    canister.update("stable_write", 0, data=struct.pack("<Q", 5))
    canister.update("set", 666)

    install(canister.agent, canister.id, probe, {"upgrade": {"skip_pre_upgrade": True}})

    assert canister.count() == 5


@pytest.mark.parametrize(
    ("wasm", "words"),
    [
        (b"", "not a WebAssembly module"),
        (b"\x00asm\x01\x00\x00\x00\x01\x7f", "cut off"),
        (b"\x1f\x8b\x08 no gzip", "gzip"),
    ],
)
def test_code_that_is_no_module_is_refused_and_the_old_code_stays(canister, wasm, words):
    with pytest.raises(CallRejected, match=words) as refused:
        install(canister.agent, canister.id, wasm, {"reinstall": None})

    assert refused.value.error_code == "IC0505"
    canister.update("inc")
    assert canister.count() == 1


def test_uninstalling_empties_a_canister_and_it_can_be_filled_again(canister, probe):
    canister.update("inc")

    Management(canister.agent).uninstall(canister.id)

    assert canister.agent.module_hash(canister.id) is None
    with pytest.raises(CallRejected, match="no Wasm module"):
        canister.update("inc")
    install(canister.agent, canister.id, probe)
    assert canister.count() == 0


def test_a_stopped_canister_takes_no_messages_until_it_is_started(canister):
    management = Management(canister.agent)

    management.stop(canister.id)

    assert management.status(canister.id)["status"] == {"stopped": None}
    with pytest.raises(CallRejected, match="is stopped"):
        canister.update("inc")
    with pytest.raises(CallRejected, match="is stopped"):
        canister.query("get")
    management.start(canister.id)
    canister.update("inc")


def test_a_canister_with_an_open_call_is_stopping_until_it_is_started_again(canister, chain):
    """It asks to be stopped itself, so the call that asks stays open: on the network this never ends by itself either."""
    Management(canister.agent).set_controllers(canister.id, [canister.agent.principal, canister.id])
    stop = contract("management", canister.agent, MANAGEMENT).bound("stop_canister")
    own = Management(chain.agent(canister.agent.identity))
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(
            canister.call(MANAGEMENT, "stop_canister", stop.encode({"canister_id": canister.id}))
        )
    )
    asking.start()
    until = time.monotonic() + 10
    while own.status(canister.id)["status"] != {"stopping": None} and time.monotonic() < until:
        time.sleep(0.05)

    with pytest.raises(CallRejected, match="is stopping"):
        own.agent.update_raw(canister.id, "inc", b"")
    own.start(canister.id)
    asking.join(20)

    assert b"started again" in answers[0]
    canister.update("inc")


def test_only_a_stopped_canister_can_be_deleted(canister):
    management = Management(canister.agent)

    with pytest.raises(CallRejected, match="must be stopped"):
        management.delete(canister.id)
    management.stop(canister.id)
    management.delete(canister.id)

    with pytest.raises(CallRejected, match="not found"):
        canister.update("inc")
    assert canister.agent.controllers(canister.id) == []


def test_chunks_make_a_module_of_more_than_one_message(chain, large_probe):
    agent = chain.agent()
    canister = chain.create(agent)
    parts = []

    Management(agent).install(canister, large_probe, b"", on_chunk=lambda done, total: parts.append((done, total)))

    assert len(large_probe) > 3 << 20
    assert parts[-1] == (4, 4)
    assert agent.module_hash(canister) == hashlib.sha256(large_probe).digest()
    assert agent.update_raw(canister, "inc", b"") == struct.pack("<Q", 1)


@pytest.mark.parametrize(
    ("hashes", "module_hash", "words"),
    [([b"absent"], None, "was not found"), (None, bytes(32), "does not match")],
)
def test_chunks_that_are_not_the_module_are_refused(canister, probe, hashes, module_hash, words):
    chunk = manage(canister.agent, "upload_chunk", canister.id, chunk=probe)["hash"]
    ask = contract("management", canister.agent, MANAGEMENT).install_chunked_code
    listed = [{"hash": h} for h in hashes] if hashes else [{"hash": chunk}]

    with pytest.raises(CallRejected, match=words):
        ask(
            {
                "mode": {"reinstall": None},
                "target_canister": canister.id,
                "chunk_hashes_list": listed,
                "wasm_module_hash": module_hash or hashlib.sha256(probe).digest(),
                "arg": b"",
            },
            effective_canister_id=canister.id,
        )

    canister.update("inc")
    assert canister.count() == 1


def test_a_chunk_of_more_than_a_megabyte_is_refused(canister):
    with pytest.raises(CallRejected, match="maximum chunk size"):
        manage(canister.agent, "upload_chunk", canister.id, chunk=bytes((1 << 20) + 1))

    assert manage(canister.agent, "stored_chunks", canister.id) == []


def test_a_canister_creates_another_with_the_cycles_it_sends(canister):
    made = contract("management", canister.agent, MANAGEMENT).bound("create_canister")

    reply = canister.call(MANAGEMENT, "create_canister", made.encode({}), cycles=2 * 10**12)
    child = made.decode(reply)["canister_id"]

    assert canister.agent.controllers(child) == [canister.id]
    refused = canister.call(MANAGEMENT, "create_canister", made.encode({}), cycles=10**9)
    assert b"needs 500000000000 cycles" in refused
    with pytest.raises(CallRejected, match="Only canisters"):
        made({})


def test_a_canister_installs_code_in_its_child_and_nobody_else_can(make_probe, probe, chain):
    parent = make_probe()
    methods = contract("management", parent.agent, MANAGEMENT)
    create, fill = methods.bound("create_canister"), methods.bound("install_code")
    child = create.decode(parent.call(MANAGEMENT, "create_canister", create.encode({}), cycles=10**13))["canister_id"]
    code = {"mode": {"install": None}, "canister_id": child, "wasm_module": probe, "arg": b""}

    parent.call(MANAGEMENT, "install_code", fill.encode(code))

    assert parent.agent.query_raw(child, "get", b"") == struct.pack("<Q", 0)
    for stranger in (parent.agent, chain.agent()):
        with pytest.raises(CallRejected, match="Only controllers"):
            install(stranger, child, probe, {"reinstall": None})


def test_settings_are_kept_and_bad_ones_refused(canister):
    given = {"freezing_threshold": 1234, "environment_variables": [{"name": "PUBLIC_A", "value": "1"}]}

    manage(canister.agent, "update_settings", canister.id, settings=given)

    settings = Management(canister.agent).status(canister.id)["settings"]
    assert settings["freezing_threshold"] == 1234
    assert settings["environment_variables"] == [{"name": "PUBLIC_A", "value": "1"}]
    with pytest.raises(CallRejected, match="at most 10 controllers"):
        many = [Principal(bytes([n, 1, 1])) for n in range(11)]
        manage(canister.agent, "update_settings", canister.id, settings={"controllers": many})
    with pytest.raises(CallRejected, match="compute_allocation must be at most 100"):
        manage(canister.agent, "update_settings", canister.id, settings={"compute_allocation": 101})
    assert canister.agent.controllers(canister.id) == [canister.agent.principal]


def test_growth_stops_at_the_memory_limit_of_the_settings(canister):
    manage(canister.agent, "update_settings", canister.id, settings={"wasm_memory_limit": 8 << 20})

    assert struct.unpack("<i", canister.update("grow_heap", 1000)) == (-1,)
    assert struct.unpack("<i", canister.update("grow_heap", 1))[0] > 0


def test_the_version_rises_with_every_change(canister, probe):
    versions = [canister.query("version")]
    canister.update("inc")
    versions.append(canister.query("version"))
    manage(canister.agent, "update_settings", canister.id, settings={"freezing_threshold": 1})
    versions.append(canister.query("version"))
    install(canister.agent, canister.id, probe, UPGRADE)
    versions.append(canister.query("version"))

    numbers = [int.from_bytes(version, "little") for version in versions]
    assert numbers == sorted(set(numbers))


def test_the_history_of_a_canister_can_be_asked_by_canisters(canister):
    ask = contract("management", canister.agent, MANAGEMENT).bound("canister_info")

    reply = canister.call(
        MANAGEMENT, "canister_info", ask.encode({"canister_id": canister.id, "num_requested_changes": 10})
    )

    info = ask.decode(reply)
    assert [next(iter(change["details"])) for change in info["recent_changes"]] == ["creation", "code_deployment"]
    assert info["module_hash"] == canister.agent.module_hash(canister.id)


def test_an_id_can_be_asked_for_once_and_only_where_canisters_live(chain):
    create = contract("management", chain.agent(), MANAGEMENT).provisional_create_canister_with_cycles
    wanted = Principal(b"\x00" * 6 + b"\x77\x77\x01\x01")

    assert create({"specified_id": wanted})["canister_id"] == wanted
    with pytest.raises(CallRejected, match="already exists"):
        create({"specified_id": wanted})
    for bad in (Principal(b"\x04"), Principal.from_text("um5iw-rqaaa-aaaaq-qaaba-cai")):
        with pytest.raises(CallRejected, match="cannot be a canister's id"):
            create({"specified_id": bad})


def test_arguments_that_are_no_candid_are_refused(canister):
    with pytest.raises(CallRejected, match="Error decoding candid"):
        canister.agent.update_raw(MANAGEMENT, "stop_canister", b"nonsense", effective_canister_id=canister.id)


def test_https_outcalls_are_refused_as_on_a_subnet_without_them(canister, chain):
    request = {
        "url": "https://localhost",
        "max_response_bytes": None,
        "method": {"get": None},
        "headers": [],
        "body": None,
    }
    asked = contract("management", chain.agent(), MANAGEMENT).http_request
    argument = asked.encode({**request, "transform": None, "is_replicated": None})

    answer = canister.call(MANAGEMENT, "http_request", argument)

    assert b"not enabled on this subnet" in answer
    with pytest.raises(CallRejected, match="Only canisters"):
        chain.agent().update_raw(MANAGEMENT, "http_request", argument)
