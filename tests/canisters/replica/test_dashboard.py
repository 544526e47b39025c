"""The page for whoever looks at the network, in a real browser: what runs, what it costs, what trapped; and nothing that a canister says is run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import wasmtime

from canisters.client import CallRejected

from .conftest import Probe

EVIL = b"<img src=x onerror=\"document.title='taken'\">"


def figures(url: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/_/dashboard.json", trust_env=False).json()
    return found


def of(shown: dict[str, Any], canister: Probe) -> dict[str, Any]:
    return next(c for c in shown["canisters"] if c["id"] == str(canister.id))


def test_it_counts_what_a_canister_does(replica: Any, canister: Probe) -> None:
    before = of(figures(replica.url), canister)
    canister.update("inc")
    canister.query("get")
    canister.query("get")

    after = of(figures(replica.url), canister)

    assert after["messages"] == before["messages"] + 1
    assert after["queries"] == before["queries"] + 2
    assert after["heap_bytes"] > 0
    assert int(after["cycles"]) > 0


def test_it_shows_the_last_traps_with_the_functions_that_led_to_them(replica: Any, chain: Any) -> None:
    module = (
        '(module (func $deep unreachable) (func $entry (call $deep)) (export "canister_update fall" (func $entry)))'
    )
    agent = chain.agent()
    canister = chain.install(agent, bytes(wasmtime.wat2wasm(module)), b"")
    with pytest.raises(CallRejected):
        agent.update_raw(canister, "fall", b"")

    last = figures(replica.url)["traps"][0]

    assert last["canister"] == str(canister)
    assert last["text"].endswith("Canister Backtrace:\n  deep\n  entry")


def test_no_page_of_another_origin_reads_it(replica: Any) -> None:
    answer = httpx.get(
        f"{replica.url}/_/dashboard.json", headers={"Origin": "https://elsewhere.invalid"}, trust_env=False
    )
    asked = httpx.options(f"{replica.url}/_/time", headers={"Origin": "https://elsewhere.invalid"}, trust_env=False)

    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in asked.headers


@pytest.mark.browser
def test_a_browser_shows_it_and_runs_nothing_that_a_canister_says(
    replica: Any, canister: Probe, repository: Path, tmp_path: Path
) -> None:
    with pytest.raises(CallRejected):
        canister.update("trap_with", data=EVIL)
    script = repository / "tests" / "browser" / "dashboard.mjs"

    ran = subprocess.run(
        ["node", script, replica.url, str(canister.id)], capture_output=True, text=True, timeout=120, check=False
    )

    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout.splitlines()[-1])
    assert seen["title"] == "Embedded Internet Computer"
    assert (seen["images"], seen["faults"]) == (0, [])
    assert "Messages a second" in seen["text"]
    assert str(canister.id) in seen["text"]
